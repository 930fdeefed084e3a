/** What a cell will cost before it runs: bytes, seconds of a step, FLOP. Every view that the procedure shows of a sample
 *  is counted. Not collective. */
#pragma once

#include "train/trainer.h"

/** Samples that a rank of such a layout takes through the model at once: train.micro_batch or all that it has of a step,
 *  whichever is less; one where the cell is trained reproducibly. With train.micro_batch = 0, where all of them need more
 *  than this rank's part of the node's memory, half as many, a quarter, ... until they fit. */
int64_t forecast_micro_batch(const TrainJob *job, const TrainOptions *options, const TrainData *data, int dp, int tp);

/** Bytes that a rank needs for the cell in a dp x tp layout: model, optimiser, buffers, procedure, and its part of the
 *  dataset that the node holds. */
int64_t forecast_bytes(const TrainJob *job, const TrainOptions *options, const TrainData *data, int dp, int tp);

/** Processor seconds on this rank alone, from real steps: start: until the model is ready for its first step; gradient:
 *  batch assembly, forward and backward pass of `samples` samples, at their mean length; update: of the optimiser; evaluate:
 *  of a sample in an evaluation. Medians of at least 3 steps, and of as many as fit in 0.05 s, without the first third. */
typedef struct ForecastTimes {
    double start, gradient, update, evaluate;
} ForecastTimes;
ForecastTimes forecast_times(const TrainJob *job, const TrainOptions *options, const TrainData *data, int samples);

/** Work of a step of train.batch samples, expected from the lengths of the file's first 128 trajectories, whatever the
 *  file holds beside them. */
ModelFlops forecast_flops(const TrainJob *job, const TrainOptions *options, const TrainData *data, int tp);
