#include "clofnet_edges.h"

#include <math.h>
#include <string.h>

/* For each edge of a batch, tokens i and j; the body counts e on. */
#define EACH_EDGE(e, i, j, seqs)                                                                                       \
    for (int64_t q_ = 0, e = 0; q_ < (seqs)->n; q_++)                                                                  \
        for (int64_t i = (seqs)->start[q_]; i < (seqs)->start[q_ + 1]; i++)                                            \
            for (int64_t j = (seqs)->start[q_]; j < (seqs)->start[q_ + 1]; j++)                                        \
                if (i != j)

static double dot(const double x[3], const double y[3]) {
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2];
}

static void cross(double out[3], const double x[3], const double y[3]) {
    for (int k = 0; k < 3; k++) out[k] = x[(k + 1) % 3] * y[(k + 2) % 3] - x[(k + 2) % 3] * y[(k + 1) % 3];
}

/* x / (|x| + 1) */
static void shorten(double x[3]) {
    double scale = 1 / (sqrt(dot(x, x)) + 1);
    for (int k = 0; k < 3; k++) x[k] *= scale;
}

static void widen(double to[3], const real *from) {
    for (int k = 0; k < 3; k++) to[k] = (double)from[k];
}

static void frame_of(double f[EDGE_FRAME], const double pi[3], const double pj[3], const double u[3]) {
    static const double in_line = 1e-3;
    double *a = f, *b = f + 3, *c = f + 6;
    for (int k = 0; k < 3; k++) a[k] = pi[k] - pj[k];
    cross(b, pi, pj);
    shorten(b);
    if (dot(b, b) < in_line * in_line) {
        cross(b, a, u);
        shorten(b);
    }
    shorten(a);
    cross(c, a, b);
}

void edges_fill(real *frame, real *input, const real *rows, int row, int slots, const Packed *seqs) {
    static const int vector[] = {TOKEN_POSITION, TOKEN_VELOCITY};
    EACH_EDGE(e, i, j, seqs) {
        const real *of[2] = {rows + i * row, rows + j * row};
        real *to = input + e * EDGE_INPUTS;
        double x[EDGE_VECTORS][3], f[EDGE_FRAME], square = 0;
        for (int side = 0; side < 2; side++)
            for (int v = 0; v < 2; v++) widen(x[2 * v + side], of[side] + vector[v]);
        widen(x[4], of[0] + TOKEN_GRAVITY);
        widen(x[5], of[0] + TOKEN_FOOT);
        frame_of(f, x[0], x[1], x[4]);
        for (int k = 0; k < EDGE_FRAME; k++) frame[e * EDGE_FRAME + k] = (real)f[k];
        for (int v = 0; v < EDGE_VECTORS; v++)
            for (int k = 0; k < 3; k++) *to++ = (real)dot(x[v], f + 3 * k);
        for (int k = 0; k < 3; k++) square += (x[0][k] - x[1][k]) * (x[0][k] - x[1][k]);
        *to++ = (real)log1p(square);
        *to++ = (real)!memcmp(of[0] + row - slots, of[1] + row - slots, (size_t)slots * sizeof *rows);
        for (int side = 0; side < 2; side++, to += SCENE_BODY)
            memcpy(to, of[side] + TOKEN_SCALARS, SCENE_BODY * sizeof *to);
        e++;
    }
}

void edges_distance(real *out, const real *x, const Packed *seqs) {
    EACH_EDGE(e, i, j, seqs) {
        real square = 0;
        for (int k = 0; k < 3; k++) square += (x[3 * i + k] - x[3 * j + k]) * (x[3 * i + k] - x[3 * j + k]);
        out[e++] = (real)log1p((double)square);
    }
}

void edges_distance_backward(real *dx, const real *dout, const real *x, const Packed *seqs) {
    EACH_EDGE(e, i, j, seqs) {
        real square = 0, d[3];
        for (int k = 0; k < 3; k++) {
            d[k] = x[3 * i + k] - x[3 * j + k];
            square += d[k] * d[k];
        }
        real slope = 2 * dout[e++] / (1 + square);
        for (int k = 0; k < 3; k++) {
            dx[3 * i + k] += slope * d[k];
            dx[3 * j + k] -= slope * d[k];
        }
    }
}
