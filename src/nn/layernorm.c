#include "nn/layernorm.h"

#include <math.h>
#include <stddef.h>

static real row_sum(const real *x, int64_t n) {
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static void row_norm(real *restrict y, real *restrict rstd, const real *restrict x, int64_t n) {
    real mean = row_sum(x, n) / (real)n, var = 0;
#pragma omp simd reduction(+ : var)
    for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean);
    real scale = 1 / (real)sqrt(var / (real)n + LAYERNORM_EPS);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * scale;
    *rstd = scale;
}

void layernorm_add(real *y, real *rstd, real *x, const real *t, const real *bias, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++) {
        real *xr = x + r * n;
        if (t)
#pragma omp simd
            for (int64_t i = 0; i < n; i++) xr[i] += t[r * n + i];
        if (bias)
#pragma omp simd
            for (int64_t i = 0; i < n; i++) xr[i] += bias[i];
        if (y) row_norm(y + r * n, rstd + r, xr, n);
    }
}

void layernorm_backward(real *dx, real *dbias, const real *dy, const real *y, const real *rstd, int64_t rows,
                        int64_t n) {
    for (int64_t r = 0; r < rows; r++) {
        const real *g = dy + r * n, *yr = y + r * n;
        real *d = dx + r * n, mean = 0, along = 0, scale = rstd[r];
#pragma omp simd reduction(+ : mean, along)
        for (int64_t i = 0; i < n; i++) {
            mean += g[i];
            along += g[i] * yr[i];
        }
        mean /= (real)n;
        along /= (real)n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) d[i] += scale * (g[i] - mean - yr[i] * along);
        if (dbias)
#pragma omp simd
            for (int64_t i = 0; i < n; i++) dbias[i] += d[i];
    }
}

void layernorm_ref(double *y, double *rstd, const double *x, int64_t n) {
    double mean = 0, var = 0;
    for (int64_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean) / (double)n;
    *rstd = 1 / sqrt(var + 1e-5);
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * *rstd;
}
