#include "nn/layernorm.h"

#include "la/vmath.h"

#include <math.h>
#include <stddef.h>

#ifndef EQ_DOUBLE
#define sqrt_real sqrtf
#else
#define sqrt_real sqrt
#endif

/* x += t + bias; the sum of the row. */
static inline Vec add_row(real *x, const real *t, const real *bias, int64_t n) {
    Vec sum = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        Vec v = vec_get(x + i, n - i);
        if (t) v += vec_get(t + i, n - i);
        if (bias) v += vec_get(bias + i, n - i);
        if (t || bias) vec_put(x + i, v, n - i);
        sum += v;
    }
    return sum;
}

static inline void norm_row(real *y, real *rstd, const real *x, real mean, int64_t n) {
    Vec square = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        Vec d = vec_first(vec_get(x + i, n - i) - mean, (Vec){0}, n - i);
        square += d * d;
    }
    *rstd = 1 / sqrt_real(vec_total(square) / (real)n + LAYERNORM_EPS);
    for (int64_t i = 0; i < n; i += LANES) vec_put(y + i, (vec_get(x + i, n - i) - mean) * *rstd, n - i);
}

void layernorm_add(real *y, real *rstd, real *x, const real *t, const real *bias, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++) {
        Vec sum = add_row(x + r * n, t ? t + r * n : NULL, bias, n);
        if (y) norm_row(y + r * n, rstd + r, x + r * n, vec_total(sum) / (real)n, n);
    }
}

void layernorm_backward(real *dx, real *dbias, const real *dy, const real *y, const real *rstd, int64_t rows,
                        int64_t n) {
    for (int64_t r = 0; r < rows; r++) {
        const real *g = dy + r * n, *yr = y + r * n;
        Vec sum = {0}, dot = {0};
        for (int64_t i = 0; i < n; i += LANES) {
            Vec v = vec_get(g + i, n - i);
            sum += v;
            dot += v * vec_get(yr + i, n - i);
        }
        real mean = vec_total(sum) / (real)n, along = vec_total(dot) / (real)n, scale = rstd[r], *d = dx + r * n;
        for (int64_t i = 0; i < n; i += LANES) {
            Vec v = vec_get(d + i, n - i) + scale * (vec_get(g + i, n - i) - mean - vec_get(yr + i, n - i) * along);
            vec_put(d + i, v, n - i);
            if (dbias) vec_put(dbias + i, vec_get(dbias + i, n - i) + v, n - i);
        }
    }
}

void layernorm_ref(double *y, double *rstd, const double *x, int64_t n) {
    double mean = 0, var = 0;
    for (int64_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean) / (double)n;
    *rstd = 1 / sqrt(var + 1e-5);
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * *rstd;
}
