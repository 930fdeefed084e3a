#!/usr/bin/env bash
# The studies of the related systems, each in a short form: every arm trains, its numbers and the fixed inputs are recorded, and
# what cannot go together is refused.
set -eu
build=$1

t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
fail() { echo "FAILED: $1"; tail -n 20 "$t/out"; exit 1; }
sed "/budget/d" input/related.yaml >"$t/related.yaml" # the short form has lengths instead
run="jobs/local.sh 2 $build/equiscale run"
short="-study_steps 4 -study_seeds 1 -study_datasets 8 -study_test_trajectories 2 -study_validation_trajectories 2
    -study_test_samples 8 -study_validation_samples 8 -measure_samples 4 -measure_motions 2 -data_trajectories 12 -data_frames 6
    -study_folder $t/runs -study_fit false -train_curve_samples 0 -train_batch 4"

$run input/remul.yaml $short -data_path "$t/d.h5" -remul_equivariance 1 -remul_penalty gradnorm >"$t/out" 2>&1 || fail "remul"
sweep="$run input/remul.yaml $short -data_path $t/d.h5 -study_name sweep"
$sweep -remul_equivariance 0.1,1 >"$t/out" 2>&1 || fail "remul, two weights"
$sweep >"$t/out" 2>&1 || fail "remul, four weights"
grep -q '2 of 6 cells to run' "$t/out" || fail "weights that are added train new cells only"
$sweep -study_name anchored -remul_equivariance 1 -remul_anchor prediction >"$t/out" 2>&1 || fail "remul, anchored"
$run input/augerino.yaml $short -data_path "$t/d.h5" >"$t/out" 2>&1 || fail "augerino"
$run input/augerino.yaml $short -study_name withheld -data_path "$t/c.h5" -data_inputs none -data_frame canonical \
    -data_origin frame >"$t/out" 2>&1 || fail "augerino, withheld"
# On one layout, whatever the timings of the moment: bits are compared.
$run input/approximate.yaml $short -layout_dp 1 -data_path "$t/c.h5" >"$t/out" 2>&1 || fail "approximate"
$run input/approximate.yaml $short -layout_dp 1 -study_name tokens -study_arms gatr,gatr_approximate -gatr_fixed_place tokens \
    -data_path "$t/c.h5" >"$t/out" 2>&1 || fail "approximate, tokens"
$run input/shared.yaml $short -shared_every 2 -data_path "$t/d.h5" >"$t/out" 2>&1 || fail "shared"
$run "$t/related.yaml" $short -shared_every 2 -data_path "$t/d.h5" >"$t/out" 2>&1 || fail "related"
"${PYTHON:-/usr/bin/python3}" - "$t/runs" <<'P' || fail "records"
import sys
import h5py
import numpy as np

def cells(study):
    with h5py.File(f"{sys.argv[1]}/{study}/results.h5") as f:
        c = {k: f["cells"][k][:] for k in f["cells"]}
        curve = f["curves/procedure"][:], f["curves/cell"][:]
    return c, curve

def numbers(study, arm):
    c, (value, cell) = cells(study)
    row = list(c["arm"]).index(arm.encode())
    return c["numbers"][row].decode().split(","), value[cell == row][-1]

names, value = numbers("remul", "transformer_remul")
assert names == ["loss_objective", "loss_equivariance", "weight_objective", "weight_equivariance"], names
assert abs(value[2] + value[3] - 2) < 1e-9 and value[2] != 1, value
# A weight that is swept is a column; of those that differ in it alone the best on the validation set keeps its role.
c, _ = cells("sweep")
mine = c["arm"] == b"transformer_remul"
assert sorted(c["swept"][mine]) == [0.01, 0.1, 1, 10] and np.isnan(c["swept"][~mine]).all(), c["swept"]
assert [i for i in c["id"][mine] if b"-e0.1-" in i] and len(set(c["loss"][mine])) == 4, c["id"]
best = np.flatnonzero(mine)[np.argmin(c["validation_loss"][mine])]
assert [i for i in np.flatnonzero(mine) if c["role"][i] == b"grid"] == [best], c["role"]
c, _ = cells("anchored")
assert [i for i in c["id"] if b"-prediction-" in i and i.startswith(b"transformer_remul")], c["id"]
names, value = numbers("augerino", "transformer_augerino")
assert len(names) == 12 and names[2] == "rotation_z" and np.isfinite(value).all() and (value > 0).all(), (names, value)
names, value = numbers("related", "transformer_shared")
assert names[:3] == ["clusters", "entropy", "class_1"] and 1 <= value[0] <= 5, (names, value)
# Without fixed inputs the arm is GATr: the same loss, bit for bit. Tokens cost more than channels.
flop = []
for study in ("approximate", "tokens"):
    c, _ = cells(study)
    fixed = sorted(c["fixed"][c["arm"] == b"gatr_approximate"])
    assert fixed == [0, 1, 2, 4, 8, 16], fixed
    loss = {(a, k): l for a, k, l in zip(c["arm"], c["fixed"], c["loss"])}
    assert loss[b"gatr", 0] == loss[b"gatr_approximate", 0] and loss[b"gatr", 0] != loss[b"gatr_approximate", 4], loss
    flop.append({k: f for a, k, f in zip(c["arm"], c["fixed"], c["flop_executed"]) if a == b"gatr_approximate"})
assert flop[0][0] == flop[1][0] and flop[1][16] > flop[0][16], flop
c, _ = cells("related")
assert len(set(c["arm"])) == 9 and np.isfinite(c["loss"]).all(), set(c["arm"])
P
refused() { want=$1; shift; if "$@" >"$t/out" 2>&1; then fail "not refused: $want"; fi; grep -q "$want" "$t/out" || fail "$want"; }
refused 'tp = 2: every rank would hold every edge' $run "$t/related.yaml" $short -data_path "$t/d.h5" \
    -study_arms clofnet -layout_tp 2
refused 'turns scenes by their gravity' $run "$t/related.yaml" $short -data_path "$t/d.h5" \
    -study_arms transformer_canonical -data_inputs none
refused 'remul.equivariance = 0: want one' $run input/remul.yaml $short -data_path "$t/d.h5" -remul_objective 0 \
    -remul_equivariance 0
refused '4 weights: want one where remul.penalty' $run input/remul.yaml $short -data_path "$t/d.h5" -remul_penalty gradnorm
refused 'remul.equivariance lists 1 twice' $run input/remul.yaml $short -data_path "$t/d.h5" -remul_equivariance 1,2,1
refused 'gatr_fixed.kind = free there, direction here' $run input/approximate.yaml $short -data_path "$t/c.h5" \
    -gatr_fixed_kind direction
refused 'gatr_fixed.place = channels there, tokens here' $run input/approximate.yaml $short -data_path "$t/c.h5" \
    -gatr_fixed_place tokens
