"""N* and D* against compute, and their exponents."""
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import style
from data import interval, number
from figures import Absent
from fitted import doubt, draw_frontier, frontier
from style import DASHES, GREY
from table import Table

ORDER = 40
TITLE = "Compute-optimal model size and training"
CAPTION = """N* and D* against compute under the fitted law, with 95 % intervals and the exponents; dotted where
compute, model size or training lie beyond the runs, without a band where that spans more than a factor of 100. Open
markers are the vertices of the isoFLOP curves; dash-dotted is the minimum of a Gaussian process through all learning
curves, which assumes no law."""
EXPONENT = {"N": "a", "D": "b"}
LABEL = {"N": "optimal $N^*$ (parameters)", "D": "optimal $D^*$ ({})"}
NO_LAW = DASHES[3]  # line style of the surrogate


def _of_arm(study, arm, currency, quantity):
    fitted = study.fitted(arm, currency)
    line = [{"kind": "law", **row} for row in frontier(study, arm, currency, quantity)]
    if line:
        key = EXPONENT[quantity]
        low, high = interval(fitted["interval"][key])
        line.append({"kind": "exponent", "value": fitted[key], "low": low, "high": high})
    free = [r for r in fitted.get("surrogate", []) if r["status"] == "within the data"]
    line += [{"kind": "surrogate", "C": r["C"], "value": r[quantity]} for r in free if len(free) > 1]
    for curve in fitted.get("isoflop", {}).get("curves", []):
        if curve.get("ok"):
            low, high = interval(curve["best_N_interval"] if quantity == "N" else None)
            line.append({"kind": "vertex", "C": curve["C"], "value": number(curve[f"best_{quantity}"]), "low": low,
                         "high": high})
    grid = study.grid(arm)
    sampled = study.cells["parameters" if quantity == "N" else "samples"][grid]
    line += [{"kind": "sampled", "value": v} for v in (min(sampled, default=None), max(sampled, default=None)) if v]
    return line


def gather(study):
    if not study.fit:
        raise Absent(study.no_fit)
    if not study.splits:
        raise Absent("a law of one axis splits no budget")
    rows = []
    for currency in study.currencies:
        for quantity in "ND":
            rows += [{"currency": currency.name, "quantity": quantity, "arm": arm, "status": doubt(study.fit[arm]),
                      **row}
                     for arm in study.arms if study.fitted(arm, currency)
                     for row in _of_arm(study, arm, currency, quantity)]
    table = Table.of(rows, ("C", "value", "low", "high", "inside"))
    drawn = {"law", "vertex", "surrogate"}
    shown = [currency for (currency,), t in table.groups("currency") if drawn & set(t["kind"])] if rows else []
    if not shown:
        raise Absent("no fit has an interior optimum: see the status of the laws")
    return table.where(np.isin(table["currency"], shown))


def _panel(ax, table, looks):
    entries = []
    quantity = table["quantity"][0]
    for (arm,), mine in table.groups("arm"):
        law, free, vertex, exponent = (mine.where(kind=k) for k in ("law", "surrogate", "vertex", "exponent"))
        colour, label = looks.colour(arm), "isoFLOP only"
        if len(law):
            draw_frontier(ax, law, colour, "-", 1.2)
            value, low, high = (exponent[k][0] for k in ("value", "low", "high"))
            label = f"${EXPONENT[quantity]}$ = {value:.2f}"
            if np.isfinite(low + high):
                label += f" [{low:.2f}, {high:.2f}]"
        ax.plot(free["C"], free["value"], color=colour, lw=0.8, ls=NO_LAW, zorder=3)
        ax.plot(vertex["C"], vertex["value"], looks.marker(arm), color=colour, mfc="white", mew=0.8, ms=3.4, zorder=4)
        bars = vertex.where(np.isfinite(vertex["low"] + vertex["high"]))
        ax.vlines(bars["C"], bars["low"], bars["high"], color=colour, lw=0.7, zorder=2)
        if len(law) or len(vertex):
            entries.append(Line2D([], [], color=colour, marker=looks.marker(arm), mfc="white", mew=0.8, ms=3.4,
                                  label=label))
    if entries:
        ax.legend(handles=entries, title=f"${quantity}^* \\propto C^{EXPONENT[quantity]}$", title_fontsize=7,
                  loc="lower right", borderaxespad=0.2, alignment="left", labelspacing=0.25, frameon=True,
                  framealpha=0.8, edgecolor="none").set_zorder(9)


def _limits(table, crowd):
    """All sizes that were run are shown; an optimum far beyond the runs is not worth the room. The exponents stand in the lower
    right half of a panel, below what is drawn there."""
    sampled = table.where(kind="sampled")["value"]
    drawn = table.where(np.isin(table["kind"], ["law", "vertex"]) & np.isfinite(table["value"]))
    if len(sampled):
        drawn = Table({**drawn.columns, "value": np.clip(drawn["value"], sampled.min() / 10, sampled.max() * 30)})
    low, high = np.log(style.log_limits(np.concatenate([drawn["value"], sampled]), 0.12, 0.08))
    right = [high]
    for _, mine in drawn.groups("currency"):
        c = np.log(mine["C"])
        right += list(np.log(mine["value"][c >= (c.min() + c.max()) / 2]))
    keys_share = ((crowd + 1) * 0.13 + 0.1) / (1.45 + 0.125 * max(0, crowd - 4))  # of the height of a panel
    below = (min(right) - keys_share * high) / (1 - keys_share)
    return np.exp([min(low, below), high])


def draw(table, looks, canvas):
    currencies, arms = table.distinct("currency"), table.distinct("arm")
    height = 2.1 + 0.125 * max(0, len(arms) - 4)
    columns = canvas.columns(len(currencies))
    figure, axes = style.panels(canvas, 2 * len(currencies), height, sharey=False, columns=columns)
    shown = [(quantity, currency) for quantity in "ND" for currency in currencies]
    for ax, (quantity, currency) in zip(axes, shown):
        ax.set(xscale="log", yscale="log", xlabel=looks.compute(currency))
        _panel(ax, table.where(quantity=quantity, currency=currency), looks)
        ax.set_ylim(_limits(table.where(quantity=quantity), len(arms)))
        if ax in style.first_of_rows(axes):
            ax.set_ylabel(LABEL[quantity].format(looks.amount))
        style.log_axis(ax.xaxis, most=5)
        style.log_axis(ax.yaxis, style.count, 7)
    style.panel_letters(axes)
    keys = [Line2D([], [], color=looks.colour(arm), lw=2.5, label=style.words(arm) + mine["status"][0])
            for (arm,), mine in table.groups("arm")]
    kinds = set(table["kind"])
    if "law" in kinds:
        keys += [Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval"),
                 Line2D([], [], color=GREY, ls=style.BEYOND, label="beyond the runs")]
    if "vertex" in kinds:
        keys.append(Line2D([], [], color=GREY, marker="o", mfc="white", mew=0.8, ls="", label="isoFLOP vertex"))
    if "surrogate" in kinds:
        keys.append(Line2D([], [], color=GREY, lw=0.8, ls=NO_LAW, label="no law assumed (Gaussian process)"))
    style.legend_below(figure, keys)
    return figure


def describe(table, looks):
    parts = []
    for (currency, quantity), rows in table.where(kind="exponent").groups("currency", "quantity"):
        arms = [f"{style.words(arm)} {r['value'][0]:.2f} [{r['low'][0]:.2f}, {r['high'][0]:.2f}]"
                for (arm,), r in rows.groups("arm")]
        parts.append(f"{quantity}* grows with {looks.currency(currency)} to the power of: {'; '.join(arms)}.")
    if not parts:
        parts.append("No law allocates a budget; only vertices of isoFLOP curves are shown.")
    return "Optimal model size and training against compute. " + " ".join(parts)
