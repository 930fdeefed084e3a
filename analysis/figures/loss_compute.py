"""Loss of every run against what its training cost, in each currency."""
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import style
from figures import Absent
from fitted import doubt, draw_frontier, frontier
from style import DASHES, GREY
from table import Table

ORDER = 10
TITLE = "Loss against compute"
CURVES, POINTS = 100, 24  # learning curves, and points of one, that are drawn at most
BUDGET = 1.05  # runs whose compute is this near are of one budget
LAW_BELOW = 2  # times below the least loss of a run: room for a law that goes on; all beyond would squeeze the runs
CAPTION = f"""Loss of every run of the grid against the training compute spent, one panel per currency. Faint:
learning curves, whose learning-rate schedules have not ended before their last point; of {CURVES} runs at most,
spread evenly over arms and compute, with {POINTS} points at most, all but the last on the first samples of the test set
alone where train.curve_samples says so. Solid: lower envelope of the finished runs, of which those within
{100 * (BUDGET - 1):.0f} % in compute are of one budget. Dashed: the least loss at each budget under the fitted law, with
its 95 % interval; dotted where that takes a model size or a length of training beyond those that were run. In brackets in
the legend: what speaks against the law of an arm, whose dashed line then describes no more than the trend of its runs."""


def _envelope(c, loss):
    """Indices of the best run of each budget that no run of a lower budget beats, by compute."""
    best, below = [], []
    start = 0
    for i in np.argsort(c, kind="stable"):
        if c[i] > start * BUDGET:
            start = c[i]
            below = list(best)  # of the lower budgets
        if not best or loss[i] < loss[best[-1]]:
            best = [*below, i]
    return np.array(best, int)


def _evenly(rows, most):
    """At most so many of the rows, evenly spaced, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _curves(study):
    """Learning curves of runs of the grid, in the order of arms and of compute."""
    columns = {k.name: study.curves[k.column] for k in study.currencies} if len(study.curves) else {}
    spent = study.cells[study.currencies[0].column] if study.currencies else ()
    cells = [cell for arm in study.arms
             for cell in sorted(study.rows(arm, "grid", finished=False), key=lambda i: spent[i])]
    for cell in _evenly(cells, CURVES) if columns else ():
        rows = study.curve(cell)
        for i in _evenly(rows, POINTS) if len(rows) > 1 else ():
            yield {"arm": study.cells["arm"][cell], "kind": "curve", "cell": study.cells["id"][cell],
                   "loss": study.curves["loss"][i], **{name: column[i] for name, column in columns.items()}}


def _runs(study, arm):
    for row in study.grid(arm):
        yield {"arm": arm, "kind": "run", "cell": study.cells["id"][row], "loss": study.cells["loss"][row],
               **{k.name: study.cells[k.column][row] for k in study.currencies}}


def _best(study, arm, currency):
    """The envelope of the runs and the compute-optimal loss under the law, in one currency."""
    grid = study.grid(arm)
    grid = grid[study.cells[currency.column][grid] > 0]
    c, loss = study.cells[currency.column][grid], study.cells["loss"][grid]
    for i in _envelope(c, loss):
        yield {"arm": arm, "kind": "envelope", "cell": study.cells["id"][grid[i]], "loss": loss[i], currency.name: c[i]}
    for at in frontier(study, arm, currency, "loss"):
        if len(c) and at["C"] <= max(c) * 1.001:
            yield {"arm": arm, "kind": "law", "status": doubt(study.fit[arm]), "loss": at["value"],
                   currency.name: at["C"], "low": at["low"], "high": at["high"], "inside": at["inside"]}


def gather(study):
    if not any(len(study.grid(arm)) for arm in study.arms):
        raise Absent("no grid cell has finished")
    if study.value != "loss":
        raise Absent("the rows are optima, without a loss")
    if not study.currencies:
        raise Absent("no row says its compute")
    rows = [*_curves(study), *(row for arm in study.arms for row in _runs(study, arm))]
    rows += [row for currency in study.currencies for arm in study.arms for row in _best(study, arm, currency)]
    return Table.of(rows, [k.name for k in study.currencies])


def _panels(table, looks):
    """(name of a currency, the rows that have compute in it, as column C) of each in which there is a run."""
    for currency in looks.currencies:
        mine = table.where(table[currency.name] > 0)
        if len(mine) and (mine["kind"] == "run").any():
            yield currency.name, Table({**mine.columns, "C": mine[currency.name]})


def _panel(ax, table, looks, name, seen):
    for (arm, _), curve in table.where(kind="curve").groups("arm", "cell"):
        ax.plot(curve["C"], curve["loss"], color=looks.colour(arm), lw=0.5, alpha=0.4, zorder=1)
    for (arm,), runs in table.where(kind="run").groups("arm"):
        ax.plot(runs["C"], runs["loss"], looks.marker(arm), color=looks.colour(arm), ms=2.8, mew=0, alpha=0.8, zorder=2)
    for (arm,), best in table.where(kind="envelope").groups("arm"):
        ax.plot(best["C"], best["loss"], color=looks.colour(arm), lw=1.2, zorder=3)
    for (arm,), law in table.where(kind="law").groups("arm"):
        law = Table({**law.columns, "value": law["loss"]})
        draw_frontier(ax, law, looks.colour(arm), DASHES[1], 1.0)
        seen |= {"law"} | ({"beyond"} if (law["inside"] == 0).any() else set())
    costs = table.where(kind="run")["C"]
    ax.set(xscale="log", yscale="log", xlabel=looks.compute(name))
    ax.set_xlim(style.log_limits([costs.min() / 6, costs.max()], 0.02, 0.04))


def draw(table, looks, canvas):
    panels = list(_panels(table, looks))
    figure, axes = style.panels(canvas, len(panels), 2.6)
    seen = set()
    for ax, (name, rows) in zip(axes, panels):
        _panel(ax, rows, looks, name, seen)
    finals = table.where(kind="run")["loss"]
    spread = finals.max() / finals.min()  # learning curves are cut off where they would squeeze the final losses
    top = min(table["loss"].max(), finals.max() * max(1.25, spread ** 0.6))
    laws = table.where(kind="law")
    bottom = max(laws["loss"].min(initial=finals.min()), finals.min() / LAW_BELOW)
    axes[0].set_ylim(style.log_limits([bottom, top], 0.12, 0.02))
    for ax in style.first_of_rows(axes):
        ax.set_ylabel(looks.loss)
    for ax in axes:
        style.log_axis(ax.xaxis, most=5)
    style.log_axis(axes[0].yaxis, most=8)
    if len(axes) > 1:
        style.panel_letters(axes)
    handles = [Line2D([], [], color=looks.colour(a), marker=looks.marker(a), lw=1.2)
               for a in table.where(kind="run").distinct("arm")]
    status = {arm: mine["status"][0] for (arm,), mine in laws.groups("arm")}
    labels = [style.words(a) + status.get(a, "") for a in table.where(kind="run").distinct("arm")]
    if (table["kind"] == "curve").any():
        handles.append(Line2D([], [], color=GREY, lw=0.6, alpha=0.6))
        labels.append("learning curves")
    handles.append(Line2D([], [], color=GREY, lw=1.2))
    labels.append("lower envelope of final losses")
    if "law" in seen:
        handles.append((Patch(color=GREY, alpha=0.25, lw=0), Line2D([], [], color=GREY, lw=1.0, ls=DASHES[1])))
        labels.append("compute-optimal, fitted law (95 %)")
    if "beyond" in seen:
        handles.append(Line2D([], [], color=GREY, lw=1.0, ls=style.BEYOND))
        labels.append("the same, optimum beyond the runs")
    style.legend_below(figure, handles, labels)
    return figure


def _lowest(table):
    """Of the budgets that all arms reach, the share at which each arm has the least loss."""
    arms = table.groups("arm")
    low, high = max(rows["C"].min() for _, rows in arms), min(rows["C"].max() for _, rows in arms)
    if len(arms) < 2 or not low < high:
        return ""
    budgets = np.geomspace(low, high, 101)
    best = [rows["loss"][np.searchsorted(rows["C"], budgets * (1 + 1e-9)) - 1] for _, rows in arms]
    share = np.bincount(np.argmin(best, axis=0), minlength=len(arms)) / len(budgets)
    winner = int(np.argmax(share))
    return (f"; from {style.spoken(low)} to {style.spoken(high)}, which all arms reach, "
            f"{style.words(arms[winner][0][0])} has the least loss at {100 * share[winner]:.0f} % of the budgets")


def describe(table, looks):
    parts = []
    for currency, rows in _panels(table, looks):
        best = rows.where(kind="envelope")
        arms = [f"{style.words(arm)} falls from {style.spoken(rows['loss'][0])} at {style.spoken(rows['C'][0])} to "
                f"{style.spoken(rows['loss'][-1])} at {style.spoken(rows['C'][-1])}"
                for (arm,), rows in best.groups("arm")]
        parts.append(f"In {looks.currency(currency)} the lowest loss of {'; of '.join(arms)}{_lowest(best)}.")
    doubted = [style.words(arm) + law["status"][0] for (arm,), law in table.where(kind="law").groups("arm")
               if law["status"][0]]
    if doubted:
        parts.append(f"Laws that cannot be relied on: {', '.join(doubted)}.")
    return " ".join(parts)
