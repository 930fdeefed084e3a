"""Lie derivative, against model size, training length and loss."""
from figures import _measure

ORDER = 83
TITLE = "Lie derivative"
CAPTION = """Mean square of the derivative under rotations about three axes, over the mean square of what the model says, for each
squared radian; one mark a cell of the grid. 0: equivariant."""


def gather(study):
    return _measure.rows(study, "lie")


def draw(table, looks, canvas):
    return _measure.draw(table, looks, canvas, "lie")


def describe(table, looks):
    return _measure.describe(table, looks, "lie")
