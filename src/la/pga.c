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

/* One vector of products at a time. Planes are often a multiple of 4096 bytes apart and share a set of the first-level
 * cache, so each is touched once: x, y and dout are copied to the stack, from where they are operands in memory, while
 * 16 sums stay in registers. The barrier keeps the compiler from loading the operands into registers too, and spilling.
 */
#if defined(__GNUC__)
#define BARRIER __asm__ volatile("" : : "r"(x), "r"(y), "r"(d) : "memory");
#else
#define BARRIER
#endif

#define OUT_BEGIN(o)                                                                                                   \
    {                                                                                                                  \
        Vec sum = {0};
#define OUT_PLUS(l, r) sum = vec_fma(a[l], y[r], sum);
#define OUT_MINUS(l, r) sum = vec_fnma(a[l], y[r], sum);
#define OUT_END(o)                                                                                                     \
    vec_store(out + (o)*out_plane, scale * sum);                                                                       \
    BARRIER                                                                                                            \
    }
#define DOT_END(o)                                                                                                     \
    dot += sum * d[o];                                                                                                 \
    BARRIER                                                                                                            \
    }
#define DX_PLUS(l, r) a[l] = vec_fma(d0, y[r], a[l]);
#define DX_MINUS(l, r) a[l] = vec_fnma(d0, y[r], a[l]);
#define DY_PLUS(l, r) a[r] = vec_fma(d0, x[l], a[r]);
#define DY_MINUS(l, r) a[r] = vec_fnma(d0, x[l], a[r]);
#define D_BEGIN(o)                                                                                                     \
    {                                                                                                                  \
        Vec d0 = scale * d[o];
#define D_END(o)                                                                                                       \
    BARRIER                                                                                                            \
    }

#define LOAD(to, from, stride) EACH(i) to[i] = vec_load((from) + i * (stride))

/* The terms of both products are written once; `scale` multiplies the outputs. */
#define FORWARD(TERMS, at)                                                                                             \
    do {                                                                                                               \
        Vec a[PGA], x[1], y[PGA], d[1];                                                                                \
        real *out = out0 + (at);                                                                                       \
        LOAD(y, y0 + (at), plane);                                                                                     \
        LOAD(a, x0 + (at), plane);                                                                                     \
        BARRIER                                                                                                        \
        TERMS(OUT_BEGIN, OUT_PLUS, OUT_MINUS, OUT_END)                                                                 \
    } while (0)
#define BACKWARD(TERMS, at)                                                                                            \
    do {                                                                                                               \
        EACH(i) a[i] = (Vec){0};                                                                                       \
        TERMS(D_BEGIN, DX_PLUS, DX_MINUS, D_END)                                                                       \
        EACH(i) vec_store(dx + (at) + i * plane, a[i]);                                                                \
        EACH(i) a[i] = (Vec){0};                                                                                       \
        TERMS(D_BEGIN, DY_PLUS, DY_MINUS, D_END)                                                                       \
        EACH(i) vec_store(dy + (at) + i * plane, a[i]);                                                                \
    } while (0)

void pga_geometric(real *out0, int64_t out_plane, const real *x0, const real *y0, int64_t plane, int64_t rows,
                   int64_t ld, int64_t n) {
    const real scale = 1;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = row * ld; t < row * ld + n; t += LANES) FORWARD(PGA_GEOMETRIC, t);
    flops_add(PGA_GEOMETRIC_FLOPS * rows * n);
}

void pga_geometric_backward(real *dx, real *dy, const real *dout, int64_t out_plane, const real *x0, const real *y0,
                            int64_t plane, int64_t rows, int64_t ld, int64_t n) {
    const real scale = 1;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = row * ld; t < row * ld + n; t += LANES) {
            Vec a[PGA], x[PGA], y[PGA], d[PGA];
            LOAD(x, x0 + t, plane);
            LOAD(y, y0 + t, plane);
            LOAD(d, dout + t, out_plane);
            BARRIER
            BACKWARD(PGA_GEOMETRIC, t);
        }
    flops_add(2 * PGA_GEOMETRIC_FLOPS * rows * n);
}

void pga_join(real *out0, int64_t out_plane, const real *x0, const real *y0, int64_t plane, const real *reference,
              int64_t rows, int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < n; t += LANES) {
            Vec scale = vec_load(reference + t);
            FORWARD(PGA_JOIN, row * ld + t);
        }
    flops_add(PGA_JOIN_FLOPS * rows * n);
}

void pga_join_backward(real *dx, real *dy, real *dreference, const real *dout, int64_t out_plane, const real *x0,
                       const real *y0, int64_t plane, const real *reference, int64_t rows, int64_t ld, int64_t n) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < n; t += LANES) {
            int64_t at = row * ld + t;
            Vec scale = vec_load(reference + t), a[PGA], x[PGA], y[PGA], d[PGA];
            LOAD(x, x0 + at, plane);
            LOAD(y, y0 + at, plane);
            LOAD(d, dout + at, out_plane);
            BARRIER
            if (dreference) {
                Vec dot = vec_load(dreference + t);
                EACH(i) a[i] = x[i];
                PGA_JOIN(OUT_BEGIN, OUT_PLUS, OUT_MINUS, DOT_END)
                vec_store(dreference + t, dot);
            }
            BACKWARD(PGA_JOIN, at);
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
