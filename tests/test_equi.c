// TEST n=1
/* The equivariant layers: forward against the definition at odd sizes; backward: the derivative of <cotangent, out>
 * along a random direction of every input and parameter is the difference quotient (double), and what linear maps give
 * is exactly adjoint. Columns behind the tokens hold NaN throughout. */
#include "check.h"
#include "base/rng.h"
#include "la/flops.h"
#include "la/simd.h"
#include "nn/equi_attention.h"
#include "nn/equi_linear.h"
#include "nn/equi_norm.h"

static const int64_t sizes[] = {1, 3, 17, 65};

/* A tile of mv + s channels in one run of rows. */
typedef struct Tile {
    int mv, s;
    Columns at;
    Field f;
    int64_t n;
} Tile;

/* Neither behind the tokens nor in the row between planes. */
static bool used(Tile x, int64_t i) {
    int64_t row = i / x.at.ld;
    return i % x.at.ld < x.at.n && (row >= field_rows(x.mv, 0) || row % (x.mv + 1) < x.mv);
}

static Tile tile_new(int mv, int s, int64_t tokens, uint64_t stream) {
    Tile x = {.mv = mv, .s = s, .at = {.ld = vec_padded(tokens), .n = tokens}};
    x.n = field_rows(mv, s) * x.at.ld;
    real *rows = MEM_NEW(real, x.n + LANES);
    for (int64_t i = 0; i < x.n; i++) rows[i] = used(x, i) ? (real)rng_normal(2, stream, (uint64_t)i) : (real)NAN;
    x.f = field_at(rows, mv, x.at.ld);
    return x;
}

static void tile_free(Tile x) {
    mem_free(x.f.mv);
}

static double dot(Tile x, Tile y) {
    double sum = 0;
    for (int64_t i = 0; i < x.n; i++)
        if (used(x, i)) sum += (double)x.f.mv[i] * (double)y.f.mv[i];
    return sum;
}

static void step(Tile x, Tile along, double h) {
    for (int64_t i = 0; i < x.n; i++) x.f.mv[i] += (real)h * along.f.mv[i];
}

/* One token: multivectors (mv, 16) and scalars. */
static void token_of(double *mv, double *s, Tile x, int64_t t) {
    for (int c = 0; c < x.mv; c++)
        for (int p = 0; p < PGA; p++) mv[c * PGA + p] = (double)x.f.mv[p * x.f.plane + c * x.at.ld + t];
    for (int c = 0; c < x.s; c++) s[c] = (double)x.f.s[c * x.at.ld + t];
}

static double token_error(Tile x, int64_t t, const double *mv, const double *s) {
    double got_mv[128 * PGA], got_s[128], worst = 0;
    token_of(got_mv, got_s, x, t);
    for (int i = 0; i < x.mv * PGA; i++) worst = fmax(worst, fabs(got_mv[i] - mv[i]));
    for (int i = 0; i < x.s; i++) worst = fmax(worst, fabs(got_s[i] - s[i]));
    return worst;
}

static void expect_slope(double analytic, double plus, double minus, double h, const char *what) {
    if (sizeof(real) < 8) return;
    double slope = (plus - minus) / (2 * h), scale = fmax(1, fmax(fabs(slope), fabs(plus)));
    EXPECT(fabs(slope - analytic) < 1e-6 * scale, "%s: %.12g, by differences %.12g", what, analytic, slope);
}

/* ---- Linear maps. ---- */

static void linear(int in_mv, int in_s, int out_mv, int out_s, int64_t tokens) {
    ParamTable table = param_table_new(1, 0);
    EquiAxes axes = {axis_plain(in_mv),
                     axis_plain(in_s),
                     axis_plain(out_mv),
                     axis_plain(out_s),
                     axis_plain(out_mv),
                     axis_plain(out_s),
                     false};
    EquiLinear map = equi_linear_params(&table, 0, &axes, (EquiInit){1, 0.5}, "map");
    int64_t n = table.local;
    real *theta = MEM_NEW(real, n), *other = MEM_NEW(real, n), *grad = MEM_NEW(real, n);
    param_init(theta, &table, 1);
    param_init(other, &table, 2);
    Tile x = tile_new(in_mv, in_s, tokens, 1), along = tile_new(in_mv, in_s, tokens, 2),
         dx = tile_new(in_mv, in_s, tokens, 3), y = tile_new(out_mv, out_s, tokens, 4),
         dy = tile_new(out_mv, out_s, tokens, 5);
    int64_t before = flops_counted();
    equi_linear_forward(y.f, &map, theta, x.f, x.at, 0);
    EXPECT(flops_counted() - before == equi_linear_flops(&map) * tokens, "count");
    double worst = 0, mv[128 * PGA], s[128], want_mv[128 * PGA], want_s[128];
    for (int64_t t = 0; t < tokens; t++) {
        token_of(mv, s, x, t);
        equi_linear_ref(want_mv, want_s, &map, theta, mv, s);
        worst = fmax(worst, token_error(y, t, want_mv, want_s));
    }
    EXPECT(worst < 500 * REAL_EPSILON, "linear %d+%d -> %d+%d: %g", in_mv, in_s, out_mv, out_s, worst);

    before = flops_counted();
    equi_linear_backward_mv(dx.f, &map, &dy.f, 1, theta, x.at, 0);
    equi_linear_backward_s(dx.f.s, &map, &dy.f, 1, theta, x.at, 0);
    equi_linear_backward_weight(grad, &map, dy.f, x.f, x.at);
    EXPECT(flops_counted() - before == 2 * equi_linear_flops(&map) * tokens, "count of backward");
    /* Affine: the map along `along` is a difference of two outputs, whatever the step. */
    double base = dot(dy, y), size = 100 * (double)(y.mv * PGA + y.s) * (double)tokens * (double)REAL_EPSILON;
    step(x, along, 1);
    equi_linear_forward(y.f, &map, theta, x.f, x.at, 0);
    EXPECT(fabs(dot(dy, y) - base - dot(dx, along)) < size, "input adjoint %g", dot(dy, y) - base - dot(dx, along));
    step(x, along, -1);
    equi_linear_forward(y.f, &map, other, x.f, x.at, 0);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)grad[i] * ((double)other[i] - (double)theta[i]);
    EXPECT(fabs(dot(dy, y) - base - sum) < size, "weight adjoint %g", dot(dy, y) - base - sum);
    mem_free(theta), mem_free(other), mem_free(grad);
    tile_free(x), tile_free(along), tile_free(dx), tile_free(y), tile_free(dy);
    param_table_free(&table);
}

/* ---- Norm and gate. ---- */

static void norm(int mv, int s, int64_t tokens, double size) {
    Tile x = tile_new(mv, s, tokens, 1), u = tile_new(mv, s, tokens, 2), y = tile_new(mv, s, tokens, 3),
         dy = tile_new(mv, s, tokens, 4), dx = tile_new(mv, s, tokens, 5), along = tile_new(mv, s, tokens, 6);
    real *stats = MEM_NEW(real, EQUI_NORM_STATS * x.at.ld);
    step(x, x, size - 1);
    step(u, u, size - 1);
    for (int64_t i = 0; i < x.n; i++) dx.f.mv[i] = 0;
    equi_norm_forward(y.f, stats, x.f.mv, u.f.mv, mv, s, x.at);
    double worst = 0, in_mv[128 * PGA], in_s[128], want_mv[128 * PGA], want_s[128];
    for (int64_t t = 0; t < tokens; t++) { /* x is the sum by now */
        token_of(in_mv, in_s, x, t);
        equi_norm_ref(want_mv, want_s, in_mv, in_s, mv, s);
        worst = fmax(worst, token_error(y, t, want_mv, want_s));
    }
    EXPECT(worst < 1000 * REAL_EPSILON, "norm %d+%d: %g", mv, s, worst);
    equi_norm_backward(dx.f.mv, dy.f, y.f, stats, mv, s, x.at);
    double h = 1e-6 * size, analytic = dot(dx, along);
    step(x, along, h);
    equi_norm_forward(y.f, stats, x.f.mv, NULL, mv, s, x.at);
    double plus = dot(dy, y);
    step(x, along, -2 * h);
    equi_norm_forward(y.f, stats, x.f.mv, NULL, mv, s, x.at);
    expect_slope(analytic, plus, dot(dy, y), h, "norm");
    mem_free(stats);
    tile_free(x), tile_free(u), tile_free(y), tile_free(dy), tile_free(dx), tile_free(along);
}

static void gate(int mv, int64_t tokens) {
    Tile x = tile_new(mv, mv, tokens, 1), y = tile_new(mv, 0, tokens, 2), dy = tile_new(mv, 0, tokens, 3),
         dx = tile_new(mv, mv, tokens, 4), along = tile_new(mv, mv, tokens, 5); /* scalars are the gates */
    real *value = MEM_NEW(real, mv * x.at.ld), *slope = MEM_NEW(real, mv * x.at.ld);
    equi_gate_forward(y.f, value, slope, x.f, x.f.s, mv, x.at);
    equi_gate_backward(dx.f, dx.f.s, dy.f, x.f, value, slope, mv, x.at);
    double h = 1e-6, analytic = dot(dx, along);
    step(x, along, h);
    equi_gate_forward(y.f, value, slope, x.f, x.f.s, mv, x.at);
    double plus = dot(dy, y);
    step(x, along, -2 * h);
    equi_gate_forward(y.f, value, slope, x.f, x.f.s, mv, x.at);
    expect_slope(analytic, plus, dot(dy, y), h, "gate");
    mem_free(value), mem_free(slope);
    tile_free(x), tile_free(y), tile_free(dy), tile_free(dx), tile_free(along);
}

/* ---- Attention. ---- */

static double *sequence_of(Tile x, int heads, int width, bool scalars, int64_t first, int64_t length) {
    double *out = MEM_NEW(double, heads *length *width *(scalars ? 1 : PGA));
    int components = scalars ? 1 : PGA;
    for (int h = 0; h < heads; h++)
        for (int64_t t = 0; t < length; t++)
            for (int c = 0; c < width; c++)
                for (int p = 0; p < components; p++) {
                    int64_t at = (h * width + c) * x.at.ld + first + t;
                    out[((h * length + t) * width + c) * components + p] =
                        (double)(scalars ? x.f.s[at] : x.f.mv[p * x.f.plane + at]);
                }
    return out;
}

static void attention(EquiAttention a, const Sequences *seqs) {
    int64_t tokens = seqs->start[seqs->n], longest = 0, weights = 0;
    for (int i = 0; i < seqs->n; i++) {
        int64_t length = seqs->start[i + 1] - seqs->start[i];
        longest = length > longest ? length : longest;
        weights += equi_attention_weights(&a, length);
    }
    int q_mv = a.heads * a.mv, q_s = a.heads * a.s, kv_mv = a.kv_heads * a.mv, kv_s = a.kv_heads * a.s;
    Tile out = tile_new(q_mv, q_s, tokens, 1), dout = tile_new(q_mv, q_s, tokens, 2), x[3], dx[3], along[3];
    for (int i = 0; i < 3; i++) {
        x[i] = tile_new(i ? kv_mv : q_mv, i ? kv_s : q_s, tokens, 10 + (uint64_t)i);
        dx[i] = tile_new(i ? kv_mv : q_mv, i ? kv_s : q_s, tokens, 20 + (uint64_t)i);
        along[i] = tile_new(i ? kv_mv : q_mv, i ? kv_s : q_s, tokens, 30 + (uint64_t)i);
        step(x[i], x[i], -0.5);
        for (int p = 0; p < PGA; p++) /* those that it does not write */
            for (int64_t j = 0; i < 2 && !(EQUI_QUERY_PLANES >> p & 1) && j < dx[i].f.plane; j++)
                dx[i].f.mv[p * dx[i].f.plane + j] = 0;
    }
    real log_weights[64], dlog[64] = {0}, dlog_along[64];
    for (int c = 0; c < q_mv; c++) {
        log_weights[c] = (real)(0.3 * rng_normal(2, 40, (uint64_t)c));
        dlog_along[c] = (real)rng_normal(2, 41, (uint64_t)c);
    }
    int64_t ld = out.at.ld;
    EquiAttentionState state = {.query_distances = MEM_NEW(real, q_mv * EQUI_DISTANCES * ld + LANES),
                                .key_distances = MEM_NEW(real, kv_mv * EQUI_DISTANCES * ld + LANES),
                                .weights = MEM_NEW(real, weights)};
    real *work = MEM_NEW(real, equi_attention_work(&a, longest, ld) + LANES);
    int64_t before = flops_counted(), want = 0;
    equi_attention_forward(out.f, &state, x[0].f, x[1].f, x[2].f, log_weights, &a, seqs, ld);
    double worst = 0, wide[64];
    for (int c = 0; c < q_mv; c++) wide[c] = (double)log_weights[c];
    for (int i = 0; i < seqs->n; i++) {
        int64_t first = seqs->start[i], length = seqs->start[i + 1] - first;
        want += equi_attention_flops(&a, length);
        double *part[8], *ref_mv = MEM_NEW(double, a.heads *length *a.mv *PGA),
                         *ref_s = MEM_NEW(double, a.heads *length *a.s);
        for (int j = 0; j < 4; j++) {
            Tile from = j < 3 ? x[j] : out;
            int heads = j % 3 ? a.kv_heads : a.heads;
            part[2 * j] = sequence_of(from, heads, a.mv, false, first, length);
            part[2 * j + 1] = sequence_of(from, heads, a.s, true, first, length);
        }
        equi_attention_ref(ref_mv, ref_s, part[0], part[1], part[2], part[3], part[4], part[5], wide, &a, length);
        worst = fmax(worst, test_error(part[6], ref_mv, a.heads * length * a.mv * PGA));
        worst = fmax(worst, test_error(part[7], ref_s, a.heads * length * a.s));
        for (int j = 0; j < 8; j++) mem_free(part[j]);
        mem_free(ref_mv), mem_free(ref_s);
    }
    EXPECT(worst < (sizeof(real) == 8 ? 1e-12 : 2e-4), "attention: %g", worst);
    equi_attention_backward(dx[0].f, dx[1].f, dx[2].f, dlog, dout.f, &state, x[0].f, x[1].f, x[2].f, log_weights, &a,
                            seqs, ld, work);
    EXPECT(flops_counted() - before == want, "count");
    double h = 1e-7, analytic = 0, side[2];
    for (int i = 0; i < 3; i++) analytic += dot(dx[i], along[i]);
    for (int c = 0; c < q_mv; c++) analytic += (double)dlog[c] * (double)dlog_along[c];
    for (int sign = 0; sign < 2; sign++) {
        double by = sign ? -2 * h : h;
        for (int i = 0; i < 3; i++) step(x[i], along[i], by);
        for (int c = 0; c < q_mv; c++) log_weights[c] += (real)by * dlog_along[c];
        equi_attention_forward(out.f, &state, x[0].f, x[1].f, x[2].f, log_weights, &a, seqs, ld);
        side[sign] = dot(dout, out);
    }
    expect_slope(analytic, side[0], side[1], h, "attention");
    mem_free(state.query_distances), mem_free(state.key_distances), mem_free(state.weights), mem_free(work);
    tile_free(out), tile_free(dout);
    for (int i = 0; i < 3; i++) tile_free(x[i]), tile_free(dx[i]), tile_free(along[i]);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    for (int i = 0; i < 4; i++) {
        linear(3, 5, 4, 2, sizes[i]);
        linear((int)sizes[i], 1, 3, 17, 17);
        linear(17, 3, (int)sizes[i], 0, 3);
        norm((int)sizes[i], 3, 17, 1);
        norm(3, (int)sizes[i], sizes[i], 0.01); /* below the floor */
        gate(3, sizes[i]);
    }
    static const int64_t one[] = {0, 1}, many[] = {0, 1, 4, 21, 86};
    for (int kv = 0; kv < 2; kv++)
        for (int i = 0; i < 2; i++) {
            EquiAttention a = {.heads = 3, .kv_heads = kv ? 3 : 1, .mv = i ? 2 : 1, .s = 4 + i};
            attention(a, &(Sequences){.n = 1, .start = one});
            attention(a, &(Sequences){.n = 4, .start = many});
        }
    return test_end();
}
