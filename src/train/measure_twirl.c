/* How much of a model's loss is due to imperfect symmetry: `twirl` under rotations, `mirror` under mirror images, `augerino` under
 * the motions whose widths that procedure has learned. With M
 * motions g_m of a sample and fbar = (1/M) sum_m g_m^-1 f(g_m x), its prediction made symmetric by averaging
 * ("twirled"), exactly
 *     (1/M) sum_m |f(g_m x) - g_m y|^2  =  |fbar - y|^2  +  (1/M) sum_m |g_m^-1 f(g_m x) - fbar|^2
 * all in the units of the loss (train/pass.h). Elements:
 *     views        the left side, the loss over moved samples
 *     averaged     the first term, the loss of the averaged prediction
 *     asymmetry    what averaging over the whole group would take away: the last term, times M/(M-1) where the motions
 *                  are drawn, so that it has the same mean for every M. 0 for a model that is equivariant
 *     share        asymmetry over views, means over the samples
 *     ratio        of `mirror` alone: loss over mirrored samples over that over samples as they are
 *     single       of `augerino` alone: the loss of samples as they are
 * twirl draws measure.motions rotations of each sample. mirror has the two motions of a group: none, and the reflection
 * at a plane along gravity, another one for each sample. So gravity stays where it is, and a fault under rotations that
 * tilt a scene is none of it. augerino draws augerino.copies of each sample, whose mean prediction is the paper's (Benton et
 * al. 2020, arXiv 2010.11882); its motions need not be rotations, so `views` is then |g^-1 f(g x) - y|^2. A model that was
 * trained otherwise has no rows of it.
 * What averaging takes away at the end is not all that a lack of symmetry costs: capacity and steps were spent on
 * learning it. */
#include "train/augerino.h"
#include "train/measure.h"

#include <string.h>

enum { VIEWS, AVERAGED, ASYMMETRY, SHARE, STILL, ELEMENTS };
static const char *const element_name[STILL] = {"views", "averaged", "asymmetry", "share"};

typedef struct Options {
    int64_t copies;
} Options;

static const KeySpec learned_keys[] = {
    {"augerino.copies", KEY_INT, offsetof(Options, copies), "4", 2, 1 << 16, NULL, "motions",
     "motions over whose predictions the measurement augerino takes the mean"},
};

typedef struct State {
    MovedScenes moved;
    Motion *motion;          /* (sequences) */
    double *mean;            /* (tokens, 3) of the predictions so far, turned back */
    double *value[ELEMENTS]; /* (samples); STILL: loss of the sample as it is */
} State;

static bool mirrors(const MeasureContext *c) {
    return c->measure == &measure_mirror;
}

static bool learned(const MeasureContext *c) {
    return c->measure == &measure_augerino;
}

static int motions(const MeasureContext *c) {
    if (mirrors(c)) return 2;
    return (int)(learned(c) ? ((const Options *)c->options)->copies : c->common->motions);
}

static int twirl_passes(const MeasureOptions *common, const void *options) {
    (void)options;
    return (int)common->motions;
}

static int learned_passes(const MeasureOptions *common, const void *options) {
    (void)common;
    return 1 + (int)((const Options *)options)->copies;
}

static int mirror_passes(const MeasureOptions *common, const void *options) {
    (void)common;
    (void)options;
    return 2;
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

/* Motion m of sample i. */
static Motion motion_of(const MeasureContext *c, int64_t i, int64_t m) {
    if (learned(c)) return augerino_motion(c->procedure, i, m);
    if (!mirrors(c)) return measure_rotation(c, i, m);
    if (m == 0) return motion_identity();
    return measure_mirror_plane(c, i);
}

/* Takes view m of sequence q of the batch, sample i, into mean and sums of squares (Welford 1962), which lose nothing
 * however close the predictions are. */
static void add_view(MeasureContext *c, int q, int64_t i, int64_t m) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    Motion back = motion_inverse(&s->motion[q]);
    double views = 0, spread = 0, weight = (double)b->weight[q] / motions(c);
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
    if (m == 0 && mirrors(c)) s->value[STILL][i] = views * (double)b->weight[q];
    s->value[VIEWS][i] += views * weight;
    s->value[ASYMMETRY][i] += spread * weight;
}

static void measure_chunk(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    if (learned(c)) {
        pass_predict(c->pass, &b->scenes);
        pass_loss(c->pass);
        memcpy(s->value[STILL] + chunk->first, c->pass->error, (size_t)chunk->n * sizeof *s->value[STILL]);
    }
    memset(s->mean, 0, (size_t)(3 * b->start[chunk->n]) * sizeof *s->mean);
    for (int64_t m = 0; m < motions(c); m++) {
        for (int q = 0; q < chunk->n; q++) s->motion[q] = motion_of(c, chunk->first + q, m);
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

static void run(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    if (learned(c) && (!c->procedure || c->procedure->procedure != &procedure_augerino)) return;
    double m = motions(c), unbiased = mirrors(c) ? 1 : m / (m - 1);
    for (int e = 0; e < ELEMENTS; e++) memset(s->value[e], 0, (size_t)c->samples * sizeof *s->value[e]);
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) measure_chunk(c, &chunk);
    for (int e = 0; e < ELEMENTS; e++)
        if (e != SHARE) measure_gather(c, s->value[e]);
    for (int64_t i = 0; i < c->samples; i++) s->value[ASYMMETRY][i] *= unbiased;
    measure_ratio(s->value[SHARE], s->value[ASYMMETRY], s->value[VIEWS], c->samples);
    for (int e = 0; e <= SHARE; e++) measure_row(sink, c, -1, element_name[e], s->value[e]);
    if (learned(c)) measure_row(sink, c, -1, "single", s->value[STILL]);
    if (!mirrors(c)) return;
    double *mirrored = s->value[AVERAGED], *ratio = s->value[SHARE]; /* told already */
    for (int64_t i = 0; i < c->samples; i++) mirrored[i] = 2 * s->value[VIEWS][i] - s->value[STILL][i];
    measure_ratio(ratio, mirrored, s->value[STILL], c->samples);
    measure_row(sink, c, -1, "ratio", ratio);
}

const Measure measure_twirl = {
    .name = "twirl",
    .unit = "1",
    .description =
        "loss over rotated samples, of the prediction averaged over them, their unbiased difference and its share",
    .headline = {"share"},
    .passes = twirl_passes,
    .layout = layout,
    .run = run};

const Measure measure_mirror = {
    .name = "mirror",
    .unit = "1",
    .description = "twirl over a sample and its mirror image, and the loss of the images over that of the samples",
    .headline = {"share"},
    .passes = mirror_passes,
    .layout = layout,
    .run = run};

const Measure measure_augerino = {
    .name = "augerino",
    .unit = "1",
    .description =
        "twirl over motions of the widths that augerino has learned, and the loss of samples as they are (single)",
    .headline = {"averaged", "single"},
    .keys = learned_keys,
    .n_keys = sizeof learned_keys / sizeof *learned_keys,
    .passes = learned_passes,
    .layout = layout,
    .run = run};
