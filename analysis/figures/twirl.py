"""Loss due to imperfect symmetry, against model size, training length and loss."""
from figures import _measure

ORDER = 81
TITLE = "Loss due to imperfect symmetry"
CAPTION = """The share of the loss over rotated samples that averaging over rotations would take away, one mark a cell of
the grid. 0: equivariant."""


def gather(study):
    return _measure.rows(study, "twirl")


def draw(table, looks, canvas):
    return _measure.draw(table, looks, canvas, "twirl")


def describe(table, looks):
    return _measure.describe(table, looks, "twirl")
