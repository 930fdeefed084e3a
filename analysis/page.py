"""The report as one HTML page that needs nothing else: contents, tables, figures with their data, methods, citation.

It is made for a screen, a phone and paper, light and dark: nothing is ever wider than the page.
"""
import html
import re
from dataclasses import dataclass
from functools import partial

import numpy as np

import tables
from html_table import escape, prose, table
from style import ARMS, INKS, PAPER, Looks

PHONE = 700  # pixels, up to which figures are the narrow ones and rows of tables are blocks
COLUMNS = 24  # of the widest table

# Colours of text have a contrast of 4.5 or more on their ground, in either theme.
CSS = """
:root { color-scheme: light dark; --link: #0b5cad; --line: #d5d5d5; --bad: #fdeee3; --soft: #f3f4f6; LIGHT }
@media screen and (prefers-color-scheme: dark) {
  :root { --link: #8ec5ff; --line: #3a3f46; --bad: #3a2618; --soft: #20242a; DARK } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
       margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2.6rem; padding-bottom: 0.2rem;
     border-bottom: 1px solid var(--line); } h3 { font-size: 1rem; }
h2, h3, figure:not(:last-child), summary { break-after: avoid; } figure, tr, pre { break-inside: avoid; }
a { color: var(--link); } a.self { color: inherit; text-decoration: none; }
nav ol { columns: 18rem; column-gap: 2.4rem; padding-left: 1.4rem; }
figure { margin: 1rem 0; } figure img { width: 100%; height: auto; display: block; }
figcaption, .note { color: var(--grey); font-size: 0.9rem; }
table { border-collapse: collapse; font-size: 0.8rem; line-height: 1.35; margin: 0.6rem 0; width: 100%; }
th, td { padding: 0.2rem 0.35rem; text-align: right; vertical-align: baseline; font-variant-numeric: tabular-nums; }
th { border-bottom: 1.5px solid var(--grey); } td { border-bottom: 1px solid var(--line); }
th small, td small { color: var(--grey); font-weight: normal; font-size: 0.88em; }
td { white-space: nowrap; } td.text { white-space: normal; } td.text, th.text { text-align: left; }
tr.bad, .stale { background: var(--bad); } sup { line-height: 0; } td .below { display: block; }
i[class^=dot] { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.4em;
        print-color-adjust: exact; -webkit-print-color-adjust: exact; }
pre { background: var(--soft); padding: 0.6rem; font-size: 0.8rem; white-space: pre-wrap; }
summary { cursor: pointer; margin: 0.4rem 0; }
@media screen { .paper { display: none; } }
@media screen and (max-width: PHONEpx) {
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  tbody tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 1rem; padding: 0.4rem 0;
             border-bottom: 1px solid var(--line); }
  tbody td, tbody td.text { border: 0; padding: 0.1rem 0; text-align: left; }
  tbody td, tbody td .below { display: inline; white-space: normal; }
  tbody td:first-child { grid-column: 1 / -1; font-weight: 600; }
  tbody td::before { color: var(--grey); } HEADS }
@media print {
  @page { size: A4; margin: 14mm 12mm; }
  :root { font-size: 9.5pt; } body { font-size: 9.5pt; max-width: none; margin: 0; padding: 0; }
  figure img { max-height: 225mm; object-fit: contain; }
  table { font-size: 6.6pt; } section:has(> figure) { break-inside: avoid; }
  th, td { padding: 0.1rem 0.2rem; } details::details-content { content-visibility: visible; block-size: auto; }
  nav, .data, .long { display: none; } a { color: inherit; } }
"""


@dataclass
class Drawn:
    """A figure that was made."""
    module: object
    table: object  # what it shows
    wide: str  # SVG of the page
    narrow: str  # SVG of a phone


def css(study):
    arms = range(len(study.arms))
    names = ["--paper", "--ink", "--grey", *(f"--arm{i}" for i in arms)]
    pairs = [*PAPER.items(), *INKS.items(), *(list(ARMS.items())[i % len(ARMS)] for i in arms)]
    light, dark = ("; ".join(f"{name}: {pair[k]}" for name, pair in zip(names, pairs)) for k in (0, 1))
    heads = " ".join(f"td:nth-child({i})::before {{ content: var(--h{i}) ': '; }}" for i in range(2, COLUMNS + 1))
    dots = "\n".join(f"i.dot{i} {{ background: var(--arm{i}); }}" for i in arms)
    return CSS.replace("LIGHT", light).replace("DARK", dark).replace("HEADS", heads).replace("PHONE", str(PHONE)) + dots


def data_uri(kind, text):
    """Text as an address that holds it, for an attribute in single quotes.  A space ends one of a srcset."""
    for sign, code in (("%", "%25"), ("#", "%23"), ("\n", "%0A"), (" ", "%20"), ("&", "&amp;"), ("'", "%27")):
        text = text.replace(sign, code)
    return f"data:{kind};charset=utf-8,{text}"


def shape(svg):
    """Attributes width and height of an image, so that the page is laid out before it is decoded."""
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()
    return f"width={float(width):.0f} height={float(height):.0f}"


def figure(name, drawn, looks):
    kind = "image/svg+xml"
    wide, narrow = (f"{data_uri(kind, svg)}' {shape(svg)}" for svg in (drawn.wide, drawn.narrow))
    return (f"<figure><picture><source media='(max-width: {PHONE}px)' srcset='{narrow}>"
            f"<img alt='{escape(drawn.module.describe(drawn.table, looks))}' src='{wide}>"
            f"</picture><figcaption>{escape(drawn.module.CAPTION)} <span class=data>Data: <a download='{name}.csv' "
            f"href='{data_uri('text/csv', drawn.table.csv())}'>{name}.csv</a>, {len(drawn.table):,} rows.</span>"
            "</figcaption></figure>")


def questions(study, drawn):
    """What the study was made for, each answer with the figure that shows it."""
    text = []
    for one in study.fit_header.get("questions", []) if study.trained else []:
        figure_of = one.get("figure")
        seen = f" <a href='#figure-{figure_of}'>Figure</a>." if figure_of in drawn else ""
        lines = "".join(f"<li>{prose(line)}</li>" for line in one.get("lines", []))
        text.append(f"<h3>{escape(one['question'])}</h3><p>{prose(one['answer'])}{seen}</p>"
                    f"<details><summary>In numbers</summary><ul class=note>{lines}</ul></details>")
    return "".join(text)


def limits(study):
    lines = study.fit_header.get("limits", []) if study.trained else []
    error = study.cells["loss_error"] / study.cells["loss"] if "loss_error" in study.cells.columns else np.array([])
    error = error[np.isfinite(error)]
    if lines and len(error):
        lines = [*lines, f"The choice of test trajectories leaves an error of {100 * np.median(error):.1f} % in a "
                 "loss; all cells share the test set, so most of it cancels between arms."]
    return lines and f"<ul>{''.join(f'<li>{prose(line)}</li>' for line in lines)}</ul>"


def summary(study):
    if not study.trained:
        files = study.fit_header.get("inputs", [])
        return (f"<p>A fit of {len(study.cells):,} rows of {len(study.arms)} arm{'s' * (len(study.arms) > 1)}"
                f"{' from ' + escape(', '.join(f['name'] for f in files)) if files else ''}.</p>")
    outcomes, counts = np.unique(study.cells["outcome"].astype(str), return_counts=True)
    found = ", ".join(f"{n} {word}" for word, n in zip(outcomes, counts)) or "none"
    return (f"<p>{len(study.cells):,} cells ({found}) of {len(study.arms)} arms. A cell is one training run. Losses "
            "are mean squared displacement errors on the fixed test set, relative to the prediction that nothing "
            "moves.</p>" + (f"<p class=stale>{escape(study.stale)}.</p>" if study.stale else ""))


def methods(study):
    """How the numbers were got, from what the fit says of itself."""
    fit = study.fit_header
    compute = ", ".join(f"{k.title} ({k.unit})" for k in study.currencies)
    amount = "number of training samples seen" if study.trained else "amount of training data, in the unit of the table"
    text = [f"<p>N is the number of trainable parameters, D the {amount}"
            f"{', C the training compute: ' + compute if compute else ''}.</p>"]
    if fit:
        options = [("", [escape(k.replace("_", " ")), escape(v)]) for k, v in fit.items()
                   if isinstance(v, (str, int, float)) and k != "format"]
        split = ("N* and D* minimise the fitted law at a given C, with C as a power law of N and D fitted to the runs. "
                 "isoFLOP curves interpolate the loss of each size at a budget and take the vertex of a parabola in "
                 "log N. " if study.splits else "")
        text.append(
            f"<p>Laws are fitted to {'the finished runs of the grid' if study.trained else 'the rows'}; each interval is "
            f"a 95 % interval from resamples. {split}Where a number is not identified, there is a dash. "
            "How each is computed stands in docs/fitting.md.</p>"
            + table(["setting of the fit", "value"], options, (0, 1)))
    return "".join(text)


CITATION = """@software{equiscale,
  title = {equiscale: does equivariance matter at scale?},
  version = {VERSION},
  note = {study NAME}
}
@article{brehmer2024equivariance,
  title = {Does equivariance matter at scale?},
  author = {Brehmer, Johann and Behrends, S{\\"o}nke and de Haan, Pim and Cohen, Taco},
  journal = {arXiv:2410.23179}, year = {2024}
}
@inproceedings{brehmer2023gatr,
  title = {Geometric Algebra Transformer},
  author = {Brehmer, Johann and de Haan, Pim and Behrends, S{\\"o}nke and Cohen, Taco},
  booktitle = {Advances in Neural Information Processing Systems}, year = {2023}, note = {arXiv:2305.18415}
}
@article{hoffmann2022training,
  title = {Training compute-optimal large language models},
  author = {Hoffmann, Jordan and others},
  journal = {arXiv:2203.15556}, year = {2022}
}"""


def citation(study):
    commit = dict(study.provenance).get("commit", study.fit_header.get("version", "unknown"))
    text = CITATION.replace("VERSION", commit).replace("NAME", study.name)
    return ("<p>The program, the question, the equivariant model, and the method of isoFLOP curves and "
            f"parametric laws:</p><pre>{html.escape(text, quote=False)}</pre>")


def provenance(study, _):
    if not study.provenance:
        return ""
    return table(["", "value"], [("", [escape(k), escape(v)]) for k, v in study.provenance], (0, 1))


def sections(study, drawn, absent):
    """(anchor, title, HTML) of each that holds something."""
    looks = Looks(study)
    yield "questions", "Three questions", questions(study, drawn)
    yield "limits", "Limits of this study", limits(study)
    yield "laws", "Laws", "".join(part(study, looks) for part in (tables.laws, tables.exponents, tables.drifts,
                                                                  tables.certificates, tables.sensitivity))
    yield "predictions", "Predictions", tables.predictions(study, looks)
    yield "allocations", "Allocation" if study.splits else "Budgets", tables.allocation(study, looks)
    yield "differences", "Differences between arms", tables.comparisons(study, looks)
    beside = {"symmetry": tables.symmetry, "procedure": tables.found, "gates": tables.gates,
              **{measure: partial(tables.links, measure=measure) for measure in tables.LINKED}}
    for name, one in drawn.items():
        above = beside[name](study, looks) if name in beside else ""
        yield f"figure-{name}", one.module.TITLE, above + figure(name, one, looks)
    left_out = "".join(f"<li>{escape(module.TITLE)}: {escape(why)}.</li>" for module, why in absent.values())
    yield "left-out", "Figures left out", left_out and f"<ul class=note>{left_out}</ul>"
    yield "cells", "Cells" if study.trained else "Rows", tables.cells(study, looks)
    yield "methods", "Methods", methods(study)
    yield "citation", "Citation", citation(study)
    yield "provenance", "Provenance", provenance(study, looks)


def build(study, drawn, absent):
    """The page.  drawn: figure name -> Drawn; absent: name -> (its module, why there is none)."""
    shown = [section for section in sections(study, drawn, absent) if section[2]]
    contents = "".join(f"<li><a href='#{anchor}'>{title}</a></li>" for anchor, title, _ in shown)
    body = "\n".join(f"<section id='{anchor}'><h2>{title}</h2>{text}</section>" for anchor, title, text in shown)
    kind = "Scaling study" if study.trained else "Fit"
    return (f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(study.name)}: equiscale</title>"
            f"<meta name=viewport content='width=device-width, initial-scale=1'><style>{css(study)}</style>"
            "</head>\n<body>\n"
            f"<header><h1>{kind}: {escape(study.name)}</h1>{summary(study)}</header>\n"
            f"<nav aria-label=Contents><h2>Contents</h2><ol>{contents}</ol></nav>\n<main>{body}</main>\n"
            "</body></html>\n")
