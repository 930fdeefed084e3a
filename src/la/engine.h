/** The engines behind la/gemm. One product for all forms: C (m, n) = op(A) op(B) + beta C with element (i, p) of op(A)
 *  at a[i*ra + p*ca] and (p, j) of op(B) at b[p*rb + j*cb]; of each pair of strides one is 1. Private to la. */
#pragma once

#include "base/real.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Operand {
    const real *at;
    int64_t row, col;
} Operand;

typedef void EngineRun(real *c, int64_t ldc, Operand a, Operand b, int64_t m, int64_t n, int64_t k, real beta);

/** BLIS packs both operands and is at its best from some hundred rows and columns on. */
void blis_run(real *c, int64_t ldc, Operand a, Operand b, int64_t m, int64_t n, int64_t k, real beta);
const char *blis_version(void);

/** libxsmm's kernels are compiled for one size each and read the operands where they are. False when it is not built in
 *  or has no kernels for this processor. */
bool xsmm_start(void);
void xsmm_run(real *c, int64_t ldc, Operand a, Operand b, int64_t m, int64_t n, int64_t k, real beta);
const char *xsmm_version(void);
