#!/usr/bin/env bash
# Two nodes on this machine, each with a name, a temporary folder and shared memory of its own, by namespaces of Linux: a study
# comes to what it comes to on one node; and one node that has little memory to share, or no room for files. test_nodes.sh BUILD_DIR
set -u
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. tests/faults/lib.sh
trap 'rm -rf "$here"' EXIT
# What Open MPI starts its own processes by: HOST COMMAND.
cat >"$here/agent" <<END
#!/bin/bash
while [[ \$1 == -* ]]; do shift; done
host=\$1
shift
exec unshare --uts --mount bash -c 'hostname "\$1" && mount -t tmpfs none /dev/shm && mount -t tmpfs none "$here/tmp" &&
    export TMPDIR="$here/tmp" && eval "\$2"' - "\$host" "\$*"
END
chmod +x "$here/agent"
mkdir "$here/tmp"
if ! "$here/agent" n1 true 2>"$here/err"; then echo "skipped: no namespaces: $(head -n 1 "$here/err")"; exit 0; fi
nodes() { # RANKS COMMAND...: half of the ranks on each
    local n=$1
    shift
    timeout 300 mpiexec --mca plm rsh --mca plm_rsh_agent "$here/agent" --host "n1:$((n / 2)),n2:$((n / 2))" \
        --mca hwloc_base_binding_policy none --mca mpi_yield_when_idle 1 -x TMPDIR="$here/tmp" -n "$n" "$@"
}
if [ "$(nodes 2 hostname 2>"$here/err" | sort | tr '\n' ' ')" != "n1 n2 " ]; then
    echo "skipped: no two nodes of Open MPI: $(head -n 1 "$here/err")"
    exit 0
fi

study_file "$here/one" 2,3,50,400
jobs/local.sh 1 "$build/equiscale" run "$here/one/s.yaml" >"$here/log" 2>&1 || fail "one node: $(cat "$here/log")"
study_file "$here/two" 2,3,50,400
nodes 2 "$build/equiscale" plan "$here/two/s.yaml" >"$here/log" 2>&1 || fail "plan: $(cat "$here/log")"
grep -q 'on 2 ranks, 2 nodes of this machine' "$here/log" || fail "plan: $(cat "$here/log")"
[ ! -e "$here/two/data.h5" ] || fail "plan makes the data"
nodes 4 "$build/equiscale" run "$here/two/s.yaml" >"$here/log" 2>&1 || fail "run: $(cat "$here/log")"
[ "$(digest "$here/two")" = "$(digest "$here/one")" ] || fail "other numbers on two nodes"
# One cell over both.
nodes 4 "$build/equiscale" run "$here/two/s.yaml" -study_name wide -layout_dp 4 >"$here/log" 2>&1 || fail "dp 4: $(cat "$here/log")"
grep -q ' on 4 x 1 ' "$here/log" || fail "dp 4: $(cat "$here/log")"

# A node whose /dev/shm holds what one of two groups of ranks shares: no rank is killed by memory that is not there.
study_file "$here/small" 5,6
sed -i -e 's/width: \[8\], depth: \[1\]/width: [128], depth: [2]/' -e 's/dp: 1/dp: 2/' "$here/small/s.yaml"
unshare --mount bash -c 'mount -t tmpfs -o size=2000k none /dev/shm && exec "$@"' - \
    jobs/local.sh 4 "$build/equiscale" run "$here/small/s.yaml" >"$here/log" 2>&1 || fail "small /dev/shm: $(cat "$here/log")"
[ "$(grep -c '/dev/shm: .* wanted for sums of a few ranks' "$here/log")" = 1 ] || fail "small /dev/shm: $(cat "$here/log")"
# One whose temporary folder is full: the launcher would wait for ever.
TMPDIR=$here/tmp unshare --mount bash -c 'mount -t tmpfs -o size=7m none "$TMPDIR" && exec "$@"' - \
    timeout 60 jobs/local.sh 4 "$build/equiscale" status "$here/small/s.yaml" >"$here/log" 2>&1
[ $? = 75 ] && grep -q "^jobs/local.sh: $here/tmp: [0-9]* KiB are free, MPI needs 9000: want more" "$here/log" ||
    fail "small TMPDIR: $(cat "$here/log")"
exit $bad
