#!/usr/bin/env bash
# equiscale bench: rows for both models, well-formed, with shares that follow from the rates; the user's errors.
#   tests/test_bench.sh BUILD_DIR
set -u
cd "$(dirname "$0")/.."
top=$PWD program=$(realpath "$1")/equiscale
run="jobs/local.sh 2 $1/equiscale bench" out=$(mktemp) bad=0
expect() { # TEXT COMMAND ...: exit code 2 and a line that holds TEXT
    local text=$1 code
    shift
    "$@" >"$out" 2>&1 </dev/null
    code=$?
    [ $code = 2 ] && grep -q -- "$text" "$out" || { echo "want exit 2 and '$text', got $code:"; cat "$out"; bad=1; }
}
check='
import json, sys
document = json.load(open(sys.argv[1]))
assert all(document[k] for k in ("version", "commit", "compiler", "libraries", "host", "processor", "precision", "written"))
rows = document["rows"]
merit = document["figure_of_merit"]
assert document["verdict"] == "PASSED" and document["checks"] and all(c["passed"] for c in document["checks"]), document
assert abs(merit["share_of_peak"] - merit["gflops"] / merit["peak_gflops"]) < 1e-9 and merit["ranks"] == 2, merit
keys = sys.argv[3].split()
assert len(rows) == int(sys.argv[2]), rows
for r in rows:
    assert all(k in r for k in keys), r
    if "gflops" not in r: continue
    assert abs(r["share_of_peak"] - r["gflops"] / r["peak_gflops"]) < 2e-3 * max(1, r["share_of_peak"]) and r["ms"] > 0, r
'
$run step -model transformer,gatr -width 8 -depth 1 -batch 3 -tokens 5 -repeat 1 -tp 2 -json "$out" </dev/null || bad=1
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 2 \
    "model parameters ranks dp tp batch tokens ms gflops peak_gflops share_of_peak" || bad=1
# Every model that a study can train, the last without tensor parallelism; samples for one rank alone.
$run step -model gatr_fixed,clofnet -width 4 -depth 1 -batch 3 -tokens 7 -repeat 1 -json "$out" </dev/null || bad=1
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 2 "model parameters ms gflops" || bad=1
$run step -model clofnet -width 4 -depth 1 -batch 1 -tokens 7 -repeat 1 -json "$out" </dev/null || bad=1
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 1 "model parameters ms gflops" || bad=1
$run kernels -model transformer -width 16 -batch 2 -tokens 5 -repeat 1 -json "$out" </dev/null || bad=1
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 14 "kernel size flop bytes memory_gbytes" || bad=1
# Both models, each with its kernels; GATr's have no heads, so any width will do.
alone="$program bench kernels -batch 2 -tokens 5 -repeat 1 -json $out"
$alone -model gatr -width 3 >/dev/null </dev/null || bad=1
gatr=$(grep -c '"kernel"' "$out")
$alone -model gatr,transformer -width 16 >"$out.log" </dev/null || bad=1
[ "$gatr" -gt 0 ] && [ "$(grep -c '"kernel"' "$out")" = $((gatr + 14)) ] ||
    { echo "$gatr kernels of gatr, $(grep -c '"kernel"' "$out") of both models"; bad=1; }
grep -q '^1 rank at once' "$out.log" || { echo "one rank: $(head -n 1 "$out.log")"; bad=1; }
rm "$out.log"
folder=$(mktemp -d)
${PYTHON:-/usr/bin/python3} analysis/peers/roofline.py "$out" "$folder/roofline" && [ -s "$folder/roofline.png" ] || bad=1
rm "$folder"/*
(cd "$folder" && "$program" bench messages -repeat 1 -json - >"$out" </dev/null) || bad=1
${PYTHON:-/usr/bin/python3} -c "import json, sys; assert len(json.load(open(sys.argv[1]))['rows']) > 0" "$out" || bad=1
$run messages -repeat 1 -json "$out" </dev/null || bad=1
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 24 "collective bytes us gbytes" || bad=1
$run scaling -model transformer,gatr -width 8 -depth 1 -heads 4 -batch 2 -tokens 5 -repeat 1 -json "$out" </dev/null || bad=1
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 12 "model way ranks batch tokens step_ms efficiency rate_gflops" || bad=1
(cd "$folder" && "$top/jobs/local.sh" 2 "$program" bench io -repeat 1 -json "$out" </dev/null) || bad=1
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 4 "file bytes duration_ms mbytes_per_second" || bad=1
# What cannot be written is told, with and without a file for the rows.
mkdir "$folder/bench-io-results.h5"
for json in "" "-json $out"; do
    # shellcheck disable=SC2086  # no word or two
    (cd "$folder" && expect "bench-io-results.h5: exists and is not a file" "$program" bench io -repeat 1 $json; exit $bad) || bad=1
done
rmdir "$folder/bench-io-results.h5"
[ -z "$(ls "$folder")" ] || { echo "bench io leaves $(ls "$folder")"; bad=1; }
cat >"$folder/tiny.yaml" <<END
study: {name: tiny, folder: $folder, arms: [transformer], steps: [4], datasets: [8], test_trajectories: 4,
        validation_trajectories: 4, test_samples: 8, validation_samples: 8}
transformer: {width: [8], depth: [1], heads: [2]}
train: {batch: 4}
data: {path: $folder/data.h5, trajectories: 20, frames: 6}
END
# A verdict that fails: the same run, held to a loss that nobody reaches.
$run study "$folder/tiny.yaml" -study_name strict -loss_max 1e-9 -json "$out" >"$folder/log" </dev/null
[ $? = 1 ] && tail -n 1 "$folder/log" | grep -qE '^equiscale: INVALID strict ranks=2 share=[0-9.]+( J=[0-9.e+]+)? GFLOP/s=[0-9.e+-]+$' &&
    grep -q '^check: test losses are above 0 and at most 1e-09: FAILED$' "$folder/log" && grep -q '"verdict": "FAILED"' "$out" ||
    { echo "want a verdict that fails:"; cat "$folder/log"; bad=1; }
$run study "$folder/tiny.yaml" -json "$out" >"$folder/log" </dev/null || bad=1
tail -n 1 "$folder/log" | grep -q '^equiscale: VALID tiny ranks=2 ' || { echo "the last line:"; tail -n 1 "$folder/log"; bad=1; }
${PYTHON:-/usr/bin/python3} -c "$check" "$out" 1 "study cells ranks ms gflops peak_gflops share_of_peak" || bad=1
expect "nothing is left to run" $run study "$folder/tiny.yaml"
expect "want step, kernels, messages, scaling, io or study" $run steps
expect "tp = 3: want a divisor of the 2 ranks" $run step -tp 3
expect "key width_s has no effect: want -model gatr" $run step -model transformer -width_s 3
expect "key heads has no effect: want -model transformer|gatr|gatr_fixed beside it" $run step -model clofnet -heads 2
expect "model = gart: want one of transformer|gatr|gatr_fixed|clofnet$" $run step -model gart
expect "model = clofnet: want transformer or gatr" $run kernels -model clofnet
expect "clofnet: tp = 2" $run step -model clofnet -tp 2
expect "width 2 with 3 heads" $run scaling -model transformer -width 2 -heads 3
expect "key heads has no effect: want -model transformer" $run kernels -model gatr -width 4 -heads 2
expect "key loss_max has no effect" $run io -loss_max 1
expect "key repeat has no effect" $run study "$folder/tiny.yaml" -repeat 3
$program help bench | grep -q -- '-loss_max .*; default 1.2' || { echo "help bench: no loss_max"; bad=1; }
expect "unknown key widht" $run step -widht 3
expect "does not divide 3 heads" $run step -model transformer -heads 3 -width 9 -tp 2
expect "$folder/nowhere/x: .*want a path that can be written" $run step -json "$folder/nowhere/x"
# The job runs all, whatever one of them says, and ends with that code. A scheduler and a program in name only.
mkdir "$folder/bin"
printf '#!/bin/sh\necho "   NumNodes=1 NumTasks=4 CPUs/Task=3"\necho "   Command=%s x.yaml"\n' "$top/jobs/bench.sbatch" \
    >"$folder/bin/scontrol"
printf '#!/bin/sh\necho "$2"\n[ "$2" != messages ]\n' >"$folder/bin/program"
chmod +x "$folder/bin/scontrol" "$folder/bin/program"
said=$(PATH=$folder/bin:$PATH SLURM_JOB_ID=1 EQUISCALE=$folder/bin/program EQUISCALE_LAUNCH=env bash jobs/bench.sbatch x.yaml)
code=$?
[ $code = 1 ] && [ "$(tr '\n' ' ' <<<"$said")" = "kernels messages io scaling step study " ] || { echo "bench.sbatch ($code): $said"; bad=1; }
# It says where --ntasks starts fewer ranks than there is room for, and srun has the processors of each from it.
printf '#!/bin/sh\necho "$SRUN_CPUS_PER_TASK"\n' >"$folder/bin/program"
said=$(PATH=$folder/bin:$PATH SLURM_JOB_ID=1 SLURM_NTASKS=2 SLURM_CPUS_PER_TASK=3 EQUISCALE=$folder/bin/program EQUISCALE_LAUNCH=env \
    bash jobs/bench.sbatch)
grep -q -- '--ntasks=2 starts fewer ranks than the 4' <<<"$said" && [ "$(grep -cx 3 <<<"$said")" = 5 ] ||
    { echo "bench.sbatch: $said"; bad=1; }
rm -rf "$out" "$folder"
exit $bad
