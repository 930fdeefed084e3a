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

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4")

/* Rows of up to SHORT vectors stay in registers: a store of part of a vector would hold up loads of the same row. `left`
 * is the length of the last vector. The order of sums is that of the long form. */
enum { SHORT = 4 };

INLINE void add_short(real *y, real *rstd, real *x, const real *t, const real *bias, int64_t rows, int64_t n,
                      const int vecs) {
    const int64_t left = n - (vecs - 1) * LANES;
    Mask mask[SHORT];
    Vec b[SHORT];
    UNROLL for (int i = 0; i < vecs; i++) {
        mask[i] = vec_mask(i < vecs - 1 ? LANES : left);
        b[i] = bias ? vec_load_masked(bias + i * LANES, mask[i]) : (Vec){0};
    }
    for (int64_t r = 0; r < rows; r++) {
        real *xr = x + r * n;
        Vec v[SHORT], sum = {0}, square = {0};
        UNROLL for (int i = 0; i < vecs; i++) {
            v[i] = vec_load_masked(xr + i * LANES, mask[i]);
            if (t) v[i] += vec_load_masked(t + r * n + i * LANES, mask[i]);
            if (bias) v[i] += b[i];
            if (t || bias) vec_store_masked(xr + i * LANES, v[i], mask[i]);
            sum += v[i];
        }
        if (!y) continue;
        real mean = vec_total(sum) / (real)n;
        UNROLL for (int i = 0; i < vecs; i++) {
            v[i] = v[i] - mean;
            if (i == vecs - 1) v[i] = vec_first(v[i], (Vec){0}, left);
            square += v[i] * v[i];
        }
        rstd[r] = 1 / sqrt_real(vec_total(square) / (real)n + LAYERNORM_EPS);
        UNROLL for (int i = 0; i < vecs; i++) vec_store_masked(y + r * n + i * LANES, v[i] * rstd[r], mask[i]);
    }
}

INLINE void backward_short(real *dx, real *dbias, const real *dy, const real *y, const real *rstd, int64_t rows,
                           int64_t n, const int vecs) {
    Mask mask[SHORT];
    Vec db[SHORT];
    UNROLL for (int i = 0; i < vecs; i++) {
        mask[i] = vec_mask(i < vecs - 1 ? LANES : n - (vecs - 1) * LANES);
        db[i] = dbias ? vec_load_masked(dbias + i * LANES, mask[i]) : (Vec){0};
    }
    for (int64_t r = 0; r < rows; r++) {
        Vec g[SHORT], yr[SHORT], sum = {0}, dot = {0};
        UNROLL for (int i = 0; i < vecs; i++) {
            g[i] = vec_load_masked(dy + r * n + i * LANES, mask[i]);
            yr[i] = vec_load_masked(y + r * n + i * LANES, mask[i]);
            sum += g[i];
            dot += g[i] * yr[i];
        }
        real mean = vec_total(sum) / (real)n, along = vec_total(dot) / (real)n, scale = rstd[r];
        UNROLL for (int i = 0; i < vecs; i++) {
            Vec v = vec_load_masked(dx + r * n + i * LANES, mask[i]) + scale * (g[i] - mean - yr[i] * along);
            vec_store_masked(dx + r * n + i * LANES, v, mask[i]);
            db[i] += v;
        }
    }
    if (dbias) UNROLL for (int i = 0; i < vecs; i++) vec_store_masked(dbias + i * LANES, db[i], mask[i]);
}

static void add_long(real *y, real *rstd, real *x, const real *t, const real *bias, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++) {
        Vec sum = add_row(x + r * n, t ? t + r * n : NULL, bias, n);
        if (y) norm_row(y + r * n, rstd + r, x + r * n, vec_total(sum) / (real)n, n);
    }
}

static void backward_long(real *dx, real *dbias, const real *dy, const real *y, const real *rstd, int64_t rows,
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

void layernorm_add(real *y, real *rstd, real *x, const real *t, const real *bias, int64_t rows, int64_t n) {
    switch (vec_padded(n) / LANES) {
    case 1: add_short(y, rstd, x, t, bias, rows, n, 1); break;
    case 2: add_short(y, rstd, x, t, bias, rows, n, 2); break;
    case 3: add_short(y, rstd, x, t, bias, rows, n, 3); break;
    case 4: add_short(y, rstd, x, t, bias, rows, n, SHORT); break;
    default: add_long(y, rstd, x, t, bias, rows, n);
    }
}

void layernorm_backward(real *dx, real *dbias, const real *dy, const real *y, const real *rstd, int64_t rows,
                        int64_t n) {
    switch (vec_padded(n) / LANES) {
    case 1: backward_short(dx, dbias, dy, y, rstd, rows, n, 1); break;
    case 2: backward_short(dx, dbias, dy, y, rstd, rows, n, 2); break;
    case 3: backward_short(dx, dbias, dy, y, rstd, rows, n, 3); break;
    case 4: backward_short(dx, dbias, dy, y, rstd, rows, n, SHORT); break;
    default: backward_long(dx, dbias, dy, y, rstd, rows, n);
    }
}

void layernorm_ref(double *y, double *rstd, const double *x, int64_t n) {
    double mean = 0, var = 0;
    for (int64_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean) / (double)n;
    *rstd = 1 / sqrt(var + 1e-5);
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * *rstd;
}
