#!/usr/bin/env bash
# equiscale verify and fit end to end: published answers where the tables are, synthetic laws where they are not; what a
# user who errs is told.
set -u
build=$1
bad=0
complain() { echo "$*"; bad=1; }
run() { jobs/local.sh 2 "$build/equiscale" "$@"; }

# Published answers where the tables are; laws made up on the spot everywhere.
present=() absent=()
for name in chinchilla gemstones gadre_overtraining muennighoff_datablations; do
    table=../shared/data/$name.csv
    if [ -e "$table" ]; then present+=("$table"); else absent+=("$name.csv"); fi
done
[ ${#absent[@]} = 0 ] || echo "skipped: published tables not in ../shared/data: ${absent[*]}"
out=$(run verify "${present[@]}") || complain "verify fails"
grep -E 'FAILED' <<<"$out"
passed=$(grep -cE 'PASSED$' <<<"$out")
grep -qx "$passed passed, 0 failed" <<<"$out" || complain "summary: $(tail -n 1 <<<"$out"), $passed lines PASSED"
[ "$passed" -ge 9 ] || complain "$passed checks of synthetic laws, want 9"
[ ${#absent[@]} -gt 0 ] || [ "$passed" -ge 208 ] || complain "$passed checks with all tables here, want 208"
[ ${#present[@]} -gt 0 ] || grep -q 'synthetic laws only' <<<"$out" || complain "does not say that no tables were given"
echo "measured: $(tail -n 1 <<<"$out") over ${#present[@]} published tables (${present[*]##*/}) and a synthetic law"

# A table of a known law: its coefficients within their own intervals, the same to rounding on 1 and 3 ranks.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
awk 'BEGIN { print "size,tokens,value,who"; srand(1)
    for (i = 0; i < 7; i++) for (j = 0; j < 7; j++) for (m = 0; m < 2; m++) {
        n = 1e7 * 2 ^ i; d = 1e9 * 2 ^ j; z = 0
        for (k = 0; k < 12; k++) z += rand(); z = 0.003 * (z - 6)
        printf "%.9g,%.9g,%.12g,arm%d\n", n, d, (1.5 + (1 + m) * 300 / n ^ 0.34 + 1500 / d ^ 0.36) * exp(z), m } }' >"$folder/law.csv"
columns=(-fit_columns_n size -fit_columns_d tokens -fit_columns_loss value -fit_columns_arm who -fit_bootstraps 200 -fit_starts few)
for ranks in 1 3; do
    jobs/local.sh $ranks "$build/equiscale" fit "$folder/law.csv" "${columns[@]}" -fit_surrogate false -json "$folder/$ranks.json" >/dev/null ||
        complain "fit on $ranks ranks"
done
${PYTHON:-/usr/bin/python3} - "$folder/1.json" "$folder/3.json" <<'PY' || complain "the file for programs"
import json, sys
fit, other = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
def same(x, y, key=""):
    """To rounding: BLIS sums short vectors in an order that depends on where they lie in memory."""
    if isinstance(x, dict): return x.keys() == y.keys() and all(same(x[k], y[k], k) for k in x)
    if isinstance(x, list): return len(x) == len(y) and all(same(a, b, key) for a, b in zip(x, y))
    if isinstance(x, float) and key not in ("gradient", "varpro_gap", "seconds_fit", "seconds_spread"): return abs(x - y) <= 1e-7 * abs(x) + 1e-9 or print(key, x, y)
    return type(x) is float or x == y or print(key, x, y)
assert same(fit, other), "1 and 3 ranks differ"
assert [a["name"] for a in fit["arms"]] == ["arm0", "arm1"], "arms"
truth = {"E": 1.5, "B": 1500, "alpha": 0.34, "beta": 0.36, "a": 0.36 / 0.7, "b": 0.34 / 0.7}
for arm in fit["arms"]:
    assert arm["status"] == "converged" and arm["rows"] == 49, arm["status"]
    outside = [k for k, v in truth.items() if not arm["interval"][k][0] <= v <= arm["interval"][k][1]]
    assert len(outside) <= 2, outside
pair = fit["comparisons"][0]
assert pair["exponents"]["p"] > 0.001 and pair["currencies"]["nominal"]["multiplier"] > 1, pair
PY

# A table by a published name that holds something else: told line by line, and exit code 1.
awk -F, 'NR == 1 { print "N,D,loss,keep" } NR > 1 && $4 == "arm0" { print $1 "," $2 "," $3 ",1" }' "$folder/law.csv" >"$folder/chinchilla.csv"
out=$(run verify "$folder/chinchilla.csv")
code=$?
[ $code = 1 ] || complain "verify of another table: exit code $code, want 1"
failed=$(grep -cE 'FAILED$' <<<"$out")
[ "$failed" -gt 20 ] && grep -q " passed, $failed failed" <<<"$out" || complain "verify of another table: $(tail -n 1 <<<"$out")"

refused() { # EXPECTED ARGS ...
    local expected=$1 text code
    shift
    text=$(run "$@" 2>&1 >/dev/null)
    code=$?
    [ $code = 2 ] || complain "$*: exit code $code, want 2"
    grep -q -- "$expected" <<<"$text" || complain "$*: $text"
}
refused 'no-such.csv: No such file' fit no-such.csv
refused 'want results.h5 or CSV files' fit
refused 'no column N' fit "$folder/law.csv"
refused 'fit.delta = -1: want a number' fit "$folder/law.csv" "${columns[@]}" -fit_delta -1
refused 'unknown key fit_nonsense' fit "$folder/law.csv" "${columns[@]}" -fit_nonsense 1
refused 'want paths of tables only' verify -x
refused 'no-such/gemstones.csv: No such file' verify no-such/gemstones.csv
refused 'no published answers' verify "$folder/law.csv"
refused 'want a path that can be written' fit "$folder/law.csv" "${columns[@]}" -fit_surrogate false -json "$folder/no/where.json"
exit $bad
