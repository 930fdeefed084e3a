#!/usr/bin/env bash
# Runs every test and prints TAP, and last `N passed, N failed`.
#   tests/run.sh BUILD_DIR ...        only programs whose name contains a word of $ONLY, if that is set
#   EMULATOR=COMMAND                  programs are run by it, such as qemu-aarch64
#
# A test program tests/test_NAME.c says how it is run in lines at its top:
#   // TEST n=1,2,4                         once for each number of ranks
#   // TEST n=2 args=-tp 2                  with these arguments (the rest of the line)
#   // TEST double n=1 ...                  in the double-precision build only; likewise `single`
# Scripts tests/test_NAME.sh are given the build directory and are run in the first one only. Programs run one after the
# other, scripts beside them, but those with a line `# TEST alone`, whose time limits are short: these run last.
set -u
cd "$(dirname "$0")/.."
SLOW=20 # s: tests that take longer say so
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# Several jobs share the cores: none is bound to one, and ranks that wait give way.
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1

wanted() { # NAME
    local word
    for word in ${ONLY:-test}; do
        case $1 in *"$word"*) return 0 ;; esac
    done
    return 1
}

one() { # NAME COMMAND ...
    local name=$1 start=$SECONDS ok=ok log
    shift
    log=$(mktemp -p "$out")
    timeout "${TEST_TIMEOUT:-1800}" "$@" >"$log" 2>&1 </dev/null || ok="not ok"
    {
        flock 9
        echo "$ok" >>"$out/results"
        echo "$ok $(wc -l <"$out/results") - $name"
        if [ "$ok" = ok ]; then grep -E '^(worst|measured|skipped)' "$log" | sed 's/^/#   /'; else tail -n 30 "$log" | sed 's/^/#   /'; fi
        [ $((SECONDS - start)) -lt $SLOW ] || echo "#   took $((SECONDS - start)) s"
    } 9>>"$out/lock"
    rm -f "$log"
}

programs() { # BUILD_DIR ...
    local build precision source program lines first rest args n
    for build in "$@"; do
        case $build in *-double) precision=double ;; *) precision=single ;; esac
        for source in tests/test_*.c; do
            program=$(basename "$source" .c)
            wanted "$program" || continue
            lines=$(grep -E '^// TEST' "$source" || echo "// TEST n=1")
            while read -r _ _ first rest; do
                case $first in
                double | single) [ "$first" = $precision ] || continue; read -r first rest <<<"$rest" ;;
                esac
                args=${rest#args=}
                for n in $(tr , ' ' <<<"${first#n=}"); do
                    # shellcheck disable=SC2086  # EMULATOR and the arguments are lists, globs included
                    one "$build $program $n ranks${args:+ $args}" jobs/local.sh "$n" ${EMULATOR:-} "$build/tests/$program" $args
                done
            done <<<"$lines"
        done
    done
}

scripts() { # BUILD_DIR, and options of grep that tell which files
    local build=$1 script
    shift
    for script in $(grep "$@" '^# TEST alone' tests/test_*.sh); do
        if wanted "$script"; then one "$script" bash "$script" "$build"; fi
    done
}

touch "$out/results"
programs "$@" &
scripts "$1" -L
wait
scripts "$1" -l
count=$(wc -l <"$out/results") failed=$(grep -c not "$out/results")
echo "1..$count"
echo "$((count - failed)) passed, $failed failed"
[ "$failed" = 0 ]
