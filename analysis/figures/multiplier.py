"""Compute that an arm needs for the loss of another."""
import numpy as np
from matplotlib.lines import Line2D

import style
from data import interval
from figures import Absent
from fitted import doubt
from style import DASHES, GREY
from table import Table

ORDER = 50
TITLE = "Compute for equal loss"
CAPTION = """Compute that one arm needs for the loss that another reaches by the fitted laws, as a ratio, along the
losses that both reach; below 1 the first named is the better. Lower losses, so larger budgets, are to the right. Bands: 95 % intervals
from paired resamples; one that leaves the panel has no upper limit worth the name. With a star: of the two laws one at
least cannot be relied on (see Laws), and what it gets wrong is not in the band."""
ROOF = 100  # a band is drawn up to so many times the largest ratio


def gather(study):
    rows = []
    for pair in study.fit_header.get("comparisons", []):
        for currency in study.currencies:
            for at in pair["currencies"].get(currency.name, {}).get("at", []):
                if at["multiplier"]:
                    low, high = interval(at["interval"])
                    rows.append({"currency": currency.name, "first": pair["first"], "second": pair["second"],
                                 "loss": at["loss"], "multiplier": at["multiplier"], "low": low, "high": high,
                                 "doubted": float(any(doubt(study.fit[pair[k]]) for k in ("first", "second")))})
    if not rows:
        raise Absent("no two arms of the fit reach a common loss" if study.fit else study.no_fit)
    return Table.of(rows)


def draw(table, looks, canvas):
    """Colour: the arm; marker: what it is compared with."""
    currencies = table.distinct("currency")
    figure, axes = style.panels(canvas, len(currencies), 2.4)
    values, keys = [1.0], {}
    for ax, currency in zip(axes, currencies):
        mine = table.where(currency=currency)
        for (first, second), pair in mine.groups("first", "second"):
            ratio, low = pair["multiplier", "low"]
            roof = ROOF * max(ratio)
            high = np.minimum(np.where(np.isfinite(pair["high"]), pair["high"], roof), roof)
            look = dict(color=looks.colour(second), marker=looks.marker(first), mfc="white", mew=0.8, ms=3.4,
                        ls=DASHES[looks.arms.index(first) % 3])
            ax.plot(pair["loss"], ratio, zorder=3, **look)
            ax.fill_between(pair["loss"], low, high, color=looks.colour(second), alpha=0.15, lw=0)
            star = " *" if pair["doubted"][0] else ""
            keys[first, second] = Line2D([], [], label=f"{style.words(second)} / {style.words(first)}{star}", **look)
            values += [*ratio, *low[np.isfinite(low)], *np.minimum(high, 5 * ratio)]
        ax.axhline(1, color=GREY, lw=0.6, zorder=0)
        ax.set(xscale="log", yscale="log", xlabel="loss $L$ of both", title=looks.compute(currency).replace("$C$ ", ""))
        ax.set_xlim(style.log_limits(mine["loss"])[::-1])
        style.log_axis(ax.xaxis)
    axes[0].set_ylim(style.log_limits(values))
    style.log_axis(axes[0].yaxis, most=8)
    for ax in style.first_of_rows(axes):
        ax.set_ylabel("compute for equal loss, ratio")
    style.legend_below(figure, list(keys.values()))
    return figure


def describe(table, looks):
    parts = []
    for (currency, first, second), pair in table.groups("currency", "first", "second"):
        pair = pair.sorted("loss")
        parts.append(f"In {looks.currency(currency)} {style.words(second)} needs "
                     f"{style.spoken(pair['multiplier'][-1])} times what {style.words(first)} needs at loss "
                     f"{style.spoken(pair['loss'][-1])} and {style.spoken(pair['multiplier'][0])} times at loss "
                     f"{style.spoken(pair['loss'][0])}.")
    return " ".join(parts)
