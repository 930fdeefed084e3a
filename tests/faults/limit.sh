#!/usr/bin/env bash
# A cell that takes ten times what a job may, each job being the same command again. Wanted: it gets done, to the numbers of an
# undisturbed run; every job saves and ends soon after its time is up. limit.sh BUILD_DIR [SECONDS]
# SECONDS: that a job may take.
set -u
build=$1 limit=${2:-10}
. tests/faults/lib.sh
trap 'rm -rf "$here"' EXIT
now() { date +%s%N; }
run() { timeout 3600 "$build/equiscale" run "$here/s.yaml" "$@" >"$here/out" 2>"$here/err"; }

study_file "$here" "$(steps_taking $((10 * limit)))"
run -study_name whole || { cat "$here/err"; exit 1; }
limit=$("$python" -c "import h5py; print(h5py.File('$here/runs/whole/results.h5')['cells/seconds'][:].max() / 10)")

jobs=0 code=75 latest=0
while [ $code = 75 ] && [ $jobs -lt 50 ]; do
    start=$(now)
    run -study_name short -run_limit "$limit"
    code=$?
    jobs=$((jobs + 1))
    [ $code != 75 ] || grep -q '^run.limit: stopped and saved' "$here/err" || fail "job $jobs: $(cat "$here/err")"
    late=$(awk -v ns=$(($(now) - start)) -v limit="$limit" 'BEGIN { printf "%.1f", ns / 1e9 - limit }')
    [ $code = 75 ] && latest=$(printf '%s\n%s\n' "$latest" "$late" | sort -g | tail -n 1)
done
[ $code = 0 ] || fail "exit code $code after $jobs jobs: $(cat "$here/err")"
for name in whole short; do "$python" tests/digest.py "$here/runs/$name/results.h5"; done | uniq | wc -l | grep -qx 1 ||
    fail "other numbers than undisturbed"
echo "measured a cell of ten times $limit s: $jobs jobs, of which the slowest was gone $latest s after its time was up"
exit $bad
