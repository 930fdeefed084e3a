/** Affine map of token rows, y = x W + b, with W stored (in, out), and its adjoint. Rows of y and dy may be slices of a
 *  wider matrix: ldy is their distance. Not collective. Errors: none. Cost: 2 tokens in out FLOP a product.
 *  What follows a product (bias, GELU) is done on runs of rows that are still in the cache. */
#pragma once

#include "base/real.h"
#include "nn/param.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Linear {
    int64_t weight, bias; /* offsets in the local vector of parameters */
    int in, out;          /* local sizes */
} Linear;

/** Appends NAME.weight and NAME.bias, uniform in +- 1/sqrt(inputs); and what was appended, by name. A bias is whole on every
 *  rank where only the inputs are split. name: a format. */
Linear linear_params(ParamTable *table, int block, Axis out, Axis in, bool partial, const char *name, ...)
    __attribute__((format(printf, 6, 7)));
Linear linear_find(const ParamTable *table, const char *name, ...) __attribute__((format(printf, 2, 3)));

/** y (tokens, out) = x (tokens, in) W + b + beta y; b is left out where bias < 0. */
void linear_forward(real *y, int64_t ldy, const real *x, const real *theta, const Linear *map, int64_t tokens,
                    real beta);

/** y = gelu(x W + b) and slope = gelu'(x W + b), both (tokens, out), without a second pass through memory. */
void linear_forward_gelu(real *y, real *slope, const real *x, const real *theta, const Linear *map, int64_t tokens);

/** What linear_backward_input gives, times slope (tokens, in): the gradient of what a GELU in front of the map was
 *  given. dbias gains its column sums. */
void linear_backward_gelu(real *dx, real *dbias, const real *slope, const real *dy, int64_t ldy, const real *theta,
                          const Linear *map, int64_t tokens);

/** dx = dy W^T + beta dx; nothing where dx is NULL. */
void linear_backward_input(real *dx, const real *dy, int64_t ldy, const real *theta, const Linear *map, int64_t tokens,
                           real beta);

/** dW = x^T dy + beta dW at grad + map->weight, and db = column sums of dy + beta db where bias >= 0. */
void linear_backward_weight(real *grad, const real *dy, int64_t ldy, const real *x, const Linear *map, int64_t tokens,
                            real beta);

/** db += column sums of dy (tokens, n). */
void linear_column_sums(real *db, const real *dy, int64_t ldy, int64_t tokens, int64_t n);
