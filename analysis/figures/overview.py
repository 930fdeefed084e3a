"""All final losses over model size and training."""
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm

import style
from figures import Absent
from style import HEAT
from table import Table

ORDER = 90
TITLE = "All final losses"
CAPTION = """Loss at the end of training of every run of the grid, a geometric mean over seeds; hatched where no run
has finished. Where sizes and lengths of training do not form a grid, each run is a point."""
MOST = (10, 6)  # sizes and lengths, up to which losses are written into the fields


def gather(study):
    c, rows = study.cells, []
    for arm in study.arms:
        every, done = study.rows(arm, "grid", finished=False), set(study.grid(arm))
        runs = {}
        for i in every:
            runs.setdefault((c["parameters"][i], c["samples"][i]), []).append(i)
        for (n, d), cells in sorted(runs.items()):
            losses = [c["loss"][i] for i in cells if i in done]
            loss = np.exp(np.mean(np.log(losses))) if losses else None
            rows.append({"arm": arm, "N": n, "D": d, "loss": loss, "finished": len(losses), "runs": len(cells)})
    if not any(row["finished"] for row in rows):
        raise Absent("no grid cell has finished")
    if any(np.isnan(row[key]) for row in rows for key in "ND"):
        raise Absent("some rows have no N or no D")
    return Table.of(rows)


def _grid(ax, mine, norm):
    sizes, lengths = np.unique(mine["N"]), np.unique(mine["D"])
    field = np.full((len(sizes), len(lengths)), np.nan)
    field[np.searchsorted(sizes, mine["N"]), np.searchsorted(lengths, mine["D"])] = mine["loss"]
    ax.pcolormesh(np.ma.masked_invalid(field), cmap=HEAT, norm=norm, edgecolors="white", lw=0.6)
    ax.patch.set(hatch="////", edgecolor=style.NO_DATA)
    if len(sizes) <= MOST[0] and len(lengths) <= MOST[1]:
        for (i, j), value in np.ndenumerate(field):
            if np.isfinite(value):
                dark = np.dot(HEAT(norm(value))[:3], (0.299, 0.587, 0.114)) < 0.5
                ax.text(j + 0.5, i + 0.5, f"{value:#.3g}", ha="center", va="center", fontsize=6.5,
                        color=style.ON_DARK if dark else style.ON_LIGHT)
    shown = np.arange(0, len(lengths), -(-len(lengths) // 6))
    ax.set_xticks(shown + 0.5, [style.count(d) for d in lengths[shown]])
    rows = np.arange(0, len(sizes), -(-len(sizes) // 12))
    ax.set_yticks(rows + 0.5, [style.count(n) for n in sizes[rows]])
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def _points(ax, mine, norm):
    done = np.isfinite(mine["loss"])
    ax.scatter(mine["D"][done], mine["N"][done], c=mine["loss"][done], cmap=HEAT, norm=norm, s=14, lw=0.4,
               edgecolors=style.GREY)
    ax.plot(mine["D"][~done], mine["N"][~done], "x", color=style.GREY, ms=3.5)
    ax.set(xscale="log", yscale="log", xlim=style.log_limits(mine["D"]), ylim=style.log_limits(mine["N"]))
    style.log_axis(ax.xaxis, style.count, 5)
    style.log_axis(ax.yaxis, style.count, 7)


def draw(table, looks, canvas):
    arms = table.groups("arm")
    finals = table["loss"][np.isfinite(table["loss"])]
    norm = LogNorm(finals.min(), finals.max() if finals.max() > finals.min() else 2 * finals.min())
    figure, axes = style.panels(canvas, len(arms), 2.3, sharey=False)
    for ax, ((arm,), mine) in zip(axes, arms):
        full = len(mine) > 0.5 * len(np.unique(mine["N"])) * len(np.unique(mine["D"]))
        (_grid if full else _points)(ax, mine, norm)
        ax.set_xlabel(f"training $D$ ({looks.amount})")
        style.title_arm(ax, looks, arm)
    for ax in style.first_of_rows(axes):
        ax.set_ylabel("model size $N$ (parameters)")
    style.colour_bar(figure, ScalarMappable(norm, HEAT), axes, looks.loss)
    return figure


def describe(table, looks):
    parts = []
    for (arm,), mine in table.groups("arm"):
        done = mine.where(np.isfinite(mine["loss"]))
        text = f"{style.words(arm)}: {mine['finished'].sum():.0f} of {mine['runs'].sum():.0f} runs finished"
        if len(done):
            best, worst = np.argmin(done["loss"]), np.argmax(done["loss"])
            text += (f", loss {style.spoken(done['loss'][best])} (N {style.count(done['N'][best])}, D "
                     f"{style.count(done['D'][best])}) to {style.spoken(done['loss'][worst])} (N "
                     f"{style.count(done['N'][worst])}, D {style.count(done['D'][worst])})")
        parts.append(text + ".")
    return "Final losses over model size and training. " + " ".join(parts)
