#!/usr/bin/env bash
# TEST alone
# Records: a damaged one is moved aside and its cell runs again; results.h5 never shrinks and depends on records alone; two runs
# at once share the cells; what does not fit into memory is refused; weights are kept; folders and disks. test_records.sh BUILD
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
study: {name: s, folder: $here/runs, arms: [transformer, gatr], steps: [20, 60], datasets: [20], test_trajectories: 4,
    validation_trajectories: 2, test_samples: 8, validation_samples: 8, fit: false, measures: []}
transformer: {width: [8, 16], depth: [1, 1], heads: [2, 2]}
gatr: {width: [2], depth: [1], heads: [1]}
train: {batch: 2}
data: {path: $here/data.h5, trajectories: 26, frames: 6, bodies_max: 3}
END
run() { "$eq" run "$here/study.yaml" "$@"; }
cells() { "$python" -c "import h5py; print(len(h5py.File('$here/runs/s/results.h5')['cells/id']))"; }
# refuses CODE TEXT ARGUMENTS...: one line on standard error that holds the text.
refuses() {
    local code=$1 text=$2
    shift 2
    run "$@" >/dev/null 2>"$here/err"
    local got=$?
    [ $got = "$code" ] || fail "$*: exit code $got, want $code: $(cat "$here/err")"
    grep -q -- "$text" "$here/err" || fail "$*: $(cat "$here/err")"
}

refuses 2 'data.generate = never' -data_generate never
refuses 2 'nothing to resume' -resume require
SLURM_NTASKS=4 refuses 2 'started 4 processes and each is alone'
PMI_SIZE=2 refuses 2 'started 2 processes and each is alone'

# Two at once: one makes the data, each cell is trained once.
run -study_keep_weights all >"$here/one" 2>&1 &
first=$!
run -study_keep_weights all >"$here/two" 2>&1
two=$?
wait $first
one=$?
for code in $one $two; do [ "$code" = 0 ] || [ "$code" = 75 ] || fail "at once: $one $two: $(cat "$here/one" "$here/two")"; done
grep -qh '6 cells, .* in .*results.h5' "$here/one" "$here/two" || fail "neither gathers: $one $two: $(cat "$here/one" "$here/two")"
[ "$(cat "$here/one" "$here/two" | grep -c 'GFLOP/s')" = 6 ] || fail "at once: $(cat "$here/one" "$here/two")"
[ "$(cat "$here/one" "$here/two" | grep -c 'trajectories of .* bodies')" = 1 ] || fail "both make the data: $(cat "$here/one" "$here/two")"
run -resume require >"$here/log" 2>&1 || fail "run: $(cat "$here/log")"
[ "$(cells)" = 6 ] || fail "$(cells) cells"

# The same records, the same file, whatever ran last.
sum=$(md5sum <"$here/runs/s/results.h5")
sleep 1
run -resume require >"$here/log" 2>&1 || fail "again: $(cat "$here/log")"
[ "$sum" = "$(md5sum <"$here/runs/s/results.h5")" ] || fail "results.h5 is another one although nothing was trained"

# A subset never shrinks it.
run -study_arms gatr >"$here/log" 2>&1 || fail "subset: $(cat "$here/log")"
[ "$(cells)" = 6 ] || fail "a subset run leaves $(cells) cells of 6"
grep -q '6 cells, 4 of them not of this study file' "$here/log" || fail "subset: $(cat "$here/log")"

# A second rate, another seed: only what is new.
run -gatr_lr 1e-3,2e-3 -study_steps 20 >"$here/log" 2>&1 || fail "rates: $(cat "$here/log")"
grep -qE '[12] of 4 cells to run' "$here/log" || fail "rates: $(head -n 2 "$here/log")"

# A damaged record.
record=$(find "$here/runs/s/cells" -name 'gatr*t60*.h5')
printf 'damage' | dd of="$record" bs=1 seek=600 conv=notrunc status=none
"$eq" status "$here/study.yaml" | grep -q '^planned .*its record was damaged' || fail "status of a damaged record"
run >"$here/log" 2>&1 || fail "damaged: $(cat "$here/log")"
grep -q '1 of 6 cells to run' "$here/log" || fail "damaged: $(cat "$here/log")"
grep -q 'was run again: its record was damaged' "$here/log" || fail "damaged: $(cat "$here/log")"
[ -e "$record.damaged" ] || fail "the damaged record is not aside"
"$eq" status "$here/study.yaml" | grep -q '^done .*its record was damaged' || fail "status after a damaged record"

# What does not fit into memory is refused; the rest runs.
run -study_name small -transformer_width 8,256 -run_memory 8 >"$here/log" 2>&1 || fail "memory: $(cat "$here/log")"
grep -q 'has no result: refused: needs .* MiB on each' "$here/log" || fail "memory: $(cat "$here/log")"
"$eq" status "$here/study.yaml" -study_name small -transformer_width 8,256 -run_memory 8 | grep -q '^refused' || fail "memory: status"

# Cells of a step share the waits for the disk: of 24 records few are synced each by itself, and none is left unsynced.
cat >"$here/syncs.c" <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int told(const char *name, int fd) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    FILE *log = fopen(getenv("SYNCS"), "a");
    if (readlink(link, path, sizeof path - 1) > 0) fprintf(log, "%s %s\n", name, path);
    fclose(log);
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return told("fsync", fd); }
int syncfs(int fd) { return told("syncfs", fd); }
END
${CC:-gcc} -D_GNU_SOURCE -O1 -shared -fPIC "$here/syncs.c" -o "$here/syncs.so" -ldl || fail "syncs.c"
SYNCS=$here/syncs OMPI_MCA_ess_singleton_isolated=1 LD_PRELOAD=$here/syncs.so run -study_name many -study_arms transformer \
    -study_steps 1,2 -study_seeds 1,2,3,4,5,6 >"$here/log" 2>&1 || fail "many: $(cat "$here/log")"
[ "$(find "$here/runs/many/cells" -name '*.h5' | wc -l)" = 24 ] || fail "many: $(cat "$here/log")"
alone=$(grep -c 'fsync .*/cells/.*h5.tmp' "$here/syncs")
[ "$alone" -lt 12 ] || fail "$alone of 24 records of a step or two are synced each by itself"
grep '/many/cells' "$here/syncs" | tail -n 1 | grep -q '^syncfs .*/cells$' || fail "syncs: $(tail -n 3 "$here/syncs")"

# Weights by the reference's names.
"$python" - "$here/runs/s/weights" <<'END' || fail "weights"
import pathlib, sys, h5py
files = sorted(pathlib.Path(sys.argv[1]).glob("*.h5"))
assert len(files) == 6, files
for path in files:
    with h5py.File(path) as file:
        assert file.attrs["format"] in (b"equiscale-weights-1", "equiscale-weights-1"), dict(file.attrs)
        total = sum(file["parameters"][name].size for name in file["parameters"])
        assert total == file["cells/parameters"][0] and file["cells/loss"][0] > 0, (path, total)
        assert any(name.endswith("weight") for name in file["parameters"])
END
run -study_keep_weights best >"$here/log" 2>&1 || fail "best: $(cat "$here/log")"
[ "$(find "$here/runs/s/weights" -name '*.h5' | wc -l)" = 2 ] || fail "best: one of each arm"
odd=$(find "$here/runs/s/weights" -name '*.h5' | head -n 1)
rm "$odd"
mkfifo "$odd"
run -study_keep_weights best >"$here/log" 2>&1 || fail "a pipe in place of weights: $(cat "$here/log")"
grep -q "$odd: not a file" "$here/log" && grep -q '1 cells .* have none' "$here/log" || fail "a pipe in place of weights: $(cat "$here/log")"
rm "$odd"

# A second learning rate gives cells other names: weights are found all the same, and a cell that was begun goes on.
rates() { run -study_name rates -study_arms transformer "$@" >"$here/log" 2>&1; }
rates -study_keep_weights all || fail "one rate: $(cat "$here/log")"
long=transformer-w8x1h2-t10000-n20-r1
# Killed as it puts its second checkpoint in place of the first, however fast it is.
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O1 -shared -fPIC tests/faults/shim.c -o "$here/shim.so" -ldl || fail "shim.c"
OMPI_MCA_ess_singleton_isolated=1 LD_PRELOAD=$here/shim.so FAULT_FOLDER=$long.checkpoint.old FAULT_HOW=KILL FAULT_AT=1 \
    FAULT_LOG=$here/killed rates -study_steps 10000 -transformer_width 8 -transformer_depth 1 -transformer_heads 2 -run_checkpoint 0.02
grep -q rename "$here/killed" || fail "not killed at a checkpoint: $(cat "$here/log")"
rates -study_steps 20,60,10000 -transformer_lr 2.7e-3,1e-3 -study_keep_weights all || fail "two rates: $(cat "$here/log")"
grep -q '8 of 12 cells to run' "$here/log" || fail "two rates: $(cat "$here/log")"
grep -q 'have none' "$here/log" && fail "two rates: $(cat "$here/log")"
"$python" - "$here/runs/rates" $long <<'END' || fail "two rates"
import pathlib, sys, h5py
folder, long = pathlib.Path(sys.argv[1]), sys.argv[2]
cells = h5py.File(folder / "results.h5")["cells"]
attempts = dict(zip(cells["id"].asstr()[()], cells["attempts"][()]))
assert attempts[long + "-lr0.0027"] == 2 and sum(attempts.values()) == 13, attempts
assert (folder / f"cells/{long}.h5").exists() and not list(folder.glob("cells/*.checkpoint*"))
assert len(list(folder.glob("weights/*.h5"))) == 12
END
rates -study_steps 20,60,10000 -study_keep_weights best || fail "one rate again: $(cat "$here/log")"
[ "$(find "$here/runs/rates/weights" -name '*.h5' | wc -l)" = 1 ] || fail "one rate again: $(ls "$here/runs/rates/weights")"

# A copy of a record is no other cell; results.h5 that is damaged is made anew once it is gone.
copy=$here/runs/rates/cells/$long.copy.h5
cp "$here/runs/rates/cells/$long.h5" "$copy"
rates -study_steps 20,60,10000 || fail "a copy of a record: $(cat "$here/log")"
grep -q "$copy: holds the cell $long: want that of its name; left out of results.h5" "$here/log" || fail "a copy: $(cat "$here/log")"
grep -q ' 12 cells, 6 of them not of this study file' "$here/log" || fail "a copy of a record: $(cat "$here/log")"
rm "$copy"
mv "$here/runs/rates/results.h5" "$here/whole.h5"
head -c 5000 "$here/whole.h5" >"$here/runs/rates/results.h5"
refuses 2 'results.h5: .*; want it removed: cells/ has all that it holds' -study_name rates -study_arms transformer -study_steps 20,60,10000
rm "$here/runs/rates/results.h5"
rates -study_steps 20,60,10000 || fail "results.h5 removed: $(cat "$here/log")"
cmp -s "$here/whole.h5" "$here/runs/rates/results.h5" || fail "results.h5 made anew is another one"

# What dead runs have left goes, also where this one makes no data and keeps no weights; not what a container has whose processes
# are not to be seen from here.
touch "$here/runs/s/cells/x.h5.tmp.$(hostname).99999999.1"
for file in data.h5 runs/s/results.h5 runs/s/cells/x.h5 runs/s/weights/x.h5; do touch "$here/$file.tmp.$(hostname).99999999"; done
run >"$here/log" 2>&1 || fail "after dead runs: $(cat "$here/log")"
[ "$(cd "$here" && find . -name '*.tmp.*')" = "./runs/s/cells/x.h5.tmp.$(hostname).99999999.1" ] ||
    fail "what dead runs left, and another has: $(find "$here" -name '*.tmp.*')"
rm "$here/runs/s/cells/x.h5.tmp.$(hostname).99999999.1"

# Folders and disks.
touch "$here/file"
refuses 2 'ot a ' -study_folder "$here/file"
mkdir -p "$here/limit"
# What MPI makes fits below the limit, the weights do not.
(ulimit -f 16000; refuses 75 'bytes' -study_name full -study_keep_weights all -study_arms transformer -transformer_width 512 \
    -transformer_depth 2 -transformer_heads 2 -study_steps 2) || exit 1
[ -z "$(find "$here/runs/full" -name '*.tmp.*')" ] || fail "a full disk leaves temporary files"
long=$here/$(printf 'long%.0s' $(seq 55))
run -study_folder "$long" -study_steps 20 >"$here/log" 2>&1 || fail "long path: $(tail -n 3 "$here/log")"
