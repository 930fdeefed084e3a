/** Models with the numbers of a step, on ranks of their own: what `bench step` and `bench scaling` time. */
#pragma once

#include "bench.h"

#include "nn/model.h"
#include "train/optim.h"

/** The rows of docs/performance.md. The outputs of those whose parameters are given are such that the numbers of
 *  parameters are those of the models that were timed with PyTorch; the others are the sizes of a first study, with the
 *  inputs and outputs of scenes. */
typedef struct BenchRow {
    const ModelKind *kind;
    int64_t parameters; /* 0: a model of scenes */
    ModelShape shape;
} BenchRow;
enum { BENCH_ROWS = 16, BENCH_GATR = 0, BENCH_TRANSFORMER = 4 }; /* all of them; GATr of 16 mv, transformer of 128 */

/** Row i, or the i-th model that is asked for: one of the table with the inputs and outputs of its first row there, any other
 *  with those of scenes. */
BenchRow bench_row(const BenchOptions *options, int i);

/** `16 mv + 32 s, 4 blocks`, of a shape with its inputs. */
void bench_sizes(char text[64], const ModelShape *shape);

typedef struct BenchModel {
    Model *model;
    ProcGrid grid;
    Optim *optim;
    int64_t *start, *piece_start;
    Packed seqs;
    Tensors in, out, dout;
    double executed; /* FLOP of a step over all its ranks */
} BenchModel;

/** What bench_model_new will hold on a rank with the largest share, at least: what is far beyond any memory is not counted
 *  out. Not collective. */
double bench_model_bytes(const ModelKind *kind, const ModelShape *shape, const BenchOptions *options, int dp, int tp);

/** On the dp x tp ranks of a communicator, the batch of the options shared out over dp. The kind must take the shape and tp.
 *  Collective on them, as all that follows. */
void bench_model_new(BenchModel *model, const ModelKind *kind, const ModelShape *shape, const BenchOptions *options,
                     const Comm *ranks, int tp);
void bench_model_free(BenchModel *model);

/** One step; seconds of its parts on the rank that took longest: forward and backward with the sum over dp, that sum, the
 *  update. */
typedef struct BenchTimes {
    double pass, sum, update;
} BenchTimes;
BenchTimes bench_model_step(BenchModel *model, const BenchOptions *options);

/** The mean of `steps` of them. */
BenchTimes bench_model_steps(BenchModel *model, const BenchOptions *options, int steps);

/** After a first step that makes kernels: as many steps as make a round long enough for the clock. */
int bench_model_warm(BenchModel *model, const BenchOptions *options);

/** Whether all ranks of dp hold the same parameters bit for bit, and whether what the model said is finite. */
bool bench_model_equal(const BenchModel *model);
bool bench_model_finite(const BenchModel *model);
