#!/usr/bin/env bash
# Runs a program on N ranks of this machine: jobs/local.sh N PROGRAM [ARG ...]
# Works as root and with more ranks than cores, where mpiexec alone refuses. SIGTERM, SIGINT and SIGHUP reach the program as SIGUSR1,
# which mpiexec hands on at once, so that it saves and ends with its own exit code: on SIGTERM mpiexec ends everything itself.
set -u
case ${1:-} in
"" | *[!0-9]* | 0) set -- ;; # no number of ranks
esac
if [ $# -lt 2 ]; then
    echo "jobs/local.sh: want RANKS PROGRAM [ARG ...], such as jobs/local.sh 2 build/opt/equiscale run input/quick.yaml" >&2
    exit 2
fi
if ! command -v -- "$2" >/dev/null; then
    echo "jobs/local.sh: $2: no such program: want it built (make), or its path" >&2
    exit 2
fi
ranks=$1
shift
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
# Open MPI's launcher keeps two files of 4 MiB and some more there, and waits for ever where it cannot: at 7 MiB it does, at 9 not.
temporary=${TMPDIR:-/tmp}
free=$(df -Pk -- "$temporary" 2>/dev/null | awk 'NR == 2 && $2 > 0 { print $4 }')
if [ -n "$free" ] && [ "$free" -lt 9000 ]; then
    echo "jobs/local.sh: $temporary: $free KiB are free, MPI needs 9000: want more, or another TMPDIR; the same command then goes on" >&2
    exit 75
fi
# Ranks of one machine need no munge, whose client waits for seconds where its daemon does not run.
export PMIX_MCA_psec=${PMIX_MCA_psec:-native}
# Oversubscribe, and leave messages to the program.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_base_warn_component_unused=0 OMPI_MCA_orte_execute_quiet=1
# Ranks that wait must not take the core from ranks that work.
if [ "$ranks" -gt "$(nproc)" ]; then export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none; fi
# A rank by itself sees all cores, so that it can plan for more ranks.
if [ "$ranks" = 1 ]; then export OMPI_MCA_hwloc_base_binding_policy=none; fi
# mpiexec ends when this script does, however that ends. In a process group of its own the terminal's SIGINT does not reach it.
own=""
if command -v setpriv >/dev/null; then own="setpriv --pdeathsig TERM"; fi
if [ -t 0 ]; then exec </dev/null; fi
launcher="" asked=""
ask() {
    asked=1
    [ -z "$launcher" ] || kill -USR1 "$launcher" 2>/dev/null
}
trap ask TERM INT USR1 HUP
not_begun() {
    echo "jobs/local.sh: stopped before the program began; the same command goes on" >&2
    exit 75
}
[ -z "$asked" ] || not_begun
set -m
# MPIEXEC may hold options too: "mpiexec --oversubscribe".
# shellcheck disable=SC2086
$own ${MPIEXEC:-mpiexec} -n "$ranks" "$@" <&0 &
launcher=$!
set +m
# Asked in between: once it is there.
if [ "$asked" ]; then
    sleep 0.1
    ask
fi
while kill -0 "$launcher" 2>/dev/null; do wait "$launcher"; done
wait "$launcher"
code=$?
# A launcher that was asked before it listens ends of it (128 + SIGUSR1), and nothing has begun.
[ "$asked" ] && [ $code = 138 ] && not_begun
exit $code
