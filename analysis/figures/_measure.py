"""One measurement against model size, training length and loss: what the figures of measurements share."""
import style
from figures import Absent
from matplotlib.lines import Line2D
from measured import HEADLINES, finals, headlines
from table import Table

AXES = {"N": "model size $N$ (parameters)", "D": "training samples $D$", "loss": None}


def rows(study, measure):
    """A row for each finished cell of the grid and headline of the measurement."""
    found = headlines(finals(study))
    found = found.where(measure=measure) if len(found) else found
    if not len(found):
        raise Absent(f"{measure} was not measured: study.measures chooses what is")
    return Table({k: found[k] for k in ("arm", "element", "N", "D", "seed", "loss", "value", "se", "samples")})


def draw(table, looks, canvas, measure):
    elements = table.distinct("element")
    figure, axes = style.panels(canvas, len(AXES) * len(elements), 2.4, sharey=False)
    panels = [(element, key) for element in elements for key in AXES]
    for ax, (element, key) in zip(axes, panels):
        here = table.where(element=element)
        for (arm,), mine in here.groups("arm"):
            ax.plot(mine[key], mine["value"], looks.marker(arm), color=looks.colour(arm), ms=2.4, mew=0, alpha=0.8)
        ax.set(xscale="log", xlabel=AXES[key] or looks.loss, xlim=style.log_limits(table[key]))
        style.log_axis(ax.xaxis, style.plain if key == "loss" else style.count, 5)
        if (here["value"] > 0).all() and here["value"].max() > 3 * here["value"].min():
            ax.set(yscale="log", ylim=style.log_limits(here["value"], 0.1, 0.1))
            style.log_axis(ax.yaxis)
        ax.set_ylabel(HEADLINES[measure][element])
    style.legend_below(figure, [Line2D([], [], color=looks.colour(arm), marker=looks.marker(arm), lw=0,
                                       label=style.words(arm)) for arm in table.distinct("arm")])
    return figure


def describe(table, looks, measure):
    parts = []
    for (element, arm), mine in table.groups("element", "arm"):
        low, high = style.spoken(mine["value"].min()), style.spoken(mine["value"].max())
        parts.append(f"{HEADLINES[measure][element]}, {style.words(arm)}: {low} to {high} over {len(mine)} cells.")
    return " ".join(parts)
