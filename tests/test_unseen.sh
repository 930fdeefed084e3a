#!/usr/bin/env bash
# Nothing steers a study unseen: what PETSc would read from the environment, the home and the working folder changes
# neither keys nor libraries. test_unseen.sh BUILD_DIR
set -u
build=$(cd "$1" && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0

cat >"$here/study.yaml" <<END
study: {name: unseen, folder: $here/runs, arms: [transformer], steps: [2, 4], datasets: [4], test_trajectories: 2,
  validation_trajectories: 2, test_samples: 4, validation_samples: 4}
transformer: {width: [8], depth: [1], heads: [2]}
data: {path: $here/data.h5, trajectories: 8, frames: 6}
END
# Cells with N and D; with -info PETSc would write a file.
steer="-train_batch 16 -tao_type nls -no_such_option 1 -info $here/info"
mkdir "$here/home" "$here/folder" "$here/plain"

plan() { # FOLDER [NAME=VALUE ...]
    (cd "$1" && shift && env "$@" "$build/equiscale" plan "$here/study.yaml" 2>&1) | awk '/^transformer-/ {print $1, $3, $4}' | sort
}
want=$(plan "$here/plain")
[ "$(wc -l <<<"$want")" = 2 ] || { echo "no plan"; bad=1; }
same() { # WHAT FOLDER [NAME=VALUE ...]
    local what=$1
    shift
    [ "$(plan "$@")" = "$want" ] || { echo "$what changes or breaks the plan"; bad=1; }
    ls "$here"/info* >/dev/null 2>&1 && { echo "$what reaches PETSc"; bad=1; }
    rm -f "$here"/info*
}
tr ' ' '\n' <<<"$steer" | paste -d ' ' - - >"$here/home/.petscrc"
cp "$here/home/.petscrc" "$here/folder/.petscrc"
cp "$here/home/.petscrc" "$here/folder/petscrc"
same "PETSC_OPTIONS" "$here/plain" PETSC_OPTIONS="$steer"
same "PETSC_OPTIONS_YAML" "$here/plain" PETSC_OPTIONS_YAML="{train_batch: 16, info: $here/info}"
same ".petscrc in the home folder" "$here/plain" HOME="$here/home"
same ".petscrc in the working folder" "$here/folder"
[ $bad = 0 ]
