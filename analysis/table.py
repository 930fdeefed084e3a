"""Rows of named columns: what a figure shows and what its CSV file holds."""
import csv
import io

import numpy as np


def _cell(value):
    if isinstance(value, float):
        return "" if value != value else f"{value:.5g}"
    return str(value)


class Table:
    """Columns of one length.  Text columns hold "" and numbers NaN where a row has no such value."""

    def __init__(self, columns):
        self.columns = columns

    @classmethod
    def of(cls, rows, numbers=()):
        """From dicts, which need not have the same keys; None is a number that is not known.  numbers: columns that are
        there even where no row has them."""
        names = list(dict.fromkeys([*(name for row in rows for name in row), *numbers]))
        columns = {}
        for name in names:
            values = [row.get(name) for row in rows]
            if any(isinstance(v, str) for v in values):
                columns[name] = np.array(["" if v is None else v for v in values], object)
            else:
                columns[name] = np.array([np.nan if v is None else v for v in values], float)
        return cls(columns)

    def __len__(self):
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name):
        """A column, or several of them."""
        return [self.columns[n] for n in name] if isinstance(name, (list, tuple)) else self.columns[name]

    def where(self, mask=None, **equal):
        """The rows whose columns have these values, and of those the ones in the mask, if any."""
        keep = np.ones(len(self), bool) if mask is None else mask
        for name, value in equal.items():
            keep = keep & (self.columns[name] == value)
        return Table({name: values[keep] for name, values in self.columns.items()})

    def sorted(self, name):
        order = np.argsort(self.columns[name], kind="stable")
        return Table({n: values[order] for n, values in self.columns.items()})

    def distinct(self, name):
        """Values of a column, in the order in which they first stand there."""
        return list(dict.fromkeys(self.columns[name].tolist()))

    def groups(self, *names):
        """(values of these columns, their rows), in the order in which they first stand there."""
        members = {}
        for i, key in enumerate(zip(*(self.columns[n].tolist() for n in names))):
            members.setdefault(key, []).append(i)
        return [(key, Table({n: values[rows] for n, values in self.columns.items()}))
                for key, rows in members.items()]

    def csv(self):
        """Text with a header; reals to five digits; nothing where there is no number."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        for row in zip(*(values.tolist() for values in self.columns.values())):
            writer.writerow([_cell(v) for v in row])
        return out.getvalue()
