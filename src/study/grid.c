#include "study/grid.h"

#include "base/arena.h"
#include "study/budget.h"
#include "study/rule.h"
#include "train/forecast.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ModelShape shape_of(const StudyOptions *o, const Arm *arm, int size, const TrainData *data) {
    ModelShape shape = model_shape(study_options_sizes(o, arm->kind), size);
    shape.upright = arm->upright;
    arm->kind->scene_shape(&shape, data->slots, data->worlds);
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
    int arm, size, rate; /* indices in study.arms, in the lists of the model, in the rates of the arm, */
    int weight;          /* and in what its procedure sweeps */
    int64_t steps, dataset, seed;
    const char *role;
} Choice;

/* A grid while it is made: its cells are counted, then there is room for all of them, then they are filled in. */
typedef struct Maker {
    Grid *grid;
    int64_t cells;
    const StudyOptions *options;
    const TrainData *data;
    bool sampled;
    int first_kind[STUDY_ARMS]; /* of each of study.arms; sizes follow, at each weight that is swept */
    int64_t digest_of;          /* the training set of the digest below; 0: none yet */
    char digest[DATASET_DIGEST];
} Maker;

static int sizes_of(const StudyOptions *o, int arm) {
    return study_options_sizes(o, arm_find(o->arms.at[arm])->kind)->width.n;
}

/* Entries of what the procedure of an arm sweeps. */
static int weights_of(const StudyOptions *o, int arm) {
    const Procedure *procedure = arm_find(o->arms.at[arm])->procedure;
    const RealList *list = procedure_swept(procedure, study_options_procedure(o, procedure));
    return list ? list->n : 1;
}

/* The options of an arm's procedure at one of these; the grid keeps them. */
static const void *take_weight(double *swept, Grid *grid, const StudyOptions *o, const Procedure *procedure,
                               int weight) {
    const void *all = study_options_procedure(o, procedure);
    *swept = NAN;
    if (!procedure->swept) return all;
    OptionRoom *one = MEM_NEW(OptionRoom, 1);
    *swept = procedure_take(one, procedure, all, weight);
    grid->options = mem_grow(grid->options, (size_t)(grid->swept + 1) * sizeof *grid->options);
    grid->options[grid->swept++] = one;
    return one;
}

/* Whether models of that shape can be trained as the study file asks. */
static Err check_shape(const ModelShape *shape, const StudyOptions *o, const ModelKind *kind) {
    TRY(kind->check(shape, o->tp ? (int)o->tp : 1));
    if (o->train.recompute == MEANS_ALWAYS && !kind->recomputes)
        return err_user("%s: train.recompute = always: %s keeps what its blocks find: want auto, or other arms",
                        options_source(), kind->name);
    return ERR_NONE;
}

static Err check_dp(const StudyOptions *o) {
    if (o->dp <= o->train.batch) return ERR_NONE;
    return err_user("%s: layout.dp = %lld: want at most train.batch = %lld", options_source(), (long long)o->dp,
                    (long long)o->train.batch);
}

Err grid_check(const StudyOptions *o, const TrainData *data) {
    for (int a = 0; a < o->arms.n; a++) {
        const Arm *arm = arm_find(o->arms.at[a]);
        TRY(train_check(&o->train, arm->procedure, study_options_procedure(o, arm->procedure), o->dp));
        for (int size = 0; size < sizes_of(o, a); size++) {
            ModelShape shape = shape_of(o, arm, size, data);
            TRY(check_shape(&shape, o, arm->kind));
        }
    }
    return check_dp(o);
}

/* What the cells of an arm at one size and weight have in common, once. */
static Err add_kind(Maker *m, int arm, int size, int weight) {
    const StudyOptions *o = m->options;
    const Arm *a = arm_find(o->arms.at[arm]);
    ModelShape shape = shape_of(o, a, size, m->data);
    TRY(check_shape(&shape, o, a->kind));
    GridKind kind = {.parameters = parameters_of(a->kind, &shape),
                     .job = {.kind = a->kind,
                             .shape = shape,
                             .procedure = a->procedure,
                             .measures = &o->chosen,
                             .steps = 1,
                             .dataset = study_options_trajectories(o),
                             .seed = 1}};
    Grid *grid = m->grid;
    kind.job.procedure_options = take_weight(&kind.swept, grid, o, a->procedure, weight);
    ModelFlops step = forecast_flops(&kind.job, &o->train, m->data, 1);
    kind.nominal = step.nominal;
    kind.executed = step.executed;
    grid->kind = mem_grow(grid->kind, (size_t)(grid->kinds + 1) * sizeof *grid->kind);
    grid->kind[grid->kinds++] = kind;
    return ERR_NONE;
}

static Err add_kinds(Maker *m) {
    const StudyOptions *o = m->options;
    for (int a = 0; a < o->arms.n; a++) {
        const Procedure *procedure = arm_find(o->arms.at[a])->procedure;
        const void *keys = study_options_procedure(o, procedure);
        if (procedure->check) TRY(procedure->check(keys, m->data));
        TRY(train_check(&o->train, procedure, keys, o->dp));
        m->first_kind[a] = m->grid->kinds;
        for (int w = 0; w < weights_of(o, a); w++)
            for (int s = 0; s < sizes_of(o, a); s++) TRY(add_kind(m, a, s, w));
    }
    return ERR_NONE;
}

/* A rate in as few digits as say which it is. */
static void rate_text(char text[32], double rate) {
    snprintf(text, 32, "%g", rate);
    if (strtod(text, NULL) != rate) snprintf(text, 32, "%.17g", rate);
}

/* What a cell's procedure does that its arm does not say: a weight that is not its key's default, so that names stay as they
 * are when a sweep gets more of them, and its mark. */
static void procedure_text(char text[48], const Cell *cell) {
    const TrainJob *job = &cell->job;
    char digits[32];
    const char *mark = job->procedure->mark ? job->procedure->mark(job->procedure_options) : NULL;
    text[0] = 0;
    if (!isnan(cell->record.swept) && cell->record.swept != procedure_swept_default(job->procedure)) {
        rate_text(digits, cell->record.swept);
        snprintf(text, 48, "-e%s", digits);
    }
    size_t used = strlen(text);
    if (mark) snprintf(text + used, 48 - used, "-%s", mark);
}

void cell_name(char id[RESULTS_ID], const Cell *cell, bool swept) {
    const CellRecord *r = &cell->record;
    char digits[32], suffix[40] = "", scalars[32] = "", fixed[32] = "", procedure[48];
    procedure_text(procedure, cell);
    rate_text(digits, cell->rate);
    if (swept) snprintf(suffix, sizeof suffix, "-lr%s", digits);
    if (r->scalars) snprintf(scalars, sizeof scalars, "s%lld", (long long)r->scalars);
    if (r->fixed) snprintf(fixed, sizeof fixed, "k%lld", (long long)r->fixed);
    int n = snprintf(id, RESULTS_ID, "%s-w%lld%sx%lldh%lld%s%s-t%lld-n%lld-r%lld%s", r->arm, (long long)r->width,
                     scalars, (long long)r->depth, (long long)r->heads, fixed, procedure, (long long)r->steps,
                     (long long)r->dataset, (long long)r->seed, suffix);
    CHECK(n < RESULTS_ID, "a name of %d letters", n);
}

/* Of the data that a training set needs; the last one is remembered. */
static const char *digest_of(Maker *m, int64_t dataset) {
    if (m->digest_of != dataset)
        dataset_digest_text(m->digest, dataset_digest(m->data->dataset, train_data_used(m->data, dataset)));
    m->digest_of = dataset;
    return m->digest;
}

static void add_cell(Maker *m, Choice c) {
    if (!m->grid->cell) {
        m->cells++;
        return;
    }
    const StudyOptions *o = m->options;
    const Arm *arm = arm_find(o->arms.at[c.arm]);
    const RateOptions *rates = &o->rates[arm - arms];
    int k = m->first_kind[c.arm] + c.weight * sizes_of(o, c.arm) + c.size;
    const GridKind *kind = &m->grid->kind[k];
    const ModelShape *shape = &kind->job.shape;
    int64_t n = kind->parameters;
    double lr = rule_peak(rates, c.rate, n, c.steps);

    int place = m->grid->n++;
    Cell *cell = &m->grid->cell[place];
    cell->job = kind->job;
    cell->kind = k;
    cell->place = place;
    cell->job.steps = c.steps;
    cell->job.dataset = c.dataset;
    cell->job.seed = (uint64_t)c.seed;
    cell->job.lr = lr;
    CellRecord *r = &cell->record;
    snprintf(r->arm, sizeof r->arm, "%s", arm->name);
    snprintf(r->role, sizeof r->role, "%s", c.role);
    r->width = shape->width;
    r->depth = shape->depth;
    r->heads = shape->heads;
    r->scalars = shape->width_s;
    r->multi_query = shape->multi_query;
    r->increase = shape->increase;
    r->fixed = shape->fixed;
    r->parameters = n;
    r->steps = c.steps;
    r->batch = o->train.batch;
    r->samples = c.steps * o->train.batch;
    r->dataset = c.dataset;
    r->epochs = (double)r->samples / (double)(c.dataset * m->data->per_trajectory);
    r->seed = c.seed;
    r->lr = lr;
    r->swept = kind->swept;
    if (!m->sampled) snprintf(r->data, sizeof r->data, "%s", digest_of(m, c.dataset));
    cell->rate = rates->lr.at[c.rate];
    cell->swept = rates->lr.n > 1;
    cell_name(r->id, cell, cell->swept);
    memcpy(cell->file, r->id, sizeof cell->file);
    r->dp = o->dp ? o->dp : 1;
    r->tp = o->tp ? o->tp : 1;
    cell->flop_nominal = kind->nominal * (double)c.steps;
    cell->flop_executed = kind->executed * (double)c.steps;
}

/* ---- The cells of one arm at one learning rate and weight, which `all` says. ---- */

/* Those that meet compute budgets. */
static Err add_budgets(Maker *m, Choice all) {
    const StudyOptions *o = m->options;
    const BudgetOptions *b = &o->budget;
    const Arm *a = arm_find(o->arms.at[all.arm]);
    const ArmBudgets *own = &o->arm_budgets[a - arms];
    const IntList *seeds = own->seeds.n ? &own->seeds : &b->seeds;
    BudgetSizes sizes = {.n = sizes_of(o, all.arm),
                         .batch = o->train.batch,
                         .optimum = own->optimum,
                         .optimum_exponent = own->optimum_exponent,
                         .most = own->sizes ? own->sizes : b->sizes};
    for (int s = 0; s < sizes.n; s++) {
        const GridKind *kind = &m->grid->kind[m->first_kind[all.arm] + all.weight * sizes.n + s];
        sizes.parameters[s] = (double)kind->parameters;
        sizes.flop[s] = b->currency == CURRENCY_EXECUTED ? kind->executed : kind->nominal;
    }
    all.dataset = study_options_trajectories(o);
    all.role = "grid";
    for (int k = 0; k < b->budgets.n; k++) {
        int64_t steps[OPTION_LIST];
        TRY(budget_steps(steps, b, k, &sizes, a->name));
        for (all.size = 0; all.size < sizes.n; all.size++)
            for (all.seed = 1; steps[all.size] && all.seed <= budget_seeds(seeds, k); all.seed++) {
                all.steps = steps[all.size];
                add_cell(m, all);
            }
    }
    return ERR_NONE;
}

/* Those of one seed that have a length of study.steps. */
static void add_lengths(Maker *m, Choice all, int64_t seed) {
    const StudyOptions *o = m->options;
    all.seed = seed;
    all.dataset = study_options_trajectories(o);
    all.role = "grid";
    for (all.size = 0; all.size < sizes_of(o, all.arm); all.size++)
        for (int t = 0; t < o->steps.n; t++) {
            all.steps = o->steps.at[t];
            add_cell(m, all);
        }
}

/* Those on the smaller training sets, and on the whole where the grid has none such. */
static void add_datasets(Maker *m, Choice all) {
    const StudyOptions *o = m->options;
    const IntList *seeds = o->data_seeds.n ? &o->data_seeds : &o->seeds;
    all.size = (int)o->data_size;
    all.role = "data";
    for (int s = 0; o->datasets.n > 1 && s < seeds->n; s++)
        for (int t = 0; t < o->data_steps.n; t++)
            for (int d = 0; d < o->datasets.n; d++) {
                all.seed = seeds->at[s];
                all.steps = o->data_steps.at[t];
                all.dataset = o->datasets.at[d];
                add_cell(m, all);
            }
}

/* All cells of an arm. */
static Err add_arm(Maker *m, int arm) {
    const StudyOptions *o = m->options;
    int rates = o->rates[arm_find(o->arms.at[arm]) - arms].lr.n;
    for (int r = 0; r < rates; r++)
        for (int w = 0; w < weights_of(o, arm); w++) {
            Choice all = {.arm = arm, .rate = r, .weight = w};
            for (int s = 0; s < o->seeds.n; s++) add_lengths(m, all, o->seeds.at[s]);
            TRY(add_budgets(m, all));
            add_datasets(m, all);
        }
    return ERR_NONE;
}

static Err add_arms(Maker *m) {
    for (int a = 0; a < m->options->arms.n; a++) TRY(add_arm(m, a));
    return ERR_NONE;
}

static int by_id(const void *x, const void *y) {
    const Cell *const *a = x, *const *b = y;
    int order = strcmp((*a)->record.id, (*b)->record.id);
    return order ? order : (*a)->place - (*b)->place;
}

/* Of cells that are the same one the first stays; places are counted anew. */
static void drop_repeats(Grid *grid) {
    const Cell **by = MEM_NEW(const Cell *, grid->n + 1);
    bool *again = MEM_NEW(bool, grid->n + 1);
    int left = 0;
    for (int i = 0; i < grid->n; i++) by[i] = &grid->cell[i];
    qsort(by, (size_t)grid->n, sizeof *by, by_id);
    for (int i = 1; i < grid->n; i++) again[by[i]->place] = !strcmp(by[i]->record.id, by[i - 1]->record.id);
    for (int i = 0; i < grid->n; i++) {
        if (again[i]) continue;
        if (left < i) grid->cell[left] = grid->cell[i];
        grid->cell[left].place = left;
        left++;
    }
    grid->n = left;
    mem_free(by);
    mem_free(again);
}

/* Whether the grid of some arm is one that a law can be fitted to. */
static bool compares(const StudyOptions *o) {
    enum { LEAST = 3 }; /* sizes, and lengths or budgets */
    bool sizes = false;
    for (int a = 0; a < o->arms.n; a++) sizes |= sizes_of(o, a) >= LEAST;
    return sizes && o->steps.n + o->budget.budgets.n >= LEAST;
}

/* A law of N and D takes every sample for a new one; one that is seen again is worth less. */
static Err check_repeats(const Grid *grid, const StudyOptions *o, const TrainData *data) {
    int64_t per_trajectory = data->per_trajectory;
    const CellRecord *longest = NULL;
    for (int i = 0; i < grid->n; i++) {
        const CellRecord *r = &grid->cell[i].record;
        if (!strcmp(r->role, "grid") && (!longest || r->samples > longest->samples)) longest = r;
    }
    if (o->repeat || !compares(o) || !longest || longest->samples <= longest->dataset * per_trajectory) return ERR_NONE;
    int64_t want = (longest->samples + per_trajectory - 1) / per_trajectory;
    return err_user("%s: study.datasets: %s sees %lld samples, %lld trajectories have %lld: want %lld trajectories for "
                    "training (data.trajectories = %lld or more), or study.repeat = true",
                    options_source(), longest->id, (long long)longest->samples, (long long)longest->dataset,
                    (long long)(longest->dataset * per_trajectory), (long long)want,
                    (long long)(want + o->test_trajectories + o->validation_trajectories));
}

static int by_work(const void *x, const void *y) {
    const Cell *a = x, *b = y;
    if (a->flop_executed != b->flop_executed) return a->flop_executed < b->flop_executed ? 1 : -1;
    return strcmp(a->record.id, b->record.id);
}

Err grid_new(Grid *grid, const StudyOptions *options, const TrainData *data, bool sampled) {
    Maker m = {.grid = grid, .options = options, .data = data, .sampled = sampled};
    *grid = (Grid){0};
    TRY(add_kinds(&m));
    TRY(check_dp(options));
    TRY(add_arms(&m));
    CHECK(m.cells < INT_MAX, "%lld cells", (long long)m.cells);
    grid->cell = MEM_NEW(Cell, m.cells + 1);
    TRY(add_arms(&m));
    drop_repeats(grid);
    TRY(check_repeats(grid, options, data));
    qsort(grid->cell, (size_t)grid->n, sizeof *grid->cell, by_work);
    return ERR_NONE;
}

void grid_free(Grid *grid) {
    for (int i = 0; i < grid->swept; i++) mem_free(grid->options[i]);
    mem_free(grid->options);
    mem_free(grid->cell);
    mem_free(grid->kind);
    *grid = (Grid){0};
}

void cell_path(char *path, size_t size, const StudyOptions *options, const Cell *cell, const char *suffix) {
    snprintf(path, size, "%s/%s/cells/%s.%s", options->folder, options->name, cell->file, suffix);
}

const char *cell_state_name(CellState state) {
    static const char *name[] = {[CELL_PLANNED] = "planned", [CELL_RUNNING] = "running",   [CELL_REFUSED] = "refused",
                                 [CELL_DONE] = "done",       [CELL_DIVERGED] = "diverged", [CELL_FAILED] = "failed"};
    return name[state];
}

bool cell_left(const Cell *cell) {
    return cell->state == CELL_PLANNED || cell->state == CELL_RUNNING;
}

bool cell_unrun(const Cell *cell) {
    return cell_left(cell) || cell->state == CELL_REFUSED;
}
