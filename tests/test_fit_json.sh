#!/usr/bin/env bash
# What `fit -json` writes is what docs/fitting.md says it writes, key by key and both ways: one arm and several, every
# currency and one, with and without the surrogate, arms apart and sharing.  usage: tests/test_fit_json.sh BUILD_DIR
set -u
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
awk 'BEGIN { print "params,D,loss,arm,executed,seconds,test"; print "1e7,1e9,running,arm0,1,1,"; srand(2)
    for (i = 0; i < 6; i++) for (j = 0; j < 6; j++) for (m = 0; m < 2; m++) {
        n = 1e7 * 3 ^ i; d = 1e9 * 3 ^ j; z = 1 + 0.004 * (rand() - 0.5)
        loss = (1.5 + (1 + m) * 300 / n ^ 0.34 + 1500 / d ^ 0.36) * z
        printf "%.9g,%.9g,%.9g,arm%d,%.9g,%.9g,%d\n", n, d, loss, m, 7 * n * d, 1e-12 * n * d, i + j == 8 } }' >"$folder/two.csv"
awk -F, '$4 != "arm1"' "$folder/two.csv" >"$folder/one.csv"
fit() { # NAME TABLE ARGS ...
    local name=$1 table=$2
    shift 2
    jobs/local.sh 2 "$build/equiscale" fit "$folder/$table.csv" -fit_details -fit_columns_arm arm -fit_bootstraps 40 -fit_starts few "$@" \
        -json "$folder/$name.json" >"$folder/$name.txt" || exit 1
}
fit apart two -fit_columns_holdout test -fit_columns_executed executed -fit_columns_core_seconds seconds
fit sharing two -fit_exponents shared -fit_e shared -fit_surrogate false
fit alone one -fit_e zero -fit_objective log

# A study with training sets of two sizes.
cat >"$folder/study.yaml" <<END
study: {name: tiny, folder: $folder, arms: [transformer, gatr, transformer_augerino, transformer_shared], steps: [2, 4, 8], seeds: [1, 2], repeat: true, datasets: [2, 4],
  data_steps: [4], data_seeds: [1, 2], test_trajectories: 2, validation_trajectories: 2, measures: [invariance, correlation]}
transformer: {width: [8, 16], depth: [1, 1], heads: [2, 2]}
gatr: {width: [2, 3], depth: [1, 1], heads: [1, 1]}
train: {batch: 4, evaluations: 1}
data: {path: $folder/data.h5, trajectories: 8, frames: 6, bodies_min: 3, bodies_max: 3, vertices: 8}
fit: {bootstraps: 40, starts: few, objective: log, budgets: [1e7, 1e8]}
END
jobs/local.sh 2 "$build/equiscale" run "$folder/study.yaml" >"$folder/run.txt" || exit 1
jobs/local.sh 2 "$build/equiscale" fit "$folder/tiny/results.h5" -json "$folder/study.json" >"$folder/study.txt" || exit 1

# A results file is fitted with its study's options where the command line gives none, to the answer that the run gave.
options() { # LINE ARGUMENT ...: a fit with these says this line
    local line=$1
    shift
    jobs/local.sh 1 "$build/equiscale" fit "$folder/tiny/results.h5" -fit_bootstraps 2 "$@" >"$folder/options.txt"
    grep -qxF "$line" "$folder/options.txt"
}
grep -qx 'options of the study: -fit.objective=log -fit.starts=few -fit.bootstraps=40 -fit.budgets=10000000,100000000' "$folder/study.txt" || exit 1
cmp <(sed -n '/^Data/,$p' "$folder/run.txt") <(sed -n '/^Data/,$p' "$folder/study.txt") || exit 1
options 'options of the study: -fit.starts=few -fit.budgets=10000000,100000000' -fit_objective huber || exit 1
grep -q 'Huber on log loss' "$folder/options.txt" || exit 1
# Options of a study that have no effect are no mistake of the command line; neither are those of the fit that is made again.
sed 's/budgets: .*/delta: 1e-4, surrogate: false, surrogate_points: 100, columns: {seed: seed}}/' "$folder/study.yaml" >"$folder/idle.yaml"
jobs/local.sh 1 "$build/equiscale" run "$folder/idle.yaml" -study_name idle -study_arms gatr >"$folder/idle.txt" || exit 1
jobs/local.sh 1 "$build/equiscale" fit "$folder/idle/results.h5" >"$folder/idle-fit.txt" || exit 1
# Of a version whose suggestions had a key more, too: where answers go is no part of them.
sed -i 's/"key": "suggest.file"/"key": "suggest.other"/' "$folder/idle/fit.json"
grep -q suggest.other "$folder/idle/fit.json" || exit 1
jobs/local.sh 1 "$build/equiscale" fit -again "$folder/idle/fit.json" -json "$folder/idle-again.json" >"$folder/idle-again.txt" || exit 1
# The answer does not depend on where the earlier one stood.
grep -q '"again"' "$folder/idle-again.json" && exit 1
for text in idle-fit idle-again; do
    cmp <(sed -n '/^Data/,$p' "$folder/idle.txt") <(sed -n '/^Data/,$p' "$folder/$text.txt") || exit 1
done
# A table of all cells is no results file, and that is said; two results files are not told to name a column.
jobs/local.sh 1 "$build/equiscale" export "$folder/tiny/results.h5" -csv "$folder/tables" >"$folder/export.txt" || exit 1
table="-fit_starts few -fit_bootstraps 2 -fit_surrogate false"
# shellcheck disable=SC2086  # words
jobs/local.sh 1 "$build/equiscale" fit "$folder/tables/cells.csv" -fit_columns_d samples $table >"$folder/cells.txt" || exit 1
grep -q 'note: .*cells.csv: cells of a results file: all are taken' "$folder/cells.txt" || exit 1
jobs/local.sh 1 "$build/equiscale" run "$folder/study.yaml" -study_name twin -study_seeds 1 >"$folder/twin.txt" || exit 1
# shellcheck disable=SC2086  # words
jobs/local.sh 1 "$build/equiscale" fit "$folder/tiny/results.h5" "$folder/twin/results.h5" $table -csv "$folder/twin.csv" >"$folder/twins.txt" || exit 1
grep -q 'no seed tells them apart' "$folder/twins.txt" || exit 1
grep -q 'fit_columns' "$folder/twins.txt" && exit 1
# The table of a paper says what its compute is in.
"${PYTHON:-/usr/bin/python3}" -c "import csv; row = next(csv.DictReader(open('$folder/twin.csv')))
assert row['reference_currency'] == 'executed' and float(row['reference_C']) > 0, row" || exit 1
grep -q 'other choices .* N\* at [^ ]* executed FLOP$' "$folder/apart.txt" || exit 1
grep -q 'for the same loss as arm0 by the laws, as a multiple' "$folder/apart.txt" || exit 1
# Those of two studies that differ are not mixed.
jobs/local.sh 2 "$build/equiscale" run "$folder/study.yaml" -study_name other -fit_e zero -study_arms gatr >"$folder/other.txt" || exit 1
options "$folder/tiny/results.h5 and $folder/other/results.h5: their studies are fitted in different ways; here by the defaults and what is given" \
    "$folder/other/results.h5" -fit_starts few -fit_surrogate false || exit 1
grep -q 'Huber on log loss' "$folder/options.txt" || exit 1
grep -qE 'other data than|with whose cells' "$folder/options.txt" && exit 1
# Losses on other trajectories are told.
jobs/local.sh 2 "$build/equiscale" run "$folder/study.yaml" -study_name elsewhere -study_arms gatr -data_seed 2 -data_path "$folder/elsewhere.h5" \
    -study_fit false >"$folder/other.txt" || exit 1
jobs/local.sh 1 "$build/equiscale" fit "$folder/tiny/results.h5" "$folder/elsewhere/results.h5" -fit_bootstraps 2 -fit_surrogate false >"$folder/options.txt"
grep -q 'other data than in the results file before it' "$folder/options.txt" || exit 1
# Cells that are trained in another way too.
jobs/local.sh 2 "$build/equiscale" run "$folder/study.yaml" -study_name clipped -study_arms gatr -train_clip 0.5 -study_fit false >"$folder/other.txt" || exit 1
jobs/local.sh 1 "$build/equiscale" fit "$folder/tiny/results.h5" "$folder/clipped/results.h5" -fit_bootstraps 2 -fit_surrogate false >"$folder/options.txt"
grep -q 'note: .*train.clip = 0.5, and [0-9.]* in the first results file, with whose cells these are fitted' "$folder/options.txt" || exit 1
for question in Data Compute Allocation Limits; do grep -q "^$question" "$folder/study.txt" || exit 1; done

# The text: no "nan", the table before the details, a line an arm, and in it the numbers of the file for programs.
grep -il '\bnan\b' "$folder"/*.txt && exit 1 # not in the name of a folder, which is drawn
${PYTHON:-/usr/bin/python3} - "$folder" <<'PY'
import json
import re
import sys
from pathlib import Path

TOKEN = re.compile(r"[A-Za-z0-9_*^]+\??|\.\.\.|[{}\[\],:]")


def schema(lines):
    """The documented keys: {key: value} for an object, [value] for an array, None for a leaf; 'key?' may be missing."""
    tokens = TOKEN.findall("\n".join(re.sub(r"(?<=\S)  +\S.*", "", line.rstrip()) for line in lines))

    def value(last):
        token = tokens.pop(0)
        if token == "...":
            return last
        if token == "[":
            inner = value(None)
            while tokens.pop(0) != "]":
                pass
            return [inner]
        if token != "{":
            return None
        keys = {}
        while tokens[0] != "}":
            key, inner = tokens.pop(0), None
            if tokens[0] == ":":
                tokens.pop(0)
                inner = value(last)
            keys[key] = last = inner
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return keys

    tree = value(None)
    assert not tokens, tokens[:10]
    return tree


seen = set()


def compare(documented, written, where):
    if isinstance(documented, dict):
        assert isinstance(written, dict), f"{where}: not an object"
        for key in written:
            assert key in documented or key + "?" in documented, f"{where}.{key} is written, not documented"
        for key, inner in documented.items():
            name = key.rstrip("?")
            assert name in written or key.endswith("?"), f"{where}.{name} is documented, not written"
            if name in written:
                seen.add(f"{where}.{name}")
                compare(inner, written[name], f"{where}.{name}")
    elif isinstance(documented, list):
        assert isinstance(written, list), f"{where}: not an array"
        for entry in written:
            compare(documented[0], entry, where + "[]")
    else:
        assert not isinstance(written, (dict, list)), f"{where}: {str(written)[:60]} is documented as one value"


def every(documented, where):
    """All documented paths."""
    if isinstance(documented, dict):
        for key, inner in documented.items():
            yield f"{where}.{key.rstrip('?')}"
            yield from every(inner, f"{where}.{key.rstrip('?')}")
    elif isinstance(documented, list):
        yield from every(documented[0], where + "[]")


text = Path("docs/fitting.md").read_text().split("## The JSON file")[1]
tree = schema([line for line in text.splitlines() if line.startswith("    ")])
folder = Path(sys.argv[1])
fits = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("apart", "sharing", "alone")}
study = json.loads((folder / "study.json").read_text())
for fit in (*fits.values(), study):
    compare(tree, fit, "")
assert [curve["arm"] for curve in study["data"]] == ["transformer", "gatr", "transformer_augerino", "transformer_shared"], study["data"]
assert len(study["data"][0]["sets"]) == 2 and len(study["limits"]) == 4
assert study["currency"] == "executed" and "trajectories of transformer" in study["questions"][0]["answer"], study["questions"]
assert {row["generator"] for row in study["widths"]} >= {"rotation_x", "shear_yz", "scale", "shift_z"}, study["widths"]
assert all(set(row["classes"]) <= set("abc ") for row in study["sharing"]), study["sharing"]
missing = {path for path in set(every(tree, "")) - seen if "joules" not in path}  # few machines say
assert not missing, f"documented, never written: {sorted(missing)}"

for name, fit in fits.items():
    lines = (folder / f"{name}.txt").read_text().splitlines()
    details = min(i for i, line in enumerate(lines) if line.startswith("----"))
    for arm in fit["arms"]:
        row = [line for line in lines[:details] if line.split()[:1] == [arm["name"]] and "held out" not in line]
        want = ["%.4g" % arm["E"], "%.4g" % arm["A"], "%.4g" % arm["B"], "%.4f" % arm["alpha"], "%.4f" % arm["beta"],
                "%.3f" % arm["a"], "[%.3f," % arm["interval"]["a"][0], "%.3f]" % arm["interval"]["a"][1],
                "%.3g" % arm["reference"]["N"], "[%.3g," % arm["reference"]["interval"]["N"][0],
                "%.3g]" % arm["reference"]["interval"]["N"][1], *arm["status"].split()]
        assert row and row[0].split()[1:] == want, (row, want)
        assert len(row) == (1 if fit["arms"][0] is arm else 2), row
        proof = arm["certificate"]
        assert abs(proof["varpro_gap"]) < 1e-9 and len(proof["sensitivity"]) > 10, proof
        assert all(p["influence"] is not None for p in arm["points"])
    for pair in fit["comparisons"]:
        found = pair["currencies"]["nominal"]
        assert any("%.3g [%.3g, %.3g]" % (found["multiplier"], *found["interval"]) in line for line in lines[:details])
PY
