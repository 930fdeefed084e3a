/* What fixed inputs (nn/gatr_fixed.c) do for a model, Ashman et al. 2024, arXiv 2406.13488: with F(x, t) where their gates are on,
 * as held-out samples are seen, and F(x, 0) where they are off, which is as equivariant as GATr. Elements:
 *     on, off    loss with them and without, in the units of the loss (train/pass.h)
 *     delta      mean over samples and numbers of |F(x, t) - F(x, 0)|, displacements in units of scale.step [paper]: how far the
 *                model is from an equivariant one
 * A model without fixed inputs has no rows. */
#include "train/measure.h"

#include <math.h>
#include <string.h>

enum { ON, OFF, DELTA, ELEMENTS };
static const char *const element_name[ELEMENTS] = {"on", "off", "delta"};

typedef struct State {
    real *on;                /* (tokens, 3) F(x, t) */
    double *value[ELEMENTS]; /* (samples) */
} State;

static int passes(const MeasureOptions *common, const void *options) {
    (void)common;
    (void)options;
    return 2;
}

static void layout(MeasureContext *c, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    c->state = s;
    if (!s) s = &counted;
    s->on = ARENA_TAKE(arena, real, 3 * c->pass->batch.max_tokens);
    for (int e = 0; e < ELEMENTS; e++) s->value[e] = ARENA_TAKE(arena, double, c->samples);
}

/* What the model says of the batch with its gates as they are, and the loss of each sample. */
static void predict(MeasureContext *c, const MeasureChunk *chunk, double *loss) {
    pass_predict(c->pass, &c->pass->batch.scenes);
    pass_loss(c->pass);
    memcpy(loss + chunk->first, c->pass->error, (size_t)chunk->n * sizeof *loss);
}

static void measure_chunk(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    Batch *batch = &c->pass->batch;
    const int64_t *start = batch->scenes.seqs.start;
    predict(c, chunk, s->value[ON]);
    memcpy(s->on, c->pass->prediction, (size_t)(3 * start[chunk->n]) * sizeof *s->on);
    for (int q = 0; q < chunk->n; q++) batch->gate[q] = 0;
    batch->scenes.gate = batch->gate;
    predict(c, chunk, s->value[OFF]);
    for (int q = 0; q < chunk->n; q++) {
        double sum = 0, numbers = 3 * (double)(start[q + 1] - start[q]);
        for (int64_t i = 3 * start[q]; i < 3 * start[q + 1]; i++)
            sum += fabs((double)s->on[i] - (double)c->pass->prediction[i]);
        s->value[DELTA][chunk->first + q] = sum / numbers;
    }
}

static void run(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    if (!c->pass->shape.fixed) return;
    for (int e = 0; e < ELEMENTS; e++) memset(s->value[e], 0, (size_t)c->samples * sizeof *s->value[e]);
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) measure_chunk(c, &chunk);
    for (int e = 0; e < ELEMENTS; e++) {
        measure_gather(c, s->value[e]);
        measure_row(sink, c, -1, element_name[e], s->value[e]);
    }
}

const Measure measure_gates = {
    .name = "gates",
    .unit = "1",
    .description =
        "loss with fixed inputs (on) and without (off), and the mean change of a displacement by them (delta)",
    .headline = "delta",
    .passes = passes,
    .layout = layout,
    .run = run};
