#include "la/pga.h"

#include "la/flops.h"
#include "pga_terms.h"
#include "la/simd.h"

#include <math.h>

const int pga_inner_components[PGA_INNER] = {0, 2, 3, 4, 8, 9, 10, 14};

/* Which of e0, e1, e2, e3 (bits 0 to 3) make up each blade, and the way back. */
static const unsigned blade[PGA] = {0, 1, 2, 4, 8, 3, 5, 9, 6, 10, 12, 7, 11, 13, 14, 15};
static const int component[PGA] = {0, 1, 2, 5, 3, 6, 8, 11, 4, 7, 9, 12, 10, 13, 14, 15};
static const double dual_sign[PGA] = {1, -1, 1, -1, 1, 1, -1, 1, 1, -1, 1, -1, 1, -1, 1, 1};

#define EACH(i) for (int i = 0; i < PGA; i++)

/* One vector of products at a time, a product of halves after the other (pga_terms.h): eight sums, and eight components of each
 * factor, stay in registers. */
#define X_TAKE(i) x[i] = vec_load(x0 + at + (i)*plane);
#define Y_TAKE(i) y[i] = vec_load(y0 + at + (i)*plane);
#define D_TAKE(i) d[i] = scale * vec_load(dout + at + (i)*out_plane);
#define CLEAR(i) sum[i] = (Vec){0};
#define OUT_PUT(i) vec_store(out + at + (i)*out_plane, scale * sum[i]);
#define DX_PUT(i) vec_store(dx + at + (i)*plane, sum[i]);
#define DY_PUT(i) vec_store(dy + at + (i)*plane, sum[i]);
#define DOT(i) dot += sum[i] * vec_load(dout + at + (i)*out_plane);
#define OUT_PLUS(o, l, r) sum[o] = vec_fma(x[l], y[r], sum[o]);
#define OUT_MINUS(o, l, r) sum[o] = vec_fnma(x[l], y[r], sum[o]);
#define DX_PLUS(o, l, r) sum[l] = vec_fma(d[o], y[r], sum[l]);
#define DX_MINUS(o, l, r) sum[l] = vec_fnma(d[o], y[r], sum[l]);
#define DY_PLUS(o, l, r) sum[r] = vec_fma(d[o], x[l], sum[r]);
#define DY_MINUS(o, l, r) sum[r] = vec_fnma(d[o], x[l], sum[r]);

/* CLOSED, OPEN: the halves. Each of the sums goes to PUT. */
#define FORWARD(PRODUCT, CLOSED, OPEN, PUT)                                                                            \
    do {                                                                                                               \
        Vec x[PGA], y[PGA], sum[PGA];                                                                                  \
        CLOSED(CLEAR)                                                                                                  \
        CLOSED(X_TAKE)                                                                                                 \
        CLOSED(Y_TAKE)                                                                                                 \
        PRODUCT##_CC(OUT_PLUS, OUT_MINUS) CLOSED(PUT) OPEN(CLEAR) OPEN(Y_TAKE) PRODUCT##_CO(OUT_PLUS, OUT_MINUS)       \
            OPEN(X_TAKE) PRODUCT##_OC(OUT_PLUS, OUT_MINUS) OPEN(PUT)                                                   \
    } while (0)

/* The gradient of the open half comes last: it needs the least. */
#define BACKWARD(PRODUCT, CLOSED, OPEN)                                                                                \
    do {                                                                                                               \
        Vec x[PGA], y[PGA], d[PGA], sum[PGA];                                                                          \
        CLOSED(CLEAR)                                                                                                  \
        CLOSED(D_TAKE)                                                                                                 \
        CLOSED(Y_TAKE)                                                                                                 \
        PRODUCT##_CC(DX_PLUS, DX_MINUS) OPEN(D_TAKE) OPEN(Y_TAKE) PRODUCT##_CO(DX_PLUS, DX_MINUS) CLOSED(DX_PUT)       \
            OPEN(CLEAR) PRODUCT##_OC(DX_PLUS, DX_MINUS) OPEN(DX_PUT) CLOSED(CLEAR) CLOSED(D_TAKE) CLOSED(X_TAKE)       \
                PRODUCT##_CC(DY_PLUS, DY_MINUS) OPEN(D_TAKE) OPEN(X_TAKE) PRODUCT##_OC(DY_PLUS, DY_MINUS)              \
                    CLOSED(DY_PUT) OPEN(CLEAR) PRODUCT##_CO(DY_PLUS, DY_MINUS) OPEN(DY_PUT)                            \
    } while (0)

void pga_geometric(real *out, int64_t out_plane, const real *x0, const real *y0, int64_t plane, int64_t rows,
                   int64_t ld, int64_t n) {
    const real scale = 1;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t at = row * ld; at < row * ld + n; at += LANES)
            FORWARD(PGA_GEOMETRIC, PGA_WITHOUT_E0, PGA_WITH_E0, OUT_PUT);
    flops_add(PGA_GEOMETRIC_FLOPS * rows * n);
}

void pga_geometric_backward(real *dx, real *dy, const real *dout, int64_t out_plane, const real *x0, const real *y0,
                            int64_t plane, int64_t rows, int64_t ld, int64_t n) {
    const real scale = 1;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t at = row * ld; at < row * ld + n; at += LANES)
            BACKWARD(PGA_GEOMETRIC, PGA_WITHOUT_E0, PGA_WITH_E0);
    flops_add(2 * PGA_GEOMETRIC_FLOPS * rows * n);
}

void pga_join(real *out, int64_t out_plane, const real *x0, const real *y0, int64_t plane, const real *reference,
              int64_t rows, int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < n; t += LANES) {
            int64_t at = row * ld + t;
            Vec scale = vec_load(reference + t);
            FORWARD(PGA_JOIN, PGA_WITH_E0, PGA_WITHOUT_E0, OUT_PUT);
        }
    flops_add(PGA_JOIN_FLOPS * rows * n);
}

/* Adds the gradient of the join's reference. */
static void reference_backward(real *dreference, const real *dout, int64_t out_plane, const real *x0, const real *y0,
                               int64_t plane, int64_t rows, int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < n; t += LANES) {
            int64_t at = row * ld + t;
            Vec dot = vec_load(dreference + t);
            FORWARD(PGA_JOIN, PGA_WITH_E0, PGA_WITHOUT_E0, DOT);
            vec_store(dreference + t, dot);
        }
    flops_add(PGA_JOIN_FLOPS * rows * n);
}

void pga_join_backward(real *dx, real *dy, real *dreference, const real *dout, int64_t out_plane, const real *x0,
                       const real *y0, int64_t plane, const real *reference, int64_t rows, int64_t ld, int64_t n) {
    if (dreference) reference_backward(dreference, dout, out_plane, x0, y0, plane, rows, ld, n);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < n; t += LANES) {
            int64_t at = row * ld + t;
            Vec scale = vec_load(reference + t);
            BACKWARD(PGA_JOIN, PGA_WITH_E0, PGA_WITHOUT_E0);
        }
    flops_add(2 * PGA_JOIN_FLOPS * rows * n);
}

/* Sign of the product of two blades: every basis vector of b passes the later ones of a. */
static double swap_sign(unsigned a, unsigned b) {
    int swaps = 0;
    while (a >>= 1) swaps += __builtin_popcount(a & b);
    return swaps % 2 ? -1 : 1;
}

void pga_geometric_ref(double *out, const double *x, const double *y) {
    EACH(i) out[i] = 0;
    EACH(i) EACH(j) {
        unsigned a = blade[i], b = blade[j];
        if (!(a & b & 1)) out[component[a ^ b]] += swap_sign(a, b) * x[i] * y[j];
    }
}

void pga_join_ref(double *out, const double *x, const double *y) {
    double dual_x[PGA], dual_y[PGA], wedge[PGA] = {0};
    pga_dual(dual_x, x);
    pga_dual(dual_y, y);
    EACH(i) EACH(j) {
        unsigned a = blade[i], b = blade[j];
        if (!(a & b)) wedge[component[a | b]] += swap_sign(a, b) * dual_x[i] * dual_y[j];
    }
    pga_dual(out, wedge);
}

void pga_dual(double *out, const double *x) {
    EACH(i) out[i] = dual_sign[i] * x[PGA - 1 - i];
}

double pga_inner(const double *x, const double *y) {
    double sum = 0;
    for (int i = 0; i < PGA_INNER; i++) sum += x[pga_inner_components[i]] * y[pga_inner_components[i]];
    return sum;
}

void pga_direction(double *out, const double *xyz) {
    EACH(i) out[i] = 0;
    out[13] = -xyz[0];
    out[12] = xyz[1];
    out[11] = -xyz[2];
}

void pga_point(double *out, const double *xyz) {
    pga_direction(out, xyz);
    out[14] = 1;
}

void pga_plane(double *out, const double *normal, const double *position) {
    EACH(i) out[i] = 0;
    for (int i = 0; i < 3; i++) {
        out[2 + i] = normal[i];
        out[1] -= normal[i] * position[i];
    }
}

void pga_translation(double *out, const double *t) {
    EACH(i) out[i] = 0;
    out[0] = 1;
    for (int i = 0; i < 3; i++) out[5 + i] = -t[i] / 2;
}

void pga_rotation(double *out, const double *ijkw) {
    EACH(i) out[i] = 0;
    out[0] = ijkw[3];
    out[8] = -ijkw[2];
    out[9] = ijkw[1];
    out[10] = -ijkw[0];
}

void pga_extract_point(double *xyz, const double *x) {
    double weight = fabs(x[14]) > 0.001 ? x[14] : 0.001;
    xyz[0] = -x[13] / weight;
    xyz[1] = x[12] / weight;
    xyz[2] = -x[11] / weight;
}

void pga_versor(double *out, const double *u, bool odd, const double *x) {
    double inverse[PGA], half[PGA], acted[PGA];
    EACH(i) inverse[i] = i >= 5 && i <= 14 ? -u[i] : u[i];
    pga_geometric_ref(half, u, inverse);
    double square = half[0];
    EACH(i) inverse[i] /= square;
    EACH(i) acted[i] = odd && __builtin_popcount(blade[i]) % 2 ? -x[i] : x[i];
    pga_geometric_ref(half, u, acted);
    pga_geometric_ref(out, half, inverse);
}
