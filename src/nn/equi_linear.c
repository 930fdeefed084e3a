#include "nn/equi_linear.h"

#include "base/err.h"
#include "la/brgemm.h"

#include <math.h>

enum { MAX_MAPS = 4 };

/* Basis map a carries `planes` components in .. to out .., divided by `norm`. */
static const struct Basis {
    int out, in, planes;
    double norm;
} bases[EQUI_BASIS] = {
    {0, 0, 1, 1},   {1, 1, 4, 2}, {5, 5, 6, 2.44948974278317809820}, {11, 11, 4, 2},
    {15, 15, 1, 1}, {1, 0, 1, 1}, {5, 2, 3, 1.73205080756887729353}, {11, 8, 3, 1.73205080756887729353},
    {15, 14, 1, 1}};

/* Components that take part in the same basis maps, and so in the same products of channel matrices: that of their grade, that
 * by which e0 carries others here, and that by which it carries these away; -1: none. */
enum { GROUPS = 8 };
static const struct Group {
    int first, planes, grade, into, away;
} groups[GROUPS] = {{0, 1, 0, -1, 5}, {1, 1, 1, 5, -1},  {2, 3, 1, -1, 6},  {5, 3, 2, 6, -1},
                    {8, 3, 2, -1, 7}, {11, 3, 3, 7, -1}, {14, 1, 3, -1, 8}, {15, 1, 4, 8, -1}};

EquiLinear equi_linear_params(ParamTable *table, int block, const EquiAxes *axes, EquiInit init, const char *name) {
    const int storage[3] = {2, 0, 1};
    const double reach[EQUI_BASIS] = {1,
                                      2,
                                      2.44948974278317809820,
                                      1.41421356237309504880,
                                      0.70710678118654752440,
                                      0.70710678118654752440,
                                      1.22474487139158904910,
                                      1.22474487139158904910,
                                      0.70710678118654752440};
    int in_mv = axis_size(&axes->in_mv, 1), in_s = axis_size(&axes->in_s, 1), tp = table->tp;
    EquiLinear map = {.in_mv = axis_size(&axes->in_mv, tp),
                      .in_s = axis_size(&axes->in_s, tp),
                      .out_mv = axis_size(&axes->out_mv, tp),
                      .out_s = axis_size(&axes->out_s, tp),
                      .mv2s = -1,
                      .s_bias = -1,
                      .s2s = -1,
                      .planes = EQUI_ALL_PLANES};
    map.basis = (int64_t)map.out_mv * map.in_mv;
    ParamInit weight = {.centre = 0}, mv_bias = param_uniform(1 / sqrt(in_mv + in_s));
    for (int a = 0; a < EQUI_BASIS; a++) weight.half[a] = init.gain * reach[a] / sqrt(in_mv);
    mv_bias.centre = init.bias;
    bool partial = axes->partial;
    map.weight = param_add(table, block, (Axis[]){axes->out_mv, axes->in_mv, axis_plain(EQUI_BASIS)}, 3, storage,
                           partial, weight, "%s.weight", name);
    map.s2mv = param_add(table, block, (Axis[]){axes->scalar_out_mv, axes->in_s}, 2, NULL, partial,
                         param_uniform(init.gain / sqrt(2 * in_s)), "%s.s2mvs.weight", name);
    map.mv_bias = param_add(table, block, &axes->scalar_out_mv, 1, NULL, partial, mv_bias, "%s.s2mvs.bias", name);
    if (!map.out_s) return map;
    map.mv2s = param_add(table, block, (Axis[]){axes->out_s, axes->in_mv}, 2, NULL, partial,
                         param_uniform(init.gain / sqrt(2 * in_mv)), "%s.mvs2s.weight", name);
    map.s_bias = param_add(table, block, &axes->scalar_out_s, 1, NULL, partial,
                           param_uniform(init.gain / sqrt(in_mv + in_s)), "%s.mvs2s.bias", name);
    map.s2s = param_add(table, block, (Axis[]){axes->scalar_out_s, axes->in_s}, 2, NULL, partial,
                        param_uniform(init.gain / sqrt(2 * in_s)), "%s.s2s.weight", name);
    return map;
}

static int64_t advance(int64_t offset, int64_t n) {
    return offset < 0 ? -1 : offset + n;
}

EquiLinear equi_linear_rows(const EquiLinear *map, int mv, int n_mv, int s, int n_s) {
    EquiLinear part = *map;
    part.out_mv = n_mv;
    part.out_s = n_s;
    part.weight += (int64_t)mv * map->in_mv;
    part.s2mv = advance(map->s2mv, (int64_t)mv * map->in_s);
    part.mv_bias = advance(map->mv_bias, mv);
    part.mv2s = advance(map->mv2s, (int64_t)s * map->in_mv);
    part.s_bias = advance(map->s_bias, s);
    part.s2s = advance(map->s2s, (int64_t)s * map->in_s);
    return part;
}

static const real *tensor(const real *theta, int64_t offset) {
    return offset < 0 ? NULL : theta + offset;
}

void equi_linear_forward(Field out, const EquiLinear *map, const real *theta, Field in, Columns at, real beta) {
    const real *weight = theta + map->weight, *s2mv = tensor(theta, map->s2mv), *mv2s = tensor(theta, map->mv2s),
               *s2s = tensor(theta, map->s2s);
    for (const struct Group *g = groups; g < groups + GROUPS; g++) {
        if (!(map->planes >> g->first & 1)) continue;
        BrTerm terms[2];
        int n = 0;
        for (int i = 0; i < 2; i++) {
            int a = i ? g->into : g->grade;
            if (a < 0) continue;
            int from = bases[a].in + g->first - bases[a].out;
            terms[n++] = (BrTerm){.scale = (real)(1 / bases[a].norm),
                                  .a = weight + a * map->basis,
                                  .row = map->in_mv,
                                  .col = 1,
                                  .b = in.mv + from * in.plane,
                                  .ldb = at.ld,
                                  .k = map->in_mv,
                                  .stride = in.plane};
        }
        bool scalars = g->first == 0;
        if (scalars && s2mv)
            terms[n++] =
                (BrTerm){.scale = 1, .a = s2mv, .row = map->in_s, .col = 1, .b = in.s, .ldb = at.ld, .k = map->in_s};
        brgemm(out.mv + g->first * out.plane, at.ld, out.plane, g->planes, map->out_mv, at.n, terms, n,
               scalars ? tensor(theta, map->mv_bias) : NULL, beta);
    }
    if (!map->out_s) return;
    BrTerm terms[2];
    int n = 0;
    if (mv2s)
        terms[n++] =
            (BrTerm){.scale = 1, .a = mv2s, .row = map->in_mv, .col = 1, .b = in.mv, .ldb = at.ld, .k = map->in_mv};
    if (s2s)
        terms[n++] =
            (BrTerm){.scale = 1, .a = s2s, .row = map->in_s, .col = 1, .b = in.s, .ldb = at.ld, .k = map->in_s};
    brgemm(out.s, at.ld, 0, 1, map->out_s, at.n, terms, n, tensor(theta, map->s_bias), beta);
}

/* Input channels first .. first+m of every map that has so many. */
static void backward_mv(Field din, int first, int m, const EquiLinear *maps, const Field *dout, int n_maps,
                        const real *theta, Columns at, real beta) {
    for (const struct Group *g = groups; g < groups + GROUPS; g++) {
        BrTerm terms[3 * MAX_MAPS];
        int n = 0;
        for (int i = 0; i < 3; i++)
            for (const EquiLinear *map = maps; map < maps + n_maps; map++) {
                if (map->in_mv < first + m) continue;
                Field d = dout[map - maps];
                BrTerm term = {
                    .scale = 1, .row = 1, .col = map->in_mv, .ldb = at.ld, .k = map->out_mv, .stride = d.plane};
                if (i < 2) {
                    int a = i ? g->away : g->grade;
                    if (a < 0) continue;
                    int to = bases[a].out + g->first - bases[a].in;
                    if (!(map->planes >> to & 1)) continue;
                    term.scale = (real)(1 / bases[a].norm);
                    term.a = theta + map->weight + a * map->basis + first;
                    term.b = d.mv + to * d.plane;
                } else {
                    if (g->first || map->mv2s < 0) continue;
                    term.a = theta + map->mv2s + first;
                    term.b = d.s;
                    term.k = map->out_s;
                }
                terms[n++] = term;
            }
        if (n || beta == 0)
            brgemm(din.mv + g->first * din.plane + first * at.ld, at.ld, din.plane, g->planes, m, at.n, terms, n, NULL,
                   beta);
    }
}

void equi_linear_backward_mv(Field dmv, const EquiLinear *maps, const Field *dout, int n_maps, const real *theta,
                             Columns at, real beta) {
    CHECK(n_maps <= MAX_MAPS, "%d maps", n_maps);
    int most = maps[0].in_mv, least = most;
    for (int i = 1; i < n_maps; i++) {
        most = maps[i].in_mv > most ? maps[i].in_mv : most;
        least = maps[i].in_mv < least ? maps[i].in_mv : least;
    }
    backward_mv(dmv, 0, least, maps, dout, n_maps, theta, at, beta);
    if (most > least) backward_mv(dmv, least, most - least, maps, dout, n_maps, theta, at, beta);
}

void equi_linear_backward_s(real *ds, const EquiLinear *maps, const Field *dout, int n_maps, const real *theta,
                            Columns at, real beta) {
    BrTerm terms[2 * MAX_MAPS];
    int n = 0;
    for (int i = 0; i < n_maps; i++) {
        const EquiLinear *map = &maps[i];
        BrTerm term = {.scale = 1, .row = 1, .col = map->in_s, .ldb = at.ld};
        term.a = tensor(theta, map->s2mv), term.b = dout[i].mv, term.k = map->out_mv;
        if (term.a) terms[n++] = term;
        term.a = tensor(theta, map->s2s), term.b = dout[i].s, term.k = map->out_s;
        if (term.a) terms[n++] = term;
    }
    if (n || beta == 0) brgemm(ds, at.ld, 0, 1, maps[0].in_s, at.n, terms, n, NULL, beta);
}

static void row_sums(real *sums, const real *x, int64_t rows, Columns at) {
    for (int64_t r = 0; r < rows; r++) {
        real sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t t = 0; t < at.n; t++) sum += x[r * at.ld + t];
        sums[r] += sum;
    }
}

void equi_linear_backward_weight(real *grad, const EquiLinear *map, Field dout, Field in, Columns at) {
    for (int a = 0; a < EQUI_BASIS; a++) {
        const struct Basis *x = &bases[a];
        for (int first = 0, end; first < x->planes; first = end + 1) { /* runs of planes that are read */
            for (end = first; end < x->planes && map->planes >> (x->out + end) & 1;) end++;
            if (end == first) continue;
            brgemm_nt(grad + map->weight + a * map->basis, map->in_mv, map->out_mv, map->in_mv, at.n,
                      (real)(1 / x->norm), dout.mv + (x->out + first) * dout.plane, at.ld, dout.plane,
                      in.mv + (x->in + first) * in.plane, at.ld, in.plane, end - first);
        }
    }
    if (map->s2mv >= 0)
        brgemm_nt(grad + map->s2mv, map->in_s, map->out_mv, map->in_s, at.n, 1, dout.mv, at.ld, 0, in.s, at.ld, 0, 1);
    if (map->mv_bias >= 0) row_sums(grad + map->mv_bias, dout.mv, map->out_mv, at);
    if (map->mv2s >= 0)
        brgemm_nt(grad + map->mv2s, map->in_mv, map->out_s, map->in_mv, at.n, 1, dout.s, at.ld, 0, in.mv, at.ld, 0, 1);
    if (map->s2s >= 0)
        brgemm_nt(grad + map->s2s, map->in_s, map->out_s, map->in_s, at.n, 1, dout.s, at.ld, 0, in.s, at.ld, 0, 1);
    if (map->s_bias >= 0) row_sums(grad + map->s_bias, dout.s, map->out_s, at);
}

int64_t equi_linear_flops(const EquiLinear *map) {
    int64_t products = 0, in_mv = map->in_mv, in_s = map->in_s;
    for (const struct Group *g = groups; g < groups + GROUPS; g++)
        if (map->planes >> g->first & 1) products += g->planes * (g->into < 0 ? 1 : 2);
    int64_t n = products * map->out_mv * in_mv;
    if (map->s2mv >= 0) n += map->out_mv * in_s;
    if (map->mv2s >= 0) n += map->out_s * in_mv;
    if (map->s2s >= 0) n += map->out_s * in_s;
    return 2 * n;
}

double equi_linear_nominal(int in_mv, int in_s, int out_mv, int out_s) {
    double entries = 256.0 * in_mv * out_mv + 1.0 * in_s * out_s + 1.0 * in_mv * out_s + 1.0 * in_s * out_mv;
    return 6 * entries;
}

void equi_linear_ref(double *out_mv, double *out_s, const EquiLinear *map, const real *theta, const double *in_mv,
                     const double *in_s) {
    for (int j = 0; j < map->out_mv; j++) {
        double *out = out_mv + j * PGA;
        for (int p = 0; p < PGA; p++) out[p] = 0;
        for (int i = 0; i < map->in_mv; i++)
            for (int a = 0; a < EQUI_BASIS; a++) {
                double w = (double)theta[map->weight + a * map->basis + j * map->in_mv + i] / bases[a].norm;
                for (int p = 0; p < bases[a].planes; p++) out[bases[a].out + p] += w * in_mv[i * PGA + bases[a].in + p];
            }
        if (map->mv_bias >= 0) out[0] += (double)theta[map->mv_bias + j];
        for (int i = 0; map->s2mv >= 0 && i < map->in_s; i++)
            out[0] += (double)theta[map->s2mv + j * map->in_s + i] * in_s[i];
    }
    for (int j = 0; j < map->out_s; j++) {
        out_s[j] = map->s_bias < 0 ? 0 : (double)theta[map->s_bias + j];
        for (int i = 0; map->mv2s >= 0 && i < map->in_mv; i++)
            out_s[j] += (double)theta[map->mv2s + j * map->in_mv + i] * in_mv[i * PGA];
        for (int i = 0; map->s2s >= 0 && i < map->in_s; i++)
            out_s[j] += (double)theta[map->s2s + j * map->in_s + i] * in_s[i];
    }
}
