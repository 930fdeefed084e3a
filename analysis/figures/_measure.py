"""Measurements against model size, training length and loss: what the figures of measurements share."""
import numpy as np

import style
from figures import Absent
from matplotlib.lines import Line2D
from measured import HEADLINES, finals, headlines
from table import Table

AXES = {"N": "model size $N$ (parameters)", "D": "training samples $D$", "loss": None}


def rows(study, *measures):
    """A row for each finished cell of the grid and headline of the measurements."""
    found = headlines(finals(study))
    found = found.where(np.isin(found["measure"].astype(str), measures)) if len(found) else found
    if not len(found):
        raise Absent(f"{' and '.join(measures)}: not measured; study.measures chooses what is")
    kept = ("arm", "measure", "element", "N", "D", "seed", "loss", "value", "se", "samples")
    return Table({k: found[k] for k in kept})


def draw(table, looks, canvas):
    panels = [(key, axis) for key, _ in table.groups("measure", "element") for axis in AXES]
    figure, axes = style.panels(canvas, len(panels), 2.1, sharey=False, columns=len(AXES))
    for ax, ((measure, element), key) in zip(axes, panels):
        here = table.where(measure=measure, element=element)
        for (arm,), mine in here.groups("arm"):
            ax.plot(mine[key], mine["value"], looks.marker(arm), color=looks.colour(arm), ms=2.4, mew=0, alpha=0.8)
        ax.set(xscale="log", xlabel=AXES[key] or looks.loss, xlim=style.log_limits(table[key]))
        style.log_axis(ax.xaxis, style.plain if key == "loss" else style.count, 5)
        if (here["value"] > 0).all() and here["value"].max() > 3 * here["value"].min():
            ax.set(yscale="log", ylim=style.log_limits(here["value"], 0.1, 0.1))
            style.log_axis(ax.yaxis)
        if ax in style.first_of_rows(axes):
            ax.set_ylabel(HEADLINES[measure][element])
    style.legend_below(figure, [Line2D([], [], color=looks.colour(arm), marker=looks.marker(arm), lw=0,
                                       label=style.words(arm)) for arm in table.distinct("arm")])
    return figure


def describe(table, looks):
    parts = []
    for (measure, element, arm), mine in table.groups("measure", "element", "arm"):
        low, high = style.spoken(mine["value"].min()), style.spoken(mine["value"].max())
        parts.append(f"{HEADLINES[measure][element]}, {style.words(arm)}: {low} to {high} over {len(mine)} cells.")
    return " ".join(parts)
