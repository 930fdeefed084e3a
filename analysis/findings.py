#!/usr/bin/env python3
"""findings.py FOLDER: what a study found, as Markdown on standard output, from FOLDER/results.h5 and FOLDER/fit.json.

No sentence is typed that a number can decide.  Exit codes: 0 done, 2 the user must change something.
"""
import sys
from pathlib import Path

try:
    import numpy as np

    from data import Unusable, interval, number, read_study
except ModuleNotFoundError as missing:
    print(f"{sys.executable}: no module {missing.name}: want a Python with h5py (Debian: python3-h5py)", file=sys.stderr)
    sys.exit(2)

METHODS = "law", "isoFLOP", "surrogate"


def text(value, digits=3):
    return "-" if value is None or not np.isfinite(value) else f"{value:.{digits}g}"


def ranged(value, pair, digits=3):
    low, high = interval(pair)
    return f"{text(number(value), digits)} [{text(low, digits)}, {text(high, digits)}]" if np.isfinite(low) else \
        text(number(value), digits)


def estimate(one, digits=3):
    return ranged(one["value"], one["interval"], digits)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def what_was_run(study):
    c = study.cells
    hours = np.nansum(c["core_seconds"]) / 3600
    host = dict(study.provenance)
    rows = []
    for arm in study.arms:
        grid = study.grid(arm)
        n, d, flop = c["parameters"][grid], c["samples"][grid], c["flop_executed"][grid]
        rows.append([arm, len(grid), len(study.rows(arm, "data")), f"{n.min():,} to {n.max():,}",
                     f"{d.min():,} to {d.max():,}", f"{flop.min():.1e} to {flop.max():.1e}",
                     text(c["loss"][grid].min())])
    diverged = int((c["outcome"] != "done").sum())
    return (f"{len(c):,} cells, {hours:.2f} core-hours of training, {diverged} of them without a loss at the end; "
            f"study `{study.name}`, program {host.get('version', '')} {host.get('commit', '')}, "
            f"{host.get('processor', host.get('host', ''))}. Loss: mean squared displacement error over the mean "
            "squared displacement, so 1 is \"nothing moves\".\n\n"
            + table(["arm", "grid cells", "data cells", "N", "D", "executed FLOP", "least loss"], rows))


def questions(study):
    parts = []
    for one in study.fit_header["questions"]:
        lines = "\n".join(f"- {line}" for line in one["lines"])
        parts.append(f"### {one['question']}\n\n**{one['answer']}**\n\n{lines}")
    return "\n\n".join(parts)


def exponents(study, currency):
    rows = []
    for arm in study.arms:
        fit, c = study.fit[arm], study.fit[arm]["currencies"][currency]
        iso = c["isoflop"]
        vertices = sum(curve["ok"] for curve in iso["curves"])
        drift = fit["drift"]
        rows.append([arm, ranged(c["a"], c["interval"]["a"]),
                     f"{estimate(drift['lower'])} / {estimate(drift['upper'])}: {drift['verdict']}",
                     ranged(iso["N"]["exponent"], iso["N"]["interval"]),
                     f"{vertices} of {len(iso['curves'])}", text(number(iso["N"]["misfit_p"]), 2),
                     ranged(c["gamma"], c["interval"]["gamma"]), fit["status"]])
    return table(["arm", "a by the law", "over the lower / upper budgets", "a by isoFLOP", "vertices inside", "p of one line through them",
                  "gamma by the law", "status of the law"], rows)


def budgets(study, currency):
    rows = []
    for arm in study.arms:
        for curve in study.fit[arm]["currencies"][currency]["isoflop"]["curves"]:
            rows.append([arm, f"{curve['C']:.1e}", ranged(curve["best_N"], curve["best_N_interval"]),
                         text(number(curve["best_D"])), text(number(curve["best_loss"])), curve["status"]])
    return table(["arm", "C", "N* by isoFLOP", "D*", "loss there", "status"], rows)


def contrasts(study, currency):
    rows = []
    for pair in study.fit_header["comparisons"]:
        by = pair["currencies"][currency]["contrasts"]
        for method in METHODS:
            one = by[method]
            rows.append([f"{pair['second']} - {pair['first']}", method, estimate(one["a"]), estimate(one["b"]),
                         estimate(one["multiplier"]), one["status"]])
    return table(["arms", "method", "a2 - a1", "b2 - b1", "compute for the same loss, second over first", "verdict"],
                 rows)


def symmetry(study):
    """The last measurement of each arm's largest models of the grid."""
    if not len(study.measures):
        return ""
    c, m, rows = study.cells, study.measures, []
    for arm in study.arms:
        cells = study.grid(arm)
        for measure, element in (("equivariance", "so3"), ("equivariance", "mirror"), ("twirl", "share")):
            here = (m["measure"] == measure) & (m["element"] == element) & np.isin(m["cell"], cells)
            if here.any():
                value = m["value"][here]
                best = value[np.argmax(c["flop_executed"][m["cell"][here]])]
                rows.append([arm, f"{measure}, {element}", text(np.median(value)), text(value.min()), text(value.max()),
                             text(best)])
    return table(["arm", "measurement", "median over cells", "least", "most", "after the most compute"], rows)


def paper(study, currency):
    """The three findings of arXiv 2410.23179, each beside what these numbers say."""
    fit, out = study.fit_header, []
    arms = [arm for arm in ("transformer", "transformer_augmented", "gatr") if arm in study.fit]
    data = {curve["arm"]: curve for curve in fit["data"]}
    if len(arms) == 3 and all(arm in data for arm in arms):
        need = {arm: number(data[arm]["need"]["value"]) for arm in arms}
        saves = need["gatr"] < need["transformer"]
        closes = need["transformer_augmented"] < 2 * need["gatr"]
        out.append("1. *Equivariance saves data; augmentation and enough epochs close the gap.* Here the transformer "
                   f"needs {estimate(data['transformer']['need'])} trajectories to come within 10 % of its own loss "
                   f"with all of them, with augmentation {estimate(data['transformer_augmented']['need'])}, GATr "
                   f"{estimate(data['gatr']['need'])}: equivariance {'saves' if saves else 'does not save'} data, and "
                   f"augmentation {'closes' if closes else 'does not close'} that gap (to within a factor of 2).")
    iso = {arm: study.fit[arm]["currencies"][currency]["isoflop"] for arm in study.arms}
    best = {arm: [(k["C"], number(k["best_loss"])) for k in found["curves"] if k["ok"]] for arm, found in iso.items()}
    if "gatr" in best and "transformer" in best:
        shared = [(loss, min(best["transformer"], key=lambda point: abs(np.log(point[0] / c)))[1])
                  for c, loss in best["gatr"] if best["transformer"]]
        ahead = sum(mine < other for mine, other in shared)
        fits = ", ".join(f"{arm} {text(number(found['loss']['misfit_p']), 2)}" for arm, found in iso.items())
        out.append("2. *Loss falls as a power law of compute, GATr better at every budget.* Here GATr's best loss is "
                   f"below the transformer's at {ahead} of {len(shared)} budgets; p-values of a power law through the "
                   f"minima: {fits}.")
    for pair in fit["comparisons"]:
        if {pair["first"], pair["second"]} == {"transformer", "gatr"}:
            by = pair["currencies"][currency]["contrasts"]
            found = ", ".join(f"{method} {estimate(by[method]['a'])} ({by[method]['status']})" for method in METHODS)
            out.append("3. *The best split of compute between model and training differs between the two.* Here a of "
                       f"{pair['second']} less a of {pair['first']}: {found}.")
    return "\n".join(out)


def main(arguments):
    if len(arguments) != 1:
        raise Unusable("usage: findings.py FOLDER, a folder with results.h5 and fit.json")
    study = read_study(Path(arguments[0]))
    if "questions" not in study.fit_header or "currency" not in study.fit_header:
        raise Unusable(f"{arguments[0]}/fit.json: no questions: want what `equiscale run` writes")
    if study.stale:
        raise Unusable(study.stale)
    currency = study.fit_header["currency"]
    limits = "\n".join(f"- {line}" for line in study.fit_header["limits"])
    print("# Findings\n\nThis page is made by `analysis/findings.py` from the files of the study; intervals are "
          "95 %.\n\n"
          f"## What was run\n\n{what_was_run(study)}\n\n## The three questions\n\n{questions(study)}\n\n"
          f"## Beside the paper\n\n{paper(study, currency)}\n\n## Limits\n\n{limits}\n\n"
          f"## Exponents\n\nC is {currency.replace('_', ' ')} compute.\n\n{exponents(study, currency)}\n\n"
          f"{budgets(study, currency)}\n\n## Arms beside each other\n\n{contrasts(study, currency)}\n\n"
          f"## Symmetry of the trained models\n\n{symmetry(study)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Unusable as e:
        print(e, file=sys.stderr)
        sys.exit(2)
