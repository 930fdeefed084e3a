/* Does a model say the same of a scene that was moved, and does that go with how well it predicts (Deng et al. 2022, arXiv
 * 2207.07065)? The paper's effective invariance is of class probabilities, the true class never used:
 *     EI(x, g) = sqrt(p p_g) where the likeliest classes of x and g x agree, else 0
 * A model of ours has no classes, and a head in training would change the study: so a frozen probe (train/probe.h) reads its last
 * residual stream. Its question is what a body will touch before the next frame: nothing, the floor, or another body (which counts
 * where both are touched). Features of a body are means over its tokens: of scalar channels; of multivectors their grade 0
 * and their invariants <x, x>. It is fitted on bodies of the first training scenes, up to PROBE_BODIES, at most 4 scenes
 * for each test scene.
 * The regression twin, ours too, needs no probe: EI_r(x, g) = exp(-|g^-1 f(g x) - f(x)|^2 / 2 s^2), a mean square over the
 * numbers of a scene, s^2 the model's own mean squared error of a number on the scenes that are measured.
 *
 * Elements of the last layer: accuracy and chance (the share of the commonest class) of test bodies, identity (EI of what is not
 * moved, the mean of p), MOTION; recorded: 1 where contacts were recorded, 0 where they were guessed from who left
 * free flight. At the output: MOTION, of the twin. MOTION is z90, z180, z270 (about gravity: the world is the same) or
 * so3 (measure.motions rotations of each sample). */
#include "train/measure.h"

#include "la/pga.h"
#include "train/probe.h"

#include <math.h>
#include <string.h>

enum { Z90, Z180, Z270, SO3, MOVES };
static const char *const move_name[MOVES] = {"z90", "z180", "z270", "so3"};
enum { NOTHING, FLOOR, BODY };
enum { PROBE_BODIES = 4096, PROBE_SCENES = 4, PROBE_WIDTH = 1024 };

typedef struct State {
    MovedScenes moved;
    Motion *motion; /* (sequences) */
    MeasureTaps taps;
    bool probes; /* there is a stream to read, and it is not wider than PROBE_WIDTH */
    Probe probe;
    int bodies;                   /* that a scene may have */
    int64_t scenes;               /* of training that the probe sees */
    double *feature;              /* (scenes, bodies, width) of training */
    double *known;                /* (scenes, bodies) 1 + label, 0 where there is no body */
    int *label;                   /* (scenes, bodies), -1 where there is no body */
    double *one;                  /* (width) */
    double *p;                    /* (sequences, bodies, PROBE_CLASSES) of scenes as they are */
    real *still;                  /* (tokens, 3) what the model says of them */
    double *error;                /* (samples) mean squared error of a number */
    double *spread;               /* (samples, motions of all moves) mean |g^-1 f(gx) - f(x)|^2 of a number */
    double *score[MOVES], *right; /* (samples) means over bodies */
    double *sure, *twin;          /* (samples) */
    double *class;                /* (PROBE_CLASSES + 1) test bodies of each class; those whose label was recorded */
} State;

static int views_of(const MeasureOptions *common) {
    return SO3 + (int)common->motions;
}

static int passes(const MeasureOptions *common, const void *options) {
    (void)options;
    return 1 + views_of(common) + PROBE_SCENES;
}

static const Tap *last_tap(const State *s) {
    return &s->taps.tap[s->taps.n - 1];
}

static void layout(MeasureContext *c, Arena *arena) {
    State *placed = ARENA_TAKE(arena, State, 1), *counted = placed ? NULL : MEM_NEW(State, 1);
    State *s = placed ? placed : counted;
    const Batch *b = &c->pass->batch;
    const TrainData *data = c->pass->data;
    c->state = placed;
    act_layout(&s->moved, b->max_tokens, b->max_sequences, arena);
    s->motion = ARENA_TAKE(arena, Motion, b->max_sequences);
    measure_taps_layout(&s->taps, c->pass, false, arena);
    int width = s->taps.n ? 2 * last_tap(s)->mv + last_tap(s)->s : 0;
    s->probes = width > 0 && width <= PROBE_WIDTH;
    s->bodies = data->slots;
    SampleStream train = {.range = SAMPLES_TRAIN, .trajectories = data->train};
    int64_t there = batch_samples(data, &train), enough = (PROBE_BODIES + s->bodies - 1) / s->bodies;
    s->scenes = PROBE_SCENES * c->samples;
    if (s->scenes > enough) s->scenes = enough;
    if (s->scenes > there) s->scenes = there;
    if (s->probes) {
        probe_layout(&s->probe, width, arena);
        s->feature = ARENA_TAKE(arena, double, s->scenes * s->bodies * width);
        s->known = ARENA_TAKE(arena, double, s->scenes * s->bodies);
        s->label = ARENA_TAKE(arena, int, s->scenes * s->bodies);
        s->one = ARENA_TAKE(arena, double, width);
    }
    s->p = ARENA_TAKE(arena, double, (int64_t)b->max_sequences * s->bodies * PROBE_CLASSES);
    s->still = ARENA_TAKE(arena, real, 3 * b->max_tokens);
    s->error = ARENA_TAKE(arena, double, c->samples);
    s->spread = ARENA_TAKE(arena, double, views_of(c->common) * c->samples);
    for (int m = 0; m < MOVES; m++) s->score[m] = ARENA_TAKE(arena, double, c->samples);
    s->right = ARENA_TAKE(arena, double, c->samples);
    s->sure = ARENA_TAKE(arena, double, c->samples);
    s->twin = ARENA_TAKE(arena, double, c->samples);
    s->class = ARENA_TAKE(arena, double, PROBE_CLASSES + 1);
    mem_free(counted);
}

/* ---- Bodies: their tokens, features and labels. ---- */

typedef struct Span {
    int64_t from, to; /* tokens */
} Span;

/* The tokens of the bodies of sequence q, which stand together; returns how many bodies. */
static int bodies_of(Span *span, const Batch *b, int q) {
    int n = 0;
    for (int64_t t = b->start[q]; t < b->start[q + 1]; t++) {
        bool first = t == b->start[q] || b->slot[t] != b->slot[t - 1];
        if (first) span[n++].from = t;
        span[n - 1].to = t + 1;
    }
    return n;
}

static void features_of(double *out, const State *s, Span span, int64_t tokens) {
    const Tap *tap = last_tap(s);
    Tensors x = s->taps.at[s->taps.n - 1];
    double each = 1 / (double)(span.to - span.from);
    memset(out, 0, (size_t)s->probe.width * sizeof *out);
    for (int64_t t = span.from; t < span.to; t++) {
        for (int i = 0; i < tap->s; i++) out[i] += each * (double)x.s[t * tap->s + i];
        for (int i = 0; i < tap->mv; i++) {
            double inner = 0;
            for (int k = 0; k < PGA_INNER; k++) {
                double component = (double)x.mv[(pga_inner_components[k] * tokens + t) * tap->mv + i];
                inner += component * component;
            }
            out[tap->s + i] += each * (double)x.mv[t * tap->mv + i];
            out[tap->s + tap->mv + i] += each * inner;
        }
    }
}

/* Where contacts were not recorded: a body that leaves free flight has touched something, the floor if it ends near it. */
static int guess(const MeasureContext *c, const Trajectory *tr, const double floor[4], Span span) {
    const double departure = 0.2; /* of the rms */
    const double near = 0.02;     /* m */
    const Batch *b = &c->pass->batch;
    const TrainData *d = c->pass->data;
    double unit = d->scale.step, dt = dataset_frame_time(d->dataset), square = 0, lowest = INFINITY;
    double fall = (d->instant ? 0.5 : 1) * dt * dt / unit;
    for (int i = 0; i < 3; i++) {
        double change = 0;
        for (int64_t t = span.from; t < span.to; t++)
            change += ((double)b->target[3 * t + i] - (double)b->velocity[3 * t + i]) / (double)(span.to - span.from);
        square += pow(change - fall * (double)tr->gravity[i], 2);
    }
    for (int64_t t = span.from; t < span.to; t++) {
        double height = floor[3];
        for (int i = 0; i < 3; i++)
            height += floor[i] * ((double)b->position[3 * t + i] + (double)b->target[3 * t + i]);
        lowest = fmin(lowest, height * unit);
    }
    if (sqrt(square) <= departure * d->scale.deviation) return NOTHING;
    return lowest < near ? FLOOR : BODY;
}

static int label_of(bool *recorded, const MeasureContext *c, int64_t position, int body, Span span) {
    int64_t frame;
    double floor[4];
    const Trajectory *tr = batch_source(&frame, c->pass->data, &c->stream, position);
    *recorded = tr->contact;
    if (!tr->contact) {
        batch_floor(floor, c->pass->data, &c->stream, position);
        tr = batch_source(&frame, c->pass->data, &c->stream, position);
        return guess(c, tr, floor, span);
    }
    uint8_t touched = tr->contact[frame * tr->bodies + body];
    if (touched & 2) return BODY;
    return touched & 1 ? FLOOR : NOTHING;
}

/* ---- The probe, on bodies of training scenes. ---- */

static void fit_probe(const MeasureContext *c) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    const Comm *dp = c->pass->grid->dp;
    MeasureContext train = *c;
    train.stream = (SampleStream){.range = SAMPLES_TRAIN, .trajectories = c->pass->data->train};
    train.samples = s->scenes;
    int64_t rows = s->scenes * s->bodies, width = s->probe.width;
    Span *span = MEM_NEW(Span, s->bodies);
    memset(s->feature, 0, (size_t)(rows * width) * sizeof *s->feature);
    memset(s->known, 0, (size_t)rows * sizeof *s->known);
    for (MeasureChunk chunk = {0}; measure_next(&chunk, &train);) {
        measure_forward(&s->taps, c->pass, &b->scenes);
        for (int q = 0; q < chunk.n; q++) {
            int n = bodies_of(span, b, q);
            for (int k = 0; k < n; k++) {
                int64_t row = (chunk.first + q) * s->bodies + k;
                bool recorded;
                features_of(s->feature + row * width, s, span[k], b->start[chunk.n]);
                s->known[row] = 1 + label_of(&recorded, &train, chunk.first + q, k, span[k]);
            }
        }
    }
    mem_free(span);
    comm_sum_f64(dp, s->feature, rows * width);
    comm_sum_f64(dp, s->known, rows);
    for (int64_t r = 0; r < rows; r++) s->label[r] = (int)s->known[r] - 1;
    probe_fit(&s->probe, s->feature, s->label, rows);
}

/* ---- Test scenes. ---- */

/* What the probe says of each body of the chunk as it is, and how often it is right. */
static void read_still(MeasureContext *c, const MeasureChunk *chunk, Span *span) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    for (int q = 0; q < chunk->n; q++) {
        int n = bodies_of(span, b, q);
        int64_t i = chunk->first + q;
        for (int k = 0; k < n; k++) {
            double *p = s->p + ((int64_t)q * s->bodies + k) * PROBE_CLASSES;
            bool recorded;
            features_of(s->one, s, span[k], b->start[chunk->n]);
            int said = probe_say(p, &s->probe, s->one), label = label_of(&recorded, c, i, k, span[k]);
            s->right[i] += (double)(said == label) / n;
            s->sure[i] += probe_effective_invariance(p, p) / n;
            if (label >= 0) s->class[label]++;
            s->class[PROBE_CLASSES] += recorded;
        }
    }
}

/* Effective invariance of each body of the chunk that was moved, weighted by 1 / times. */
static void read_moved(MeasureContext *c, const MeasureChunk *chunk, int move, double times, Span *span) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    for (int q = 0; q < chunk->n; q++) {
        int n = bodies_of(span, b, q);
        for (int k = 0; k < n; k++) {
            double p[PROBE_CLASSES];
            features_of(s->one, s, span[k], b->start[chunk->n]);
            probe_say(p, &s->probe, s->one);
            s->score[move][chunk->first + q] +=
                probe_effective_invariance(s->p + ((int64_t)q * s->bodies + k) * PROBE_CLASSES, p) / (n * times);
        }
    }
}

/* Mean squares of a number: of the error, in the unit of what the model says; of what view `view` changed. */
static void add_error(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    double unit = c->pass->data->scale.deviation;
    for (int q = 0; q < chunk->n; q++)
        for (int64_t i = 3 * b->start[q]; i < 3 * b->start[q + 1]; i++) {
            double e = (double)s->still[i] - ((double)b->target[i] - (double)b->velocity[i]) / unit;
            s->error[chunk->first + q] += e * e * (double)b->weight[q] / 3;
        }
}

static void add_view(MeasureContext *c, const MeasureChunk *chunk, int view) {
    State *s = c->state;
    const Batch *b = &c->pass->batch;
    act_out(s->moved.velocity, s->still, &b->scenes.seqs, s->motion, true); /* the moved scenes are done with */
    for (int q = 0; q < chunk->n; q++)
        for (int64_t i = 3 * b->start[q]; i < 3 * b->start[q + 1]; i++) {
            double e = (double)c->pass->prediction[i] - (double)s->moved.velocity[i];
            s->spread[(chunk->first + q) * views_of(c->common) + view] += e * e * (double)b->weight[q] / 3;
        }
}

static void measure_chunk(MeasureContext *c, const MeasureChunk *chunk, Span *span) {
    State *s = c->state;
    const SceneBatch *scenes = &c->pass->batch.scenes;
    const double quarter = acos(0);
    measure_forward(&s->taps, c->pass, scenes);
    memcpy(s->still, c->pass->prediction, (size_t)(3 * scenes->seqs.start[chunk->n]) * sizeof *s->still);
    add_error(c, chunk);
    if (s->probes) read_still(c, chunk, span);
    for (int view = 0; view < views_of(c->common); view++) {
        int move = view < SO3 ? view : SO3;
        for (int q = 0; q < chunk->n; q++) {
            s->motion[q] = move == SO3 ? measure_rotation(c, chunk->first + q, view - SO3)
                                       : measure_about_gravity(c, chunk->first + q, (1 + view) * quarter);
        }
        act_scene(&s->moved, scenes, s->motion, true);
        measure_forward(&s->taps, c->pass, &s->moved.scenes);
        if (s->probes) read_moved(c, chunk, move, move == SO3 ? (double)c->common->motions : 1, span);
        add_view(c, chunk, view);
    }
}

/* EI_r of a move for each sample, for a mean squared error. */
static void twin_of(MeasureContext *c, int move, double error) {
    State *s = c->state;
    int first = move, views = move == SO3 ? (int)c->common->motions : 1;
    for (int64_t i = 0; i < c->samples; i++) {
        s->twin[i] = 0;
        for (int v = first; v < first + views; v++)
            s->twin[i] += exp(-s->spread[i * views_of(c->common) + v] / (2 * error)) / views;
    }
}

static void put_probe(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    int64_t layer = s->taps.n - 1;
    double bodies = 0, most = 0;
    measure_gather(c, s->right);
    measure_gather(c, s->sure);
    comm_sum_f64(c->pass->grid->dp, s->class, PROBE_CLASSES + 1);
    for (int k = 0; k < PROBE_CLASSES; k++) {
        bodies += s->class[k];
        most = fmax(most, s->class[k]);
    }
    bool recorded = s->class[PROBE_CLASSES] > 0;
    measure_row(sink, c, layer, "accuracy", s->right);
    measure_number(sink, c, layer, "chance", most / bodies, NAN, c->samples);
    measure_number(sink, c, layer, "recorded", recorded, NAN, c->samples);
    measure_row(sink, c, layer, "identity", s->sure);
    for (int m = 0; m < MOVES; m++) {
        measure_gather(c, s->score[m]);
        measure_row(sink, c, layer, move_name[m], s->score[m]);
    }
}

static void run(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    size_t room = (size_t)c->samples * sizeof(double);
    Span *span = MEM_NEW(Span, s->bodies);
    double error = 0;
    for (int m = 0; m < MOVES; m++) memset(s->score[m], 0, room);
    memset(s->right, 0, room);
    memset(s->sure, 0, room);
    memset(s->error, 0, room);
    memset(s->spread, 0, room * (size_t)views_of(c->common));
    memset(s->class, 0, (PROBE_CLASSES + 1) * sizeof *s->class);
    if (s->probes) fit_probe(c);
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) measure_chunk(c, &chunk, span);
    mem_free(span);
    measure_gather(c, s->error);
    comm_sum_f64(c->pass->grid->dp, s->spread, c->samples * views_of(c->common));
    for (int64_t i = 0; i < c->samples; i++) error += s->error[i] / (double)c->samples;
    for (int m = 0; m < MOVES; m++) {
        twin_of(c, m, error);
        measure_row(sink, c, -1, move_name[m], s->twin);
    }
    if (s->probes) put_probe(sink, c);
}

const Measure measure_invariance = {
    .name = "invariance",
    .unit = "1",
    .description =
        "effective invariance: of a probe of contacts on the last layer, and of the prediction (layer -1), by motion",
    .headline = {"so3"},
    .passes = passes,
    .layout = layout,
    .run = run};
