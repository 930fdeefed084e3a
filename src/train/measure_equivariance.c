/* How far a model is from turning with the scene. Over samples x and M motions g of each, with norms over all numbers of a scene:
 *     so3, mirror    mean of |f(g x) - g f(x)| / |f(x)|; g uniform in SO(3), or a uniform rotation and the reflection at the
 *                    origin (uniform in what O(3) has beside SO(3))
 *     error          E' = mean_x 1/M sum_g |f(g x) - g f(x)|, of rotations (Elhag et al. 2024, arXiv 2410.17878, eq. 8)
 *     averaged       E = mean_x |1/M sum_g (f(g x) - g f(x))| (there eq. 9), never above E'; errors of different rotations
 *                    cancel in it, so that it is nearly blind
 *     relative       E' over the rms of |f(x)|
 * E' and E are in the unit of displacements (scale.step). All are 0 for a model that turns exactly.
 *
 * f is what the model itself says: the predicted change of the displacement. The displacement is the velocity plus that,
 * and the velocity turns exactly whatever the model does: with it the same fault would look smaller the more uniformly
 * bodies move. A sample on which a model says nothing, f(x) = 0, has no relative error and is left out. */
#include "train/measure.h"

#include <math.h>
#include <string.h>

enum { ROTATION, MIRROR, GROUPS, ERROR = GROUPS, AVERAGED, SIZE, VALUES };
static const char *const name[] = {[ROTATION] = "so3", [MIRROR] = "mirror", [ERROR] = "error", [AVERAGED] = "averaged"};

typedef struct State {
    MovedScenes moved;
    real *still, *turned;  /* (tokens, 3) f(x) and g f(x) */
    double *sum;           /* (tokens, 3) of f(g x) - g f(x) over the rotations so far */
    Motion *motion;        /* (sequences) */
    double *value[VALUES]; /* (samples) means over motions; SIZE: |f(x)|^2 */
} State;

static int passes(const MeasureOptions *common, const void *options) {
    (void)options;
    return 1 + GROUPS * (int)common->motions;
}

static void layout(MeasureContext *c, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    c->state = s;
    if (!s) s = &counted;
    const Batch *b = &c->pass->batch;
    act_layout(&s->moved, b->max_tokens, b->max_sequences, arena);
    s->still = ARENA_TAKE(arena, real, 3 * b->max_tokens);
    s->turned = ARENA_TAKE(arena, real, 3 * b->max_tokens);
    s->sum = ARENA_TAKE(arena, double, 3 * b->max_tokens);
    s->motion = ARENA_TAKE(arena, Motion, b->max_sequences);
    for (int e = 0; e < VALUES; e++) s->value[e] = ARENA_TAKE(arena, double, c->samples);
}

/* Scenes of the chunk as they are: f(x) and its size. */
static void predict_still(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    const int64_t *start = c->pass->batch.start;
    int64_t numbers = 3 * start[chunk->n];
    pass_forward(c->pass, &c->pass->batch.scenes);
    memcpy(s->still, c->pass->prediction, (size_t)numbers * sizeof *s->still);
    memset(s->sum, 0, (size_t)numbers * sizeof *s->sum);
    for (int q = 0; q < chunk->n; q++)
        for (int64_t i = 3 * start[q]; i < 3 * start[q + 1]; i++)
            s->value[SIZE][chunk->first + q] += (double)s->still[i] * (double)s->still[i];
}

/* Of sequence q, sample i, under one motion. */
static void add_error(MeasureContext *c, int q, int64_t i, int group) {
    State *s = c->state;
    const int64_t *start = c->pass->batch.start;
    double square = 0, size = s->value[SIZE][i], each = 1 / (double)c->common->motions;
    for (int64_t k = 3 * start[q]; k < 3 * start[q + 1]; k++) {
        double error = (double)c->pass->prediction[k] - (double)s->turned[k];
        square += error * error;
        if (group == ROTATION) s->sum[k] += error;
    }
    s->value[group][i] += each * (size > 0 ? sqrt(square / size) : NAN);
    if (group == ROTATION) s->value[ERROR][i] += each * sqrt(square);
}

/* One motion for each sample of the chunk, of whose f(x) is known. */
static void add_motion(MeasureContext *c, const MeasureChunk *chunk, int group, int64_t m) {
    State *s = c->state;
    const SceneBatch *scenes = &c->pass->batch.scenes;
    const Packed *seqs = &scenes->seqs;
    for (int q = 0; q < chunk->n; q++) {
        s->motion[q] = measure_rotation(c, chunk->first + q, m);
        if (group == MIRROR) s->motion[q] = motion_mirrored(&s->motion[q]);
    }
    act_scene(&s->moved, scenes, s->motion, true);
    pass_forward(c->pass, &s->moved.scenes);
    act_out(s->turned, s->still, seqs, s->motion, true);
    for (int q = 0; q < chunk->n; q++) add_error(c, q, chunk->first + q, group);
}

/* |1/M sum over rotations| of each sample of the chunk. */
static void average_errors(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    const int64_t *start = c->pass->batch.start;
    for (int q = 0; q < chunk->n; q++) {
        double square = 0;
        for (int64_t k = 3 * start[q]; k < 3 * start[q + 1]; k++) square += s->sum[k] * s->sum[k];
        s->value[AVERAGED][chunk->first + q] = sqrt(square) / (double)c->common->motions;
    }
}

/* E' over the rms of |f(x)|, its standard error that of E' alone. */
static void relative_row(MeasureSink *sink, const MeasureContext *c) {
    const State *s = c->state;
    const MeasureRow error = sink->row[sink->n - 1];
    double mean = 0, unit = c->pass->data->scale.deviation;
    for (int64_t i = 0; i < c->samples; i++) mean += s->value[SIZE][i] / (double)c->samples;
    double rms = unit * sqrt(mean);
    if (rms > 0) measure_number(sink, c, -1, "relative", error.value / rms, error.se / rms, error.samples);
}

static void run(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    for (int v = 0; v < VALUES; v++) memset(s->value[v], 0, (size_t)c->samples * sizeof *s->value[v]);
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) {
        predict_still(c, &chunk);
        for (int group = 0; group < GROUPS; group++)
            for (int64_t m = 0; m < c->common->motions; m++) add_motion(c, &chunk, group, m);
        average_errors(c, &chunk);
    }
    for (int v = 0; v < VALUES; v++) measure_gather(c, s->value[v]);
    for (int64_t i = 0; i < c->samples; i++) {
        s->value[ERROR][i] *= c->pass->data->scale.deviation;
        s->value[AVERAGED][i] *= c->pass->data->scale.deviation;
    }
    for (int v = ROTATION; v <= MIRROR; v++) measure_row(sink, c, -1, name[v], s->value[v]);
    measure_row(sink, c, -1, name[AVERAGED], s->value[AVERAGED]);
    measure_row(sink, c, -1, name[ERROR], s->value[ERROR]);
    relative_row(sink, c);
}

const Measure measure_equivariance = {
    .name = "equivariance",
    .unit = "1",
    .description =
        "mean of |f(gx) - g f(x)| / |f(x)| over rotations (so3) and mirror images (mirror); of rotations its "
        "numerator (error), that of the mean over rotations (averaged), and error over rms |f(x)| (relative)",
    .headline = {"so3", "mirror"},
    .passes = passes,
    .layout = layout,
    .run = run};
