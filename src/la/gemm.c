#include "la/gemm.h"

#include "la/flops.h"

#include <blis.h>
#include <stdlib.h>

#ifdef EQ_DOUBLE
#define BLI_GEMM bli_dgemm
#else
#define BLI_GEMM bli_sgemm
#endif

/* BLIS 0.9 takes AVX2 kernels on a virtual machine whose CPU name it does not know; its first call reads the variable.
 */
static void blis_start(void) {
    static bool done;
    if (done) return;
    done = true;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) setenv("BLIS_ARCH_TYPE", "skx", 0);
}

/* op(A) has element (i, p) at a[i*ra + p*ca], op(B) element (p, j) at b[p*rb + j*cb]. */
static void product(real *c, int64_t ldc, const real *a, int64_t ra, int64_t ca, const real *b, int64_t rb, int64_t cb,
                    int64_t m, int64_t n, int64_t k, real beta) {
    blis_start();
    real one = 1;
    BLI_GEMM(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, (real *)a, ra, ca, (real *)b, rb, cb, &beta, c, ldc,
             1);
    flops_add(2 * m * n * k);
}

void gemm_nn(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta) {
    product(c, ldc, a, lda, 1, b, ldb, 1, m, n, k, beta);
}

void gemm_nt(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta) {
    product(c, ldc, a, lda, 1, b, 1, ldb, m, n, k, beta);
}

void gemm_tn(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta) {
    product(c, ldc, a, 1, lda, b, ldb, 1, m, n, k, beta);
}

static void product_ref(real *c, int64_t ldc, const real *a, int64_t ra, int64_t ca, const real *b, int64_t rb,
                        int64_t cb, int64_t m, int64_t n, int64_t k, real beta) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < k; p++) sum += (double)a[i * ra + p * ca] * (double)b[p * rb + j * cb];
            c[i * ldc + j] = (real)(sum + (beta != 0 ? (double)beta * (double)c[i * ldc + j] : 0));
        }
}

void gemm_nn_ref(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
                 int64_t k, real beta) {
    product_ref(c, ldc, a, lda, 1, b, ldb, 1, m, n, k, beta);
}

void gemm_nt_ref(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
                 int64_t k, real beta) {
    product_ref(c, ldc, a, lda, 1, b, 1, ldb, m, n, k, beta);
}

void gemm_tn_ref(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
                 int64_t k, real beta) {
    product_ref(c, ldc, a, 1, lda, b, ldb, 1, m, n, k, beta);
}
