#include "nn/activation.h"

#include "column_sums.h"
#include "la/vmath.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define ROOT_2_PI ((real)0.79788456080286535588) /* sqrt(2/pi) */
#define DENSITY_0 ((real)0.39894228040143267794) /* 1/sqrt(2 pi) */
#define CUBIC ((real)0.044715)
#define HALF ((real)0.5)

static inline Vec exact(Vec *slope, Vec x) {
    Vec e = vec_exp(-HALF * x * x), phi = HALF + vec_copysign(HALF - vec_tail(vec_abs(x), e), x);
    *slope = phi + x * e * DENSITY_0;
    return x * phi;
}

/* (1 + tanh(u))/2 is the logistic function of 2u; the exponential is taken of -|2u|. */
static inline Vec by_tanh(Vec *slope, Vec x) {
    Vec u2 = 2 * ROOT_2_PI * x * (1 + CUBIC * x * x), du2 = 2 * ROOT_2_PI * (1 + 3 * CUBIC * x * x);
    Vec e = vec_exp(-vec_abs(u2)), r = 1 / (1 + e), s = HALF + vec_copysign(r - HALF, u2);
    *slope = s + x * du2 * e * r * r;
    return x * s;
}

static inline Vec logistic(Vec *slope, Vec x) {
    Vec r = 1 / (1 + vec_exp(-vec_abs(x))), s = HALF + vec_copysign(r - HALF, x);
    *slope = s * (1 + x * (1 - s));
    return x * s;
}

static inline void row(real *y, real *slope, const real *x, const real *bias, int64_t n,
                       Vec function(Vec *slope, Vec x)) {
    for (int64_t i = 0; i < n; i += LANES) {
        Vec v = vec_get(x + i, n - i), d;
        if (bias) v += vec_get(bias + i, n - i);
        vec_put(y + i, function(&d, v), n - i);
        if (slope) vec_put(slope + i, d, n - i);
    }
}

void gelu(real *y, real *slope, const real *x, int64_t n) {
    row(y, slope, x, NULL, n, exact);
}

void gelu_tanh(real *y, real *slope, const real *x, int64_t n) {
    row(y, slope, x, NULL, n, by_tanh);
}

void silu(real *y, real *slope, const real *x, int64_t n) {
    row(y, slope, x, NULL, n, logistic);
}

/* Rows stand one behind the other, so that whole vectors may run over their ends, and the bias repeats after so many vectors as
 * a row has numbers, or fewer. A last vector of a row alone would be stored in part where the next row loads. */
enum { REPEATED = 128 };

static void gelu_bias_whole(real *y, real *slope, const real *x, const real *bias, int64_t rows, int64_t n) {
    real repeated[REPEATED * LANES];
    int64_t period = n;
    while (period % LANES) period += n;
    for (int64_t i = 0; i < period; i++) repeated[i] = bias[i % n];
    for (int64_t i = 0; i < rows * n; i += period) {
        int64_t left = rows * n - i;
        row(y + i, slope + i, x + i, repeated, left < period ? left : period, exact);
    }
}

void gelu_bias(real *y, real *slope, const real *x, const real *bias, int64_t rows, int64_t n) {
    if (n % LANES && n <= REPEATED) {
        gelu_bias_whole(y, slope, x, bias, rows, n);
        return;
    }
    for (int64_t r = 0; r < rows; r++) row(y + r * n, slope + r * n, x + r * n, bias, n, exact);
}

void gelu_bias_backward(real *dy, real *dbias, const real *slope, int64_t rows, int64_t n) {
    column_sums(dbias, dy, slope, n, rows, n);
}

void gelu_ref(double *y, double *slope, double x) {
    double phi = 0.5 * erfc(-x * M_SQRT1_2);
    *y = x * phi;
    *slope = phi + x * exp(-x * x / 2) / sqrt(2 * M_PI);
}

void silu_ref(double *y, double *slope, double x) {
    double s = 1 / (1 + exp(-x));
    *y = x * s;
    *slope = s * (1 + x * (1 - s));
}

void gelu_tanh_ref(double *y, double *slope, double x) {
    double c = sqrt(2 / M_PI), t = tanh(c * (x + 0.044715 * x * x * x));
    *y = 0.5 * x * (1 + t);
    *slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}
