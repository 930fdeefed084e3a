"""What training procedures tell of themselves: weights of losses, widths of motions, clusters."""
import numpy as np
from matplotlib.lines import Line2D

import style
from figures import Absent
from style import DASHES
from table import Table

ORDER = 88
TITLE = "What training procedures learned"
OF = "study"
CAPTION = """Numbers that procedures keep beside the model, along training, of the largest model of each arm and of
these the ones trained longest; one line per seed. Widths of motions carry the names of their generators: those that
stay wide are the symmetries that training found."""


LEGEND = 0.12  # height of a line of a legend, as a part of what is drawn below it


def longest(study, arm):
    """Finished grid cells of the arm's largest model, of these the ones trained longest."""
    c, rows = study.cells, study.grid(arm)
    rows = rows[c["parameters"][rows] == c["parameters"][rows].max()]
    return rows[c["samples"][rows] == c["samples"][rows].max()]


def names(study, cell):
    """Names of the numbers in the column `procedure` of the cell's curve."""
    text = str(study.cells["numbers"][cell]) if "numbers" in study.cells.columns else ""
    return [name for name in text.split(",") if name]


def gather(study):
    rows = []
    for arm in study.arms if study.trained else ():
        if not len(study.grid(arm)) or "procedure" not in study.curves.columns:
            continue
        for cell in longest(study, arm):
            for k, name in enumerate(names(study, cell)):
                if name.startswith("class_"):  # names, not amounts: the table of symmetries found has them
                    continue
                rows += [{"arm": arm, "seed": study.cells["seed"][cell], "number": name,
                          "step": study.curves["step"][p], "value": study.curves["procedure"][p][k]}
                         for p in study.curve(cell) if np.isfinite(study.curves["procedure"][p][k])]
    if not rows:
        raise Absent("no arm's training procedure keeps numbers of its own")
    return Table.of(rows)


def _kind(number):
    return number.split("_")[0]


def draw(table, looks, canvas):
    shown = {}
    for arm, number in zip(table["arm"], table["number"]):
        shown.setdefault((arm, _kind(number)), {})[number] = True
    figure, axes = style.panels(canvas, len(shown), 2.2, sharey=False, columns=3)
    for ax, ((arm, kind), numbers) in zip(axes, shown.items()):
        handles = []
        for dashes, number in zip(DASHES, numbers):
            mine = table.where(arm=arm, number=number)
            for _, one in mine.groups("seed"):
                ax.plot(one["step"], one["value"], color=looks.colour(arm), ls=dashes, lw=1)
            handles.append(Line2D([], [], color=looks.colour(arm), ls=dashes, lw=1, label=style.words(number)))
        ax.set(xlabel="step", ylabel=style.words(kind))
        low, high = min(0, ax.get_ylim()[0]), ax.get_ylim()[1]
        if len(handles) > 1:
            high += LEGEND * len(handles) * (high - low)
            ax.legend(handles=handles, loc="upper right", borderaxespad=0.2)
        ax.set_ylim(low, high)
        style.title_arm(ax, looks, arm)
    return figure


def describe(table, looks):
    parts = []
    for (arm, number), mine in table.groups("arm", "number"):
        last = mine["step"] == mine["step"].max()
        parts.append(f"{style.words(arm)}, {style.words(number)}: {style.spoken(mine['value'][0])} at first, "
                     f"{style.spoken(mine['value'][last].mean())} at the end.")
    return " ".join(parts)
