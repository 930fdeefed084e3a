#!/usr/bin/env bash
# Processes die at random times: one rank, all of them, or the launcher. Wanted: the job ends within 5 s, no finished cell is
# lost or changed, and the study then comes to the numbers of the undisturbed one. kills.sh BUILD_DIR SECONDS KILLS
set -u
build=$1 seconds=$2 kills=$3
. tests/faults/lib.sh
export OMPI_MCA_ess_singleton_isolated=1 # one rank alone starts no daemon; under srun they would all be alone
trap 'rm -rf "$here"' EXIT
end=$((SECONDS + seconds)) RANDOM=1 slowest=0 done=0
declare -A died=([rank]=0 [ranks]=0 [launcher]=0)

study_file "$here/whole" 2,3,4,50,400
start=$(date +%s%N)
timeout 300 jobs/local.sh 2 "$build/equiscale" run "$here/whole/s.yaml" >"$here/log" 2>&1 || { cat "$here/log"; exit 1; }
takes=$((($(date +%s%N) - start) / 1000000)) # ms
wanted=$(digest "$here/whole")

gone() { local p; for p in "$@"; do kill -0 "$p" 2>/dev/null && return 1; done; return 0; }

one() { # WHOM N
    local at=$here/$2 script launcher ranks sums since ms
    study_file "$at" 2,3,4,50,400
    jobs/local.sh 2 "$build/equiscale" run "$at/s.yaml" >"$at/out" 2>"$at/err" &
    script=$!
    sleep "$((RANDOM % (takes / 1000 + 1))).$((RANDOM % 1000))"
    launcher=$(pgrep -P $script -x mpiexec)
    mapfile -t ranks < <(pgrep -P "${launcher:-0}")
    [ -n "$launcher" ] && [ ${#ranks[@]} -gt 0 ] || { wait $script; finish "$at"; rm -rf "$at"; return; } # too early or too late
    case $1 in
    rank) kill -KILL "${ranks[$((RANDOM % ${#ranks[@]}))]}" 2>/dev/null ;;
    ranks) kill -KILL "${ranks[@]}" 2>/dev/null ;;
    launcher) kill -KILL "$launcher" 2>/dev/null ;;
    esac
    since=$(date +%s%N)
    while ! gone "$script" "${ranks[@]}" && [ $((($(date +%s%N) - since) / 1000000000)) -lt 60 ]; do sleep 0.1; done
    ms=$((($(date +%s%N) - since) / 1000000))
    [ $ms -gt $slowest ] && slowest=$ms
    gone "$script" "${ranks[@]}" || fail "$1: still there after 60 s"
    wait $script 2>/dev/null
    died[$1]=$((died[$1] + 1))
    sums=$(find "$at/runs/s/cells" -name '*.h5' -exec md5sum {} + 2>/dev/null)
    finish "$at"
    [ -z "$sums" ] || md5sum -c --quiet <<<"$sums" >"$here/sums" 2>&1 || fail "$1: a finished cell was lost or changed"
    rm -rf "$at"
}

while [ $done -lt "$kills" ] && [ $SECONDS -lt $end ]; do
    case $((done % 5)) in
    3) one ranks $done ;;
    4) one launcher $done ;;
    *) one rank $done ;;
    esac
    done=$((done + 1))
done
echo "measured kills: ${died[rank]} of a rank, ${died[ranks]} of all ranks, ${died[launcher]} of the launcher; the slowest job was gone after $slowest ms"
exit $bad
