"""A law of one axis through its rows."""
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import style
from fitted import doubt, draw_frontier, frontier
from figures import Absent
from style import DASHES, GREY
from table import Table

ORDER = 8
OF = "line"
TITLE = "The law and its rows"
CAPTION = """Rows against the axis of the law, and, dashed, the fitted law; of a law of compute with its 95 % interval, and
dotted beyond the rows."""
AXES = {"parameters": ("N", "model size $N$ (parameters)"), "samples": ("D", "training $D$ ({})"),
        "compute": ("nominal", "nominal compute $C$ (FLOP)"), "optima": ("nominal", "nominal compute $C$ (FLOP)")}
POINTS = 41


def _law(study, arm, name, x):
    """Along the rows; of compute what the fit says, with intervals."""
    if name in ("compute", "optima"):
        for currency in study.currencies:
            if currency.name == "nominal":
                yield from ({"x": at["C"], **{k: at[k] for k in ("value", "low", "high", "inside")}}
                            for at in frontier(study, arm, currency, "loss"))
        return
    law = study.fit[arm]
    if law["A"] is None or law["alpha"] is None:
        return
    for at in np.geomspace(min(x), max(x), POINTS):
        yield {"x": at, "value": (law["E"] or 0) + law["A"] / at ** law["alpha"], "inside": 1.0}


def gather(study):
    name = study.fit_header["law"]
    rows = []
    for arm, law in sorted(study.fit.items()):
        points = [p for p in law.get("points", []) if p.get(AXES[name][0])]
        known = [{"kind": "row", "x": p[AXES[name][0]], "value": p["loss"]} for p in points]
        known += [{"kind": "law", **row} for row in (_law(study, arm, name, [p["x"] for p in known]) if known else ())]
        rows += [{"arm": arm, "status": doubt(law), "law": name, **row} for row in known]
    if not rows:
        raise Absent("no row has a place on the axis of the law")
    return Table.of(rows, ("low", "high", "inside"))


def draw(table, looks, canvas):
    figure, (ax,) = style.panels(canvas, 1, 2.6)
    arms = table.where(kind="row").groups("arm")
    for (arm,), mine in arms:
        ax.plot(mine["x"], mine["value"], looks.marker(arm), color=looks.colour(arm), ms=2.8, mew=0, alpha=0.8)
    for (arm,), mine in table.where(kind="law").groups("arm"):
        draw_frontier(ax, Table({**mine.columns, "C": mine["x"]}), looks.colour(arm), DASHES[1], 1.0)
    ax.set(xscale="log", yscale="log", xlabel=AXES[table["law"][0]][1].format(looks.amount), ylabel=looks.loss,
           xlim=style.log_limits(table["x"], 0.02, 0.04), ylim=style.log_limits(table["value"]))
    style.log_axis(ax.xaxis)
    style.log_axis(ax.yaxis, most=8)
    handles = [Line2D([], [], color=looks.colour(arm), marker=looks.marker(arm), ls="", mew=0) for (arm,), _ in arms]
    labels = [style.words(arm) + mine["status"][0] for (arm,), mine in arms]
    if (table["kind"] == "law").any():
        line = Line2D([], [], color=GREY, lw=1.0, ls=DASHES[1])
        banded = np.isfinite(table["low"]).any()
        handles.append((Patch(color=GREY, alpha=0.25, lw=0), line) if banded else line)
        labels.append("fitted law (95 %)" if banded else "fitted law")
    style.legend_below(figure, handles, labels)
    return figure


def describe(table, looks):
    parts = []
    for (arm,), mine in table.where(kind="row").groups("arm"):
        first, last = np.argmin(mine["x"]), np.argmax(mine["x"])
        parts.append(f"{style.words(arm)}: {len(mine)} rows, {looks.value} {style.spoken(mine['value'][first])} at "
                     f"{style.spoken(mine['x'][first])} and {style.spoken(mine['value'][last])} at "
                     f"{style.spoken(mine['x'][last])}")
    return f"The law and its rows. {'; '.join(parts)}."
