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

/* One vector of products. The terms are sorted by output; each pass has 16 accumulators. */
#define X(i) vec_load(x + (i)*plane)
#define Y(i) vec_load(y + (i)*plane)
#define OUT(o, l, r, sign) out[o] = out[o] sign a[l] * Y(r);
#define OUT_PLUS(o, l, r) OUT(o, l, r, +)
#define OUT_MINUS(o, l, r) OUT(o, l, r, -)
#define DX_PLUS(o, l, r) a[l] += d[o] * Y(r);
#define DX_MINUS(o, l, r) a[l] -= d[o] * Y(r);
#define DY_PLUS(o, l, r) b[r] += d[o] * X(l);
#define DY_MINUS(o, l, r) b[r] -= d[o] * X(l);

#define EACH(i) for (int i = 0; i < PGA; i++)

void pga_geometric(real *out0, int64_t out_plane, const real *x0, const real *y0, int64_t plane, int64_t rows,
                   int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = row * ld; t < row * ld + n; t += LANES) {
            const real *x = x0 + t, *y = y0 + t;
            Vec a[PGA], out[PGA] = {{0}};
            EACH(i) a[i] = X(i);
            PGA_GEOMETRIC(OUT_PLUS, OUT_MINUS)
            EACH(i) vec_store(out0 + t + i * out_plane, out[i]);
        }
    flops_add(PGA_GEOMETRIC_FLOPS * rows * n);
}

void pga_geometric_backward(real *dx, real *dy, const real *dout, int64_t out_plane, const real *x0, const real *y0,
                            int64_t plane, int64_t rows, int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = row * ld; t < row * ld + n; t += LANES) {
            const real *x = x0 + t, *y = y0 + t;
            Vec a[PGA] = {{0}}, b[PGA] = {{0}}, d[PGA];
            EACH(i) d[i] = vec_load(dout + t + i * out_plane);
            PGA_GEOMETRIC(DX_PLUS, DX_MINUS)
            EACH(i) vec_store(dx + t + i * plane, a[i]);
            PGA_GEOMETRIC(DY_PLUS, DY_MINUS)
            EACH(i) vec_store(dy + t + i * plane, b[i]);
        }
    flops_add(2 * PGA_GEOMETRIC_FLOPS * rows * n);
}

void pga_join(real *out0, int64_t out_plane, const real *x0, const real *y0, int64_t plane, const real *reference,
              int64_t rows, int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < n; t += LANES) {
            const real *x = x0 + row * ld + t, *y = y0 + row * ld + t;
            Vec a[PGA], out[PGA] = {{0}}, r = vec_load(reference + t);
            EACH(i) a[i] = X(i);
            PGA_JOIN(OUT_PLUS, OUT_MINUS)
            EACH(i) vec_store(out0 + row * ld + t + i * out_plane, r * out[i]);
        }
    flops_add(PGA_JOIN_FLOPS * rows * n);
}

void pga_join_backward(real *dx, real *dy, real *dreference, const real *dout, int64_t out_plane, const real *x0,
                       const real *y0, int64_t plane, const real *reference, int64_t rows, int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < n; t += LANES) {
            int64_t at = row * ld + t;
            const real *x = x0 + at, *y = y0 + at;
            Vec a[PGA], b[PGA] = {{0}}, d[PGA], r = vec_load(reference + t);
            if (dreference) {
                Vec out[PGA] = {{0}}, sum = vec_load(dreference + t);
                EACH(i) a[i] = X(i);
                PGA_JOIN(OUT_PLUS, OUT_MINUS)
                EACH(i) sum += out[i] * vec_load(dout + at + i * out_plane);
                vec_store(dreference + t, sum);
            }
            EACH(i) d[i] = r * vec_load(dout + at + i * out_plane);
            EACH(i) a[i] = (Vec){0};
            PGA_JOIN(DX_PLUS, DX_MINUS)
            EACH(i) vec_store(dx + at + i * plane, a[i]);
            PGA_JOIN(DY_PLUS, DY_MINUS)
            EACH(i) vec_store(dy + at + i * plane, b[i]);
        }
    flops_add((dreference ? 3 : 2) * PGA_JOIN_FLOPS * rows * n);
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
