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
#include <string.h>

/* The rows of docs/performance.md. Outputs are chosen so that the numbers of parameters are those of the models that
 * were timed with PyTorch. */
static const struct {
    const char *kind;
    ModelShape shape;
    int64_t parameters;
} defaults[] = {
    {"gatr",
     {.in_mv = 4,
      .in_s = 4,
      .out_mv = 1,
      .out_s = 4,
      .width = 16,
      .width_s = 32,
      .depth = 4,
      .heads = 4,
      .multi_query = true,
      .increase = 2},
     227301},
    {"gatr",
     {.in_mv = 4,
      .in_s = 4,
      .out_mv = 1,
      .out_s = 4,
      .width = 8,
      .width_s = 16,
      .depth = 2,
      .heads = 4,
      .multi_query = true,
      .increase = 2},
     29125},
    {"transformer", {.in_s = 32, .out_s = 3, .width = 64, .depth = 4, .heads = 4, .increase = 1}, 135171},
    {"transformer", {.in_s = 32, .out_s = 3, .width = 128, .depth = 4, .heads = 4, .increase = 1}, 532483},
    {"transformer", {.in_s = 32, .out_s = 3, .width = 256, .depth = 6, .heads = 4, .increase = 1}, 3165699},
};
enum { DEFAULTS = sizeof defaults / sizeof *defaults };

typedef struct Bench {
    Model *model;
    ProcGrid grid;
    Optim *optim;
    int64_t *start;
    Packed seqs;
    Tensors in, out, din, dout;
    double executed;             /* FLOP of a step over all ranks */
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
    int me = comm_rank(b->grid.dp), n = (int)(o->samples * (me + 1) / dp - o->samples * me / dp);
    int64_t tokens = n * o->tokens;
    b->start = MEM_NEW(int64_t, n + 1);
    for (int i = 0; i <= n; i++) b->start[i] = i * o->tokens;
    b->seqs = (Packed){.n = n, .start = b->start};
    b->model = model_new(kind, shape, b->grid.tp, tokens, n, o->tokens);
    param_init(b->model->theta, &b->model->table, 1);
    b->optim = optim_new(&b->model->table, b->grid.tp);
    b->in = tensors_new(tokens, shape->in_mv, shape->in_s, 1);
    b->out = tensors_new(tokens, shape->out_mv, shape->out_s, 3);
    b->din = (Tensors){0};
    b->dout = tensors_new(tokens, shape->out_mv, shape->out_s, 5);
    b->executed = kind->flops(shape, &b->seqs, tp, false).executed;
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
    mem_free(b->pass);
}

/* One step; entry i of the times, or none when i < 0. */
static void bench_run(Bench *b, int i) {
    static const OptimSettings settings = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .max_grad_norm = 1};
    Model *m = b->model;
    comm_barrier(comm_world());
    int64_t counted = flops_counted();
    double start = timer_now();
    memset(m->grad, 0, (size_t)m->table.local * sizeof *m->grad);
    model_forward(m, b->out, b->in, &b->seqs);
    model_backward(m, b->din, b->dout, &b->seqs);
    counted = flops_counted() - counted;
    double sum = timer_now();
    comm_sum_real(b->grid.dp, m->grad, m->table.local);
    double pass = bench_slowest(start), summed = bench_slowest(sum), update = timer_now();
    optim_step(b->optim, m->theta, m->grad, 1e-6, &settings);
    update = bench_slowest(update);
    comm_sum_i64(comm_world(), &counted, 1);
    CHECK((double)counted == b->executed, "%lld FLOP counted, %.0f expected", (long long)counted, b->executed);
    if (i < 0) return;
    b->pass[i] = pass, b->sum[i] = summed, b->update[i] = update;
}

static void report(Bench *b, const BenchOptions *o, FILE *json, bool more) {
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
    if (!json) return;
    fprintf(json,
            "  {\"model\": \"%s\", \"sizes\": \"%s\", \"parameters\": %lld, \"ranks\": %d, \"dp\": %d, \"tp\": %d, "
            "\"samples\": %lld, \"tokens\": %lld, \"ms\": %.4f, \"gflops\": %.3f, \"peak_gflops\": %.3f, "
            "\"share_of_peak\": %.4f, \"precision\": \"%s\"}%s\n",
            b->model->kind->name, sizes, (long long)b->model->table.global, ranks, comm_size(b->grid.dp),
            comm_size(b->grid.tp), (long long)o->samples, (long long)o->tokens, seconds * 1e3, rate, ranks * peak,
            share, REAL_NAME, more ? "," : "");
}

/* Rounds go over all models, the peak in each round beside each model. */
static void time_all(Bench *b, int n, const BenchOptions *o) {
    Peak peak = peak_new();
    peak_measure(&peak);
    for (int m = 0; m < n; m++)
        for (int warm = 0; warm < 3; warm++) bench_run(&b[m], -1);
    for (int round = 0; round < o->repeat; round++)
        for (int m = 0; m < n; m++) {
            b[m].peak[round] = peak_measure(&peak);
            bench_run(&b[m], -1); /* the product has emptied the caches */
            bench_run(&b[m], round);
        }
    peak_free(&peak);
}

Err bench_step(const BenchOptions *o) {
    Bench all[OPTION_LIST];
    int n = 0;
    Err err = ERR_NONE;
    for (int i = 0; i < (o->model.n ? o->model.n : DEFAULTS) && !err.code; i++) {
        ModelShape shape = defaults[o->model.n ? (strcmp(o->model.at[i], "gatr") ? 2 : 0) : i].shape;
        const ModelKind *kind = model_kind(o->model.n ? o->model.at[i] : defaults[i].kind);
        if (!kind) continue;
        if (o->model.n) {
            shape.width = (int)o->width, shape.depth = (int)o->depth, shape.heads = (int)o->heads;
            if (shape.width_s) shape.width_s = (int)(o->width_s ? o->width_s : 2 * o->width);
        }
        err = bench_new(&all[n], kind, &shape, o);
        if (!err.code && !o->model.n)
            CHECK(all[n].model->table.global == defaults[i].parameters, "%lld parameters",
                  (long long)all[n].model->table.global);
        n += !err.code;
    }
    if (!err.code) time_all(all, n, o);
    FILE *json = err.code ? NULL : bench_json(o);
    if (json) fprintf(json, "[\n");
    if (!err.code) {
        log_text("%lld samples x %lld tokens, %d ranks, tp %lld, %s; ms of forward and backward, of which the sum over "
                 "dp; update beside it",
                 (long long)o->samples, (long long)o->tokens, comm_size(comm_world()), (long long)o->tp, REAL_NAME);
        log_text("%-12s%-26s%10s%9s%9s%9s%9s%9s%8s", "model", "sizes", "weights", "ms", "sum", "update", "GFLOP/s",
                 "peak", "share");
    }
    for (int i = 0; i < n; i++) {
        if (!err.code) report(&all[i], o, json, i + 1 < n);
        bench_free(&all[i]);
    }
    if (json) {
        fprintf(json, "]\n");
        fclose(json);
    }
    return err;
}
