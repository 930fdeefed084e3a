/** From trajectories to packed batches of scenes.
 *
 *  A sample is a trajectory and a frame that has one before and one after: what is seen is the scene at that frame, with
 *  velocities of the moment or, for data without them, the displacements since the frame before; the target is the
 *  displacement of every vertex to the next frame. Floor and gravity may be withheld: the task then lacks the symmetry
 *  that it has as a whole. The dataset is cut into index ranges, test first, then validation,
 *  then training, so a smaller training set is a prefix of a larger one and none meets another.
 *
 *  Which samples make a batch depends on (seed, position in the stream of samples) only: an epoch visits every sample
 *  of the training set once, in an order of its own. */
#pragma once

#include "base/arena.h"
#include "base/rng.h"
#include "io/dataset.h"
#include "nn/model.h"
#include "train/act.h"

#include <stdbool.h>
#include <stdint.h>

/** Units, measured once on the first training trajectories of the study, so that the losses of all cells compare. The
 *  displacement in a frame is the unit of positions too: whether a vertex will hit something within the frame is then a
 *  question of order 1. (In units of the size of the scene GATr needs several times the steps to learn impacts.) */
typedef struct DataScale {
    double step;                                       /* m: rms displacement of a vertex in one frame */
    double deviation;                                  /* rms of displacement minus velocity, in units of step */
    double body_mean[SCENE_BODY], body_sd[SCENE_BODY]; /* of the raw physical parameters */
    double world_mean[SCENE_WORLD], world_sd[SCENE_WORLD];
} DataScale;

typedef struct TrainData {
    Dataset *dataset;                /* not owned */
    int64_t test, validation, train; /* trajectories in each range */
    int64_t test_samples, validation_samples;
    int64_t per_trajectory; /* samples of a trajectory of the study's dataset, for which a smaller one may stand in */
    bool instant;           /* velocities are those of the moment */
    int worlds;             /* SCENE_WORLD, or 0: models are not told of floor and gravity but where they are */
    bool no_floor, no_gravity; /* withheld: models see 0 instead of the plane or the direction, and of its numbers */
    bool off_centre;           /* positions count from the origin of the dataset, not from the mean vertex */
    int slots;                 /* one-hot width: the largest number of bodies in the dataset */
    DataScale scale;
    int64_t dataset_bytes; /* that the dataset takes on each rank; filled by who opened it, for forecast_bytes */
} TrainData;

/** Cuts the dataset and measures the scale on at most 256 training trajectories. Errors: too few trajectories for the
 *  ranges and a training set of `train_max`. Not collective. */
typedef struct TrainDataPlan {
    int64_t test, validation;                 /* trajectories held out */
    int64_t train_max;                        /* trajectories of the largest training set */
    int64_t test_samples, validation_samples; /* 0: all that the trajectories have */
    bool instant, worlds, no_floor, no_gravity, off_centre;
} TrainDataPlan;
Err train_data_init(TrainData *data, Dataset *dataset, const TrainDataPlan *plan);

/** The larger number of held-out trajectories. */
int64_t batch_held_out(const TrainData *data);

/** Trajectories, the first of the file, that decide the numbers of a cell with a training set of so many: the held-out
 *  ones, its own, and those that the scale was measured on. Not collective. */
int64_t train_data_used(const TrainData *data, int64_t trajectories);

typedef enum SampleRange { SAMPLES_TRAIN, SAMPLES_VALIDATION, SAMPLES_TEST } SampleRange;

/** What decides a sample, with its position in the stream. */
typedef struct SampleStream {
    SampleRange range;
    int64_t trajectories; /* size of the training set; the other ranges are fixed */
    uint64_t seed;
    int64_t
        step; /* positions from a sample to that which the rank wants in the next step; 0: it wants the next one too */
} SampleStream;

/** Distinct samples of the stream's range: positions 0 .. n-1 meet each once. */
int64_t batch_samples(const TrainData *data, const SampleStream *stream);

/** What the error of a vertex counts in the loss. */
typedef enum BatchLoss {
    LOSS_SQUARED, /* squared length */
    LOSS_ABSOLUTE /* sum of the absolute values of its coordinates */
} BatchLoss;

/** Views that are compared with what the model says of another view of their sample, moved, in place of the target. */
typedef struct Anchors {
    int *of;     /* (sequences) the view that each is compared with, itself compared with the target; -1: the target */
    Motion *by;  /* (sequences) an orthogonal motion from there */
    real *slope; /* (tokens, 3) scratch: of those losses by what the model says of the views compared with */
} Anchors;

/** Where samples of a stream stand, in runs of positions: draws are made for a run at once. */
typedef struct SampleOrder {
    int64_t samples; /* of the stream; 0: nothing is here */
    uint64_t seed;
    int64_t run; /* positions run * RNG_RUN .. + RNG_RUN - 1 */
    int64_t at[RNG_RUN];
} SampleOrder;

/** Sequences, each a view of a sample. One sample may stand in a batch in several views. */
typedef struct Batch {
    SceneBatch scenes;
    const real *target;     /* (tokens, 3) displacement to the next frame, in units of scale.step */
    const real *weight;     /* (sequences) 1 / tokens of the sequence */
    real *loss_weight;      /* (sequences) factor on the mean error of the view in the loss; 1 as a rule */
    real *gate;             /* (sequences) for scenes.gate, which is NULL after batch_clear */
    const Anchors *anchors; /* NULL after batch_clear: every view is compared with its target */
    BatchLoss loss;         /* after batch_clear LOSS_SQUARED, which is what held-out losses are */
    int64_t *start;
    real *position, *velocity, *body, *floor, *gravity, *world, *displacement, *token_weight;
    int32_t *slot;
    int64_t max_tokens;
    int max_sequences;    /* that fit */
    SampleOrder order[2]; /* of even and odd runs */
} Batch;

/** Buffers for up to max_sequences sequences. Called twice, to count and to place. */
void batch_layout(Batch *batch, const TrainData *data, int max_sequences, Arena *arena);

/** Takes out all sequences. Not collective. */
void batch_clear(Batch *batch, const TrainData *data);

/** Samples first .. first+n-1 of the stream will be added next: where they are in memory, the first of them are fetched into the
 *  caches together, from which a step has taken them since the last batch looked ahead. Not collective. */
void batch_expect(Batch *batch, const TrainData *data, const SampleStream *stream, int64_t first, int n);

/** Appends the sample at `position` of the stream under the motion `view` (its shift in units of scale.step, about the
 *  mean vertex). The motion is applied to poses in double, before vertices are formed. Not collective. */
void batch_add(Batch *batch, const TrainData *data, const SampleStream *stream, int64_t position, const Motion *view,
               double loss_weight);

/** The direction of gravity in the sample at `position`, as the dataset has it. */
void batch_gravity(double gravity[3], const TrainData *data, const SampleStream *stream, int64_t position);

/** The floor of the sample at `position` as a batch has it, also where models are not told. Not collective. */
void batch_floor(double plane[4], const TrainData *data, const SampleStream *stream, int64_t position);

/** The trajectory that the sample at `position` is from, good until the next sample is asked for, and its frame. Not
 *  collective. */
const Trajectory *batch_source(int64_t *frame, const TrainData *data, const SampleStream *stream, int64_t position);

/** Which trajectory of the range the sample at `position` is from, from 0. */
int64_t batch_trajectory(const TrainData *data, const SampleStream *stream, int64_t position);

/** Samples first .. first+n-1 of the stream as they are, and nothing else. Not collective. */
void batch_fill(Batch *batch, const TrainData *data, const SampleStream *stream, int64_t first, int n);
