#!/usr/bin/env bash
# What holds of the related systems only after training: minutes. check_related.sh BUILD_DIR [FOLDER]. Prints the figures of
# docs/related.md and fails where one is out of its bound; studies in FOLDER (runs) go on where they were left.
set -eu
build=$1
folder=${2:-runs}
ranks=${RANKS:-$(nproc)}
study() { # FILE [-key value ...]
    echo "== $*"
    jobs/local.sh "$ranks" "$build/equiscale" run "$@" -study_folder "$folder" >"$folder/check-related.log" 2>&1 ||
        { tail -n 20 "$folder/check-related.log"; exit 1; }
}
mkdir -p "$folder"
data="-data_path $folder/related-data.h5"
canonical="-data_path $folder/related-canonical.h5"
study input/remul.yaml $data
study input/augerino.yaml $data
study input/augerino.yaml $canonical -study_name augerino-withheld -data_inputs none -data_frame canonical -data_origin frame
study input/approximate.yaml $canonical
one="-study_arms gatr_approximate -gatr_fixed_width 4 -gatr_fixed_depth 2 -gatr_fixed_heads 4"
study input/approximate.yaml $canonical -study_name vertical $one -gatr_fixed_fixed 1 -gatr_fixed_kind direction
study input/approximate.yaml $canonical -study_name tokens $one -gatr_fixed_fixed 4 -gatr_fixed_place tokens
study input/shared.yaml $data
study input/shared.yaml $data -study_name shared-blocks -study_arms transformer_shared -shared_pattern blocks
"${PYTHON:-/usr/bin/python3}" tests/check_related.py "$folder"
jobs/local.sh 1 "$build/tests/test_learned" 20000
for task in "gaussian -rank 1" "gaussian -rank 2" "sum -rank 1" "sum -rank 2"; do
    jobs/local.sh 1 "$build/equiscale" discover $task
done
