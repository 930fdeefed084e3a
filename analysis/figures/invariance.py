"""Effective invariance, against model size, training length and loss."""
from figures._measure import describe, draw, rows  # noqa: F401  (what a figure holds)

ORDER = 85
TITLE = "Effective invariance"
OF = "study"
CAPTION = """exp(-|g⁻¹f(gx) − f(x)|² / 2s²) over rotations g, s² the model's own mean squared error; one mark per cell
of the grid. 1: its answer does not change by more than it is wrong."""


def gather(study):
    return rows(study, "invariance")
