/** GELU in its two forms and SiLU, with the derivative from the same pass: forward stores it where backward will multiply by it,
 *  so no exponential is evaluated twice.
 *      exact  y = x Phi(x)                                          Hendrycks & Gimpel 2016, arXiv 1606.08415
 *      tanh   y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
 *      silu   y = x / (1 + exp(-x))                                   Elfwing et al. 2018, arXiv 1702.03118
 *  Vectorised; not collective. Errors: none. */
#pragma once

#include "base/real.h"

#include <stdint.h>

/** y = gelu(x), slope = gelu'(x); slope may be NULL; y or slope may be x itself. */
void gelu(real *y, real *slope, const real *x, int64_t n);
void gelu_tanh(real *y, real *slope, const real *x, int64_t n);

void silu(real *y, real *slope, const real *x, int64_t n);

/** y = gelu(x + bias), slope = gelu'(x + bias) for x (rows, n), bias (n). */
void gelu_bias(real *y, real *slope, const real *x, const real *bias, int64_t rows, int64_t n);

/** dx = dy * slope (in place on dy) and dbias += column sums, for (rows, n). */
void gelu_bias_backward(real *dy, real *dbias, const real *slope, int64_t rows, int64_t n);

/** The same by the C library, in double: the definition that tests compare with. */
void gelu_ref(double *y, double *slope, double x);
void silu_ref(double *y, double *slope, double x);
void gelu_tanh_ref(double *y, double *slope, double x);
