"""How far the law is from each run."""
import numpy as np
from matplotlib.lines import Line2D

import style
from figures import Absent
from fitted import doubt
from style import GREY
from table import Table

ORDER = 60
TITLE = "What the law leaves over"
CAPTION = """Relative difference between each fitted row and the law. A trend along an axis says that the law is not of
the right form there; the scatter is the noise. Outliers stand at the edge, with their value, the largest of those side by side."""
WIDTH = 0.12  # of a panel: a value in percent
AXES = {"N": "model size $N$ (parameters)", "D": "training $D$ ({})", "C": "compute $C$"}


def gather(study):
    rows = [{"arm": arm, "status": doubt(law), "N": p["N"], "D": p["D"], "loss": p["loss"], "fitted": p["fitted"],
             **({} if study.splits else {"C": p.get("nominal")}), "percent": 100 * (p["loss"] / p["fitted"] - 1)}
            for arm, law in sorted(study.fit.items()) for p in law.get("points", []) if p["fitted"]]
    if not rows:
        raise Absent("no law was fitted" if study.fit else study.no_fit)
    table = Table.of(rows)
    if not _axes(table):
        raise Absent("no one axis is known of all rows")
    return table


def _axes(table):
    """Those that all rows have a place on."""
    return {key: label for key, label in AXES.items()
            if key in table.columns and np.isfinite(table[key].astype(float)).all()}


def _told(x, percent, limits):
    """Of outliers, those with room for their value: the largest first."""
    place = np.log(x / limits[0]) / np.log(limits[1] / limits[0])
    kept = []
    for k in np.argsort(-np.abs(percent)):
        if all(abs(place[k] - place[other]) > WIDTH or percent[k] * percent[other] < 0 for other in kept):
            kept.append(k)
    return kept


def draw(table, looks, canvas):
    known = _axes(table)
    figure, axes = style.panels(canvas, len(known), 2.2)
    sizes = np.abs(table["percent"])
    span = min(np.nanmax(sizes), 4 * np.nanquantile(sizes, 0.75) + 1)  # outliers are put on the edge, with their value
    arms = table.groups("arm")
    for ax, key, label in zip(axes, known, known.values()):
        values, outliers = [], []
        for i, ((arm,), mine) in enumerate(arms):
            x = mine[key] * 1.03 ** (i - (len(arms) - 1) / 2)  # runs of all arms share their D
            y = np.clip(mine["percent"], -span, span)
            values += list(x)
            ax.plot(x, y, looks.marker(arm), color=looks.colour(arm), ms=3, mew=0, alpha=0.8,
                    rasterized=len(table) > 2000)
            outliers += [(x[k], mine["percent"][k]) for k in np.flatnonzero(np.abs(mine["percent"]) > span * 1.001)]
        limits = style.log_limits(values)
        at, percent = np.array(outliers).reshape(-1, 2).T
        for k in _told(at, percent, limits):
            ax.annotate(f"{percent[k]:+.0f} %", (at[k], np.sign(percent[k]) * span), xytext=(0, 3 * np.sign(percent[k])),
                        textcoords="offset points", ha="center", va="bottom" if percent[k] > 0 else "top", fontsize=6)
        edge = 1.25 * span + 0.1
        ax.set(xscale="log", xlabel=label.format(looks.amount), xlim=limits, ylim=(-edge, edge))
        ax.axhline(0, color=GREY, lw=0.6, zorder=0)
        style.log_axis(ax.xaxis, *([] if key == "C" else [style.count]))
    for ax in style.first_of_rows(axes):
        ax.set_ylabel(f"{looks.value} in excess of the law (%)")
    if len(axes) > 1:
        style.panel_letters(axes)
    style.legend_below(figure, [Line2D([], [], color=looks.colour(arm), marker=looks.marker(arm), ls="", mew=0,
                                       label=style.words(arm) + mine["status"][0]) for (arm,), mine in arms])
    return figure


def describe(table, looks):
    parts = [f"{style.words(arm)}: {len(mine)} runs, root mean square {np.sqrt(np.mean(mine['percent'] ** 2)):.2g} %, "
             f"largest {mine['percent'][np.argmax(np.abs(mine['percent']))]:+.2g} %"
             for (arm,), mine in table.groups("arm")]
    return f"Differences of the runs from the law. {'; '.join(parts)}."
