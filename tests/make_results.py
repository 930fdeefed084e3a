#!/usr/bin/env python3
"""make_results.py FOLDER [PRESET]: FOLDER/results.h5 of a study that was never run, from known laws.

PRESETs: full (default); one: one arm, no cells of role data, in a file as it was before there were measures and before
columns said which currency they are; diverged: every cell diverged; empty: no cells.
"""
import sys
from pathlib import Path

import h5py
import numpy as np

SIZES = (2000, 5000, 12000, 30000, 70000)
#                         E      A     B    alpha beta  executed/nominal FLOP, FLOP/s, overfitting
LAWS = {
    "transformer": (0.040, 25.0, 8.0, 0.60, 0.45, 1.1, 3e10, 0.8),
    "transformer_augmented": (0.035, 30.0, 8.5, 0.60, 0.43, 1.1, 3e10, 0.05),
    "gatr": (0.010, 20.0, 4.5, 0.60, 0.48, 0.15, 8e9, 0.3),
}
CURRENCIES = {  # column: name, title, unit
    "flop_nominal": ("nominal", "nominal compute", "FLOP"), "flop_executed": ("executed", "executed compute", "FLOP"),
    "core_seconds": ("core_seconds", "measured time", "core-seconds"), "joules": ("joules", "measured energy", "J")}
SCALES, NUMBERS = {"cells": "cell", "curves": "point", "measures": "row"}, 12  # dimensions; numbers of a procedure
MOVED, GENERATORS = "transformer_augmented", ("rotation_x", "shear_yz")  # an arm that learns motions
WATTS = 50.0
ROTATION = {"transformer": 0.5, "transformer_augmented": 0.2, "gatr": 1e-6}  # relative error of the smallest model
STEPS, DATASETS, BATCH, TOKENS, CURVE = (50, 150, 500, 1500, 5000), (100, 400, 3000), 16, 40, 7


def widths(arm, step):
    """Of motions that training found: one grows, one vanishes."""
    grown = [step / 100, 1 / step] if arm == MOVED else []
    return grown + [np.nan] * (NUMBERS - len(grown))


def make(preset):
    rng = np.random.default_rng(1)
    cells, curves = [], []

    def add(arm, role, n, steps, dataset, seed=1):
        e, a, b, alpha, beta, executed, speed, overfit = LAWS[arm]
        row = len(cells)
        lost = preset == "full" and (arm, n, steps) == ("transformer", SIZES[-1], STEPS[0])
        diverged = preset == "diverged" or lost
        gap = 1 + overfit * (DATASETS[-1] / dataset - 1) * steps / STEPS[-1] / 10
        noise = np.exp(0.01 * rng.standard_normal())
        nominal = 6.0 * n * BATCH * TOKENS * (1 if arm != "gatr" else 8)
        done = [steps >> j for j in range(CURVE) if steps >> j][::-1]
        for step in done:
            behind = 1 if step == steps else 1.25
            loss = min(1.0, (e + a / n ** alpha + b / (step * BATCH) ** beta) * noise * behind)
            curves.append(dict(cell=row, step=step, samples=float(step * BATCH), flop_nominal=nominal * step,
                               flop_executed=nominal * step * executed,
                               core_seconds=nominal * step * executed / speed + 0.002 * step,
                               joules=WATTS * (nominal * step * executed / speed + 0.002 * step),
                               loss=np.nan if diverged else loss * gap, train_loss=np.nan if diverged else loss / gap,
                               lr=1e-3, procedure=widths(arm, step)))
        last = curves[-1]
        cells.append(dict(id=f"{arm}-n{n}-t{steps}-d{dataset}-s{seed}", arm=arm, role=role, width=16 * (1 + SIZES.index(n)), depth=2, heads=2,
                          parameters=n, steps=steps, batch=BATCH, samples=steps * BATCH, tokens=steps * BATCH * TOKENS,
                          dataset=dataset, seed=seed, lr=1e-3, dp=1, tp=1, flop_nominal=last["flop_nominal"],
                          flop_executed=last["flop_executed"], core_seconds=last["core_seconds"],
                          joules=last["joules"],
                          seconds=last["core_seconds"], loss=last["loss"], loss_initial=1.1,
                          numbers=",".join(GENERATORS) if arm == MOVED else "",
                          validation_loss=last["loss"], outcome=int(diverged), attempts=1, curve_points=len(done)))

    for arm in [] if preset == "empty" else LAWS if preset != "one" else ["gatr"]:
        for n in SIZES:
            for steps in STEPS:
                add(arm, "grid", n, steps, DATASETS[-1])
        for dataset in DATASETS[:-1] if preset != "one" else ():
            add(arm, "data", SIZES[2], STEPS[-1], dataset)
    if preset == "full":
        add("transformer", "lr", SIZES[0], STEPS[0], DATASETS[-1])
        cells[-1].update(outcome=2, loss=np.nan)
    return cells, curves


def measure(cells):
    """Errors under rotations and mirror images, which fall with the size of a model that has to learn them."""
    rows = []
    for i, cell in enumerate(cells):
        for element, error in (("so3", ROTATION[cell["arm"]]), ("mirror", 0.5)):
            value = error * (cell["parameters"] / SIZES[0]) ** -0.2
            rows.append(dict(cell=i, step=cell["steps"], measure="equivariance", layer=-1, element=element, value=value,
                             se=0.05 * value, samples=256))
        turned = ROTATION[cell["arm"]] * (cell["parameters"] / SIZES[0]) ** -0.2
        for measure, element, value in (
                ("twirl", "share", turned ** 2), ("mirror", "share", 0.2), ("lie", "relative", turned ** 2),
                                        ("correlation", "so3", 1 - turned ** 2 / 2), ("invariance", "so3", 1 - turned / 4),
                                        ("gates", "on", cell["loss"]), ("gates", "off", 2 * cell["loss"]),
                                        ("gates", "delta", turned / 2), ("gates", "fixed 1 x", 0.1), ("gates", "fixed 1 z", -1.2)):
            rows.append(dict(cell=i, step=cell["steps"], measure=measure, layer=-1, element=element, value=value,
                             se=0.05 * value, samples=64))
        moved = "so3 action" if cell["arm"] == "gatr" else "so3 fitted"
        for layer in range(3):
            for element, value in ((moved, 1 - turned ** 2 * (layer + 1) / 4), ("so3 invariance", 0.4 + 0.1 * layer)):
                rows.append(dict(cell=i, step=cell["steps"], measure="correlation", layer=layer, element=element,
                                 value=value, se=np.nan, samples=64))
    return rows


TEXT = {"id": "S96", "arm": "S32", "role": "S32", "numbers": "S192", "measure": "S32", "element": "S32"}


def write(path, tables, old):
    """tables: group -> (rows, a row to take the columns from where there is none)."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "equiscale-results-1", "study": "synthetic"})
        for group, (rows, sample) in tables.items():
            for name in sample:
                if old and name in ("joules", "procedure", "numbers"):
                    continue
                values = np.array([row[name] for row in rows], TEXT.get(name))
                data = file.create_dataset(f"{group}/{name}", data=values)
                if name in CURRENCIES and not old:
                    data.attrs.update(dict(zip(("currency", "title", "unit"), CURRENCIES[name])))
            for scale, size in () if old else ((SCALES[group], len(rows)), ("number", NUMBERS)):
                file.create_dataset(f"{group}/{scale}", data=np.arange(size)).make_scale(scale)
            if group != "measures" and not old:
                file[group].attrs["currencies"] = ",".join(CURRENCIES)
        file.create_group("provenance").attrs.update({
            "commit": "synthetic", "study.name": "<synthetic>", "study.arms": f"[{', '.join(LAWS)}]",
            "study.budgets": "[1e9]", "study.budget_seeds": "[3]", "study.datasets": f"{list(DATASETS)}", "study.data_size": "2",
            "train.batch": str(BATCH), "gatr.increase": "2", "data.trajectories": "3200"})


def main(folder, preset="full"):
    cells, curves = make(preset)
    sample_cells, sample_curves = make("one")
    tables = {"cells": (cells, sample_cells[0]), "curves": (curves, sample_curves[0])}
    if preset != "one":
        tables["measures"] = measure(cells), measure(sample_cells)[0]
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "results.h5", tables, preset == "one")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
