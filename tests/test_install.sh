#!/usr/bin/env bash
# make builds and installs nothing else; what is installed works from any folder, with a space in its path; processors that
# lack what it was compiled for get a line. test_install.sh BUILD_DIR
set -u
build=$1
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0
fail() { echo "FAILED: $*"; bad=1; }
make="make -s --no-print-directory B=$build"

# The default goal neither installs nor trains; a setting or a missing library is told by name.
make -n 2>/dev/null | grep -qE 'deps.sh|study.sh' && fail "make alone installs or trains"
grep -q 'does not know nonesuch' <($make PKGS="nonesuch" B="$here/x" build 2>&1) || fail "a package that is missing"
grep -q 'no compiler nonesuch' <($make MPICC="nonesuch" B="$here/x" build 2>&1) || fail "a compiler that is missing"
$make info >"$here/info" 2>&1
for found in 'compiler .*, by /' 'mpiexec .* /' 'BLIS +/.*libblis' 'ScaLAPACK +/.*libscalapack' 'LAPACK +/' 'libcsv +[0-9.]+, /' \
    'Random123 +/' 'ode +[0-9.]+, /' 'python .*h5py [0-9]'; do
    grep -qE "^$found" "$here/info" || fail "make info has no $found: $(cat "$here/info")"
done
for setting in MODE=release PRECISION=half; do
    grep -q "${setting%=*} = ${setting#*=}: want" <($make "$setting" help 2>&1) || fail "$setting"
done
MPIEXEC="mpiexec --oversubscribe" jobs/local.sh 3 true || fail "options in MPIEXEC"

$make XSMM=no BLIS_LIBS=-lnoblis info >"$here/info" 2>&1
grep -qE '^libxsmm +left out' "$here/info" && grep -qE '^BLIS +not found' "$here/info" || fail "make info: $(cat "$here/info")"

# A value of config.mk stands, with a command on the command line as before it; where there is one, nothing is installed.
mkdir "$here/site"
ln -s "$PWD"/[!b.]* "$here/site/"
variables="MPICC MPIEXEC PKGS MPI_PKG BLIS_CFLAGS BLIS_LIBS SCALAPACK_LIBS XSMM XSMM_LIBS ARCH CFLAGS LDFLAGS PYTHON PREFIX
    PKG_CONFIG"
for v in $variables; do echo "$v = site-$v" >>"$here/site/config.mk"; done
for v in $variables; do
    grep -qx "$v = site-$v" <(make -s --no-print-directory -C "$here/site" "print-$v" 2>/dev/null) || fail "config.mk's $v"
done
(cd "$here/site" && MULTIARCH=nowhere jobs/deps.sh test) || fail "make deps with a config.mk"
# Without one and without sudo an ordinary user is told what is missing; where nothing is, nothing is asked for.
mkdir "$here/path"
for program in bash gcc apt-get; do ln -s "$(command -v $program || echo /bin/true)" "$here/path/"; done
printf '#!/bin/bash\necho 1000\n' >"$here/path/id"
chmod +x "$here/path/id"
PATH=$here/path MULTIARCH=nowhere bash jobs/deps.sh 2>"$here/err"
[ $? = 2 ] && grep -q 'no sudo is here .*libblis-serial-dev' "$here/err" || fail "deps without sudo: $(cat "$here/err")"

# Libraries under other names.
mkdir "$here/pc"
for p in PETSc hdf5 hdf5-mpich mpich; do printf 'Name: %s\nDescription:\nVersion: 1\n' $p >"$here/pc/$p.pc"; done
grep -qE '= +PETSc hdf5-mpich ode' <(PKG_CONFIG_LIBDIR=$here/pc $make print-PKGS) || fail "PETSc.pc, hdf5-mpich.pc"
grep -qE '= mpich PETSc' <(PKG_CONFIG_LIBDIR=$here/pc $make MPICC=gcc print-PKGS) || fail "a compiler that is no wrapper"
rm "$here/pc/hdf5-mpich.pc"
grep -qE ' PETSc hdf5 ode' <(PKG_CONFIG_LIBDIR=$here/pc $make print-PKGS) || fail "hdf5.pc"

# PETSc with complex or single-precision scalars is refused when compiling; 64-bit indices are as good as others.
petsc_with() { # FLAG FILE...
    # shellcheck disable=SC2046  # a list of flags
    mpicc "$1" $($make print-CFLAGS_ALL | sed 's/^[^=]*= //') -Werror -fsyntax-only "${@:2}" 2>&1
}
mkdir "$here/single"
printf '#include_next <petscsys.h>\n#undef PETSC_USE_REAL_DOUBLE\n' >"$here/single/petscsys.h"
for scalars in -DPETSC_USE_COMPLEX "-I$here/single"; do
    petsc_with "$scalars" src/par/comm.c >"$here/petsc"
    grep -q 'want one with real scalars' "$here/petsc" || fail "PETSc with $scalars: $(head -n 1 "$here/petsc")"
done
# shellcheck disable=SC2046  # a list of files
petsc_with -DPETSC_USE_64BIT_INDICES $(grep -lE '#include <petsc' src/*/*.c) >"$here/petsc" ||
    fail "PETSc with 64-bit indices: $(head -n 1 "$here/petsc")"

# A change of flags or commit rebuilds what it must, and nothing else does.
stamp() { $make "$@" >/dev/null 2>&1; cksum <"$here/y/${stamped:-flags}"; }
first=$(stamp B="$here/y" "$here/y/flags")
[ "$(stamp B="$here/y" "$here/y/flags")" = "$first" ] || fail "the stamp of flags changes by itself"
[ "$(stamp B="$here/y" CFLAGS=-DX "$here/y/flags")" != "$first" ] || fail "other flags, the same stamp"
stamped=commit
first=$(stamp B="$here/y" COMMIT=a "$here/y/commit")
[ "$(stamp B="$here/y" COMMIT=b "$here/y/commit")" != "$first" ] || fail "another commit, the same stamp"

# A file names the compiler that it was compiled by.
if command -v clang >/dev/null; then
    OMPI_CC=clang MPICH_CC=clang $make B="$here/clang" "$here/clang/obj/src/study/provenance.o" >"$here/log" 2>&1
    grep -qi 'clang' "$here/clang/obj/src/study/provenance.o" || fail "no clang in provenance: $(tail -n 1 "$here/log")"
else
    echo "skipped: no clang"
fi

# Installed into a path with a space, within DESTDIR, and used from elsewhere.
$make install DESTDIR="$here/stage" PREFIX="/opt/a b" >"$here/log" || fail "make install: $(cat "$here/log")"
bin="$here/stage/opt/a b/bin"
(cd / && grep -q "^equiscale $(cat "$OLDPWD/VERSION")" <("$bin/equiscale" --version)) || fail "--version"
(cd "$here" && "$bin/equiscale" keys input/quick.yaml | grep -qE '^  study.name +quick ') || fail "input/quick.yaml from elsewhere"
(cd "$here" && PYTHON=${PYTHON:-/usr/bin/python3} "$bin/equiscale-report" nowhere 2>&1 | grep -q nowhere) || fail "equiscale-report from elsewhere"
for script in study bench; do # an installed job script finds the program beside it
    grep -q '/../../../bin/equiscale' "$here/stage/opt/a b/share/equiscale/jobs/$script.sbatch" || fail "$script.sbatch"
done
[ -x "$here/stage/opt/a b/share/equiscale/jobs/../../../bin/equiscale" ] || fail "no program beside the job scripts"
grep -q "prefix {/opt/a b}" "$here/stage/opt/a b/share/modulefiles/equiscale/"* || fail "module file"
loader=$(command -v modulecmd || echo /usr/share/lmod/lmod/libexec/lmod) # of Environment Modules, or Lmod
if [ -x "$loader" ]; then
    loaded=$(MODULEPATH="$here/stage/opt/a b/share/modulefiles" "$loader" bash load equiscale 2>&1)
    (unset MANPATH && eval "$loaded" && [ "$EQUISCALE" = "/opt/a b/bin/equiscale" ] &&
        [ "${PATH%%:*}" = "/opt/a b/bin" ]) >"$here/log" 2>&1 || fail "module load: $(head -n 3 <<<"$loaded")"
else
    echo "skipped: neither Environment Modules nor Lmod is installed"
fi
if command -v help2man >/dev/null; then
    grep -q 'train_batch\|every cell' "$here/stage/opt/a b/share/man/man1/equiscale.1" || fail "man page"
fi
$make uninstall DESTDIR="$here/stage" PREFIX="/opt/a b"
[ ! -e "$here/stage" ] || fail "uninstall leaves $(find "$here/stage" | tail -n 3)"
# What was there before stays, empty or not.
mkdir -p "$here/site wide/bin" "$here/site wide/share/modulefiles/equiscale"
touch "$here/site wide/share/modulefiles/equiscale/0.0"
find "$here/site wide" | sort >"$here/before"
for action in install install uninstall; do
    $make $action PREFIX="$here/site wide" >"$here/log" || fail "make $action: $(cat "$here/log")"
done
find "$here/site wide" | sort | diff "$here/before" - >"$here/log" || fail "install and uninstall: $(cat "$here/log")"
# A module file holds the whole path, and letters that sed takes for its own.
$make install DESTDIR="$here/stage" PREFIX="/opt/R&D|a" >"$here/log" || fail "make install: $(cat "$here/log")"
grep -qF 'set prefix {/opt/R&D|a}' "$here/stage/opt/R&D|a/share/modulefiles/equiscale/"* || fail "a module file of /opt/R&D|a"
# What somebody has put among it stays too, and what was moved is removed from where it is.
$make install PREFIX="$here/place" >"$here/log" || fail "make install: $(cat "$here/log")"
mv "$here/place" "$here/moved"
touch "$here/moved/share/equiscale/input/ours.yaml"
$make uninstall PREFIX="$here/moved" || fail "make uninstall of what was moved"
[ "$(find "$here/moved" -type f)" = "$here/moved/share/equiscale/input/ours.yaml" ] ||
    fail "uninstall beside a file of ours: $(find "$here/moved" -type f)"

# An archive of a release knows its commit.
if git rev-parse --git-dir >/dev/null 2>&1; then
    git archive HEAD .commit | tar -xO | grep -qE '^[0-9a-f]{7,}$' || fail "an archive does not know its commit"
fi

# A processor without the instructions (qemu's Westmere has no AVX) gets one line and exit code 2. No emulator has the address
# space that a sanitizer wants.
native() { "$build/equiscale" --version | grep march=native | grep -qv fsanitize; }
if command -v qemu-x86_64 >/dev/null && native && grep -q ' avx ' /proc/cpuinfo; then
    qemu-x86_64 -cpu Westmere "$build/equiscale" --version >"$here/out" 2>"$here/err"
    code=$?
    [ $code = 2 ] && [ "$(grep -c '^equiscale: the processor of .* has no ' "$here/err")" = 1 ] ||
        fail "on a Westmere: $code, $(tail -n 2 "$here/err")"
else
    echo "skipped: no qemu-x86_64, or no plain program for AVX"
fi

# What is cited is what is here.
grep -qx "version: $(cat VERSION)" CITATION.cff || fail "CITATION.cff has another version"
grep -q "^## $(cat VERSION)" CHANGELOG.md || fail "CHANGELOG.md has no such version"

# Scripts name the module that an interpreter lacks: none has any without its site's packages.
for script in $(grep -l '^#!' analysis/*.py analysis/peers/*.py); do
    [ "$(head -n 1 "$script")" = "#!/usr/bin/env python3" ] || fail "$script: $(head -n 1 "$script")"
    "${PYTHON:-/usr/bin/python3}" -S "$script" x 2>"$here/err"
    [ $? = 2 ] && [ "$(wc -l <"$here/err")" = 1 ] && grep -q 'no module .* (Debian: python3-' "$here/err" || fail "$script: $(tail -n 1 "$here/err")"
done

# Recipes are read by their own languages; EasyBuild's writes a config.mk that make reads.
easyconfig=packages/easybuild/equiscale-$(cat VERSION)-foss-2023a.eb
"${PYTHON:-/usr/bin/python3}" - "$easyconfig" >"$here/before" <<'END' || fail "$easyconfig"
import sys
recipe = {}
exec(open(sys.argv[1]).read(), recipe)
assert {"easyblock", "name", "version", "homepage", "description", "toolchain", "moduleclass"} <= recipe.keys(), recipe.keys()
print(recipe["prebuildopts"] + "true")
END
mkdir "$here/eb"
(cd "$here/eb" && bash "$here/before")
EBROOTBLIS=/x make -s -f "$here/eb/config.mk" --eval 'p:;@echo $(BLIS_CFLAGS) $(BLIS_LIBS)' p |
    grep -qx -- '-I/x/include/blis -L/x/lib -lblis' || fail "EasyBuild's config.mk"
for recipe in packages/spack/packages/*/package.py jobs/reframe/*.py; do
    "${PYTHON:-/usr/bin/python3}" -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$recipe" || fail "$recipe"
done
exit $bad
