#include "train/measure.h"

#include "base/rng.h"
#include "la/pga.h"

#include <math.h>
#include <stdio.h>

#define AT(member) offsetof(MeasureOptions, member)
const KeySpec measure_keys[] = {
    {"measure.samples", KEY_INT, AT(samples), "256", 1, 1 << 20, NULL, "samples",
     "test samples on which a model is measured"},
    {"measure.share", KEY_REAL, AT(share), "0.025", 0, 1e6, NULL, "1",
     "all measurements together take at most this part of the forward passes of training: fewer samples, at least 8"},
    {"measure.motions", KEY_INT, AT(motions), "8", 2, 1 << 16, NULL, "1", "motions of space drawn for each sample"},
    {"measure.curve", KEY_BOOL, AT(curve), "false", 0, 0, NULL, "1",
     "measure at every point of the learning curve too, not only at its end"},
};
#undef AT
const int n_measure_keys = sizeof measure_keys / sizeof *measure_keys;

const Measure *const measures[] = {&measure_equivariance, &measure_twirl,      &measure_mirror, &measure_lie,
                                   &measure_correlation,  &measure_invariance, &measure_gates,  &measure_augerino};
const int n_measures = sizeof measures / sizeof *measures;

/* ---- The chosen ones, at work. ---- */

/* Samples that are measured, the same for all of the chosen ones. */
static int64_t samples_of(const MeasureChoice *choice, const TrainData *data, double trained) {
    SampleStream test = {.range = SAMPLES_TEST};
    int64_t there = batch_samples(data, &test), n = choice->common.samples;
    double each = 0;
    for (int i = 0; i < choice->n; i++) each += choice->at[i].measure->passes(&choice->common, choice->at[i].options);
    double affordable = choice->common.share * trained / each;
    if (affordable < (double)n) n = affordable > MEASURE_LEAST ? (int64_t)affordable : MEASURE_LEAST;
    return n < there ? n : there;
}

static MeasureContext context_of(const MeasureChoice *choice, int i, Pass *pass, double trained) {
    return (MeasureContext){.measure = choice->at[i].measure,
                            .common = &choice->common,
                            .options = choice->at[i].options,
                            .pass = pass,
                            .stream = {.range = SAMPLES_TEST},
                            .samples = samples_of(choice, pass->data, trained)};
}

static size_t context_bytes(MeasureContext *c) {
    Arena count = arena_count();
    if (c->measure->layout) c->measure->layout(c, &count);
    return count.peak;
}

void measure_start(MeasureBench *bench, const MeasureChoice *choice, Pass *pass, double trained) {
    bench->n = choice ? choice->n : 0;
    for (int i = 0; i < bench->n; i++) {
        MeasureContext *c = &bench->at[i];
        *c = context_of(choice, i, pass, trained);
        c->arena = arena_new(context_bytes(c));
        if (c->measure->layout) c->measure->layout(c, &c->arena);
    }
}

void measure_procedure(MeasureBench *bench, const struct ProcedureRun *procedure) {
    for (int i = 0; i < bench->n; i++) bench->at[i].procedure = procedure;
}

void measure_end(MeasureBench *bench) {
    for (int i = 0; i < bench->n; i++) arena_free(&bench->at[i].arena);
}

void measure_run(MeasureSink *sink, MeasureBench *bench, int64_t step) {
    for (int i = 0; i < bench->n; i++) {
        bench->at[i].step = step;
        bench->at[i].measure->run(sink, &bench->at[i]);
    }
}

int64_t measure_bytes(const MeasureChoice *choice, const ModelKind *kind, const ModelShape *shape,
                      const TrainData *data, int sequences) {
    Pass pass = {.kind = kind, .shape = *shape, .data = data};
    Arena count = arena_count();
    batch_layout(&pass.batch, data, sequences, &count); /* its sizes alone */
    int64_t bytes = 0;
    for (int i = 0; choice && i < choice->n; i++) {
        MeasureContext c = context_of(choice, i, &pass, INFINITY);
        bytes += (int64_t)context_bytes(&c);
    }
    return bytes;
}

double measure_passes(const MeasureChoice *choice, const TrainData *data, double trained) {
    double passes = 0;
    for (int i = 0; choice && i < choice->n; i++)
        passes += choice->at[i].measure->passes(&choice->common, choice->at[i].options);
    return passes > 0 ? passes * (double)samples_of(choice, data, trained) : 0;
}

/* ---- For those who write measurements. ---- */

bool measure_next(MeasureChunk *chunk, MeasureContext *c) {
    Pass *pass = c->pass;
    const Comm *dp = pass->grid->dp;
    int first, count;
    pass_share(&first, &count, c->samples, comm_rank(dp), comm_size(dp));
    int64_t next = chunk->n ? chunk->first + chunk->n : first, left = first + count - next;
    if (left <= 0) return false;
    *chunk = (MeasureChunk){.first = next, .n = pass->batch.max_sequences};
    if (chunk->n > left) chunk->n = (int)left;
    batch_fill(&pass->batch, pass->data, &c->stream, chunk->first, chunk->n);
    return true;
}

void measure_taps_layout(MeasureTaps *taps, const Pass *pass, bool acting, Arena *arena) {
    const ModelKind *kind = pass->kind;
    int64_t tokens = pass->batch.max_tokens;
    taps->n = kind->taps ? kind->taps(NULL, &pass->shape) : 0;
    CHECK(taps->n <= MODEL_TAPS, "%s has %d taps", kind->name, taps->n);
    if (taps->n) kind->taps(taps->tap, &pass->shape);
    for (int i = 0; i < taps->n; i++) taps->tap[i].acts &= !pass->shape.upright;
    bool all = true;
    for (int i = 0; i < taps->n; i++) all &= taps->tap[i].acts;
    if (acting && !all) taps->n = 0;
    for (int i = 0; i < taps->n; i++) {
        const Tap *tap = &taps->tap[i];
        taps->at[i].mv = tap->mv ? ARENA_TAKE(arena, real, PGA * tokens * tap->mv) : NULL;
        taps->at[i].s = tap->s ? ARENA_TAKE(arena, real, tokens * tap->s) : NULL;
    }
}

void measure_forward(MeasureTaps *taps, Pass *pass, const SceneBatch *scenes) {
    pass->model->tap = taps->n ? taps->at : NULL;
    pass_forward(pass, scenes);
    pass->model->tap = NULL;
}

Motion measure_rotation(const MeasureContext *c, int64_t sample, int64_t m) {
    return motion_haar(c->stream.seed, rng_stream("measure", (uint64_t)sample), (uint64_t)m);
}

Motion measure_about_gravity(const MeasureContext *c, int64_t sample, double angle) {
    double vertical[3];
    batch_gravity(vertical, c->pass->data, &c->stream, sample);
    return motion_about(vertical, angle);
}

Motion measure_mirror_plane(const MeasureContext *c, int64_t sample) {
    double vertical[3];
    batch_gravity(vertical, c->pass->data, &c->stream, sample);
    Motion turn = motion_haar(c->stream.seed, rng_stream("mirror plane", (uint64_t)sample), 0);
    double normal[3];
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        normal[i] = vertical[j] * turn.a[k] - vertical[k] * turn.a[j];
    }
    return motion_mirror(normal);
}

void measure_gather(const MeasureContext *c, double *values) {
    comm_sum_f64(c->pass->grid->dp, values, c->samples);
}

void measure_number(MeasureSink *sink, const MeasureContext *c, int64_t layer, const char *element, double value,
                    double se, int64_t samples) {
    sink->row = mem_grow(sink->row, (size_t)(sink->n + 1) * sizeof *sink->row);
    MeasureRow *row = &sink->row[sink->n++];
    *row = (MeasureRow){.step = c->step, .layer = layer, .value = value, .se = se, .samples = samples};
    snprintf(row->measure, sizeof row->measure, "%s", c->measure->name);
    snprintf(row->element, sizeof row->element, "%s", element);
}

void measure_row(MeasureSink *sink, const MeasureContext *c, int64_t layer, const char *element, const double *values) {
    double sum = 0, squares = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < c->samples; i++) {
        if (!isfinite(values[i])) continue;
        sum += values[i];
        n++;
    }
    double mean = n ? sum / (double)n : NAN;
    for (int64_t i = 0; i < c->samples; i++)
        if (isfinite(values[i])) squares += (values[i] - mean) * (values[i] - mean);
    measure_number(sink, c, layer, element, mean, n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : NAN, n);
}

void measure_ratio(double *out, const double *x, const double *y, int64_t n) {
    double sum_x = 0, sum_y = 0;
    for (int64_t i = 0; i < n; i++) {
        sum_x += x[i];
        sum_y += y[i];
    }
    double of_means = sum_x / sum_y;
    for (int64_t i = 0; i < n; i++) out[i] = of_means + (x[i] - of_means * y[i]) / (sum_y / (double)n);
}
