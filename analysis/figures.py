"""The figures.  Each function takes a Study and its Looks and returns a matplotlib figure, or says in an Absent why
there is nothing to draw.
"""
import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import style
from data import CURRENCIES, numbers
from style import COLUMN, GREY, LOSS, PAGE, plt


BEYOND = (0, (1, 1))  # line style of extrapolation
LAW = (3, 1.6)  # dashes of the law
LAW_LINE = (0, LAW)
NO_LAW = (0, (4, 1.2, 1, 1.2))  # line style of the surrogate
WIDEST = {"N": 100, "D": 100, "loss": 2}  # bands over a larger factor say nothing and hide the rest


class Absent(Exception):
    """Why a figure cannot be drawn."""


# One hue from light to dark, so that more compute is darker, in print too.
BUDGETS = LinearSegmentedColormap.from_list("budgets", plt.get_cmap("viridis_r")(np.linspace(0.12, 1, 64)))
HEAT = LinearSegmentedColormap.from_list("heat", plt.get_cmap("cividis")(np.linspace(0.15, 1, 64)))


def _number(value):
    return np.nan if value is None else float(value)


def _interval(pair):
    low, high = (_number(v) for v in pair or (None, None))
    return f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) and np.isfinite(high) else ""


def _doubt(law):
    """The status of a law where it is not a plain success."""
    status = law["status"].split(":")[0]
    return "" if status == "converged" else f" ({status})"


def _envelope(c, loss):
    """Indices of the runs that no cheaper run beats, by compute."""
    order = np.argsort(c, kind="stable")
    best = np.minimum.accumulate(loss[order])
    return order[(loss[order] == best) & np.r_[True, best[1:] < best[:-1]]]


# ---- Loss against compute. ----

def _frontier(study, arm, currency, quantity):
    """C, a quantity and its band along the fitted frontier, and where it stays within the runs; or None."""
    fitted = study.fitted(arm, currency) or {}
    rows = [r for r in fitted.get("frontier", []) if r.get(quantity) is not None]
    if len(rows) < 2:
        return None
    c, n, d, value, band = numbers(rows, "C", "N", "D", quantity, f"interval.{quantity}")
    inside = c <= fitted["C_max"] * 1.001
    for optimum, column in ((n, "parameters"), (d, "samples")):
        sampled = study.cells[column][study.grid(arm)]
        inside &= (optimum >= min(sampled, default=np.inf)) & (optimum <= max(sampled, default=0))
    band[:, ~(band[1] <= WIDEST[quantity] * band[0])] = np.nan
    return c, value, band, inside


def _draw_frontier(ax, c, value, band, inside, colour, dashes, width):
    """Dotted where the optimum lies beyond the runs, with one step of overlap so that no gap is left."""
    ax.plot(c, np.where(inside, value, np.nan), color=colour, lw=width, ls=(0, dashes) if dashes else "-", zorder=4)
    near = np.convolve(~inside, [1, 1, 1], "same") > 0
    ax.plot(c, np.where(near, value, np.nan), color=colour, lw=width, ls=BEYOND, zorder=4)
    ax.fill_between(c, band[0], band[1], color=colour, alpha=0.15, lw=0, zorder=1)


def _compute_panel(ax, study, looks, currency, seen):
    losses, costs = [], []
    for arm in study.arms:
        colour = looks.colour(arm)
        grid = study.grid(arm)
        for cell in study.rows(arm, "grid", finished=False):
            rows = study.curve(cell)
            if len(rows) > 1:
                ax.plot(study.curves[currency.column][rows], study.curves["loss"][rows], color=colour, lw=0.5,
                        alpha=0.25, zorder=1)
                losses.append(study.curves["loss"][rows])
        c, loss = study.cells[currency.column][grid], study.cells["loss"][grid]
        keep = c > 0
        c, loss = c[keep], loss[keep]
        if not len(c):
            continue
        losses.append(loss)
        costs.append(c)
        ax.plot(c, loss, looks.marker(arm), color=colour, ms=2.6, mew=0, alpha=0.75, zorder=2)
        best = _envelope(c, loss)
        ax.plot(c[best], loss[best], color=colour, lw=1.1, zorder=3)
        frontier = _frontier(study, arm, currency, "loss")
        if frontier:
            x, y, band, inside = frontier
            keep = x <= c.max() * 1.001
            _draw_frontier(ax, x[keep], y[keep], band[:, keep], inside[keep], colour, LAW, 1.0)
            seen |= {"frontier"} | ({"beyond"} if not inside[keep].all() else set())
    return losses, costs


def loss_compute(study, looks):
    if not any(len(study.grid(arm)) for arm in study.arms):
        raise Absent("no grid cell has finished")
    currencies = [k for k in CURRENCIES if (study.cells[k.column] > 0).any()]
    figure, axes = plt.subplots(1, len(currencies), figsize=(PAGE, 2.6), sharey=True, squeeze=False)
    axes, seen, losses = axes[0], set(), []
    for ax, currency in zip(axes, currencies):
        ax.set(xscale="log", yscale="log", xlabel=f"{currency.title} $C$ ({currency.unit})")
        panel, costs = _compute_panel(ax, study, looks, currency, seen)
        losses += panel
        costs = np.concatenate(costs)
        ax.set_xlim(style.log_limits([costs.min() / 6, costs.max()], 0.02, 0.04))
    finals = np.concatenate([study.cells["loss"][study.grid(arm)] for arm in study.arms])
    spread = finals.max() / finals.min()  # learning curves are cut off where they would squeeze the final losses
    top = min(np.concatenate(losses).max(), finals.max() * max(1.25, spread ** 0.6))
    axes[0].set_ylim(style.log_limits([finals.min(), top], 0.12, 0.02))
    axes[0].set_ylabel(LOSS)
    for ax in axes:
        style.log_axis(ax.xaxis)
    style.log_axis(axes[0].yaxis, most=8)
    style.panel_letters(axes)
    arms = [Line2D([], [], color=looks.colour(a), marker=looks.marker(a), lw=1.2, label=style.words(a))
            for a in study.arms if len(study.grid(a))]
    lines = [Line2D([], [], color=GREY, lw=0.6, alpha=0.6, label="learning curves"),
             Line2D([], [], color=GREY, lw=1.1, label="lower envelope of final losses")]
    labels = [h.get_label() for h in arms + lines]
    if "frontier" in seen:
        lines.append((Patch(color=GREY, alpha=0.25, lw=0), Line2D([], [], color=GREY, lw=1.0, ls=LAW_LINE)))
        labels.append("compute-optimal, fitted law (95 %)")
    if "beyond" in seen:
        lines.append(Line2D([], [], color=GREY, lw=1.0, ls=BEYOND))
        labels.append("the same, optimum beyond the runs")
    style.legend_below(figure, arms + lines, labels)
    return figure


# ---- isoFLOP curves. ----

@dataclass
class Vertex:
    n: float
    loss: float
    kind: str  # optimum, outside, concave, few: too few sizes for a parabola


PARABOLAS = {"optimum": "-", "outside": (0, (3, 1.5)), "concave": (0, (5, 1, 1, 1)), "few": ":"}


def _vertex(curve):
    """Where a parabola has its minimum, and whether that may be believed."""
    p0, p1, p2 = (_number(p) for p in curve["parabola"])
    if curve.get("ok"):
        return Vertex(curve["best_N"], curve["best_loss"], "optimum")
    if not p2 > 0:
        return Vertex(np.nan, np.nan, "concave" if np.isfinite(p2) else "few")
    end = max(curve["N"]) if -p1 / (2 * p2) + curve["centre"] > np.log(max(curve["N"])) else min(curve["N"])
    u = np.log(end) - curve["centre"]
    return Vertex(end, np.exp(p0 + p1 * u + p2 * u * u), "outside")


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


def _isoflop_panel(ax, curves, norm):
    vertices = []
    for curve in curves:
        colour = BUDGETS(norm(curve["C"]))
        order = np.argsort(curve["N"])
        n, loss = np.array(curve["N"])[order], np.array(curve["loss"])[order]
        ax.plot(n, loss, "o", color=colour, ms=2.4, mew=0, zorder=3)
        p0, p1, p2 = (_number(p) for p in curve["parabola"])
        vertex = _vertex(curve)
        if np.isfinite(p2):
            u = np.linspace(np.log(n.min()), np.log(n.max()), 100) - curve["centre"]
            ax.plot(np.exp(u + curve["centre"]), np.exp(p0 + p1 * u + p2 * u * u), color=colour, lw=0.9,
                    ls=PARABOLAS[vertex.kind], zorder=2)
        else:
            ax.plot(n, loss, color=colour, lw=0.8, ls=PARABOLAS["few"], zorder=2)
        if vertex.kind == "optimum":
            ax.plot(vertex.n, vertex.loss, "*", color=colour, ms=7, mec="black", mew=0.5, zorder=5)
        elif vertex.kind == "outside":
            ax.plot(vertex.n, vertex.loss, marker="<" if vertex.n == n.min() else ">", color="white", ms=4.2,
                    mec=colour, mew=0.9, zorder=4)
        vertices.append(vertex)
    return vertices


def isoflop(study, looks, currency=CURRENCIES[0]):
    found = {}
    for arm in study.arms:
        fitted = study.fitted(arm, currency)
        curves = (fitted or {}).get("isoflop", {}).get("curves", []) if fitted else _interpolated(study, arm, currency)
        curves = [k for k in curves if len(k["N"]) > 1]
        if curves:
            found[arm] = curves
    if not found:
        raise Absent("no budget at which two model sizes of an arm can be compared")
    budgets = [k["C"] for curves in found.values() for k in curves]
    losses = [v for curves in found.values() for k in curves for v in k["loss"]]
    norm = LogNorm(min(budgets), max(budgets) if max(budgets) > min(budgets) else 2 * min(budgets))
    figure, axes = style.panels(len(found), 2.6, 2.5, sharey=True)
    kinds = set()
    for ax, (arm, curves) in zip(axes, found.items()):
        ax.set(xscale="log", yscale="log", xlabel="model size $N$ (parameters)")
        vertices = _isoflop_panel(ax, curves, norm)
        kinds |= {v.kind for v in vertices}
        sizes = [n for k in curves for n in k["N"]]
        ax.set_xlim(style.log_limits(sizes, 0.1, 0.1))
        ax.set_ylim(style.log_limits(losses))
        style.log_axis(ax.xaxis, style.count, 5)
        ax.set_title(style.words(arm), color=looks.colour(arm))
    style.log_axis(axes[0].yaxis, most=8)
    for ax in axes[::3]:
        ax.set_ylabel(LOSS)
    bar = figure.colorbar(ScalarMappable(norm, BUDGETS), ax=axes, pad=0.015, fraction=0.04,
                          aspect=30 * math.ceil(len(axes) / 3))
    bar.set_label(f"{currency.title} $C$ ({currency.unit})")
    bar.outline.set_linewidth(0.5)
    style.log_axis(bar.ax.yaxis)
    keys = [Line2D([], [], color=GREY, marker="o", ls="", ms=2.6, label="runs at the budget, interpolated in $C$")]
    if "optimum" in kinds:
        keys.append(Line2D([], [], color=GREY, marker="*", ms=7, mec="black", mew=0.5, label="parabola and its vertex"))
    if "outside" in kinds:
        keys.append(Line2D([], [], color=GREY, marker=">", ls=PARABOLAS["outside"], mfc="white", ms=4.2,
                           label="vertex outside the sampled range"))
    if "concave" in kinds:
        keys.append(Line2D([], [], color=GREY, ls=PARABOLAS["concave"], label="concave: no minimum"))
    if "few" in kinds and study.fit:
        keys.append(Line2D([], [], color=GREY, ls=PARABOLAS["few"], label="too few sizes for a parabola"))
    style.legend_below(figure, keys)
    return figure


# ---- N* and D* against C. ----

def _allocation_panel(ax, study, looks, currency, quantity, exponent, seen):
    """quantity: N or D; returns its drawn values."""
    drawn, entries = [], []
    for arm in study.arms:
        fitted = study.fitted(arm, currency)
        if not fitted:
            continue
        colour, label = looks.colour(arm), None
        frontier = _frontier(study, arm, currency, quantity)
        if frontier:
            _draw_frontier(ax, *frontier, colour, None, 1.2)
            drawn += list(frontier[1])
            label = f"${exponent}$ = {_number(fitted[exponent]):.2f}{_interval(fitted['interval'][exponent])}"
        free = [r for r in fitted.get("surrogate", []) if r["status"] == "within the data"]
        if len(free) > 1:
            ax.plot(*numbers(free, "C", quantity), color=colour, lw=0.8, ls=NO_LAW, zorder=3)
            seen.add("surrogate")
        curves = [k for k in fitted.get("isoflop", {}).get("curves", []) if k.get("ok")]
        if curves:
            c, best = numbers(curves, "C", f"best_{quantity}")
            ax.plot(c, best, looks.marker(arm), color="white", mec=colour, mew=0.8, ms=3.4, zorder=4)
            drawn += list(best[np.isfinite(best)])
            if quantity == "N":
                low, high = np.array([[_number(v) for v in k["best_N_interval"]] for k in curves]).T
                ok = np.isfinite(low) & np.isfinite(high)
                ax.vlines(c[ok], low[ok], high[ok], color=colour, lw=0.7, zorder=2)
        if label or curves:
            entries.append(Line2D([], [], color=colour, marker=looks.marker(arm), mfc="white", mew=0.8, ms=3.4,
                                  label=label or "isoFLOP only"))
    return drawn, entries


def allocation(study, looks):
    if not study.fit:
        raise Absent(study.no_fit)
    currencies = [k for k in CURRENCIES if any(study.fitted(arm, k) for arm in study.arms)]
    crowd = max(0, len(study.fit) - 4)
    figure, axes = plt.subplots(2, max(1, len(currencies)), figsize=(PAGE, 4.2 + 0.25 * crowd), sharex="col",
                                sharey="row", squeeze=False)
    keys_share = (len(study.fit) + 1) * 0.12 / (1.6 + 0.125 * crowd)  # of the height of a panel
    above = max(0.12, 0.9 / (1 - keys_share) - 1)
    total, seen = [], set()
    for i, (quantity, exponent) in enumerate((("N", "a"), ("D", "b"))):
        row = []
        for ax, currency in zip(axes[i], currencies):
            ax.set(xscale="log", yscale="log")
            drawn, entries = _allocation_panel(ax, study, looks, currency, quantity, exponent, seen)
            row += drawn
            if entries:
                ax.legend(handles=entries, title=f"${quantity}^* \\propto C^{exponent}$", title_fontsize=6.5,
                          loc="upper left", borderaxespad=0.2, alignment="left", labelspacing=0.25, frameon=True,
                          framealpha=0.8, edgecolor="none").set_zorder(9)
        total += row
        if row:  # all sizes that were run are shown; an optimum far beyond the runs is not worth the room
            sampled = np.concatenate([study.cells[("parameters", "samples")[i]][study.grid(a)] for a in study.arms])
            row = np.clip(np.concatenate([row, sampled]), sampled.min() / 10, sampled.max() * 30)
            axes[i, 0].set_ylim(style.log_limits(row, 0.08, above))
    if not total:
        plt.close(figure)
        raise Absent("no fit has an interior optimum: see the status of the laws")
    axes[0, 0].set_ylabel("optimal model size $N^*$ (parameters)")
    axes[1, 0].set_ylabel("optimal training $D^*$ (samples seen)")
    for ax, currency in zip(axes[1], currencies):
        ax.set_xlabel(f"{currency.title} $C$ ({currency.unit})")
    for ax in axes.flat:
        style.log_axis(ax.xaxis)
        style.log_axis(ax.yaxis, style.count, 7)
    style.panel_letters(axes.flat)
    arms = [Line2D([], [], color=looks.colour(a), lw=2.5, label=style.words(a) + _doubt(study.fit[a]))
            for a in study.arms if a in study.fit]
    keys = [Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval"),
            Line2D([], [], color=GREY, ls=BEYOND, label="beyond the runs"),
            Line2D([], [], color=GREY, marker="o", mfc="white", mew=0.8, ls="", label="isoFLOP vertex")]
    if "surrogate" in seen:
        keys.append(Line2D([], [], color=GREY, lw=0.8, ls=NO_LAW, label="no law assumed (Gaussian process)"))
    style.legend_below(figure, arms + keys)
    return figure


# ---- Compute that an arm needs for the loss of another. ----

def multiplier(study, looks):
    """Colour: the arm; marker: what it is compared with."""
    pairs = study.fit_header.get("comparisons", [])
    known = lambda pair, currency: [r for r in pair["currencies"].get(currency.name, {}).get("at", []) if r["multiplier"]]
    currencies = [k for k in CURRENCIES if any(known(pair, k) for pair in pairs)]
    if not currencies:
        raise Absent("fit.json holds no comparison of two arms" if study.fit else study.no_fit)
    figure, axes = plt.subplots(1, len(currencies), figsize=(PAGE, 2.3), sharey=True, squeeze=False)
    values, keys = [1.0], {}
    for ax, currency in zip(axes[0], currencies):
        losses = []
        for pair in pairs:
            first, second = pair["first"], pair["second"]
            found = known(pair, currency)
            if not found:
                continue
            loss, ratio, band = numbers(found, "loss", "multiplier", "interval")
            roof = WIDEST["N"] * max(ratio)
            upper = np.minimum(np.where(np.isfinite(band[1]), band[1], roof), roof)
            style_of = dict(color=looks.colour(second), marker=looks.marker(first), mfc="white", mew=0.8, ms=3.4,
                            ls=["-", LAW_LINE, BEYOND][looks.arms.index(first) % 3])
            ax.plot(loss, ratio, zorder=3, **style_of)
            ax.fill_between(loss, band[0], upper, color=looks.colour(second), alpha=0.15, lw=0)
            keys[first, second] = Line2D([], [], label=f"{style.words(second)} / {style.words(first)}", **style_of)
            losses += list(loss)
            values += list(ratio) + list(band[0][np.isfinite(band[0])]) + list(np.minimum(upper, 5 * ratio))
        ax.axhline(1, color=GREY, lw=0.6, zorder=0)
        ax.set(xscale="log", yscale="log", xlabel="test loss $L$ of both", title=f"{currency.title} ({currency.unit})")
        ax.set_xlim(style.log_limits(losses)[::-1])
        style.log_axis(ax.xaxis)
    axes[0, 0].set_ylim(style.log_limits(values))
    style.log_axis(axes[0, 0].yaxis, most=8)
    axes[0, 0].set_ylabel("compute for equal loss, ratio")
    style.legend_below(figure, list(keys.values()))
    return figure


# ---- How far the law is from each run. ----

def residuals(study, looks):
    arms = [a for a in study.arms if study.fit.get(a, {}).get("points")]
    if not arms:
        raise Absent(study.no_fit)
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.2), sharey=True)
    values, rows = {"N": [], "D": []}, {a: numbers(study.fit[a]["points"], "N", "D", "loss", "fitted") for a in arms}
    sizes = np.abs(np.concatenate([100 * (loss / fitted - 1) for _, _, loss, fitted in rows.values()]))
    span = min(np.nanmax(sizes), 4 * np.nanquantile(sizes, 0.75) + 1)  # outliers are put on the edge, with their value
    for arm in arms:
        n, d, loss, fitted = rows[arm]
        percent = 100 * (loss / fitted - 1)
        nudge = 1.03 ** (arms.index(arm) - (len(arms) - 1) / 2)  # runs of all arms share their D
        for ax, key, x in zip(axes, "ND", (n, d)):
            values[key] += list(x * nudge)
            ax.plot(x * nudge, np.clip(percent, -span, span), looks.marker(arm), color=looks.colour(arm), ms=3, mew=0,
                    alpha=0.8)
            for i in np.flatnonzero(np.abs(percent) > span * 1.001):
                ax.annotate(f"{percent[i]:+.0f} %", (x[i] * nudge, np.clip(percent[i], -span, span)), xytext=(3, 0),
                            textcoords="offset points", va="center", fontsize=5.5, color=looks.colour(arm))
    for ax, key, label in zip(axes, "ND", ("model size $N$ (parameters)", "training $D$ (samples seen)")):
        edge = 1.15 * span + 0.1
        ax.set(xscale="log", xlabel=label, xlim=style.log_limits(values[key]), ylim=(-edge, edge))
        ax.axhline(0, color=GREY, lw=0.6, zorder=0)
        style.log_axis(ax.xaxis, style.count)
    axes[0].set_ylabel("loss in excess of the law (%)")
    style.panel_letters(axes)
    style.legend_below(figure, [Line2D([], [], color=looks.colour(a), marker=looks.marker(a), ls="", mew=0,
                                       label=style.words(a) + _doubt(study.fit[a])) for a in arms])
    return figure


# ---- Loss against dataset size. ----

def _same_run(study, row):
    """What the cells of one line have in common."""
    c = study.cells
    return (c["arm"][row], int(c["parameters"][row]), int(c["steps"][row]))


def _data_lines(study):
    """(arm, N, steps) -> rows: cells of role data, and the grid's cell of the same arm, size and steps."""
    lines = {}
    for row in study.rows(role="data"):
        lines.setdefault(_same_run(study, row), []).append(row)
    for row in study.rows(role="grid"):
        if _same_run(study, row) in lines:
            lines[_same_run(study, row)].append(row)
    return {key: np.array(rows) for key, rows in sorted(lines.items())
            if len(np.unique(study.cells["dataset"][rows])) > 1}


def _over_seeds(x, y):
    """Distinct x, geometric mean, least and largest of y."""
    distinct = np.unique(x)
    groups = [y[x == v] for v in distinct]
    return distinct, *(np.array([f(g) for g in groups]) for f in (lambda g: np.exp(np.log(g).mean()), min, max))


def loss_data(study, looks):
    lines = _data_lines(study)
    if not lines:
        raise Absent("no arm has finished cells (role data) on two dataset sizes")
    figure, ax = plt.subplots(figsize=(COLUMN, 2.4))
    ax.set(xscale="log", yscale="log", xlabel="training set (trajectories)", ylabel=LOSS.removeprefix("test "))
    values, sizes, trained = [], [], False
    for index, ((arm, n, steps), rows) in enumerate(lines.items()):
        colour, marker = looks.colour(arm), looks.marker(arm)
        x, y, low, high = _over_seeds(study.cells["dataset"][rows], study.cells["loss"][rows])
        same = [k for k in lines if k[0] == arm]
        ax.plot(x, y, color=colour, marker=marker, ls=["-", "--", "-."][same.index((arm, n, steps)) % 3], zorder=3,
                label=f"{style.words(arm)}, $N$ = {style.count(n)}, {steps:,} steps")
        ax.vlines(x, low, high, color=colour, lw=0.8, zorder=2)
        ends = {row: study.curve(row)[-1:] for row in rows}
        train = np.array([study.curves["train_loss"][e[0]] if len(e) else np.nan for e in ends.values()])
        ok = np.isfinite(train) & (train > 0)
        if ok.any():
            tx, ty, _, _ = _over_seeds(study.cells["dataset"][rows][ok], train[ok])
            ax.plot(tx, ty, color=colour, marker=marker, mfc="white", ls=":", lw=0.8, mew=0.7, ms=2.8, zorder=2)
            trained = True
            values += list(ty)
        values += list(low) + list(high)
        sizes += list(x)
    ax.set_xlim(style.log_limits(sizes, 0.08, 0.08))
    ax.set_ylim(style.log_limits(values))
    style.log_axis(ax.xaxis, style.count, 7)
    style.log_axis(ax.yaxis, most=8)
    handles, _ = ax.get_legend_handles_labels()
    handles.append(Line2D([], [], color=GREY, marker="o", label="test loss"))
    if trained:
        handles.append(Line2D([], [], color=GREY, marker="o", mfc="white", ls=":", lw=0.8, mew=0.7, ms=2.8,
                              label="training loss, mean since the point before"))
    style.legend_below(figure, handles)
    return figure


# ---- All final losses. ----

def overview(study, looks):
    arms = [a for a in study.arms if len(study.rows(a, "grid", finished=False))]
    if not any(len(study.grid(a)) for a in arms):
        raise Absent("no grid cell has finished")
    finals = np.concatenate([study.cells["loss"][study.grid(a)] for a in arms])
    norm = LogNorm(finals.min(), finals.max() if finals.max() > finals.min() else 2 * finals.min())
    figure, axes = style.panels(len(arms), 2.2, 2.2, sharey=False)
    for ax, arm in zip(axes, arms):
        every = study.rows(arm, "grid", finished=False)
        done = study.grid(arm)
        sizes, steps = (np.unique(study.cells[k][every]) for k in ("parameters", "steps"))
        table = np.full((len(sizes), len(steps)), np.nan)
        for i, n in enumerate(sizes):
            for j, t in enumerate(steps):
                at = done[(study.cells["parameters"][done] == n) & (study.cells["steps"][done] == t)]
                if len(at):
                    table[i, j] = np.exp(np.log(study.cells["loss"][at]).mean())
        ax.pcolormesh(np.ma.masked_invalid(table), cmap=HEAT, norm=norm, edgecolors="white", lw=0.6)
        ax.patch.set(hatch="////", edgecolor="#bbbbbb", facecolor="white")
        if table.shape[1] <= 6 and table.shape[0] <= 10:
            for (i, j), value in np.ndenumerate(table):
                dark = np.isfinite(value) and np.dot(HEAT(norm(value))[:3], (0.299, 0.587, 0.114)) < 0.5
                text = f"{value:#.3g}" if np.isfinite(value) else "–"
                ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=6,
                        color="white" if dark else "black")
        shown = np.arange(0, len(steps), math.ceil(len(steps) / 6))
        ax.set_xticks(shown + 0.5, [f"{t:,}" if t < 10000 else style.count(t) for t in steps[shown]])
        ax.set_yticks(np.arange(len(sizes)) + 0.5, [style.count(n) for n in sizes])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        ax.set_xlabel("optimiser steps")
        ax.set_title(style.words(arm), color=looks.colour(arm))
    for ax in axes[::3]:
        ax.set_ylabel("model size $N$ (parameters)")
    bar = figure.colorbar(ScalarMappable(norm, HEAT), ax=axes, pad=0.015, fraction=0.05,
                          aspect=25 * math.ceil(len(axes) / 3))
    bar.set_label("test loss $L$\n(relative to “nothing moves”)")
    bar.outline.set_linewidth(0.5)
    style.log_axis(bar.ax.yaxis)
    return figure


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    caption: str
    draw: callable


FIGURES = [
    Figure("loss-compute", "Loss against compute",
           "Test loss of every grid cell against the training compute spent, in three currencies. Faint: learning "
           "curves, whose learning-rate schedules have not ended before their last point. Solid: lower envelope of the "
           "finished runs. Dashed: the least loss at each budget under the fitted law, with its 95 % interval; dotted "
           "where that takes a model size or a length of training beyond those that were run.", loss_compute),
    Figure("isoflop", "isoFLOP curves",
           "Test loss against model size at fixed nominal budgets. A size is interpolated between its own runs, never "
           "extrapolated. A star is the vertex of a parabola in log N within the sampled sizes; an open arrow says on "
           "which side the vertex lies outside them, and such a vertex enters no fit.", isoflop),
    Figure("isoflop-core-seconds", "Curves of equal time",
           "The same at fixed core-seconds of training instead of nominal FLOP: what the machine charges.",
           partial(isoflop, currency=CURRENCIES[2])),
    Figure("allocation", "Compute-optimal model size and training",
           "N* and D* against compute under the fitted law, with 95 % intervals and the exponents; dotted where "
           "compute, model size or training lie beyond the runs, without a band where that spans more than a factor of "
           "100. Open markers are the vertices of the isoFLOP curves; dash-dotted is the minimum of a Gaussian process "
           "through all learning curves, which assumes no law.",
           allocation),
    Figure("multiplier", "Compute for equal loss",
           "Compute that one arm needs for the loss that another reaches, as a ratio, along the losses that both "
           "reach; below 1 the first named is the better. Lower losses, so larger budgets, are to the right. Bands: "
           "95 % intervals from paired resamples; one that leaves the panel has no upper limit worth the name.", multiplier),
    Figure("residuals", "What the law leaves over",
           "Relative difference between the loss of each fitted run and the law. A trend along N or D says that the "
           "law is not of the right form there; the scatter is the noise. Outliers stand at the edge, with their "
           "value.",
           residuals),
    Figure("loss-data", "Loss against dataset size",
           "Test loss of one model size and one number of steps an arm, trained on prefixes of the training set. "
           "Dotted: the training loss, a mean over all steps since the point before on the learning curve, so that it "
           "is its course along the axis, not its height, that shows overfitting. Markers are means over seeds, bars "
           "their range.",
           loss_data),
    Figure("overview", "All final losses",
           "Test loss at the end of training of every grid cell; hatched where a run is missing, diverged or failed.",
           overview),
]
