#include "nn/linear.h"

#include "base/err.h"
#include "column_sums.h"
#include "la/gemm.h"
#include "la/simd.h"
#include "nn/activation.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Linear linear_params(ParamTable *table, int block, Axis out, Axis in, bool partial, const char *name, ...) {
    static const int in_out[2] = {1, 0};
    ParamInit init = param_uniform(1 / sqrt(axis_size(&in, 1)));
    char text[PARAM_NAME];
    va_list ap;
    va_start(ap, name);
    vsnprintf(text, sizeof text, name, ap);
    va_end(ap);
    /* The bias of a map whose inputs are split is added once, after the sum: it is whole. */
    int64_t weight = param_add(table, block, (Axis[]){out, in}, 2, in_out, partial, init, "%s.weight", text);
    int64_t bias = param_add(table, block, &out, 1, NULL, partial, init, "%s.bias", text);
    return (Linear){.weight = weight, .bias = bias, .in = axis_size(&in, table->tp), .out = axis_size(&out, table->tp)};
}

Linear linear_find(const ParamTable *table, const char *name, ...) {
    char text[PARAM_NAME], full[PARAM_NAME + 8];
    va_list ap;
    va_start(ap, name);
    vsnprintf(text, sizeof text, name, ap);
    va_end(ap);
    snprintf(full, sizeof full, "%s.weight", text);
    const Param *w = param_find(table, full);
    CHECK(w, "no tensor is named %s", full);
    snprintf(full, sizeof full, "%s.bias", text);
    const Param *b = param_find(table, full);
    return (Linear){.weight = w->offset,
                    .bias = b ? b->offset : -1,
                    .in = axis_size(&w->axis[1], table->tp),
                    .out = axis_size(&w->axis[0], table->tp)};
}

/* Rows of a product whose result, `width` columns, a second-level cache holds; not so few that packing W shows. */
static int64_t run_rows(int64_t left, int64_t width) {
    int64_t rows = 96 * 1024 / width / 72 * 72;
    if (rows < 288) rows = 288;
    return rows < left ? rows : left;
}

/* Rows that stand one behind the other, so many at a time that they fill whole vectors: up to 15 vectors for rows of 60. */
enum { REPEATED = 16 * LANES };

static void add_repeated(real *y, const real *bias, int64_t rows, int64_t n, int64_t period) {
    real repeated[REPEATED];
    int64_t i = 0, all = rows * n;
    for (int64_t first = 0; first < period; first += n) memcpy(repeated + first, bias, (size_t)n * sizeof *bias);
    for (; i + period <= all; i += period)
        for (int64_t j = 0; j < period; j += LANES) vec_store(y + i + j, vec_load(y + i + j) + vec_load(repeated + j));
    for (int64_t j = 0; i + j < all; j++) y[i + j] += repeated[j];
}

static void add_bias(real *y, int64_t ldy, const real *bias, int64_t rows, int64_t n) {
    int64_t period = n;
    while (period % LANES) period += n;
    if (ldy == n && period <= REPEATED) {
        add_repeated(y, bias, rows, n, period);
        return;
    }
    for (int64_t t = 0; t < rows; t++)
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[t * ldy + i] += bias[i];
}

void linear_forward(real *y, int64_t ldy, const real *x, const real *theta, const Linear *map, int64_t tokens,
                    real beta) {
    for (int64_t t = 0, rows; t < tokens; t += rows) {
        rows = map->bias < 0 ? tokens : run_rows(tokens - t, map->out);
        gemm_nn(y + t * ldy, ldy, x + t * map->in, map->in, theta + map->weight, map->out, rows, map->out, map->in,
                beta);
        if (map->bias >= 0) add_bias(y + t * ldy, ldy, theta + map->bias, rows, map->out);
    }
}

void linear_forward_gelu(real *y, real *slope, const real *x, const real *theta, const Linear *map, int64_t tokens) {
    for (int64_t t = 0, rows; t < tokens; t += rows) {
        rows = run_rows(tokens - t, map->out);
        real *yt = y + t * map->out;
        gemm_nn(yt, map->out, x + t * map->in, map->in, theta + map->weight, map->out, rows, map->out, map->in, 0);
        gelu_bias(yt, slope + t * map->out, yt, theta + map->bias, rows, map->out);
    }
}

void linear_backward_gelu(real *dx, real *dbias, const real *slope, const real *dy, int64_t ldy, const real *theta,
                          const Linear *map, int64_t tokens) {
    for (int64_t t = 0, rows; t < tokens; t += rows) {
        rows = run_rows(tokens - t, map->in);
        linear_backward_input(dx + t * map->in, dy + t * ldy, ldy, theta, map, rows, 0);
        gelu_bias_backward(dx + t * map->in, dbias, slope + t * map->in, rows, map->in);
    }
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
    column_sums(db, (real *)dy, NULL, ldy, tokens, n); /* without slopes dy is only read */
}
