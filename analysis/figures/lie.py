"""Lie derivative, against model size, training length and loss."""
from figures._measure import describe, draw, rows  # noqa: F401  (what a figure holds)

ORDER = 83
TITLE = "Lie derivative"
OF = "study"
CAPTION = """Mean square of the derivative under rotations about three axes, over the mean square of what the model
says, for each squared radian; one mark per cell of the grid. 0: equivariant."""


def gather(study):
    return rows(study, "lie")
