"""What the figures of benchmarks have in common: their rows out of a JSON file, the figure into two files."""
import json
import sys


def refuse(text):
    """One line for what the user must change, and exit code 2."""
    print(text, file=sys.stderr)
    sys.exit(2)


def absent(missing, package="python3-matplotlib"):
    """The line about a module that is not there."""
    refuse(f"{sys.executable}: no module {missing.name}: want a Python that has it (Debian: {package}; where another python3 "
           f"comes first: /usr/bin/python3 {sys.argv[0]} ...)")


def main(arguments, doc, draw, name, command):
    """FILE.json [NAME]: rows that `command` wrote, each with what the file says of all, drawn into NAME.png and NAME.svg."""
    if len(arguments) not in (1, 2):
        refuse(doc)
    try:
        with open(arguments[0], "rb") as f:
            document = json.load(f)
        rows = [{**document, **row} for row in document["rows"]]
        fig = draw(rows)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        refuse(f"{arguments[0]}: {error!r}: want the rows that `equiscale {command} -json FILE` writes")
    out = arguments[1] if len(arguments) == 2 else name
    try:
        for kind in "png", "svg":
            fig.savefig(f"{out}.{kind}")
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}: want a path that can be written")
