"""Tables and numbers as HTML.  On a narrow screen a row becomes a block, with the heads beside the values: they are
properties --h1, --h2 ... of the table, which the style of the page puts there."""
import html
import json
import math
import re

from style import words

DIGITS = 4  # of a number, unless said otherwise


def escape(value):
    return html.escape(str(value))


def prose(text):
    """Sentences of the program, with its powers of ten as the page writes them, which no line break can part."""
    return re.sub(r"\b(\d[\d.]*)e([+-]\d+)\b", lambda found: number(float(found[0]), DIGITS), escape(text))


def number(value, digits=DIGITS):
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
    return f"{number(value, digits)} <small class=below>[{number(low, digits)}, {number(high, digits)}]</small>"


def with_error(value, error, digits=3):
    """A value with its standard error below."""
    return f"{number(value, digits)} <small class=below>± {number(error, 2)}</small>"


def table(head, rows, text=(0,)):
    """head: names; rows: (class, cells of HTML); text: columns that are aligned left."""
    heads = "".join(f"<th scope=col{' class=text' if i in text else ''}>{h}</th>" for i, h in enumerate(head))
    body = []
    for kind, cells in rows:
        line = "".join(f"<td{' class=text' if i in text else ''}>{c}</td>" for i, c in enumerate(cells))
        body.append(f"<tr{f' class={kind}' if kind else ''}>{line}</tr>")
    newline = "\n"
    return (f"<table style='{_beside(head)}'><thead><tr>{heads}</tr></thead>\n"
            f"<tbody>{newline.join(body)}</tbody></table>")


def _beside(head):
    """The heads as properties."""
    names = (" ".join(html.unescape(re.sub("<[^>]*>", " ", h)).split()) for h in head)
    return escape("; ".join(f"--h{i}: {json.dumps(name, ensure_ascii=False)}" for i, name in enumerate(names, 1)))


def arm_label(looks, arm):
    return f"<i class=dot{looks.arms.index(arm)}></i>{escape(words(arm))}"
