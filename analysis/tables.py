"""The tables of the page: laws, exponents, allocations, differences between arms, symmetry, cells."""
import re

import numpy as np

from fitted import doubt
from html_table import arm_label, escape, measured, number, prose, table, with_error
from measured import finals, head, headlines, largest, pooled
from style import words

REASONS = {"keep": "keep column or weight 0", "range": "C outside the asked-for range", "arm": "arm not asked for",
           "loss": "no usable loss", "outcome": "cell diverged or failed", "role": "cell not of the grid",
           "dataset": "cell on a smaller training set"}


# Of a fit from before it said so.
FORMULAS = {"kaplan": "L = E + (A/N^(alpha/beta) + B/D)^beta"}


def formula(header):
    """The law that was fitted, as HTML."""
    text = header.get("formula") or FORMULAS.get(header.get("law"), "L = E + A/N^alpha + B/D^beta")
    text = re.sub(r"\^(\w+|\([^)]*\))", lambda power: f"<sup>{power[1].strip('()')}</sup>", escape(text))
    return text.replace("alpha", "α").replace("beta", "β")


def _laws(study):
    return [(arm, study.fit[arm]) for arm in study.arms if arm in study.fit]


def laws(study, looks):
    if not study.fit:
        return f"<p>None: {escape(study.no_fit)}.</p>"
    keys = ["E", "A", "B", "alpha", "beta"]
    rows = []
    for arm, law in _laws(study):
        rows.append(("" if law["status"] == "converged" else "bad", [
            arm_label(looks, arm), *(measured(law.get(k), law["interval"].get(k)) for k in keys), law["rows"],
            number(law.get("rms"), 2), prose(law["status"])]))
    text = table(["arm", "E", "A", "B", "α", "β", "rows", "rms of log residuals", "status"], rows, (0, 8))
    left_out = dict(study.fit_header.get("left_out", {}))
    said = ", ".join(f"{escape(one['word'])} {one['rows']}" for one in left_out.pop("words", []))
    out = "; ".join(f"{n}: {escape(REASONS.get(why, why))}{f' ({said})' if why == 'loss' and said else ''}"
                    for why, n in left_out.items() if n)
    methods = sorted({law["method"] for law in study.fit.values()})
    notes = "".join(f"<li>{escape(note['file'] + ': ' if note.get('file') else '')}{escape(note['text'])}</li>"
                    for note in study.fit_header.get("notes", []))
    what = study.unit if study.trained else "data"
    return (f"<p>{formula(study.fit_header)}; N parameters, D training {what}, C training compute. Method: "
            f"{escape('; '.join(methods))}. Brackets: 95 % intervals from {study.fit_header.get('bootstraps', '?')} "
            f"bootstrap resamples.{' Rows left out: ' + out + '.' if out else ''}</p>{text}"
            + (f"<ul class=note>{notes}</ul>" if notes else ""))


def certificates(study, looks):
    """What says that the minimum is one, and how sharp."""
    rows = []
    for arm, law in _laws(study):
        proof = law.get("certificate", {})
        rows.append(("", [arm_label(looks, arm), number(law["objective"], 6),
                          f"{proof.get('reached', '–')} of {proof.get('starts', '–')}",
                          number(proof.get("condition"), 2), number(proof.get("seed_noise"), 2)]))
    return "<h3>How sharp the minima are</h3>" + table(
        ["arm", "objective", "starts that end at the minimum", "condition number", "noise between seeds"],
        rows) if rows else ""


def exponents(study, looks):
    """Of a law of one axis those that it has alone."""
    rows = []
    for arm, law in _laws(study):
        for currency in study.currencies:
            fitted = study.fitted(arm, currency)
            if not fitted:
                continue
            iso, lower = fitted.get("isoflop", {}), fitted.get("envelope", {}).get("N", {})
            spread = fitted["interval"]
            line = {"arm": arm_label(looks, arm), "C in": f"{currency.title} <small>{currency.unit}</small>",
                    **{f"{k}, law": measured(fitted[k], spread[k]) for k in ("a", "b")},
                    "γ, law": measured(fitted.get("gamma"), spread.get("gamma")),
                    **{f"{k}, isoFLOP": measured(iso.get(of, {}).get("exponent"), iso.get(of, {}).get("interval"))
                       for k, of in (("a", "N"), ("b", "D"))},
                    "a, envelope": measured(lower.get("exponent"), lower.get("interval")),
                    "isoFLOP status": escape(iso.get("status", "–"))}
            rows.append(line)
    heads = [head for head in rows[0] if study.splits or any(row[head] != "–" for row in rows)] if rows else []
    if len(heads) < 3:
        return ""
    title = ("Exponents of N* ∝ C<sup>a</sup>, D* ∝ C<sup>b</sup> and L &minus; E ∝ C<sup>&minus;γ</sup>" if study.splits
             else "Exponent in C")
    return f"<h3>{title}</h3>" + table(
        heads, [("", [row[head] for head in heads]) for row in rows],
        [i for i, head in enumerate(heads) if head in ("arm", "C in", "isoFLOP status")])


def _answered_in(study):
    """What compute is counted in where arms are put beside each other, for the head of a column."""
    name = study.fit_header.get("currency")
    return "".join(f" <small>{k.title} {k.unit}</small>" for k in study.currencies if k.name == name)


def drifts(study, looks):
    """The exponent a by the law over the lower and the upper budgets."""
    rows = []
    for arm, law in _laws(study):
        drift = law.get("drift")
        if drift and drift["C"] is not None:
            parts = (measured(drift[k]["value"], drift[k]["interval"]) for k in ("lower", "upper", "change"))
            rows.append(("", [arm_label(looks, arm), f"{drift['C']:.2g}", *parts, escape(drift["verdict"]),
                              escape(drift["why"])]))
    if not rows:
        return ""
    return "<h3>Exponent a by the law over sub-ranges of compute</h3>" + table(
        ["arm", f"cut at C{_answered_in(study)}", "a below", "a above", "change", "verdict", "why"], rows, (0, 5, 6))


def sensitivity(study, looks):
    """What other choices of fit would have said, of each arm."""
    parts = []
    for arm, law in _laws(study):
        keys = ["E", "alpha", "beta", *(["a", "b", "N"] if study.splits else [])]
        rows = [("", [escape(r["what"]), r["rows"], *(number(r.get(k)) for k in keys)])
                for r in law.get("certificate", {}).get("sensitivity", [])]
        if rows:
            budget = number(law["certificate"].get("reference_budget"), 3)
            parts.append(f"<details><summary>Other choices of fit: {escape(words(arm))}</summary>" + table(
                ["choice", "rows", "E", "α", "β", *(["a", "b", f"N* at {budget}{_answered_in(study)}"] if study.splits else [])], rows)
                         + "</details>")
    return "".join(parts)


def _caution(study):
    """Of numbers that follow from the laws: which of these cannot be relied on."""
    arms = {}
    for arm, law in _laws(study):
        arms.setdefault(doubt(law), []).append(words(arm))
    doubted = "; ".join(f"{', '.join(names)}{status}" for status, names in arms.items() if status)
    return doubted and (f"<p class=stale>By laws of which not all can be relied on: {escape(doubted)}. "
                        "What a law of the wrong form gets wrong is in no interval.</p>")


def comparisons(study, looks):
    rows = []
    for pair in study.fit_header.get("comparisons", []):
        for currency in study.currencies:
            found = pair["currencies"].get(currency.name)
            if not found:
                continue
            low, high = found.get("loss_range") or (None, None)
            cross = found.get("crossover", {})
            at = f"at C = {number(cross.get('C'), 3)}: " if cross.get("C") is not None else ""
            rows.append(("", [f"{arm_label(looks, pair['second'])} / {arm_label(looks, pair['first'])}",
                              f"{currency.title} <small>{currency.unit}</small>",
                              measured(found["multiplier"], found["interval"]),
                              f"{number(low, 3)} to {number(high, 3)}",
                              escape(found["status"]), at + escape(cross.get("status", "–")),
                              number(pair.get("exponents", {}).get("p"), 2)]))
    if not rows:
        return ""
    return ("<p>Compute that the first arm needs for the loss of the second by the fitted laws, over the "
            "losses that both reach; 95 % intervals from paired resamples.</p>" + _caution(study) + table(
                ["arms", "C in", "compute for<br>equal loss", "over losses", "status", "crossover",
                 "p of equal<br>exponents"], rows, (0, 1, 4, 5)))


def allocation(study, looks):
    """The best split of budgets; by a law of compute alone, what it says of them."""
    parts = []
    keys = ["N", "D", "loss"] if study.splits else ["loss"]
    heads = ["N* <small>parameters</small>", f"D* <small>{study.unit}</small>"] if study.splits else []
    for currency in study.currencies:
        rows = []
        for arm, _ in _laws(study):
            for at in (study.fitted(arm, currency) or {}).get("allocation", []):
                spread = at.get("interval", {})
                rows.append((at["C"], arm, ["bad" if at[keys[0]] is None else "", [
                    arm_label(looks, arm), number(at["C"], 3), *(measured(at[k], spread.get(k)) for k in keys),
                    escape(at["status"])]]))
        if rows:
            rows.sort(key=lambda r: r[:2])
            parts.append(f"<h3>{currency.title.capitalize()} ({currency.unit})</h3>" + table(
                ["arm", f"C <small>{currency.unit}</small>", *heads, study.value, "status"], [r[2] for r in rows],
                (0, len(heads) + 3)))
    return _caution(study) + "".join(parts) if parts else ""


def predictions(study, looks):
    """The law at sizes that were asked for and at rows that were held out, and how well it met these."""
    of_c = study.fit_header.get("law") == "compute"
    rows = [("", [arm_label(looks, one["arm"]), number(one["N"], 8), number(one["D"], 6),
                  *([number(one.get("C"), 4)] if of_c else []), number(one["observed"], 4),
                  measured(one["loss"], one["interval"], 4),
                  escape("; ".join(["held out"] * bool(one["held_out"]) + [one["status"]] * bool(one["status"])))])
            for one in study.fit_header.get("predictions", [])]
    if not rows:
        return ""
    scores = "".join(f"<p>{arm_label(looks, score['arm'])}: {score['rows']} rows held out: log loss off by "
                     f"{number(score['rms'], 2)} rms, {number(score['mean'], 2)} on average.</p>"
                     for score in study.fit_header.get("holdout", []))
    heads = ["arm", "N <small>parameters</small>", f"D <small>{study.unit}</small>", "loss", "by the law", "status"]
    if of_c:
        heads.insert(3, "C <small>FLOP</small>")
    return table(heads, rows, (0, len(heads) - 1)) + scores


# So many values stand beside each other that a row fits a narrow window; more go into a further table.
VALUES_FIRST, VALUES_FURTHER = 5, 8


def symmetry(study, looks):
    """Per arm what was measured on the output of its largest models, each with its standard error."""
    found = headlines(finals(study))
    if not len(found):
        return ""
    exact = {row["arm"]: row["exact"] for row in study.fit_header.get("exact", [])}
    kinds = [key for key, _ in found.groups("measure", "element")]
    models, values = [], []
    for (arm,), mine in found.groups("arm"):
        best = largest(mine)
        measures = [pooled(these) if len(these := best.where(measure=measure, element=element)) else (None, None, 0)
                    for measure, element in kinds]
        models.append([arm_label(looks, arm), exact.get(arm, "–"), number(best["N"][0]), number(best["D"][0]),
                       len(set(best["seed"])), number(max(drawn for _, _, drawn in measures))])
        values.append([with_error(value, error) for value, error, _ in measures])
    heads = [escape(head(measure, element, words)) for measure, element in kinds]
    model = ["arm", "exact in", "N <small>parameters</small>", "D <small>samples</small>", "seeds", "samples"]
    tables = [table(model + heads[:VALUES_FIRST],
                    [("", mine + its[:VALUES_FIRST]) for mine, its in zip(models, values)], (0, 1))]
    for i in range(VALUES_FIRST, len(kinds), VALUES_FURTHER):
        these = slice(i, i + VALUES_FURTHER)
        tables.append(table(["arm", *heads[these]], [("", [mine[0], *its[these]]) for mine, its in zip(models, values)]))
    return ("<p>Measured on the output of the largest model of each arm, of those the ones trained longest; ± is one "
            "standard error. Every arm is exact in the order of vertices and in shifts.</p>" + "".join(tables))


def found(study, looks):
    """What training found, per arm and seed: widths of motions, weights that are the same."""
    parts = _widths(study, looks) + _sharing(study, looks)
    return "<h3>Symmetries found</h3>" + parts if parts else ""


def _sharing(study, looks):
    rows = [("", [f"{arm_label(looks, s['arm'])} <small>{escape(s['cell'])}</small>", str(s["seed"]),
                  escape(s["classes"])]) for s in study.fit_header.get("sharing", [])]
    if not rows:
        return ""
    return ("<p>Weights that training made the same: those with one letter; 0: they are 0. Slots stand in their order, "
            "3x3 blocks by rows.</p>" + table(["arm and cell", "seed", "weights"], rows, (0, 2)))


def _widths(study, looks):
    """Per arm and seed the width of each generator of motions that training ended with."""
    widths = study.fit_header.get("widths", [])
    generators = list(dict.fromkeys(w["generator"] for w in widths))
    cells = {}
    for w in widths:
        cells.setdefault((w["arm"], w["cell"], w["seed"]), {})[w["generator"]] = w["width"]
    if not cells:
        return ""
    rows = [("", [f"{arm_label(looks, arm)} <small>{escape(cell)}</small>", str(seed),
                  *(number(mine.get(g), 3) for g in generators)]) for (arm, cell, seed), mine in cells.items()]
    return ("<p>Width of each motion at the end of training; 0: no such motion.</p>"
            + table(["arm and cell", "seed", *(escape(words(g)) for g in generators)], rows, (0,)))


def gates(study, looks):
    """What fixed inputs do, by their number, and what directions and planes among them came to."""
    every = finals(study)
    found = every.where(measure="gates") if len(every) else every
    if not len(found):
        return ""
    heads = {"on": "loss, gates on", "off": "loss, gates off", "delta": "change of a number", "fall": "fall along gravity"}
    rows, learned = [], []
    for (arm, fixed, n), mine in found.groups("arm", "fixed", "N"):
        d = mine["D"].max()
        mine = mine.where(D=d)
        asymmetry = every.where(arm=arm, measure="twirl", element="share", fixed=fixed, N=n, D=d)
        values = [mine.where(element=element) for element in heads] + [asymmetry]
        rows.append(("", [arm_label(looks, arm), number(fixed), number(n), number(d), len(set(mine["seed"])),
                          *(with_error(*pooled(these)[:2]) if len(these) else "–" for these in values)]))
        for (cell, seed), its in mine.groups("id", "seed"):
            learned += [("", [f"{arm_label(looks, arm)} <small>{escape(cell)}</small>", str(seed), str(j), *numbers])
                        for j, numbers in _learned(its)]
    text = ("<p>Models with fixed inputs: loss where these are on and off, the mean change of a number of the displacement "
            "by them, the cosine of predicted free fall with gravity; of those trained longest, means over seeds.</p>"
            + table(["arm", "fixed inputs", "N <small>parameters</small>", "D <small>samples</small>", "seeds",
                     *heads.values(), "twirl share"], rows, (0,)))
    if learned:
        text += ("<p>What they came to, in the coordinates and the unit of length that the model sees.</p>"
                 + table(["arm and cell", "seed", "input", "x", "y", "z", "offset"], learned, (0,)))
    return text


def _learned(rows):
    """(its number, [x, y, z, offset]) of each fixed input of a cell that is a direction or a plane."""
    found = {}
    for element, value in zip(*rows["element", "value"]):
        if element.startswith("fixed "):
            _, j, name = element.split()
            found.setdefault(int(j), {})[name] = value
    return [(j, [number(its.get(name), 3) for name in ("x", "y", "z", "offset")]) for j, its in sorted(found.items())]


# Measures whose correlations over cells are taken: their names in words, and the member of fit.json that holds them.
LINKED = {"invariance": ("effective invariance", "invariance"), "correlation": ("the correlation of the output", "trends"),
          "lie": ("the relative Lie derivative", "trends")}


def links(study, looks, measure):
    """Whether models of which more was measured are better, larger or trained longer, per arm and over all."""
    title, member = LINKED[measure]
    mine = [link for link in study.fit_header.get(member, []) if link.get("measure", "invariance") == measure]
    rows = [("", [arm_label(looks, link["arm"]) if link["arm"] in study.arms else escape(link["arm"]),
                  escape(link["with"]), str(link["n"]), _range(link.get("samples")),
                  *(measured(link[k]["value"], link[k]["interval"]) for k in ("pearson", "spearman"))])
            for link in mine]
    if not rows:
        return ""
    other = "the accuracy of a probe, and with &minus;log loss" if measure == "invariance" else "&minus;log loss, log N and log D"
    uneven = any(low != high for low, high in (link.get("samples", (0, 0)) for link in mine))
    warning = (" Cells were measured on different numbers of samples, which alone may change a score: measure.share."
               if uneven else "")
    return (f"<p>Correlation over cells of {title} with {other}; 95 % by drawing cells.{warning}</p>"
            + table(["arm", "with", "cells", "samples", "Pearson", "Spearman"], rows, (0, 1)))


def _range(samples):
    """On how many samples a cell was measured."""
    if not samples:
        return "–"
    low, high = samples
    return str(low) if low == high else f"{low} to {high}"


def _cell_columns(study):
    """(head, value of a row) of what is known of every cell."""
    c = study.cells
    columns = [("N <small>parameters</small>", lambda i: number(c["parameters"][i], 8) if np.isnan(c["parameters"][i])
                else f"{c['parameters'][i]:,.0f}"),
               (f"D <small>{study.unit}</small>", lambda i: number(c["samples"][i], 6))]
    if study.trained:
        columns = [("role", lambda i: escape(c["role"][i])), columns[0], ("steps", lambda i: f"{c['steps'][i]:,}"),
                   columns[1], ("dataset <small>trajectories</small>", lambda i: f"{c['dataset'][i]:,}"),
                   ("seed", lambda i: c["seed"][i]), ("peak lr", lambda i: number(c["lr"][i], 3))]
    for currency in study.currencies:
        columns.append((f"{currency.title} <small>{currency.unit}</small>",
                        lambda i, column=currency.column: number(c[column][i], 3)))
    columns.append((study.value, lambda i: number(c["loss"][i], 4)))
    return columns + [("outcome", lambda i: escape(c["outcome"][i]))] if study.trained else columns


FOLDED = 60  # rows of cells from which on paper gets a row for each size instead: a page of A4


def _sizes(study, looks):
    """Cells of one arm and size as a row."""
    rows = []
    for arm, every in ((arm, study.cells.where(arm=arm)) for arm in study.arms):
        sizes = every["parameters"].astype(float)
        for size in np.unique(sizes):  # those that are not known are one
            own = every.where((sizes == size) | (np.isnan(sizes) & np.isnan(size)))
            done = own.where(outcome="done")
            samples, losses = (part[np.isfinite(part)] for part in (own["samples"].astype(float), done["loss"]))
            ends = [number(f(samples) if len(samples) else None, 4) for f in (np.min, np.max)]
            rows.append(("" if len(done) == len(own) else "bad", [
                arm_label(looks, arm), number(size, 8), str(len(own)), " to ".join(dict.fromkeys(ends)),
                number(losses.min() if len(losses) else None, 4), str(len(own) - len(done))]))
    heads = ["arm", "N <small>parameters</small>", "cells" if study.trained else "rows", f"D <small>{study.unit}</small>",
             f"least {study.value}", "without a result"]
    shown = len(heads) if study.trained else len(heads) - 1
    return table(heads[:shown], [(kind, line[:shown]) for kind, line in rows])


def cells(study, looks):
    """Every cell, or, of many, a row for each size and then all of them, folded, and not on paper."""
    every = _every_cell(study, looks)
    if len(study.cells) < FOLDED:
        return every
    what = "cells" if study.trained else "rows"
    return (f"{_sizes(study, looks)}<p class='note paper'>The page itself has a row for each of the {len(study.cells):,} "
            f"{what}.</p><details class=long><summary>All {len(study.cells):,} {what}</summary>{every}</details>")


def _every_cell(study, looks):
    c = study.cells
    keys = [c[k].tolist() for k in ("arm", "role", "parameters", "samples", "dataset", "seed")]
    columns = _cell_columns(study)
    rows = []
    for i in sorted(range(len(c)), key=lambda i: [k[i] for k in keys]):
        name = f"{arm_label(looks, c['arm'][i])} <small>{escape(c['id'][i])}</small>"
        rows.append(("" if c["outcome"][i] == "done" else "bad", [name, *(value(i) for _, value in columns)]))
    return table(["arm and cell" if study.trained else "arm", *(head for head, _ in columns)], rows,
                 (0, 1, len(columns)) if study.trained else (0,))
