#!/usr/bin/env bash
# The tests of la and nn on AArch64, in both precisions, where there is no such processor: Debian's cross compiler, a folder
# of Debian's arm64 packages that are unpacked and never installed, and qemu-user, as ranks that this machine's mpiexec
# starts. 100 megabytes to fetch once, then minutes. tests/aarch64.sh FOLDER [TEST ...]; called by `make check-aarch64`.
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
folder=$(cd "$1" && pwd) triplet=aarch64-linux-gnu
root=$folder/root libraries=$folder/root/usr/lib/$triplet
shift
tests=${*:-test_base test_gemm test_brgemm test_pga test_vmath test_dist test_attention test_equi test_layers test_param
    test_transformer test_gatr test_clofnet test_golden}
programs=$(for test in $tests; do ls tests/*"$test"*.c; done | sed 's/\.c$//' | sort -u)
packages="libc6-dev libgcc-12-dev libopenmpi-dev libpetsc-real-dev libblis-serial-dev libscalapack-openmpi-dev
    libhdf5-openmpi-dev libode-dev librandom123-dev libyaml-dev libcsv-dev zlib1g-dev libxxhash-dev libjansson-dev
    liblapack-dev"

# apt as on an arm64 machine on which nothing is installed; it asks the mirrors that this machine asks.
arm_apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=false \
        -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

# Everything that those packages link with, without the compilers and interpreters that they ask for too.
fetch() {
    local names
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/packages"
    : >"$folder/apt/status"
    arm_apt update
    # shellcheck disable=SC2086  # a list
    names=$(arm_apt install -y --print-uris $packages | awk '{ print $2 }' | sed 's/_.*//' |
        grep -E '^(lib|zlib1g|linux-libc-dev|ocl-icd|openmpi-common)' | grep -vE '^lib(perl|python|js-)|-dbg$')
    # shellcheck disable=SC2086
    (cd "$folder/packages" && arm_apt download $names)
}

unpack() {
    local package link
    rm -rf "$root"
    mkdir "$root"
    for package in "$folder"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
    cp -a "$root/lib/." "$root/usr/lib/"
    rm -r "${root:?}/lib"
    ln -s usr/lib "$root/lib"
    find "$root/usr/lib" -type l -lname '/*' | while read -r link; do ln -sf "$root$(readlink "$link")" "$link"; done
}

if [ ! -e "$folder/ready" ]; then
    fetch
    unpack
    touch "$folder/ready"
fi

# A package's alternatives were not chosen, since it is not installed: their folders are named here.
chosen="-L$libraries/lapack -Wl,-rpath-link,$libraries/lapack:$libraries/blis-serial"
export PKG_CONFIG_SYSROOT_DIR=$root
PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$(echo "$root"/usr/lib/petscdir/petsc*/$triplet-real/lib/pkgconfig)
export PKG_CONFIG_LIBDIR
for precision in single double; do
    build=$folder/opt
    [ $precision = single ] || build=$build-double
    # shellcheck disable=SC2046  # a list
    make -s -j"$(nproc)" --no-print-directory B="$build" PRECISION=$precision XSMM=no ARCH=-march=armv8-a \
        MPICC="$triplet-gcc --sysroot=$root" MPI_PKG=ompi-c LDFLAGS="$chosen" SCALAPACK_LIBS=-lscalapack-openmpi \
        BLIS_CFLAGS="-isystem $root/usr/include/$triplet/blis-serial" BLIS_LIBS="-L$libraries/blis-serial -lblis" \
        $(for program in $programs; do echo "$build/$program"; done)
done

# qemu looks for files in the folder first. Ranks share no locks with a launcher of another architecture, and qemu has no
# call that reads another process's memory.
export EMULATOR=qemu-aarch64 QEMU_LD_PREFIX=$root
export QEMU_SET_ENV=LD_LIBRARY_PATH=/usr/lib/$triplet/blis-serial:/usr/lib/$triplet/lapack
export PMIX_MCA_gds=hash OMPI_MCA_btl_vader_single_copy_mechanism=none
TEST_TIMEOUT=${TEST_TIMEOUT:-1800} ONLY=$tests tests/run.sh "$folder/opt" "$folder/opt-double"
