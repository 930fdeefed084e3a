"""What the figures of benchmarks have in common: their rows out of a JSON file, the figure into two files."""
import json
import sys


def main(arguments, doc, draw, name, command):
    """FILE.json [NAME]: rows that `command` wrote, each with what the file says of all, drawn into NAME.png and NAME.svg."""
    if len(arguments) not in (1, 2):
        sys.exit(doc)
    try:
        with open(arguments[0]) as f:
            document = json.load(f)
        rows = [{**document, **row} for row in document["rows"]]
        fig = draw(rows)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        sys.exit(f"{arguments[0]}: {error!r}: want the rows that `equiscale {command} -json FILE` writes")
    out = arguments[1] if len(arguments) == 2 else name
    for kind in "png", "svg":
        fig.savefig(f"{out}.{kind}")
