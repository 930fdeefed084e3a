#!/usr/bin/env bash
# analysis/report.py on results made up from known laws: every figure is there and valid, the page needs nothing else,
# what is missing is said, and bad input is one line and exit 2.  The fit is made by BUILD_DIR/equiscale.
set -u
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-/usr/bin/python3}
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }

report() { "$python" -W error::FutureWarning analysis/report.py "$@"; }

figures() { # FOLDER NAME ...: exactly these
    local folder=$1
    shift
    printf '%s\n' "$@" | sed 's/$/.csv/;p;s/csv$/png/;p;s/png$/svg/' | sort >"$work/want"
    # shellcheck disable=SC2012  # names are ours
    ls "$folder/figures" | sort | cmp -s - "$work/want" || fail "$folder: $(ls "$folder/figures"), want $*"
    "$python" - "$folder" <<'PY' || fail "$folder: a figure or the page is not valid"
import csv
import io
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree
from matplotlib.image import imread

SVG, HREF = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
folder = Path(sys.argv[1])


def held(address):
    """The text that an address holds."""
    return unquote(address.split(",", 1)[1])


def marks_of_file(svg):
    """Where an SVG of matplotlib has marks."""
    return {(round(float(e.get("x")), 2), round(float(e.get("y")), 2)) for e in svg.iter(SVG + "use")
            if e.get(HREF).startswith("#m") and e.get("x")}


def marks_of_page(svg):
    """Where a figure of the page has them: the vertices of paths whose class has a marker."""
    rules = dict(re.findall(r"[.](\w+){(.*?)}", svg.find(SVG + "style[2]").text))
    found = set()
    for path in svg.iter(SVG + "path"):
        if "marker" in rules.get(path.get("class"), ""):
            steps = [float(v) for v in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", path.get("d").replace("h0", ""))]
            x = y = 0
            for dx, dy in zip(steps[::2], steps[1::2]):
                x, y = x + dx, y + dy
                found.add((round(x, 2), round(y, 2)))
    return found


for png in folder.glob("figures/*.png"):
    image = imread(png)
    assert image.shape[1] >= 1800 and image[..., :3].std() > 0.02, f"{png}: blank"
for svg in folder.glob("figures/*.svg"):
    root = ElementTree.parse(svg).getroot()
    assert root.tag.endswith("svg") and len(list(root.iter())) > 100, f"{svg}: empty"
    assert not [e for e in root.iter() if e.tag.endswith("}text")], f"{svg}: text needs fonts"


class Page(HTMLParser):
    images = tables = wide = 0
    files, anchors, ids, pictures = {}, [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tables += tag == "table"
        assert tag not in ("script", "link", "iframe", "object"), tag
        self.ids.append(values.get("id"))
        for name in ("src", "srcset"):
            assert values.get(name, "data:image/").startswith("data:image/"), values[name][:80]
        if tag == "img":
            self.images += 1
            assert re.search("[0-9]", values["alt"]) and len(values["alt"]) > 40, f"says nothing: {values['alt']}"
            theme = held(values["src"])
            assert "prefers-color-scheme:dark" in theme and "var(--c1a1a1a)" in theme, "no dark figure"
            self.pictures.append(ElementTree.fromstring(theme))
        if tag == "source":
            assert " " not in values["srcset"], "an address of a srcset ends at a space"
            ElementTree.fromstring(held(values["srcset"]))
        if tag == "a" and "download" in values:
            self.files[values["download"]] = held(values["href"])
        elif tag == "a":
            assert values["href"].startswith("#"), values["href"][:80]
            self.anchors.append(values["href"][1:])


text = (folder / "report.html").read_text()
page = Page()
page.feed(text)
names = [path.stem for path in folder.glob("figures/*.png")]
assert page.images == len(names) and page.tables
assert page.anchors and set(page.anchors) <= set(page.ids), "the contents lead nowhere"
for name in names:
    table = list(csv.reader(io.StringIO(page.files[name + ".csv"])))
    assert len(table) > 1 and page.files[name + ".csv"] == (folder / f"figures/{name}.csv").read_text(), name
# A figure of the page has all marks of its file, and its text as text, in a small part of the room.
for name, picture in zip([name.removesuffix(".csv") for name in page.files], page.pictures):
    file = folder / f"figures/{name}.svg"
    want, have = marks_of_file(ElementTree.parse(file).getroot()), marks_of_page(picture)
    lost = [(x, y) for x, y in want if not any(abs(x - u) < 0.015 and abs(y - v) < 0.015 for u, v in have)]
    assert len(want) > 5 and not lost, f"{name}: {len(lost)} of {len(want)} marks are not on the page: {lost[:3]}"
    assert list(picture.iter(SVG + "text")), f"{name}: no text"
    size = len(ElementTree.tostring(picture))
    assert size < 0.35 * file.stat().st_size, f"{name}: {size} bytes of {file.stat().st_size}"
assert not re.search("url[(](?!%23)|@import", text), "the page asks for a file"
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

fit() { # ARGUMENT ...
    "$build/equiscale" fit "$@" -fit_bootstraps 100 -fit_starts few >"$work/log" 2>&1 ||
        fail "equiscale fit: $(cat "$work/log")"
}

every="allocation correlation correlation-depth equivariance gates invariance isoflop isoflop-core-seconds lie loss-compute loss-data mirror multiplier overview procedure residuals symmetry"

# Where fonts are listed for the first time on a machine and that takes 5 s, matplotlib says so on standard error.
"$python" -c 'import matplotlib.font_manager' 2>"$work/err" || fail "$(cat "$work/err")"

# A whole study, with its fit.
make_results full
# Budgets that are asked for are answered in their own currency, whichever one the arms are compared in.
fit "$work/full/results.h5" -fit_budgets 3e10 -fit_budgets_core_seconds 20
grep -A 3 'allocation in nominal FLOP' "$work/log" | grep -q '^ *3e+10 ' || fail "no answer for -fit_budgets: $(tail -n 12 "$work/log")"
grep -A 3 'allocation in core-seconds' "$work/log" | grep -q '^ *20 ' || fail "no answer for -fit_budgets_core_seconds: $(tail -n 12 "$work/log")"
fit "$work/full/results.h5" -json "$work/full/fit.json"
report "$work/full" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
[ -s "$work/err" ] && fail "standard error: $(cat "$work/err")"
# shellcheck disable=SC2086  # a list of names
figures "$work/full" $every
[ "$(sort "$work/out")" = "$(ls "$work/full/"{figures/*,report.html} | sort)" ] ||
    fail "want a line a file: $(cat "$work/out")"
for word in diverged failed converged '&lt;synthetic&gt;' 'transformer augmented' 'measured energy <small>J'; do
    grep -q "$word" "$work/full/report.html" || fail "the page does not say $word"
done
# The answers come first, each with the figure that shows it.
[ "$(grep -oE "<h2>[A-Z][a-z ]*" "$work/full/report.html" | sed -n '2,3p' | tr '\n' ' ')" = '<h2>Three questions <h2>Limits of this study ' ] ||
    fail "the page opens with $(grep -oE '<h2>[A-Z][a-z ]*' "$work/full/report.html" | head -n 4)"
for name in loss-data loss-compute allocation; do
    grep -q "<a href='#figure-$name'>Figure</a>" "$work/full/report.html" || fail "no answer leads to figure $name"
done
"$python" analysis/findings.py "$work/full" >"$work/findings.md" || fail "findings.py"
grep -q '^### Allocation: ' "$work/findings.md" && grep -q '^3. \*The best split' "$work/findings.md" ||
    fail "findings.py says: $(head -n 30 "$work/findings.md")"
# What docs/ says of the laptop study is what its files say.
"$python" analysis/findings.py docs/laptop | cmp - docs/findings.md || fail "docs/findings.md is not of docs/laptop"
"$python" analysis/findings.py "$work/nowhere" >"$work/out" 2>&1
[ $? = 2 ] && grep -q 'nowhere/results.h5: no such file' "$work/out" || fail "findings.py: $(cat "$work/out")"
# A fit of other cells than those that are there now is told from one of them.
stale() { # STATEMENT PATTERN: the fit, changed so
    mkdir -p "$work/stale"
    cp "$work/full/results.h5" "$work/stale/"
    "$python" -c "import json; fit = json.load(open('$work/full/fit.json')); $1; json.dump(fit, open('$work/stale/fit.json', 'w'))"
    report "$work/stale" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
    grep -q "stale/fit.json is no fit of .*: $2" "$work/out" || fail "a fit of other cells: $(cat "$work/out")"
    grep -q "<p class=stale>.*$2" "$work/stale/report.html" || fail "the page does not say that its fit is of other cells"
    "$python" analysis/findings.py "$work/stale" >"$work/out" 2>&1
    [ $? = 2 ] && grep -q "$2" "$work/out" || fail "findings.py of a fit of other cells: $(head -n 3 "$work/out")"
}
grep -q 'is no fit of' "$work/full/report.html" && fail "a fit of these cells is said to be of others"
cells=$("$python" -c "import h5py; print(len(h5py.File('$work/full/results.h5')['cells/loss']))")
stale "fit['arms'][0]['points'].pop()" "it is of $((cells - 1)) cells, of which there are $cells now"
stale "fit['arms'][0]['points'][0]['loss'] *= 2" '1 of its [0-9]* rows are of no cell'
# What follows from a law that its points reject is told to, in figures and above tables.
mkdir -p "$work/rejected"
cp "$work/full/results.h5" "$work/rejected/"
"$python" - "$work" <<'EOF' || fail "no fit to reject laws of"
import json, sys
fit = json.load(open(f"{sys.argv[1]}/full/fit.json"))
for arm in fit["arms"]:
    arm["status"] = "converged"
    if arm["name"] == "gatr":
        arm["status"] = "rejected by its own points: lack of fit, p = 1.5e-07 by curvature"
json.dump(fit, open(f"{sys.argv[1]}/rejected/fit.json", "w"))
EOF
report "$work/rejected" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
page=$work/rejected/report.html
[ "$(grep -o 'By laws of which not all can be relied on: gatr (law rejected by its own points)\.' "$page" | wc -l)" = 2 ] ||
    fail "the page does not say above two tables that a law is rejected"
grep -q 'lack of fit, p = 1.5×10<sup>-7</sup> by' "$page" || fail "the page does not write p as a power of ten"
grep -q 'gatr / transformer \*' "$work/rejected/figures/multiplier.svg" || fail "multiplier.svg marks no law that is rejected"
for figure in loss-compute allocation residuals; do
    grep -q 'gatr (law rejected by its own points)' "$work/rejected/figures/$figure.svg" ||
        fail "$figure.svg does not say that a law is rejected"
done
grep -q 'law rejected' "$work/rejected/figures/loss-compute.csv" || fail "loss-compute.csv does not say that a law is rejected"
grep -q '^executed,transformer,transformer_augmented,.*,0$' "$work/rejected/figures/multiplier.csv" &&
    grep -q '^executed,transformer,gatr,.*,1$' "$work/rejected/figures/multiplier.csv" ||
    fail "multiplier.csv: $(head -n 3 "$work/rejected/figures/multiplier.csv")"

# The table of measures: gatr's rotation error at 70,000 parameters, 1e-6 (70000 / 2000)^-0.2, and its standard error.
found='>4.91×10<sup>-7</sup> <small class=below>± 2.5×10<sup>-8</sup>'
grep -q "gatr</td>.*70,000</td>.*$found" "$work/full/report.html" ||
    fail "the table of measures lacks gatr's error under rotations"
grep -q '^equivariance,so3,gatr,70000,80000,4.9[0-9]*e-07,2.4[0-9]*e-08,256,1$' "$work/full/figures/symmetry.csv" ||
    fail "symmetry.csv: $(grep gatr "$work/full/figures/symmetry.csv" | tail -n 3)"

# By depth, a mean over the runs trained longest; the last layer is in the table and among the headlines.
grep -q '^gatr,70000,moved,2,1,1$' "$work/full/figures/correlation-depth.csv" ||
    fail "correlation-depth.csv: $(grep gatr "$work/full/figures/correlation-depth.csv" | tail -n 3)"
grep -q '^transformer,correlation,last layer,2000,80000,1,' "$work/full/figures/correlation.csv" ||
    fail "correlation.csv: $(grep 'last layer' "$work/full/figures/correlation.csv" | head -n 3)"
grep -q 'correlation of the last layer' "$work/full/report.html" || fail "the table of measures lacks the last layer"

# Names of arms of a table are what they are.
PYTHONPATH=analysis "$python" -c 'import style; assert [style.words(n) for n in ("b_2", "gpt_2B", "transformer_augmented")] == ["b_2", "gpt_2B", "transformer augmented"]' ||
    fail "names of arms on the page"

# What an arm's procedure learned, per generator of motions and seed.
grep -q '^transformer_augmented,1,rotation_x,5000,50$' "$work/full/figures/procedure.csv" ||
    fail "procedure.csv: $(tail -n 3 "$work/full/figures/procedure.csv")"
grep -q 'Symmetries found' "$work/full/report.html" || fail "no widths on the page"
# A table that was fitted without a study; whatever the encoding of the place, files are in UTF-8.
residuals=$work/full/figures/residuals.csv
(echo arm,N,D,loss && sed -n 's/^transformer,[^,]*,\([^,]*,[^,]*,[^,]*\),.*/größe,\1/p' "$residuals") >"$work/table.csv"
[ "$(wc -l <"$work/table.csv")" = 25 ] || fail "residuals.csv lacks N, D or loss: $(head -n 3 "$residuals")"
fit "$work/table.csv" -json "$work/table.json"
LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 report "$work/table.json" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
[ -s "$work/err" ] && fail "standard error: $(cat "$work/err")"
figures "$work/table" allocation isoflop loss-compute overview residuals
# Of runs whose compute is nearly the same the envelope has the best alone.
"$python" -c "import sys; sys.path.insert(0, 'analysis'); import numpy as np; from figures.loss_compute import _envelope
found = list(_envelope(np.array([2, 1, 1.01, 1.02, 2.01, 4, 8]), np.array([2.2, 3, 2, 2.5, 1.9, 5, 1])))
assert found == [2, 4, 6] and not len(_envelope(np.array([]), np.array([]))), found" || fail "the envelope of runs"
grep -q '<h1>Fit: table</h1>' "$work/table/report.html" || fail "the page of a table has no heading"
# What D of a table counts only the table knows.
grep -q 'samples seen\|<small>samples' "$work/table/report.html" && fail "the page of a table counts samples"
grep -q 'D <small>as in the table' "$work/table/report.html" && grep -q 'samples seen' "$work/full/report.html" || fail "what D counts"
grep -q 'L = E + A/N<sup>α</sup> + B/D<sup>β</sup>;' "$work/table/report.html" || fail "the page does not say the law"
grep -q 'Exponent a by the law over sub-ranges of compute' "$work/table/report.html" || fail "no halves of the budgets"

# Another law: the page says which; rows may lack N and D.
awk 'BEGIN { print "C,loss"; for (i = 0; i < 14; i++) printf "%g,%.6f\n", 1e17 * 3 ^ i, 1.7 + (40 + i % 3) / (1e17 * 3 ^ i) ^ 0.09 }' >"$work/compute.csv"
fit "$work/compute.csv" -fit_law compute -json "$work/compute.json"
report "$work/compute.json" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
grep -q 'L = E + A/C<sup>α</sup>;' "$work/compute/report.html" || fail "the page does not say the law of compute"
figures "$work/compute" law-line loss-compute residuals
on_page() { # FOLDER PATTERN ...: of a line without its marks
    local page
    page=$(sed 's/<[^>]*>/ /g' "$work/$1/report.html" | tr -s ' ')
    shift
    for pattern; do grep -qE "$pattern" <<<"$page" || fail "the page lacks $pattern"; done
}
on_page compute 'A fit of 14 rows of 1 arm ' ' arm C in γ, law *$' 'arm C FLOP loss status'
grep -qE '\bnan\b|study\.measures|N\* minimise' "$work/compute/report.html" && fail "the page of a law of compute says what is not so"
# A table of optima has no losses.
awk 'BEGIN { print "C,N_opt,D_opt"; for (i = 0; i < 9; i++) printf "%g,%.5g,%.5g\n", 1e18 * 3 ^ i, 5e7 * (1 + i % 3 / 50) * 1.7 ^ i, 3e9 * 1.75 ^ i * (1 + i % 2 / 30) }' >"$work/optima.csv"
fit "$work/optima.csv" -fit_law optima -fit_objective log -json "$work/optima.json"
report "$work/optima.json" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
figures "$work/optima" law-line residuals
on_page optima 'arm C in a, law *$' 'arm C FLOP optimum status' 'nominal compute FLOP optimum *$' 'Loss against compute: the rows are optima'
# Rows held out, rows without a loss by their word, and what was assumed.
sed '1s/$/,hold/;2,$s/$/,0/;3s/0$/1/;8s/0$/1/' "$work/table.csv" >"$work/held.csv"
sed -n '5s/,[^,]*,0$/,running,0/p' "$work/held.csv" >>"$work/held.csv"
fit "$work/held.csv" -fit_columns_holdout hold -fit_predict 1e4,1e5 -json "$work/held.json"
report "$work/held.json" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
on_page held '1: no usable loss \(running 1\)' '2 rows held out: log loss off by' 'γ, law' 'rms of log residuals'
[ "$(grep -c '<td class=text>held out' "$work/held/report.html")" = 2 ] || fail "the page does not show what was held out"
sed 's/^C,/N,/' "$work/compute.csv" >"$work/size.csv"
fit "$work/size.csv" -fit_law parameters -json "$work/size.json"
report "$work/size.json" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
grep -q 'no figure loss-compute: no row says its compute' "$work/out" || fail "rows without compute: $(cat "$work/out")"
figures "$work/size" law-line residuals
fit "$work/table.csv" -fit_law kaplan -json "$work/kaplan.json"
report "$work/kaplan.json" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
grep -q '(A/N<sup>α/β</sup> + B/D)<sup>β</sup>;' "$work/kaplan/report.html" || fail "the page does not say the law of Kaplan et al."

# Without a fit; with one arm, without cells of smaller datasets, and in the format as it was at first.
make_results one
report "$work/one" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
figures "$work/one" isoflop isoflop-core-seconds loss-compute overview
grep -q 'no figure loss-data: ' "$work/out" &&
    grep -q 'Loss against dataset size: no arm has' "$work/one/report.html" ||
    fail "does not say what is left out"

# Nothing to draw.
for preset in diverged empty; do
    make_results "$preset"
    report "$work/$preset" >"$work/out" 2>&1 || fail "$preset: $(cat "$work/out")"
    [ "$(grep -c '^no figure ' "$work/out")" = "$(wc -w <<<"$every")" ] && [ -s "$work/$preset/report.html" ] ||
        fail "$preset: $(cat "$work/out")"
done

# Bad input.
refused '^usage: '
refused "nowhere/results.h5: no such file" "$work/nowhere"
refused "nowhere.json: No such file" "$work/nowhere.json"
mkdir "$work/bad"
echo 'not HDF5' >"$work/bad/results.h5"
refused 'bad/results.h5: not an HDF5 file' "$work/bad"
head -c 20000 "$work/one/results.h5" >"$work/bad/results.h5"
refused 'bad/results.h5: .*damaged' "$work/bad"
break_it() { # STATEMENT
    cp "$work/full/results.h5" "$work/bad/"
    "$python" -c "import h5py; f = h5py.File('$work/bad/results.h5', 'a'); $1"
}
break_it "f.attrs['format'] = 'other'"
refused "bad/results.h5: format is 'other': want equiscale-results-1" "$work/bad"
break_it "del f['cells/loss']"
refused 'bad/results.h5: no dataset /cells/loss' "$work/bad"
break_it "del f['curves']"
refused 'bad/results.h5: no group /curves' "$work/bad"
break_it "del f['measures/se']"
refused 'bad/results.h5: no dataset /measures/se' "$work/bad"
echo '{"format": "equiscale-fit-1", "arms": [' >"$work/one/fit.json"
refused 'one/fit.json: not a fit' "$work/one"
refused 'one/fit.json: not a fit' "$work/one/fit.json"
echo '{"format": "equiscale-fit-1", "arms": []}' >"$work/one/fit.json"
refused 'one/fit.json: no arm' "$work/one/fit.json"
rm -r "$work/one/fit.json" "$work/one/figures"
touch "$work/one/figures"
refused 'one/figures: ' "$work/one"

# A Python without the modules says which one it lacks.
"$python" -S -E analysis/report.py "$work/full" >"$work/out" 2>"$work/err"
[ $? = 2 ] && grep -qE 'no module (numpy|h5py|matplotlib): want' "$work/err" && [ "$(wc -l <"$work/err")" = 1 ] ||
    fail "without modules: $(cat "$work/err")"

# What the page looks like in a browser and on paper.
if command -v "${CHROMIUM:-chromium}" >/dev/null && command -v pdftotext >/dev/null; then
    "$python" tests/page_in_browser.py "$work/full/report.html" || fail "the page in a browser"
    "$python" tests/page_in_browser.py "$work/table/report.html" || fail "the page of a table in a browser"
    "$python" tests/page_in_browser.py docs/laptop/report.html || fail "the page of the laptop study in a browser"
else
    echo "skipped the page in a browser: want Chromium and pdftotext (Debian: chromium, poppler-utils)"
fi
