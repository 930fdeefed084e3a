#!/usr/bin/env bash
# TEST alone
# jobs/study.sbatch under a real Slurm, which is set up on this machine and taken down again (tests/slurm/lab.sh). Wanted each
# time: the study is done in the end, with the numbers of the undisturbed one.
#   test_slurm.sh BUILD_DIR          finish, array, quiet, launch, fault, two, nodes, options: a minute or two
#   test_slurm.sh BUILD_DIR CASE...  these
#   test_slurm.sh BUILD_DIR all      and silence, scancel, requeue, preempt, node, and limit, a cell of three times the limit: half an hour
#   test_slurm.sh BUILD_DIR tenfold  a cell of ten times the limit: another one
set -u
REQUEUES=${REQUEUES:-2} RANDOM=1
build=$(cd "$1" && pwd) cases="finish array quiet launch fault two nodes options" failed=
every="finish array quiet launch fault two nodes options silence scancel requeue preempt node limit"
[ $# -gt 1 ] && cases=${*:2}
[ "$cases" = all ] && cases=$every
cd "$(dirname "$0")/.."
. tests/faults/lib.sh
. tests/slurm/lab.sh
why=$(lab_missing)
if [ -n "$why" ]; then echo "skipped: $why: want root, and slurmctld, slurmd, slurm-client and munge installed"; exit 0; fi
trap 'lab_stop; rm -rf "$here"' EXIT
export EQUISCALE=$build/equiscale
script=$PWD/jobs/study.sbatch
lab_start "$here/lab" || exit 1

# submit FOLDER OPTION...: the number of the job, sent off from another folder than the script's, of two ranks where no option says
# how many; WITH: an option for the program
submit() {
    local at=$1 ranks=(--ntasks=2)
    shift
    case "$*" in *--ntasks*) ranks=() ;; esac
    (cd "$at" && sbatch --parsable --output="$at/log" "${ranks[@]}" "$@" "$script" "$at/s.yaml" ${WITH:+"$WITH"})
}
nothing_left() { # what cannot be asked for is not nothing
    local jobs
    jobs=$(squeue -h) && [ -z "$jobs" ]
}
trained() { [ "$(find "$1/runs/s/cells" -name '*.h5' 2>/dev/null | wc -l)" -ge "$2" ]; } # FOLDER CELLS
at_work() { [ -n "$(find "$1/runs/s/cells" -name '*.running' 2>/dev/null)" ]; } # FOLDER
waits() { [ "$(lab_state "$1")" = PENDING ]; }
runs() { [ "$(lab_state "$1")" = RUNNING ]; }

# ended FOLDER SECONDS: no job is left, and the study is what it is undisturbed
ended() {
    lab_wait "$2" nothing_left || fail "$(squeue)"
    [ "$(digest "$1" 2>&1)" = "$wanted" ] || fail "$1: $(tail -n 5 "$1/log")"
}

finish_case() { # the script of an installation, which finds its own program
    make -s --no-print-directory B="$build" install PREFIX="$here/installed" >/dev/null || fail "make install"
    script=$here/installed/share/equiscale/jobs/study.sbatch EQUISCALE='' submit "$1" --time=10 >/dev/null
    ended "$1" 300
    grep -q 'study.sbatch: the study is done' "$1/log" || fail "the log does not say that it is done"
}

array_case() { # one task does all, the others say why they do nothing
    submit "$1" --time=10 --array=1-3 >/dev/null
    ended "$1" 300
    [ "$(grep -c 'of this array has nothing to do' "$1/log")" = 2 ] || fail "array: $(cat "$1/log")"
    [ "$(grep -c ' of [0-9]* cells to run' "$1/log")" = 1 ] || fail "array: trained more than once"
}

quiet_case() { # a log without a word does not mean that nothing was done
    WITH=-quiet submit "$1" --time=10 >/dev/null
    ended "$1" 300
    grep -q 'study.sbatch: the study is done' "$1/log" || fail "quiet: $(cat "$1/log")"
    ! grep -q '^Submitted batch job' "$1/log" || fail "quiet: another job followed"
}

launch_case() { # ranks that never start, of which the launcher tells nothing: the same job starts them again; fewer ranks than places are told
    cat >"$here/launcher" <<'END'
#!/bin/sh
[ -e "$0.tried" ] || { touch "$0.tried"; exit 0; }
exec srun --mpi=pmix "$@"
END
    chmod +x "$here/launcher"
    EQUISCALE_LAUNCH=$here/launcher submit "$1" --time=10 --ntasks=1 --ntasks-per-node=2 >/dev/null
    ended "$1" 300
    grep -q -- '--ntasks=1 starts fewer ranks than the 2 that' "$1/log" || fail "launch: $(cat "$1/log")"
    grep -q 'the ranks ended without an error and without results' "$1/log" || fail "launch: $(cat "$1/log")"
    ! grep -q '^Submitted batch job' "$1/log" || fail "launch: another job followed"
}

fault_case() { # what fails each time does not use up the chain, and goes on when it is sent off again
    printf '#!/bin/sh\nexit 1\n' >"$here/launcher"
    chmod +x "$here/launcher"
    EQUISCALE_LAUNCH=$here/launcher submit "$1" --time=10 >/dev/null
    lab_wait 300 nothing_left || fail "fault: $(squeue)"
    [ "$(grep -c '^Submitted batch job' "$1/log")" = 4 ] && grep -q '5 jobs in a row ended by a fault' "$1/log" ||
        fail "fault: $(cat "$1/log")"
    submit "$1" --time=10 >/dev/null
    ended "$1" 300
}

two_case() { # two jobs with one study at once: the one that finds the other at what is left looks again later, and not again and again
    submit "$1" --time=10 >/dev/null
    lab_wait 120 at_work "$1" || fail "two: no cell is begun"
    EQUISCALE_PAUSE=10 submit "$1" --time=10 --output="$1/log2" >/dev/null
    lab_wait 120 grep -qs 'another job is at what is left of the study' "$1/log2" || fail "two: $(cat "$1/log2")"
    ended "$1" 600
    [ "$(cat "$1"/log* | grep -c 'the study is done')" -ge 1 ] || fail "two: $(cat "$1"/log*)"
}

options_case() { # the job that follows has the options of the one before it, and its srun what that takes from the environment alone
    local known=$here/known passing='Priority|Dependency|[A-Za-z]*Time|LastSchedEval|Scheduler|AllocNode:Sid'
    mkdir "$known"
    cat >"$here/launcher" <<END
#!/bin/sh
{
    scontrol show job "\$SLURM_JOB_ID" | sed -E "s/\$SLURM_JOB_ID/JOB/g; s/($passing)=[^ ]*//g"
    env | grep -E '^(SLURM_(NTASKS|HINT|DISTRIBUTION|EXPORT_ENV)|SRUN_CPUS_PER_TASK)=' | sort
} >$known/\$SLURM_JOB_ID
exit 75
END
    chmod +x "$here/launcher"
    EQUISCALE_JOBS=1 EQUISCALE_LAUNCH=$here/launcher submit "$1" --time=9 --nodes=1 --ntasks-per-node=1 --cpus-per-task=2 \
        --exclusive --exclude=n2 --nodelist=n1 --hint=nomultithread --distribution=plane=2 --nice=5 --comment="some words" \
        --job-name="a name" --no-requeue --output="$1/log-%j.txt" --error="$1/errors-%j" \
        --export=EQUISCALE,EQUISCALE_JOBS,EQUISCALE_LAUNCH >/dev/null
    lab_wait 60 nothing_left || fail "options: $(squeue)"
    [ "$(find "$known" -type f | wc -l)" = 2 ] || fail "options: $(cat "$1"/log*)"
    diff "$known"/* || fail "options: the second job is another one"
    grep -qx SRUN_CPUS_PER_TASK=2 "$known"/* && grep -qx SLURM_EXPORT_ENV=ALL "$known"/* || fail "options: srun: $(cat "$known"/*)"
}

nodes_case() { # ranks on both nodes, as many as they are told to have each
    submit "$1" --time=10 --nodes=2 --ntasks-per-node=2 >/dev/null
    ended "$1" 300
    grep -q ' cells to run on 4 ranks' "$1/log" || fail "nodes: $(cat "$1/log")"
}

silence_case() { # ranks that say nothing are ended, and the next job does what they did not
    cat >"$here/launcher" <<'END'
#!/bin/sh
[ -e "$0.silent" ] || { touch "$0.silent"; exec srun --mpi=pmix sleep 600; }
exec srun --mpi=pmix "$@"
END
    chmod +x "$here/launcher"
    EQUISCALE_SILENCE=20 EQUISCALE_LAUNCH=$here/launcher submit "$1" --time=10 >/dev/null
    ended "$1" 300
    grep -q 'no line for 20 s: the ranks are ended' "$1/log" || fail "silence: $(cat "$1/log")"
}

scancel_case() { # it stays cancelled, and goes on when it is sent off again
    local job
    job=$(submit "$1" --time=10)
    lab_wait 120 trained "$1" 1 || fail "scancel: no cell"
    scancel "$job"
    lab_wait 90 nothing_left || fail "scancel: $(squeue)"
    ! grep -q '^Submitted batch job' "$1/log" || fail "scancel: another job followed"
    submit "$1" --time=10 >/dev/null
    ended "$1" 300
}

limit_case() { # a cell of more than the limit; jobs follow one another by themselves
    local jobs
    submit "$1" --time=1 --ntasks=1 >/dev/null
    ended "$1" 3000
    jobs=$(grep -c ' of [0-9]* cells to run' "$1/log")
    [ "$jobs" -gt 1 ] || fail "limit: one job was enough: $(cat "$1/log")"
    echo "measured $jobs jobs of a minute for a cell of $("$python" -c "import h5py
print('%.0f' % h5py.File('$1/runs/s/results.h5')['cells/seconds'][:].max())") s"
}
tenfold_case() { limit_case "$1"; }

requeue_case() { # REQUEUES times, at random times after the first cell; not left to wait the two minutes that Slurm wants
    local job n
    job=$(submit "$1" --time=60)
    lab_wait 120 trained "$1" 1 || fail "requeue: no cell"
    for n in $(seq "$REQUEUES"); do
        lab_wait 60 runs "$job" || break
        sleep "$((RANDOM % 4)).$((RANDOM % 1000))"
        scontrol requeue "$job" || break
        lab_wait 60 waits "$job" && scontrol update JobId="$job" StartTime=now
    done
    ended "$1" 600
    ! grep -q '^Submitted batch job' "$1/log" || fail "requeue: another job followed beside it"
    echo "measured $(scontrol show job "$job" | grep -oE 'Restarts=[0-9]*') after $n requeues asked for"
}

preempt_case() {
    local job
    job=$(submit "$1" --time=10)
    lab_wait 120 trained "$1" 1 || fail "preempt: no cell"
    sbatch --partition=urgent --nodes=2 --ntasks-per-node=2 --output=/dev/null --wrap "sleep 5" >/dev/null
    ended "$1" 600
    grep -q 'Restarts=[1-9]' <<<"$(scontrol show job "$job")" || fail "preempt: the job was never put back"
}

node_case() { # the node of the job dies with all that ran on it; what looks after the job first, or it would tell of the end
    local job node
    job=$(submit "$1" --time=10)
    lab_wait 120 trained "$1" 1 || fail "node: no cell"
    node=$(squeue -h -j "$job" -o %N)
    lab_be_patient 20
    # shellcheck disable=SC2046  # lists of processes of this study alone
    kill -KILL "$(cat "$lab/slurmd-$node.pid")" $(lab_steps "$job") $(pgrep -f "$1/s.yaml")
    ended "$1" 600
    grep -q 'Restarts=[1-9]' <<<"$(scontrol show job "$job")" || fail "node: the job was never put back"
    lab_node "$node"
    lab_be_patient 300
}

# steps_for CASE: the longest cell is one to be disturbed, or takes minutes
steps_for() {
    case $1 in
    finish | array | quiet | launch | fault | nodes | options | silence) echo 2,3,4,50,400 ;;
    requeue) echo "2,3,4,50,$(steps_taking $((2 * REQUEUES)))" ;;
    limit) echo "2,3,4,50,$(steps_taking 180)" ;;
    tenfold) echo "2,3,4,50,$(steps_taking 600)" ;;
    *) echo "2,3,4,50,$(steps_taking 20)" ;;
    esac
}

last=
for name in $cases; do
    steps=$(steps_for "$name") bad=0
    if [ "$steps" != "$last" ]; then
        rm -rf "$here/whole"
        study_file "$here/whole" "$steps"
        jobs/local.sh 2 "$EQUISCALE" run "$here/whole/s.yaml" >"$here/log" 2>&1 || { cat "$here/log"; exit 1; }
        wanted=$(digest "$here/whole") last=$steps
    fi
    study_file "$here/$name" "$steps"
    ${name}_case "$here/$name"
    [ $bad = 0 ] || failed="$failed $name"
    echo "measured $name: $([ $bad = 0 ] && echo "as wanted" || echo "FAILED")"
done
[ -z "$failed" ]
