#!/usr/bin/env bash
# Every fuzz target for SECONDS, or until it has done a million inputs, from the files in tests/fuzz/NAME: run.sh BUILD_DIR SECONDS
# ONLY=NAME: that one alone. What ends a target is kept in BUILD_DIR/found.
set -u
cd "$(dirname "$0")/../.."
build=$1 seconds=$2 bad=0
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
export PMIX_MCA_psec=native OMPI_MCA_opal_signal= # signals are libFuzzer's
mkdir -p "$build/found"
for program in "$build"/fuzz/fuzz_*; do
    name=${program##*/fuzz_}
    case $name in *"${ONLY:-}"*) ;; *) continue ;; esac
    new=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm)")
    mkdir "$new/corpus"
    # A child that reads has no standard error. Leaks are for the C tests: here they would be looked for after every input.
    # A damaged size makes HDF5 ask for gigabytes, whose shadow would take longer than all else: there is no memory for that.
    # Inputs are small: of what was given back some of the last ones' is watched, not 256 MB, all of which would be new pages.
    export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=4:max_malloc_fill_size=0:malloc_context_size=6
    ASAN_OPTIONS+=:max_allocation_size_mb=64:allocator_may_return_null=1
    ASAN_OPTIONS+=:log_path=$build/found/$name.report
    TMPDIR=$new "$program" -runs=1000000 -max_total_time="$seconds" -timeout=30 -rss_limit_mb=4096 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" "$new/corpus" "tests/fuzz/$name" >"$build/found/$name.log" 2>&1 || {
        echo "FAILED: $name: see $build/found/$name.log"
        tail -n 30 "$build/found/$name.log" "$build/found/$name".report* 2>/dev/null
        bad=1
    }
    awk -v name="$name" '/^stat::number_of_executed_units/ { n = $2 } /^stat::average_exec_per_sec/ { each = $2 }
        END { print "measured " name ": " n + 0 " inputs, " each + 0 " a second" }' "$build/found/$name.log"
    rm -rf "$new"
done
exit $bad
