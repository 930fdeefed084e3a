#!/usr/bin/env bash
# Every call on a file goes wrong once: a small study is run with the n-th one failing, for n = 1, 2, 3, ... until a run is
# left untouched. Wanted: exit code 0, 2 or 75 with at most one line, or the kill that was asked for (75 where it hit a child
# process); never a signal of its own, never a hang; and afterwards, undisturbed, the numbers to the last bit.
# shim.sh BUILD_DIR SECONDS [STRIDE]
# STRIDE: every so manieth call only.
set -u
build=$1 seconds=$2 stride=${3:-1}
. tests/faults/lib.sh
export OMPI_MCA_ess_singleton_isolated=1 # one rank alone starts no daemon; under srun they would all be alone
trap 'rm -rf "$here"' EXIT
end=$((SECONDS + seconds))
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O1 -shared -fPIC tests/faults/shim.c -o "$here/shim.so" -ldl || exit 1

study_file "$here/whole" 2,3
timeout 300 "$build/equiscale" run "$here/whole/s.yaml" >"$here/log" 2>&1 || { cat "$here/log"; exit 1; }
wanted=$(digest "$here/whole")

one() { # HOW N: 1 where the run was left untouched
    local at=$here/$1-$2 code
    rm -rf "$at"
    study_file "$at" 2,3
    # bash would tell of every process that is killed, but not from in here.
    {
        timeout 60 env LD_PRELOAD="$here/shim.so" FAULT_FOLDER="$at/" FAULT_HOW="$1" FAULT_AT="$2" FAULT_LOG="$at.log" \
            "$build/equiscale" run "$at/s.yaml" >"$at.out" 2>"$at.err"
        code=$?
    } 2>/dev/null
    [ -s "$at.log" ] || return 1
    points=$((points + 1))
    case $1-$code in
    KILL-75 | KILL-137 | [EFS]*-0 | [EFS]*-2 | [EFS]*-75) codes[$code]=$((${codes[$code]:-0} + 1)) ;;
    *) fail "$1 at $(cat "$at.log"): exit code $code: $(tail -n 1 "$at.err")" ;;
    esac
    # MPI-IO speaks for itself too.
    [ "$(grep -vc '^mca_' "$at.err")" -le 1 ] || [ $code = 137 ] || fail "$1 at $(cat "$at.log"): $(cat "$at.err")"
    finish "$at" || echo "  after $1 at $(cat "$at.log")"
    rm -rf "$at"*
}

for how in KILL EIO ENOSPC FULL SHORT; do
    points=0 n=1 codes=()
    while [ $SECONDS -lt $end ]; do
        one $how $n || break
        n=$((n + stride))
    done
    [ $SECONDS -lt $end ] && whole="to the last" || whole="until the time was over"
    summary=
    for code in "${!codes[@]}"; do summary="$summary, exit code $code ${codes[$code]} times"; done
    echo "measured $how: $points calls, 1 to $n by $stride, $whole$summary"
done
exit $bad
