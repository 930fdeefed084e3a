/* What fixed inputs (nn/gatr_fixed.c) do for a model, Ashman et al. 2024, arXiv 2406.13488: with F(x, t) where their gates are on,
 * as held-out samples are seen, and F(x, 0) where they are off, which is as equivariant as GATr. Elements:
 *     on, off    loss with them and without, in the units of the loss (train/pass.h)
 *     delta      mean over samples and numbers of |F(x, t) - F(x, 0)|, displacements in units of scale.step [paper]: how far the
 *                model is from an equivariant one
 *     fall       with gates on, cosine with gravity of the mean acceleration that is predicted for vertices whose body touches
 *                nothing within the frame: whether the model knows where down is; where all scenes agree on that, and contacts
 *                were recorded
 *     fixed J x, y, z, offset
 *                what the J-th fixed input came to, where it is a direction or a plane (n p + offset = 0), of any length, in the
 *                coordinates and the unit of length of what the model sees
 * A model without fixed inputs has no rows. */
#include "train/measure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ON, OFF, DELTA, ELEMENTS };
static const char *const element_name[ELEMENTS] = {"on", "off", "delta"};

typedef struct State {
    real *on;                /* (tokens, 3) F(x, t) */
    double *value[ELEMENTS]; /* (samples) */
    double fall[3],
        down[3];    /* sums: of predicted accelerations in free flight; of the direction of gravity over samples */
    int64_t flying; /* samples with vertices in free flight */
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

/* Takes in what is predicted, for vertices of sample i, sequence q of the batch, that touch nothing until the next frame. */
static void add_fall(MeasureContext *c, int q, int64_t i) {
    State *s = c->state;
    const Batch *batch = &c->pass->batch;
    int64_t frame, first = batch->start[q];
    const Trajectory *tr = batch_source(&frame, c->pass->data, &c->stream, i);
    bool flies = false;
    for (int64_t v = 0; tr->contact && v < tr->vertices; v++) {
        if (tr->contact[frame * tr->bodies + tr->vertex_body[v]]) continue;
        flies = true;
        for (int64_t k = 0, at = 3 * (first + v); k < 3; k++)
            s->fall[k] += (double)c->pass->prediction[at + k] - (double)batch->velocity[at + k];
    }
    double down[3] = {(double)tr->gravity[0], (double)tr->gravity[1], (double)tr->gravity[2]};
    const Motion as_it_is = motion_identity();
    act_direction(down, down, &as_it_is);
    for (int k = 0; flies && k < 3; k++) s->down[k] += down[k];
    s->flying += flies;
}

static double length_of(const double x[3]) {
    return sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
}

/* Where every scene has the same vertical. */
static void fall_row(MeasureSink *sink, MeasureContext *c) {
    static const double alike = 1e-6;
    State *s = c->state;
    const Comm *dp = c->pass->grid->dp;
    comm_sum_f64(dp, s->fall, 3);
    comm_sum_f64(dp, s->down, 3);
    comm_sum_i64(dp, &s->flying, 1);
    double down = length_of(s->down), fall = length_of(s->fall);
    if (!s->flying || fall == 0 || down < (1 - alike) * (double)s->flying) return;
    double along = s->fall[0] * s->down[0] + s->fall[1] * s->down[1] + s->fall[2] * s->down[2];
    measure_number(sink, c, -1, "fall", along / (fall * down), NAN, s->flying);
}

/* What training made of fixed inputs that have a meaning by themselves. */
static void learned_rows(MeasureSink *sink, const MeasureContext *c) {
    static const char *const number_name[] = {"x", "y", "z", "offset"};
    const Model *model = c->pass->model;
    if (!model->shape.fixed || model->shape.fixed_kind == FIXED_FREE) return;
    const Param *fixed = param_find(&model->table, "fixed.mv");
    int numbers = (int)(fixed->count / model->shape.fixed);
    for (int64_t i = 0; i < fixed->count; i++) {
        char element[RESULTS_NAME];
        snprintf(element, sizeof element, "fixed %d %s", 1 + (int)(i / numbers), number_name[i % numbers]);
        measure_number(sink, c, -1, element, (double)model->theta[fixed->offset + i], NAN, c->samples);
    }
}

static void measure_chunk(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    Batch *batch = &c->pass->batch;
    const int64_t *start = batch->scenes.seqs.start;
    predict(c, chunk, s->value[ON]);
    memcpy(s->on, c->pass->prediction, (size_t)(3 * start[chunk->n]) * sizeof *s->on);
    for (int q = 0; q < chunk->n; q++) add_fall(c, q, chunk->first + q);
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
    if (!c->pass->shape.fixed && !c->pass->shape.fixed_scalars) return;
    for (int e = 0; e < ELEMENTS; e++) memset(s->value[e], 0, (size_t)c->samples * sizeof *s->value[e]);
    memset(s->fall, 0, sizeof s->fall);
    memset(s->down, 0, sizeof s->down);
    s->flying = 0;
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) measure_chunk(c, &chunk);
    for (int e = 0; e < ELEMENTS; e++) {
        measure_gather(c, s->value[e]);
        measure_row(sink, c, -1, element_name[e], s->value[e]);
    }
    fall_row(sink, c);
    learned_rows(sink, c);
}

const Measure measure_gates = {.name = "gates",
                               .unit = "1",
                               .description = "loss with fixed inputs (on) and without (off), the mean change of a "
                                              "displacement by them (delta), and the cosine "
                                              "of predicted free fall with gravity (fall); directions and planes "
                                              "that were learned (fixed J x, y, z, offset)",
                               .headline = {"delta"},
                               .passes = passes,
                               .layout = layout,
                               .run = run};
