#!/usr/bin/env bash
# File systems of clusters that have no locks, or reserve no room, in each of the ways in which they say so. Wanted: the study is done
# as anywhere else, and the same command then finds it done. poor.sh BUILD_DIR
set -u
build=$1
. tests/faults/lib.sh
# One rank alone starts no daemon, and asks for no network.
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self
trap 'rm -rf "$here"' EXIT
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O1 -shared -fPIC tests/faults/shim.c -o "$here/shim.so" -ldl || exit 1

poor() { # FOLDER LOCKS ROOM: the study on a file system that answers so
    LD_PRELOAD=$here/shim.so FAULT_FOLDER=$1/ FAULT_LOCKS=$(number "$2") FAULT_ROOM=$(number "$3") \
        "$build/equiscale" run "$1/s.yaml" >"$1/out" 2>&1
}
number() { "$python" -c "import errno; print(getattr(errno, '$1', '$1'))"; }

study_file "$here/whole" 2,3
"$build/equiscale" run "$here/whole/s.yaml" >"$here/log" 2>&1 || { cat "$here/log"; exit 1; }
wanted=$(digest "$here/whole")
for pair in "ENOSYS ENOSYS" "EOPNOTSUPP EOPNOTSUPP" "ENOLCK EINVAL" "ENOLCK 524"; do
    at=$here/${pair// /-}
    study_file "$at" 2,3
    # shellcheck disable=SC2086  # two errors
    poor "$at" $pair || fail "$pair: $(tail -n 1 "$at/out")"
    [ "$(digest "$at" 2>&1)" = "$wanted" ] || fail "$pair: other numbers"
    # shellcheck disable=SC2086
    poor "$at" $pair || fail "$pair again: $(tail -n 1 "$at/out")"
    grep -q ' 0 of 2 cells to run' "$at/out" || fail "$pair: what is done is not found: $(cat "$at/out")"
done
[ $bad = 0 ] && echo "measured file systems without locks or reservations: 4, the numbers of any other"
exit $bad
