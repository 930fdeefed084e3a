/** Models in files of their own, sealed (io/h5.h) and committed whole (io/commit.h). Tensors are whole, under the names
 *  and in the shapes and channel orders of the reference implementation, whatever the layout that had them was.
 *
 *  `equiscale-checkpoint-1`: a cell in the middle of its training. The tables of results (io/results.h) hold what it has
 *  so far; the attributes of /training where it is; groups /parameters, /first_moment and /second_moment a dataset per
 *  tensor; /training/procedure what the training procedure has learned. The last two generations are kept: PATH and
 *  PATH.old.
 *  `equiscale-weights-1`: a finished model, the record of its cell and /parameters.
 *
 *  Not collective: one rank calls these. Errors name the file; code EXIT_RESUME when writing. */
#pragma once

#include "base/real.h"
#include "io/commit.h"
#include "io/results.h"

typedef enum CheckpointKind { CHECKPOINT_TRAINING, CHECKPOINT_WEIGHTS } CheckpointKind;
typedef enum CheckpointPart { PART_PARAMETERS, PART_FIRST_MOMENT, PART_SECOND_MOMENT, CHECKPOINT_PARTS } CheckpointPart;

/** Where a training is. */
typedef struct TrainingPoint {
    int64_t step;       /* optimiser steps done */
    double loss;        /* sum of training losses since the last point of the curve */
    int64_t loss_steps; /* over so many steps */
    int64_t learned;    /* numbers that the training procedure has */
} TrainingPoint;

enum { TENSOR_AXES = 3 };
typedef struct TensorShape {
    const char *name;
    int axes;
    int64_t size[TENSOR_AXES]; /* of the whole tensor */
} TensorShape;

/** An open file, which stays where it is until it is closed. */
typedef struct Checkpoint {
    H5File file;
    CheckpointKind kind;
    char path[COMMIT_PATH], temp[COMMIT_PATH];
} Checkpoint;

/** Name of the generation before. */
void checkpoint_old(char old[COMMIT_PATH], const char *path);

/** Removes both generations. */
void checkpoint_remove(const char *path);

/** A new file in memory; commit gives it to the disk and makes PATH of it, the one before PATH.old for a training; discard
 *  forgets it. */
Err checkpoint_create(Checkpoint *c, const char *path, CheckpointKind kind);
Err checkpoint_put_record(Checkpoint *c, const Results *one, const char *provenance);
Err checkpoint_put_training(Checkpoint *c, const TrainingPoint *at, const double *learned);
Err checkpoint_put_tensor(Checkpoint *c, CheckpointPart part, const TensorShape *tensor, const real *values);
Err checkpoint_commit(Checkpoint *c);
void checkpoint_discard(Checkpoint *c);

/** A file that is there: refused where its digest is wrong, before HDF5 sees it. What is taken is checked for shape and
 *  precision; `one` and `learned` are new, for results_free and mem_free. */
Err checkpoint_open(Checkpoint *c, const char *path, CheckpointKind kind);
Err checkpoint_take_record(Checkpoint *c, Results *one);
Err checkpoint_take_training(Checkpoint *c, TrainingPoint *at, double **learned);
Err checkpoint_take_tensor(Checkpoint *c, CheckpointPart part, const TensorShape *tensor, real *values);
void checkpoint_close(Checkpoint *c);
