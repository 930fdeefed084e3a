#!/usr/bin/env bash
# What study and which data: what is added trains its own cells only, what changed is refused by name, things listed twice
# are refused, and shapes of equal size do not compete as if they were learning rates. test_identity.sh BUILD_DIR
set -u
build=$(cd "$1" && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0
fail() { echo "FAILED: $*"; bad=1; }
eq() { # RANKS ARGUMENT ...
    local ranks=$1
    shift
    jobs/local.sh "$ranks" "$build/equiscale" "$@" >"$here/out" 2>"$here/err"
}
trains() { # NEW ALL ARGUMENT ...
    local want="$1 of $2 cells to run" ranks=${RANKS:-1}
    shift 2
    eq "$ranks" run "$here/study.yaml" "$@" || fail "$*: $(cat "$here/err")"
    grep -q "\] $want" "$here/out" || fail "$*: want $want: $(grep 'to run' "$here/out")"
}
refused() { # TEXT ARGUMENT ...: exit 2, and no file of the study changed
    local text=$1
    shift
    find "$here/runs" -type f -exec md5sum {} + >"$here/sums"
    eq 1 "$@"
    [ $? = 2 ] && grep -qF "$text" "$here/err" || fail "$*: want $text: $(cat "$here/err")"
    md5sum --quiet -c "$here/sums" || fail "$*: a file changed"
}

cat >"$here/study.yaml" <<END
study: {name: s, folder: $here/runs, arms: [transformer], steps: [2], datasets: [6], test_trajectories: 2,
  validation_trajectories: 2, test_samples: 4, validation_samples: 4, fit: false}
transformer: {width: [8], depth: [1], heads: [2], lr: [4e-3]}
gatr: {width: [2], depth: [1], heads: [2], multi_query: true, increase: 2}
train: {batch: 4, evaluations: 2}
data: {path: $here/data.h5, trajectories: 12, frames: 5, bodies_max: 4}
END
run="run $here/study.yaml"

trains 1 1
# ---- Added: the rest stays. ----
trains 1 2 -study_arms transformer,gatr
trains 1 2 -study_arms gatr,transformer_augmented
trains 1 2 -study_seeds 1,2
trains 1 2 -study_steps 4,2
trains 1 2 -transformer_width 8,8 -transformer_depth 1,1 -transformer_heads 2,1
trains 1 2 -study_datasets 6,3 -study_data_steps 2
trains 1 2 -transformer_lr 4e-3,2e-3
trains 0 2 -transformer_lr 2e-3,4e-3
trains 0 1 -transformer_lr 2e-3
trains 0 1
# ---- What decides nothing. ----
RANKS=2 trains 0 1 -layout_dp 2
cp "$here/data.h5" "$here/copy.h5"
trains 0 1 -data_path "$here/copy.h5" -data_trajectories 11 -study_data_memory 0
trains 0 2 -gatr_multi_query true -study_arms transformer,gatr -transformer_increase 1

# ---- Another value. ----
# shellcheck disable=SC2086  # two words
{
    refused 'train.batch = 4 there, 3 here' $run -train_batch 3
    refused 'train.beta2 = 0.99 there, 0.5 here' $run -train_beta2 0.5
    refused 'study.validation_samples = 4 there, 3 here' $run -study_validation_samples 3
    refused 'study.test_trajectories = 2 there, 3 here' $run -study_test_trajectories 3
    refused 'transformer.increase = 1 there, 2 here' $run -transformer_increase 2
    refused 'gatr.multi_query = 1 there, 0 here' $run -study_arms gatr -gatr_multi_query false
    refused 'gatr.lr_exponent) = ' $run -study_arms gatr -gatr_lr_exponent 0
    # Only results.h5 is left of the study.
    mv "$here/runs/s/cells" "$here/cells"
    mkdir "$here/runs/s/cells"
    refused 'results.h5: train.batch = 4 there, 3 here' $run -train_batch 3
    rmdir "$here/runs/s/cells"
    mv "$here/cells" "$here/runs/s/cells"
}

# ---- Keys of a model that have one value for all sizes, and of a procedure; a value that is swept is a cell of its own. ----
clofnet="-study_name choices -study_arms clofnet -clofnet_width 8 -clofnet_depth 1"
remul="-study_name procedure -study_arms transformer_remul"
# shellcheck disable=SC2086  # words
{
    trains 1 1 $clofnet
    trains 0 1 $clofnet -clofnet_neighbours 0
    refused 'clofnet.neighbours = 0 there, 3 here' $run $clofnet -clofnet_neighbours 3
    refused 'clofnet.frames = ' $run $clofnet -clofnet_frames every
    trains 1 1 $remul
    trains 1 2 $remul -remul_equivariance 1,3
    trains 0 1 $remul -remul_equivariance 3
    refused 'remul.samples = 1 there, 2 here' $run $remul -remul_samples 2
    refused 'remul.group = ' $run $remul -remul_group rotations
}

# ---- Other data under the same name, of the same settings and shape. ----
/usr/bin/python3 -c "
import h5py, sys
with h5py.File(sys.argv[1], 'r+') as f:
    del f.attrs['digest']
    f['bodies/position'][9] *= 1.01" "$here/data.h5"
refused 'digest of the data = ' run "$here/study.yaml" -study_arms transformer,gatr
refused 'digest of the data = ' status "$here/study.yaml"
mv "$here/copy.h5" "$here/data.h5"

# ---- Listed twice. ----
plan="plan $here/study.yaml"
# shellcheck disable=SC2086  # two words
{
    refused 'study.seeds lists 1 twice' $plan -study_seeds 1,2,1
    refused 'study.steps lists 40 twice' $plan -study_steps 40,4e1
    refused 'study.datasets lists 6 twice' $plan -study_datasets 6,6
    refused 'study.arms lists gatr twice' $plan -study_arms gatr,transformer,gatr
    refused 'transformer.lr lists 0.01 twice' $plan -transformer_lr 1e-2,0.01
    refused 'transformer.width lists the size of width 8, depth 1, heads 2 twice' $plan \
        -transformer_width 8,16,8 -transformer_depth 1,1,1 -transformer_heads 2,2,2
    refused 'gatr.width lists the size of width 2' $plan -study_arms gatr -gatr_width 2,2 -gatr_depth 1,1 -gatr_heads 2,2 -gatr_scalars 4,4
}
eq 1 $plan -study_arms gatr -gatr_width 2,2 -gatr_depth 1,1 -gatr_heads 2,2 -gatr_scalars 4,6 || fail "scalars tell sizes apart: $(cat "$here/err")"
eq 1 $plan -transformer_lr 4e-3,4.0000001e-3 || fail "rates that are close: $(cat "$here/err")"
[ "$(grep -c '^transformer-' "$here/out")" = 2 ] && [ "$(grep '^transformer-' "$here/out" | cut -d' ' -f1 | sort -u | wc -l)" = 2 ] ||
    fail "two rates, two names: $(cat "$here/out")"

# ---- Heads do not change N: both shapes stay in the grid; of two rates at each, the better one. ----
trains 4 4 -study_name heads -transformer_width 8,8 -transformer_depth 1,1 -transformer_heads 1,4 -transformer_lr 4e-3,1e-5
/usr/bin/python3 - "$here/runs/heads/results.h5" <<'P' || fail "roles"
import sys, h5py
with h5py.File(sys.argv[1]) as f:
    c = {k: v[()] for k, v in f["cells"].items()}
assert len(set(c["parameters"])) == 1 and sorted(c["heads"]) == [1, 1, 4, 4], c["parameters"]
for heads in (1, 4):
    mine = c["heads"] == heads
    assert sorted(c["role"][mine]) == [b"grid", b"lr"], c["role"]
    assert c["role"][mine][c["validation_loss"][mine].argmin()] == b"grid"
assert len(set(c["id"])) == 4 and all(len(d) == 16 for d in c["data"])
P
# Rates that move no weight leave the same losses: one of them is in the grid, not both.
trains 2 2 -study_name ties -transformer_width 8 -transformer_depth 1 -transformer_heads 1 -transformer_lr 1e-12,2e-12
/usr/bin/python3 - "$here/runs/ties/results.h5" <<'P' || fail "two rates of one loss"
import sys, h5py
with h5py.File(sys.argv[1]) as f:
    role, loss = f["cells/role"][()], f["cells/validation_loss"][()]
assert loss[0] == loss[1] and sorted(role) == [b"grid", b"lr"], (role, loss)
P
[ $bad = 0 ]
