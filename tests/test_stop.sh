#!/usr/bin/env bash
# TEST alone
# Stopping and dying: each signal and the time limit save the cell and end with 75; a cell longer than the limit is done by
# submitting again, with the numbers of an undisturbed one; a killed run's mark is taken over; a cell whose process crashes
# again and again is set aside while the others get done; a rank that is stopped ends the job. test_stop.sh BUILD_DIR
set -u
build=$1
python=${PYTHON:-/usr/bin/python3}
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
eq=$build/equiscale
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
export PMIX_MCA_psec=native

cat >"$here/study.yaml" <<END
study: {folder: $here/runs, arms: [transformer], steps: [30, 150000], datasets: [20], test_trajectories: 4,
    validation_trajectories: 2, test_samples: 8, validation_samples: 8, fit: false, measures: []}
transformer: {width: [8], depth: [1], heads: [2]}
train: {batch: 2}
data: {path: $here/data.h5, trajectories: 26, frames: 6, bodies_max: 3}
END
run() { "$eq" run "$here/study.yaml" -study_name "$@"; }
checkpoint() { echo "$here/runs/$1/cells/transformer-w8x1h2-t150000-n20-r1.checkpoint"; }

# Waits until a run of study $1 is in the middle of its long cell: the mark has its process, $2 where that is known.
begun() {
    for _ in $(seq 1200); do
        grep -q "^pid = ${2:-}" "$here/runs/$1/cells/transformer-w8x1h2-t150000-n20-r1.running" 2>/dev/null && sleep 0.3 &&
            return
        sleep 0.05
    done
    fail "$1: the cell does not begin: $(cat "$here/$1.log")"
}

# Losses, curves and compute of two studies are the same, bit for bit.
same() {
    "$python" - "$here/runs/$1/results.h5" "$here/runs/$2/results.h5" <<'END' || fail "$2: not what $1 has"
import sys, h5py
a, b = (h5py.File(name) for name in sys.argv[1:])
for column in "cells/id cells/loss cells/validation_loss cells/tokens cells/flop_executed curves/loss curves/train_loss".split():
    assert (a[column][...] == b[column][...]).all(), (column, a[column][...], b[column][...])
END
}

# A log file hears of a long cell while it is at work.
run whole -run_say 0.1 >"$here/log" 2>&1 || fail "undisturbed: $(cat "$here/log")"
said=$(grep -cE '[01] of 2 cells done; transformer-w8x1h2-t150000-n20-r1 step [0-9]+ of 150000; about .* left' "$here/log")
[ "$said" -ge 3 ] || fail "$said lines from a cell at work: $(cat "$here/log")"

# Every signal: saved, 75, one line that says so; the next run goes on.
for signal in TERM INT USR1 XCPU HUP; do
    # Background jobs of a script ignore SIGINT; the program catches it all the same.
    "$eq" run "$here/study.yaml" -study_name $signal >"$here/$signal.log" 2>&1 &
    pid=$!
    begun $signal $pid
    kill -$signal $pid
    wait $pid
    code=$?
    [ $code = 75 ] || fail "SIG$signal: exit code $code: $(cat "$here/$signal.log")"
    [ "$(grep -c "^SIG$signal: stopped and saved" "$here/$signal.log")" = 1 ] || fail "SIG$signal: $(cat "$here/$signal.log")"
    grep -q ' cells\? and parts of 1 in ' "$here/$signal.log" || fail "SIG$signal: $(cat "$here/$signal.log")"
    [ -e "$(checkpoint $signal)" ] || fail "SIG$signal: no checkpoint"
    [ -z "$(find "$here/runs/$signal" -name '*.running' -o -name '*.tmp.*')" ] || fail "SIG$signal leaves marks"
done
run TERM >"$here/log" 2>&1 || fail "after SIGTERM: $(cat "$here/log")"
same whole TERM
[ ! -e "$(checkpoint TERM)" ] || fail "the checkpoint of a finished cell is still there"
"$python" -c "
import h5py; attempts = h5py.File('$here/runs/TERM/results.h5')['cells/attempts'][...]
assert sorted(attempts) == [1, 2], attempts" || fail "attempts"

# The launcher of this machine hands SIGTERM on.
jobs/local.sh 2 "$eq" run "$here/study.yaml" -study_name launched -layout_dp 2 >"$here/launched.log" 2>&1 &
pid=$!
begun launched
kill -TERM $pid
wait $pid
code=$?
[ $code = 75 ] || fail "SIGTERM to the launcher: exit code $code: $(cat "$here/launched.log")"
[ -e "$(checkpoint launched)" ] || fail "SIGTERM to the launcher: no checkpoint"

# Where it does not listen yet, nothing has begun.
printf '#!/bin/sh\nexec sleep 60\n' >"$here/deaf"
chmod +x "$here/deaf"
MPIEXEC=$here/deaf jobs/local.sh 2 "$eq" run "$here/study.yaml" -study_name deaf >"$here/log" 2>&1 &
pid=$!
for _ in $(seq 200); do
    pgrep -P $pid -x sleep >/dev/null && break
    sleep 0.1
done
kill -TERM $pid
wait $pid
code=$?
[ $code = 75 ] && grep -q 'stopped before the program began' "$here/log" || fail "a launcher that is deaf: $code: $(cat "$here/log")"

# A limit in which no cell gets to its first checkpoint is refused, and the line says which one is enough: by that a cell that is
# longer is done by submitting again.
run limit -run_limit 0.001 >"$here/log" 2>&1
code=$?
enough() { sed -n 's/^run.limit comes after .* s to its first checkpoint: want at least \([0-9]*\) s$/\1/p' "$here/log"; }
limit=$(enough)
[ $code = 2 ] && [ -n "$limit" ] || fail "a limit that nothing can meet: exit code $code: $(cat "$here/log")"
for n in $(seq 100); do
    run limit -run_limit "$limit" >"$here/log" 2>&1
    code=$?
    # What else runs here may have made the start slower.
    if [ $code = 2 ] && [ "$(enough)" -gt "$limit" ]; then limit=$(enough); continue; fi
    [ $code = 75 ] || break
    grep -q "^run.limit: stopped and saved" "$here/log" || fail "limit: $(cat "$here/log")"
done
[ $code = 0 ] || fail "limit: exit code $code in run $n: $(cat "$here/log")"
same whole limit
echo "measured: done in $n runs of $limit s"
SLURM_JOB_END_TIME=$(($(date +%s) + 1)) run slurm >"$here/log" 2>&1
[ $? = 2 ] && grep -q '^the end of the job comes after .* s pass .* want at least [0-9]* s$' "$here/log" ||
    fail "the end of a Slurm job: $(cat "$here/log")"

# Of two cells one does not get to its first checkpoint in time, by what the forecast is made to say: the other is done all the same,
# though it comes later; then the limit is refused.
sizes() { XDG_CACHE_HOME=$here run sizes -study_steps 30 -transformer_width 8,16 -transformer_depth 1,1 -transformer_heads 2,2 "$@"; }
sizes -run_limit 0.001 >"$here/log" 2>&1
awk '/ width 16\+/ { $5 = 1e6 } { print }' "$here"/equiscale/cost-* >"$here/cost"
cp "$here/cost" "$(echo "$here"/equiscale/cost-*)"
sizes -run_limit 3600 >"$here/log" 2>&1
code=$?
[ $code = 75 ] && grep -q '^run.limit: stopped and saved, 1 of 2 cells done' "$here/log" || fail "sizes: $code: $(cat "$here/log")"
sizes -run_limit 3600 >"$here/log" 2>&1
code=$?
[ $code = 2 ] && grep -q 'want at least [0-9]\{7\} s' "$here/log" || fail "sizes again: $code: $(cat "$here/log")"

# Data that are not made in time are not begun over and over.
run data -data_path "$here/long.h5" -data_trajectories 100000 -run_limit 1 >"$here/log" 2>&1
code=$?
[ $code = 2 ] && grep -q 'left to simulate take [0-9]* s, and run.limit comes in [0-9]* s: want' "$here/log" ||
    fail "data: exit code $code: $(cat "$here/log")"
[ -z "$(find "$here" -name 'long.h5*')" ] || fail "data: $(find "$here" -name 'long.h5*') is left"

# Data that are all made when the time is up are kept: it is the cells that have no time.
run late -data_path "$here/late.h5" -run_limit 0.001 >"$here/log" 2>&1
code=$?
[ $code = 2 ] && [ -n "$(enough)" ] && [ -e "$here/late.h5" ] || fail "data in the last moment: exit code $code: $(cat "$here/log")"

# Killed, its mark stays; the next run takes it over and goes on from the last checkpoint.
"$eq" run "$here/study.yaml" -study_name killed -run_checkpoint 0.2 >"$here/killed.log" 2>&1 &
pid=$!
begun killed $pid
kill -STOP $pid # so that the cell does not end meanwhile
"$eq" status "$here/study.yaml" -study_name killed | grep -q "^running .*process $pid, heartbeat" || fail "status of a cell at work"
# Another run trains the other cell, and says who has this one.
run killed >"$here/log" 2>&1
[ $? = 75 ] && grep -q "^1 cell is at work in other runs, such as process $pid on $(hostname): the one that ends last gathers" "$here/log" ||
    fail "a cell that another run has: $(cat "$here/log")"
kill -CONT $pid
for _ in $(seq 400); do
    [ -e "$(checkpoint killed)" ] && break
    sleep 0.05
done
touch "$here/runs/killed/cells/x.h5.tmp.$(hostname).$pid"
kill -KILL $pid
wait $pid 2>/dev/null
"$eq" status "$here/study.yaml" -study_name killed >"$here/log"
grep -q '0 running' "$here/log" && [ "$(grep -c '^planned .* goes on from its checkpoint' "$here/log")" = 1 ] ||
    fail "status after a kill: $(cat "$here/log")"
run killed >"$here/log" 2>&1 || fail "after a kill: $(cat "$here/log")"
grep -q ' 1 of 2 cells to run on 1 rank.*; about .*, less what 1 checkpoint holds$' "$here/log" ||
    fail "after a kill: $(cat "$here/log")"
same whole killed
[ -z "$(find "$here/runs/killed" -name '*.running' -o -name '*.tmp.*')" ] || fail "what a killed run left is still there"

# A process that crashes in the same cell three times: the cell is set aside, the other one is done.
for n in 1 2 3; do
    "$eq" run "$here/study.yaml" -study_name crashing -run_checkpoint 1e6 >"$here/crashing.log" 2>&1 &
    pid=$!
    begun crashing $pid
    kill -SEGV $pid
    wait $pid 2>/dev/null
done
run crashing >"$here/log" 2>&1 || fail "crashing: $(cat "$here/log")"
grep -q "is set aside: its process died 3 times in a row, last by signal 11" "$here/log" || fail "crashing: $(cat "$here/log")"
"$eq" status "$here/study.yaml" -study_name crashing >"$here/log"
grep -q '1 done, 0 diverged, 1 failed' "$here/log" || fail "crashing: $(cat "$here/log")"
grep -q '^failed .*its process died 3 times' "$here/log" || fail "crashing: $(cat "$here/log")"

# A rank that is stopped hangs the others: the job is ended, and the line says which rank it was.
jobs/local.sh 2 "$eq" run "$here/study.yaml" -study_name hanging -layout_dp 2 -run_watchdog 2 >"$here/hanging.log" 2>&1 &
pid=$!
begun hanging
mapfile -t ranks < <(pgrep -P "$(pgrep -P $pid -x mpiexec)")
kill -STOP "${ranks[1]}"
wait $pid
code=$?
[ $code = 75 ] || fail "a rank that is stopped: exit code $code: $(cat "$here/hanging.log")"
[ "$(grep -c "^equiscale: rank [01] (process ${ranks[1]}, .*-t150000-n20-r1): no step in 2 s: the job ends" "$here/hanging.log")" = 1 ] ||
    fail "a rank that is stopped: $(cat "$here/hanging.log")"
for _ in $(seq 100); do
    state=$(ps -o stat= "${ranks[1]}")
    case $state in Z* | "") break ;; esac
    sleep 0.1
done
case $state in Z* | "") ;; *) fail "the stopped rank is still there: $state" ;; esac
run hanging >"$here/log" 2>&1 || fail "after a hang: $(cat "$here/log")"
