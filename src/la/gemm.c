#include "la/gemm.h"

#include "la/flops.h"

#include "crossover.h"

#include <string.h>

static void product(real *c, int64_t ldc, Operand a, Operand b, int64_t m, int64_t n, int64_t k, real beta) {
    if (m == 0 || n == 0) return;
    if (k == 0) {
        if (beta == 0)
            for (int64_t i = 0; i < m; i++) memset(c + i * ldc, 0, (size_t)n * sizeof *c);
        return;
    }
    (crossover_xsmm(a.col != 1, b.col != 1, m, n, k) ? xsmm_run : blis_run)(c, ldc, a, b, m, n, k, beta);
    flops_add(2 * m * n * k);
}

void gemm_nn(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta) {
    product(c, ldc, (Operand){a, lda, 1}, (Operand){b, ldb, 1}, m, n, k, beta);
}

void gemm_nt(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta) {
    product(c, ldc, (Operand){a, lda, 1}, (Operand){b, 1, ldb}, m, n, k, beta);
}

void gemm_tn(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta) {
    product(c, ldc, (Operand){a, 1, lda}, (Operand){b, ldb, 1}, m, n, k, beta);
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
