# equiscale: make study | make test | make build | make lint | make format | make help
#
#   MODE=opt|debug|asan      PRECISION=single|double      V=1: show commands      make print-VARIABLE
#   config.mk, if present, is read first: a site's compilers, paths and flags go there.

-include config.mk

MODE ?= opt
PRECISION ?= single
MPICC ?= mpicc
MPIEXEC ?= mpiexec
PKG_CONFIG ?= pkg-config
# The interpreter that has h5py and matplotlib: Debian's, not the first python3 on the PATH.
PYTHON ?= /usr/bin/python3
STUDY ?= input/quick.yaml
RANKS ?= $(shell nproc)

B := build/$(MODE)$(if $(filter double,$(PRECISION)),-double)
export MPIEXEC

# ---- Layers, lowest first: what each may include (it may always include itself). `make lint` enforces this list. ----
LAYERS := base par math la io sim nn train fit infer verify study cli
USES_base :=
USES_par := base
USES_math := base
USES_la := base par
USES_io := base par
USES_sim := base
USES_nn := base par la
USES_train := base par la io nn
USES_fit := base par math la io
USES_infer := base par math io fit
USES_verify := base par math fit
USES_study := base par la io sim nn train fit infer
USES_cli := base par math la io sim nn train fit infer verify study
# Foreign headers, each seen by one layer (mpi.h and hdf5.h by what par/comm_mpi.h serves).
FOREIGN := Random123=base mpi.h=par petscsys.h=par yaml.h=par blis.h=la libxsmm.h=la hdf5.h=io ode/ode.h=sim \
           petsctao.h=math

# ---- Libraries. A multiarch Debian has no pkg-config file for BLIS; ScaLAPACK's asks for a blas.pc. ----
MULTIARCH := $(shell gcc -print-multiarch)
BLIS_CFLAGS ?= -isystem /usr/include/$(MULTIARCH)/blis-serial
BLIS_LIBS ?= -L/usr/lib/$(MULTIARCH)/blis-serial -Wl,-rpath,/usr/lib/$(MULTIARCH)/blis-serial -lblis
SCALAPACK_LIBS ?= -lscalapack-openmpi
PKGS := ompi-c petsc hdf5-openmpi ode yaml-0.1
# libxsmm is optional: XSMM=no builds without it.
XSMM ?= yes
XSMM_CFLAGS := $(if $(filter yes,$(XSMM)),-DEQ_XSMM)
XSMM_LIBS ?= $(if $(filter yes,$(XSMM)),-lxsmm -lxsmmnoblas)

# ISO C turns fused multiply-add off unless asked.
CSTD := -std=c11 -D_GNU_SOURCE -ffp-contract=fast
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith
ARCH ?= -march=native
OPT_opt := -O3 $(ARCH) -fno-math-errno -fno-trapping-math -fopenmp-simd -DNDEBUG
OPT_debug := -O1 -g3 $(ARCH) -fno-omit-frame-pointer -fopenmp-simd
OPT_asan := $(OPT_debug) -fsanitize=address,undefined -fno-sanitize-recover=undefined
COMMIT := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
CFLAGS_ALL = $(CSTD) $(WARN) $(OPT_$(MODE)) -Iinclude $(BLIS_CFLAGS) $(XSMM_CFLAGS) \
             $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(if $(filter double,$(PRECISION)),-DEQ_DOUBLE) $(CFLAGS)
# -lblis stands first, so that LAPACK, ScaLAPACK and PETSc take their BLAS from it.
LIBS_ALL = $(BLIS_LIBS) $(XSMM_LIBS) $(SCALAPACK_LIBS) $(shell $(PKG_CONFIG) --libs $(PKGS)) -llapack -ldl -lm \
           $(LDFLAGS)

LIB_SRC := $(foreach l,$(filter-out cli,$(LAYERS)),$(wildcard src/$(l)/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
TEST_SRC := $(wildcard tests/test_*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(B)/obj/%.o)
TESTS := $(TEST_SRC:tests/%.c=$(B)/tests/%)
SOURCES := $(wildcard include/*/*.h src/*/*.h) $(LIB_SRC) $(CLI_SRC) $(TEST_SRC) $(wildcard tests/*.h)

Q := $(if $(V),,@)
.PHONY: study test build deps lint format clean help
.SECONDARY:
.DELETE_ON_ERROR:

study: build ## install, build, run $(STUDY), fit, draw
	$(Q)jobs/study.sh $(RANKS) $(STUDY)

test: build ## install, build, run every test in both precisions
	$(Q)$(MAKE) --no-print-directory PRECISION=double tests
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)tests/run.sh build/$(MODE) build/$(MODE)-double

build: deps ## programs into build/MODE/
	$(Q)$(MAKE) --no-print-directory $(B)/equiscale

deps: ## install what is missing (Debian); elsewhere say what to load
	$(Q)MULTIARCH=$(MULTIARCH) PYTHON=$(PYTHON) jobs/deps.sh

.PHONY: tests
tests: $(B)/equiscale $(TESTS)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $(B)/$*.o")
	$(Q)$(MPICC) $(CFLAGS_ALL) $(CFLAGS_$*) -MMD -MP -c $< -o $@

# The commit is compiled into one object only, so that a new commit rebuilds little.
$(B)/obj/src/study/provenance.o: CFLAGS_src/study/provenance = -DEQ_COMMIT='"$(COMMIT)"' -DEQ_FLAGS='"$(OPT_$(MODE))"'
# Sums over rows that vectorise, exp and log from libmvec: this file alone may assume finite numbers.
$(B)/obj/src/fit/law_sum.o: CFLAGS_src/fit/law_sum = -ffast-math

$(B)/libequiscale.a: $(LIB_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $(LIB_OBJ)

$(B)/equiscale: $(CLI_OBJ) $(B)/libequiscale.a
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(MPICC) $(OPT_$(MODE)) $(CLI_OBJ) $(B)/libequiscale.a $(LIBS_ALL) -o $@

$(B)/tests/%: $(B)/obj/tests/%.o $(B)/libequiscale.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(MPICC) $(OPT_$(MODE)) $< $(B)/libequiscale.a $(LIBS_ALL) -o $@

lint: ## layering, foreign headers, formatting, cppcheck, self-contained headers
	$(Q)MULTIARCH=$(MULTIARCH) PYTHON=$(PYTHON) jobs/deps.sh lint
	$(Q)LAYERS="$(LAYERS)" $(foreach l,$(LAYERS),USES_$(l)="$(USES_$(l))") FOREIGN="$(FOREIGN)" \
	    FLAGS="$(CFLAGS_ALL)" CC="$(MPICC)" tests/lint.sh $(SOURCES)

format: ## clang-format every source
	$(Q)MULTIARCH=$(MULTIARCH) PYTHON=$(PYTHON) jobs/deps.sh lint
	$(Q)clang-format -i $(SOURCES)

clean:
	rm -rf build

help:
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

print-%:
	@echo '$* = $($*)'

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_SRC:%.c=$(B)/obj/%.d)
