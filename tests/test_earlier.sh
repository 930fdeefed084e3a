#!/usr/bin/env bash
# Files of earlier versions, tests/data/*: the dataset is read, the cells count as finished, an added arm trains its own
# cells only, and a value that is another one now is refused by name. test_earlier.sh BUILD_DIR
set -u
build=$(cd "$1" && pwd)
top=$PWD
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0
fail() { echo "FAILED: $*"; bad=1; }
eq() { "$top/jobs/local.sh" 1 "$build/equiscale" "$@" >out 2>err; }
refused() { # TEXT ARGUMENT ...
    local text=$1
    shift
    eq "$@"
    [ $? = 2 ] && grep -qF "$text" err || fail "$*: want $text: $(cat err)"
}

for folder in tests/data/*/; do
    name=$(basename "$folder")
    mkdir -p "$here/$name/runs/$name"
    cp -r "$folder/cells" "$folder/results.h5" "$here/$name/runs/$name/"
    cp "$folder/study.yaml" "$here/$name/"
    gunzip -c "$folder/data.h5.gz" >"$here/$name/data.h5"
    cd "$here/$name" || exit 1
    find . -name '*.h5' -exec md5sum {} + >sums

    eq status study.yaml
    grep -q '^2 cells: 0 planned, 0 running, 2 done' out || fail "$name: status: $(cat out err)"
    eq fit "runs/$name/results.h5" || fail "$name: fit: $(cat err)"
    eq status study.yaml -train_batch 4 -layout_dp 2 -study_seeds 1,2 -gatr_width 2,4 -gatr_depth 1,2 -gatr_heads 2,2
    grep -q '^6 cells: 4 planned, 0 running, 2 done' out || fail "$name: more of everything: $(cat out err)"
    eq run study.yaml -study_arms transformer,transformer_augmented,gatr
    grep -q '1 of 3 cells to run' out || fail "$name: an arm added: $(cat out err)"
    grep -q '2 cells are from before records held a digest of their data' out || fail "$name: nothing said: $(cat out)"
    md5sum --quiet -c <(grep -v results sums) || fail "$name: files changed"
    /usr/bin/python3 - "runs/$name/results.h5" <<'P' || fail "$name: results"
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as f:
    c = {k: v[()] for k, v in f["cells"].items()}
assert sorted(c["arm"]) == [b"gatr", b"transformer", b"transformer_augmented"], c["arm"]
assert list(c["scalars"][c["arm"] == b"gatr"]) == [4] and list(c["increase"]) == [1] * 3 and not any(c["multi_query"]), c
assert all(np.isnan(c["joules"][c["arm"] != b"transformer_augmented"])) and all(c["core_seconds"] > 0) and set(c["role"]) == {b"grid"}
assert [bool(d) for d in c["data"]] == [a == b"transformer_augmented" for a in c["arm"]], c["data"]
P

    refused 'data.velocity = frames there, instant here' status study.yaml -data_velocity instant -data_path none.h5
    refused 'data.inputs = geometry there, full here' status study.yaml -data_inputs full
    refused 'no /bodies/velocity' run study.yaml -data_velocity instant
    refused 'train.batch = 4 there, 3 here' run study.yaml -train_batch 3
    refused 'train.warmup = 0.1' run study.yaml -train_warmup 0.2
    refused 'study.test_samples = 8 there, 7 here' status study.yaml -study_test_samples 7
    refused 'gatr.multi_query = 0 there, 1 here' status study.yaml -gatr_multi_query true
    refused 'gatr.lr_exponent) = ' run study.yaml -gatr_lr 1e-2
    refused 'data.seed = 1, here it is 2' status study.yaml -data_seed 2
    mv data.h5 other.h5
    refused 'data.seed = 1 there, 2 here' status study.yaml -data_seed 2
    cd "$top" || exit 1
done
[ $bad = 0 ]
