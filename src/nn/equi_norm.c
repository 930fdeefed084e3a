#include "nn/equi_norm.h"

#include "nn/activation.h"

#include <math.h>

static const real mv_floor = (real)0.01, s_eps = (real)1e-5;

static int is_inner(int p) {
    return p == 0 || (p >= 2 && p <= 4) || (p >= 8 && p <= 10) || p == 14;
}

/* Tokens are taken in strips, so that what is kept for each token stays in the first-level cache. */
enum { STRIP = 64 };
#define STRIPS(t0, width)                                                                                              \
    for (int64_t t0 = 0, width; t0 < at.ld && (width = at.ld - t0 < STRIP ? at.ld - t0 : STRIP); t0 += STRIP)
#define TOKENS(t) _Pragma("omp simd") for (int64_t t = 0; t < width; t++)

void equi_norm_forward(Field y, real *stats, real *x, const real *u, int mv, int s, Columns at) {
    Field in = field_at(x, mv, at.ld);
    const real mv_share = 1 / (real)mv, s_share = s ? 1 / (real)s : 0;
    STRIPS(t0, width) {
        real square[STRIP] = {0}, mean[STRIP] = {0}, variance[STRIP] = {0};
        for (int64_t row = 0; u && row < field_rows(mv, s); row++)
            TOKENS(t) x[row * at.ld + t0 + t] += u[row * at.ld + t0 + t];
        for (int i = 0; i < PGA_INNER; i++)
            for (int c = 0; c < mv; c++) {
                const real *a = in.mv + pga_inner_components[i] * in.plane + c * at.ld + t0;
                TOKENS(t) square[t] += a[t] * a[t];
            }
        real *scale = stats + t0, *pull = scale + at.ld, *deviation = pull + at.ld;
        TOKENS(t) {
            real m = square[t] * mv_share;
            scale[t] = 1 / (real)sqrt(m > mv_floor ? m : mv_floor);
            pull[t] = m > mv_floor ? mv_share : 0;
        }
        for (int p = 0; p < PGA; p++)
            for (int c = 0; c < mv; c++) {
                const real *a = in.mv + p * in.plane + c * at.ld + t0;
                real *b = y.mv + p * y.plane + c * at.ld + t0;
                TOKENS(t) b[t] = a[t] * scale[t];
            }
        for (int c = 0; c < s; c++) TOKENS(t) mean[t] += in.s[c * at.ld + t0 + t];
        TOKENS(t) mean[t] *= s_share;
        for (int c = 0; c < s; c++) TOKENS(t) {
                real d = in.s[c * at.ld + t0 + t] - mean[t];
                variance[t] += d * d;
            }
        TOKENS(t) deviation[t] = 1 / (real)sqrt(variance[t] * s_share + s_eps);
        for (int c = 0; c < s; c++)
            TOKENS(t) y.s[c * at.ld + t0 + t] = (in.s[c * at.ld + t0 + t] - mean[t]) * deviation[t];
    }
}

void equi_norm_backward(real *dx, Field dy, Field y, const real *stats, int mv, int s, Columns at) {
    Field out = field_at(dx, mv, at.ld);
    const real s_share = s ? 1 / (real)s : 0;
    STRIPS(t0, width) {
        real dot[STRIP] = {0}, mean[STRIP] = {0};
        const real *scale = stats + t0, *pull = scale + at.ld, *deviation = pull + at.ld;
        for (int p = 0; p < PGA; p++)
            for (int c = 0; c < mv; c++) {
                const real *a = y.mv + p * y.plane + c * at.ld + t0, *b = dy.mv + p * dy.plane + c * at.ld + t0;
                TOKENS(t) dot[t] += a[t] * b[t];
            }
        TOKENS(t) dot[t] *= pull[t];
        for (int p = 0; p < PGA; p++)
            for (int c = 0; c < mv; c++) {
                const real *a = y.mv + p * y.plane + c * at.ld + t0, *b = dy.mv + p * dy.plane + c * at.ld + t0;
                real *d = out.mv + p * out.plane + c * at.ld + t0;
                if (is_inner(p))
                    TOKENS(t) d[t] += scale[t] * (b[t] - a[t] * dot[t]);
                else
                    TOKENS(t) d[t] += scale[t] * b[t];
            }
        TOKENS(t) dot[t] = 0;
        for (int c = 0; c < s; c++) TOKENS(t) {
                real b = dy.s[c * at.ld + t0 + t] * s_share;
                mean[t] += b;
                dot[t] += y.s[c * at.ld + t0 + t] * b;
            }
        for (int c = 0; c < s; c++) TOKENS(t) {
                int64_t i = c * at.ld + t0 + t;
                out.s[i] += deviation[t] * (dy.s[i] - mean[t] - y.s[i] * dot[t]);
            }
    }
}

void equi_gate_forward(Field y, real *value, real *slope, Field x, const real *gate, int mv, Columns at) {
    gelu_tanh(value, slope, gate, mv * at.ld);
    for (int p = 0; p < PGA; p++) {
        const real *a = x.mv + p * x.plane;
        real *b = y.mv + p * y.plane;
#pragma omp simd
        for (int64_t i = 0; i < mv * at.ld; i++) b[i] = a[i] * value[i];
    }
}

void equi_gate_backward(Field dx, real *dgate, Field dy, Field x, const real *value, const real *slope, int mv,
                        Columns at) {
    for (int64_t i0 = 0; i0 < mv * at.ld; i0 += STRIP) {
        int64_t width = mv * at.ld - i0 < STRIP ? mv * at.ld - i0 : STRIP;
        real dot[STRIP] = {0};
        for (int p = 0; p < PGA; p++) {
            const real *a = x.mv + p * x.plane + i0, *b = dy.mv + p * dy.plane + i0;
            real *d = dx.mv + p * dx.plane + i0;
            TOKENS(t) {
                dot[t] += a[t] * b[t];
                d[t] = b[t] * value[i0 + t];
            }
        }
        TOKENS(t) dgate[i0 + t] = dot[t] * slope[i0 + t];
    }
}

void equi_norm_ref(double *y_mv, double *y_s, const double *x_mv, const double *x_s, int mv, int s) {
    double m = 0, mean = 0, variance = 0;
    for (int c = 0; c < mv; c++) m += pga_inner(x_mv + c * PGA, x_mv + c * PGA) / mv;
    for (int i = 0; i < mv * PGA; i++) y_mv[i] = x_mv[i] / sqrt(fmax(m, 0.01));
    for (int c = 0; c < s; c++) mean += x_s[c] / s;
    for (int c = 0; c < s; c++) variance += (x_s[c] - mean) * (x_s[c] - mean) / s;
    for (int c = 0; c < s; c++) y_s[c] = (x_s[c] - mean) / sqrt(variance + 1e-5);
}
