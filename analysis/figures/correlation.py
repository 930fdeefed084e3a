"""Correlation of moved with expected outputs, against model size, training length and loss."""
from figures import _measure

ORDER = 84
TITLE = "Correlation of moved with expected outputs"
CAPTION = """Pearson correlation of what a model says of a rotated scene with what it said of the scene, rotated; one mark a
cell of the grid. 1: equivariant."""


def gather(study):
    return _measure.rows(study, "correlation")


def draw(table, looks, canvas):
    return _measure.draw(table, looks, canvas, "correlation")


def describe(table, looks):
    return _measure.describe(table, looks, "correlation")
