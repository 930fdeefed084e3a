/** One cell: train a model on its process grid and measure its loss on the fixed test set.
 *
 *  Loss of a sample: mean over vertices of the squared displacement error, in units of the training set's mean squared
 *  displacement; loss of a set: mean over its samples. So 1 is "nothing moves". Evaluation accumulates in double.
 *  Models predict the change of the displacement from one frame to the next, in units of its rms.
 *
 *  One code path for every layout: samples of a batch are split over dp, the model over tp, gradients are summed over
 *  dp block by block while the backward pass still runs. */
#pragma once

#include "io/results.h"
#include "par/options.h"
#include "train/batch.h"

/** Keys `train.*`, the same for every cell of a study. */
typedef struct TrainOptions {
    int64_t batch;       /* samples an optimiser step */
    double warmup;       /* fraction of the steps during which the learning rate rises linearly */
    double final_lr;     /* fraction of the peak at which the cosine ends */
    double weight_decay; /* decoupled, on every parameter */
    double beta1, beta2, epsilon;
    double clip;         /* largest 2-norm of the gradient */
    int64_t evaluations; /* points of a learning curve, at steps halving from the last one down */
} TrainOptions;
extern const KeySpec train_keys[];
extern const int n_train_keys;

typedef struct TrainJob {
    const ModelKind *kind;
    ModelShape shape; /* complete, inputs and outputs too */
    bool augment;
    int64_t steps, dataset; /* optimiser steps; trajectories of the training set */
    uint64_t seed;          /* of initial parameters and sample order */
    double lr;              /* peak */
} TrainJob;

/** Where a running cell tells how far it is; called on every rank after each step. */
typedef struct TrainProgress {
    void (*step)(void *context, int64_t done, int64_t steps);
    void *context;
} TrainProgress;

/** Trains and evaluates. Fills of `record` what training decides: parameters, samples, tokens, FLOP, seconds, losses,
 *  outcome, curve_points; `curve` has room for options->evaluations points, of which it fills the rest. The same on
 *  every rank of the grid. A loss or gradient that is not finite ends the cell as OUTCOME_DIVERGED. Collective on
 *  grid->cell. */
void train_cell(CellRecord *record, CurvePoint *curve, const TrainJob *job, const TrainOptions *options,
                const TrainData *data, const ProcGrid *grid, TrainProgress progress);

/** Bytes a rank needs for the cell. Not collective. */
int64_t train_bytes(const TrainJob *job, const TrainOptions *options, const TrainData *data, int dp, int tp);

/** Processor seconds of one training step of the job on this rank alone with `samples` samples: the least of at
 *  least 3, and of as many as fit in 0.3 s. Not collective. */
double train_time_step(const TrainJob *job, const TrainOptions *options, const TrainData *data, int samples);

/** Mean tokens of a training sample, over the first 256 trajectories, and the work of a step of train.batch samples of
 *  that length. Not collective. */
double train_mean_tokens(const TrainData *data);
ModelFlops train_step_flops(const TrainJob *job, const TrainOptions *options, const TrainData *data, int tp);
