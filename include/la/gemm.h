/** Matrix products, row-major: C (m, n) = op(A) op(B) + beta C with beta 0 or 1. One entry for every shape; behind it
 *  BLIS for large products and libxsmm, where it is built in, for small ones, by a crossover measured on the machine.
 *
 *  ld is the distance between rows in elements. C must not overlap A or B. beta 0 never reads C.
 *  Not collective. Errors: none. Cost: 2 m n k FLOP, added to flops_counted (la/flops.h). */
#pragma once

#include "base/real.h"
#include "par/comm.h"

#include <stdint.h>

/** Takes the crossover from this machine's cache, or measures it (about a second) and keeps it there. The root decides
 *  for all ranks, so that they compute alike. Without this call a fixed rule in the sizes holds. Collective on comm. */
void gemm_start(const Comm *comm);

/** A is (m, k), B is (k, n): forward products of weights stored (in, out). */
void gemm_nn(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta);
/** A is (m, k), B is (n, k) and is used transposed: gradients of inputs. */
void gemm_nt(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta);
/** A is (k, m) and is used transposed, B is (k, n): gradients of weights, k = tokens. */
void gemm_tn(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
             int64_t k, real beta);

/** The same three by plain loops: the definition that tests compare with. */
void gemm_nn_ref(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
                 int64_t k, real beta);
void gemm_nt_ref(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
                 int64_t k, real beta);
void gemm_tn_ref(real *c, int64_t ldc, const real *a, int64_t lda, const real *b, int64_t ldb, int64_t m, int64_t n,
                 int64_t k, real beta);
