"""The report as one HTML page that needs nothing else: figures inlined, tables of laws, allocation and cells."""
import base64
import html
import math

import numpy as np

from data import CURRENCIES
from figures import FIGURES
from style import Looks, words

CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
h3 { font-size: 1rem; }
figure { margin: 1rem 0; } figure img { max-width: 100%; display: block; margin: auto; }
figcaption, .note { color: #555; font-size: 0.87rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.82rem; margin: 0.6rem 0; }
th, td { padding: 0.18rem 0.6rem; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th { border-bottom: 1.5px solid #888; } td { border-bottom: 1px solid #eee; }
th small, td small { color: #777; font-weight: normal; }
td.text, th.text { text-align: left; white-space: normal; } tr.bad td { background: #fdf0e7; }
i.dot { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.4em; }
@media print { body { max-width: none; } details { display: block; } }
"""


def escape(value):
    return html.escape(str(value))


def number(value, digits=4):
    """Text of a number to so many digits; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if 1e3 <= abs(value) < 1e7:
        return f"{float(f'{value:.{digits}g}'):,.0f}"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    mantissa, power = text.split("e")
    return f"{'' if mantissa == '1' else mantissa + '×'}10<sup>{int(power)}</sup>"


def measured(value, interval, digits=3):
    """A value with its interval below."""
    low, high = interval or (None, None)
    if low is None and high is None:
        return number(value, digits)
    return f"{number(value, digits)}<br><small>[{number(low, digits)}, {number(high, digits)}]</small>"


def table(head, rows, text=(0,)):
    """head: names; rows: (class, cells of HTML); text: columns that are aligned left."""
    def line(tag, cells):
        return "".join(f"<{tag}{' class=text' if i in text else ''}>{c}</{tag}>" for i, c in enumerate(cells))
    body = "\n".join(f"<tr{f' class={kind}' if kind else ''}>{line('td', cells)}</tr>" for kind, cells in rows)
    return f"<div class=scroll><table><thead><tr>{line('th', head)}</tr></thead>\n<tbody>{body}</tbody></table></div>"


def arm_label(looks, arm):
    return f"<i class=dot style='background:{looks.colour(arm)}'></i>{escape(words(arm))}"


REASONS = {"keep": "keep column or weight 0", "range": "C outside the asked-for range", "arm": "arm not asked for",
           "loss": "no usable loss", "outcome": "cell diverged or failed", "role": "cell not of the grid",
           "dataset": "cell on a smaller training set"}


def laws(study, looks):
    if not study.fit:
        return f"<p>None: {escape(study.no_fit)}.</p>"
    keys = ["E", "A", "B", "alpha", "beta"]
    rows = []
    for arm, law in study.fit.items():
        proof = law.get("certificate", {})
        rows.append(("" if law["status"] == "converged" else "bad", [
            arm_label(looks, arm), *(measured(law.get(k), law["interval"].get(k)) for k in keys), law["rows"],
            number(law["objective"]), f"{proof.get('reached', '–')} of {proof.get('starts', '–')}",
            number(proof.get("condition"), 2), number(proof.get("seed_noise"), 2), escape(law["status"])]))
    text = table(["arm", "E", "A", "B", "α", "β", "rows", "objective", "starts at<br>the minimum",
                  "condition<br>number", "noise between<br>seeds", "status"], rows, (0, 11))
    left_out = study.fit_header.get("left_out", {})
    out = "; ".join(f"{n}: {escape(REASONS.get(why, why))}" for why, n in left_out.items() if n)
    methods = sorted({law["method"] for law in study.fit.values()})
    return (f"<p>L(N, D) = E + A/N<sup>α</sup> + B/D<sup>β</sup>; N parameters, D training samples. Method: "
            f"{escape('; '.join(methods))}. Brackets: 95 % intervals from {study.fit_header.get('bootstraps', '?')} "
            f"bootstrap resamples.{' Rows left out: ' + out + '.' if out else ''}</p>{text}")


def exponents(study, looks):
    rows = []
    for arm, law in study.fit.items():
        for currency in CURRENCIES:
            fitted = study.fitted(arm, currency)
            if not fitted:
                continue
            iso, lower = fitted.get("isoflop", {}), fitted.get("envelope", {}).get("N", {})
            rows.append(("", [arm_label(looks, arm), f"{currency.title} <small>{currency.unit}</small>",
                              measured(fitted["a"], fitted["interval"]["a"]),
                              measured(fitted["b"], fitted["interval"]["b"]),
                              *(measured(iso.get(k, {}).get("exponent"), iso.get(k, {}).get("interval"))
                                for k in ("N", "D")),
                              number(lower.get("exponent"), 3) + f"<br><small>± {number(lower.get('se'), 2)}</small>",
                              escape(iso.get("status", "–"))]))
    if not rows:
        return ""
    return "<h3>Exponents of N* ∝ C<sup>a</sup> and D* ∝ C<sup>b</sup></h3>" + table(
        ["arm", "C in", "a, law", "b, law", "a, isoFLOP", "b, isoFLOP", "a, envelope", "isoFLOP status"],
        rows, (0, 1, 7))


def sensitivity(study, looks):
    """What other choices of fit would have said, of each arm."""
    parts = []
    for arm, law in study.fit.items():
        keys = ["E", "alpha", "beta", "a", "b", "N"]
        rows = [("", [escape(r["what"]), r["rows"], *(number(r.get(k)) for k in keys)])
                for r in law.get("certificate", {}).get("sensitivity", [])]
        if rows:
            budget = number(law["certificate"].get("reference_budget"), 3)
            parts.append(f"<details><summary>Other choices of fit: {escape(words(arm))}</summary>" + table(
                ["choice", "rows", "E", "α", "β", "a", "b", f"N* at {budget}"], rows) + "</details>")
    return "".join(parts)


def comparisons(study, looks):
    rows = []
    for pair in study.fit_header.get("comparisons", []):
        for currency in CURRENCIES:
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
    return ("<h2>Differences between arms</h2><p>Compute that the first arm needs for the loss of the second, over the "
            "losses that both reach; 95 % intervals from paired resamples.</p>" + table(
                ["arms", "C in", "compute for<br>equal loss", "over losses", "status", "crossover",
                 "p of equal<br>exponents"], rows, (0, 1, 4, 5)))


def allocation(study, looks):
    parts = []
    for currency in CURRENCIES:
        rows = []
        for arm in study.fit:
            for at in (study.fitted(arm, currency) or {}).get("allocation", []):
                spread = at.get("interval", {})
                rows.append((at["C"], arm, ["bad" if at["N"] is None else "", [
                    number(at["C"], 3), arm_label(looks, arm),
                    *(measured(at[k], spread.get(k)) for k in ("N", "D", "loss")), escape(at["status"])]]))
        if rows:
            rows.sort(key=lambda r: r[:2])
            parts.append(f"<h3>{currency.title.capitalize()} ({currency.unit})</h3>" + table(
                [f"C <small>{currency.unit}</small>", "arm", "N* <small>parameters</small>",
                 "D* <small>samples</small>", "loss", "status"], [r[2] for r in rows], (1, 5)))
    return "".join(parts) or "<p>No law allocates a budget.</p>"


def cells(study, looks):
    c = study.cells
    order = sorted(range(len(c["arm"])), key=lambda i: (c["arm"][i], c["role"][i], c["parameters"][i], c["steps"][i],
                                                        c["dataset"][i], c["seed"][i]))
    rows = []
    for i in order:
        outcome = c["outcome"][i]
        rows.append(("" if outcome == "done" else "bad", [
            f"{arm_label(looks, c['arm'][i])} <small>{escape(c['id'][i])}</small>", escape(c["role"][i]),
            f"{c['parameters'][i]:,}", f"{c['steps'][i]:,}", f"{c['samples'][i]:,}", f"{c['dataset'][i]:,}",
            c["seed"][i], number(c["lr"][i], 3), number(c["flop_nominal"][i], 3), number(c["flop_executed"][i], 3),
            number(c["core_seconds"][i], 3), number(c["loss"][i], 4), escape(outcome)]))
    return table(["arm and cell", "role", "N <small>parameters</small>", "steps", "D <small>samples</small>",
                  "dataset <small>trajectories</small>", "seed", "peak lr", "C nominal <small>FLOP</small>",
                  "C executed <small>FLOP</small>", "C <small>core-s</small>", "test loss", "outcome"],
                 rows, (0, 1, 12))


def image(paths):
    """A data URI of the SVG, or of the PNG where that is the smaller by far."""
    png, svg = (p.read_bytes() for p in paths)
    kind, data = ("svg+xml", svg) if len(svg) < 4 * len(png) else ("png", png)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def build(study, drawn, absent):
    """The page.  drawn: figure name -> its (png, svg); absent: name -> why there is none."""
    looks = Looks(study.arms)
    outcomes, counts = np.unique(study.cells["outcome"].astype(str), return_counts=True)
    summary = ", ".join(f"{n} {word}" for word, n in zip(outcomes, counts)) or "none"
    parts = [f"<h1>Scaling study: {escape(study.name)}</h1>",
             f"<p>{len(study.cells['arm'])} cells ({summary}) of {len(study.arms)} arms. Losses are mean squared "
             "displacement errors on the fixed test set, relative to predicting that nothing moves.</p>",
             "<h2>Laws</h2>", laws(study, looks), exponents(study, looks), sensitivity(study, looks)]
    if study.fit:
        parts += ["<h2>Allocation</h2>", allocation(study, looks), comparisons(study, looks)]
    for f in FIGURES:
        parts.append(f"<h2>{f.title}</h2>")
        if f.name in drawn:
            parts.append(f"<figure><img alt='{escape(f.title)}' src='{image(drawn[f.name])}'>"
                         f"<figcaption>{escape(f.caption)}</figcaption></figure>")
        else:
            parts.append(f"<p class=note>Left out: {escape(absent[f.name])}.</p>")
    parts += ["<h2>Cells</h2>", cells(study, looks), "<h2>Provenance</h2>",
              table(["", "value"], [("", [escape(k), escape(v)]) for k, v in study.provenance], (0, 1))
              if study.provenance else "<p>None recorded.</p>"]
    return (f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(study.name)}: equiscale</title>"
            f"<meta name=viewport content='width=device-width'><style>{CSS}</style></head>\n<body>\n"
            + "\n".join(parts) + "\n</body></html>\n")
