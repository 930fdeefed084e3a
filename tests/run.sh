#!/usr/bin/env bash
# Runs every test and prints TAP, and last `N passed, N failed`.
#   tests/run.sh BUILD_DIR ...        only programs whose name contains $ONLY, if that is set
#
# A test program tests/test_NAME.c says how it is run in lines at its top:
#   // TEST n=1,2,4                         once for each number of ranks
#   // TEST n=2 args=-tp 2                  with these arguments (the rest of the line)
#   // TEST double n=1 ...                  in the double-precision build only; likewise `single`
# Scripts tests/test_NAME.sh are given the build directory and are run in the first one only.
set -u
cd "$(dirname "$0")/.."
SLOW=20 # s: tests that take longer say so
passed=0 failed=0 count=0 log=$(mktemp)

one() { # NAME COMMAND ...
    local name=$1 start=$SECONDS
    shift
    count=$((count + 1))
    if timeout "${TEST_TIMEOUT:-600}" "$@" >"$log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok $count - $name"
        grep -E '^(worst|measured|skipped)' "$log" | sed 's/^/#   /'
        [ $((SECONDS - start)) -lt $SLOW ] || echo "#   took $((SECONDS - start)) s"
    else
        failed=$((failed + 1))
        echo "not ok $count - $name"
        tail -n 30 "$log" | sed 's/^/#   /'
    fi
}

for build in "$@"; do
    case $build in *-double) precision=double ;; *) precision=single ;; esac
    for source in tests/test_*.c; do
        program=$(basename "$source" .c)
        case $program in *"${ONLY:-}"*) ;; *) continue ;; esac
        lines=$(grep -E '^// TEST' "$source" || echo "// TEST n=1")
        while read -r _ _ first rest; do
            case $first in
            double | single) [ "$first" = $precision ] || continue; read -r first rest <<<"$rest" ;;
            esac
            args=${rest#args=}
            for n in $(tr , ' ' <<<"${first#n=}"); do
                # shellcheck disable=SC2086  # the arguments are a list, globs included
                one "$build $program $n ranks${args:+ $args}" jobs/local.sh "$n" "$build/tests/$program" $args
            done
        done <<<"$lines"
    done
done
for script in tests/test_*.sh; do
    [ -e "$script" ] || continue
    case $script in *"${ONLY:-}"*) one "$script" bash "$script" "$1" ;; esac
done
echo "1..$count"
rm -f "$log"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
