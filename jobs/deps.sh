#!/usr/bin/env bash
# Installs what is missing from Debian's packages; does nothing, fast, where all is there.
# On a system without apt it says what to load. Called by `make deps`.
set -u
multiarch=${MULTIARCH:-$(gcc -print-multiarch)}
python=${PYTHON:-/usr/bin/python3}

# package = a file that it brings
wanted="
pkg-config=$(command -v pkg-config || echo /usr/bin/pkg-config)
libopenmpi-dev=/usr/bin/mpicc
openmpi-bin=/usr/bin/mpiexec
libblis-serial-dev=/usr/lib/$multiarch/blis-serial/libblis.so
libscalapack-openmpi-dev=/usr/lib/$multiarch/libscalapack-openmpi.so
libpetsc-real-dev=/usr/lib/$multiarch/pkgconfig/petsc.pc
libhdf5-openmpi-dev=/usr/lib/$multiarch/hdf5/openmpi/libhdf5.so
hdf5-tools=/usr/bin/h5dump
libxsmm-dev=/usr/include/libxsmm.h
libode-dev=/usr/include/ode/ode.h
librandom123-dev=/usr/include/Random123/philox.h
libyaml-dev=/usr/include/yaml.h
liblapack-dev=/usr/lib/$multiarch/liblapack.so
python3-h5py=/usr/lib/python3/dist-packages/h5py
python3-matplotlib=/usr/lib/python3/dist-packages/matplotlib
"
# jobs/deps.sh lint: what `make lint` and `make format` need beside.
if [ "${1:-}" = lint ]; then wanted="clang-format=/usr/bin/clang-format cppcheck=/usr/bin/cppcheck $wanted"; fi
missing=
for entry in $wanted; do [ -e "${entry#*=}" ] || missing="$missing ${entry%%=*}"; done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    [ -f config.mk ] && exit 0 # the site has said where its libraries are
    cat >&2 <<EOF
equiscale: this system has no apt-get. Load or build: Open MPI, PETSc 3.18 or later (real, with libyaml), parallel HDF5,
ScaLAPACK, BLIS, libxsmm, ODE, Random123, libyaml, and for figures python3 with h5py and matplotlib. With Spack:
  spack install openmpi petsc+mpi+hdf5 hdf5+mpi netlib-scalapack blis libxsmm ode random123 libyaml py-h5py py-matplotlib
Then put their flags into config.mk: BLIS_CFLAGS, BLIS_LIBS, SCALAPACK_LIBS, XSMM_LIBS, PYTHON, CFLAGS, LDFLAGS.
EOF
    exit 2
fi

sudo=
if [ "$(id -u)" != 0 ]; then sudo="sudo -E"; fi
log=$(mktemp)
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
if ! { $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "equiscale: apt-get could not install:$missing" >&2
    exit 2
fi
rm -f "$log"
