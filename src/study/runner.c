#include "study/runner.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/timer.h"
#include "infer/fit_options.h"
#include "io/commit.h"
#include "study/gather.h"
#include "study/measure.h"
#include "study/open.h"
#include "study/provenance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* runs, runs/NAME and runs/NAME/cells, by the root. Collective. */
static Err make_folders(const StudyOptions *o) {
    char path[3][600];
    Err err = ERR_NONE;
    snprintf(path[0], sizeof path[0], "%s", o->folder);
    snprintf(path[1], sizeof path[1], "%s/%s", o->folder, o->name);
    snprintf(path[2], sizeof path[2], "%s/%s/cells", o->folder, o->name);
    if (comm_rank(comm_world()) == 0)
        for (int i = 0; i < 3 && !err.code; i++)
            if (mkdir(path[i], 0777) && errno != EEXIST)
                err =
                    err_user("%s: %s: want study.folder to be a folder that can be written", path[i], strerror(errno));
    return comm_agree(comm_world(), err);
}

/* runs/NAME/used.yaml: every key that `run` reads with its value, a study file that says the same as file and command line
 * did together. Collective. */
static Err write_used(const StudyOptions *o) {
    FitOptions fit;
    KeyTable tables[STUDY_TABLES + 1];
    TRY(options_read(&fit, fit_keys, study_fit_keys()));
    int n = study_key_tables(tables, o);
    tables[n++] = (KeyTable){fit_keys, study_fit_keys(), &fit};
    Err err = ERR_NONE;
    if (comm_rank(comm_world()) == 0) {
        char path[1024], temp[COMMIT_PATH], *yaml = options_yaml(tables, n);
        snprintf(path, sizeof path, "%s/%s/used.yaml", o->folder, o->name);
        err = commit_name(temp, path);
        if (!err.code) err = commit_write(temp, yaml, strlen(yaml));
        if (!err.code) err = commit_rename(temp, path, true);
        mem_free(yaml);
    }
    return comm_agree(comm_world(), err);
}

/* ---- How far the study is: counters that every block adds to, in milliseconds. ---- */

enum { NEXT, CELLS, EXPECTED, SPENT, COUNTERS };

typedef struct Run {
    Grid *grid;
    const StudyOptions *options;
    const TrainData *data;
    Counters *counters;
    int *todo, n_todo; /* indices of the planned cells, most expensive first */
    int blocks;
    double expected; /* seconds of all planned cells, by the cost model */
    double start;
    const char *provenance;
    int current;  /* index of the cell at work */
    double shown; /* when the live line was last drawn */
} Run;

static void clock_text(char text[32], double seconds) {
    int s = (int)(seconds + 0.5);
    if (s < 60)
        snprintf(text, 32, "%d s", s);
    else if (s < 3600)
        snprintf(text, 32, "%d min %02d s", s / 60, s % 60);
    else
        snprintf(text, 32, "%d h %02d min", s / 3600, s / 60 % 60);
}

/* Seconds until the last cell ends: the cost model, corrected by how finished cells compared with it. */
static double time_left(const Run *run, double expected_ms, double spent_ms) {
    double correction = expected_ms > 0 ? spent_ms / expected_ms : 1;
    double left = correction * run->expected / run->blocks - (timer_now() - run->start);
    return left > 0 ? left : 0;
}

static bool show_step(void *context, int64_t done, int64_t steps) {
    Run *run = context;
    double now = timer_now();
    if (now - run->shown < 0.2) return false;
    run->shown = now;
    char left[32];
    clock_text(left, time_left(run, (double)counter_add(run->counters, EXPECTED, 0),
                               (double)counter_add(run->counters, SPENT, 0)));
    log_live("%lld of %d cells done; %s step %lld of %lld; about %s left",
             (long long)counter_add(run->counters, CELLS, 0), run->n_todo, run->grid->cell[run->current].record.id,
             (long long)done, (long long)steps, left);
    return false;
}

static void report(Run *run, const Cell *cell, double wall) {
    const CellRecord *r = &cell->record;
    int64_t expected = (int64_t)(cell->seconds * 1000) + 1, spent = (int64_t)(wall * 1000) + 1;
    expected += counter_add(run->counters, EXPECTED, expected);
    spent += counter_add(run->counters, SPENT, spent);
    int64_t done = counter_add(run->counters, CELLS, 1) + 1;
    char left[32], loss[32];
    clock_text(left, done == run->n_todo ? 0 : time_left(run, (double)expected, (double)spent));
    snprintf(loss, sizeof loss, r->outcome == OUTCOME_DONE ? "loss %.5f" : "diverged", r->loss);
    log_event("%3lld/%d  %-46s %-12s  %6.1f GFLOP/s  %6.1f s  left %s%s", (long long)done, run->n_todo, r->id, loss,
              r->compute[CURRENCY_EXECUTED] / r->seconds / 1e9, wall, left, cell->measured);
}

/* ---- Cells. ---- */

static void set_mark(const Run *run, const Cell *cell, bool there) {
    char path[1024], host[128] = "";
    cell_path(path, sizeof path, run->options, cell, "running");
    if (!there) {
        unlink(path);
        return;
    }
    FILE *f = fopen(path, "w");
    if (!f) return; /* only `status` misses it */
    gethostname(host, sizeof host - 1);
    fprintf(f, "%ld %s\n", (long)getpid(), host);
    fclose(f);
}

/* One cell on one block; its leader commits the record. Collective on the block. */
static Err run_cell(Run *run, int index, const ProcGrid *procs) {
    Cell *cell = &run->grid->cell[index];
    bool leader = comm_rank(procs->cell) == 0;
    CurvePoint *curve = MEM_NEW(CurvePoint, run->options->train.evaluations);
    MeasureSink found = {0};
    double start = timer_now();
    run->current = index;
    if (leader) set_mark(run, cell, true);
    TrainHooks hooks = {.step = show_step, .context = run};
    Err err = train_cell(&cell->record, curve, &found, &cell->job, &run->options->train, run->data, procs, &hooks);
    if (leader) {
        char path[1024];
        cell_path(path, sizeof path, run->options, cell, "h5");
        Results one = {.cells = 1,
                       .points = cell->record.curve_points,
                       .cell = &cell->record,
                       .curve = curve,
                       .measures = found.n,
                       .measure = found.row};
        snprintf(one.study, sizeof one.study, "%.31s", run->options->name);
        err = results_write_cell(path, &one, run->provenance);
        set_mark(run, cell, false);
        study_measure_text(cell->measured, sizeof cell->measured, one.measure, one.measures);
        if (!err.code) report(run, cell, timer_now() - start);
    }
    mem_free(found.row);
    mem_free(curve);
    cell->state = cell->record.outcome == OUTCOME_DONE ? CELL_DONE : CELL_DIVERGED;
    return comm_agree(procs->cell, err);
}

static Err work(Run *run) {
    const Comm *world = comm_world();
    int per_block = (int)(run->options->dp * run->options->tp);
    Comm *block = comm_split(world, comm_rank(world) / per_block);
    ProcGrid procs = procgrid_new(block, (int)run->options->dp, (int)run->options->tp);
    Err err = ERR_NONE;
    while (!err.code) {
        int64_t next = comm_rank(block) == 0 ? counter_add(run->counters, NEXT, 1) : 0;
        comm_bcast(block, &next, sizeof next, 0);
        if (next >= run->n_todo) break;
        err = run_cell(run, run->todo[next], &procs);
    }
    procgrid_free(&procs);
    comm_free(block);
    return comm_agree(world, err);
}

/* Cells whose records cannot say what data they were trained on. */
static void say_unknown_data(const Grid *grid) {
    int n = 0;
    for (int i = 0; i < grid->n; i++) n += grid->cell[i].state >= CELL_DONE && !grid->cell[i].record.data[0];
    if (n) log_line("%d cells are from before records held a digest of their data: their data.* keys are these", n);
}

Err study_run(Grid *grid, const StudyOptions *options, const TrainData *data) {
    const Comm *world = comm_world();
    int per_block = (int)(options->dp * options->tp);
    if (comm_size(world) % per_block)
        return err_user(
            "layout.dp x layout.tp = %lld x %lld on %d ranks: want a number of ranks that is a multiple of %d",
            (long long)options->dp, (long long)options->tp, comm_size(world), per_block);
    TRY(gather_check(grid, options));
    TRY(make_folders(options));
    TRY(write_used(options));
    Run run = {.grid = grid, .options = options, .data = data, .blocks = comm_size(world) / per_block};
    run.todo = MEM_NEW(int, grid->n + 1);
    for (int i = 0; i < grid->n; i++)
        if (grid->cell[i].state == CELL_PLANNED || grid->cell[i].state == CELL_RUNNING) {
            run.todo[run.n_todo++] = i;
            run.expected += grid->cell[i].seconds;
        }
    say_unknown_data(grid);
    char left[32];
    clock_text(left, run.expected / run.blocks);
    log_line("%d of %d cells to run, %d at a time on %lld x %lld ranks each; about %s", run.n_todo, grid->n, run.blocks,
             (long long)options->dp, (long long)options->tp, left);
    char *provenance = provenance_text(options, world);
    run.provenance = provenance;
    run.counters = counters_new(world, COUNTERS);
    run.start = timer_now();
    Err err = work(&run);
    counters_free(run.counters);
    mem_free(provenance);
    mem_free(run.todo);
    return err;
}
