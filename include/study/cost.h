/** What a cell costs before it runs: seconds and bytes of a rank, in any layout, on this machine or a described one.
 *
 *  A step of dp x tp ranks, a rank's share of the batch being k samples:
 *      compute    (fixed + k sample) work(tp) / (tp work(1)) + update / tp
 *      sums       over dp of each gradient block, over tp two a block of the model in each direction, of k samples' residual
 *                 stream, and one of four numbers over the cell. They are added as if nothing overlapped.
 *  An evaluated sample costs `evaluate`, shared like a batch. fixed, sample, update, evaluate and start are timed real
 *  steps (train/forecast.h), each kind of cell in eight short rounds over all kinds, on another rank of the job
 *  each time: the least, times the average over the least of all of them, which is the pace of the machine. They are kept
 *  (study/calibration.h); what would take more than a moment is timed on fewer samples or one block of the model and
 *  scaled by FLOP. On a described machine they are FLOP over the rate that is assumed there, and bytes over its
 *  memory's.
 *
 *  Ranks that share cores take so much longer. */
#pragma once

#include "study/grid.h"
#include "study/machine.h"
#include "study/schedule.h"

/** What a kind of cell costs on one rank. */
typedef struct KindCost {
    double fixed, sample, update, evaluate, start; /* s */
    Known known;
} KindCost;

/** What rounds of timings took, the shortest and the longest, over their average: how far the machine's own speed moves within
 *  seconds, and so a run from its plan. 0: nothing was timed. */
typedef struct Rounds {
    double least, most;
} Rounds;

/** Of each kind of the grid that `wanted` has; on a described machine without a measurement. Collective. */
void cost_kinds(KindCost *cost, Rounds *rounds, const Grid *grid, const bool *wanted, const StudyOptions *options,
                const TrainData *data, const Machine *machine, Calibration *calibration, const Comm *comm);

/** A layout of a kind of cell. */
typedef struct Layout {
    int dp, tp;              /* 0: there is none */
    bool recompute, sharded; /* how memory is saved (train.recompute, train.shard_optimizer) */
    int64_t bytes;           /* of a rank */
    double first;            /* s until the end of the first step */
    Pace pace;
} Layout;

/** Gives a cell of that kind what its layout says of how it is trained. */
void cost_apply(TrainJob *job, const Layout *layout);

/** The fastest layout of a kind on at most `ranks` consecutive ranks that fits into a rank's share of its node, or, if
 *  none does, one without pace whose bytes are the least that were found. Memory is saved by other means, as the study file
 *  allows it, only where a layout does not fit without: moments sharded, then activations recomputed, then both. Tensor
 *  parallelism stays within a node. Where the study file gives dp and tp, that layout. Not collective. */
Layout cost_layout(const GridKind *kind, const KindCost *cost, int ranks, const StudyOptions *options,
                   const TrainData *data, const Machine *machine);
