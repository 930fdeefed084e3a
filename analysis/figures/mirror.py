"""Mirror images, against model size, training length and loss."""
from figures._measure import describe, draw, rows  # noqa: F401  (what a figure holds)

ORDER = 82
TITLE = "Mirror images"
OF = "study"
CAPTION = """The share of the loss over samples and their images in a plane along gravity that averaging over both
would take away, one mark per cell of the grid. 0: equivariant."""


def gather(study):
    return rows(study, "mirror")
