#!/usr/bin/env bash
# End to end: a small study is planned, run, killed, run again, extended and fitted; short forms of the studies in input/ run
# too. test_study.sh BUILD_DIR
set -u
build=$1
python=${PYTHON:-/usr/bin/python3}
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
eq() { local n=$1; shift; jobs/local.sh "$n" "$build/equiscale" "$@"; }

cat >"$here/tiny.yaml" <<END
study:
  name: tiny
  folder: $here/runs
  arms: [transformer, transformer_augmented, gatr]
  steps: [4, 12, 36]
  datasets: [8, 40]
  data_steps: 36
  test_trajectories: 8
  validation_trajectories: 4
  test_samples: 32
  validation_samples: 16
transformer:
  width: [8, 16, 24]
  depth: [1, 1, 2]
  heads: [2, 2, 2]
gatr:
  width: [2, 4, 6]
  depth: [1, 1, 1]
  heads: [2, 2, 2]
train:
  batch: 4
fit:
  bootstraps: 40
  starts: few
data:
  path: $here/data.h5
  trajectories: 60
  frames: 8
  bodies_max: 4
END

# plan makes nothing; its cells are those that run.
eq 2 plan "$here/tiny.yaml" >"$here/plan" || fail "plan"
grep -q '^30 cells' "$here/plan" || fail "plan: $(tail -n 5 "$here/plan")"
[ ! -e "$here/data.h5" ] || fail "plan wrote data"

# Killed in the middle, the study loses no finished cell.
jobs/local.sh 2 "$build/equiscale" run "$here/tiny.yaml" >"$here/first" 2>&1 &
local=$!
while kill -0 $local 2>/dev/null; do
    [ "$(find "$here/runs/tiny/cells" -name '*.h5' 2>/dev/null | wc -l)" -ge 5 ] && break
    sleep 0.05
done
launcher=$(pgrep -P $local)
ranks=$(pgrep -P "$launcher")
# shellcheck disable=SC2086  # a list
kill -KILL $ranks "$launcher"
wait
before=$(find "$here/runs/tiny/cells" -name '*.h5' | wc -l)
sums=$(md5sum "$here"/runs/tiny/cells/*.h5)
eq 2 status "$here/tiny.yaml" >"$here/status" || fail "status"
grep -qE "30 cells: .* $before done" "$here/status" || fail "status after a kill: $(tail -n 1 "$here/status")"
eq 2 run "$here/tiny.yaml" >"$here/second" || fail "run: $(cat "$here/second")"
md5sum -c --quiet <<<"$sums" || fail "a finished cell was written again"
grep -q "$((30 - before)) of 30 cells to run" "$here/second" || fail "resumed: $(head -n 3 "$here/second")"
[ "$(grep -c 'GFLOP/s' "$here/second")" = $((30 - before)) ] || fail "a line a finished cell"
grep -q $'\033' "$here/second" && fail "a log file holds terminal codes"
eq 2 status "$here/tiny.yaml" | grep -q '30 cells: 0 planned, 0 running, 30 done' || fail "status at the end"

# A second run trains nothing.
eq 1 run "$here/tiny.yaml" >"$here/again" || fail "run again"
grep -q '0 of 30 cells to run' "$here/again" || fail "run again: $(cat "$here/again")"

# Longer lists extend the study.
eq 2 run "$here/tiny.yaml" -study_steps 4,12,36,50 >"$here/third" || fail "extended: $(cat "$here/third")"
grep -q '9 of 39 cells to run' "$here/third" || fail "extended: $(head -n 3 "$here/third")"

# A cell whose loss becomes NaN is recorded as diverged, and the study goes on.
eq 2 run "$here/tiny.yaml" -study_name wild -study_datasets 40 -study_steps 4,12 -transformer_lr 1e12 >"$here/wild" ||
    fail "diverging: $(cat "$here/wild")"
eq 2 status "$here/tiny.yaml" -study_name wild -study_datasets 40 -study_steps 4,12 -transformer_lr 1e12 >"$here/status"
grep -q '18 cells: 0 planned, 0 running, 12 done, 6 diverged' "$here/status" || fail "diverged: $(tail -n 1 "$here/status")"

# The same cells on another layout.
eq 4 run "$here/tiny.yaml" -study_name wide -layout_tp 2 -layout_dp 2 -study_datasets 40 -study_fit false >"$here/wide" ||
    fail "2 x 2: $(cat "$here/wide")"

# What is gathered is what the cells say; other programs read it.
h5dump -H "$here/runs/tiny/results.h5" | grep -q '"flop_nominal"' || fail "h5dump"
"$python" - "$here/runs" <<'END' || fail "results.h5"
import json, sys, h5py, numpy as np
folder = sys.argv[1]
tiny, wide = (h5py.File(f"{folder}/{name}/results.h5") for name in ("tiny", "wide"))
cells = {k: v[...] for k, v in tiny["cells"].items()}
assert len(cells["loss"]) == 39, len(cells["loss"])
for group in "cells", "curves":
    for column in tiny[group].values():
        assert column.attrs["unit"] and column.attrs["description"], column
assert np.isfinite(cells["loss"]).all() and (cells["loss"] < cells["loss_initial"]).all()
points = {k: v[...] for k, v in tiny["curves"].items()}
assert len(points["loss"]) == cells["curve_points"].sum()
last = np.searchsorted(points["cell"], np.arange(39), side="right") - 1
assert (points["loss"][last] == cells["loss"]).all()
assert (cells["samples"] == cells["steps"] * 4).all() and len(set(cells["arm"])) == 3
loss = dict(zip(cells["id"], cells["loss"]))
common = [(loss[i], x) for i, x in zip(wide["cells/id"][...], wide["cells/loss"][...]) if i in loss]
worst = max(abs(a / b - 1) for a, b in common)
assert len(common) == 27 and worst < 2e-3, (len(common), worst)
print(f"measured layouts 1 x 1 and 2 x 2 in float32: losses differ by at most {worst:.1e}")
json.load(open(f"{folder}/tiny/fit.json"))
END

# Short forms of the studies that are offered.
short="-study_steps 2 -study_datasets 8 -study_test_trajectories 2 -study_validation_trajectories 2 -study_test_samples 4
    -study_validation_samples 4 -data_trajectories 12 -train_batch 4 -study_fit false -study_seeds 1 -study_data_size 0
    -transformer_width 16 -transformer_depth 1 -transformer_heads 2
    -gatr_width 4 -gatr_scalars 8 -gatr_depth 1 -gatr_heads 2 -layout_dp 2"
for study in quick laptop paper; do
    grep -v '^  budget' input/$study.yaml >"$here/$study.yaml"
    # shellcheck disable=SC2086  # a list
    eq 2 run "$here/$study.yaml" $short -study_folder "$here/short" -data_path "$here/$study.h5" >"$here/log" 2>&1 ||
        fail "input/$study.yaml: $(tail -n 3 "$here/log")"
done
