"""Loss against the size of the training set."""
import numpy as np
from matplotlib.lines import Line2D

import style
from figures import Absent
from style import DASHES, GREY
from table import Table

ORDER = 70
TITLE = "Loss against dataset size"
OF = "study"
CAPTION = """Test loss of one model size per arm, trained for as many steps on prefixes of the training set, against
the size of the prefix and against how often it is seen. Dotted: the training loss, a mean over all steps since the
point before on the learning curve, so that it is its course along the axis, not its height, that shows overfitting.
Markers are means over seeds, bars their range."""


def _lines(study):
    """(arm, N, steps) -> rows: cells of role data, and the grid's cell of the same arm, size and steps."""
    c = study.cells

    def run(row):
        return c["arm"][row], int(c["parameters"][row]), int(c["steps"][row])

    lines = {}
    for row in study.rows(role="data"):
        lines.setdefault(run(row), []).append(row)
    for row in study.rows(role="grid"):
        if run(row) in lines:
            lines[run(row)].append(row)
    return {key: np.array(rows) for key, rows in sorted(lines.items()) if len(np.unique(c["dataset"][rows])) > 1}


def _over_seeds(x, y):
    """For each x the geometric mean, least and largest of y; what is not a loss is left out."""
    keep = np.isfinite(y) & (y > 0)
    x, y = x[keep], y[keep]
    return [{"dataset": v, "loss": np.exp(np.log(y[x == v]).mean()), "low": y[x == v].min(), "high": y[x == v].max(),
             "seeds": int((x == v).sum())} for v in np.unique(x)]


def _epochs(study, cells, dataset):
    """How often the training set was seen; NaN in files from before it was recorded."""
    if "epochs" not in study.cells.columns:
        return np.nan
    return study.cells["epochs"][cells][study.cells["dataset"][cells] == dataset][0]


def gather(study):
    lines = _lines(study) if study.trained else {}
    if not lines:
        raise Absent("no arm has finished cells (role data) on two dataset sizes")
    rows = []
    for (arm, n, steps), cells in lines.items():
        ends = [study.curve(cell)[-1:] for cell in cells]
        train = np.array([study.curves["train_loss"][end[0]] if len(end) else np.nan for end in ends])
        for kind, loss in (("test", study.cells["loss"][cells]), ("train", train)):
            rows += [{"arm": arm, "N": n, "steps": steps, "kind": kind, **row,
                      "epochs": _epochs(study, cells, row["dataset"])}
                     for row in _over_seeds(study.cells["dataset"][cells], loss)]
    return Table.of(rows)


AXES = {"dataset": "training set (trajectories)", "epochs": "epochs (times each sample is seen)"}


def draw(table, looks, canvas):
    axes = [name for name in AXES if np.isfinite(table[name]).all()]
    figure, panels = style.panels(canvas, len(axes), 2.8)
    handles = []
    for ax, x in zip(panels, axes):
        handles = _panel(ax, x, table, looks)
    panels[0].set_ylabel(looks.loss.removeprefix("test "))
    style.panel_letters(panels)
    handles.append(Line2D([], [], color=GREY, marker="o", label="test loss"))
    if (table["kind"] == "train").any():
        handles.append(Line2D([], [], color=GREY, marker="o", mfc="white", ls=":", lw=0.8, mew=0.7, ms=2.8,
                              label="training loss, mean since the point before"))
    style.legend_below(figure, handles)
    return figure


def _panel(ax, x, table, looks):
    """Loss against column x; the lines, with their labels."""
    seen, handles = {}, []
    for (arm, n, steps), mine in table.groups("arm", "N", "steps"):
        colour, marker = looks.colour(arm), looks.marker(arm)
        test, train = mine.where(kind="test"), mine.where(kind="train")
        dashes = DASHES[seen.setdefault(arm, 0) % len(DASHES)]
        seen[arm] += 1
        label = f"{style.words(arm)}, $N$ = {style.count(n)}, {steps:,.0f} steps"
        handles += ax.plot(test[x], test["loss"], color=colour, marker=marker, ls=dashes, zorder=3, label=label)
        ax.vlines(test[x], test["low"], test["high"], color=colour, lw=0.8, zorder=2)
        ax.plot(train[x], train["loss"], color=colour, marker=marker, mfc="white", ls=":", lw=0.8, mew=0.7, ms=2.8,
                zorder=2)
    ax.set(xscale="log", yscale="log", xlabel=AXES[x])
    ax.set_xlim(style.log_limits(table[x], 0.08, 0.08))
    ax.set_ylim(style.log_limits([*table["low"], *table["high"]]))
    style.log_axis(ax.xaxis, style.count if x == "dataset" else style.spoken, 7)
    style.log_axis(ax.yaxis, most=8)
    return handles


def describe(table, looks):
    parts = []
    for (arm, n, steps), mine in table.where(kind="test").groups("arm", "N", "steps"):
        parts.append(f"{style.words(arm)} of {style.spoken(n)} parameters after {steps:,.0f} steps: test loss "
                     f"{style.spoken(mine['loss'][0])} with {mine['dataset'][0]:,.0f} trajectories, "
                     f"{style.spoken(mine['loss'][-1])} with {mine['dataset'][-1]:,.0f}.")
    return " ".join(parts)
