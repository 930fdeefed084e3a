/* How far a model is from turning with the scene: the mean over samples x and motions g of
 *     |f(g x) - g f(x)| / |f(x)|
 * with norms over all numbers of a scene; g uniform in SO(3) (element so3), or a uniform rotation and the reflection at
 * the origin (element mirror, uniform in what O(3) has beside SO(3)).
 *
 * f is what the model itself says: the predicted change of the displacement. The displacement is the velocity plus that,
 * and the velocity turns exactly whatever the model does: with it the same fault would look smaller the more uniformly
 * bodies move. A sample on which a model says nothing, f(x) = 0, has no relative error and is left out. */
#include "train/measure.h"

#include <math.h>
#include <string.h>

enum { ROTATION, MIRROR, ELEMENTS };
static const char *const element_name[ELEMENTS] = {"so3", "mirror"};

typedef struct State {
    MovedScenes moved;
    real *still, *turned;    /* (tokens, 3) f(x) and g f(x) */
    Motion *motion;          /* (sequences) */
    double *value[ELEMENTS]; /* (samples) mean over motions */
} State;

static int passes(const MeasureOptions *common, const void *options) {
    (void)options;
    return 1 + ELEMENTS * (int)common->motions;
}

static void layout(MeasureContext *c, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    c->state = s;
    if (!s) s = &counted;
    const Batch *b = &c->pass->batch;
    act_layout(&s->moved, b->max_tokens, b->max_sequences, arena);
    s->still = ARENA_TAKE(arena, real, 3 * b->max_tokens);
    s->turned = ARENA_TAKE(arena, real, 3 * b->max_tokens);
    s->motion = ARENA_TAKE(arena, Motion, b->max_sequences);
    for (int e = 0; e < ELEMENTS; e++) s->value[e] = ARENA_TAKE(arena, double, c->samples);
}

/* |x - y| / |z| over n numbers. */
static double relative_error(const real *x, const real *y, const real *z, int64_t n) {
    double error = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = (double)x[i] - (double)y[i];
        error += e * e;
        size += (double)z[i] * (double)z[i];
    }
    return size > 0 ? sqrt(error / size) : NAN;
}

/* One motion for each sample of the chunk, of whose f(x) is known. */
static void add_motion(MeasureContext *c, const MeasureChunk *chunk, int element, int64_t m) {
    State *s = c->state;
    const SceneBatch *scenes = &c->pass->batch.scenes;
    const Packed *seqs = &scenes->seqs;
    for (int q = 0; q < chunk->n; q++) {
        s->motion[q] = measure_rotation(c, chunk->first + q, m);
        if (element == MIRROR) s->motion[q] = motion_mirrored(&s->motion[q]);
    }
    act_scene(&s->moved, scenes, s->motion, true);
    pass_forward(c->pass, &s->moved.scenes);
    act_out(s->turned, s->still, seqs, s->motion, true);
    for (int q = 0; q < chunk->n; q++) {
        int64_t at = 3 * seqs->start[q], n = 3 * seqs->start[q + 1] - at;
        double error = relative_error(c->pass->prediction + at, s->turned + at, s->still + at, n);
        s->value[element][chunk->first + q] += error / (double)c->common->motions;
    }
}

static void run(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    Pass *pass = c->pass;
    for (int e = 0; e < ELEMENTS; e++) memset(s->value[e], 0, (size_t)c->samples * sizeof *s->value[e]);
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) {
        const Packed *seqs = &pass->batch.scenes.seqs;
        pass_forward(pass, &pass->batch.scenes);
        memcpy(s->still, pass->prediction, (size_t)(3 * seqs->start[seqs->n]) * sizeof *s->still);
        for (int e = 0; e < ELEMENTS; e++)
            for (int64_t m = 0; m < c->common->motions; m++) add_motion(c, &chunk, e, m);
    }
    for (int e = 0; e < ELEMENTS; e++) {
        measure_gather(c, s->value[e]);
        measure_row(sink, c, -1, element_name[e], s->value[e]);
    }
}

const Measure measure_equivariance = {
    .name = "equivariance",
    .unit = "1",
    .description = "mean of |f(gx) - g f(x)| / |f(x)| over rotations (so3) and mirror images (mirror)",
    .passes = passes,
    .layout = layout,
    .run = run};
