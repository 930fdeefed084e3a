/** The operations of primitives.h5, one group each: inputs, outputs and gradients for the loss sum(out*cotangent). */
#pragma once

#include "golden.h"
#include "la/pga.h"
#include "la/simd.h"
#include "nn/equi_attention.h"
#include "nn/equi_linear.h"
#include "nn/equi_norm.h"

/** (n, channels, 16) of a file and rows by component plane (la/pga.h). */
typedef struct Mv {
    int64_t n, channels, ld, plane;
    double *file;
    real *planes;
} Mv;

static inline void mv_turn(Mv *x, bool to_file) {
    for (int64_t t = 0; t < x->n; t++)
        for (int64_t c = 0; c < x->channels; c++)
            for (int p = 0; p < PGA; p++) {
                double *a = &x->file[(t * x->channels + c) * PGA + p];
                real *b = &x->planes[p * x->plane + c * x->ld + t];
                if (to_file)
                    *a = (double)*b;
                else
                    *b = (real)*a;
            }
}

static inline Mv mv_new(int64_t n, int64_t channels) {
    Mv x = {.n = n, .channels = channels, .ld = vec_padded(n)};
    x.plane = (channels + 1) * x.ld; /* nn/equi.h */
    x.file = MEM_NEW(double, n *channels *PGA);
    x.planes = MEM_NEW(real, PGA * x.plane + LANES);
    return x;
}

static inline Mv mv_read(const Golden *g, const char *group, const char *name, int64_t channels) {
    int64_t size;
    double *file = golden_read(g, &size, "%s/%s", group, name);
    Mv x = mv_new(size / PGA / channels, channels);
    mem_free(x.file);
    x.file = file;
    mv_turn(&x, false);
    return x;
}

static inline void mv_free(Mv x) {
    mem_free(x.file);
    mem_free(x.planes);
}

static inline Field mv_field(Mv x) {
    return (Field){.mv = x.planes, .plane = x.plane};
}

static inline Columns mv_columns(Mv x) {
    return (Columns){.ld = x.ld, .n = x.n};
}

/** Largest entry of all gradients in the file. */
static inline herr_t largest_visit(hid_t file, const char *name, const H5O_info_t *info, void *largest) {
    const char *leaf = strrchr(name, '/');
    if (info->type != H5O_TYPE_DATASET || !leaf || strncmp(leaf, "/grad_", 6)) return 0;
    Golden g = {.file = file, .path = name};
    int64_t n;
    double *x = golden_read(&g, &n, "%s", name);
    *(double *)largest = fmax(*(double *)largest, golden_scale(x, n));
    mem_free(x);
    return 0;
}

/** An error is relative to the largest entry of the quantity, that of a gradient to the largest gradient in the file.
 */
static inline void primitive_compare(Golden *g, const double *x, const char *group, const char *name) {
    char quantity[96];
    int64_t n;
    double scale = 0;
    snprintf(quantity, sizeof quantity, "%s/%s", group, name);
    double *want = golden_read(g, &n, "%s", quantity);
    if (strncmp(name, "grad_", 5))
        scale = golden_scale(want, n);
    else
        H5Ovisit(g->file, H5_INDEX_NAME, H5_ITER_NATIVE, largest_visit, &scale);
    golden_compare(g, x, NULL, want, n, scale, g->bound, quantity);
    mem_free(want);
}

static inline void mv_compare(Golden *g, Mv x, const char *group, const char *name) {
    mv_turn(&x, true);
    primitive_compare(g, x.file, group, name);
}

/* ---- Products. ---- */

static inline void golden_geometric(Golden *g) {
    const char *group = "geometric_product";
    Mv x = mv_read(g, group, "x", 1), y = mv_read(g, group, "y", 1), d = mv_read(g, group, "cotangent", 1);
    Mv out = mv_new(x.n, 1), dx = mv_new(x.n, 1), dy = mv_new(x.n, 1);
    pga_geometric(out.planes, x.plane, x.planes, y.planes, x.plane, 1, x.ld, x.n);
    pga_geometric_backward(dx.planes, dy.planes, d.planes, x.plane, x.planes, y.planes, x.plane, 1, x.ld, x.n);
    mv_compare(g, out, group, "out");
    mv_compare(g, dx, group, "grad_x");
    mv_compare(g, dy, group, "grad_y");
    mv_free(x), mv_free(y), mv_free(d), mv_free(out), mv_free(dx), mv_free(dy);
}

static inline void golden_join(Golden *g) {
    const char *group = "equivariant_join";
    Mv x = mv_read(g, group, "x", 1), y = mv_read(g, group, "y", 1), r = mv_read(g, group, "reference", 1),
       d = mv_read(g, group, "cotangent", 1);
    Mv out = mv_new(x.n, 1), dx = mv_new(x.n, 1), dy = mv_new(x.n, 1), dr = mv_new(x.n, 1);
    const real *reference = r.planes + 14 * r.plane;
    pga_join(out.planes, x.plane, x.planes, y.planes, x.plane, reference, 1, x.ld, x.n);
    pga_join_backward(dx.planes, dy.planes, dr.planes + 14 * r.plane, d.planes, x.plane, x.planes, y.planes, x.plane,
                      reference, 1, x.ld, x.n);
    mv_compare(g, out, group, "out");
    mv_compare(g, dx, group, "grad_x");
    mv_compare(g, dy, group, "grad_y");
    mv_compare(g, dr, group, "grad_reference");
    mv_free(x), mv_free(y), mv_free(r), mv_free(d), mv_free(out), mv_free(dx), mv_free(dy), mv_free(dr);
}

/* The gradient of a bilinear form is the form with unit multivectors. */
static inline void golden_inner(Golden *g) {
    const char *group = "inner_product";
    int64_t n;
    double *x = golden_read(g, NULL, "%s/x", group), *y = golden_read(g, NULL, "%s/y", group),
           *d = golden_read(g, &n, "%s/cotangent", group), *out = MEM_NEW(double, n), *dx = MEM_NEW(double, n *PGA),
           *dy = MEM_NEW(double, n *PGA);
    for (int64_t t = 0; t < n; t++) {
        out[t] = pga_inner(x + t * PGA, y + t * PGA);
        for (int p = 0; p < PGA; p++) {
            double unit[PGA] = {0};
            unit[p] = d[t];
            dx[t * PGA + p] = pga_inner(unit, y + t * PGA);
            dy[t * PGA + p] = pga_inner(x + t * PGA, unit);
        }
    }
    primitive_compare(g, out, group, "out");
    primitive_compare(g, dx, group, "grad_x");
    primitive_compare(g, dy, group, "grad_y");
    mem_free(x), mem_free(y), mem_free(d), mem_free(out), mem_free(dx), mem_free(dy);
}

/* ---- Layers. ---- */

static inline void golden_norm(Golden *g) {
    const char *group = "equi_layer_norm";
    int channels = golden_int(g, group, "channels");
    Mv x = mv_read(g, group, "x", channels), d = mv_read(g, group, "cotangent", channels);
    Mv out = mv_new(x.n, channels), dx = mv_new(x.n, channels);
    real *stats = MEM_NEW(real, EQUI_NORM_STATS * x.ld);
    equi_norm_forward(mv_field(out), stats, x.planes, NULL, channels, 0, mv_columns(x));
    equi_norm_backward(dx.planes, mv_field(d), mv_field(out), stats, channels, 0, mv_columns(x));
    mv_compare(g, out, group, "out");
    mv_compare(g, dx, group, "grad_x");
    mem_free(stats);
    mv_free(x), mv_free(d), mv_free(out), mv_free(dx);
}

static inline void golden_linear(Golden *g) {
    const char *group = "equi_linear";
    int in = golden_int(g, group, "in_channels"), out_mv = golden_int(g, group, "out_channels");
    Mv x = mv_read(g, group, "x", in), d = mv_read(g, group, "cotangent", out_mv);
    Mv out = mv_new(x.n, out_mv), dx = mv_new(x.n, in);
    double *weight = golden_read(g, NULL, "%s/weight", group), *dweight = MEM_NEW(double, EQUI_BASIS *in *out_mv);
    real *theta = MEM_NEW(real, EQUI_BASIS * in * out_mv), *grad = MEM_NEW(real, EQUI_BASIS * in * out_mv);
    EquiLinear map = {.in_mv = in, .out_mv = out_mv, .basis = (int64_t)in * out_mv, .planes = EQUI_ALL_PLANES};
    map.s2mv = map.mv_bias = map.mv2s = map.s_bias = map.s2s = -1;
    for (int i = 0; i < in * out_mv; i++)
        for (int a = 0; a < EQUI_BASIS; a++) theta[a * map.basis + i] = (real)weight[i * EQUI_BASIS + a];
    Field dout = mv_field(d);
    equi_linear_forward(mv_field(out), &map, theta, mv_field(x), mv_columns(x), 0);
    equi_linear_backward_mv(mv_field(dx), &map, &dout, 1, theta, mv_columns(x), 0);
    equi_linear_backward_weight(grad, &map, dout, mv_field(x), mv_columns(x));
    for (int i = 0; i < in * out_mv; i++)
        for (int a = 0; a < EQUI_BASIS; a++) dweight[i * EQUI_BASIS + a] = (double)grad[a * map.basis + i];
    mv_compare(g, out, group, "out");
    mv_compare(g, dx, group, "grad_x");
    primitive_compare(g, dweight, group, "grad_weight");
    mem_free(weight), mem_free(dweight), mem_free(theta), mem_free(grad);
    mv_free(x), mv_free(d), mv_free(out), mv_free(dx);
}

static inline void golden_gate(Golden *g) {
    const char *group = "gated_gelu";
    Mv x = mv_read(g, group, "x", 1), d = mv_read(g, group, "cotangent", 1);
    Mv out = mv_new(x.n, 1), dx = mv_new(x.n, 1);
    double *gates = golden_read(g, NULL, "%s/gates", group);
    real *row = MEM_NEW(real, 4 * x.ld), *value = row + x.ld, *slope = value + x.ld, *dgate = slope + x.ld;
    for (int64_t t = 0; t < x.n; t++) row[t] = (real)gates[t];
    equi_gate_forward(mv_field(out), value, slope, mv_field(x), row, 1, mv_columns(x));
    equi_gate_backward(mv_field(dx), dgate, mv_field(d), mv_field(x), value, slope, 1, mv_columns(x));
    for (int64_t t = 0; t < x.n; t++) gates[t] = (double)dgate[t];
    mv_compare(g, out, group, "out");
    mv_compare(g, dx, group, "grad_x");
    primitive_compare(g, gates, group, "grad_gates");
    mem_free(gates), mem_free(row);
    mv_free(x), mv_free(d), mv_free(out), mv_free(dx);
}

/* ---- Attention: a sample is a sequence, without its masked tokens. ---- */

typedef struct Packing {
    int batch, tokens;
    int64_t n, ld;
    int64_t *start, *from; /* columns; (n) batch*tokens index in the file */
} Packing;

/* (batch, heads, tokens, channels, width) in the file; rows (heads*channels, ld) a component here. */
static inline void attention_turn(const Packing *z, double *file, real *rows, int64_t plane, int heads, int channels,
                                  int width, bool to_file) {
    for (int64_t t = 0; t < z->n; t++)
        for (int h = 0; h < heads; h++)
            for (int c = 0; c < channels; c++)
                for (int p = 0; p < width; p++) {
                    int64_t b = z->from[t] / z->tokens, i = z->from[t] % z->tokens;
                    double *a = &file[(((b * heads + h) * z->tokens + i) * channels + c) * width + p];
                    real *r = &rows[p * plane + (h * channels + c) * z->ld + t];
                    if (to_file)
                        *a = (double)*r;
                    else
                        *r = (real)*a;
                }
}

static inline Field attention_field(const Golden *g, const char *group, const char *name, const Packing *z, int heads,
                                    const EquiAttention *a) {
    Field x = field_at(MEM_NEW(real, field_rows(heads * a->mv, heads * a->s) * z->ld + LANES), heads * a->mv, z->ld);
    if (!name) return x;
    double *file = golden_read(g, NULL, "%s/%s_mv", group, name);
    attention_turn(z, file, x.mv, x.plane, heads, a->mv, PGA, false);
    mem_free(file);
    file = golden_read(g, NULL, "%s/%s_s", group, name);
    attention_turn(z, file, x.s, 0, heads, a->s, 1, false);
    mem_free(file);
    return x;
}

/* Entries of masked tokens are taken from the file. */
static inline void attention_compare(Golden *g, const char *group, const char *name, Field x, const Packing *z,
                                     int heads, const EquiAttention *a) {
    char full[64];
    for (int i = 0; i < 2; i++) {
        snprintf(full, sizeof full, "%s_%s", name, i ? "s" : "mv");
        double *file = golden_read(g, NULL, "%s/%s", group, full);
        attention_turn(z, file, i ? x.s : x.mv, x.plane, heads, i ? a->s : a->mv, i ? 1 : PGA, true);
        primitive_compare(g, file, group, full);
        mem_free(file);
    }
}

static inline Packing attention_packing(const Golden *g, const char *group) {
    Packing z = {.batch = golden_int(g, group, "batch"), .tokens = golden_int(g, group, "tokens")};
    double *mask = golden_int(g, group, "has_mask") ? golden_read(g, NULL, "%s/mask", group) : NULL;
    z.start = MEM_NEW(int64_t, z.batch + 1);
    z.from = MEM_NEW(int64_t, z.batch * z.tokens);
    for (int b = 0; b < z.batch; b++) {
        for (int64_t i = b * z.tokens; i < (b + 1) * z.tokens; i++)
            if (!mask || mask[i] != 0) z.from[z.n++] = i;
        z.start[b + 1] = z.n;
    }
    z.ld = vec_padded(z.n);
    mem_free(mask);
    return z;
}

static inline void golden_attention(Golden *g, const char *group) {
    EquiAttention a = {.heads = golden_int(g, group, "heads"),
                       .kv_heads = golden_int(g, group, "kv_heads"),
                       .mv = golden_int(g, group, "mv_channels"),
                       .s = golden_int(g, group, "s_channels")};
    EXPECT(golden_number(g, group, "normalizer_eps") == 0.001, "%s: another normalizer_eps", group);
    Packing z = attention_packing(g, group);
    Sequences seqs = {.n = z.batch, .start = z.start};
    Field q = attention_field(g, group, "q", &z, a.heads, &a), k = attention_field(g, group, "k", &z, a.kv_heads, &a),
          v = attention_field(g, group, "v", &z, a.kv_heads, &a),
          out = attention_field(g, group, NULL, &z, a.heads, &a);
    double *file = golden_read(g, NULL, "%s/log_weights", group);
    real *log_weights = MEM_NEW(real, a.heads * a.mv), *dlog = MEM_NEW(real, a.heads * a.mv);
    for (int i = 0; i < a.heads * a.mv; i++) log_weights[i] = (real)file[i];
    EquiAttentionState state = {.query_distances = MEM_NEW(real, a.heads * EQUI_DISTANCES * a.mv * z.ld + LANES),
                                .key_distances = MEM_NEW(real, a.kv_heads * EQUI_DISTANCES * a.mv * z.ld + LANES),
                                .weights = MEM_NEW(real, z.batch * equi_attention_weights(&a, z.tokens))};
    real *work = MEM_NEW(real, equi_attention_work(&a, z.tokens, z.ld) + LANES);
    equi_attention_forward(out, &state, q, k, v, log_weights, &a, &seqs, z.ld);
    attention_compare(g, group, "out", out, &z, a.heads, &a);
    if (z.n == z.batch * z.tokens) { /* masked queries have gradients too, which do not exist here */
        Field dout = attention_field(g, group, "cotangent", &z, a.heads, &a),
              dq = attention_field(g, group, NULL, &z, a.heads, &a),
              dk = attention_field(g, group, NULL, &z, a.kv_heads, &a),
              dv = attention_field(g, group, NULL, &z, a.kv_heads, &a);
        equi_attention_backward(dq, dk, dv, dlog, dout, &state, q, k, v, log_weights, &a, &seqs, z.ld, work);
        attention_compare(g, group, "grad_q", dq, &z, a.heads, &a);
        attention_compare(g, group, "grad_k", dk, &z, a.kv_heads, &a);
        attention_compare(g, group, "grad_v", dv, &z, a.kv_heads, &a);
        for (int i = 0; i < a.heads * a.mv; i++) file[i] = (double)dlog[i];
        primitive_compare(g, file, group, "grad_log_weights");
        mem_free(dout.mv), mem_free(dq.mv), mem_free(dk.mv), mem_free(dv.mv);
    }
    mem_free(file), mem_free(log_weights), mem_free(dlog), mem_free(work);
    mem_free(state.query_distances), mem_free(state.key_distances), mem_free(state.weights);
    mem_free(q.mv), mem_free(k.mv), mem_free(v.mv), mem_free(out.mv), mem_free(z.start), mem_free(z.from);
}

/* ---- Embeddings and versors. ---- */

/* Applies an operation of up to two inputs to each row and compares `name`. */
typedef void Rowwise(double *out, const double *a, const double *b);
static inline void golden_rows(Golden *g, const char *group, Rowwise *f, const char *a, int width_a, const char *b,
                               int width_b, const char *name, int width) {
    int64_t n;
    double *x = golden_read(g, &n, "%s/%s", group, a), *y = b ? golden_read(g, NULL, "%s/%s", group, b) : NULL,
           *out = MEM_NEW(double, n / width_a * width);
    for (int64_t t = 0; t < n / width_a; t++) f(out + t * width, x + t * width_a, y ? y + t * width_b : NULL);
    primitive_compare(g, out, group, name);
    mem_free(x), mem_free(y), mem_free(out);
}

static inline void row_dual(double *out, const double *a, const double *b) {
    (void)b;
    pga_dual(out, a);
}
static inline void row_point(double *out, const double *a, const double *b) {
    (void)b;
    pga_point(out, a);
}
static inline void row_extract(double *out, const double *a, const double *b) {
    (void)b;
    pga_extract_point(out, a);
}
static inline void row_translation(double *out, const double *a, const double *b) {
    (void)b;
    pga_translation(out, a);
}
static inline void row_rotation(double *out, const double *a, const double *b) {
    (void)b;
    pga_rotation(out, a);
}
static inline void row_even(double *out, const double *u, const double *x) {
    pga_versor(out, u, false, x);
}
static inline void row_odd(double *out, const double *u, const double *x) {
    pga_versor(out, u, true, x);
}
static inline void row_move_even(double *xyz, const double *u, const double *from) {
    double x[PGA], y[PGA];
    pga_point(x, from);
    pga_versor(y, u, false, x);
    pga_extract_point(xyz, y);
}
static inline void row_move_odd(double *xyz, const double *u, const double *from) {
    double x[PGA], y[PGA];
    pga_point(x, from);
    pga_versor(y, u, true, x);
    pga_extract_point(xyz, y);
}

static inline void golden_primitives(Golden *g) {
    golden_geometric(g);
    golden_join(g);
    golden_inner(g);
    golden_norm(g);
    golden_linear(g);
    golden_gate(g);
    golden_rows(g, "dual", row_dual, "x", PGA, NULL, 0, "out", PGA);
    golden_rows(g, "embed_point", row_point, "x", 3, NULL, 0, "out", PGA);
    golden_rows(g, "embed_translation", row_translation, "x", 3, NULL, 0, "out", PGA);
    golden_rows(g, "embed_oriented_plane", pga_plane, "normal", 3, "position", 3, "out", PGA);
    golden_rows(g, "extract_point", row_extract, "x", PGA, NULL, 0, "out", 3);
    golden_attention(g, "geometric_attention");
    golden_attention(g, "geometric_attention_multi_query");
    golden_attention(g, "geometric_attention_mask");
    static const char *motion[] = {"versor_rotation", "versor_translation", "versor_reflection", "versor_combined"};
    for (int i = 0; i < 4; i++) {
        bool odd = golden_int(g, motion[i], "odd");
        golden_rows(g, motion[i], odd ? row_odd : row_even, "versor", PGA, "x", PGA, "out", PGA);
        golden_rows(g, motion[i], odd ? row_move_odd : row_move_even, "versor", PGA, "point", 3, "point_out", 3);
    }
    golden_rows(g, motion[0], row_rotation, "quaternion", 4, NULL, 0, "versor", PGA);
    golden_rows(g, motion[1], row_translation, "translation", 3, NULL, 0, "versor", PGA);
    golden_rows(g, motion[2], pga_plane, "normal", 3, "position", 3, "versor", PGA);
}
