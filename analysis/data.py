"""Reads what a study leaves behind: FOLDER/results.h5 (docs/results.md) and FOLDER/fit.json (docs/fitting.md).

A file that cannot be used raises Unusable with one line that names it.  The fit is optional.
"""
import json
from dataclasses import dataclass, field

import h5py
import numpy as np

OUTCOMES = ["done", "diverged", "failed"]
FORMAT, FIT_FORMAT = "equiscale-results-1", "equiscale-fit-1"
CELL_COLUMNS = ("arm id role parameters steps batch samples dataset seed lr flop_nominal flop_executed core_seconds "
                "loss outcome").split()
TEXT_COLUMNS = ("arm", "id", "role")
CURVE_COLUMNS = "cell step flop_nominal flop_executed core_seconds loss train_loss".split()


class Unusable(Exception):
    """One line for the user, naming the file."""


@dataclass(frozen=True)
class Currency:
    """What compute is counted in; `column` in results.h5, `name` in fit.json."""
    column: str
    name: str
    title: str
    unit: str


CURRENCIES = [Currency("flop_nominal", "nominal", "nominal compute", "FLOP"),
              Currency("flop_executed", "executed", "executed compute", "FLOP"),
              Currency("core_seconds", "core_seconds", "measured time", "core-seconds")]


@dataclass
class Study:
    name: str
    cells: dict  # column name -> array, a row a cell
    curves: dict  # column name -> array, a row a point of a learning curve
    provenance: list  # (name, value)
    fit: dict  # arm -> its entry in fit.json; empty without one
    fit_header: dict = field(default_factory=dict)  # the whole of fit.json

    @property
    def no_fit(self):
        """Why there is nothing in `fit`."""
        return "fit.json holds no arm" if self.fit_header else "there is no fit.json: equiscale fit -json makes it"

    @property
    def arms(self):
        return sorted(set(self.cells["arm"]))

    def rows(self, arm=None, role=None, finished=True):
        """Indices of cells.  finished: only those with a usable loss."""
        c = self.cells
        keep = np.ones(len(c["arm"]), bool)
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


def _text(value):
    return value.decode("utf-8", "replace").rstrip("\0") if isinstance(value, bytes) else str(value)


def _columns(file, group, wanted, path):
    if group not in file or not isinstance(file[group], h5py.Group):
        raise Unusable(f"{path}: no group /{group}: want a file of the format {FORMAT}")
    out, rows = {}, None
    for name, data in file[group].items():
        values = data[()]
        if data.dtype.kind in "SO" or name in TEXT_COLUMNS:
            values = np.array([_text(v) for v in values], dtype=object)
        if values.ndim != 1 or rows not in (None, len(values)):
            raise Unusable(f"{path}: /{group}/{name}: want one value a row")
        out[name], rows = values, len(values)
    for name in wanted:
        if name not in out:
            raise Unusable(f"{path}: no dataset /{group}/{name}: want a file of the format {FORMAT}")
    return out


def _provenance(file):
    return [(name, _text(value)) for name, value in (file["provenance"].attrs.items() if "provenance" in file else ())]


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
            study = _text(file.attrs.get("study", "")) or path.parent.name
            provenance = _provenance(file)
    except (OSError, RuntimeError, KeyError, ValueError) as e:
        raise Unusable(f"{path}: not an HDF5 file, or a damaged one: {str(e).splitlines()[0]}") from e
    words = dict(enumerate(OUTCOMES))
    cells["outcome"] = np.array([words.get(k, f"outcome {k}") for k in cells["outcome"]], dtype=object)
    return study, cells, curves, provenance


def _read_fit(path):
    """The fit, or {} where there is none."""
    if not path.is_file():
        return {}
    try:
        fit = json.loads(path.read_text())
        if fit.get("format") != FIT_FORMAT:
            raise Unusable(f"{path}: format is '{fit.get('format')}': want {FIT_FORMAT}, from `equiscale fit -json`")
        return {"header": fit, "arms": {arm["name"]: arm for arm in fit["arms"]}}
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise Unusable(f"{path}: not a fit: {e}: want what `equiscale fit -json` writes") from e


def read_study(folder):
    name, cells, curves, provenance = _read_results(folder / "results.h5")
    fit = _read_fit(folder / "fit.json")
    return Study(name, cells, curves, provenance, fit.get("arms", {}), fit.get("header", {}))


def numbers(rows, *keys):
    """Columns of a list of JSON objects as arrays; null is NaN.  'interval.N' gives an array (2, rows)."""
    out = []
    for key in keys:
        values = []
        for row in rows:
            for part in key.split("."):
                row = (row or {}).get(part)
            if key.startswith("interval"):
                row = row or [None, None]
                values.append([np.nan if v is None else v for v in row])
            else:
                values.append(np.nan if row is None else row)
        out.append(np.array(values, float).reshape(len(rows), -1).T if key.startswith("interval")
                   else np.array(values, float))
    return out
