/** A small dataset and what it takes to train on it, for tests of training. */
#pragma once

#include "check.h"
#include "study/data_make.h"
#include "train/optim.h"
#include "train/trainer.h"

enum { FIXTURE_STEPS = 10, FIXTURE_POINTS = 8, FIXTURE_TRAIN = 8 };

static const TrainOptions fixture_options = {.batch = 8,
                                             .warmup = 0.2,
                                             .final_lr = 0.01,
                                             .weight_decay = 0.01,
                                             .beta1 = 0.9,
                                             .beta2 = 0.99,
                                             .epsilon = 1e-8,
                                             .clip = 1,
                                             .evaluations = FIXTURE_POINTS};

static const TrainDataPlan fixture_plan = {.test = 4,
                                           .validation = 2,
                                           .train_max = FIXTURE_TRAIN,
                                           .test_samples = 10,
                                           .validation_samples = 10,
                                           .instant = true,
                                           .worlds = true};

/** Makes and opens 16 trajectories in the test's folder; the caller cuts them and closes. Collective. */
static inline Dataset *fixture_dataset(char **argv) {
    DataOptions few;
    Dataset *dataset;
    Err err = options_load(NULL, 1, argv);
    if (!err.code) err = options_read(&few, data_keys, n_data_keys);
    CHECK(!err.code, "%s", err.text);
    snprintf(few.path, sizeof few.path, "%s", test_file("data.h5"));
    few.trajectories = 16;
    few.frames = 8;
    err = data_make(&few, comm_world());
    CHECK(!err.code, "%s", err.text);
    err = dataset_open(&dataset, few.path, comm_world(), INT64_MAX);
    CHECK(!err.code, "%s", err.text);
    return dataset;
}

/** What `make` says, as a file in the test's folder, opened. Collective. */
static inline Dataset *fixture_made(const char *name, const DatasetPlan *plan, DatasetMake *make, void *context) {
    Dataset *dataset;
    Err err = dataset_create(test_file(name), plan, make, context, comm_world());
    if (!err.code) err = dataset_open(&dataset, test_file(name), comm_world(), INT64_MAX);
    CHECK(!err.code, "%s", err.text);
    return dataset;
}

static inline TrainData fixture_cut(Dataset *dataset, const TrainDataPlan *plan) {
    TrainData data;
    Err err = train_data_init(&data, dataset, plan);
    CHECK(!err.code, "%s", err.text);
    return data;
}

static inline TrainData fixture_data(Dataset *dataset) {
    return fixture_cut(dataset, &fixture_plan);
}

/** The defaults of a kind's keys. */
static inline ModelSizes fixture_sizes(const ModelKind *kind) {
    ModelSizes sizes = {0};
    for (int i = 0; i < kind->n_size_keys; i++) {
        Err err = options_put(&sizes, &kind->size_keys[i], kind->size_keys[i].fallback, kind->name);
        CHECK(!err.code, "%s", err.text);
    }
    return sizes;
}

/** Two blocks of few channels; what else a kind has keys for is as by default. */
static inline TrainJob fixture_job(const ModelKind *kind, const Procedure *procedure, const TrainData *data,
                                   double lr) {
    TrainJob job = {
        .kind = kind, .procedure = procedure, .steps = FIXTURE_STEPS, .dataset = FIXTURE_TRAIN, .seed = 3, .lr = lr};
    ModelSizes sizes = fixture_sizes(kind);
    job.shape = model_shape(&sizes, 0);
    job.shape.depth = 2;
    job.shape.heads = 4;
    job.shape.increase = 2;
    job.shape.fixed = 2;
    kind->scene_shape(&job.shape, data->slots, data->worlds);
    job.shape.width = job.shape.in_mv ? 8 : 16;
    job.shape.width_s = job.shape.in_mv ? 8 : 0;
    return job;
}

/** Whether a model has this tensor parallelism; those that have none say so. */
static inline bool fixture_splits(const TrainJob *job, int tp) {
    return !job->kind->check(&job->shape, tp).code;
}

/** Trains on the first dp x tp ranks of the world; every rank has the record and the curve, those ranks what was found,
 *  to be freed. Collective on the world. */
static inline MeasureSink fixture_train_with(CurvePoint curve[FIXTURE_POINTS], CellRecord *record, const TrainJob *job,
                                             const TrainData *data, int dp, int tp, const TrainOptions *options,
                                             const TrainHooks *hooks) {
    const Comm *world = comm_world();
    Comm *cell = comm_split(world, comm_rank(world) < dp * tp ? 0 : -1);
    MeasureSink found = {0};
    if (cell) {
        ProcGrid grid = procgrid_new(cell, dp, tp);
        Err err = train_cell(record, curve, &found, job, options, data, &grid, hooks);
        CHECK(!err.code, "%s", err.text);
        procgrid_free(&grid);
        comm_free(cell);
    }
    comm_bcast(world, curve, FIXTURE_POINTS * sizeof *curve, 0);
    comm_bcast(world, record, sizeof *record, 0);
    return found;
}

/** The same as a rule. */
static inline MeasureSink fixture_train(CurvePoint curve[FIXTURE_POINTS], CellRecord *record, const TrainJob *job,
                                        const TrainData *data, int dp, int tp) {
    return fixture_train_with(curve, record, job, data, dp, tp, &fixture_options, &(TrainHooks){0});
}

/** Parameters after `steps` steps at a constant rate on the first `dp` ranks of the world; mem_free them. NULL on other
 *  ranks. The count goes to n. Collective on the world. */
static inline real *fixture_theta(int64_t *n, const TrainJob *job, const TrainData *data, int dp, int64_t steps) {
    static const OptimSettings settings = {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .max_grad_norm = 1};
    const Comm *world = comm_world();
    Comm *cell = comm_split(world, comm_rank(world) < dp ? 0 : -1);
    if (!cell) return NULL;
    ProcGrid grid = procgrid_new(cell, dp, 1);
    SampleStream stream = {SAMPLES_TRAIN, job->dataset, job->seed};
    int first, count, batch = (int)fixture_options.batch;
    Pass pass;
    ProcedureRun run;
    pass_share(&first, &count, batch, comm_rank(grid.dp), dp);
    pass_init(&pass, job->kind, &job->shape, job->seed,
              procedure_views(job->procedure, job->procedure_options) * pass_largest_share(batch, dp), data, &grid);
    procedure_start(&run, job->procedure, job->procedure_options, &stream, &pass);
    Optim *optim = optim_new(&pass.model->table, &grid, false);
    for (int64_t k = 0; k < steps; k++) {
        procedure_fill(&run, &pass.batch, k * batch + first, count);
        procedure_gradient(&run, &pass, batch);
        optim_step(optim, pass.model->theta, pass.model->grad, job->lr, &settings);
        procedure_after_step(&run, &pass);
    }
    *n = pass.model->table.local;
    real *theta = MEM_NEW(real, *n);
    memcpy(theta, pass.model->theta, (size_t)*n * sizeof *theta);
    optim_free(optim);
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&grid);
    comm_free(cell);
    return theta;
}

/** Whether two jobs end with the same parameters, bit for bit, on one rank and, where there are two, on two. */
static inline bool fixture_same_theta(const TrainJob *a, const TrainJob *b, const TrainData *data) {
    bool same = true;
    for (int dp = 1; dp <= 2 && dp <= comm_size(comm_world()); dp++) {
        int64_t n = 0, m = 0;
        real *x = fixture_theta(&n, a, data, dp, FIXTURE_STEPS), *y = fixture_theta(&m, b, data, dp, FIXTURE_STEPS);
        if (x) same &= n == m && !memcmp(x, y, (size_t)n * sizeof *x);
        mem_free(x);
        mem_free(y);
    }
    return same;
}

/** The defaults of a procedure's keys, with others from `text`, "-key value ..." as on the command line; NULL: none. */
static inline OptionRoom fixture_keys(const Procedure *procedure, const char *text) {
    enum { WORDS = 32 };
    char copy[1024], *word[WORDS + 1] = {"test"};
    int n = 1;
    OptionRoom room = {0};
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    for (char *at = strtok(copy, " "); at && n < WORDS; at = strtok(NULL, " ")) word[n++] = at;
    Err err = options_load(NULL, n, word);
    if (!err.code) err = options_read(&room, procedure->keys, procedure->n_keys);
    CHECK(!err.code, "%s", err.text);
    return room;
}
