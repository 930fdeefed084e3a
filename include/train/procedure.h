/** Training procedures: which views of its samples a step shows to the model, with which weights in the loss, and what
 *  is learned beside the model. One file a procedure under src/train/ fills a Procedure; its line in the list of
 *  src/train/procedure.c makes it known, its keys with it. An arm is a model and a procedure (study/arm.h).
 *
 *  D counts samples, not views: a procedure that shows each sample twice pays with twice the FLOP, seconds and bytes.
 *  Held-out samples are always evaluated as they are. */
#pragma once

#include "io/results.h"
#include "par/options.h"
#include "train/pass.h"

typedef struct Procedure Procedure;

/** A procedure at work on one cell. */
typedef struct ProcedureRun {
    const Procedure *procedure;
    const void *options; /* the struct that its keys fill; NULL where it has none */
    const TrainData *data;
    const ProcGrid *grid;
    SampleStream stream; /* of training samples */
    void *state;         /* its own, placed by layout */
    Arena arena;
} ProcedureRun;

struct Procedure {
    const char *name;
    const KeySpec *keys; /* `NAME.*`; the struct they fill has at most OPTION_ROOM bytes */
    int n_keys;

    /** Sequences that each sample takes in a batch. NULL: one. */
    int (*views)(const void *options);

    /** Parameters and buffers of its own: places run->state with their first values. Called twice, to count (state is
     *  NULL then) and to place. NULL: it has none. */
    void (*layout)(ProcedureRun *run, Arena *arena);

    /** Appends samples first .. first+n-1 of the stream to an empty batch, n times `views` sequences (batch_add). A
     *  function of position in the stream, not of ranks. Not collective. */
    void (*fill)(ProcedureRun *run, Batch *batch, int64_t first, int n);

    /** After the gradient of the model is complete and before it is used: the pass holds the batch, what went into the
     *  model and the gradient of what came out. Collective on grid->cell. NULL: nothing to do. */
    void (*after_gradient)(ProcedureRun *run, Pass *pass);

    /** What the learning curve shows of it (column `procedure`): names, the rest NULL, and their values, the same on every
     *  rank. */
    const char *number[CURVE_NUMBERS];
    void (*numbers)(const ProcedureRun *run, double value[CURVE_NUMBERS]);
};

extern const Procedure procedure_plain, procedure_augmented;
extern const Procedure *const procedures[]; /* every one of them: src/train/procedure.c */
extern const int n_procedures;

/** The state of a run and its end. Not collective. */
void procedure_start(ProcedureRun *run, const Procedure *procedure, const void *options, const SampleStream *stream,
                     const TrainData *data, const ProcGrid *grid);
void procedure_end(ProcedureRun *run);

/** Bytes that procedure_start takes, and sequences a sample. Not collective. */
int64_t procedure_bytes(const Procedure *procedure, const void *options, const TrainData *data);
int procedure_views(const Procedure *procedure, const void *options);

/** The batch of samples first .. first+n-1, emptied before. Not collective. */
void procedure_fill(ProcedureRun *run, Batch *batch, int64_t first, int n);

/** What the procedure does with a complete gradient. Collective on grid->cell. */
void procedure_after_gradient(ProcedureRun *run, Pass *pass);

/** What the learning curve shows: values, NaN where the procedure has none, and their names, separated by commas. */
void procedure_numbers(const ProcedureRun *run, double value[CURVE_NUMBERS]);
void procedure_names(const Procedure *procedure, char names[RESULTS_NUMBERS]);
