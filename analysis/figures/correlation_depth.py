"""Correlation of moved with expected features against depth."""
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

import style
from figures import Absent
from measured import OUTPUT, finals
from style import DASHES
from table import Table

ORDER = 84.5
TITLE = "Correlation of moved with expected features, by depth"
OF = "study"
CAPTION = """Pearson correlation of the features of a rotated scene with what the rotation makes of the features of the
scene, from what the first map leaves (0) to the last block; per arm and size, of the runs trained longest, mean over
seeds. Full lines: by the law of the features, or, where none is known, by one matrix fitted for one rotation; dashed
lines: as if features stayed as they are."""
LAWS = {"so3 action": "moved", "so3 fitted": "moved", "so3 invariance": "unmoved"}


def gather(study):
    found = finals(study)
    if len(found):
        wanted = (found["measure"] == "correlation") & (found["layer"] != OUTPUT) & np.isfinite(found["value"])
        found = found.where(wanted & np.isin(found["element"].astype(str), list(LAWS)))
    if not len(found):
        raise Absent("correlation: not measured at layers; study.measures chooses what is")
    rows = []
    for (arm, n), mine in found.groups("arm", "N"):
        longest = mine.where(D=mine["D"].max())
        for (element, layer), seeds in longest.groups("element", "layer"):
            rows.append({"arm": arm, "N": n, "features": LAWS[element], "layer": layer, "value": seeds["value"].mean(),
                         "seeds": len(seeds)})
    return Table.of(rows)


def draw(table, looks, canvas):
    arms = table.distinct("arm")
    figure, axes = style.panels(canvas, len(arms), 2.0, columns=3)
    sizes = sorted(table.distinct("N"))
    for ax, arm in zip(axes, arms):
        for (n, features), mine in table.where(arm=arm).groups("N", "features"):
            mine = mine.sorted("layer")
            ax.plot(mine["layer"], mine["value"], color=looks.colour(arm), marker=looks.marker(arm), ms=2.4, lw=0.9,
                    ls=DASHES[features != "moved"], alpha=0.35 + 0.65 * sizes.index(n) / max(1, len(sizes) - 1))
        ax.set(xlabel="layer")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.title_arm(ax, looks, arm)
    for ax in style.first_of_rows(axes):
        ax.set_ylabel("correlation")
    style.legend_below(figure, [Line2D([], [], color=style.INK, ls=DASHES[0], label="features moved"),
                                Line2D([], [], color=style.INK, ls=DASHES[1], label="features as they are"),
                                Line2D([], [], color=style.INK, alpha=0.35, label="smallest model"),
                                Line2D([], [], color=style.INK, label="largest model")])
    return figure


def describe(table, looks):
    parts = []
    for (arm, n), mine in table.where(features="moved").groups("arm", "N"):
        mine = mine.sorted("layer")
        parts.append(f"{style.words(arm)} of {style.count(n)} parameters: {style.spoken(mine['value'][0])} at first, "
                     f"{style.spoken(mine['value'][-1])} after the last block.")
    return " ".join(parts)
