#!/usr/bin/env bash
# analysis/report.py on results made up from known laws: every figure is there and valid, the page needs nothing else,
# what is missing is said, and bad input is one line and exit 2.  The fit is made by BUILD_DIR/equiscale.
set -u
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-/usr/bin/python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }

report() { "$python" -W error::FutureWarning analysis/report.py "$@"; }

figures() { # FOLDER NAME ...: exactly these
    local folder=$1
    shift
    [ "$(cd "$folder/figures" && echo *)" = "$(printf '%s\n' "$@" | sed 's/$/.png/;p;s/png$/svg/' | sort | xargs)" ] ||
        fail "$folder: $(ls "$folder/figures"), want $*"
    "$python" - "$folder" <<'PY' || fail "$folder: a figure or the page is not valid"
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree
from matplotlib.image import imread

folder = Path(sys.argv[1])
for png in folder.glob("figures/*.png"):
    image = imread(png)
    assert image.shape[1] >= 900 and image[..., :3].std() > 0.02, f"{png}: blank"
for svg in folder.glob("figures/*.svg"):
    root = ElementTree.parse(svg).getroot()
    assert root.tag.endswith("svg") and len(list(root.iter())) > 100, f"{svg}: empty"
    assert not [e for e in root.iter() if e.tag.endswith("}text")], f"{svg}: text needs fonts"


class Page(HTMLParser):
    images = tables = 0

    def handle_starttag(self, tag, attributes):
        self.images += tag == "img"
        self.tables += tag == "table"
        assert tag not in ("script", "link", "iframe", "object"), tag
        for name, value in attributes:
            assert name not in ("href", "srcset"), name
            assert name != "src" or value.startswith("data:image/"), value[:80]


text = (folder / "report.html").read_text()
page = Page()
page.feed(text)
assert page.images == len(list(folder.glob("figures/*.png"))) and page.tables
assert "url(" not in text and "@import" not in text
PY
}

refused() { # PATTERN ARGUMENT ...: one line on standard error that matches, exit 2
    local pattern=$1
    shift
    report "$@" >"$work/out" 2>"$work/err"
    [ $? = 2 ] || fail "$*: exit code is not 2"
    [ "$(wc -l <"$work/err")" = 1 ] && grep -qE "$pattern" "$work/err" || fail "$*: $(cat "$work/err"), want $pattern"
}

make_results() { "$python" tests/make_results.py "$work/$1" "${2:-$1}" || exit 1; }

# A whole study, with its fit.
make_results full
"$build/equiscale" fit "$work/full/results.h5" -json "$work/full/fit.json" -fit_bootstraps 100 -fit_starts few \
    >"$work/log" 2>&1 || fail "equiscale fit: $(cat "$work/log")"
report "$work/full" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
[ -s "$work/err" ] && fail "standard error: $(cat "$work/err")"
figures "$work/full" allocation isoflop isoflop-core-seconds loss-compute loss-data multiplier \
    overview residuals
[ "$(sort "$work/out")" = "$(ls "$work/full/"{figures/*,report.html} | sort)" ] ||
    fail "want a line a file: $(cat "$work/out")"
for word in diverged failed converged '&lt;synthetic&gt;' 'transformer augmented'; do
    grep -q "$word" "$work/full/report.html" || fail "the page does not say $word"
done

# Without a fit; with one arm and without cells of smaller datasets.
make_results one
report "$work/one" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
figures "$work/one" isoflop isoflop-core-seconds loss-compute overview
grep -q 'no figure loss-data: ' "$work/out" && grep -q 'Left out: no arm has' "$work/one/report.html" ||
    fail "does not say what is left out"

# Nothing to draw.
for preset in diverged empty; do
    make_results "$preset"
    report "$work/$preset" >"$work/out" 2>&1 || fail "$preset: $(cat "$work/out")"
    [ "$(grep -c '^no figure ' "$work/out")" = 8 ] && [ -s "$work/$preset/report.html" ] ||
        fail "$preset: $(cat "$work/out")"
done

# Bad input.
refused '^usage: '
refused "nowhere/results.h5: no such file" "$work/nowhere"
mkdir "$work/bad"
echo 'not HDF5' >"$work/bad/results.h5"
refused 'bad/results.h5: not an HDF5 file' "$work/bad"
head -c 20000 "$work/one/results.h5" >"$work/bad/results.h5"
refused 'bad/results.h5: .*damaged' "$work/bad"
break_it() { # STATEMENT
    cp "$work/one/results.h5" "$work/bad/"
    "$python" -c "import h5py; f = h5py.File('$work/bad/results.h5', 'a'); $1"
}
break_it "f.attrs['format'] = 'other'"
refused "bad/results.h5: format is 'other': want equiscale-results-1" "$work/bad"
break_it "del f['cells/loss']"
refused 'bad/results.h5: no dataset /cells/loss' "$work/bad"
break_it "del f['curves']"
refused 'bad/results.h5: no group /curves' "$work/bad"
echo '{"format": "equiscale-fit-1", "arms": [' >"$work/one/fit.json"
refused 'one/fit.json: not a fit' "$work/one"
rm -r "$work/one/fit.json" "$work/one/figures"
touch "$work/one/figures"
refused 'one/figures: ' "$work/one"
