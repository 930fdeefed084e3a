#!/usr/bin/env bash
# Processes die at random times: one rank, all of them, or the launcher; and now and then the job is asked to stop. The same
# command is given again and again, until the study is done, and then another study begins. Wanted: the job ends within 5 s, no
# finished cell is lost or changed, and each study comes to the numbers of the undisturbed one.
# kills.sh BUILD_DIR SECONDS KILLS [SEED]
set -u
build=$1 seconds=$2 kills=$3
. tests/faults/lib.sh
# One rank alone starts no daemon (under srun they would all be alone), and nobody asks for a network.
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader
trap 'rm -rf "$here"' EXIT
RANDOM=${4:-1}
CELL_SECONDS=1 CELLS=10 CHECKPOINT_SECONDS=0.5
declare -A died=([rank]=0 [ranks]=0 [launcher]=0 [stop]=0) slowest=([kill]=0 [stop]=0)
lost=0 checked=0 studies=0

now_ms() { local ns; ns=$(date +%s%N); echo $((ns / 1000000)); }
gone() { # also those whose end nobody has asked for yet: in a container that may be for good
    local p
    for p in "$@"; do
        case $(ps -o stat= -p "$p") in "" | Z*) ;; *) return 1 ;; esac
    done
}
larger() { echo $(($1 > $2 ? $1 : $2)); }

first=$(steps_taking $CELL_SECONDS) || exit 1
steps=$(seq -s, "$first" $((first + CELLS - 1)))
study_file "$here/whole" "$steps"
timeout 600 jobs/local.sh 2 "$build/equiscale" run "$here/whole/s.yaml" >"$here/log" 2>&1 || { cat "$here/log"; exit 1; }
wanted=$(digest "$here/whole")
end=$((SECONDS + seconds))

# undone FOLDER RANK...: ms of work that the death of these processes costs at most: since a cell was begun or saved last
undone() {
    local mark pid begun saved most=0 moment at=$1
    moment=$(now_ms)
    for mark in "$at"/runs/s/cells/*.running; do
        pid=$(sed -n 's/^pid = \([0-9]*\).*/\1/p' "$mark" 2>/dev/null)
        case " ${*:2} " in *" ${pid:-none} "*) ;; *) continue ;; esac
        begun=$(sed -n 's/^started = \([0-9]*\).*/\1000/p' "$mark" 2>/dev/null)
        saved=$(stat -c %.3Y "${mark%.running}.checkpoint" 2>/dev/null | tr -d .)
        most=$(larger "$most" $((moment - $(larger "${begun:-$moment}" "${saved:-0}")))) # without one it ended meanwhile
    done
    echo "$most"
}

# disturb FOLDER WHOM: one job; 0 where it ended the study
disturb() {
    local at=$1 whom=$2 script launcher=0 ranks=() sums since ms code
    jobs/local.sh 2 "$build/equiscale" run "$at/s.yaml" -run_checkpoint $CHECKPOINT_SECONDS >"$at/out" 2>"$at/err" &
    script=$!
    # One job in six may die at its start, the others once cells are at work.
    if [ $((RANDOM % 6)) != 0 ]; then
        for _ in $(seq 600); do
            grep -qs 'cells to run' "$at/out" || gone $script && break
            sleep 0.05
        done
    fi
    sleep "0.$((RANDOM % 900 + 100))"
    launcher=$(pgrep -P $script -x mpiexec)
    [ -n "$launcher" ] && mapfile -t ranks < <(pgrep -P "$launcher")
    if [ ${#ranks[@]} -gt 0 ]; then
        sums=$(find "$at/runs/s/cells" -name '*.h5' -exec md5sum {} + 2>/dev/null)
        since=$(now_ms)
        case $whom in
        rank) kill -KILL "${ranks[$((RANDOM % ${#ranks[@]}))]}" ;;
        ranks) kill -KILL "${ranks[@]}" ;;
        launcher) kill -KILL "$launcher" ;;
        stop) kill -TERM $script ;;
        esac 2>/dev/null
        [ "$whom" = stop ] || lost=$(larger "$lost" "$(undone "$at" "${ranks[@]}")")
        while ! gone "$script" "${ranks[@]}" && [ $(($(now_ms) - since)) -lt 60000 ]; do sleep 0.1; done
        ms=$(($(now_ms) - since))
        gone "$script" "${ranks[@]}" || fail "$whom: still there after 60 s"
        died[$whom]=$((${died[$whom]} + 1))
        case $whom in
        stop) slowest[stop]=$(larger "${slowest[stop]}" $ms) ;;
        *) slowest[kill]=$(larger "${slowest[kill]}" $ms) ;;
        esac
    fi
    wait $script 2>/dev/null
    code=$?
    if [ -n "${sums:-}" ]; then
        checked=$((checked + $(wc -l <<<"$sums")))
        md5sum -c --quiet <<<"$sums" >"$here/sums" 2>&1 || fail "$whom: a finished cell was lost or changed: $(cat "$here/sums")"
    fi
    [ $code = 0 ]
}

done=0
while [ $done -lt "$kills" ] && [ $SECONDS -lt $end ]; do
    at=$here/$studies over=
    study_file "$at" "$steps"
    while [ -z "$over" ] && [ $done -lt "$kills" ] && [ $SECONDS -lt $end ]; do
        case $((done % 24)) in
        7) whom=ranks ;;
        19) whom=launcher ;;
        11 | 23) whom=stop ;;
        *) whom=rank ;;
        esac
        disturb "$at" $whom && over=yes
        done=$((died[rank] + died[ranks] + died[launcher] + died[stop]))
    done
    finish "$at" || tail -n 5 "$at/err"
    studies=$((studies + 1))
    rm -rf "$at"
done
echo "measured kills: ${died[rank]} of a rank, ${died[ranks]} of all ranks, ${died[launcher]} of the launcher, in $studies studies;" \
    "finished cells looked at again: $checked; the slowest job was gone after ${slowest[kill]} ms;" \
    "a kill cost ${lost} ms of work at most, at checkpoints every $CHECKPOINT_SECONDS s"
echo "measured stops: ${died[stop]}; the slowest job had saved and was gone after ${slowest[stop]} ms"
exit $bad
