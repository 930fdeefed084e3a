"""Errors of equivariance and the loss that they cost, against model size, training length and loss."""
from figures._measure import describe, draw, rows  # noqa: F401  (what a figure holds)

ORDER = 81
TITLE = "Errors of equivariance and their cost"
OF = "study"
CAPTION = """Rotation and mirror error: the mean of |f(gx) − g f(x)| / |f(x)| over rotations and mirror images g.
Twirl share: the share of the loss over rotated samples that averaging over rotations would take away. One mark per
cell of the grid, against model size, training and loss. 0: equivariant."""


def gather(study):
    return rows(study, "equivariance", "twirl")
