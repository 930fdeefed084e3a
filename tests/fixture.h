/** A small dataset and what it takes to train on it, for tests of training. */
#pragma once

#include "check.h"
#include "study/data_make.h"
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

static inline TrainData fixture_data(Dataset *dataset) {
    TrainData data;
    Err err = train_data_init(&data, dataset, &fixture_plan);
    CHECK(!err.code, "%s", err.text);
    return data;
}

static inline TrainJob fixture_job(const ModelKind *kind, const Procedure *procedure, const TrainData *data,
                                   double lr) {
    TrainJob job = {
        .kind = kind, .procedure = procedure, .steps = FIXTURE_STEPS, .dataset = FIXTURE_TRAIN, .seed = 3, .lr = lr};
    job.shape = (ModelShape){.depth = 2, .heads = 4, .increase = 2};
    kind->scene_shape(&job.shape, data->slots, data->worlds);
    job.shape.width = job.shape.in_mv ? 8 : 16;
    job.shape.width_s = job.shape.in_mv ? 8 : 0;
    return job;
}

/** Trains on the first dp x tp ranks of the world; every rank has the record and the curve, those ranks what was found,
 *  to be freed. Collective on the world. */
static inline MeasureSink fixture_train(CurvePoint curve[FIXTURE_POINTS], CellRecord *record, const TrainJob *job,
                                        const TrainData *data, int dp, int tp) {
    const Comm *world = comm_world();
    Comm *cell = comm_split(world, comm_rank(world) < dp * tp ? 0 : -1);
    MeasureSink found = {0};
    if (cell) {
        ProcGrid grid = procgrid_new(cell, dp, tp);
        train_cell(record, curve, &found, job, &fixture_options, data, &grid, (TrainProgress){0});
        procgrid_free(&grid);
        comm_free(cell);
    }
    comm_bcast(world, curve, FIXTURE_POINTS * sizeof *curve, 0);
    comm_bcast(world, record, sizeof *record, 0);
    return found;
}
