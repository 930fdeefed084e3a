#!/usr/bin/env bash
# equiscale fit -suggest: the study file that it writes plans the cells that it names, and is the study's in all else.
#   tests/test_suggest.sh BUILD_DIR
set -u
cd "$(dirname "$0")/.."
program=$(realpath "$1")/equiscale work=$(mktemp -d) bad=0
trap 'rm -rf "$work"' EXIT
fail() {
    echo "$*"
    bad=1
}
"${PYTHON:-/usr/bin/python3}" tests/make_results.py "$work" full || exit 1
cd "$work" || exit 1
suggest() { "$program" fit results.h5 -fit_bootstraps 100 -fit_starts few -fit_objective log -suggest 4 "$@" </dev/null 2>&1; }

# A budget at which all that helps are sizes that were run.
suggest -suggest_budget 1e12 -suggest_file next.yaml >log || fail "fit -suggest: $(cat log)"
grep -q '^  written to next.yaml$' log || fail "no file: $(grep -A 9 'cells to run' log)"
"$program" plan next.yaml -csv plan.csv >plan.log 2>&1 </dev/null || fail "plan: $(cat plan.log)"
sed -nE 's/^#   ([a-z_]+) +N .* D +([0-9]+) .* steps +([0-9]+) .*/\1,\3/p' next.yaml | sort -u >wanted
[ "$(wc -l <wanted)" -ge 2 ] || fail "the file names no cells: $(head -n 8 next.yaml)"
cut -d , -f 2,6 plan.csv | sed -n '2,$p' | sort -u >planned
[ -z "$(comm -23 wanted planned)" ] || fail "not planned: $(comm -23 wanted planned)"
grep -qvE '^[^,]*,[a-z_]+,grid,' <(sed 1d plan.csv) && fail "other cells than a grid: $(cat plan.csv)"
"$program" keys next.yaml </dev/null >keys.log 2>&1 || fail "keys: $(cat keys.log)"
for line in 'train.batch +16' 'gatr.increase +2' 'study.name +"<synthetic>"' 'study.datasets +\[3000\]' 'fit.objective +log'; do
    grep -qE "^ +$line( |$)" keys.log || fail "want $line: $(grep -E "${line%% *}" keys.log)"
done
suggest -suggest_budget 1e12 -suggest_file next.yaml >log && fail "an existing file is replaced"
grep -q 'next.yaml: exists already' log || fail "an existing file: $(tail -n 2 log)"

# A file without a record of its study still names the cells.
"${PYTHON:-/usr/bin/python3}" -c 'import h5py; h5py.File("results.h5", "a")["provenance"].attrs.pop("study.name")' || exit 1
suggest -suggest_budget 1e12 -suggest_file other.yaml >log || fail "without a record: $(cat log)"
grep -q 'not written to other.yaml: the results file does not say of which study it is' log || fail "without a record: $(tail -n 3 log)"
[ -e other.yaml ] && fail "other.yaml is written"
exit $bad
