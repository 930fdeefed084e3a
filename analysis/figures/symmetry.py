"""What was measured on the output of finished models, such as the error under rotations and mirror images."""
import numpy as np
from matplotlib.lines import Line2D

import style
from figures import Absent
from measured import finals, head, headlines, pooled
from style import GREY
from table import Table

ORDER = 80
TITLE = "Symmetry"
OF = "study"
CAPTION = """What was measured on the output of the finished models of the grid against model size, one panel per
measure and group element. Lines join the runs trained longest of each size, with the standard error; small marks are
shorter runs. equivariance is the mean of |f(gx) − g f(x)| / |f(x)| over random motions g: rotations (so3) and mirror
images (mirror)."""


def gather(study):
    found = finals(study)
    if not len(found):
        raise Absent("nothing was measured on finished models: study.measures chooses what is")
    rows = []
    for (measure, element, arm, n, d), cells in headlines(found).groups("measure", "element", "arm", "N", "D"):
        value, se, samples = pooled(cells)
        rows.append({"measure": measure, "element": element, "arm": arm, "N": n, "D": d, "value": value, "se": se,
                     "samples": samples, "seeds": len(cells)})
    if not rows:
        raise Absent("nothing was measured on the output of models")
    return Table.of(rows)


def _longest(mine):
    """The row trained longest of each size."""
    last = [{k: v[-1] for k, v in size.sorted("D").columns.items()} for _, size in mine.groups("N")]
    return Table.of(last).sorted("N")


def draw(table, looks, canvas):
    panels = table.groups("measure", "element")
    figure, axes = style.panels(canvas, len(panels), 2.4, sharey=False)
    for ax, ((measure, element), rows) in zip(axes, panels):
        logarithmic = (rows["value"] > 0).all()
        for (arm,), mine in rows.groups("arm"):
            best, colour = _longest(mine), looks.colour(arm)
            ax.plot(mine["N"], mine["value"], looks.marker(arm), color=colour, ms=1.8, mew=0, alpha=0.5, zorder=2)
            ax.plot(best["N"], best["value"], color=colour, marker=looks.marker(arm), lw=1.0, zorder=3)
            bars = best.where(np.isfinite(best["se"]))
            low, high = bars["value"] - bars["se"], bars["value"] + bars["se"]
            ax.vlines(bars["N"], np.fmax(low, bars["value"] / 2) if logarithmic else low, high, color=colour, lw=0.8,
                      zorder=2)
        ax.set(xscale="log", xlabel="model size $N$ (parameters)")
        ax.set_title(head(measure, element, style.words))
        ax.set_xlim(style.log_limits(table["N"]))
        style.log_axis(ax.xaxis, style.count, 5)
        if logarithmic:
            ax.set(yscale="log", ylim=style.log_limits(rows["value"], 0.1, 0.1))
            style.log_axis(ax.yaxis)
        else:
            ax.axhline(0, color=GREY, lw=0.6, zorder=0)
        ax.set_ylabel(style.words(measure))
    style.legend_below(figure, [Line2D([], [], color=looks.colour(arm), marker=looks.marker(arm),
                                       label=style.words(arm)) for arm in table.distinct("arm")])
    return figure


def describe(table, looks):
    parts = []
    for (measure, element), rows in table.groups("measure", "element"):
        arms = []
        for (arm,), mine in rows.groups("arm"):
            best = _longest(mine)
            size = f"{style.spoken(best['value'][-1])} at {style.count(best['N'][-1])} parameters"
            first = f"{style.spoken(best['value'][0])} at {style.count(best['N'][0])} and " if len(best) > 1 else ""
            arms.append(f"{style.words(arm)} {first}{size}")
        parts.append(f"{style.words(measure)}, {style.words(element)}: {'; '.join(arms)}.")
    return " ".join(parts)
