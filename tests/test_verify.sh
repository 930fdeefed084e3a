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
    jobs/local.sh $ranks "$build/equiscale" fit "$folder/law.csv" "${columns[@]}" -fit_surrogate false -json "$folder/fit.json" >/dev/null ||
        complain "fit on $ranks ranks"
    mv "$folder/fit.json" "$folder/$ranks.json"
done
${PYTHON:-/usr/bin/python3} - "$folder/1.json" "$folder/3.json" <<'PY' || complain "the file for programs"
import json, sys
fit, other = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
def same(x, y, key=""):
    """To rounding: BLIS sums short vectors in an order that depends on where they lie in memory."""
    if key == "ranks": return True  # that is what differs
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

refused() { # EXPECTED ARGS ...
    local expected=$1 text code
    shift
    text=$(run "$@" 2>&1 >/dev/null)
    code=$?
    [ $code = 2 ] || complain "$*: exit code $code, want 2"
    grep -q -- "$expected" <<<"$text" || complain "$*: $text"
}
[ -z "$(run verify no-such.csv 2>/dev/null)" ] || complain "verify prints before it refuses"
refused 'no-such.csv: No such file' fit no-such.csv
refused 'want results.h5 or CSV files' fit
refused 'no column N' fit "$folder/law.csv"
refused 'fit.delta = -1: want a number' fit "$folder/law.csv" "${columns[@]}" -fit_delta -1
refused 'unknown key fit_nonsense' fit "$folder/law.csv" "${columns[@]}" -fit_nonsense 1
refused 'want paths of tables only' verify -x
refused 'no-such/gemstones.csv: No such file' verify no-such/gemstones.csv
refused 'no published answers for columns size,tokens,value,who: want the table chinchilla' verify "$folder/law.csv"
# Not by its name, but by its content: another table of the same columns, and one with a changed number.
echo 'N,D,C,loss,keep' >"$folder/chinchilla.csv"
awk -F, 'NR > 1 && $4 == "arm0" { print $1 "," $2 "," 6 * $1 * $2 "," $3 ",1" }' "$folder/law.csv" >>"$folder/chinchilla.csv"
refused 'has the columns of chinchilla and other rows .49, digest' verify "$folder/chinchilla.csv"
if [ -e ../shared/data/gadre_overtraining.csv ]; then
    sed '20s/1/2/' ../shared/data/gadre_overtraining.csv >"$folder/gadre_overtraining.csv"
    refused 'has the columns of gadre_overtraining and other rows .104, digest' verify "$folder/gadre_overtraining.csv"
    cp ../shared/data/gadre_overtraining.csv "$folder/renamed.csv"
    run verify "$folder/renamed.csv" | grep -q 'Gadre et al. 2024' || complain "a published table under another name is not known"
fi
refused 'want a path that can be written' fit "$folder/law.csv" "${columns[@]}" -fit_surrogate false -json "$folder/no/where.json"
exit $bad
