"""Effective invariance, against model size, training length and loss."""
from figures import _measure

ORDER = 85
TITLE = "Effective invariance"
CAPTION = """exp(-|g⁻¹f(gx) − f(x)|² / 2s²) over rotations g, s² the model's own mean squared error; one mark a cell of the
grid. 1: its answer does not change by more than it is wrong."""


def gather(study):
    return _measure.rows(study, "invariance")


def draw(table, looks, canvas):
    return _measure.draw(table, looks, canvas, "invariance")


def describe(table, looks):
    return _measure.describe(table, looks, "invariance")
