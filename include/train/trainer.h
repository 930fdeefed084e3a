/** One cell: train a model on its process grid and measure its loss on the fixed test set.
 *
 *  A step: the procedure fills the batch with views of its samples, the pass (train/pass.h) gives loss and gradient,
 *  the procedure sees the gradient, AdamW takes it. A rank's samples of a step go through the model in batches that fit its
 *  memory (train.micro_batch), whose gradients add up: the batch of a step is a choice of the science alone.
 *
 *  With train.reproducible parameters, losses and norms of the gradient are the same bits for every dp, every number of ranks
 *  of the job and every order of cells, on one kind of machine and with one build and tp. Without it they are equal to
 *  rounding. What is measured (train/measure.h) and the procedure's own numbers are equal to rounding in any case. */
#pragma once

#include "io/results.h"
#include "par/options.h"
#include "train/measure.h"
#include "train/procedure.h"
#include "train/state.h"

/** When a means to save memory is used; auto: in cells that do not fit without. */
typedef enum MeansUse { MEANS_AUTO, MEANS_NEVER, MEANS_ALWAYS } MeansUse;

/** Keys `train.*`, the same for every cell of a study. */
typedef struct TrainOptions {
    int64_t batch;       /* samples an optimiser step */
    double warmup;       /* fraction of the steps during which the learning rate rises linearly */
    double final_lr;     /* fraction of the peak at which the cosine ends */
    double weight_decay; /* decoupled, on every parameter */
    double beta1, beta2, epsilon;
    double clip;           /* largest 2-norm of the gradient */
    int64_t evaluations;   /* points of a learning curve, at steps halving from the last one down */
    int64_t curve_samples; /* of the test set, at all points but the last; 0: all */
    bool reproducible;     /* the same bits whatever dp */

    int64_t micro_batch; /* samples that a rank takes through the model at once; 0: as many as fit */
    MeansUse recompute, shard_optimizer;

    /* No key: memory of a rank, beyond which it takes fewer samples at once; 0: its part of the node's. */
    int64_t rank_bytes;
} TrainOptions;
extern const KeySpec train_keys[];
extern const int n_train_keys;

/** Keys that decide how a cell is trained and not what comes out, up to rounding: they may change from one run of a study to
 *  the next. */
extern const KeySpec train_means_keys[];
extern const int n_train_means_keys;

/** Refuses options that a procedure cannot be trained with. Not collective. */
Err train_check(const TrainOptions *options, const Procedure *procedure, const void *procedure_options, int64_t dp);

typedef struct TrainJob {
    const ModelKind *kind;
    ModelShape shape; /* complete, inputs and outputs too */
    const Procedure *procedure;
    const void *procedure_options; /* the struct that its keys fill; NULL where it has none */
    const MeasureChoice *measures; /* of the finished model; NULL: none */
    int64_t steps, dataset;        /* optimiser steps; trajectories of the training set */
    uint64_t seed;                 /* of initial parameters and sample order */
    double lr;                     /* peak */
    bool sharded;                  /* the optimiser's moments are divided over dp (train/optim.h) */
} TrainJob;

/** What the caller of a cell hears while it runs, what it may ask for, and where the cell keeps what it has. Paths may be
 *  NULL: nothing is kept there. */
typedef struct TrainHooks {
    /** On every rank after each step; true asks to stop, and one rank that asks is enough. NULL: nobody listens. */
    bool (*step)(void *context, int64_t done, int64_t steps);
    /** On the leader: whether a checkpoint is of this cell; the error says why not. */
    Err (*accept)(void *context, Results *found, const char *path);
    void *context;
    const char *checkpoint;    /* file of the newest checkpoint, from which the cell goes on where there is one */
    double checkpoint_seconds; /* between two; 0: as often as costs 1 % of the time */
    const char *weights;       /* file for the weights of the finished model */
    const char *study, *provenance;
} TrainHooks;

/** Samples of the test set at a point of a learning curve. Not collective. */
int64_t train_curve_samples(const TrainOptions *options, const TrainData *data);

/** What training costs in forward passes of a sample. Not collective. */
double train_passes(const TrainJob *job, const TrainOptions *options);

/** Trains and evaluates. Fills of `record` what training decides: parameters, samples, tokens, FLOP, seconds, losses,
 *  outcome, attempts (one more than before), curve_points, names of the procedure's numbers; of `curve`, which has room for
 *  options->evaluations points, the first curve_points, all but `cell`. The same on every rank of the grid. A loss or
 *  gradient that is not finite ends the cell as OUTCOME_DIVERGED, one that was stopped is OUTCOME_STOPPED. What all ranks
 *  must agree on (divergence, on the loss of the whole batch; stopping; saving) goes through one reduction of four numbers
 *  a step. Samples and tokens count each sample of a step once, FLOP and seconds every view of it, and all of them what
 *  earlier runs of the cell have spent. What job->measures finds is added to `found` (NULL without measures), all but
 *  `cell`; not where it diverged. Evaluations, measurements and checkpoints cost no compute of the cell. A checkpoint that
 *  cannot be written is a line in the log. The error is the leader's: of the last checkpoint before a stop, or of the
 *  weights. Collective on grid->cell. */
Err train_cell(CellRecord *record, CurvePoint *curve, MeasureSink *found, const TrainJob *job,
               const TrainOptions *options, const TrainData *data, const ProcGrid *grid, const TrainHooks *hooks);
