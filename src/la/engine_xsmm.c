/* A large product is cut into kernels of few different sizes: panels of B that a second-level cache holds, rows in
 * chunks of ROWS. A remainder is cut once more, so that batches of any number of tokens need no more than some dozen
 * kernels a layer (compiling one takes about 0.2 ms); products of few rows, as in attention, get a kernel of their own
 * size. B transposed is copied, panel by panel; A transposed is what the kernels can read. */
#include "engine.h"

#ifdef EQ_XSMM
#include "la/simd.h"

#include <libxsmm.h>

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

/* out (k, n) = in (n, k) transposed. */
static void transpose(real *out, int64_t ldo, const real *in, int64_t ldi, int64_t n, int64_t k) {
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t p = 0; p < k; p += LANES) {
            int64_t rows = n - i < LANES ? n - i : LANES, cols = k - p < LANES ? k - p : LANES;
            Vec v[LANES];
            for (int r = 0; r < LANES; r++) v[r] = r < rows ? vec_load_first(in + (i + r) * ldi + p, cols) : (Vec){0};
            vec_transpose(v);
            for (int r = 0; r < cols; r++) vec_store_first(out + (p + r) * ldo + i, v[r], rows);
        }
}

static void kernel_run(real *c, int64_t ldc, const real *a, int64_t lda, bool ta, const real *b, int64_t ldb, int64_t m,
                       int64_t n, int64_t k, real beta) {
    /* libxsmm is column-major: our rows are its columns, our B its A. */
    libxsmm_blasint M = (libxsmm_blasint)n, N = (libxsmm_blasint)m, K = (libxsmm_blasint)k;
    libxsmm_blasint la = (libxsmm_blasint)ldb, lb = (libxsmm_blasint)lda, lc = (libxsmm_blasint)ldc;
    int flags = ta ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
    real one = 1;
    Kernel kernel = DISPATCH(M, N, K, &la, &lb, &lc, &one, &beta, &flags, NULL);
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
                transpose(copy, nj, panel, b.col, nj, kp);
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
