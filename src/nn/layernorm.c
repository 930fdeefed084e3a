#include "nn/layernorm.h"

#include "la/vmath.h"

#include <math.h>
#include <stdbool.h>
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
#define UNROLL _Pragma("GCC unroll 16")

/* Rows of up to SHORT vectors are taken some at a time and stay in registers, TOGETHER vectors: all are read before any is
 * written, since a store of part of a vector holds up loads of the row behind it, and their sums across lanes are taken
 * together. The order of sums is that of the long form. */
enum { SHORT = 4, TOGETHER = SIMD_REGISTERS / 2 };

/* Rows of `vecs` vectors at a time: a power of two. */
INLINE int block_of(const int vecs) {
    int rows = vecs == 1 ? TOGETHER : vecs == 2 ? TOGETHER / 2 : TOGETHER / 4;
    return rows < LANES ? rows : LANES;
}

/* What is the same for all rows; `over`: what a whole last vector has behind a row is overwritten with the next row. */
typedef struct Row {
    int64_t n;
    real share; /* 1/n: a division takes several times as long as a product */
    Mask last;
    bool over;
} Row;

INLINE Row row_of(int64_t n, const int vecs) {
    return (Row){.n = n, .share = 1 / (real)n, .last = vec_mask(n - (vecs - 1) * LANES), .over = 2 * n >= vecs * LANES};
}

INLINE Vec load(const real *x, int r, int i, const Row *row, const int vecs) {
    const real *at = x + r * row->n + i * LANES;
    return i < vecs - 1 ? vec_load(at) : vec_load_masked(at, row->last);
}

/* The rows of a block, in order. */
INLINE void store_rows(real *x, Vec v[][SHORT], const Row *row, const int vecs, const int rows) {
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int i = 0; i < vecs; i++) {
        real *at = x + r * row->n + i * LANES;
        if (i < vecs - 1 || (row->over && r < rows - 1))
            vec_store(at, v[r][i]);
        else
            vec_store_masked(at, v[r][i], row->last);
    }
}

INLINE void add_block(real *y, real *rstd, real *x, const real *t, const Vec *bias, const Row *row, const int vecs,
                      const int rows) {
    const int64_t n = row->n, left = n - (vecs - 1) * LANES;
    Vec v[TOGETHER][SHORT], total[LANES];
    real sum[LANES];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int i = 0; i < vecs; i++) {
        v[r][i] = load(x, r, i, row, vecs);
        if (t) v[r][i] += load(t, r, i, row, vecs);
        if (bias) v[r][i] += bias[i];
        total[r] = i ? total[r] + v[r][i] : v[r][i];
    }
    if (t || bias) store_rows(x, v, row, vecs, rows);
    if (!y) return;
    vec_store(sum, vec_lane_sums(total, rows));
    UNROLL for (int r = 0; r < rows; r++) {
        total[r] = (Vec){0};
        UNROLL for (int i = 0; i < vecs; i++) {
            v[r][i] = v[r][i] - sum[r] * row->share;
            if (i == vecs - 1) v[r][i] = vec_first(v[r][i], (Vec){0}, left);
            total[r] += v[r][i] * v[r][i];
        }
    }
    vec_store(sum, vec_lane_sums(total, rows));
    for (int r = 0; r < rows; r++) rstd[r] = 1 / sqrt_real(sum[r] * row->share + LAYERNORM_EPS);
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int i = 0; i < vecs; i++) v[r][i] *= rstd[r];
    store_rows(y, v, row, vecs, rows);
}

INLINE void add_short(real *y, real *rstd, real *x, const real *t, const real *bias, int64_t rows, int64_t n,
                      const int vecs) {
    const int block = block_of(vecs);
    const Row row = row_of(n, vecs);
    Vec b[SHORT];
    UNROLL for (int i = 0; i < vecs; i++) b[i] = bias ? load(bias, 0, i, &row, vecs) : (Vec){0};
    int64_t r = 0;
    for (; r + block <= rows; r += block)
        add_block(y ? y + r * n : NULL, rstd + r, x + r * n, t ? t + r * n : NULL, bias ? b : NULL, &row, vecs, block);
    for (; r < rows; r++)
        add_block(y ? y + r * n : NULL, rstd + r, x + r * n, t ? t + r * n : NULL, bias ? b : NULL, &row, vecs, 1);
}

/* db gains the columns of dx. */
INLINE void backward_block(real *dx, Vec *db, const real *dy, const real *y, const real *rstd, const Row *row,
                           const int vecs, const int rows) {
    Vec v[TOGETHER][SHORT], total[LANES], dot[LANES];
    real sum[LANES], along[LANES];
    UNROLL for (int r = 0; r < rows; r++) {
        total[r] = dot[r] = (Vec){0};
        UNROLL for (int i = 0; i < vecs; i++) {
            Vec g = load(dy, r, i, row, vecs);
            total[r] += g;
            dot[r] += g * load(y, r, i, row, vecs);
        }
    }
    vec_store(sum, vec_lane_sums(total, rows));
    vec_store(along, vec_lane_sums(dot, rows));
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int i = 0; i < vecs; i++) {
        Vec g = load(dy, r, i, row, vecs);
        Vec yr = load(y, r, i, row, vecs);
        v[r][i] = load(dx, r, i, row, vecs) + rstd[r] * (g - sum[r] * row->share - yr * (along[r] * row->share));
        db[i] += v[r][i];
    }
    store_rows(dx, v, row, vecs, rows);
}

INLINE void backward_short(real *dx, real *dbias, const real *dy, const real *y, const real *rstd, int64_t rows,
                           int64_t n, const int vecs) {
    const int block = block_of(vecs);
    const Row row = row_of(n, vecs);
    Vec db[SHORT];
    UNROLL for (int i = 0; i < vecs; i++) db[i] = dbias ? load(dbias, 0, i, &row, vecs) : (Vec){0};
    int64_t r = 0;
    for (; r + block <= rows; r += block)
        backward_block(dx + r * n, db, dy + r * n, y + r * n, rstd + r, &row, vecs, block);
    for (; r < rows; r++) backward_block(dx + r * n, db, dy + r * n, y + r * n, rstd + r, &row, vecs, 1);
    if (dbias) UNROLL for (int i = 0; i < vecs; i++) vec_store_first(dbias + i * LANES, db[i], n - i * LANES);
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
