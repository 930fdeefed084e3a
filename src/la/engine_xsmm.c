/* A large product is cut into kernels of few different sizes: panels of B that a second-level cache holds, rows in
 * chunks of ROWS. A remainder is cut once more, so that batches of any number of tokens need no more than some dozen
 * kernels a layer (compiling one takes about 0.2 ms); products of few rows, as in attention, get a kernel of their own
 * size. B transposed is copied, panel by panel; A transposed is what the kernels can read. */
#include "engine.h"

#ifdef EQ_XSMM
#include "la/simd.h"

#include <libxsmm.h>
#include <string.h>

enum { ROWS = 72, ROWS_STEP = 8, ROWS_WHOLE = 160, DEPTH_WHOLE = 192, DEPTH_STEP = 16, COLUMNS = 1024 };
enum { PANEL = 96 * 1024 }; /* elements of B in one panel, copied or in place */

#ifdef EQ_DOUBLE
typedef libxsmm_dmmfunction Kernel;
#define DISPATCH libxsmm_dmmdispatch
#else
typedef libxsmm_smmfunction Kernel;
#define DISPATCH libxsmm_smmdispatch
#endif

bool xsmm_start(void) {
    static int usable = -1;
    if (usable < 0) {
        libxsmm_init();
        usable = libxsmm_get_target_archid() >= LIBXSMM_X86_AVX2;
    }
    return usable;
}

const char *xsmm_version(void) {
    return LIBXSMM_VERSION;
}

/* What libxsmm was asked for lately: its own look-up takes some 60 ns, as long as a product of a narrow layer. Owned by
 * this file, one table a process; a place is taken over by the latest sizes that fall on it. */
enum { KNOWN = 1024, FORM_BETA = 1, FORM_TRANSPOSED = 2 };
typedef struct Sizes {
    int64_t m, n, k, lda, ldb, ldc, form;
} Sizes;
typedef struct Known {
    Sizes sizes;
    Kernel kernel; /* NULL: nothing here */
} Known;
static Known known[KNOWN];

static uint64_t place_of(const Sizes *s) {
    uint64_t mixed = 0;
    const int64_t *part[] = {&s->m, &s->n, &s->k, &s->lda, &s->ldb, &s->ldc, &s->form};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) mixed = (mixed ^ (uint64_t)*part[i]) * 0x9e3779b97f4a7c15u;
    return mixed >> 40 & (KNOWN - 1);
}

/* libxsmm is column-major: our rows are its columns, our B its A. */
static Kernel kernel_make(const Sizes *s) {
    libxsmm_blasint m = (libxsmm_blasint)s->n, n = (libxsmm_blasint)s->m, k = (libxsmm_blasint)s->k;
    libxsmm_blasint lda = (libxsmm_blasint)s->ldb, ldb = (libxsmm_blasint)s->lda, ldc = (libxsmm_blasint)s->ldc;
    int flags = s->form & FORM_TRANSPOSED ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
    real one = 1, beta = s->form & FORM_BETA ? 1 : 0;
    return DISPATCH(m, n, k, &lda, &ldb, &ldc, &one, &beta, &flags, NULL);
}

static Kernel kernel_of(const Sizes *s) {
    Known *x = &known[place_of(s)];
    if (!x->kernel || memcmp(&x->sizes, s, sizeof *s)) *x = (Known){*s, kernel_make(s)};
    return x->kernel;
}

static void kernel_run(real *c, int64_t ldc, const real *a, int64_t lda, bool ta, const real *b, int64_t ldb, int64_t m,
                       int64_t n, int64_t k, real beta) {
    Sizes sizes = {m, n, k, lda, ldb, ldc, (beta != 0 ? FORM_BETA : 0) | (ta ? FORM_TRANSPOSED : 0)};
    Kernel kernel = kernel_of(&sizes);
    if (kernel)
        kernel(b, a, c);
    else
        blis_run(c, ldc, (Operand){a, ta ? 1 : lda, ta ? lda : 1}, (Operand){b, ldb, 1}, m, n, k, beta);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The next piece of `left`: whole where `left` is small, chunks, and then a remainder in two pieces. */
static int64_t piece(int64_t left, int64_t all, int64_t whole, int64_t chunk, int64_t step) {
    if (all <= whole) return left;
    if (left >= chunk) return chunk;
    return left >= step ? left / step * step : left;
}

void xsmm_run(real *c, int64_t ldc, Operand a, Operand b, int64_t m, int64_t n, int64_t k, real beta) {
    static _Alignas(64) real copy[PANEL];
    bool ta = a.col != 1, tb = b.col != 1;
    for (int64_t j = 0, nj; j < n; j += nj) {
        nj = least(n - j, COLUMNS);
        int64_t depth = PANEL / nj / DEPTH_STEP * DEPTH_STEP, whole = least(DEPTH_WHOLE, depth);
        depth = least(depth, 256);
        for (int64_t p = 0, kp; p < k; p += kp) {
            kp = piece(k - p, k, whole, depth, DEPTH_STEP);
            const real *panel = b.at + p * b.row + j * b.col;
            if (tb) {
                vec_turn(copy, nj, panel, b.col, nj, kp, false);
                panel = copy;
            }
            for (int64_t i = 0, mi; i < m; i += mi) {
                mi = piece(m - i, m, ROWS_WHOLE, ROWS, ROWS_STEP);
                kernel_run(c + i * ldc + j, ldc, a.at + i * a.row + p * a.col, ta ? a.col : a.row, ta, panel,
                           tb ? nj : b.row, mi, nj, kp, p ? 1 : beta);
            }
        }
    }
}
#else
bool xsmm_start(void) {
    return false;
}

const char *xsmm_version(void) {
    return "none";
}

void xsmm_run(real *c, int64_t ldc, Operand a, Operand b, int64_t m, int64_t n, int64_t k, real beta) {
    blis_run(c, ldc, a, b, m, n, k, beta);
}
#endif
