#include "clofnet_edges.h"

#include <math.h>
#include <string.h>

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

/* p_i - p_j, and what b is the direction of; returns whether that is made of gravity. */
static bool axes_of(double a[3], double b[3], const double pi[3], const double pj[3], const double u[3]) {
    static const double in_line = 1e-3;
    double short_b[3];
    for (int k = 0; k < 3; k++) a[k] = pi[k] - pj[k];
    cross(b, pi, pj);
    memcpy(short_b, b, sizeof short_b);
    shorten(short_b);
    if (dot(short_b, short_b) >= in_line * in_line) return false;
    cross(b, a, u);
    return true;
}

static void frame_of(double f[EDGE_FRAME], const double pi[3], const double pj[3], const double u[3]) {
    double *a = f, *b = f + 3, *c = f + 6;
    axes_of(a, b, pi, pj, u);
    shorten(b);
    shorten(a);
    cross(c, a, b);
}

/* dx gains the gradient of what shorten made of x, from dy. */
static void shorten_backward(double dx[3], const double dy[3], const double x[3]) {
    double r = sqrt(dot(x, x)), along = r > 0 ? dot(x, dy) / (r * (r + 1) * (r + 1)) : 0;
    for (int k = 0; k < 3; k++) dx[k] += dy[k] / (r + 1) - along * x[k];
}

/* dpi and dpj gain the gradient of a frame's points. */
static void frame_backward(double dpi[3], double dpj[3], const double df[EDGE_FRAME], const double pi[3],
                           const double pj[3], const double u[3]) {
    double a[3], b[3], f[EDGE_FRAME], by_c[3], da[3], db[3], along_a[3] = {0}, along_b[3] = {0};
    bool by_gravity = axes_of(a, b, pi, pj, u);
    frame_of(f, pi, pj, u);
    cross(by_c, f + 3, df + 6);
    for (int k = 0; k < 3; k++) da[k] = df[k] + by_c[k];
    cross(by_c, df + 6, f);
    for (int k = 0; k < 3; k++) db[k] = df[3 + k] + by_c[k];
    shorten_backward(along_a, da, a);
    shorten_backward(along_b, db, b);
    if (by_gravity) {
        cross(da, u, along_b);
        for (int k = 0; k < 3; k++) along_a[k] += da[k];
    } else {
        cross(da, pj, along_b);
        cross(db, along_b, pi);
        for (int k = 0; k < 3; k++) {
            dpi[k] += da[k];
            dpj[k] += db[k];
        }
    }
    for (int k = 0; k < 3; k++) {
        dpi[k] += along_a[k];
        dpj[k] -= along_a[k];
    }
}

/* ---- Which pairs are edges. ---- */

void edges_layout(Edges *edges, int64_t max_tokens, int64_t max_length, Arena *arena) {
    int64_t most = max_tokens * (max_length > 1 ? max_length - 1 : 0);
    *edges = (Edges){.first = ARENA_TAKE(arena, int64_t, max_tokens + 1),
                     .other = ARENA_TAKE(arena, int32_t, most),
                     .share = ARENA_TAKE(arena, real, most),
                     .square = ARENA_TAKE(arena, double, max_length)};
}

static bool same_body(const EdgeTokens *t, int64_t i, int64_t j) {
    const real *x = t->rows + (i + 1) * t->row - t->slots, *y = t->rows + (j + 1) * t->row - t->slots;
    return !memcmp(x, y, (size_t)t->slots * sizeof *x);
}

static double square_between(const EdgeTokens *t, int64_t i, int64_t j) {
    const real *x = t->rows + i * t->row + TOKEN_POSITION, *y = t->rows + j * t->row + TOKEN_POSITION;
    double square = 0;
    for (int k = 0; k < 3; k++) square += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
    return square;
}

/* How far the neighbours of a token reach. */
typedef struct Reach {
    double last, next; /* squared distance of the last of them, and of the next token of another body; INFINITY: none */
    int64_t at_last;   /* neighbours that are just as far as the last */
} Reach;

/* Adds x to n numbers in ascending order, of which no more than `most` stay; returns how many there are. */
static int keep_least(double *least, int n, int most, double x) {
    int at = n < most ? n : most - 1;
    if (n == most && x >= least[at]) return n;
    for (; at > 0 && least[at - 1] > x; at--) least[at] = least[at - 1];
    least[at] = x;
    return n < most ? n + 1 : n;
}

static Reach reach_of(double *square, const EdgeTokens *t, int64_t i, int64_t from, int64_t to, int neighbours) {
    int n = 0;
    for (int64_t j = from; j < to; j++)
        if (!same_body(t, i, j)) n = keep_least(square, n, neighbours + 1, square_between(t, i, j));
    if (n <= neighbours) return (Reach){INFINITY, INFINITY, 0};
    Reach r = {square[neighbours - 1], square[neighbours], 1};
    while (r.at_last < neighbours && square[neighbours - 1 - r.at_last] == r.last) r.at_last++;
    return r;
}

/* What an edge to another body at this distance counts. */
static double share_of(double square, const Reach *reach) {
    static const double falling =
        0.1; /* part of the distance over which a share falls: most neighbours count in full */
    if (isinf(reach->next)) return 1;
    if (!(reach->next > 0)) return 0;
    return fmin(1, (1 - sqrt(square / reach->next)) / falling);
}

void edges_choose(Edges *edges, const EdgeTokens *t, int neighbours) {
    const Packed *seqs = t->seqs;
    int64_t e = 0;
    edges->tokens = seqs->start[seqs->n];
    for (int q = 0; q < seqs->n; q++)
        for (int64_t i = seqs->start[q]; i < seqs->start[q + 1]; i++) {
            Reach reach = {INFINITY, INFINITY, 0};
            if (neighbours) reach = reach_of(edges->square, t, i, seqs->start[q], seqs->start[q + 1], neighbours);
            edges->first[i] = e;
            for (int64_t j = seqs->start[q]; j < seqs->start[q + 1]; j++) {
                double share = 1;
                if (i == j) continue;
                if (!isinf(reach.last) && !same_body(t, i, j)) {
                    double square = square_between(t, i, j);
                    if (square > reach.last || (square == reach.last && reach.at_last-- <= 0)) continue;
                    share = share_of(square, &reach);
                }
                edges->other[e] = (int32_t)j;
                edges->share[e++] = (real)share;
            }
        }
    edges->first[edges->tokens] = e;
}

double edges_count(const int32_t *body, int slots, int neighbours, const Packed *seqs) {
    double edges = 0;
    for (int q = 0; q < seqs->n; q++) {
        int64_t length = seqs->start[q + 1] - seqs->start[q];
        for (int b = 0; b < slots; b++) {
            int64_t own = 0, others;
            for (int64_t t = seqs->start[q]; t < seqs->start[q + 1]; t++) own += body[t] == b;
            others = length - own;
            if (neighbours && others > neighbours) others = neighbours;
            edges += (double)(own * (own - 1 + others));
        }
    }
    return edges;
}

/* ---- What they are made of. ---- */

void edges_fill(real *frame, real *input, const Edges *edges, const EdgeTokens *t) {
    static const int vector[] = {TOKEN_POSITION, TOKEN_VELOCITY};
    for (int64_t i = 0; i < edges->tokens; i++)
        for (int64_t e = edges->first[i]; e < edges->first[i + 1]; e++) {
            const real *of[2] = {t->rows + i * t->row, t->rows + edges->other[e] * t->row};
            real *to = input + e * EDGE_INPUTS;
            double x[EDGE_VECTORS][3], f[EDGE_FRAME];
            for (int side = 0; side < 2; side++)
                for (int v = 0; v < 2; v++) widen(x[2 * v + side], of[side] + vector[v]);
            widen(x[4], of[0] + TOKEN_GRAVITY);
            widen(x[5], of[0] + TOKEN_FOOT);
            frame_of(f, x[0], x[1], x[4]);
            for (int k = 0; k < EDGE_FRAME; k++) frame[e * EDGE_FRAME + k] = (real)f[k];
            for (int v = 0; v < EDGE_VECTORS; v++)
                for (int k = 0; k < 3; k++) *to++ = (real)dot(x[v], f + 3 * k);
            *to++ = (real)log1p(square_between(t, i, edges->other[e]));
            *to++ = (real)same_body(t, i, edges->other[e]);
            for (int side = 0; side < 2; side++, to += SCENE_BODY)
                memcpy(to, of[side] + TOKEN_SCALARS, SCENE_BODY * sizeof *to);
        }
}

void edges_frames(real *frame, const Edges *edges, const EdgeTokens *t, const real *x) {
    for (int64_t i = 0; i < edges->tokens; i++)
        for (int64_t e = edges->first[i]; e < edges->first[i + 1]; e++) {
            double pi[3], pj[3], u[3], f[EDGE_FRAME];
            widen(pi, x + 3 * i);
            widen(pj, x + 3 * edges->other[e]);
            widen(u, t->rows + i * t->row + TOKEN_GRAVITY);
            frame_of(f, pi, pj, u);
            for (int k = 0; k < EDGE_FRAME; k++) frame[e * EDGE_FRAME + k] = (real)f[k];
        }
}

void edges_frames_backward(real *dx, const real *dframe, const Edges *edges, const EdgeTokens *t, const real *x) {
    for (int64_t i = 0; i < edges->tokens; i++)
        for (int64_t e = edges->first[i]; e < edges->first[i + 1]; e++) {
            int64_t j = edges->other[e];
            double pi[3], pj[3], u[3], df[EDGE_FRAME], dpi[3] = {0}, dpj[3] = {0};
            widen(pi, x + 3 * i);
            widen(pj, x + 3 * j);
            widen(u, t->rows + i * t->row + TOKEN_GRAVITY);
            for (int k = 0; k < EDGE_FRAME; k++) df[k] = (double)dframe[e * EDGE_FRAME + k];
            frame_backward(dpi, dpj, df, pi, pj, u);
            for (int k = 0; k < 3; k++) {
                dx[3 * i + k] += (real)dpi[k];
                dx[3 * j + k] += (real)dpj[k];
            }
        }
}

void edges_distance(real *out, const Edges *edges, const real *x) {
    for (int64_t i = 0; i < edges->tokens; i++)
        for (int64_t e = edges->first[i]; e < edges->first[i + 1]; e++) {
            int64_t j = edges->other[e];
            real square = 0;
            for (int k = 0; k < 3; k++) square += (x[3 * i + k] - x[3 * j + k]) * (x[3 * i + k] - x[3 * j + k]);
            out[e] = (real)log1p((double)square);
        }
}

void edges_distance_backward(real *dx, const real *dout, const Edges *edges, const real *x) {
    for (int64_t i = 0; i < edges->tokens; i++)
        for (int64_t e = edges->first[i]; e < edges->first[i + 1]; e++) {
            int64_t j = edges->other[e];
            real square = 0, d[3];
            for (int k = 0; k < 3; k++) {
                d[k] = x[3 * i + k] - x[3 * j + k];
                square += d[k] * d[k];
            }
            real slope = 2 * dout[e] / (1 + square);
            for (int k = 0; k < 3; k++) {
                dx[3 * i + k] += slope * d[k];
                dx[3 * j + k] -= slope * d[k];
            }
        }
}
