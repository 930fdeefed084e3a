"""How every figure looks: widths of a page and of a phone, one colour and marker per arm, readable logarithmic axes.

Colours stay apart under every kind of colour blindness, have a contrast of 3 or more against the paper (text: 4.5), and
each has a twin for dark paper: `themed` makes an SVG that follows the reader's choice.  An arm is known by its marker
too.  Text in SVG files is drawn as outlines, so that it looks the same everywhere; on the page it is text, which is
smaller.
"""
import io
import math
import re
import re
from dataclasses import dataclass

import matplotlib
import numpy as np

from svg import small

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)
from matplotlib.colors import LinearSegmentedColormap, to_hex  # noqa: E402
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter  # noqa: E402


@dataclass(frozen=True)
class Canvas:
    """What a figure is drawn for."""
    width: float  # inches
    most: int  # panels in a row

    def columns(self, number):
        """Panels in a row, of so many: four make a square."""
        return min(number, self.most if number != 4 else min(2, self.most))


WIDE = Canvas(7.0, 3)  # a page, both columns of a paper
NARROW = Canvas(3.1, 1)  # a phone, one column of a paper

#          on white   on dark paper
PAPER = {"#ffffff": "#15181c"}
INKS = {"#1a1a1a": "#e8e8e8", "#5c5c5c": "#a8adb3"}
ARMS = {"#0063a6": "#6bb5f0", "#c24a00": "#ff8a4c", "#007d5c": "#3ccb9f", "#a8488a": "#e79ad0", "#b08a00": "#e8c547",
        "#4097cc": "#9fd8f5", "#222222": "#d8d8d8"}
INK, GREY = INKS
COLOURS = list(ARMS)
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<"]  # one more, so that the pairs repeat late
DASHES = ["-", (0, (3, 1.6)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2))]
BEYOND = (0, (1, 1))  # line style of extrapolation
NO_DATA = "#888888"  # hatches where nothing was run, on either paper
ON_DARK, ON_LIGHT = "#fefefe", "#000000"  # text on a coloured field, the same on either paper

LEVELS = 48  # colours of a map: few enough that a colour bar is drawn, not painted


def _part(name, first, last):
    ends = plt.get_cmap("plasma")(np.linspace(first, last, LEVELS))
    return LinearSegmentedColormap.from_list(name, ends, N=LEVELS)


# More compute is darker on white, brighter on dark paper, and never fades into either.
BUDGETS, BUDGETS_DARK = _part("budgets", 0.66, 0.0), _part("budgets_dark", 0.42, 0.98)
HEAT = LinearSegmentedColormap.from_list("heat", plt.get_cmap("cividis")(np.linspace(0.15, 1, LEVELS)), N=LEVELS)

THEME = {**PAPER, **INKS, **ARMS, **{to_hex(BUDGETS(i)): to_hex(BUDGETS_DARK(i)) for i in range(LEVELS)}}

plt.rcParams.update({
    "font.size": 7.5, "axes.labelsize": 7.5, "axes.titlesize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "legend.fontsize": 7, "legend.frameon": False, "legend.handlelength": 1.8, "legend.columnspacing": 1.4,
    "font.family": "DejaVu Sans", "mathtext.fontset": "dejavusans",
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.linewidth": 0.6, "lines.linewidth": 1.2, "lines.markersize": 3.5, "hatch.linewidth": 0.5,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.minor.width": 0.4, "ytick.minor.width": 0.4,
    "xtick.major.size": 3, "ytick.major.size": 3, "xtick.minor.size": 1.6, "ytick.minor.size": 1.6,
    "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
    "savefig.dpi": 300, "svg.fonttype": "path", "svg.hashsalt": "equiscale",
})


class Looks:
    """Colour and marker of each arm, in the order of their names, and the words on axes."""

    def __init__(self, study):
        self.arms = study.arms
        self.currencies = study.currencies
        self.loss = study.loss  # label of an axis
        self.value = study.value
        self.amount = study.amount  # what D counts

    def colour(self, arm):
        return COLOURS[self.arms.index(arm) % len(COLOURS)]

    def marker(self, arm):
        return MARKERS[self.arms.index(arm) % len(MARKERS)]

    def currency(self, name):
        """In words: nominal compute."""
        return next(k.title for k in self.currencies if k.name == name)

    def compute(self, name):
        """Label of an axis in a currency."""
        return next(f"{k.title} $C$ ({k.unit})" for k in self.currencies if k.name == name)


def words(name):
    """The name of an arm or status as a reader wants it: words with blanks; b_2 or top_K are names, and stay."""
    return name.replace("_", " ") if re.fullmatch("[a-z]{2,}(_[a-z]{2,})+", name) else name


def plain(value):
    """0.02, 350, 10^7, 2 x 10^7."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = f"{value / 10 ** power:.3g}"
    return f"$10^{{{power}}}$" if mantissa == "1" else f"${mantissa}{{\\times}}10^{{{power}}}$"


def spoken(value):
    """Three digits as text that can be read aloud: 0.043, 26100, 7.5e11."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{float(f'{value:.3g}'):.12g}"
    mantissa, power = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(power)}"


def count(value):
    """350, 20k, 1.5M: for parameters, samples, trajectories."""
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
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


def panels(canvas, number, height, sharey=True, columns=None):
    """A figure of so many panels of that height in inches, and its axes.  columns: at most so many in a row."""
    columns = min(columns or number, canvas.columns(number))
    rows = math.ceil(number / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(canvas.width, height * rows), sharey=sharey, squeeze=False)
    for ax in axes.flat[number:]:
        ax.set_visible(False)
    return figure, list(axes.flat[:number])


def first_of_rows(axes):
    """The panels at the left edge."""
    return [ax for ax in axes if ax.get_subplotspec().is_first_col()]


def panel_letters(axes):
    for i, ax in enumerate(axes):
        ax.set_title(chr(ord("a") + i), loc="left", fontweight="bold")


def title_arm(ax, looks, arm):
    """The arm's name above a panel, between marks of its colour."""
    ax.set_title(words(arm))
    ax.plot([0, 1], [1, 1], transform=ax.transAxes, color=looks.colour(arm), lw=1.6, clip_on=False, zorder=9)


def colour_bar(figure, mappable, axes, label):
    """A logarithmic colour bar beside the panels, or below them on a phone."""
    rows = len({ax.get_subplotspec().rowspan.start for ax in axes})
    if figure.get_figwidth() > NARROW.width:
        bar = figure.colorbar(mappable, ax=axes, pad=0.015, fraction=0.05, aspect=28 * rows)
        log_axis(bar.ax.yaxis)
    else:
        bar = figure.colorbar(mappable, ax=axes, location="bottom", pad=0.04 / rows, fraction=0.1 / rows, aspect=28)
        log_axis(bar.ax.xaxis)
    bar.set_label(label)
    bar.outline.set_linewidth(0.5)


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


def save(figure, *files):
    """Writes the figure into files, NAME.png or NAME.svg; returns it as the SVG of a page."""
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")  # laid out once, for all files
    for file in files:
        png = file.suffix == ".png"
        figure.savefig(file, format="png" if png else "svg", metadata={"Software": None} if png else {"Date": None})
    page = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none"}):
        figure.savefig(page, format="svg")
    plt.close(figure)
    return themed(small(page.getvalue()))


def themed(svg):
    """The text of an SVG of ours with each colour a variable that has another value on dark paper."""
    names = {light: f"--c{light[1:]}" for light in THEME if light in svg}
    svg = re.sub("#[0-9a-f]{6}", lambda m: f"var({names[m[0]]})" if m[0] in names else m[0], svg)
    light, dark = ("".join(f"{name}:{value[colour]};" for colour, name in names.items())
                   for value in ({k: k for k in THEME}, THEME))
    rule = f"<style>:root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    start = svg.index(">", svg.index("<svg")) + 1
    return svg[:start] + rule + svg[start:]
