"""Reads what a study leaves behind: results.h5 (docs/results.md) and fit.json (docs/fitting.md).

A file that cannot be used raises Unusable with one line that names it.  A study may lack its fit; a fit of tables has
no study: its rows then stand for the cells.
"""
import json
from dataclasses import dataclass, field

import h5py
import numpy as np

from table import Table

OUTCOMES = "done diverged failed"  # of files from before the column said so
FORMAT, FIT_FORMAT = "equiscale-results-1", "equiscale-fit-1"
CELL_COLUMNS = "arm id role parameters steps batch samples dataset seed lr loss outcome".split()
TEXT_COLUMNS = ("arm", "id", "role", "measure", "element")
CURVE_COLUMNS = "cell step loss train_loss".split()
MEASURE_COLUMNS = "cell step measure layer element value se samples".split()


class Unusable(Exception):
    """One line for the user, naming the file."""


@dataclass(frozen=True)
class Currency:
    """What compute is counted in; `column` in results.h5, `name` in fit.json."""
    column: str
    name: str
    title: str
    unit: str


# Of files from before a column said which currency it is.
UNNAMED = [Currency("flop_nominal", "nominal", "nominal compute", "FLOP"),
           Currency("flop_executed", "executed", "executed compute", "FLOP"),
           Currency("core_seconds", "core_seconds", "measured time", "core-seconds")]


@dataclass
class Study:
    name: str
    currencies: list  # of Currency, those in which a cell has a number
    cells: Table  # a row a cell
    curves: Table  # a row a point of a learning curve
    measures: Table  # a row a number found on a model; no rows where nothing was measured
    provenance: list  # (name, value)
    fit: dict = field(default_factory=dict)  # arm -> its entry in fit.json; empty without one
    fit_header: dict = field(default_factory=dict)  # the whole of fit.json
    stale: str = ""  # why the fit is not of the cells as they are; empty: it is, or there is none
    trained: bool = True  # False: the cells are rows of a table that was fitted
    loss: str = "test loss $L$ (1: nothing moves)"  # label of an axis
    value: str = "loss"  # what a row ends in, in a word
    amount: str = "samples seen"  # what D counts
    unit: str = "samples"  # the same in a word

    @property
    def no_fit(self):
        """Why there is nothing in `fit`."""
        return "fit.json holds no arm" if self.fit_header else "there is no fit.json: equiscale fit -json makes it"

    @property
    def splits(self):
        """Whether the law has an N* and a D* of a budget."""
        return self.fit_header.get("law", "chinchilla") in ("chinchilla", "kaplan")

    @property
    def arms(self):
        return sorted(set(self.cells["arm"]) | set(self.fit))

    def currency(self, name):
        return next(k for k in self.currencies if k.name == name)

    def rows(self, arm=None, role=None, finished=True):
        """Indices of cells.  finished: only those with a usable loss."""
        c = self.cells
        keep = np.ones(len(c), bool)
        if arm is not None:
            keep &= c["arm"] == arm
        if role is not None:
            keep &= c["role"] == role
        if finished:
            with np.errstate(invalid="ignore"):
                keep &= (c["outcome"] == "done") & (c["loss"] > 0)
        return np.flatnonzero(keep)

    def grid(self, arm):
        """Finished scaling cells: those of the grid on the largest dataset."""
        rows = self.rows(arm, "grid")
        sizes = self.cells["dataset"][self.rows(role="grid", finished=False)]
        return rows[self.cells["dataset"][rows] == sizes.max()] if len(rows) else rows

    def curve(self, cell):
        """Rows in curves of one cell, in the order of steps; points that are not finite are left out."""
        rows = np.flatnonzero(self.curves["cell"] == cell)
        rows = rows[np.argsort(self.curves["step"][rows], kind="stable")]
        return rows[np.isfinite(self.curves["loss"][rows]) & (self.curves["loss"][rows] > 0)]

    def fitted(self, arm, currency):
        """What the fit says of an arm in a currency, or None."""
        return self.fit.get(arm, {}).get("currencies", {}).get(currency.name)


# ---- results.h5 ----

def _text(value):
    return value.decode("utf-8", "replace").rstrip("\0") if isinstance(value, bytes) else str(value)


def _columns(file, group, wanted, path):
    if group not in file or not isinstance(file[group], h5py.Group):
        raise Unusable(f"{path}: no group /{group}: want a file of the format {FORMAT}")
    out, rows = {}, None
    for name, data in file[group].items():
        if h5py.h5ds.is_scale(data.id):  # numbers the rows, for other readers
            continue
        values = data[()]
        if data.dtype.kind in "SO" or name in TEXT_COLUMNS:
            values = np.array([_text(v) for v in values], dtype=object)
        if values.ndim == 0 or rows not in (None, len(values)):
            raise Unusable(f"{path}: /{group}/{name}: want as many rows as the other columns")
        out[name], rows = values, len(values)
    for name in wanted:
        if name not in out:
            raise Unusable(f"{path}: no dataset /{group}/{name}: want a file of the format {FORMAT}")
    return Table(out)


def _currencies(group, cells):
    """Those that the columns of /cells say they are, in the order of the attribute `currencies`."""
    named = [Currency(column, *(_text(group[column].attrs[a]) for a in ("currency", "title", "unit")))
             for column in _text(group.attrs.get("currencies", "")).split(",") if column in group]
    return [k for k in named or UNNAMED if k.column in cells.columns and (cells[k.column] > 0).any()]


def _read_results(path):
    if not path.is_file():
        raise Unusable(f"{path}: no such file: want what `equiscale run` writes")
    try:
        with h5py.File(path, "r") as file:
            found = _text(file.attrs.get("format", ""))
            if found != FORMAT:
                raise Unusable(f"{path}: format is '{found}': want {FORMAT}")
            cells = _columns(file, "cells", CELL_COLUMNS, path)
            curves = _columns(file, "curves", CURVE_COLUMNS, path)
            measures = Table.of([])
            if "measures" in file:
                measures = _columns(file, "measures", MEASURE_COLUMNS, path)
            words = dict(enumerate(_text(file["cells/outcome"].attrs.get("flag_meanings", OUTCOMES)).split()))
            cells.columns["outcome"] = np.array([words.get(k, f"outcome {k}") for k in cells["outcome"]], object)
            provenance = file["provenance"].attrs.items() if "provenance" in file else ()
            return Study(_text(file.attrs.get("study", "")) or path.parent.name, _currencies(file["cells"], cells),
                         cells, curves, measures, [(name, _text(value)) for name, value in provenance])
    except (OSError, RuntimeError, KeyError, ValueError) as e:
        raise Unusable(f"{path}: not an HDF5 file, or a damaged one: {str(e).splitlines()[0]}") from e


def _stale(study):
    """Why the fit is of other cells than those of the study: each of its rows is a cell, and each cell is a row or left out."""
    c = study.cells
    known = set(zip(*(c[k].tolist() for k in ("arm", "parameters", "samples", "seed", "loss"))))
    rows = [(name, p["N"], p["D"], p["seed"], p["loss"]) for name, arm in study.fit.items() for p in arm["points"]]
    strange = sum(row not in known for row in rows)
    if strange:
        return f"{strange} of its {len(rows)} rows are of no cell"
    left_out = study.fit_header.get("left_out")
    if left_out is None:  # of a fit from before it said so
        return ""
    told = len(rows) + sum(n for why, n in left_out.items() if why != "words")
    return f"it is of {told} cells, of which there are {len(c)} now" if told != len(c) else ""


def read_study(folder):
    """A folder's results.h5, with its fit.json if there is one."""
    study = _read_results(folder / "results.h5")
    if (folder / "fit.json").is_file():
        study.fit_header, study.fit = _read_fit(folder / "fit.json")
        why = _stale(study)
        if why:
            study.stale = (f"{folder / 'fit.json'} is no fit of {folder / 'results.h5'} as it is: {why}; equiscale fit -json, "
                           "or equiscale run, makes it again")
    return study


# ---- fit.json ----

def _read_fit(path):
    """The whole, and its arms by name."""
    if path.exists() and not path.is_file():
        raise Unusable(f"{path}: not a file: want what `equiscale fit -json` writes")
    try:
        fit = json.loads(path.read_bytes())
        if fit.get("format") != FIT_FORMAT:
            raise Unusable(f"{path}: format is '{fit.get('format')}': want {FIT_FORMAT}, from `equiscale fit -json`")
        return fit, {arm["name"]: arm for arm in fit["arms"]}
    except OSError as e:
        raise Unusable(f"{path}: {e.strerror}: want what `equiscale fit -json` writes") from e
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise Unusable(f"{path}: not a fit: {e}: want what `equiscale fit -json` writes") from e


def read_fit(path):
    """A fit of tables: its rows stand for cells, all of them of the grid and finished."""
    header, arms = _read_fit(path)
    if not arms:
        raise Unusable(f"{path}: no arm: want a fit of at least one")
    currencies = {}
    for arm in arms.values():
        for name, fitted in arm["currencies"].items():
            title = fitted.get("title", name.replace("_", " "))
            currencies.setdefault(name, Currency(name, name, title, fitted["unit"]))
    cells = [{"arm": name, "id": "", "role": "grid", "outcome": "done", "dataset": 0, "parameters": number(p["N"]),
              "samples": number(p["D"]), "loss": p["loss"], "seed": p["seed"], **{k: p.get(k) for k in currencies}}
             for name, arm in arms.items() for p in arm["points"]]
    if not cells:
        raise Unusable(f"{path}: no rows: want a fit that holds the rows it was made from")
    optima = header.get("law") == "optima"  # rows hold N* or D*, under the name of the loss
    return Study(path.stem, list(currencies.values()), Table.of(cells), Table.of([]), Table.of([]), [], arms, header,
                 trained=False, loss="optimum $N^*$ or $D^*$" if optima else "loss $L$",
                 value="optimum" if optima else "loss", amount="as in the table", unit="as in the table")


def number(value):
    """A number of a JSON file; null is NaN."""
    return np.nan if value is None else float(value)


def interval(pair):
    """Both ends of an interval of a JSON file, NaN where there is none."""
    low, high = pair or (None, None)
    return number(low), number(high)
