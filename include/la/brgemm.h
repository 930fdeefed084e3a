/** Sums of small matrix products in one pass, row-major, for operands whose long, contiguous axis is the token:
 *      C_j (m, n) = sum_i scale_i A_i B_ij + beta C_j   A_i (m, k_i) weights, B_ij (k_i, n) features by token, planes j
 *      C (m, k) += scale sum_j A_j B_j^T                A_j (m, n), B_j (k, n): gradients of weights, n = tokens
 *      C (m, n) = A B + beta C                          rows of A and C anywhere
 *      C (m, n) = A^T B                                 rows of A and B anywhere
 *  after the batch-reduce GEMM of Georganas et al. 2020, arXiv 1906.06440. The result stays in registers over all terms
 *  and vectors run along tokens, so that m and k, the numbers of channels, may be small and odd.
 *
 *  Rows may be read up to the next multiple of LANES columns (la/simd.h); what stands there has no effect.
 *  Not collective. Errors: none. Counts 2 m n k FLOP a term or plane. */
#pragma once

#include "base/real.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct BrTerm {
    real scale;
    const real *a;
    int64_t row, col; /* element (i, k) of A is a[i*row + k*col]: the transposed form needs no copy */
    const real *b;
    int64_t ldb;
    int64_t k;
    int64_t stride; /* from B of a plane to that of the next */
} BrTerm;

/** The products of planes j = 0 .. planes-1, of C stride_c apart, which share their weights. Starts from bias[i] in row i where
 *  bias is not NULL, from C where beta is 1; neither reads nor writes C past n. */
void brgemm(real *c, int64_t ldc, int64_t stride_c, int planes, int64_t m, int64_t n, const BrTerm *terms, int n_terms,
            const real *bias, real beta);

/** The planes j = 0 .. planes-1 of A and B are stride_a and stride_b elements apart. */
void brgemm_nt(real *c, int64_t ldc, int64_t m, int64_t k, int64_t n, real scale, const real *a, int64_t lda,
               int64_t stride_a, const real *b, int64_t ldb, int64_t stride_b, int planes);

/** C = A B + beta C where row i of A starts at a[i] + first and row i of C at c[i] + first: one product over many short runs
 *  of rows, in whose lists `first` chooses columns. */
void brgemm_rows(real *const *c, real *const *a, int64_t m, int64_t first, const real *b, int64_t ldb, int64_t n,
                 int64_t k, real beta);

/** C = A^T B where row i of A (k, m) starts at a[i] + first and row i of B (k, n) at b[i] + first. */
void brgemm_outer(real *c, int64_t ldc, int64_t m, int64_t n, real *const *a, real *const *b, int64_t first, int64_t k);

/** The same by plain loops: the definition that tests compare with. */
void brgemm_ref(real *c, int64_t ldc, int64_t stride_c, int planes, int64_t m, int64_t n, const BrTerm *terms,
                int n_terms, const real *bias, real beta);
void brgemm_nt_ref(real *c, int64_t ldc, int64_t m, int64_t k, int64_t n, real scale, const real *a, int64_t lda,
                   int64_t stride_a, const real *b, int64_t ldb, int64_t stride_b, int planes);
void brgemm_rows_ref(real *const *c, real *const *a, int64_t m, int64_t first, const real *b, int64_t ldb, int64_t n,
                     int64_t k, real beta);
void brgemm_outer_ref(real *c, int64_t ldc, int64_t m, int64_t n, real *const *a, real *const *b, int64_t first,
                      int64_t k);
