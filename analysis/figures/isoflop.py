"""Loss against model size at fixed budgets: isoFLOP curves in nominal compute."""
from types import SimpleNamespace

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D

import style
from data import number
from figures import Absent
from style import BUDGETS, GREY
from table import Table

ORDER = 20
TITLE = "isoFLOP curves"
CAPTION = """Loss against model size at fixed nominal budgets. A size is interpolated between its own runs, never
extrapolated. A star is the vertex of a parabola in log N within the sampled sizes; an open arrow says on which side
the vertex lies outside them, and such a vertex enters no fit."""
#            line of a curve whose vertex is an optimum, outside the sizes, a maximum; or that has too few sizes
SHAPES = {"optimum": "-", "outside": (0, (3, 1.5)), "concave": (0, (5, 1, 1, 1)), "few": ":"}
POINTS = 40  # of a parabola


def _interpolated(study, arm, currency):
    """Without a fit: points of isoFLOP curves, each size interpolated in log C between its runs."""
    rows = study.grid(arm)
    c, n, loss = (np.asarray(study.cells[k][rows], float) for k in (currency.column, "parameters", "loss"))
    if not len(rows) or not (c > 0).all():
        return []
    curves = []
    for budget in np.geomspace(c.min(), c.max(), 8)[1:-1]:
        points = []
        for size in np.unique(n):
            mine = np.flatnonzero(n == size)
            mine = mine[np.argsort(c[mine])]
            if len(mine) > 1 and c[mine[0]] <= budget <= c[mine[-1]]:
                points.append((size, np.exp(np.interp(np.log(budget), np.log(c[mine]), np.log(loss[mine])))))
        if len(points) > 2:
            curves.append({"C": budget, "N": [p[0] for p in points], "loss": [p[1] for p in points],
                           "parabola": [None] * 3, "centre": 0})
    return curves


def _shape(curve):
    """Whether the minimum of its parabola may be believed."""
    p0, p1, p2 = (number(p) for p in curve["parabola"])
    if curve.get("ok"):
        return "optimum"
    if not np.isfinite(p2):
        return "few"
    return "outside" if p2 > 0 else "concave"


def _rows(arm, curve):
    n, loss = np.array(curve["N"]), np.array(curve["loss"])
    order = np.argsort(n)
    shape = _shape(curve)
    here = {"arm": arm, "C": curve["C"], "shape": shape}
    rows = [{**here, "kind": "runs", "N": n[i], "loss": loss[i]} for i in order]
    if shape == "few":
        return rows
    p0, p1, p2 = curve["parabola"]
    u = np.linspace(np.log(n.min()), np.log(n.max()), POINTS)
    parabola = np.exp(p0 + p1 * (u - curve["centre"]) + p2 * (u - curve["centre"]) ** 2)
    rows += [{**here, "kind": "parabola", "N": np.exp(x), "loss": y} for x, y in zip(u, parabola)]
    if shape == "optimum":
        rows.append({**here, "kind": "vertex", "N": curve["best_N"], "loss": curve["best_loss"]})
    if shape == "outside":
        end = -1 if curve["centre"] - p1 / (2 * p2) > u[-1] else 0
        rows.append({**here, "kind": "vertex", "N": np.exp(u[end]), "loss": parabola[end]})
    return rows


def curves(study, name):
    """isoFLOP curves in the currency of that name."""
    currency = next((k for k in study.currencies if k.name == name), None)
    rows = []
    for arm in study.arms if currency else ():
        fitted = study.fitted(arm, currency)
        found = fitted.get("isoflop", {}).get("curves", []) if fitted else _interpolated(study, arm, currency)
        rows += [row for curve in found if len(curve["N"]) > 1 for row in _rows(arm, curve)]
    if not rows:
        raise Absent("no budget at which two model sizes of an arm can be compared")
    table = Table.of(rows)
    table.columns["currency"] = np.full(len(table), name, object)
    return table


def gather(study):
    return curves(study, "nominal")


def _curve(ax, curve, colour):
    line = SimpleNamespace(color=colour, ls=SHAPES[curve["shape"][0]], lw=0.9, zorder=2)
    runs, parabola, vertex = (curve.where(kind=k) for k in ("runs", "parabola", "vertex"))
    ax.plot(runs["N"], runs["loss"], "o", color=colour, ms=2.6, mew=0, zorder=3)
    smooth = parabola if len(parabola) else runs
    ax.plot(smooth["N"], smooth["loss"], **vars(line))
    if not len(vertex):
        return
    n, loss = vertex["N"][0], vertex["loss"][0]
    if curve["shape"][0] == "optimum":
        ax.plot(n, loss, "*", color=colour, ms=7, mec=style.INK, mew=0.5, zorder=5)
    else:
        marker = "<" if n <= runs["N"].min() * (1 + 1e-9) else ">"
        ax.plot(n, loss, marker=marker, color=colour, mfc="white", ms=4.2, mew=0.9, zorder=4)


def draw(table, looks, canvas):
    arms = table.distinct("arm")
    budgets = table["C"]
    norm = LogNorm(budgets.min(), budgets.max() if budgets.max() > budgets.min() else 2 * budgets.min())
    figure, axes = style.panels(canvas, len(arms), 2.5)
    for ax, arm in zip(axes, arms):
        mine = table.where(arm=arm)
        ax.set(xscale="log", yscale="log", xlabel="model size $N$ (parameters)")
        for (budget,), curve in mine.groups("C"):
            _curve(ax, curve, BUDGETS(norm(budget)))
        ax.set_xlim(style.log_limits(mine["N"], 0.1, 0.1))
        ax.set_ylim(style.log_limits(table.where(kind="runs")["loss"]))
        style.log_axis(ax.xaxis, style.count, 5)
        style.title_arm(ax, looks, arm)
    style.log_axis(axes[0].yaxis, most=8)
    for ax in style.first_of_rows(axes):
        ax.set_ylabel(looks.loss)
    style.colour_bar(figure, ScalarMappable(norm, BUDGETS), axes, looks.compute(table["currency"][0]))
    shapes = set(table["shape"])
    keys = [Line2D([], [], color=GREY, marker="o", ls="", ms=2.6, label="runs at the budget, interpolated in $C$")]
    if "optimum" in shapes:
        keys.append(Line2D([], [], color=GREY, marker="*", ms=7, mec=style.INK, mew=0.5,
                           label="parabola and its vertex"))
    if "outside" in shapes:
        keys.append(Line2D([], [], color=GREY, marker=">", ls=SHAPES["outside"], mfc="white", ms=4.2,
                           label="vertex outside the sampled range"))
    if "concave" in shapes:
        keys.append(Line2D([], [], color=GREY, ls=SHAPES["concave"], label="concave: no minimum"))
    if "few" in shapes:
        keys.append(Line2D([], [], color=GREY, ls=SHAPES["few"], label="no parabola"))
    style.legend_below(figure, keys)
    return figure


def describe(table, looks):
    parts = []
    for (arm,), mine in table.groups("arm"):
        curves_of = mine.groups("C")
        best = mine.where(kind="vertex", shape="optimum").sorted("C")
        text = f"{style.words(arm)}: {len(curves_of)} budgets, {len(best)} with a minimum within the sampled sizes"
        if len(best):
            text += (f", at {style.spoken(best['N'][0])} parameters for C = {style.spoken(best['C'][0])} and at "
                     f"{style.spoken(best['N'][-1])} for C = {style.spoken(best['C'][-1])}")
        parts.append(text + ".")
    return "Loss against model size at fixed budgets. " + " ".join(parts)
