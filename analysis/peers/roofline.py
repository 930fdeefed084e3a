#!/usr/bin/env python3
"""The roofline of this machine and where the kernels stand under it.

    mpirun -n 1 build/opt/equiscale bench kernels -json kernels.json
    analysis/peers/roofline.py kernels.json [roofline]        writes roofline.png and roofline.svg

Intensity counts every operand read once and every result written once.  The sloping roofs are the bandwidths of memory
and of a second-level cache; the flat one is the 2048^3 product, which kernels of small products may exceed.  Kernels
without products (GELU, norms) have no FLOP that are counted and are left out.
"""
import sys
from pathlib import Path

from chart import absent, main

sys.path.insert(0, str(Path(__file__).parent.parent))
try:
    import numpy as np

    from style import COLOURS, GREY, MARKERS, WIDE, log_axis, plain, plt
except ModuleNotFoundError as missing:
    absent(missing)


def families(rows):
    """Rows by kernel, in the order of the file."""
    groups = {}
    for row in rows:
        if row["flop"] > 0:
            groups.setdefault(row["kernel"], []).append(row)
    return groups


def draw(rows):
    peak, memory, cache = (rows[0][key] for key in ("peak_gflops", "memory_gbytes", "cache_gbytes"))
    groups = families(rows)
    intensity = [r["flop"] / r["bytes"] for g in groups.values() for r in g]
    rates = [r["gflops"] for g in groups.values() for r in g]
    low, high = min(intensity) / 2, max(intensity) * 2
    fig, ax = plt.subplots(figsize=(0.8 * WIDE.width, 3.2))
    x = np.geomspace(low, high, 200)
    for bandwidth, line, name in (memory, "-", "memory"), (cache, "--", "cache"):
        ax.plot(x, np.minimum(peak, bandwidth * x), color=GREY, linestyle=line,
                label=f"{name} {bandwidth:.0f} GB/s, product {peak:.0f} GFLOP/s")
    for i, (name, group) in enumerate(groups.items()):
        ax.plot([r["flop"] / r["bytes"] for r in group], [r["gflops"] for r in group], linestyle="none",
                marker=MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)],
                markerfacecolor="none" if i >= len(COLOURS) else None, label=name)
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(min(rates) / 2, 1.5 * max(rates + [peak])),
           xlabel="arithmetic intensity (FLOP/byte)", ylabel=f"rate of one core, {rows[0]['precision']} (GFLOP/s)")
    log_axis(ax.xaxis, plain)
    log_axis(ax.yaxis, plain)
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


if __name__ == "__main__":
    main(sys.argv[1:], __doc__, draw, "roofline", "bench kernels")
