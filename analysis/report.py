#!/usr/bin/python3
"""report.py FOLDER: figures and one self-contained page from FOLDER/results.h5 and, where present, FOLDER/fit.json.

Writes FOLDER/figures/NAME.png and .svg and FOLDER/report.html, and prints a line for each file.  Needs Debian's
python3-h5py and python3-matplotlib.  Exit codes: 0 done, 2 the user must change something.
"""
import sys
from pathlib import Path

try:
    import page
    from data import Unusable, read_study
    from figures import FIGURES, Absent
    from style import Looks, save
except ModuleNotFoundError as missing:
    print(f"{sys.executable}: no module {missing.name}: want a Python with h5py and matplotlib, such as Debian's "
          "/usr/bin/python3 with python3-h5py and python3-matplotlib", file=sys.stderr)
    sys.exit(2)


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise Unusable("usage: report.py FOLDER, a folder with results.h5 such as runs/quick")
    folder = Path(arguments[0])
    study = read_study(folder)
    looks, drawn, absent = Looks(study.arms), {}, {}
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for figure in FIGURES:
            try:
                paths = save(figure.draw(study, looks), folder / "figures", figure.name)
            except Absent as e:
                absent[figure.name] = str(e)
                for suffix in (".png", ".svg"):  # of an earlier report
                    (folder / "figures" / (figure.name + suffix)).unlink(missing_ok=True)
                print(f"no figure {figure.name}: {e}")
                continue
            drawn[figure.name] = paths
            for path in paths:
                print(path)
        path = folder / "report.html"
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
