#!/usr/bin/env bash
# What the build found, where, and which version. Called by `make info`, which passes everything in the environment.
set -u
line() { printf '%-14s %s\n' "$1" "$2"; }
first() { "$@" 2>&1 | head -n 1; }
# What has no file of pkg-config: the library that the linker takes, links followed, since its name ends in the version,
# where a header stands, and what its macros say.
taken=$(echo 'int main(void) { return 0; }' | $MPICC -x c - $LIBS -Wl,--trace -o /dev/null 2>/dev/null)
library() { # NAME
    local path
    path=$(grep -m 1 -E "/lib$1[^/]*\.(so|a)" <<<"$taken") || path=
    if [ -n "$path" ]; then readlink -f "$path"; else echo "not found"; fi
}
header() { # FILE
    printf '#include <%s>\n' "$1" | $MPICC $FLAGS -M -x c - 2>/dev/null | tr ' ' '\n' | grep -m 1 "$1" || echo "not found"
}
macro() { # FILE WORDS
    printf '#include <%s>\nversion %s\n' "$1" "$2" | $MPICC $FLAGS -E -P -x c - 2>/dev/null |
        sed -n 's/^version //p' | tr -d ' "' | grep . || echo "no version"
}

line equiscale "$VERSION"
line build "$BUILD, $ARCH"
line compiler "$(first $MPICC --version), by $(command -v ${MPICC%% *} || echo "nothing: no $MPICC")"
line mpiexec "$(first ${MPIEXEC%% *} --version), $(command -v ${MPIEXEC%% *} || echo 'not found')"
for package in $PKGS; do
    if $PKG_CONFIG --exists "$package" 2>/dev/null; then
        version=$($PKG_CONFIG --modversion "$package" | head -n 1)
        line "$package" "$version, $($PKG_CONFIG --variable=pcfiledir "$package")/$package.pc"
    else
        line "$package" "not known to $PKG_CONFIG"
    fi
done
line BLIS "$(library blis), by $BLIS"
line ScaLAPACK "$(library scalapack), by $SCALAPACK"
line LAPACK "$(library lapack)"
if [ "$XSMM" = yes ]; then line libxsmm "$(macro libxsmm.h LIBXSMM_VERSION), $(library xsmm)"; else line libxsmm "left out"; fi
line libcsv "$(macro csv.h CSV_MAJOR.CSV_MINOR.CSV_RELEASE), $(library csv)"
line Random123 "$(header Random123/philox.h)"
modules='import sys, h5py, matplotlib; print(f"{sys.version.split()[0]}, h5py {h5py.__version__}, matplotlib {matplotlib.__version__}")'
line python "$PYTHON, $("$PYTHON" -c "$modules" 2>/dev/null || echo 'without h5py or matplotlib: no figures')"
if [ -f config.mk ]; then line config.mk read; else line config.mk none; fi
