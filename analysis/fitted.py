"""What the fit says, as rows that figures draw: the frontier of each arm, and the exponents in words."""
import numpy as np

from data import interval, number

WIDEST = {"N": 100, "D": 100, "loss": 2}  # bands over a larger factor say nothing and hide the rest


def doubt(law):
    """The status of a law where it is not a plain success, in brackets."""
    status = law["status"].split(":")[0]
    return "" if status == "converged" else f" (law {status})"


def frontier(study, arm, currency, quantity):
    """Rows C, value, low, high, inside of a quantity (N, D or loss) along the compute-optimal line; inside is 1 where
    compute and optimum lie within the runs."""
    fitted = study.fitted(arm, currency) or {}
    grid = study.grid(arm)
    sampled = {"N": study.cells["parameters"][grid], "D": study.cells["samples"][grid]}
    rows = []
    for at in fitted.get("frontier", []):
        if at.get(quantity) is None:
            continue
        inside = at["C"] <= fitted["C_max"] * 1.001
        for key, run in sampled.items():
            if at.get(key) is not None:  # a law of compute alone has no N* and D*
                inside = inside and len(run) > 0 and min(run) <= number(at[key]) <= max(run)
        low, high = interval(at["interval"][quantity])
        if not high <= WIDEST[quantity] * low:
            low, high = np.nan, np.nan
        rows.append({"C": at["C"], "value": at[quantity], "low": low, "high": high, "inside": float(inside)})
    return rows if len(rows) > 1 else []


def draw_frontier(ax, rows, colour, dashes, width):
    """Dotted where the optimum lies beyond the runs, with one step of overlap so that no gap is left."""
    c, value, low, high = rows["C", "value", "low", "high"]
    inside = rows["inside"] > 0
    ax.plot(c, np.where(inside, value, np.nan), color=colour, lw=width, ls=dashes, zorder=4)
    near = np.convolve(~inside, [1, 1, 1], "same") > 0
    ax.plot(c, np.where(near, value, np.nan), color=colour, lw=width, ls=(0, (1, 1)), zorder=4)
    ax.fill_between(c, low, high, color=colour, alpha=0.15, lw=0, zorder=1)
