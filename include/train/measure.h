/** Measurements: what is asked of a finished model beside its loss. One file a measurement under src/train/ fills a
 *  Measure; its line in the list of src/train/measure.c makes it known, its keys with it. `study.measures` chooses, rows
 *  go to /measures (io/results.h).
 *
 *  A measurement runs on the first measure.samples samples of the test range, as they are, in the layout of the cell; on
 *  fewer, and on at least MEASURE_LEAST, where all chosen ones together would cost more than measure.share of the training
 *  of the cell. It reads the model and never changes it; its FLOP and seconds are none of the cell's compute. */
#pragma once

#include "io/results.h"
#include "par/options.h"
#include "train/pass.h"

/** Keys `measure.*`, the same for every measurement. */
typedef struct MeasureOptions {
    int64_t samples; /* test samples; fewer where there are not so many */
    double share;    /* all measurements together: at most this part of the forward passes that training takes */
    int64_t motions; /* drawn for each sample */
    bool curve;      /* at every point of the learning curve too, not only at its end */
} MeasureOptions;
extern const KeySpec measure_keys[];
extern const int n_measure_keys;

typedef struct Measure Measure;

/** Rows found so far. */
typedef struct MeasureSink {
    int64_t n;
    MeasureRow *row; /* mem_free it */
} MeasureSink;

/** A measurement at work on one model. */
typedef struct MeasureContext {
    const Measure *measure;
    const MeasureOptions *common;
    const void *options;                  /* the struct that its keys fill; NULL where it has none */
    Pass *pass;                           /* the model; batch, inputs and outputs are free to be used */
    const struct ProcedureRun *procedure; /* that trains it, with what it has learned; NULL: none */
    SampleStream stream;                  /* of test samples */
    int64_t samples;                      /* how many of them */
    int64_t step;                         /* optimiser steps done */
    void *state;                          /* its own, placed by layout */
    Arena arena;
} MeasureContext;

enum { MEASURE_HEADLINES = 2 };
struct Measure {
    const char *name, *unit, *description;
    const char *headline[MEASURE_HEADLINES]; /* elements that a line of a cell shows; none: all of its output */
    const KeySpec *keys;                     /* `NAME.*`; the struct they fill has at most OPTION_ROOM bytes */
    int n_keys;

    /** Forward passes for each sample, for forecasts of time. */
    int (*passes)(const MeasureOptions *common, const void *options);

    /** Buffers of its own: places context->state. Called twice, to count (state is NULL then) and to place; the pass
     *  says how large a batch is. NULL: it has none. */
    void (*layout)(MeasureContext *context, Arena *arena);

    /** Measures and adds its rows, the same on every rank. Collective on pass->grid->cell. */
    void (*run)(MeasureSink *sink, MeasureContext *context);
};

extern const Measure measure_equivariance, measure_twirl, measure_mirror, measure_lie, measure_correlation,
    measure_invariance, measure_gates, measure_augerino;
extern const Measure *const measures[]; /* every one of them: src/train/measure.c */
extern const int n_measures;

/** What a study asks for. */
enum { MEASURE_CHOICE = 16, MEASURE_LEAST = 8 };
typedef struct MeasureChoice {
    int n;
    struct {
        const Measure *measure;
        const void *options;
    } at[MEASURE_CHOICE];
    MeasureOptions common;
} MeasureChoice;

/** The chosen measurements on one pass, with all their memory; NULL chooses none. trained: forward passes of a sample that
 *  training takes, of which they may cost measure.share; INFINITY: no matter. Not collective. */
typedef struct MeasureBench {
    int n;
    MeasureContext at[MEASURE_CHOICE];
} MeasureBench;
void measure_start(MeasureBench *bench, const MeasureChoice *choice, Pass *pass, double trained);
void measure_procedure(MeasureBench *bench, const struct ProcedureRun *procedure); /* must outlive it */
void measure_end(MeasureBench *bench);

/** Runs them all after `step` optimiser steps. Collective on the cell. */
void measure_run(MeasureSink *sink, MeasureBench *bench, int64_t step);

/** Bytes that measure_start takes at most beside a pass of `sequences` of that model, and forward passes of a sample that
 *  one measure_run costs. Not collective. */
int64_t measure_bytes(const MeasureChoice *choice, const ModelKind *kind, const ModelShape *shape,
                      const TrainData *data, int sequences);
double measure_passes(const MeasureChoice *choice, const TrainData *data, double trained);

/** ---- For those who write measurements. ---- */

/** The next samples of this rank's share, in the batch of the pass: start with `MeasureChunk chunk = {0}`. first: of
 *  the chunk in the stream. Returns false after the last. Not collective. */
typedef struct MeasureChunk {
    int64_t first;
    int n;
} MeasureChunk;
bool measure_next(MeasureChunk *chunk, MeasureContext *context);

/** The residual stream of the model as one forward pass left it, whole on every rank of tp. */
typedef struct MeasureTaps {
    int n;
    Tap tap[MODEL_TAPS];
    Tensors at[MODEL_TAPS];
} MeasureTaps;

/** Room for a batch of the pass: of all points, or of those alone where it is known how motions act; a model that cannot
 *  be read, or that sees scenes turned, has none of the latter. Called twice, to count and to place. Not collective. */
void measure_taps_layout(MeasureTaps *taps, const Pass *pass, bool acting, Arena *arena);

/** pass_forward that leaves the stream in `taps`. Collective on grid->tp. */
void measure_forward(MeasureTaps *taps, Pass *pass, const SceneBatch *scenes);

/** The motions of samples that measurements draw: rotation m, uniform; one about gravity; a mirror image in a plane along gravity,
 *  uniform about it. Gravity is the dataset's, also where models are not told. Not collective. */
Motion measure_rotation(const MeasureContext *context, int64_t sample, int64_t m);
Motion measure_about_gravity(const MeasureContext *context, int64_t sample, double angle);
Motion measure_mirror_plane(const MeasureContext *context, int64_t sample);

/** Values (context->samples), each filled in by the rank that has the sample and 0 elsewhere: afterwards every rank has
 *  them all. Collective on the cell. */
void measure_gather(const MeasureContext *context, double *values);

/** A row: mean and standard error of the finite ones among values (context->samples). layer: -1, the output. Not
 *  collective. */
void measure_row(MeasureSink *sink, const MeasureContext *context, int64_t layer, const char *element,
                 const double *values);

/** A row of any number. Not collective. */
void measure_number(MeasureSink *sink, const MeasureContext *context, int64_t layer, const char *element, double value,
                    double se, int64_t samples);

/** Values whose mean is the ratio of the means of x and y, and whose standard error is that of the ratio to first order
 *  (delta method). */
void measure_ratio(double *out, const double *x, const double *y, int64_t n);
