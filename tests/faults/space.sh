#!/usr/bin/env bash
# A disk that has too little room for what a run will write. Wanted: one line with the folder and the bytes needed, exit code 75,
# nothing trained; and what was said to be needed is enough, and not much more. space.sh BUILD_DIR
set -u
build=$1
. tests/faults/lib.sh
trap 'rm -rf "$here"' EXIT
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O1 -shared -fPIC tests/faults/shim.c -o "$here/shim.so" -ldl || exit 1
study_file "$here" 2,3,400000

# run_with BYTES OPTION...: with so many bytes free
run_with() {
    LD_PRELOAD=$here/shim.so FAULT_FOLDER=$here/ FAULT_FREE=$1 timeout 900 "$build/equiscale" run "$here/s.yaml" \
        -study_keep_weights all -transformer_width 64 "${@:2}" >"$here/out" 2>"$here/err"
}
checkpoints() { find "$here/runs/s" -name '*.checkpoint' -o -name '*.checkpoint.old' | wc -l; }

# A dataset of more than one block: the first tells what the rest takes.
LD_PRELOAD=$here/shim.so FAULT_FOLDER=$here/ FAULT_FREE=100000 timeout 900 "$build/equiscale" generate -data_path "$here/large.h5" \
    -data_frames 2000 -data_frame_rate 240 -data_trajectories 300 -data_bodies_max 3 >"$here/out" 2>"$here/err"
code=$?
[ $code = 75 ] && grep -q '100000 bytes are free, the rest of the trajectories needs' "$here/err" || fail "data: $code: $(cat "$here/err")"
[ -z "$(find "$here" -name 'large.h5*')" ] || fail "data: $(find "$here" -name 'large.h5*') is left"

run_with 100000
code=$?
[ $code = 75 ] || fail "exit code $code: $(cat "$here/err")"
[ "$(wc -l <"$here/err")" = 1 ] || fail "$(cat "$here/err")"
need=$(sed -n 's/.*runs\/s: 100000 bytes are free, the run needs \([0-9]*\): want more.*/\1/p' "$here/err")
[ -n "$need" ] || fail "$(cat "$here/err")"
[ -z "$(find "$here/runs/s" -name '*.h5')" ] || fail "a cell was trained"

# Two checkpoints, while the long cell is at work.
run_with "${need:-0}" -run_checkpoint 0.1 &
pid=$!
for _ in $(seq 6000); do
    [ "$(checkpoints)" = 2 ] && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.1
done
kill -TERM "$(sed -n 's/^pid = \([0-9]*\).*/\1/p' "$here"/runs/s/cells/*.running)"
wait $pid
code=$?
[ $code = 75 ] && grep -q 'SIGTERM: stopped and saved' "$here/err" || fail "exit code $code: $(cat "$here/err")"
[ "$(checkpoints)" = 2 ] || fail "$(find "$here/runs/s")"
used=$(find "$here/runs/s" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
[ "$used" -le "$need" ] && [ "$need" -le $((3 * used)) ] || fail "needed $used bytes, said $need"
echo "measured a run that takes $used bytes half way asked for $need"
exit $bad
