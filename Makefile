# equiscale: make | make study | make test | make install PREFIX=DIR | make lint | make format | make help
#
#   MODE=opt|debug|asan|fuzz|valgrind      PRECISION=single|double      V=1: show commands      make print-VARIABLE
#   config.mk, if present, is read first: a site's compilers, paths and flags go there, and stand (docs/portability.md).

-include config.mk

MODE ?= opt
PRECISION ?= single
MPICC ?= mpicc
MPIEXEC ?= mpiexec
CLANG ?= clang
PKG_CONFIG ?= pkg-config
# The interpreter that has h5py and matplotlib: Debian's, not the first python3 on the PATH.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
STUDY ?= input/quick.yaml
RANKS ?= $(shell nproc)
PREFIX ?= /usr/local
DESTDIR ?=
FAULTS_SECONDS ?= 3600
FUZZ_SECONDS ?= 60

# Another word would mean single precision.
$(if $(filter single double,$(PRECISION)),,$(error PRECISION = $(PRECISION): want single or double))

B := build/$(MODE)$(if $(filter double,$(PRECISION)),-double)
export MPIEXEC PYTHON
# Sanitizers make programs several times slower.
ifeq ($(MODE),asan)
export TEST_TIMEOUT ?= 6000
endif

# ---- Layers, lowest first: what each may include (it may always include itself). `make lint` enforces this list. ----
LAYERS := base par math la io sim nn train fit infer verify study cli
USES_base :=
USES_par := base
USES_math := base
USES_la := base par
USES_io := base par
USES_sim := base
USES_nn := base par la
USES_train := base par math la io nn
USES_fit := base par math la io
USES_infer := base par math io fit
USES_verify := base par math io fit
USES_study := base par la io sim nn train fit infer
USES_cli := base par math la io sim nn train fit infer verify study
# Foreign headers, each seen by one layer (mpi.h and hdf5.h by what par/comm_mpi.h serves).
FOREIGN := Random123=base mpi.h=par petscsys.h=par yaml.h=par blis.h=la libxsmm.h=la hdf5.h=io hdf5_hl.h=io csv.h=io zlib.h=io \
           xxhash.h=io jansson.h=io ode/ode.h=sim petsctao.h=math

# ---- Libraries. pkg-config knows a library under one of several names; the first that is there is taken. ----
first_known = $(firstword $(foreach p,$(1),$(if $(shell $(PKG_CONFIG) --exists $(p) 2>/dev/null && echo yes),$(p))))
# The same, or the first name where none is there, so that an error names it.
library = $(or $(call first_known,$(1)),$(firstword $(1)))

MULTIARCH ?= $(shell gcc -print-multiarch 2>/dev/null)
# What an MPI wrapper adds; a plain compiler says nothing, and then pkg-config is asked for MPI.
MPI_SHOW := $(shell $(MPICC) -show 2>/dev/null)
MPI_PKG ?= $(if $(MPI_SHOW),,$(call first_known,ompi-c mpich))
# Debian's names of libraries that depend on MPI end in that of the MPI: the wrapper's first.
FAMILIES := $(if $(findstring mpich,$(MPI_SHOW)),mpich openmpi,openmpi mpich)
PKGS ?= $(MPI_PKG) $(call library,petsc PETSc) $(call library,$(FAMILIES:%=hdf5-%) hdf5) ode yaml-0.1 zlib libxxhash jansson
PKGS := $(PKGS)

# A multiarch Debian has no pkg-config file for BLIS, and ScaLAPACK's asks for a blas.pc that it may not have.
BLIS_DEBIAN := $(wildcard /usr/lib/$(MULTIARCH)/blis-serial)
BLIS_CFLAGS ?= $(if $(BLIS_DEBIAN),-isystem /usr/include/$(MULTIARCH)/blis-serial,$(shell $(PKG_CONFIG) --cflags blis \
                 2>/dev/null))
BLIS_LIBS ?= $(if $(BLIS_DEBIAN),-L$(BLIS_DEBIAN) -Wl$(COMMA)-rpath$(COMMA)$(BLIS_DEBIAN)) -lblis
SCALAPACK_DEBIAN := $(wildcard $(FAMILIES:%=/usr/lib/$(MULTIARCH)/libscalapack-%.so))
SCALAPACK_LIBS ?= $(firstword $(patsubst lib%.so,-l%,$(notdir $(SCALAPACK_DEBIAN))) -lscalapack)
COMMA := ,
# libxsmm is optional, and an x86 matter: XSMM=no builds without it.
XSMM ?= $(if $(filter x86_64,$(shell uname -m)),yes,no)
XSMM_CFLAGS ?= $(if $(filter yes,$(XSMM)),-DEQ_XSMM)
XSMM_LIBS ?= $(if $(filter yes,$(XSMM)),-lxsmm -lxsmmnoblas)

MACHINE := $(shell $(MPICC) -dumpmachine 2>/dev/null)
# ISO C turns fused multiply-add off unless asked. On AArch64 gcc 12.2 ends with an internal error of its own on loops over
# fmax and fmin, unless they are functions like any other.
CSTD ?= -std=c11 -D_GNU_SOURCE -ffp-contract=fast$(if $(filter aarch64%,$(MACHINE)), -fno-builtin-fmax -fno-builtin-fmin)
# psabi: vectors wider than the registers are passed between functions of one file alone.
WARN ?= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
        -Wno-missing-field-initializers -Wno-psabi
ARCH ?= -march=native
OPT_opt ?= -O3 $(ARCH) -fno-math-errno -fno-trapping-math -fopenmp-simd -DNDEBUG
OPT_debug ?= -O1 -g3 $(ARCH) -fno-omit-frame-pointer -fopenmp-simd
# With -O1 the kernels' vectors are arrays in memory, whose every access is looked at.
OPT_asan ?= $(OPT_debug) -O2 -fsanitize=address,undefined -fno-sanitize-recover=undefined
OPT_fuzz ?= $(OPT_asan) -fsanitize=fuzzer-no-link
# valgrind 3.19 does not know AVX-512.
OPT_valgrind ?= -O1 -g3 -fno-omit-frame-pointer -fopenmp-simd $(if $(filter x86_64,$(shell uname -m)),-march=x86-64-v3)
# Another word would mean no optimisation.
$(if $(OPT_$(MODE)),,$(error MODE = $(MODE): want opt, debug, asan, fuzz or valgrind, or OPT_$(MODE) in config.mk))
PKGS_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKGS_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
CFLAGS_ALL = $(CSTD) $(WARN) $(OPT_$(MODE)) -Iinclude $(BLIS_CFLAGS) $(XSMM_CFLAGS) $(PKGS_CFLAGS) \
             $(if $(filter double,$(PRECISION)),-DEQ_DOUBLE) $(CFLAGS)
# -lblis stands first, so that LAPACK, ScaLAPACK and PETSc take their BLAS from it.
LIBS_ALL = $(BLIS_LIBS) $(XSMM_LIBS) $(SCALAPACK_LIBS) $(PKGS_LIBS) -lhdf5_hl -llapack -lcsv -ldl -lm $(LDFLAGS)

# What is built: a release archive has no history and carries its commit in a file (.gitattributes).
VERSION := $(shell cat VERSION)
COMMIT := $(shell grep -v Format .commit || git describe --always --dirty 2>/dev/null || echo unknown)

LIB_SRC := $(foreach l,$(filter-out cli,$(LAYERS)),$(wildcard src/$(l)/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
TEST_SRC := $(wildcard tests/test_*.c)
# Tests that take seconds under valgrind; those that compute take up to hours.
VALGRIND ?= base number csv param
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(B)/obj/%.o)
TESTS := $(TEST_SRC:tests/%.c=$(B)/tests/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
# Options of the sanitizers, in what they build.
GUARD_SRC := tests/sanitizers.c
GUARD := $(if $(filter asan fuzz,$(MODE)),$(GUARD_SRC:%.c=$(B)/obj/%.o))
FUZZERS := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
SOURCES := $(wildcard include/*/*.h src/*/*.h) $(LIB_SRC) $(CLI_SRC) $(TEST_SRC) $(FUZZ_SRC) \
           tests/fuzz/counters.c $(GUARD_SRC) $(wildcard tests/*.h tests/fuzz/*.h)

Q := $(if $(V),,@)
.DEFAULT_GOAL := build
.PHONY: build study test check check-related check-aarch64 faults fuzz fuzzers valgrind tests deps info install uninstall lint format clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

build: $(B)/equiscale ## the program, build/MODE/equiscale; installs nothing

study: deps ## install, build, run $(STUDY), fit, draw
	$(Q)$(MAKE) --no-print-directory build
	$(Q)EQUISCALE=$(B)/equiscale jobs/study.sh $(RANKS) "$(STUDY)"

test: ## install, build, run every test in both precisions
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh test
	$(Q)$(MAKE) --no-print-directory PRECISION=double tests
	$(Q)$(MAKE) --no-print-directory PRECISION=single tests
	$(Q)tests/run.sh build/$(MODE) build/$(MODE)-double

check: tests ## build and run every test in this precision; installs nothing
	$(Q)tests/run.sh $(B)

check-related: build $(B)/tests/test_learned ## train what the related systems claim, check and print it (docs/related.md): minutes
	$(Q)RANKS=$(RANKS) tests/check_related.sh $(B)

check-aarch64: ## cross-compile la, nn and their tests for AArch64 and run them by qemu: minutes, and 100 MB to fetch
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh aarch64
	$(Q)tests/aarch64.sh build/aarch64

faults: ## disturb studies for FAULTS_SECONDS (3600): kills, failing disks, hostile files, Slurm
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh faults
	$(Q)$(MAKE) --no-print-directory build
	$(Q)tests/faults/run.sh $(B) $(FAULTS_SECONDS)

fuzz: ## feed each parser mutated files for FUZZ_SECONDS (60): libFuzzer under sanitizers, by clang
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh fuzz
	$(Q)OMPI_CC="$(CLANG)" MPICH_CC="$(CLANG)" $(MAKE) --no-print-directory MODE=fuzz fuzzers
	$(Q)tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS)

fuzzers: $(FUZZERS)

valgrind: ## run C tests of what handles memory and files under memcheck, on one rank
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh valgrind
	$(Q)$(MAKE) --no-print-directory MODE=valgrind $(VALGRIND:%=build/valgrind/tests/test_%)
	$(Q)tests/valgrind.sh build/valgrind $(VALGRIND)

deps: ## install what is missing (Debian); elsewhere say what to load
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh

tests: $(B)/equiscale $(TESTS)

# ---- Compiling. What a build depends on beside its sources stands in files that change only when it does. ----
$(B)/flags: export STAMP = $(MPICC) $(CFLAGS_ALL) $(LIBS_ALL) \
                            $(foreach f,$(filter-out src/study/provenance,$(LIB_SRC:%.c=%) $(CLI_SRC:%.c=%)),$(FLAGS_$(f)))
$(B)/commit: export STAMP = $(VERSION) $(COMMIT)
$(B)/objects: export STAMP = $(LIB_OBJ)
stamp = { printf '%s\n' "$$STAMP"; $(1); } >$@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(B)/flags: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)command -v $(firstword $(MPICC)) >/dev/null || { echo "equiscale: no compiler $(MPICC): make deps, or set MPICC" \
	    "in config.mk" >&2; exit 2; }
	$(Q)for p in $(PKGS); do $(PKG_CONFIG) --print-errors --exists $$p && continue; echo "equiscale: pkg-config does" \
	    "not know $$p: make deps, or set PKG_CONFIG_PATH, or PKGS in config.mk" >&2; exit 2; done
	$(Q)$(call stamp,$(MPICC) --version)

$(B)/commit $(B)/objects: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)$(call stamp,:)

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $(B)/$*.o")
	$(Q)$(MPICC) $(CFLAGS_ALL) $(FLAGS_$*) -MMD -MP -c $< -o $@

# Files with flags of their own: FLAGS_ and the path without its suffix.
# What tells that the processor lacks instructions must run on every one.
BASELINE ?= $(if $(filter x86_64%,$(MACHINE)),-march=x86-64 -mtune=generic)
FLAGS_src/cli/processor = $(BASELINE) -fno-tree-vectorize
# Sums over rows that vectorise, exp and log from libmvec: these files alone may assume finite numbers.
$(foreach f,$(wildcard src/fit/*_sum.c),$(eval FLAGS_$(f:%.c=%) := -ffast-math))
# Parsers are fuzzed, not products, whose unrolled kernels take clang a quarter of an hour with all checks in them.
FLAGS_src/la/brgemm = $(if $(filter fuzz,$(MODE)),-fno-sanitize=all)
FLAGS_src/nn/attention_narrow = $(FLAGS_src/la/brgemm)
# It names what only clang may name in files with coverage, and runs after every input.
FLAGS_tests/fuzz/counters = -fno-sanitize=all -O2
# The commit is compiled into one object only, so that a new commit rebuilds little.
FLAGS_src/study/provenance = -DEQ_VERSION='"$(VERSION)"' -DEQ_COMMIT='"$(COMMIT)"' -DEQ_FLAGS='"$(strip $(OPT_$(MODE)) $(CFLAGS))"'
$(B)/obj/src/study/provenance.o: $(B)/commit

$(B)/libequiscale.a: $(LIB_OBJ) $(B)/objects
	$(Q)rm -f $@ && ar rcs $@ $(LIB_OBJ)

$(B)/equiscale: $(CLI_OBJ) $(GUARD) $(B)/libequiscale.a
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(MPICC) $(OPT_$(MODE)) $(CLI_OBJ) $(GUARD) $(B)/libequiscale.a $(LIBS_ALL) -o $@

$(B)/tests/%: $(B)/obj/tests/%.o $(GUARD) $(B)/libequiscale.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(MPICC) $(OPT_$(MODE)) $< $(GUARD) $(B)/libequiscale.a $(LIBS_ALL) -o $@

$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/counters.o $(GUARD) $(B)/libequiscale.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(MPICC) $(OPT_$(MODE)) -fsanitize=fuzzer $< $(B)/obj/tests/fuzz/counters.o $(GUARD) $(B)/libequiscale.a $(LIBS_ALL) -o $@

info: ## what was found, where, which version
	$(Q)PKG_CONFIG='$(PKG_CONFIG)' MPICC='$(MPICC)' PKGS='$(PKGS)' BLIS='$(BLIS_CFLAGS) $(BLIS_LIBS)' \
	    SCALAPACK='$(SCALAPACK_LIBS)' XSMM='$(XSMM)' LIBS='$(LIBS_ALL)' FLAGS='$(CFLAGS_ALL)' ARCH='$(ARCH)' BUILD='$(B)' \
	    VERSION='$(VERSION) ($(COMMIT))' jobs/info.sh

# ---- Installing: nothing outside DESTDIR and PREFIX is touched. ----
install: $(B)/equiscale ## program, inputs, report, man page, completion under PREFIX, within DESTDIR
	$(Q)PROGRAM=$(B)/equiscale VERSION='$(VERSION)' jobs/install.sh install "$(DESTDIR)$(PREFIX)" "$(PREFIX)"

uninstall: ## remove what install put there
	$(Q)jobs/install.sh uninstall "$(DESTDIR)$(PREFIX)" "$(PREFIX)"

lint: ## layering, foreign headers, formatting, cppcheck, self-contained headers
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh lint
	$(Q)LAYERS="$(LAYERS)" $(foreach l,$(LAYERS),USES_$(l)="$(USES_$(l))") FOREIGN="$(FOREIGN)" \
	    FLAGS="$(CFLAGS_ALL)" CC="$(MPICC)" tests/lint.sh $(SOURCES)

format: ## clang-format every source
	$(Q)MULTIARCH=$(MULTIARCH) jobs/deps.sh lint
	$(Q)clang-format -i $(SOURCES)

clean: ## remove build/
	$(Q)rm -rf build

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

print-%:
	@echo '$* = $($*)'

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_SRC:%.c=$(B)/obj/%.d) $(FUZZ_SRC:%.c=$(B)/obj/%.d)
