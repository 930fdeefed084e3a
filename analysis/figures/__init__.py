"""The figures, one file each; a file put into this folder is on the page.  It holds

    ORDER                         where it stands on the page
    TITLE, CAPTION                the heading, and how to read it
    OF                            "study": of trained models, "line": of laws of one axis; without it of any
    gather(study) -> Table        all that is drawn, which is also the CSV file to download; raises Absent if nothing is
    draw(table, looks, canvas)    -> matplotlib figure, for a page and for a phone (style.WIDE, style.NARROW)
    describe(table, looks) -> str what is seen, for those who do not see it

and is named after what it shows: loss_compute.py makes loss-compute.svg.  A file whose name begins with _ is none.
"""
import importlib
from pathlib import Path


class Absent(Exception):
    """Why a figure cannot be drawn."""


def belongs(module, study):
    """Whether one would look for the figure in such a report."""
    return {"study": study.trained, "line": bool(study.fit) and not study.splits}.get(getattr(module, "OF", None), True)


def found():
    """name -> module of every figure, in the order of the page."""
    stems = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    modules = [importlib.import_module(f"figures.{stem}") for stem in stems]
    return {stem.replace("_", "-"): m for stem, m in sorted(zip(stems, modules), key=lambda pair: pair[1].ORDER)}
