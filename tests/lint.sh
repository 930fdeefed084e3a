#!/usr/bin/env bash
# Checks that need no run: who includes whom, which layer sees which library, formatting, self-contained headers, cppcheck,
# and that every arm is documented.
# The lists come from the Makefile; the arguments are the sources.
set -u
cd "$(dirname "$0")/.."
bad=0
complain() { echo "lint: $*"; bad=1; }

# A layer includes itself and what USES_layer names; a foreign header is seen by one layer.
for file in "$@"; do
    case $file in include/* | src/*) ;; *) continue ;; esac
    layer=$(cut -d/ -f2 <<<"$file")
    uses=USES_$layer
    while read -r included; do
        [ -d "include/${included%%/*}" ] || continue
        case " $layer ${!uses} " in *" ${included%%/*} "*) ;; *) complain "$file includes $included: $layer may use: ${!uses}" ;; esac
    done < <(sed -nE 's/^#include "([a-z0-9_]+\/[a-z0-9_]+\.h)"/\1/p' "$file")
    while read -r included; do
        for entry in $FOREIGN; do
            case $included in
            "${entry%%=*}"*)
                [ "$layer" = "${entry##*=}" ] || complain "$file includes <$included>: only ${entry##*=} may" ;;
            esac
            case $included:$file in
            "${entry%%=*}"*:include/par/comm_mpi.h) ;;
            "${entry%%=*}"*:include/*) complain "$file: a header may not include <$included>" ;;
            esac
        done
    done < <(sed -nE 's/^#include <([^>]+)>/\1/p' "$file")
done

# A script that the Makefile runs by its name is executable.
for script in $(grep -oE '\b(tests|jobs|analysis)/[a-z0-9_/]+\.(sh|py)\b' Makefile | sort -u); do
    [ -x "$script" ] || complain "$script: the Makefile runs it: want it executable"
done

# Every arm has a row in the page of arms.
for arm in $(sed -nE 's/^ +\{"([a-z0-9_]+)", &[a-z_]+_kind,.*/\1/p' src/study/arm.c); do
    grep -q "^| \`$arm\` |" docs/arms.md || complain "docs/arms.md has no row of the arm $arm"
done

# malloc lives in base/arena.c alone.
grep -nE '\b(malloc|calloc|realloc|aligned_alloc|free)\(' "$@" | grep -v '^src/base/arena.c' | grep -vE ':\s*/?\*' &&
    complain "malloc and free belong to base/arena"

clang-format --dry-run -Werror "$@" 2>&1 | grep -E 'error' | head -n 20
[ "${PIPESTATUS[0]}" = 0 ] || complain "formatting: run make format"

for header in include/*/*.h; do
    # shellcheck disable=SC2086  # a list of flags
    echo "#include \"${header#include/}\"" | $CC $FLAGS -fsyntax-only -x c - || complain "$header is not self-contained"
done

# (It does not know that CHECK ends the program, and takes an Err, which holds its text, for a pointer to it.)
cppcheck --quiet --std=c11 -Iinclude --enable=warning,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=preprocessorErrorDirective --suppress=nullPointerRedundantCheck \
    --suppress=nullPointerArithmeticRedundantCheck --suppress=returnDanglingLifetime src || complain "cppcheck"

for script in jobs/*.sh tests/*.sh packages/equiscale-report packages/completion.bash .ci/run; do bash -n "$script" || complain "$script"; done
[ $bad = 0 ] && echo "lint: clean"
exit $bad
