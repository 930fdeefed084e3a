"""What was measured on finished models, from /measures: the last number of each cell, and the mean over seeds."""
import numpy as np

from table import Table

OUTPUT = -1  # layer: the model's output
LAST = "last layer"  # element: what the last block leaves, moved by its law or, where none is known, by a fitted matrix
# What a table has room for: element of a measure -> head of its column.  All of a measure that is not named here.
HEADLINES = {"equivariance": {"so3": "rotation error", "mirror": "mirror error"}, "twirl": {"share": "twirl share"},
             "mirror": {"share": "mirror share"}, "lie": {"relative": "Lie derivative, relative"},
             "correlation": {"so3": "correlation of the output", LAST: "correlation of the last layer"},
             "invariance": {"so3": "effective invariance"}, "gates": {"delta": "change by fixed inputs"},
             "augerino": {"averaged": "loss of the mean over copies"}}


def _last_layer(found):
    """The correlations at the last layer of each model, as rows of the output by the name of LAST."""
    moved = np.isin(found["element"].astype(str), ("so3 action", "so3 fitted")) & np.isfinite(found["value"])
    layers = found.where(moved & (found["measure"] == "correlation") & (found["layer"] != OUTPUT))
    last = {}
    for arm, n, layer in zip(*layers["arm", "N", "layer"]):
        last[arm, n] = max(layer, last.get((arm, n), layer))
    told = layers.where(np.array([layer == last[arm, n] for arm, n, layer in zip(*layers["arm", "N", "layer"])], bool))
    return Table({**told.columns, "element": np.array([LAST] * len(told), object),
                  "layer": np.full(len(told), float(OUTPUT))})


def headlines(found):
    """The rows at the output that a table has room for."""
    if not len(found):
        return found
    last = _last_layer(found)
    found = Table({name: np.concatenate([found[name], last[name]]) for name in found.columns})
    told = [layer == OUTPUT and element in HEADLINES.get(measure, {element: ""})
            for measure, element, layer in zip(*(found[k].tolist() for k in ("measure", "element", "layer")))]
    return found.where(np.array(told, bool))


def head(measure, element, words):
    return HEADLINES.get(measure, {}).get(element, f"{words(measure)}, {words(element)}")


def finals(study):
    """A row for each finished grid cell, measure, element and layer, at the last step that has one."""
    if not len(study.measures):
        return Table.of([])
    c, rows = study.cells, []
    known = {int(i) for arm in study.arms for i in study.grid(arm)}
    last = {}
    for i, key in enumerate(zip(*(study.measures[k].tolist() for k in ("cell", "measure", "element", "layer")))):
        if key not in last or study.measures["step"][i] >= study.measures["step"][last[key]]:
            last[key] = i
    for (cell, measure, element, layer), i in last.items():
        if cell in known:
            rows.append({"arm": c["arm"][cell], "measure": measure, "element": element, "layer": layer,
                         "id": c["id"][cell], "fixed": c["fixed"][cell] if "fixed" in c.columns else 0,
                         "N": c["parameters"][cell], "D": c["samples"][cell], "seed": c["seed"][cell],
                         "loss": c["loss"][cell], **{k: study.measures[k][i] for k in ("value", "se", "samples")}})
    return Table.of(sorted(rows, key=lambda row: row["arm"]))


def pooled(rows):
    """Mean over seeds, its standard error and the number of samples.  The error is that of the samples or that of the
    scatter between seeds, whichever is larger."""
    value, se = rows["value"], rows["se"]
    within = np.sqrt(np.sum(se ** 2)) / len(value)
    between = value.std(ddof=1) / np.sqrt(len(value)) if len(value) > 1 else np.nan
    return value.mean(), np.fmax(within, between), rows["samples"].sum()


def largest(rows):
    """Those of the largest model, and of these the ones trained longest."""
    rows = rows.where(N=rows["N"].max())
    return rows.where(D=rows["D"].max())
