#include "nn/activation.h"

#include "base/vmath.h"

#include <math.h>
#include <stddef.h>

#define ROOT_2_PI ((real)0.79788456080286535588) /* sqrt(2/pi) */
#define DENSITY_0 ((real)0.39894228040143267794) /* 1/sqrt(2 pi) */
#define CUBIC ((real)0.044715)

static inline void exact(real *y, real *slope, real x) {
    real z = x < 0 ? -x : x, e = vm_exp((real)-0.5 * x * x), tail = vm_tail(z, e);
    real phi = x < 0 ? tail : 1 - tail;
    *y = x * phi;
    *slope = phi + x * e * DENSITY_0;
}

/* 1 + tanh(u) = 2 sigmoid(2u); the exponential is taken of -|2u|. */
static inline void by_tanh(real *y, real *slope, real x) {
    real u2 = 2 * ROOT_2_PI * x * (1 + CUBIC * x * x), du2 = 2 * ROOT_2_PI * (1 + 3 * CUBIC * x * x);
    real e = vm_exp(u2 < 0 ? u2 : -u2), small = e / (1 + e), large = 1 / (1 + e);
    real s = u2 < 0 ? small : large;
    *y = x * s;
    *slope = s + x * du2 * small * large;
}

void gelu(real *y, real *slope, const real *x, int64_t n) {
    real unused;
    if (!slope)
        for (int64_t i = 0; i < n; i++) exact(&y[i], &unused, x[i]);
    else
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            real a, b;
            exact(&a, &b, x[i]);
            y[i] = a;
            slope[i] = b;
        }
}

void gelu_tanh(real *y, real *slope, const real *x, int64_t n) {
    real unused;
    if (!slope)
        for (int64_t i = 0; i < n; i++) by_tanh(&y[i], &unused, x[i]);
    else
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            real a, b;
            by_tanh(&a, &b, x[i]);
            y[i] = a;
            slope[i] = b;
        }
}

void gelu_bias(real *y, real *slope, const real *x, const real *bias, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            real a, b;
            exact(&a, &b, x[r * n + i] + bias[i]);
            y[r * n + i] = a;
            slope[r * n + i] = b;
        }
}

void gelu_bias_backward(real *dy, real *dbias, const real *slope, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            real d = dy[r * n + i] * slope[r * n + i];
            dy[r * n + i] = d;
            dbias[i] += d;
        }
}

void gelu_ref(double *y, double *slope, double x) {
    double phi = 0.5 * erfc(-x * M_SQRT1_2);
    *y = x * phi;
    *slope = phi + x * exp(-x * x / 2) / sqrt(2 * M_PI);
}

void gelu_tanh_ref(double *y, double *slope, double x) {
    double c = sqrt(2 / M_PI), t = tanh(c * (x + 0.044715 * x * x * x));
    *y = 0.5 * x * (1 + t);
    *slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}
