"""What fixed inputs change, against model size, training length and loss."""
from figures._measure import describe, draw, rows  # noqa: F401  (what a figure holds)

ORDER = 86
TITLE = "Fixed inputs"
OF = "study"
CAPTION = """Mean change of a number of the displacement where the fixed inputs of a model are switched off, in units of the
rms displacement; one mark per cell of the grid. 0: as equivariant as the model without them."""


def gather(study):
    return rows(study, "gates")
