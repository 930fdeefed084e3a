#include "bench.h"

#include "base/log.h"
#include "base/timer.h"
#include "la/flops.h"
#include "study/gather.h"
#include "study/open.h"
#include "study/runner.h"

#include <math.h>

enum { PEAK_ROUNDS = 3 };

static double peak_of_rounds(Peak *peak, const BenchOptions *o, double best) {
    for (int i = 0; i < PEAK_ROUNDS; i++) best = fmax(best, peak_measure(peak, o));
    return best;
}

/* What the kernels have executed over all ranks, in GFLOP. */
static double executed(void) {
    double gflop = 1e-9 * (double)flops_counted();
    comm_sum_f64(comm_world(), &gflop, 1);
    return gflop;
}

static Err report(const BenchOptions *o, const char *name, int cells, double gflop, double seconds, double peak) {
    int ranks = comm_size(comm_world());
    double rate = gflop / seconds / ranks;
    log_text(
        "%s: %d cells in %.1f s on %d ranks; a rank %.1f GFLOP/s over all of that time, its product 2048^3 %.1f, share "
        "%.2f",
        name, cells, seconds, ranks, rate, peak, rate / peak);
    Json *json = bench_json_new(o);
    if (json) {
        json_open_object(json, NULL);
        json_put_text(json, "study", name);
        json_put_int(json, "cells", cells);
        json_put_int(json, "ranks", ranks);
        json_put_number(json, "ms", seconds * 1e3);
        bench_json_rate(json, rate, peak);
    }
    return bench_json_commit(json, o);
}

Err bench_study(int argc, char **argv) {
    static const KeySpec keys[] = {
        {"json", KEY_WORD, offsetof(BenchOptions, json), "", 0, 0, NULL, "1", "file for the row", NULL}};
    BenchOptions o = {.cpu = false};
    Study s;
    TRY(study_load(argc, argv));
    TRY(options_read(&o, keys, sizeof keys / sizeof *keys));
    TRY(bench_json_check(&o));
    TRY(study_open(&s, true));
    Peak peak = peak_new();
    double top = peak_of_rounds(&peak, &o, 0), start = timer_now();
    int cells = 0;
    Err err = grid_scan(&s.grid, &s.options, comm_world(), true);
    for (int i = 0; i < s.grid.n; i++) cells += s.grid.cell[i].state == CELL_PLANNED;
    if (!err.code && !cells) err = err_user("%s: nothing is left to run: want a fresh study", options_source());
    if (!err.code) {
        StudyPlan plan;
        err = plan_make(&plan, &s.grid, &s.options, &s.data, &(PlanTarget){0});
        double before = executed();
        if (!err.code) {
            err = study_run(&s.grid, &s.options, &s.data, &plan);
            plan_free(&plan);
        }
        if (!err.code) err = gather_results(&s.grid, &s.options);
        double gflop = executed() - before, seconds = bench_slowest(&o, start);
        top = peak_of_rounds(&peak, &o, top);
        if (!err.code) err = report(&o, s.options.name, cells, gflop, seconds, top);
    }
    peak_free(&peak);
    study_close(&s);
    return err;
}
