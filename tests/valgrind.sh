#!/usr/bin/env bash
# C tests on one rank under valgrind's memcheck: what is read or written outside its place, what is used before it is set, and
# what of ours is lost. valgrind.sh BUILD_DIR NAME...; `make valgrind`. What libraries do stands in tests/valgrind.supp.
set -u
cd "$(dirname "$0")/.."
build=$1 bad=0 log=$(mktemp)
shift
trap 'rm -f "$log"' EXIT
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
# Kernels of which valgrind knows the instructions; and nothing that was measured without it is used, or replaced.
export OMPI_MCA_ess_singleton_isolated=1 BLIS_ARCH_TYPE=haswell LIBXSMM_TARGET=hsw XDG_CACHE_HOME=/nonexistent PMIX_MCA_psec=native
suppressions=(--suppressions=tests/valgrind.supp)
[ ! -e /usr/share/openmpi/openmpi-valgrind.supp ] || suppressions+=(--suppressions=/usr/share/openmpi/openmpi-valgrind.supp)

# Damaged files and bytes: those that are told apart by number are few here.
trials() {
    case $1 in
    results) echo 30 ;;
    checkpoint) echo 40 ;;
    esac
}

for name in "$@"; do
    start=$SECONDS
    # shellcheck disable=SC2046  # an argument or none
    if valgrind --quiet --error-exitcode=99 --num-callers=40 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        "${suppressions[@]}" "$build/tests/test_$name" $(trials "$name") >"$log" 2>&1; then
        echo "ok - test_$name, $((SECONDS - start)) s"
    else
        echo "not ok - test_$name"
        tail -n 60 "$log"
        bad=1
    fi
done
exit $bad
