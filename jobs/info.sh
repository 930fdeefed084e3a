#!/usr/bin/env bash
# What the build found, where, and which version. Called by `make info`, which passes everything in the environment.
set -u
line() { printf '%-14s %s\n' "$1" "$2"; }
first() { "$@" 2>&1 | head -n 1; }

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
line BLIS "$BLIS"
line ScaLAPACK "$SCALAPACK"
line libxsmm "$XSMM"
modules='import sys, h5py, matplotlib; print(f"{sys.version.split()[0]}, h5py {h5py.__version__}, matplotlib {matplotlib.__version__}")'
line python "$PYTHON, $("$PYTHON" -c "$modules" 2>/dev/null || echo 'without h5py or matplotlib: no figures')"
if [ -f config.mk ]; then line config.mk read; else line config.mk none; fi
