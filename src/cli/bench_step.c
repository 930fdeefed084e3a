#include "bench_model.h"

#include "base/arena.h"
#include "base/log.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A row at work, with what its rounds took. */
typedef struct Bench {
    BenchModel at;
    int steps; /* of a round */
    BenchTimes *round;
    double *peak; /* GFLOP/s of a rank, by round */
} Bench;

static void bench_new(Bench *b, const ModelKind *kind, const ModelShape *shape, const BenchOptions *o) {
    bench_model_new(&b->at, kind, shape, o, comm_world(), (int)o->tp);
    b->round = MEM_NEW(BenchTimes, o->repeat);
    b->peak = MEM_NEW(double, o->repeat);
}

static void bench_free(Bench *b) {
    bench_model_free(&b->at);
    mem_free(b->round);
    mem_free(b->peak);
}

/* The median over rounds of each part of a step. */
static BenchTimes median_of(const Bench *b, int n) {
    double *part = MEM_NEW(double, n);
    BenchTimes t;
    for (int i = 0; i < n; i++) part[i] = b->round[i].pass;
    t.pass = stats_median(part, n);
    for (int i = 0; i < n; i++) part[i] = b->round[i].sum;
    t.sum = stats_median(part, n);
    for (int i = 0; i < n; i++) part[i] = b->round[i].update;
    t.update = stats_median(part, n);
    mem_free(part);
    return t;
}

/* Prints the row; returns the seconds of a step, and its peak, of all ranks. */
static double report(double *best, Bench *b, const BenchOptions *o, Json *json) {
    int n = (int)o->repeat, ranks = comm_size(comm_world());
    const Model *m = b->at.model;
    BenchTimes t = median_of(b, n);
    double seconds = t.pass, peak = b->peak[0], rate = b->at.executed / seconds * 1e-9;
    for (int i = 1; i < n; i++) peak = fmax(peak, b->peak[i]); /* a peak is the best round */
    double share = rate / (ranks * peak);
    char sizes[64];
    bench_sizes(sizes, &m->shape);
    log_text("%-12s%-26s%10lld%9.2f%9.2f%9.2f%9.1f%9.1f%8.2f", m->kind->name, sizes, (long long)m->table.global,
             seconds * 1e3, t.sum * 1e3, t.update * 1e3, rate, ranks * peak, share);
    *best = ranks * peak;
    if (!json) return seconds;
    json_open_object(json, NULL);
    json_put_text(json, "model", m->kind->name);
    json_put_text(json, "sizes", sizes);
    json_put_int(json, "parameters", m->table.global);
    json_put_int(json, "ranks", ranks);
    json_put_int(json, "dp", comm_size(b->at.grid.dp));
    json_put_int(json, "tp", comm_size(b->at.grid.tp));
    json_put_int(json, "batch", o->batch);
    json_put_int(json, "tokens", o->tokens);
    json_put_number(json, "ms", seconds * 1e3);
    bench_json_rate(json, rate, ranks * peak);
    return seconds;
}

/* Rounds go over all models, the peak in each round beside each model. */
static void time_all(Bench *b, int n, const BenchOptions *o) {
    Peak peak = peak_new();
    peak_measure(&peak, o);
    for (int m = 0; m < n; m++) b[m].steps = bench_model_warm(&b[m].at, o);
    for (int round = 0; round < o->repeat; round++)
        for (int m = 0; m < n; m++) {
            b[m].peak[round] = peak_measure(&peak, o);
            bench_model_step(&b[m].at, o); /* the product has emptied the caches */
            b[m].round[round] = bench_model_steps(&b[m].at, o, b[m].steps);
        }
    peak_free(&peak);
}

Err bench_step(const BenchOptions *o, int *code) {
    Bench all[OPTION_LIST];
    int n = 0, dp = comm_size(comm_world()) / (int)o->tp;
    double bytes = 0;
    Err err = ERR_NONE;
    for (int i = 0; i < (o->model.n ? o->model.n : BENCH_ROWS) && !err.code; i++) {
        BenchRow row = bench_row(o, i);
        const ModelKind *kind = row.kind;
        err = kind->check(&row.shape, (int)o->tp);
        if (err.code && !o->model.n) { /* this many ranks do not divide the row's heads */
            log_text("%-12s%d channels: left out: %s", kind->name, row.shape.width, err.text);
            err = ERR_NONE;
            continue;
        }
        if (!err.code) err = bench_fits(o, bytes += bench_model_bytes(kind, &row.shape, o, dp, (int)o->tp));
        if (!err.code) bench_new(&all[n], kind, &row.shape, o);
        if (!err.code && row.parameters)
            CHECK(all[n].at.model->table.global == row.parameters, "%lld parameters",
                  (long long)all[n].at.model->table.global);
        n += !err.code;
    }
    if (!err.code) time_all(all, n, o);
    Json *json = err.code ? NULL : bench_json_new(o);
    if (!err.code) {
        log_text("batch of %lld samples x %lld tokens, %d rank%s, tp %lld, %s; "
                 "ms of forward and backward, of which the sum over dp; update beside it",
                 (long long)o->batch, (long long)o->tokens, comm_size(comm_world()), plural(comm_size(comm_world())),
                 (long long)o->tp, REAL_NAME);
        log_text("%-12s%-26s%10s%9s%9s%9s%9s%9s%8s", "model", "sizes", "weights", "ms", "sum", "update", "GFLOP/s",
                 "peak", "share");
    }
    bool equal = true, finite = true;
    double flop = 0, seconds = 0, possible = 0;
    for (int i = 0; i < n; i++) {
        if (!err.code) {
            double peak, took = report(&peak, &all[i], o, json);
            flop += all[i].at.executed;
            seconds += took;
            possible += took * peak;
            equal = bench_model_equal(&all[i].at) && equal;
            finite = bench_model_finite(&all[i].at) && finite;
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
