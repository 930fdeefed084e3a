"""isoFLOP curves in measured time."""
from figures.isoflop import curves, describe, draw  # noqa: F401  (what a figure holds)

ORDER = 30
TITLE = "Curves of equal time"
CAPTION = """The same at fixed core-seconds of training instead of nominal FLOP: what the machine charges."""


def gather(study):
    return curves(study, "core_seconds")
