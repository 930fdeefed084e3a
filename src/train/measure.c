#include "train/measure.h"

#include <math.h>
#include <stdio.h>

#define AT(member) offsetof(MeasureOptions, member)
const KeySpec measure_keys[] = {
    {"measure.samples", KEY_INT, AT(samples), "256", 1, 1 << 20, NULL, "samples",
     "test samples on which a model is measured"},
    {"measure.motions", KEY_INT, AT(motions), "8", 2, 1 << 16, NULL, "1", "motions of space drawn for each sample"},
    {"measure.curve", KEY_BOOL, AT(curve), "false", 0, 0, NULL, "1",
     "measure at every point of the learning curve too, not only at its end"},
};
#undef AT
const int n_measure_keys = sizeof measure_keys / sizeof *measure_keys;

const Measure *const measures[] = {&measure_equivariance, &measure_twirl};
const int n_measures = sizeof measures / sizeof *measures;

/* ---- The chosen ones, at work. ---- */

static MeasureContext context_of(const MeasureChoice *choice, int i, Pass *pass) {
    MeasureContext c = {.measure = choice->at[i].measure,
                        .common = &choice->common,
                        .options = choice->at[i].options,
                        .pass = pass,
                        .stream = {.range = SAMPLES_TEST}};
    int64_t there = batch_samples(pass->data, &c.stream);
    c.samples = choice->common.samples < there ? choice->common.samples : there;
    return c;
}

static size_t context_bytes(MeasureContext *c) {
    Arena count = arena_count();
    if (c->measure->layout) c->measure->layout(c, &count);
    return count.peak;
}

void measure_start(MeasureBench *bench, const MeasureChoice *choice, Pass *pass) {
    bench->n = choice ? choice->n : 0;
    for (int i = 0; i < bench->n; i++) {
        MeasureContext *c = &bench->at[i];
        *c = context_of(choice, i, pass);
        c->arena = arena_new(context_bytes(c));
        if (c->measure->layout) c->measure->layout(c, &c->arena);
    }
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

int64_t measure_bytes(const MeasureChoice *choice, const TrainData *data, int sequences) {
    Pass pass = {.data = data};
    Arena count = arena_count();
    batch_layout(&pass.batch, data, sequences, &count); /* its sizes alone */
    int64_t bytes = 0;
    for (int i = 0; choice && i < choice->n; i++) {
        MeasureContext c = context_of(choice, i, &pass);
        bytes += (int64_t)context_bytes(&c);
    }
    return bytes;
}

double measure_passes(const MeasureChoice *choice, const TrainData *data) {
    Pass pass = {.data = data};
    double passes = 0;
    for (int i = 0; choice && i < choice->n; i++) {
        MeasureContext c = context_of(choice, i, &pass);
        passes += (double)c.samples * c.measure->passes(c.common, c.options);
    }
    return passes;
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

void measure_gather(const MeasureContext *c, double *values) {
    comm_sum_f64(c->pass->grid->dp, values, c->samples);
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
    sink->row = mem_grow(sink->row, (size_t)(sink->n + 1) * sizeof *sink->row);
    MeasureRow *row = &sink->row[sink->n++];
    *row = (MeasureRow){.step = c->step, .layer = layer, .value = mean, .samples = n};
    row->se = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : NAN;
    snprintf(row->measure, sizeof row->measure, "%s", c->measure->name);
    snprintf(row->element, sizeof row->element, "%s", element);
}
