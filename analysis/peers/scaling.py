#!/usr/bin/env python3
"""Strong and weak scaling of a training step, one panel for each model.

    jobs/local.sh 2 build/opt/equiscale bench scaling -json scaling.json
    analysis/peers/scaling.py scaling.json [scaling]        writes scaling.png and scaling.svg

Efficiency is the time of a step on one rank over that on p, by p where one batch is shared out; 1 is ideal.
"""
import sys
from pathlib import Path

from chart import absent, main

sys.path.insert(0, str(Path(__file__).parent.parent))
try:
    from style import COLOURS, GREY, MARKERS, WIDE, plt
except ModuleNotFoundError as missing:
    absent(missing)


def grouped(rows, key):
    """Rows by what key gives, in the order of the file."""
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def draw(rows):
    models = grouped(rows, lambda r: f"{r['model']}, {r['sizes']}")
    fig, axes = plt.subplots(1, len(models), figsize=(WIDE.width, 2.8), sharey=True, squeeze=False)
    ways = list(grouped(rows, lambda r: r["way"]))
    for ax, (name, of_model) in zip(axes[0], models.items()):
        for way, group in grouped(of_model, lambda r: r["way"]).items():
            i = ways.index(way)
            ax.plot([r["ranks"] for r in group], [r["efficiency"] for r in group], label=way, color=COLOURS[i],
                    marker=MARKERS[i])
        ranks = sorted({r["ranks"] for r in of_model})
        ax.axhline(1, color=GREY, linewidth=0.8, linestyle="--")
        ax.set(xscale="log", xlabel="ranks", title=name, ylim=(0, 1.15), xticks=ranks)
        ax.set_xticks(ranks, [str(r) for r in ranks])
        ax.minorticks_off()
    axes[0][0].set_ylabel("efficiency")
    axes[0][-1].legend(loc="lower left")
    return fig


if __name__ == "__main__":
    main(sys.argv[1:], __doc__, draw, "scaling", "bench scaling")
