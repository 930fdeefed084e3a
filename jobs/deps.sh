#!/usr/bin/env bash
# Installs what is missing from Debian's packages; does nothing, fast, where all is there.
# A site with a config.mk has said where its libraries are: nothing is installed. On a system without apt it says what to
# load. Called by `make deps`; jobs/deps.sh lint|test|aarch64|faults|fuzz|valgrind looks for what `make` of that name needs beside.
set -u
[ -f config.mk ] && exit 0
multiarch=${MULTIARCH:-$(gcc -print-multiarch)}

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
libcsv-dev=/usr/include/csv.h
zlib1g-dev=/usr/include/zlib.h
libxxhash-dev=/usr/include/xxhash.h
libjansson-dev=/usr/include/jansson.h
liblapack-dev=/usr/lib/$multiarch/liblapack.so
python3-h5py=/usr/lib/python3/dist-packages/h5py
python3-matplotlib=/usr/lib/python3/dist-packages/matplotlib
"
case ${1:-} in
lint) wanted="clang-format=/usr/bin/clang-format cppcheck=/usr/bin/cppcheck $wanted" ;;
test) wanted="help2man=/usr/bin/help2man qemu-user=/usr/bin/qemu-x86_64 clang=/usr/bin/clang
    chromium=/usr/bin/chromium poppler-utils=/usr/bin/pdftotext python3-xarray=/usr/lib/python3/dist-packages/xarray
    python3-h5netcdf=/usr/lib/python3/dist-packages/h5netcdf $wanted"
    # One program of modules is enough, and they exclude each other.
    [ -e /usr/share/lmod ] || wanted="environment-modules=/usr/bin/modulecmd $wanted" ;;
aarch64) wanted="gcc-aarch64-linux-gnu=/usr/bin/aarch64-linux-gnu-gcc qemu-user=/usr/bin/qemu-aarch64 $wanted" ;;
valgrind) wanted="valgrind=/usr/bin/valgrind $wanted" ;;
fuzz) wanted="clang=/usr/bin/clang $wanted" ;;
faults) wanted="slurmctld=/usr/sbin/slurmctld slurmd=/usr/sbin/slurmd slurm-client=/usr/bin/sbatch munge=/usr/sbin/munged $wanted" ;;
esac
missing=
for entry in $wanted; do [ -e "${entry#*=}" ] || missing="$missing ${entry%%=*}"; done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    cat >&2 <<EOF
equiscale: this system has no apt-get. Load or build: Open MPI, PETSc 3.18 or later (real, double), parallel HDF5,
ScaLAPACK, BLIS, libxsmm, ODE, Random123, libyaml, libcsv, zlib, xxHash, Jansson, and for figures python3 with h5py and matplotlib. Spack:
  spack install openmpi petsc+mpi~complex hdf5+mpi+hl netlib-scalapack blis libxsmm random123 libyaml zlib xxhash jansson py-h5py py-matplotlib
(ODE and libcsv are not in Spack: packages/spack has a recipe for ODE and for equiscale itself.) Then put their flags into config.mk:
PKGS, BLIS_CFLAGS, BLIS_LIBS, SCALAPACK_LIBS, XSMM_LIBS, PYTHON, CFLAGS, LDFLAGS; docs/portability.md has examples.
EOF
    exit 2
fi

sudo=
if [ "$(id -u)" != 0 ]; then sudo="sudo -E"; fi
if [ -n "$sudo" ] && ! command -v sudo >/dev/null; then
    echo "equiscale: want these packages, and no sudo is here to install them: apt-get install$missing" >&2
    exit 2
fi
log=$(mktemp)
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
if ! { $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "equiscale: apt-get could not install:$missing" >&2
    exit 2
fi
rm -f "$log"
