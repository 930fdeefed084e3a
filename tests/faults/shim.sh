#!/usr/bin/env bash
# Every call on a file goes wrong once: a small study is run with the n-th one failing, for n = 1, 2, 3, ... until a run is
# left untouched. Wanted: exit code 0, 2 or 75 with at most one line, or the kill that was asked for (75 where it hit a child
# process); never a signal of its own, never a hang; and afterwards, undisturbed, the numbers to the last bit.
# shim.sh BUILD_DIR SECONDS [STRIDE [HOW...]]
# STRIDE: every so manieth call only. HOW: what goes wrong (shim.c); default: each kind.
set -u
build=$1 seconds=$2 stride=${3:-1} hows=${*:4}
. tests/faults/lib.sh
# One rank alone starts no daemon (under srun they would all be alone), and asks for no network.
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self
trap 'rm -rf "$here"' EXIT
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O1 -shared -fPIC tests/faults/shim.c -o "$here/shim.so" -ldl || exit 1
workers=$(nproc)
# What a worker finds wrong is told of at once, and makes the script fail.
fail() { echo "FAILED: $*" | tee -a "$here/failed"; }

study_file "$here/whole" 2,3
timeout 300 "$build/equiscale" run "$here/whole/s.yaml" >"$here/log" 2>&1 || { cat "$here/log"; exit 1; }
wanted=$(digest "$here/whole")
end=$((SECONDS + seconds))

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
    [ -s "$at.log" ] || { rm -rf "$at"*; return 1; }
    echo $code >>"$here/$1.codes"
    case $1-$code in
    KILL-75 | KILL-137 | [EFS]*-0 | [EFS]*-2 | [EFS]*-75) ;;
    *) fail "$1 at $(cat "$at.log"): exit code $code: $(tail -n 1 "$at.err")" ;;
    esac
    # MPI-IO speaks for itself too.
    [ "$(grep -vc -E '^(\[[^]]*\] )?mca_' "$at.err")" -le 1 ] || [ $code = 137 ] || fail "$1 at $(cat "$at.log"): $(cat "$at.err")"
    again "$at" || echo "  after $1 at $(cat "$at.log")"
    [ ! -e "$at/runs/s/results.h5" ] || mv "$at/runs/s/results.h5" "$here/$1/$2.h5"
    rm -rf "$at" "$at".*
}

work() { # HOW FIRST: this one and each so manieth after it
    local n=$2
    # All ranks that are alone have folders of one name, which those that end remove while others make them.
    export OMPI_MCA_orte_tmpdir_base=$here/mpi-$2
    mkdir -p "$OMPI_MCA_orte_tmpdir_base"
    while [ $SECONDS -lt $end ]; do
        one "$1" "$n" || return 0
        n=$((n + stride * workers))
    done
    touch "$here/$1.late"
}

# The results of all points of one kind, in one process: they are many.
compare() { # HOW
    local file digits
    for file in "$here/$1"/*.h5; do
        read -r digits
        [ "$digits" = "$wanted" ] || fail "$1 at call $(basename "$file" .h5): other numbers than undisturbed"
    done < <("$python" tests/digest.py "$here/$1"/*.h5)
}

for how in ${hows:-KILL EIO ENOSPC FULL SHORT}; do
    mkdir "$here/$how"
    : >"$here/$how.codes"
    for worker in $(seq 0 $((workers - 1))); do work "$how" $((1 + worker * stride)) & done
    wait
    [ ! -s "$here/$how.codes" ] || compare "$how"
    [ -e "$here/$how.late" ] && whole="until the time was over" || whole="to the last"
    echo "measured $how: $(wc -l <"$here/$how.codes") calls, each $stride, $whole;" \
        "exit code and how often: $(sort -n "$here/$how.codes" | uniq -c | awk '{ printf "%s%s %s", s, $2, $1; s = ", " }')"
done
[ ! -e "$here/failed" ]
