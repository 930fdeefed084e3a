/* How much of a model's loss is due to imperfect symmetry under rotations. With M rotations g_m of a sample and
 * fbar = (1/M) sum_m g_m^-1 f(g_m x), its prediction made symmetric by averaging ("twirled"), exactly
 *     (1/M) sum_m |f(g_m x) - g_m y|^2  =  |fbar - y|^2  +  (1/M) sum_m |g_m^-1 f(g_m x) - fbar|^2
 * all in the units of the loss (train/pass.h). Elements:
 *     views        the left side, the loss over rotated samples
 *     averaged     the first term, the loss of the averaged prediction
 *     asymmetry    the last term times M/(M-1), which has the same mean for every M: what averaging over all rotations
 *                  would take away. 0 for a model that is equivariant
 *     share        asymmetry over views, means over the samples
 * What averaging takes away at the end is not all that a lack of symmetry costs: capacity and steps were spent on
 * learning it. */
#include "train/measure.h"

#include "base/rng.h"

#include <string.h>

enum { VIEWS, AVERAGED, ASYMMETRY, SHARE, ELEMENTS };
static const char *const element_name[ELEMENTS] = {"views", "averaged", "asymmetry", "share"};

typedef struct State {
    MovedScenes moved;
    Motion *motion;          /* (sequences) */
    double *mean;            /* (tokens, 3) of the predictions so far, turned back */
    double *value[ELEMENTS]; /* (samples) */
} State;

static int passes(const MeasureOptions *common, const void *options) {
    (void)options;
    return (int)common->motions;
}

static void layout(MeasureContext *c, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    c->state = s;
    if (!s) s = &counted;
    const Batch *b = &c->pass->batch;
    act_layout(&s->moved, b->max_tokens, b->max_sequences, arena);
    s->motion = ARENA_TAKE(arena, Motion, b->max_sequences);
    s->mean = ARENA_TAKE(arena, double, 3 * b->max_tokens);
    for (int e = 0; e < ELEMENTS; e++) s->value[e] = ARENA_TAKE(arena, double, c->samples);
}

/* Takes view m of sequence q of the batch, sample i, into mean and sums of squares (Welford 1962), which lose nothing
 * however close the predictions are. */
static void add_view(MeasureContext *c, int q, int64_t i, int64_t m) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    Motion back = motion_inverse(&s->motion[q]);
    double views = 0, spread = 0, weight = (double)b->weight[q] / (double)c->common->motions;
    for (int64_t t = b->start[q]; t < b->start[q + 1]; t++) {
        double x[3];
        for (int k = 0; k < 3; k++) x[k] = (double)c->pass->prediction[3 * t + k];
        act_vector(x, x, &back);
        for (int k = 0; k < 3; k++) {
            double *mean = &s->mean[3 * t + k], error = x[k] - (double)b->target[3 * t + k], step = x[k] - *mean;
            *mean += step / (double)(m + 1);
            spread += step * (x[k] - *mean);
            views += error * error;
        }
    }
    s->value[VIEWS][i] += views * weight;
    s->value[ASYMMETRY][i] += spread * weight;
}

static void measure_chunk(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    memset(s->mean, 0, (size_t)(3 * b->start[chunk->n]) * sizeof *s->mean);
    for (int64_t m = 0; m < c->common->motions; m++) {
        for (int q = 0; q < chunk->n; q++)
            s->motion[q] =
                motion_haar(c->stream.seed, rng_stream("measure", (uint64_t)(chunk->first + q)), (uint64_t)m);
        act_scene(&s->moved, &b->scenes, s->motion, true);
        pass_predict(c->pass, &s->moved.scenes);
        for (int q = 0; q < chunk->n; q++) add_view(c, q, chunk->first + q, m);
    }
    for (int q = 0; q < chunk->n; q++)
        for (int64_t t = 3 * b->start[q]; t < 3 * b->start[q + 1]; t++) {
            double error = s->mean[t] - (double)b->target[t];
            s->value[AVERAGED][chunk->first + q] += error * error * (double)b->weight[q];
        }
}

/* Values whose mean is the ratio of the means of x and y, and whose standard error is that of the ratio to first order
 * (delta method). */
static void ratio(double *out, const double *x, const double *y, int64_t n) {
    double sum_x = 0, sum_y = 0;
    for (int64_t i = 0; i < n; i++) {
        sum_x += x[i];
        sum_y += y[i];
    }
    double of_means = sum_x / sum_y;
    for (int64_t i = 0; i < n; i++) out[i] = of_means + (x[i] - of_means * y[i]) / (sum_y / (double)n);
}

static void run(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    double m = (double)c->common->motions;
    for (int e = 0; e < ELEMENTS; e++) memset(s->value[e], 0, (size_t)c->samples * sizeof *s->value[e]);
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) measure_chunk(c, &chunk);
    for (int e = 0; e < SHARE; e++) measure_gather(c, s->value[e]);
    for (int64_t i = 0; i < c->samples; i++) s->value[ASYMMETRY][i] *= m / (m - 1);
    ratio(s->value[SHARE], s->value[ASYMMETRY], s->value[VIEWS], c->samples);
    for (int e = 0; e < ELEMENTS; e++) measure_row(sink, c, -1, element_name[e], s->value[e]);
}

const Measure measure_twirl = {
    .name = "twirl",
    .unit = "1",
    .description =
        "loss over rotated samples, of the prediction averaged over them, their unbiased difference and its share",
    .passes = passes,
    .layout = layout,
    .run = run};
