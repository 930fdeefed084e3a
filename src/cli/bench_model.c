#include "bench_model.h"

#include "base/arena.h"
#include "base/memory.h"
#include "base/rng.h"
#include "la/flops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TRANSFORMER(w, d, h) .width = w, .depth = d, .heads = h, .increase = 1
#define GATR(w, d, h) .width = w, .width_s = 2 * (w), .depth = d, .heads = h, .increase = 2, .multi_query = true
static const BenchRow defaults[] = {
    {&gatr_kind, 227301, {GATR(16, 4, 4), .in_mv = 4, .in_s = 4, .out_mv = 1, .out_s = 4}},
    {&gatr_kind, 29125, {GATR(8, 2, 4), .in_mv = 4, .in_s = 4, .out_mv = 1, .out_s = 4}},
    {&gatr_kind, 903109, {GATR(32, 4, 4), .in_mv = 4, .in_s = 4, .out_mv = 1, .out_s = 4}},
    {&transformer_kind, 135171, {TRANSFORMER(64, 4, 4), .in_s = 32, .out_s = 3}},
    {&transformer_kind, 532483, {TRANSFORMER(128, 4, 4), .in_s = 32, .out_s = 3}},
    {&transformer_kind, 3165699, {TRANSFORMER(256, 6, 4), .in_s = 32, .out_s = 3}},
    {&transformer_kind, 0, {TRANSFORMER(8, 2, 2)}},
    {&transformer_kind, 0, {TRANSFORMER(16, 2, 2)}},
    {&transformer_kind, 0, {TRANSFORMER(24, 2, 4)}},
    {&transformer_kind, 0, {TRANSFORMER(32, 3, 4)}},
    {&transformer_kind, 0, {TRANSFORMER(48, 4, 4)}},
    {&gatr_kind, 0, {GATR(2, 2, 2)}},
    {&gatr_kind, 0, {GATR(3, 2, 1)}},
    {&gatr_kind, 0, {GATR(5, 2, 1)}},
    {&gatr_kind, 0, {GATR(8, 2, 4)}},
    {&gatr_kind, 0, {GATR(10, 3, 2)}},
};
_Static_assert(sizeof defaults / sizeof *defaults == BENCH_ROWS, "bench_model.h");
enum { SLOTS = 5 };
static const double ROUND = 20e-3; /* s: of steps in a round, at least */

/* A model of the sizes that are asked for. */
static BenchRow asked(const BenchOptions *o, const ModelKind *kind) {
    const ModelSizes sizes = {.width = {1, {o->width}},
                              .scalars = {o->width_s > 0, {o->width_s}},
                              .depth = {1, {o->depth}},
                              .heads = {1, {o->heads}},
                              .increase = 1};
    BenchRow row = {.kind = kind, .shape = model_shape(&sizes, 0)};
    for (int i = 0; i < BENCH_ROWS; i++) {
        if (defaults[i].kind != kind) continue;
        ModelShape like = defaults[i].shape;
        like.width = row.shape.width;
        like.width_s = like.width_s ? row.shape.width_s : 0;
        like.depth = row.shape.depth;
        like.heads = row.shape.heads;
        row.shape = like;
        break;
    }
    return row;
}

/* The row that is asked for, or row i of the table. */
BenchRow bench_row(const BenchOptions *o, int i) {
    BenchRow row = o->model.n ? asked(o, model_kind(o->model.at[i])) : defaults[i];
    if (!row.shape.out_mv && !row.shape.out_s) row.kind->scene_shape(&row.shape, SLOTS, SCENE_WORLD);
    return row;
}

void bench_sizes(char text[64], const ModelShape *s) {
    if (s->in_mv)
        snprintf(text, 64, "%d mv + %d s, %d blocks", s->width, s->width_s, s->depth);
    else
        snprintf(text, 64, "%d channels, %d blocks", s->width, s->depth);
}

static real *normal(int64_t n, uint64_t stream) {
    real *x = MEM_NEW(real, n);
    for (int64_t i = 0; i < n; i++) x[i] = (real)rng_normal(1, stream, (uint64_t)i);
    return x;
}

static Tensors tensors_new(int64_t tokens, int mv, int s, uint64_t stream) {
    return (Tensors){.mv = mv ? normal(16 * tokens * mv, stream) : NULL,
                     .s = s ? normal(tokens * s, stream + 1) : NULL};
}

static void tensors_free(Tensors t) {
    mem_free(t.mv);
    mem_free(t.s);
}

double bench_model_bytes(const ModelKind *kind, const ModelShape *s, const BenchOptions *o, int dp, int tp) {
    int64_t sequences = (o->batch + dp - 1) / dp, tokens = sequences * o->tokens;
    double numbers = 16.0 * (s->in_mv + 2 * s->out_mv) + s->in_s + 2 * s->out_s; /* of in, out and dout */
    double bytes = sizeof(real) * (double)tokens * numbers;
    double streams = sizeof(real) * (double)tokens * s->width * s->depth / tp; /* one of each block, of many */
    if (bytes + streams > (double)memory_bytes()) return bytes + streams;
    ParamTable table = param_table_new(tp, 0);
    kind->params(&table, s);
    bytes += (double)optim_bytes(&table, 1);
    param_table_free(&table);
    return bytes + (double)model_bytes(kind, s, tp, tokens, (int)sequences, o->tokens);
}

/* The numbers of a piece that starts at a token: any will do, as long as every piece has its own. */
static Tensors tensors_from(Tensors t, int64_t token, int mv, int s) {
    return (Tensors){.mv = mv ? t.mv + 16 * token * mv : NULL, .s = s ? t.s + token * s : NULL};
}

/* Which body each token of the batch belongs to: those of a sample are shared out evenly. */
static int32_t *bodies_new(const Packed *seqs) {
    int32_t *body = MEM_NEW(int32_t, seqs->start[seqs->n]);
    for (int q = 0; q < seqs->n; q++)
        for (int64_t t = seqs->start[q], first = t, length = seqs->start[q + 1] - t; t < seqs->start[q + 1]; t++)
            body[t] = (int32_t)(SLOTS * (t - first) / length);
    return body;
}

/* Random scenes as inputs, piece by piece; every piece shows the first of them. */
static void show_scenes(BenchModel *b, const int32_t *body) {
    const ModelShape *shape = &b->model->shape;
    int n = b->seqs.n;
    int64_t tokens = b->start[n];
    real *position = normal(3 * tokens, 7), *velocity = normal(3 * tokens, 8), *params = normal(SCENE_BODY * tokens, 9),
         *world = normal(SCENE_WORLD * n, 10), *floor = MEM_NEW(real, 4 * n), *gravity = MEM_NEW(real, 3 * n);
    for (int q = 0; q < n; q++) {
        memcpy(floor + 4 * q, (real[4]){0, 0, 1, 1}, 4 * sizeof *floor);
        memcpy(gravity + 3 * q, (real[3]){0, 0, -1}, 3 * sizeof *gravity);
    }
    SceneBatch scenes = {.slots = SLOTS,
                         .worlds = SCENE_WORLD,
                         .position = position,
                         .velocity = velocity,
                         .slot = body,
                         .body = params,
                         .floor = floor,
                         .gravity = gravity,
                         .world = world};
    for (int first = 0, count; first < n; first += count) {
        count = model_piece(b->model, &b->seqs, first);
        scenes.seqs = packed_part(b->piece_start, &b->seqs, first, count);
        b->model->kind->embed(tensors_from(b->in, b->start[first], shape->in_mv, shape->in_s), &scenes, shape);
    }
    mem_free(position);
    mem_free(velocity);
    mem_free(params);
    mem_free(world);
    mem_free(floor);
    mem_free(gravity);
}

void bench_model_new(BenchModel *b, const ModelKind *kind, const ModelShape *shape, const BenchOptions *o,
                     const Comm *ranks, int tp) {
    int dp = comm_size(ranks) / tp;
    *b = (BenchModel){.grid = procgrid_new(ranks, dp, tp)};
    int me = comm_rank(b->grid.dp), n = (int)(o->batch * (me + 1) / dp - o->batch * me / dp);
    int64_t tokens = n * o->tokens;
    b->start = MEM_NEW(int64_t, n + 1);
    for (int i = 0; i <= n; i++) b->start[i] = i * o->tokens;
    b->piece_start = MEM_NEW(int64_t, n + 1);
    b->seqs = (Packed){.n = n, .start = b->start};
    b->model = model_new(kind, shape, b->grid.tp, tokens, n, o->tokens);
    param_init(b->model->theta, &b->model->table, 1);
    b->optim = optim_new(&b->model->table, &b->grid, false);
    b->in = tensors_new(tokens, shape->in_mv, shape->in_s, 1);
    b->out = tensors_new(tokens, shape->out_mv, shape->out_s, 3);
    b->dout = tensors_new(tokens, shape->out_mv, shape->out_s, 5);
    int32_t *body = bodies_new(&b->seqs);
    if (shape->slots) show_scenes(b, body);
    ModelWork work = kind->work(shape, tp, false);
    PackedLengths lengths = {0};
    packed_lengths_add(&lengths, kind, shape, body, &b->seqs);
    mem_free(body);
    b->executed = model_flops_of(&work, lengths).executed;
    comm_sum_f64(b->grid.dp, &b->executed, 1);
}

void bench_model_free(BenchModel *b) {
    model_free(b->model);
    optim_free(b->optim);
    tensors_free(b->in), tensors_free(b->out), tensors_free(b->dout);
    procgrid_free(&b->grid);
    mem_free(b->start);
    mem_free(b->piece_start);
}

static void forward_backward(BenchModel *b) {
    Model *m = b->model;
    const ModelShape *s = &m->shape;
    int first = 0;
    do {
        int n = model_piece(m, &b->seqs, first);
        int64_t token = b->start[first];
        Packed part = packed_part(b->piece_start, &b->seqs, first, n);
        model_forward(m, tensors_from(b->out, token, s->out_mv, s->out_s),
                      tensors_from(b->in, token, s->in_mv, s->in_s), &part);
        first += n;
        m->more = first < b->seqs.n;
        model_backward(m, (Tensors){0}, tensors_from(b->dout, token, s->out_mv, s->out_s), &part);
    } while (m->more);
}

BenchTimes bench_model_step(BenchModel *b, const BenchOptions *o) {
    static const OptimSettings settings = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .max_grad_norm = 1};
    Model *m = b->model;
    const Comm *ranks = b->grid.cell;
    comm_barrier(ranks);
    int64_t counted = flops_counted();
    double start = bench_now(o);
    memset(m->grad, 0, (size_t)m->table.local * sizeof *m->grad);
    forward_backward(b);
    counted = flops_counted() - counted;
    double sum = bench_now(o);
    comm_sum_real(b->grid.dp, m->grad, m->table.local);
    BenchTimes t = {.pass = bench_slowest(o, ranks, start), .sum = bench_slowest(o, ranks, sum)};
    double update = bench_now(o);
    optim_step(b->optim, m->theta, m->grad, 1e-6, &settings);
    t.update = bench_slowest(o, ranks, update);
    comm_sum_i64(ranks, &counted, 1);
    CHECK((double)counted == b->executed, "%lld FLOP counted, %.0f expected", (long long)counted, b->executed);
    return t;
}

BenchTimes bench_model_steps(BenchModel *b, const BenchOptions *o, int steps) {
    BenchTimes all = {0};
    for (int k = 0; k < steps; k++) {
        BenchTimes t = bench_model_step(b, o);
        all.pass += t.pass / steps;
        all.sum += t.sum / steps;
        all.update += t.update / steps;
    }
    return all;
}

int bench_model_warm(BenchModel *b, const BenchOptions *o) {
    double seconds = 0;
    for (int warm = 0; warm < 3; warm++) seconds = bench_model_step(b, o).pass;
    return 1 + (int)(ROUND / seconds);
}

bool bench_model_equal(const BenchModel *b) {
    const Model *m = b->model;
    bool same = comm_same(b->grid.dp, m->theta, (size_t)m->table.local * sizeof *m->theta);
    return comm_all(b->grid.cell, same);
}

bool bench_model_finite(const BenchModel *b) {
    const ModelShape *s = &b->model->shape;
    int64_t tokens = b->seqs.start[b->seqs.n];
    bool finite = true;
    for (int64_t i = 0; i < tokens * s->out_s; i++) finite = finite && isfinite(b->out.s[i]);
    for (int64_t i = 0; i < 16 * tokens * s->out_mv; i++) finite = finite && isfinite(b->out.mv[i]);
    return comm_all(b->grid.cell, finite);
}
