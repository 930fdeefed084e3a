"""How every figure looks: sizes of a two-column paper, one colour and one marker an arm, readable logarithmic axes.

Colours are Okabe and Ito's, which stay apart under every kind of colour blindness and in grey; an arm is known by its
marker too.  Text in SVG is drawn as outlines, so that it looks the same everywhere.
"""
import math

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter  # noqa: E402

COLUMN, PAGE = 3.4, 7.0  # width in inches of one column and of both

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<"]  # one more, so that the pairs repeat late
GREY = "#666666"

LOSS = "test loss $L$ (relative to “nothing moves”)"

plt.rcParams.update({
    "font.size": 7, "axes.labelsize": 7, "axes.titlesize": 7.5, "xtick.labelsize": 6.5, "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5, "legend.frameon": False, "legend.handlelength": 1.8, "legend.columnspacing": 1.4,
    "font.family": "DejaVu Sans", "mathtext.fontset": "dejavusans",
    "axes.linewidth": 0.6, "lines.linewidth": 1.2, "lines.markersize": 3.5, "hatch.linewidth": 0.5,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.minor.width": 0.4, "ytick.minor.width": 0.4,
    "xtick.major.size": 3, "ytick.major.size": 3, "xtick.minor.size": 1.6, "ytick.minor.size": 1.6,
    "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
    "savefig.dpi": 300, "svg.fonttype": "path", "svg.hashsalt": "equiscale",
})


class Looks:
    """Colour and marker of each arm, in the order of their names."""

    def __init__(self, arms):
        self.arms = list(arms)

    def colour(self, arm):
        return COLOURS[self.arms.index(arm) % len(COLOURS)]

    def marker(self, arm):
        return MARKERS[self.arms.index(arm) % len(MARKERS)]


def words(name):
    """The name of an arm or status as a reader wants it."""
    return name.replace("_", " ")


def plain(value):
    """0.02, 350, 10^7, 2 x 10^7."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = f"{value / 10 ** power:.3g}"
    return f"$10^{{{power}}}$" if mantissa == "1" else f"${mantissa}{{\\times}}10^{{{power}}}$"


def count(value):
    """350, 20k, 1.5M: for parameters, samples, trajectories."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit * (1 - 1e-9):
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"


def log_ticks(low, high, most):
    """Round numbers within [low, high]: as many as fit, at most `most`; few decades get 1 2 5, many only every k-th."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))

    def within(values):
        return [v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]

    def apart(ticks):
        return min(np.diff(np.log(ticks)), default=np.inf) > 0.055 * math.log(high / low)

    best = []
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        ticks = within(d * 10.0 ** p for p in range(first, last + 1) for d in digits)
        if len(best) < len(ticks) <= most and apart(ticks):
            best = ticks
    if len(best) < 3 and high / low < 10:
        best = within(v for v in MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if v > 0)
    step = 2
    while not best:
        best = within(10.0 ** p for p in range(first, last + 1) if p % step == 0)
        best = best if len(best) <= most else []
        step += 1
    return best


def log_axis(axis, text=plain, most=6):
    """Labels a logarithmic axis after its limits are final.  axis: axes.xaxis or axes.yaxis."""
    low, high = sorted(axis.get_view_interval())
    ticks = log_ticks(low, high, most)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    minor = [d * 10.0 ** p for p in range(first, last + 1) for d in range(1, 10)] if last - first <= 6 else \
        [10.0 ** p for p in range(first, last + 1)]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([text(t) for t in ticks]))
    axis.set_minor_locator(FixedLocator([m for m in minor if low <= m <= high and m not in ticks]))
    axis.set_minor_formatter(NullFormatter())


def log_limits(values, below=0.06, above=0.06):
    """Limits that leave these shares of the logarithmic range free beside the values."""
    low, high = math.log(min(values)), math.log(max(values))
    span = max(high - low, 0.1)
    return math.exp(low - below * span), math.exp(high + above * span)


def panels(number, width, height, sharey):
    """A figure of that many panels of this size in inches, at most three a row, and its axes."""
    columns = min(3, number)
    rows = math.ceil(number / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(min(PAGE, width * columns + 0.8), height * rows), sharey=sharey,
                                squeeze=False)
    for ax in axes.flat[number:]:
        ax.set_visible(False)
    return figure, list(axes.flat[:number])


def panel_letters(axes):
    for i, ax in enumerate(axes):
        ax.set_title(chr(ord("a") + i), loc="left", fontweight="bold")


def legend_below(figure, handles, labels=None):
    """One legend for all panels under the figure, which grows by it; in as few rows as the width allows."""
    labels = labels or [h.get_label() for h in handles]
    for rows in range(1, len(handles) + 1):
        legend = figure.legend(handles, labels, loc="lower center", ncol=math.ceil(len(handles) / rows), borderpad=0.1,
                               borderaxespad=0.2)
        box = legend.get_window_extent(figure.canvas.get_renderer())
        if box.width <= figure.bbox.width or rows == len(handles):
            break
        legend.remove()
    width, height = figure.get_size_inches()
    room = box.height / figure.dpi + 0.02
    figure.set_size_inches(width, height + room)
    figure.set_layout_engine("constrained", rect=(0, room / (height + room), 1, height / (height + room)))


def save(figure, folder, name):
    """Writes folder/name.png and .svg and returns their paths."""
    paths = []
    figure.canvas.draw()
    figure.set_layout_engine("none")  # laid out once, for both files
    for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
        paths.append(folder / (name + suffix))
        figure.savefig(paths[-1], metadata=metadata)
    plt.close(figure)
    return paths
