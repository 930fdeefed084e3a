#include "bench.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/timer.h"
#include "math/stats.h"
#include "la/flops.h"
#include "nn/model.h"
#include "train/optim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The rows of docs/performance.md. The outputs of those whose parameters are given are such that the numbers of
 * parameters are those of the models that were timed with PyTorch; the others are the sizes of input/quick.yaml, with the
 * inputs and outputs of scenes. */
typedef struct Row {
    const char *kind;
    int64_t parameters; /* 0: a model of scenes */
    ModelShape shape;
} Row;

#define TRANSFORMER(w, d, h) .width = w, .depth = d, .heads = h, .increase = 1
#define GATR(w, d, h) .width = w, .width_s = 2 * (w), .depth = d, .heads = h, .increase = 2, .multi_query = true
static const Row defaults[] = {
    {"gatr", 227301, {GATR(16, 4, 4), .in_mv = 4, .in_s = 4, .out_mv = 1, .out_s = 4}},
    {"gatr", 29125, {GATR(8, 2, 4), .in_mv = 4, .in_s = 4, .out_mv = 1, .out_s = 4}},
    {"gatr", 903109, {GATR(32, 4, 4), .in_mv = 4, .in_s = 4, .out_mv = 1, .out_s = 4}},
    {"transformer", 135171, {TRANSFORMER(64, 4, 4), .in_s = 32, .out_s = 3}},
    {"transformer", 532483, {TRANSFORMER(128, 4, 4), .in_s = 32, .out_s = 3}},
    {"transformer", 3165699, {TRANSFORMER(256, 6, 4), .in_s = 32, .out_s = 3}},
    {"transformer", 0, {TRANSFORMER(8, 2, 2)}},
    {"transformer", 0, {TRANSFORMER(16, 2, 2)}},
    {"transformer", 0, {TRANSFORMER(24, 2, 4)}},
    {"transformer", 0, {TRANSFORMER(32, 3, 4)}},
    {"transformer", 0, {TRANSFORMER(48, 4, 4)}},
    {"gatr", 0, {GATR(2, 2, 2)}},
    {"gatr", 0, {GATR(3, 2, 1)}},
    {"gatr", 0, {GATR(5, 2, 1)}},
    {"gatr", 0, {GATR(8, 2, 4)}},
    {"gatr", 0, {GATR(10, 3, 2)}},
};
enum { DEFAULTS = sizeof defaults / sizeof *defaults, FIRST_TRANSFORMER = 3, SLOTS = 5 };

typedef struct Bench {
    Model *model;
    ProcGrid grid;
    Optim *optim;
    int64_t *start, *piece_start;
    Packed seqs;
    Tensors in, out, din, dout;
    double executed;             /* FLOP of a step over all ranks */
    int steps;                   /* of a round */
    double *pass, *sum, *update; /* seconds of forward and backward with the sum, of the sum, of the update, by round */
    double *peak;                /* GFLOP/s of a rank, by round */
} Bench;

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

static Err bench_new(Bench *b, const ModelKind *kind, const ModelShape *shape, const BenchOptions *o) {
    int tp = (int)o->tp, dp = comm_size(comm_world()) / tp;
    TRY(kind->check(shape, tp));
    *b = (Bench){.grid = procgrid_new(comm_world(), dp, tp)};
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
    b->din = (Tensors){0};
    b->dout = tensors_new(tokens, shape->out_mv, shape->out_s, 5);
    ModelWork work = kind->work(shape, tp, false);
    b->executed = model_flops(&work, &b->seqs).executed;
    comm_sum_f64(b->grid.dp, &b->executed, 1);
    double *times = MEM_NEW(double, 4 * o->repeat);
    b->pass = times, b->sum = times + o->repeat, b->update = times + 2 * o->repeat, b->peak = times + 3 * o->repeat;
    return ERR_NONE;
}

static void bench_free(Bench *b) {
    model_free(b->model);
    optim_free(b->optim);
    tensors_free(b->in), tensors_free(b->out), tensors_free(b->dout);
    procgrid_free(&b->grid);
    mem_free(b->start);
    mem_free(b->piece_start);
    mem_free(b->pass);
}

/* Seconds of the parts of a step, on the rank that took longest. */
typedef struct Times {
    double pass, sum, update;
} Times;

/* The numbers of a piece that starts at a token: any will do, as long as every piece has its own. */
static Tensors tensors_from(Tensors t, int64_t token, int mv, int s) {
    return (Tensors){.mv = mv ? t.mv + 16 * token * mv : NULL, .s = s ? t.s + token * s : NULL};
}

static void forward_backward(Bench *b) {
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
        model_backward(m, b->din, tensors_from(b->dout, token, s->out_mv, s->out_s), &part);
    } while (m->more);
}

static Times bench_run(Bench *b, const BenchOptions *o) {
    static const OptimSettings settings = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .max_grad_norm = 1};
    Model *m = b->model;
    comm_barrier(comm_world());
    int64_t counted = flops_counted();
    double start = bench_now(o);
    memset(m->grad, 0, (size_t)m->table.local * sizeof *m->grad);
    forward_backward(b);
    counted = flops_counted() - counted;
    double sum = bench_now(o);
    comm_sum_real(b->grid.dp, m->grad, m->table.local);
    Times t = {.pass = bench_slowest(o, start), .sum = bench_slowest(o, sum)};
    double update = bench_now(o);
    optim_step(b->optim, m->theta, m->grad, 1e-6, &settings);
    t.update = bench_slowest(o, update);
    comm_sum_i64(comm_world(), &counted, 1);
    CHECK((double)counted == b->executed, "%lld FLOP counted, %.0f expected", (long long)counted, b->executed);
    return t;
}

/* Means of as many steps as make a round long enough for the clock; kept as entry i. */
static void bench_round(Bench *b, const BenchOptions *o, int i) {
    Times all = {0};
    for (int k = 0; k < b->steps; k++) {
        Times t = bench_run(b, o);
        all.pass += t.pass / b->steps;
        all.sum += t.sum / b->steps;
        all.update += t.update / b->steps;
    }
    b->pass[i] = all.pass;
    b->sum[i] = all.sum;
    b->update[i] = all.update;
}

/* Prints the row; returns the seconds of a step, and its peak, of all ranks. */
static double report(double *best, Bench *b, const BenchOptions *o, Json *json) {
    int n = (int)o->repeat, ranks = comm_size(comm_world());
    const ModelShape *s = &b->model->shape;
    double seconds = stats_median(b->pass, n), peak = b->peak[0], rate = b->executed / seconds * 1e-9;
    for (int i = 1; i < n; i++) peak = fmax(peak, b->peak[i]); /* a peak is the best round */
    double share = rate / (ranks * peak);
    char sizes[64];
    if (s->width_s)
        snprintf(sizes, sizeof sizes, "%d mv + %d s, %d blocks", s->width, s->width_s, s->depth);
    else
        snprintf(sizes, sizeof sizes, "%d channels, %d blocks", s->width, s->depth);
    log_text("%-12s%-26s%10lld%9.2f%9.2f%9.2f%9.1f%9.1f%8.2f", b->model->kind->name, sizes,
             (long long)b->model->table.global, seconds * 1e3, stats_median(b->sum, n) * 1e3,
             stats_median(b->update, n) * 1e3, rate, ranks * peak, share);
    *best = ranks * peak;
    if (!json) return seconds;
    json_open_object(json, NULL);
    json_put_text(json, "model", b->model->kind->name);
    json_put_text(json, "sizes", sizes);
    json_put_int(json, "parameters", b->model->table.global);
    json_put_int(json, "ranks", ranks);
    json_put_int(json, "dp", comm_size(b->grid.dp));
    json_put_int(json, "tp", comm_size(b->grid.tp));
    json_put_int(json, "batch", o->batch);
    json_put_int(json, "tokens", o->tokens);
    json_put_number(json, "ms", seconds * 1e3);
    bench_json_rate(json, rate, ranks * peak);
    return seconds;
}

/* Whether all ranks of dp hold the same parameters after their steps, bit for bit. */
static bool replicas_equal(const Bench *b) {
    const Model *m = b->model;
    bool same = comm_same(b->grid.dp, m->theta, (size_t)m->table.local * sizeof *m->theta);
    return comm_all(comm_world(), same);
}

static bool outputs_finite(const Bench *b) {
    const ModelShape *s = &b->model->shape;
    int64_t tokens = b->seqs.start[b->seqs.n];
    bool finite = true;
    for (int64_t i = 0; i < tokens * s->out_s; i++) finite = finite && isfinite(b->out.s[i]);
    for (int64_t i = 0; i < 16 * tokens * s->out_mv; i++) finite = finite && isfinite(b->out.mv[i]);
    return comm_all(comm_world(), finite);
}

static const double ROUND = 20e-3; /* s: of steps in a round, at least */

/* Rounds go over all models, the peak in each round beside each model. */
static void time_all(Bench *b, int n, const BenchOptions *o) {
    Peak peak = peak_new();
    peak_measure(&peak, o);
    for (int m = 0; m < n; m++) {
        double seconds = 0; /* the first steps make kernels */
        for (int warm = 0; warm < 3; warm++) seconds = bench_run(&b[m], o).pass;
        b[m].steps = 1 + (int)(ROUND / seconds);
    }
    for (int round = 0; round < o->repeat; round++)
        for (int m = 0; m < n; m++) {
            b[m].peak[round] = peak_measure(&peak, o);
            bench_run(&b[m], o); /* the product has emptied the caches */
            bench_round(&b[m], o, round);
        }
    peak_free(&peak);
}

/* The row that is asked for, or row i of the table. */
static Row row_of(const BenchOptions *o, int i) {
    if (!o->model.n) return defaults[i];
    Row row = defaults[strcmp(o->model.at[i], "gatr") ? FIRST_TRANSFORMER : 0];
    row.parameters = 0;
    row.shape.width = (int)o->width;
    row.shape.depth = (int)o->depth;
    row.shape.heads = (int)o->heads;
    if (row.shape.width_s) row.shape.width_s = (int)(o->width_s ? o->width_s : 2 * o->width);
    return row;
}

Err bench_step(const BenchOptions *o, int *code) {
    Bench all[OPTION_LIST];
    int n = 0;
    Err err = ERR_NONE;
    for (int i = 0; i < (o->model.n ? o->model.n : DEFAULTS) && !err.code; i++) {
        Row row = row_of(o, i);
        const ModelKind *kind = model_kind(row.kind);
        if (!row.shape.out_mv && !row.shape.out_s) kind->scene_shape(&row.shape, SLOTS, SCENE_WORLD);
        err = kind->check(&row.shape, (int)o->tp);
        if (err.code && !o->model.n) { /* this many ranks do not divide the row's heads */
            log_text("%-12s%d channels: left out: %s", row.kind, row.shape.width, err.text);
            err = ERR_NONE;
            continue;
        }
        if (!err.code) err = bench_new(&all[n], kind, &row.shape, o);
        if (!err.code && row.parameters)
            CHECK(all[n].model->table.global == row.parameters, "%lld parameters",
                  (long long)all[n].model->table.global);
        n += !err.code;
    }
    if (!err.code) time_all(all, n, o);
    Json *json = err.code ? NULL : bench_json_new(o);
    if (!err.code) {
        log_text("batch of %lld samples x %lld tokens, %d ranks, tp %lld, %s; ms of forward and backward, of which the "
                 "sum over "
                 "dp; update beside it",
                 (long long)o->batch, (long long)o->tokens, comm_size(comm_world()), (long long)o->tp, REAL_NAME);
        log_text("%-12s%-26s%10s%9s%9s%9s%9s%9s%8s", "model", "sizes", "weights", "ms", "sum", "update", "GFLOP/s",
                 "peak", "share");
    }
    bool equal = true, finite = true;
    double flop = 0, seconds = 0, possible = 0;
    for (int i = 0; i < n; i++) {
        if (!err.code) {
            double peak, took = report(&peak, &all[i], o, json);
            flop += all[i].executed;
            seconds += took;
            possible += took * peak;
            equal = replicas_equal(&all[i]) && equal;
            finite = outputs_finite(&all[i]) && finite;
        }
        bench_free(&all[i]);
    }
    if (err.code) return err;
    const BenchCheck check[] = {{"outputs are finite", finite}, {"replicas are equal bit for bit", equal}};
    const BenchMerit merit = {.what = "step",
                              .gflops = 1e-9 * flop / seconds,
                              .peak = possible / seconds,
                              .joules = NAN,
                              .checks = sizeof check / sizeof *check,
                              .check = check};
    return bench_end(json, o, &merit, code);
}
