#!/usr/bin/env bash
# What careless or hostile people hand over is answered as every other error: one line that names the thing, exit code 2,
# nothing written, no wait without end. test_hostile.sh BUILD_DIR
set -u
build=$1
python=${PYTHON:-/usr/bin/python3}
. tests/refuse.sh
export PYTHONDONTWRITEBYTECODE=1
results=$here/runs/e/results.h5

# Things that are no files.
mkdir "$here/folder"
mkfifo "$here/pipe" "$here/pipe.h5"
refuse 2 'folder: a folder: want a readable study file' run "$here/folder"
refuse 1 'pipe: a pipe or a device: want a readable study file' plan "$here/pipe"
refuse 1 'folder: a folder: want an HDF5 file' plan "$here/good.yaml" -data_path "$here/folder"
refuse 2 'pipe: a pipe or a device: want an HDF5 file' plan "$here/good.yaml" -data_path "$here/pipe"
ln -s nowhere "$here/link.h5"
refuse 2 'link.h5: a link that leads nowhere: want a file, or another data.path' run "$here/good.yaml" -data_path "$here/link.h5"
refuse 1 'data.path is empty: want a file' plan "$here/good.yaml" -data_path ''
refuse 1 'folder: a folder: want a readable table' fit "$here/folder"
refuse 1 '/dev/zero:1: a NUL byte: want text' fit /dev/zero
refuse 1 'pipe: a pipe that nobody writes to: want a readable table' fit "$here/pipe"
refuse 1 'pipe.h5: a pipe or a device: want an HDF5 file' export "$here/pipe.h5" -csv "$here/csv"

# What would be replaced is no file; what cannot be printed is told.
refuse 1 'pipe: exists and is not a file: want the name of one' fit "$results" -json "$here/pipe"
[ -p "$here/pipe" ] || { echo "FAILED: the pipe is gone"; bad=1; }
mkdir -p "$here/runs/m/cells"
mkfifo "$here/runs/m/cells/transformer-w8x1h2-t2-n4-r1.running"
refuse 1 'r1.running: not a file: want it removed' run "$here/good.yaml" -study_name m
mkdir -p "$here/runs/q" "$here/runs/o"
touch "$here/runs/o/cells"
refuse 1 'runs/o/cells/.: cannot be looked at: Not a directory' status "$here/good.yaml" -study_name o
mkfifo "$here/runs/q/fit.json"
refuse 1 'q/fit.json: exists and is not a file: want the name of one' run "$here/good.yaml" -study_name q
refuse 1 'pipe: exists and is not a file: want the name of one' bench step -json "$here/pipe"
for what in step scaling kernels; do
    refuse 1 'batch = 1048576, tokens = 65536: at least [0-9]* MiB on each rank, which has [0-9]*: want fewer' \
        bench $what -batch 1048576 -tokens 65536
done
refuse 1 'pipe: a pipe or a device: want a file of JSON' fit -again "$here/pipe"
mkfifo "$here/pipe.json" "$here/runs/e/report.html"
for path in "$here/pipe.json" "$here/runs/e"; do
    timeout 120 "$python" analysis/report.py "$path" >"$here/out" 2>"$here/err"
    [ $? = 2 ] && grep -qE '^[^ ]*(pipe.json: not|report.html: exists and is not) a file: want' "$here/err" ||
        { echo "FAILED: report.py $path: $(cat "$here/err")"; bad=1; }
done

# A note beside a record that nobody ever writes.
mkfifo "$here/runs/e/cells/transformer-w8x1h2-t2-n4-r1.h5.damaged.txt"
launch 1 status "$here/good.yaml" >"$here/out" 2>&1 && grep -q '^done  *transformer-w8x1h2-t2-n4-r1' "$here/out" ||
    { echo "FAILED: status beside a pipe: $(cat "$here/out")"; bad=1; }
rm "$here/runs/e/cells/"*.damaged.txt

# What the shell leaves to a process: a small stack, raised where that is allowed; no room for temporary files; no standard
# input, output, error.
(ulimit -S -s 256; launch 1 status "$here/good.yaml") >"$here/out" 2>&1 || { echo "FAILED: soft limit of the stack: $(cat "$here/out")"; bad=1; }
(ulimit -s 256; refuse 1 'the stack may take 256 KiB: want at least 2048 .ulimit -s.' status "$here/good.yaml"; exit $bad) || bad=1
(ulimit -S -n 16; launch 1 status "$here/good.yaml") >"$here/out" 2>&1 || { echo "FAILED: soft limit of files: $(cat "$here/out")"; bad=1; }
(ulimit -n 16; refuse 1 '16 files may be open .ulimit -n., MPI needs 64: want more' status "$here/good.yaml"; exit $bad) || bad=1
(ulimit -f 4096; launch 1 status "$here/good.yaml") >"$here/out" 2>"$here/err"
[ $? = 75 ] && grep -q '^equiscale: a file may have 4194304 bytes .ulimit -f., MPI needs [0-9]*: want more' "$here/err" ||
    { echo "FAILED: limit of files: $(cat "$here/err")"; bad=1; }
# The address sanitizer wants all of the address space.
if launch 1 --version | grep -q fsanitize; then
    echo "skipped: limits of memory, under a sanitizer"
else
    (ulimit -v 200000; launch 1 status "$here/good.yaml") >"$here/out" 2>"$here/err"
    [ $? = 75 ] && grep -q 'data.h5: there is not the memory to read it .ulimit -v.' "$here/err" || { echo "FAILED: memory: $(cat "$here/err")"; bad=1; }
    (ulimit -v 200000; refuse 1 'a process may have 195 MiB of memory .ulimit -v.: want at least 512' run "$here/good.yaml"; exit $bad) || bad=1
fi
launch 1 bench messages -repeat 1 >/dev/full 2>"$here/err"
[ $? = 75 ] && grep -q '^standard output: cannot be written' "$here/err" || { echo "FAILED: bench: $(cat "$here/err")"; bad=1; }
TMPDIR=/proc refuse 1 'TMPDIR = /proc: .*: want a folder that can be written' status "$here/good.yaml"
launch 1 run "$here/good.yaml" -study_name closed <&- >&- 2>&- || { echo "FAILED: a run without standard output"; bad=1; }
launch 1 run "$here/good.yaml" -study_name piped 2>"$here/err" | true
[ "${PIPESTATUS[0]}" = 0 ] || { echo "FAILED: a run that nobody reads: $(cat "$here/err")"; bad=1; }
"$python" tests/digest.py "$results" "$here/runs/closed/results.h5" "$here/runs/piped/results.h5" | uniq | wc -l | grep -qx 1 ||
    { echo "FAILED: other results without standard output"; bad=1; }
for command in status plan; do
    launch 1 $command "$here/good.yaml" >/dev/full 2>"$here/err"
    [ $? = 75 ] && grep -q '^standard output: cannot be written' "$here/err" || { echo "FAILED: $command: $(cat "$here/err")"; bad=1; }
done

# Study files. What is nested 100,000 deep or named a million times would take minutes to build.
repeat() { "$python" -c 'import sys; print(sys.argv[1] * int(sys.argv[2]))' "$@"; }
for open in '[' '{a: ' '- ' '? '; do
    { printf 'study: \n '; repeat "$open" 100000; } >"$here/deep.yaml"
    refuse 1 'deep.yaml(:2: (nested too deep|not YAML|want)|: want a study file of at most)' plan "$here/deep.yaml"
done
{ printf '{a: &a {'; repeat 'x: {}, ' 2000; printf '}, b: &b {'; repeat 'x: *a, ' 2000; printf '}}'; } >"$here/alias.yaml"
refuse 1 'alias.yaml:[0-9]+: key a.x appears twice' plan "$here/alias.yaml"
repeat 'train: {batch: 4}' 100000 >"$here/long.yaml"
refuse 1 'long.yaml: want a study file of at most 256 KiB' plan "$here/long.yaml"
study 's/name: e/name: "e\\0f"/'
refuse 1 'bad.yaml:1: a NUL byte in a value: want text' plan "$here/bad.yaml"
study 's/arms: \[transformer\]/arms: ["\\n\\e[2J"]/'
refuse 1 'study.arms = \?\?\[2J: want one of' plan "$here/bad.yaml"

# HDF5 files, as data and as results. Nobody ever writes to the pipe that `link` leads to.
mkfifo "$here/bad.h5.pipe"
hostile() { "$python" tests/make_hostile.py "$1" "$here/bad.h5" "$2" || bad=1; }
while read -r kind words; do
    hostile "$here/data.h5" "$kind"
    refuse 1 "bad.h5: /[a-z]+/[a-z]+: $words" plan "$here/good.yaml" -data_path "$here/bad.h5"
    [ "$kind" = bodies ] && continue
    hostile "$results" "$kind"
    refuse 1 "bad.h5: /cells/loss: $words" fit "$here/bad.h5"
    refuse 1 "bad.h5: /cells/loss: $words" export "$here/bad.h5" -csv "$here/csv"
done <<'END'
lzf packed by filter 32000, which is not here: want none, deflate or Fletcher32
virtual a virtual dataset: want contiguous or chunked
external an external dataset: want contiguous or chunked
link no such dataset, or a damaged one
huge holds values never written: 0 of [0-9]+ pieces are there
bodies row 0 holds 257: want numbers in .1, 256.
END

# A file that another program is writing to.
coproc writer { "$python" -c 'import h5py, sys
f = h5py.File(sys.argv[1], "r+", locking=True)
print("open", flush=True)
sys.stdin.read()' "$here/data.h5"; }
read -r _ <&"${writer[0]}"
refuse 1 'data.h5: locked by a program that has it open for writing: want it closed there' plan "$here/good.yaml"
exec {writer[1]}>&-
wait
exit $bad
