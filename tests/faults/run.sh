#!/usr/bin/env bash
# The whole suite of disturbances, in about SECONDS: run.sh BUILD_DIR SECONDS. `make faults`; docs/reliability.md has what is
# promised and the figures of the last full run.
set -u
cd "$(dirname "$0")/../.."
build=$1 seconds=$2 bad=0
part() { # SHARE COMMAND...: with that many hundredths of the time
    local limit=$((seconds * $1 / 100))
    shift
    echo "== $*, $limit s"
    timeout $((limit + 600)) "${@//LIMIT/$limit}" || { echo "FAILED: $1"; bad=1; }
}
part 5 bash tests/test_hostile.sh "$build"
part 1 bash tests/faults/space.sh "$build"
part 1 bash tests/faults/poor.sh "$build"
part 44 bash tests/faults/shim.sh "$build" LIMIT
part 25 bash tests/faults/kills.sh "$build" LIMIT 240
part 5 bash tests/faults/limit.sh "$build"
# All cases take half an hour, whatever the time; those that are tested always, a minute.
cases=
[ "$seconds" -lt 1800 ] || cases=all
part 20 bash tests/test_slurm.sh "$build" ${cases:+"$cases"}
[ $bad = 0 ] && echo "faults: none was lost"
exit $bad
