#!/usr/bin/env bash
# What strangers' tools make of results.h5: the examples of docs/results.md run, and xarray finds dimensions, text, units and
# meanings without being told. test_readers.sh BUILD_DIR
set -u
build=$(cd "$1" && pwd)
python=${PYTHON:-/usr/bin/python3}
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

if ! "$python" -c 'import h5netcdf, h5py, matplotlib, pandas, xarray' 2>/dev/null; then
    echo "skipped: want xarray, h5netcdf, pandas, h5py and matplotlib (Debian: python3-NAME)"
    exit 0
fi

cat >"$work/quick.yaml" <<END
study: {name: quick, folder: $work/runs, arms: [transformer, gatr], steps: [4], datasets: [16], data_steps: 4, fit: false,
  test_trajectories: 4, validation_trajectories: 4, test_samples: 16, validation_samples: 16}
transformer: {width: [8, 16], depth: [1, 1], heads: [2, 2]}
gatr: {width: [2], depth: [1], heads: [2]}
train: {batch: 4}
data: {path: $work/data.h5, trajectories: 24, frames: 6, bodies_max: 4}
END
"$top/jobs/local.sh" 2 "$build/equiscale" run "$work/quick.yaml" >"$work/log" 2>&1 || fail "run: $(tail -n 3 "$work/log")"

cd "$work" || exit 1
sed -n '/^```python/,/^```/{/^```/d;p}' "$top/docs/results.md" >examples.py
[ "$(grep -c results.h5 examples.py)" -ge 4 ] || fail "docs/results.md has no examples"
MPLBACKEND=agg "$python" -W error examples.py >out 2>&1 || fail "an example of docs/results.md: $(tail -n 3 out)"

"$python" -W error - <<'PY' || fail "xarray"
import h5py
import numpy as np
import xarray

path = "runs/quick/results.h5"
for file in path, "data.h5":
    with h5py.File(file) as f:  # the newest format that HDF5 1.10 reads, whatever wrote it
        superblock, *_ = f.id.get_create_plist().get_version()
        assert superblock == 3, (file, superblock)
cells, curves, measures = (xarray.open_dataset(path, group=g) for g in ("cells", "curves", "measures"))
assert set(cells.dims) == {"cell"} and len(cells.cell) >= 3, cells.dims
assert set(curves.dims) == {"point", "number"} and curves.procedure.dims == ("point", "number"), curves.dims
assert set(measures.dims) == {"row"} and set(measures.measure.values) >= {"equivariance"}, measures
assert set(cells.arm.values) == {"gatr", "transformer"}, cells.arm.values
for scale in (cells.cell, curves.point, measures.row):
    assert (scale.values == np.arange(len(scale))).all(), scale
assert cells.flop_executed.attrs["units"] == cells.flop_executed.attrs["unit"] == "FLOP"
outcome = cells.outcome.attrs
assert outcome["flag_meanings"] == "done diverged failed" and list(outcome["flag_values"]) == [0, 1, 2], outcome
ends = curves.to_dataframe().groupby("cell").flop_nominal.max()
assert (ends.values == cells.flop_nominal.values).all(), "rows of /curves belong to cells"
PY
