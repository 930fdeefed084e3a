#include "bench.h"
#include "commands.h"

#include "base/arena.h"
#include "base/energy.h"
#include "base/log.h"
#include "base/timer.h"
#include "la/flops.h"
#include "study/gather.h"
#include "study/open.h"
#include "study/runner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* ---- Energy: one rank of each node reads its counters. ---- */

static bool reads_energy(void) {
    int nodes, *node;
    Comm *by_node = comm_by_node(&nodes, &node);
    bool first = false;
    for (int k = 0; k < nodes; k++) first = first || node[k] == comm_rank(by_node);
    comm_free(by_node);
    mem_free(node);
    return first;
}

/* J of all nodes; NaN where one cannot say. */
static double joules_of(const Energy *energy, bool reads) {
    double joules = reads ? energy->joules : 0;
    comm_sum_f64(comm_world(), &joules, 1);
    return joules;
}

/* ---- Checks. ---- */

typedef struct Outcome {
    bool readable, finished, within;
    int diverged;
} Outcome;

/* What the gathered file says, read anew. Collective. */
static Outcome look(const char *path, int planned, double loss_max) {
    Outcome o = {0};
    if (comm_rank(comm_world()) == 0) {
        Results r = {0};
        Err err = results_read(&r, path);
        int64_t done = 0, good = 0;
        for (int64_t i = 0; i < r.cells; i++) {
            bool ended = r.cell[i].outcome == OUTCOME_DONE;
            done += ended;
            good += ended && r.cell[i].loss > 0 && r.cell[i].loss <= loss_max;
        }
        o = (Outcome){.readable = !err.code, .finished = done == planned && r.cells == planned, .within = good == done};
        if (err.code) log_line("%s", err.text);
        results_free(&r);
    }
    comm_bcast(comm_world(), &o, sizeof o, 0);
    return o;
}

/* ---- The run. ---- */

static Err report(const BenchOptions *o, const Study *s, int cells, double gflop, double seconds, double peak,
                  double joules, int *code) {
    int ranks = comm_size(comm_world());
    double rate = gflop / seconds / ranks;
    const char *name = s->options.name;
    char path[1024], within[96];
    gather_path(path, sizeof path, &s->options);
    Outcome outcome = look(path, s->grid.n, o->loss_max);
    log_text("%s: %d cell%s in %.1f s on %d rank%s; a rank %.1f GFLOP/s over all of that time, its product 2048^3 "
             "%.1f, share %.2f",
             name, cells, plural(cells), seconds, ranks, plural(ranks), rate, peak, rate / peak);
    Json *json = bench_json_new(o);
    if (json) {
        json_open_object(json, NULL);
        json_put_text(json, "study", name);
        json_put_int(json, "cells", cells);
        json_put_int(json, "ranks", ranks);
        json_put_number(json, "ms", seconds * 1e3);
        json_put_number(json, "models_per_minute", 60 * cells / seconds);
        bench_json_rate(json, ranks * rate, ranks * peak);
    }
    snprintf(within, sizeof within, "test losses are above 0 and at most %g", o->loss_max);
    const BenchCheck check[] = {{"the gathered file is readable", outcome.readable},
                                {"every cell is finished", outcome.finished},
                                {within, outcome.within}};
    const BenchMerit merit = {.what = name,
                              .gflops = ranks * rate,
                              .peak = ranks * peak,
                              .joules = joules,
                              .checks = sizeof check / sizeof *check,
                              .check = check};
    return bench_end(json, o, &merit, code);
}

/* Everything from the first step to the gathered file. Collective. */
static Err run(Study *s) {
    StudyPlan plan;
    TRY(plan_make(&plan, &s->grid, &s->options, &s->data, &(PlanTarget){0}));
    Err err = study_run(&s->grid, &s->options, &s->data, &plan);
    plan_free(&plan);
    return err.code ? err : gather_results(&s->grid, &s->options);
}

/* Those of bench_keys that it takes: the others are no keys here, in a study file either. */
static Err read_keys(BenchOptions *o) {
    for (int i = 0; i < n_bench_keys; i++)
        if (!command_idles(bench_command("study"), bench_keys[i].key)) TRY(options_read(o, &bench_keys[i], 1));
    return ERR_NONE;
}

Err bench_study(int argc, char **argv, int *code) {
    BenchOptions o = {.cpu = false};
    Study s;
    static char name[] = "bench study"; /* as errors name the command */
    argv[0] = name;
    TRY(study_load(argc, argv));
    TRY(bench_refuse(bench_command("study")->idle));
    TRY(read_keys(&o));
    TRY(answer_check("json", o.json, 1, (const char *const[]){argv[1]}));
    TRY(study_options_read(&s.options));
    TRY(study_open(&s, true));
    Peak peak = peak_new();
    bool reads = reads_energy();
    Energy energy = energy_open();
    double top = peak_of_rounds(&peak, &o, 0), start = timer_now(), before = executed();
    int cells = 0;
    energy_start(&energy);
    Err err = grid_scan(&s.grid, &s.options, comm_world(), true);
    for (int i = 0; i < s.grid.n; i++) cells += s.grid.cell[i].state == CELL_PLANNED;
    if (!err.code && !cells) err = err_user("%s: nothing is left to run: want a fresh study", options_source());
    if (!err.code) err = run(&s);
    double gflop = executed() - before, seconds = bench_slowest(&o, comm_world(), start);
    energy_stop(&energy);
    double joules = joules_of(&energy, reads);
    top = peak_of_rounds(&peak, &o, top);
    if (!err.code) err = report(&o, &s, cells, gflop, seconds, top, joules, code);
    peak_free(&peak);
    study_close(&s);
    return err;
}
