"""Correlation of moved with expected outputs, against model size, training length and loss."""
from figures._measure import describe, draw, rows  # noqa: F401  (what a figure holds)

ORDER = 84
TITLE = "Correlation of moved with expected outputs"
OF = "study"
CAPTION = """Pearson correlation of what a model says of a rotated scene with what it said of the scene, rotated; and
of the features that its last block leaves, by their law or, where none is known, by one matrix fitted for one
rotation. One mark per cell of the grid. 1: equivariant."""


def gather(study):
    return rows(study, "correlation")
