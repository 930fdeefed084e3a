"""Mirror images, against model size, training length and loss."""
from figures import _measure

ORDER = 82
TITLE = "Mirror images"
CAPTION = """The share of the loss over samples and their images in a plane along gravity that averaging over both would take
away, one mark a cell of the grid. 0: equivariant."""


def gather(study):
    return _measure.rows(study, "mirror")


def draw(table, looks, canvas):
    return _measure.draw(table, looks, canvas, "mirror")


def describe(table, looks):
    return _measure.describe(table, looks, "mirror")
