/** Layer normalisation over channels without parameters, biased variance, and the passes that stand next to it.
 *      y = (x - mean) rstd, rstd = 1/sqrt(var + eps)                                  Ba et al. 2016, arXiv 1607.06450
 *  x, y, t (rows, n), rstd (rows), bias (n). Sums are taken in a fixed order, so equal inputs give equal
 *  bits. Not collective. Errors: none. Cost: not counted (no products). */
#pragma once

#include "base/real.h"

#include <stdint.h>

#define LAYERNORM_EPS ((real)1e-5)

/** x += t + bias (t, bias may be NULL), then y = norm(x). y == NULL: only the sum. */
void layernorm_add(real *y, real *rstd, real *x, const real *t, const real *bias, int64_t rows, int64_t n);

/** dx += J^T dy, J the derivative of y by x at the y and rstd that forward left. dbias (may be NULL) gains the column
 *  sums of the dx that results. */
void layernorm_backward(real *dx, real *dbias, const real *dy, const real *y, const real *rstd, int64_t rows,
                        int64_t n);

/** The same by plain loops in double. */
void layernorm_ref(double *y, double *rstd, const double *x, int64_t n);
