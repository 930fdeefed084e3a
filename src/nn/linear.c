#include "nn/linear.h"

#include "la/gemm.h"

#include <string.h>

void linear_forward(real *y, int64_t ldy, const real *x, const real *theta, const Linear *map, int64_t tokens,
                    real beta) {
    gemm_nn(y, ldy, x, map->in, theta + map->weight, map->out, tokens, map->out, map->in, beta);
    if (map->bias < 0) return;
    const real *b = theta + map->bias;
    for (int64_t t = 0; t < tokens; t++)
#pragma omp simd
        for (int64_t i = 0; i < map->out; i++) y[t * ldy + i] += b[i];
}

void linear_backward_input(real *dx, const real *dy, int64_t ldy, const real *theta, const Linear *map, int64_t tokens,
                           real beta) {
    if (dx) gemm_nt(dx, map->in, dy, ldy, theta + map->weight, map->out, tokens, map->in, map->out, beta);
}

void linear_backward_weight(real *grad, const real *dy, int64_t ldy, const real *x, const Linear *map, int64_t tokens,
                            real beta) {
    gemm_tn(grad + map->weight, map->out, x, map->in, dy, ldy, map->in, map->out, tokens, beta);
    if (map->bias < 0) return;
    if (beta == 0) memset(grad + map->bias, 0, (size_t)map->out * sizeof *grad);
    linear_column_sums(grad + map->bias, dy, ldy, tokens, map->out);
}

void linear_column_sums(real *db, const real *dy, int64_t ldy, int64_t tokens, int64_t n) {
    for (int64_t t = 0; t < tokens; t++)
#pragma omp simd
        for (int64_t i = 0; i < n; i++) db[i] += dy[t * ldy + i];
}

int64_t linear_flops(const Linear *map, bool input_gradient) {
    return (input_gradient ? 6 : 4) * (int64_t)map->in * map->out;
}
