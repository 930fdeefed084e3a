#!/usr/bin/env python3
"""report.py FOLDER: figures and one self-contained page from FOLDER/results.h5 and, where present, FOLDER/fit.json.
report.py FIT.json: the same for tables that were fitted without a study, into a folder FIT beside the file.

Writes figures/NAME.svg, .png and .csv and report.html, and prints a line for each file.  Exit codes: 0 done, 2 the user
must change something.
"""
import sys
from pathlib import Path

try:
    import figures
    import page
    from data import Unusable, read_fit, read_study
    from style import NARROW, WIDE, Looks, save
except ModuleNotFoundError as missing:
    print(f"{sys.executable}: no module {missing.name}: want a Python with h5py and matplotlib (Debian: python3-h5py "
          f"and python3-matplotlib; where another python3 comes first: /usr/bin/python3 {sys.argv[0]} ...)", file=sys.stderr)
    sys.exit(2)

SUFFIXES = (".svg", ".png", ".csv")


def read(path):
    """(study, the folder to write into)."""
    if path.suffix == ".json":
        return read_fit(path), path.with_suffix("")
    return read_study(path), path


def place(path):
    """The same, unless something stands there that a file cannot take the place of: a pipe would wait for a reader."""
    if path.exists() and not path.is_file():
        raise Unusable(f"{path}: exists and is not a file: want the name of one")
    return path


def draw(name, module, study, looks, folder):
    """Both forms of a figure; the wide one, and what it shows, into files too."""
    table = module.gather(study)
    files = [place(folder / (name + suffix)) for suffix in SUFFIXES]
    wide = save(module.draw(table, looks, WIDE), *files[:2])
    files[2].write_text(table.csv(), encoding="utf-8")
    print(*files, sep="\n")
    return page.Drawn(module, table, wide, save(module.draw(table, looks, NARROW)))


def main(arguments):
    if arguments and arguments[0] in ("-h", "-help", "--help"):
        print(__doc__.strip())
        return
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise Unusable("usage: report.py FOLDER, a folder with results.h5 such as runs/quick; or report.py FIT.json")
    study, folder = read(Path(arguments[0]))
    looks, drawn, absent = Looks(study), {}, {}
    if study.stale:
        print(study.stale)
    try:
        (folder / "figures").mkdir(exist_ok=True, parents=not study.trained)
        for name, module in figures.found().items():
            try:
                if figures.belongs(module, study):
                    drawn[name] = draw(name, module, study, looks, folder / "figures")
            except figures.Absent as e:
                absent[name] = module, str(e)
                print(f"no figure {name}: {e}")
            if name not in drawn:
                for suffix in SUFFIXES:  # of an earlier report
                    (folder / "figures" / (name + suffix)).unlink(missing_ok=True)
        path = place(folder / "report.html")
        path.write_text(page.build(study, drawn, absent), encoding="utf-8")
        print(path)
    except OSError as e:
        raise Unusable(f"{e.filename or folder}: {e.strerror}: want a folder that can be written") from e


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Unusable as e:
        print(e, file=sys.stderr)
        sys.exit(2)
