#include "study/grid.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/rng.h"
#include "study/measure.h"
#include "train/forecast.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Making the cells. ---- */

static int kind_index(const ModelKind *kind) {
    for (int k = 0; k < n_model_kinds; k++)
        if (model_kinds[k] == kind) return k;
    CHECK(false, "model %s is not in the list", kind->name);
}

static ModelShape shape_of(const StudyOptions *o, const Arm *arm, int size, int slots) {
    const SizeOptions *s = &o->sizes[kind_index(arm->kind)];
    ModelShape shape = {.width = (int)s->width.at[size],
                        .width_s = s->scalars.n ? (int)s->scalars.at[size] : 2 * (int)s->width.at[size],
                        .depth = (int)s->depth.at[size],
                        .heads = (int)s->heads.at[size],
                        .multi_query = s->multi_query,
                        .increase = (int)s->increase};
    arm->kind->scene_shape(&shape, slots);
    if (!shape.in_mv) shape.width_s = 0;
    return shape;
}

static int64_t parameters_of(const ModelKind *kind, const ModelShape *shape) {
    ParamTable table = param_table_new(1, 0);
    kind->params(&table, shape);
    int64_t n = table.global;
    param_table_free(&table);
    return n;
}

typedef struct Choice {
    int arm, size, rate; /* indices in study.arms, in the lists of the model, in the rates of the arm */
    int64_t steps, dataset, seed;
    const char *role;
} Choice;

static void add_cell(Grid *grid, const StudyOptions *o, const TrainData *data, Choice c) {
    const Arm *arm = arm_find(o->arms.at[c.arm]);
    const RateOptions *rates = &o->rates[arm - arms];
    ModelShape shape = shape_of(o, arm, c.size, data->slots);
    int64_t n = parameters_of(arm->kind, &shape);
    double lr = rates->lr.at[c.rate] * pow((double)n / 1e5, -rates->lr_exponent);

    grid->cell = mem_grow(grid->cell, (size_t)(grid->n + 1) * sizeof *grid->cell);
    Cell *cell = &grid->cell[grid->n++];
    *cell = (Cell){.job = {.kind = arm->kind,
                           .shape = shape,
                           .procedure = arm->procedure,
                           .procedure_options = study_options_procedure(o, arm->procedure),
                           .measures = &o->chosen,
                           .steps = c.steps,
                           .dataset = c.dataset,
                           .seed = (uint64_t)c.seed,
                           .lr = lr}};
    CellRecord *r = &cell->record;
    snprintf(r->arm, sizeof r->arm, "%s", arm->name);
    snprintf(r->role, sizeof r->role, "%s", c.role);
    char rate[24] = "", scalars[16] = "";
    if (rates->lr.n > 1) snprintf(rate, sizeof rate, "-lr%g", rates->lr.at[c.rate]);
    if (shape.width_s) snprintf(scalars, sizeof scalars, "s%d", shape.width_s);
    snprintf(r->id, sizeof r->id, "%s-w%d%sx%dh%d-t%lld-n%lld-r%lld%s", arm->name, shape.width, scalars, shape.depth,
             shape.heads, (long long)c.steps, (long long)c.dataset, (long long)c.seed, rate);
    r->width = shape.width;
    r->depth = shape.depth;
    r->heads = shape.heads;
    r->parameters = n;
    r->steps = c.steps;
    r->batch = o->train.batch;
    r->samples = c.steps * o->train.batch;
    r->dataset = c.dataset;
    r->seed = c.seed;
    r->lr = lr;
    r->dp = o->dp;
    r->tp = o->tp;
    ModelFlops step = forecast_flops(&cell->job, &o->train, data, (int)o->tp);
    cell->flop_nominal = step.nominal * (double)c.steps;
    cell->flop_executed = step.executed * (double)c.steps;
    cell->bytes = forecast_bytes(&cell->job, &o->train, data, (int)o->dp, (int)o->tp);
}

static bool present(const Grid *grid, const char *id) {
    for (int i = 0; i < grid->n; i++)
        if (!strcmp(grid->cell[i].record.id, id)) return true;
    return false;
}

/* The cells of one arm at one learning rate and seed. */
static void add_arm(Grid *grid, const StudyOptions *o, const TrainData *data, int arm, int rate, int64_t seed) {
    int64_t whole = study_options_trajectories(o);
    int sizes = o->sizes[kind_index(arm_find(o->arms.at[arm])->kind)].width.n;
    for (int s = 0; s < sizes; s++)
        for (int t = 0; t < o->steps.n; t++)
            add_cell(grid, o, data, (Choice){arm, s, rate, o->steps.at[t], whole, seed, "grid"});
    for (int d = 0; o->datasets.n > 1 && d < o->datasets.n; d++) {
        add_cell(grid, o, data, (Choice){arm, (int)o->data_size, rate, o->data_steps, o->datasets.at[d], seed, "data"});
        Cell last = grid->cell[--grid->n];
        if (!present(grid, last.record.id)) grid->n++; /* the whole training set may be a cell of the grid already */
    }
}

static uint64_t digest_of(const StudyOptions *o, const TrainData *data) {
    char *train = options_text(&o->train, train_keys, n_train_keys);
    uint64_t h = rng_stream(train, dataset_digest(data->dataset, dataset_size(data->dataset)));
    mem_free(train);
    h = rng_stream(REAL_NAME, h);
    int64_t rest[] = {o->test_trajectories, o->validation_trajectories, o->test_samples, o->validation_samples};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) h = rng_stream("held out", h ^ (uint64_t)rest[i]);
    for (int k = 0; k < n_model_kinds; k++)
        h = rng_stream(model_kinds[k]->name, h ^ (uint64_t)(2 * o->sizes[k].increase + o->sizes[k].multi_query));
    return h;
}

Err grid_new(Grid *grid, const StudyOptions *options, const TrainData *data) {
    *grid = (Grid){.digest = digest_of(options, data)};
    for (int a = 0; a < options->arms.n; a++) {
        const Arm *arm = arm_find(options->arms.at[a]);
        for (int s = 0; s < options->sizes[kind_index(arm->kind)].width.n; s++) {
            ModelShape shape = shape_of(options, arm, s, data->slots);
            TRY(arm->kind->check(&shape, (int)options->tp));
        }
    }
    if (options->dp > options->train.batch)
        return err_user("%s: layout.dp = %lld: want at most train.batch = %lld", options_source(),
                        (long long)options->dp, (long long)options->train.batch);
    for (int a = 0; a < options->arms.n; a++) {
        const Arm *arm = arm_find(options->arms.at[a]);
        for (int r = 0; r < options->rates[arm - arms].lr.n; r++)
            for (int s = 0; s < options->seeds.n; s++) add_arm(grid, options, data, a, r, options->seeds.at[s]);
    }
    return ERR_NONE;
}

void grid_free(Grid *grid) {
    mem_free(grid->cell);
    *grid = (Grid){0};
}

/* ---- What they will cost. ---- */

enum { MOMENT_FLOP = 400000000 }; /* executed FLOP of a timed step: well under a second on one core */

static bool same_size(const Cell *a, const Cell *b) {
    return !strcmp(a->record.arm, b->record.arm) && !memcmp(&a->job.shape, &b->job.shape, sizeof a->job.shape);
}

static int by_cost(const void *x, const void *y) {
    const Cell *a = x, *b = y;
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? 1 : -1;
    return strcmp(a->record.id, b->record.id);
}

/* Executed FLOP of one sample. */
static double sample_flop(const Cell *c) {
    return c->flop_executed / (double)c->record.samples;
}

void grid_time(Grid *grid, const StudyOptions *options, const TrainData *data, const Comm *comm) {
    double *seconds = MEM_NEW(double, grid->n); /* a sample, of the first cell of each size */
    int sizes = 0;
    for (int i = 0; i < grid->n; i++) {
        Cell *c = &grid->cell[i];
        bool first = true;
        for (int k = 0; k < i; k++) first &= !same_size(&grid->cell[k], c);
        if (!first || sample_flop(c) > MOMENT_FLOP) continue;
        if (sizes++ % comm_size(comm) != comm_rank(comm)) continue;
        int64_t fit = (int64_t)(MOMENT_FLOP / sample_flop(c));
        int samples = (int)(fit < options->train.batch ? fit : options->train.batch);
        seconds[i] = forecast_seconds(&c->job, &options->train, data, samples) / samples;
    }
    comm_sum_f64(comm, seconds, grid->n);
    double evaluated = (double)((options->train.evaluations + 1) * options->test_samples + options->validation_samples);
    evaluated += measure_passes(&options->chosen, data);
    for (int i = 0; i < grid->n; i++) {
        Cell *c = &grid->cell[i];
        double rate = 1e9,
               near = 0; /* seconds a FLOP of the largest timed size of this model, unless it was timed itself */
        for (int k = 0; k < grid->n; k++) {
            const Cell *timed = &grid->cell[k];
            bool same = same_size(timed, c);
            if (seconds[k] == 0 || timed->job.kind != c->job.kind || (!same && sample_flop(timed) < near)) continue;
            near = same ? INFINITY : sample_flop(timed);
            rate = sample_flop(timed) / seconds[k];
        }
        double samples = (double)c->record.samples + evaluated / 3; /* a forward pass is a third of a step */
        c->seconds = samples * sample_flop(c) / rate / (double)(options->dp * options->tp);
    }
    mem_free(seconds);
    qsort(grid->cell, (size_t)grid->n, sizeof *grid->cell, by_cost);
}

/* ---- What is done already. ---- */

void cell_path(char *path, size_t size, const StudyOptions *options, const Cell *cell, const char *suffix) {
    snprintf(path, size, "%s/%s/cells/%s.%s", options->folder, options->name, cell->record.id, suffix);
}

const char *cell_state_name(CellState state) {
    static const char *name[] = {"planned", "running", "done", "diverged", "failed"};
    return name[state];
}

/* Whether the process that left the mark is still there; one on another host is believed. */
static bool at_work(const char *mark) {
    FILE *f = fopen(mark, "r");
    char host[128], here[128] = "";
    long pid = 0;
    if (!f) return false;
    bool read = fscanf(f, "%ld %127s", &pid, host) == 2;
    fclose(f);
    gethostname(here, sizeof here - 1);
    return read && (strcmp(host, here) || kill((pid_t)pid, 0) == 0);
}

static Err scan_one(Cell *cell, const Grid *grid, const StudyOptions *options) {
    char path[1024];
    cell_path(path, sizeof path, options, cell, "h5");
    if (access(path, F_OK)) {
        cell_path(path, sizeof path, options, cell, "running");
        cell->state = at_work(path) ? CELL_RUNNING : CELL_PLANNED;
        return ERR_NONE;
    }
    Results one = {0};
    TRY(results_read(&one, path));
    Err err = ERR_NONE;
    if (one.cells != 1 || strcmp(one.cell[0].id, cell->record.id) || (grid->digest && one.digest != grid->digest))
        err = err_user("%s: belongs to another study (other data.*, train.*, held-out sets or precision): want another "
                       "study.name, or that folder moved away",
                       path);
    else if (fabs(one.cell[0].lr / cell->record.lr - 1) > 1e-9)
        err =
            err_user("%s: was trained with learning rate %g, this study says %g: want another study.name, or that file "
                     "moved away",
                     path, one.cell[0].lr, cell->record.lr);
    else {
        char role[RESULTS_NAME];
        memcpy(role, cell->record.role, sizeof role);
        cell->record = one.cell[0];
        memcpy(cell->record.role, role, sizeof role);
        study_measure_text(cell->measured, sizeof cell->measured, one.measure, one.measures);
        cell->state = cell->record.outcome == OUTCOME_DONE       ? CELL_DONE
                      : cell->record.outcome == OUTCOME_DIVERGED ? CELL_DIVERGED
                                                                 : CELL_FAILED;
    }
    results_free(&one);
    return err;
}

Err grid_scan(Grid *grid, const StudyOptions *options, const Comm *comm) {
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0)
        for (int i = 0; i < grid->n && !err.code; i++) err = scan_one(&grid->cell[i], grid, options);
    TRY(comm_agree(comm, err));
    for (int i = 0; i < grid->n; i++) {
        comm_bcast(comm, &grid->cell[i].record, sizeof grid->cell[i].record, 0);
        comm_bcast(comm, &grid->cell[i].state, sizeof grid->cell[i].state, 0);
    }
    return ERR_NONE;
}
