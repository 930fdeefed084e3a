/* One cell on more and more ranks, and more and more cells: strong scaling over dp and over tp, where one batch is shared out,
 * and weak scaling, where every rank trains a model of its own, as a study's blocks do. Efficiency: the time of one rank
 * over that of p, by p where the work is shared out. */
#include "bench_model.h"

#include "base/arena.h"
#include "base/log.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef enum Way { STRONG_DP, STRONG_TP, WEAK, WAYS } Way;
static const char *const way_name[] = {[STRONG_DP] = "strong dp", [STRONG_TP] = "strong tp", [WEAK] = "weak"};

/* What a row found, the same on every rank. */
typedef struct Found {
    double seconds; /* of a step on the rank that took longest; 0: the model does not divide so */
    double flop;    /* of all ranks */
    bool finite, equal;
} Found;

/* On the first `ranks` ranks; the others wait. Collective on the world. */
static Found time_row(const BenchRow *row, Way way, int ranks, const BenchOptions *o) {
    const Comm *world = comm_world();
    bool works = comm_rank(world) < ranks;
    int tp = way == STRONG_TP ? ranks : 1;
    Found f = {.finite = true, .equal = true};
    const ModelKind *kind = row->kind;
    if (kind->check(&row->shape, tp).code) return f;
    Comm *together = comm_split(world, works ? 0 : -1), *apart = comm_split(world, works ? comm_rank(world) : -1);
    if (works) {
        BenchModel b;
        bench_model_new(&b, kind, &row->shape, o, way == WEAK ? apart : together, tp);
        int64_t steps = bench_model_warm(&b, o);
        comm_max_i64(together, &steps, 1);
        double *round = MEM_NEW(double, o->repeat);
        for (int r = 0; r < o->repeat; r++) {
            comm_barrier(together);
            round[r] = bench_model_steps(&b, o, (int)steps).pass;
            comm_max_f64(together, &round[r], 1);
        }
        f = (Found){stats_median(round, o->repeat), b.executed * (way == WEAK ? ranks : 1), bench_model_finite(&b),
                    bench_model_equal(&b)};
        f.finite = comm_all(together, f.finite);
        mem_free(round);
        bench_model_free(&b);
    }
    comm_free(together);
    comm_free(apart);
    comm_bcast(world, &f, sizeof f, 0);
    return f;
}

static void print_row(Json *json, const BenchRow *row, Way way, int ranks, const Found *f, double alone,
                      const BenchOptions *o) {
    double efficiency = alone / f->seconds / (way == WEAK ? 1 : ranks);
    char sizes[64];
    bench_sizes(sizes, &row->shape);
    log_text("%-12s%-26s%-10s%7d%10.2f%12.3f%12.1f", row->kind->name, sizes, way_name[way], ranks, f->seconds * 1e3,
             efficiency, 1e-9 * f->flop / f->seconds);
    if (!json) return;
    json_open_object(json, NULL);
    json_put_text(json, "model", row->kind->name);
    json_put_text(json, "sizes", sizes);
    json_put_text(json, "way", way_name[way]);
    json_put_int(json, "ranks", ranks);
    json_put_int(json, "batch", o->batch);
    json_put_int(json, "tokens", o->tokens);
    json_put_number(json, "step_ms", f->seconds * 1e3);
    json_put_number(json, "efficiency", efficiency);
    json_put_number(json, "rate_gflops", 1e-9 * f->flop / f->seconds);
    json_close(json);
}

/* 1, 2, 4, ... and all. */
static int next_ranks(int ranks, int all) {
    return 2 * ranks < all || ranks == all ? 2 * ranks : all;
}

Err bench_scaling(const BenchOptions *o, int *code) {
    static const int shown[] = {BENCH_GATR, BENCH_TRANSFORMER};
    int all = comm_size(comm_world()), models = o->model.n ? o->model.n : (int)(sizeof shown / sizeof *shown);
    double top = 0, flop = 0, seconds = 0;
    bool finite = true, equal = true;
    for (int m = 0; m < models; m++) {
        BenchRow row = bench_row(o, o->model.n ? m : shown[m]);
        TRY(row.kind->check(&row.shape, 1));
        TRY(bench_fits(o, bench_model_bytes(row.kind, &row.shape, o, 1, 1)));
    }
    Peak peak = peak_new();
    for (int i = 0; i < o->repeat; i++) top = fmax(top, all * peak_measure(&peak, o));
    peak_free(&peak);
    Json *json = bench_json_new(o);
    log_text("batch of %lld samples x %lld tokens, %s; ms of forward and backward with the sum over dp",
             (long long)o->batch, (long long)o->tokens, REAL_NAME);
    log_text("%-12s%-26s%-10s%7s%10s%12s%12s", "model", "sizes", "scaling", "ranks", "ms", "efficiency", "GFLOP/s");
    for (int m = 0; m < models; m++) {
        BenchRow row = bench_row(o, o->model.n ? m : shown[m]);
        for (Way way = 0; way < WAYS; way++) {
            double alone = 0;
            for (int ranks = 1; ranks <= all; ranks = next_ranks(ranks, all)) {
                if (way == STRONG_DP && ranks > o->batch) continue;
                Found f = time_row(&row, way, ranks, o);
                if (f.seconds <= 0) continue;
                if (ranks == 1) alone = f.seconds;
                print_row(json, &row, way, ranks, &f, alone, o);
                finite = finite && f.finite;
                equal = equal && f.equal;
                if (ranks < all) continue;
                flop += f.flop;
                seconds += f.seconds;
            }
        }
    }
    const BenchCheck check[] = {{"outputs are finite", finite}, {"replicas are equal bit for bit", equal}};
    const BenchMerit merit = {.what = "scaling",
                              .gflops = 1e-9 * flop / seconds,
                              .peak = top,
                              .joules = NAN,
                              .checks = sizeof check / sizeof *check,
                              .check = check};
    return bench_end(json, o, &merit, code);
}
