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
    const Pass
        *pass; /* of the model that is trained; in layout its kind, shape, data and the sizes of its batch alone */
    const TrainData *data; /* that of the pass */
    SampleStream stream;   /* of training samples */
    void *state;           /* its own, placed by layout */
    Arena arena;
} ProcedureRun;

struct Procedure {
    const char *name;
    const KeySpec *keys; /* `NAME.*`; the struct they fill has at most OPTION_ROOM bytes */
    int n_keys;

    /** One of its keys, a list of numbers, each of which a study trains by itself; the rest of what follows sees one. NULL:
     *  it has none. */
    const char *swept;

    /** What the names of its cells say of these options; NULL, the function or what it returns: nothing. */
    const char *(*mark)(const void *options);

    /** Refuses options that do not fit together, or the data; a swept list is whole. NULL: all do. */
    Err (*check)(const void *options, const TrainData *data);

    /** Factor on the work of a step, for what the procedure computes beside its views. NULL: 1. */
    double (*work)(const void *options);
    bool input_gradient; /* it asks the pass for the gradient by the scenes, which costs work */

    /** Sequences that each sample takes in a batch. NULL: one. */
    int (*views)(const void *options);

    /** Parameters and buffers of its own: places run->state with their first values. Called twice, to count (state is
     *  NULL then) and to place. NULL: it has none. */
    void (*layout)(ProcedureRun *run, Arena *arena);

    /** Once, before the first step, where the parameters of the model have their first values. Not collective. NULL: nothing
     *  to do. */
    void (*start)(ProcedureRun *run, Pass *pass);

    /** Appends samples first .. first+n-1 of the stream to an empty batch, n times `views` sequences (batch_add). A
     *  function of position in the stream, not of ranks. Not collective. */
    void (*fill)(ProcedureRun *run, Batch *batch, int64_t first, int n);

    /** Before and after the gradient of a batch: what is asked of the pass beside the gradient of the parameters, and what
     *  is made of it. Afterwards the pass holds the batch, what went into the model, and the gradients of what it said;
     *  with the last batch of a step the gradient of the parameters is complete and not used yet. Collective on the
     *  grid's tp; on its cell where whole_batch says so. NULL: nothing to do. */
    void (*before_gradient)(ProcedureRun *run, Pass *pass);
    void (*after_gradient)(ProcedureRun *run, Pass *pass);

    /** Whether it wants all samples that a rank has of a step in one batch: it then cannot be trained in smaller ones, and
     *  not reproducibly. NULL: it does not. */
    bool (*whole_batch)(const void *options);

    /** What it has learned, for checkpoints: `state` tells how many numbers that are, the same in every layout, and where
     *  the pointer is not NULL gives them, all on every rank, which is collective on grid->cell; `restore` takes them back
     *  after layout has placed the first values. NULL: nothing is learned beside the model. */
    int64_t (*state)(const ProcedureRun *run, double *numbers);
    void (*restore)(ProcedureRun *run, const double *numbers);

    /** After the optimiser has moved the parameters. Collective on the grid's cell. NULL: nothing to do. */
    void (*after_step)(ProcedureRun *run, Pass *pass);

    /** What the learning curve shows of it (column `procedure`): names, the rest NULL, and their values, means over the
     *  steps since they were asked for last where they are of steps. The same on every rank. Collective on the cell. */
    const char *number[CURVE_NUMBERS];
    void (*numbers)(ProcedureRun *run, double value[CURVE_NUMBERS]);
};

extern const Procedure procedure_plain, procedure_augmented, procedure_remul, procedure_gated, procedure_augerino,
    procedure_shared;
extern const Procedure *const procedures[]; /* every one of them: src/train/procedure.c */
extern const int n_procedures;

/** The list of the key that is swept, in its options; NULL: it has none. And its options with entry i of the list alone:
 *  returns the entry, NAN where there is no list. Not collective. */
const RealList *procedure_swept(const Procedure *procedure, const void *options);
double procedure_take(OptionRoom *one, const Procedure *procedure, const void *options, int i);

/** The one entry that the list has by default; NAN where there is no list. Not collective. */
double procedure_swept_default(const Procedure *procedure);

/** The state of a run and its end. Not collective. */
void procedure_start(ProcedureRun *run, const Procedure *procedure, const void *options, const SampleStream *stream,
                     Pass *pass);
void procedure_end(ProcedureRun *run);

/** Bytes that procedure_start takes for a pass of so many sequences, and sequences a sample. Not collective. */
int64_t procedure_bytes(const Procedure *procedure, const void *options, const ModelKind *kind, const ModelShape *shape,
                        int sequences, const TrainData *data);
int procedure_views(const Procedure *procedure, const void *options);

/** Work of a step whose batch has this work by the model alone. Not collective. */
ModelFlops procedure_flops(const Procedure *procedure, const void *options, ModelFlops batch);

/** The batch of samples first .. first+n-1, emptied before. Not collective. */
void procedure_fill(ProcedureRun *run, Batch *batch, int64_t first, int n);

/** The gradient of one step: of samples first .. first+count-1 of the stream, this rank's of `samples`, in batches of as
 *  many as the pass holds, one by one where it is reproducible, with what the procedure does before and after each. Returns
 *  this rank's share of the loss; lengths of all sequences are added. Collective on the grid's cell. */
double procedure_step(PackedLengths *lengths, ProcedureRun *run, Pass *pass, int64_t first, int count, int64_t samples);
bool procedure_whole_batch(const Procedure *procedure, const void *options);

/** The same of the batch that is there, and of nothing else. Collective on the grid's cell. */
double procedure_gradient(ProcedureRun *run, Pass *pass, int64_t samples);

/** What it has learned: how many numbers, and where `numbers` is not NULL all of them, on every rank; and back. Collective
 *  on grid->cell, counting alone is not. */
int64_t procedure_state(const ProcedureRun *run, double *numbers);
void procedure_restore(ProcedureRun *run, const double *numbers);

/** What the procedure does once the optimiser has used it. Collective on the grid's cell. */
void procedure_after_step(ProcedureRun *run, Pass *pass);

/** What the learning curve shows: values, NaN where the procedure has none (collective on the grid's cell), and their
 *  names, separated by commas. */
void procedure_numbers(ProcedureRun *run, double value[CURVE_NUMBERS]);
void procedure_names(const Procedure *procedure, char names[RESULTS_NUMBERS]);
