# Sourced by what disturbs a study: one of a few seconds in $here, what it comes to undisturbed, and whether a disturbed one
# comes to the same. $build is the build folder.
python=${PYTHON:-/usr/bin/python3}
export PYTHONDONTWRITEBYTECODE=1 PMIX_MCA_psec=native
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
here=$(mktemp -d)
bad=0
fail() { echo "FAILED: $*"; bad=1; }

# study_file FOLDER STEPS: FOLDER/s.yaml, cells of those steps, all that it makes in FOLDER; the layout is given, since numbers
# are the same to the last bit on the same layout only
study_file() {
    mkdir -p "$1"
    cat >"$1/s.yaml" <<END
study: {name: s, folder: $1/runs, arms: [transformer], steps: [$2], datasets: [8], test_trajectories: 2,
  validation_trajectories: 2, test_samples: 4, validation_samples: 4, fit: false}
transformer: {width: [8], depth: [1], heads: [2]}
layout: {dp: 1, tp: 1}
train: {batch: 4}
data: {path: $1/data.h5, trajectories: 12, frames: 6, bodies_max: 3}
END
}

# steps_taking SECONDS: the steps of a cell that takes so long here
steps_taking() {
    local try=20000 at=$here/try
    study_file "$at" $try
    "$build/equiscale" run "$at/s.yaml" >"$at/out" 2>&1 || { cat "$at/out" >&2; return 1; }
    "$python" -c "import h5py
print(int($1 * $try / h5py.File('$at/runs/s/results.h5')['cells/seconds'][:].max()))"
    rm -rf "$at"
}

digest() { "$python" tests/digest.py "$1/runs/s/results.h5"; }

# again FOLDER: the same command until it is done
again() {
    local code _
    for _ in 1 2 3; do
        timeout 300 "$build/equiscale" run "$1/s.yaml" >"$1/finish" 2>&1
        code=$?
        [ $code = 75 ] || break
    done
    [ $code = 0 ] || { fail "$1 ends in $code: $(tail -n 1 "$1/finish")"; return 1; }
}

# finish FOLDER: the same, and 0 where the numbers are then those of $wanted
finish() {
    again "$1" || return 1
    [ "$(digest "$1")" = "$wanted" ] || { fail "$1: other numbers than undisturbed"; return 1; }
}
