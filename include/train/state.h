/** All that a cell at work has, into a checkpoint and out of it (io/checkpoint.h), in any layout: parameters, moments of
 *  the optimiser, what the procedure has learned, the record and curve so far. Random numbers have no state: they are
 *  functions of seed and step (base/rng.h). The bits that come back are those that went in. */
#pragma once

#include "io/checkpoint.h"
#include "train/optim.h"
#include "train/procedure.h"

typedef struct TrainState {
    Pass *pass;
    Optim *optim;
    ProcedureRun *procedure;
    TrainingPoint at;
    Results so_far; /* one record with its curve and measurements */
} TrainState;

/** Asks the leader whether a checkpoint is of this cell; an error says why not. */
typedef struct StateCheck {
    Err (*accept)(void *context, Results *found, const char *path);
    void *context;
} StateCheck;

/** Writes and commits the checkpoint. Tensors are put together on the tensor-parallel ranks of replica 0, moments that are
 *  sharded on all ranks, and the leader alone has files; ranks without a part return at once. The error is the leader's.
 *  Collective on grid->cell. Cost: one sum over these ranks and one pass of memory for each tensor. */
Err state_save(const TrainState *state, const char *path, const char *provenance);

/** The final weights with the record of the cell; the state needs no optimiser and no procedure. Collective as state_save
 *  is. */
Err state_save_weights(const TrainState *state, const char *path, const char *provenance);

/** Bytes of such a file, a little more than it takes, without its record. Not collective. */
int64_t state_bytes(const ModelKind *model, const ModelShape *shape, CheckpointKind kind);

/** Fills the state from the newest checkpoint that is whole and of this cell; so_far is then the caller's to free, on every
 *  rank. Returns whether there was one: otherwise nothing has changed. What was passed over, and why, is a line in the
 *  log. Collective on grid->cell. */
bool state_load(TrainState *state, const char *path, StateCheck check);
