# Sourced by test_errors.sh, test_hostile.sh and test_plan.sh: a small study in $here that has been run, and what refuses. $build is set.
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0

# launch RANKS ARGUMENTS: a single process needs no launcher.
launch() {
    local ranks=$1
    shift
    if [ "$ranks" = 1 ]; then
        PMIX_MCA_psec=native timeout 120 "$build/equiscale" "$@"
    else
        timeout 120 jobs/local.sh "$ranks" "$build/equiscale" "$@"
    fi
}

good="study: {name: e, folder: $here/runs, arms: [transformer], steps: [2], datasets: [4], test_trajectories: 2,
  validation_trajectories: 2, test_samples: 4, validation_samples: 4, fit: false}
transformer: {width: [8], depth: [1], heads: [2]}
train: {batch: 4}
data: {path: $here/data.h5, trajectories: 8, frames: 6}"
echo "$good" >"$here/good.yaml"
launch 1 run "$here/good.yaml" >"$here/log" 2>&1 || { cat "$here/log"; exit 1; }

# refuse RANKS PATTERN ARGUMENTS: exit 2, exactly one line on standard error, which matches.
refuse() {
    local ranks=$1 pattern=$2 code
    shift 2
    sums=$(find "$here" -type f -name '*.h5' -exec md5sum {} +)
    launch "$ranks" "$@" >"$here/out" 2>"$here/err"
    code=$?
    # mpiexec adds a notice of its own about the exit code, between rules of dashes.
    grep -vE '^-+$|^Primary job|^mpiexec|^a non-zero exit|^$|^  *Process name|^  *Exit code|exiting improperly|^This may|^termin|^non-zero' "$here/err" >"$here/line"
    if [ $code != 2 ] || [ "$(wc -l <"$here/line")" != 1 ] || ! grep -qE "$pattern" "$here/line"; then
        echo "FAILED ($code): $* : wanted: $pattern; got:"
        cat "$here/line"
        bad=1
    fi
    md5sum --quiet -c <<<"$sums" || { echo "FAILED: $* changed a file"; bad=1; }
}
study() { sed "$1" "$here/good.yaml" >"$here/bad.yaml"; }
