/* Lie derivative of a model under rotations: how fast it leaves equivariance (Gruver et al. 2023, arXiv 2210.02984). For
 * the rotation about axis a of the scene's own frame
 *     L_a f(x) = d/dt at 0 of  g_t^-1 f(g_t x),     g_t the rotation by t about a
 *     LEE_a = mean over samples of |L_a f(x)|^2 / numbers,     relative = sum_a LEE_a / (mean of |f(x)|^2 / numbers)
 * f is what the model itself says. Elements: rx, ry, rz (LEE_a), relative, and step_error, what halving the step changes
 * of it (Richardson). Of a stream on which it is known how motions act, relative at each layer too; a transformer's
 * has no such law. Shifts are exact in every model, and discrete mirror images have no derivative: measurement `mirror`.
 *
 * There is no tangent pass: fourth-order central differences
 *     (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h
 * of the answers turned back. The step balances truncation, h^4/30 of the fifth derivative, against rounding over h. */
#include "train/measure.h"

#include "la/pga.h"

#include <math.h>
#include <string.h>

enum { AXES = 3, STEPS = 2, POINTS = 6 };

/* Rotations by these multiples of the step, and what each counts in the difference of that step and of half of it. */
static const struct Point {
    double angle, weight[STEPS];
} points[POINTS] = {{-2, {1.0 / 12, 0}}, {-1, {-8.0 / 12, 1.0 / 6}}, {-0.5, {0, -8.0 / 6}},
                    {0.5, {0, 8.0 / 6}}, {1, {8.0 / 12, -1.0 / 6}},  {2, {-1.0 / 12, 0}}};

static double step_size(void) {
    return REAL_EPSILON < 1e-10 ? 1e-3 : 0.05;
}

/* A place where numbers are read: the output, or a point on the stream. */
typedef struct Site {
    int mv, s;                /* channels; of the output three that are no scalars of the algebra */
    double *slope[STEPS];     /* (blocks of the site, tokens, channels) */
    double *square;           /* (samples) |f|^2 / numbers */
    double *lee[STEPS][AXES]; /* (samples) */
} Site;

typedef struct State {
    MovedScenes moved;
    MeasureTaps taps;
    real *turned; /* (tokens, 3) the output turned back */
    Site site[1 + MODEL_TAPS];
    double *sum, *ratio; /* (samples) */
} State;

static int passes(const MeasureOptions *common, const void *options) {
    (void)common;
    (void)options;
    return 1 + AXES * POINTS;
}

static void site_layout(Site *site, int mv, int s, const MeasureContext *c, Arena *arena) {
    site->mv = mv;
    site->s = s;
    site->square = ARENA_TAKE(arena, double, c->samples);
    for (int k = 0; k < STEPS; k++) {
        site->slope[k] = ARENA_TAKE(arena, double, (PGA * mv + s) * c->pass->batch.max_tokens);
        for (int a = 0; a < AXES; a++) site->lee[k][a] = ARENA_TAKE(arena, double, c->samples);
    }
}

static void layout(MeasureContext *c, Arena *arena) {
    State *placed = ARENA_TAKE(arena, State, 1), *counted = placed ? NULL : MEM_NEW(State, 1);
    State *s = placed ? placed : counted;
    const Batch *b = &c->pass->batch;
    c->state = placed;
    act_layout(&s->moved, b->max_tokens, b->max_sequences, arena);
    measure_taps_layout(&s->taps, c->pass, true, arena);
    s->turned = ARENA_TAKE(arena, real, 3 * b->max_tokens);
    s->sum = ARENA_TAKE(arena, double, c->samples);
    s->ratio = ARENA_TAKE(arena, double, c->samples);
    site_layout(&s->site[0], 0, 3, c, arena);
    for (int i = 0; i < s->taps.n; i++) site_layout(&s->site[1 + i], s->taps.tap[i].mv, s->taps.tap[i].s, c, arena);
    mem_free(counted);
}

/* The numbers of a site as blocks of (tokens, width): the planes of multivectors, then scalars. */
typedef struct Block {
    const real *x;
    int64_t slope; /* where its slopes start */
    int width;
} Block;

static Block block_of(const MeasureContext *c, int site, int b) {
    const State *s = c->state;
    const Site *at = &s->site[site];
    int64_t tokens = c->pass->batch.scenes.seqs.start[c->pass->batch.scenes.seqs.n];
    if (site == 0) return (Block){.x = s->turned, .width = b == PGA ? 3 : 0};
    const Tensors *x = &s->taps.at[site - 1];
    int64_t plane = b * at->mv * tokens;
    if (b < PGA) return (Block){.x = at->mv ? x->mv + plane : NULL, .slope = plane, .width = at->mv};
    return (Block){.x = x->s, .slope = plane, .width = at->s};
}

/* What the model says and works out of scenes under `there`, turned back. */
static void say(MeasureContext *c, const Motion *there) {
    State *s = c->state;
    const SceneBatch *scenes = &c->pass->batch.scenes;
    Motion back = motion_inverse(there);
    act_scene(&s->moved, scenes, there, false);
    measure_forward(&s->taps, c->pass, &s->moved.scenes);
    act_out(s->turned, c->pass->prediction, &scenes->seqs, &back, false);
    for (int i = 0; i < s->taps.n; i++)
        if (s->taps.tap[i].mv)
            act_multivectors(s->taps.at[i].mv, s->taps.at[i].mv, s->taps.tap[i].mv, &scenes->seqs, &back, false);
}

/* Adds what was said to the differences of a site. */
static void add_point(MeasureContext *c, int site, const double weight[STEPS]) {
    State *s = c->state;
    int64_t tokens = c->pass->batch.scenes.seqs.start[c->pass->batch.scenes.seqs.n];
    for (int b = 0; b <= PGA; b++) {
        Block block = block_of(c, site, b);
        for (int k = 0; k < STEPS; k++) {
            double *slope = s->site[site].slope[k] + block.slope;
            for (int64_t i = 0; i < tokens * block.width; i++) slope[i] += weight[k] * (double)block.x[i];
        }
    }
}

/* Mean squares over the numbers of sequence q at a site: of what was said last, or where k is a step of its slopes. */
static double mean_square(const MeasureContext *c, int site, int q, int k) {
    enum { SAID = -1 };
    const State *s = c->state;
    const int64_t *start = c->pass->batch.start;
    double sum = 0;
    int64_t numbers = 0;
    for (int b = 0; b <= PGA; b++) {
        Block block = block_of(c, site, b);
        const double *slope = k == SAID ? NULL : s->site[site].slope[k] + block.slope;
        for (int64_t i = start[q] * block.width; i < start[q + 1] * block.width; i++) {
            double x = k == SAID ? (double)block.x[i] : slope[i];
            sum += x * x;
        }
        numbers += (start[q + 1] - start[q]) * block.width;
    }
    return sum / (double)numbers;
}

static void clear_slopes(MeasureContext *c) {
    State *s = c->state;
    for (int i = 0; i <= s->taps.n; i++)
        for (int k = 0; k < STEPS; k++) {
            Site *site = &s->site[i];
            size_t numbers = (size_t)((PGA * site->mv + site->s) * c->pass->batch.max_tokens);
            memset(site->slope[k], 0, numbers * sizeof *site->slope[k]);
        }
}

static void measure_chunk(MeasureContext *c, const MeasureChunk *chunk) {
    State *s = c->state;
    Motion still = motion_identity();
    double h = step_size();
    say(c, &still);
    for (int i = 0; i <= s->taps.n; i++)
        for (int q = 0; q < chunk->n; q++) s->site[i].square[chunk->first + q] = mean_square(c, i, q, -1);
    for (int a = 0; a < AXES; a++) {
        double axis[3] = {a == 0, a == 1, a == 2};
        clear_slopes(c);
        for (int p = 0; p < POINTS; p++) {
            Motion turn = motion_about(axis, h * points[p].angle);
            say(c, &turn);
            for (int i = 0; i <= s->taps.n; i++) add_point(c, i, points[p].weight);
        }
        for (int i = 0; i <= s->taps.n; i++)
            for (int q = 0; q < chunk->n; q++)
                for (int k = 0; k < STEPS; k++)
                    s->site[i].lee[k][a][chunk->first + q] = mean_square(c, i, q, k) / (h * h);
    }
}

/* relative with a step, as values of which it is the mean. */
static void relative(double *value, MeasureContext *c, const Site *site, int k) {
    State *s = c->state;
    for (int64_t i = 0; i < c->samples; i++) s->sum[i] = site->lee[k][0][i] + site->lee[k][1][i] + site->lee[k][2][i];
    measure_ratio(value, s->sum, site->square, c->samples);
}

static double mean_of(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

static void run(MeasureSink *sink, MeasureContext *c) {
    static const char *const element[AXES] = {"rx", "ry", "rz"};
    State *s = c->state;
    size_t room = (size_t)c->samples * sizeof(double);
    for (int i = 0; i <= s->taps.n; i++) {
        memset(s->site[i].square, 0, room);
        for (int k = 0; k < STEPS; k++)
            for (int a = 0; a < AXES; a++) memset(s->site[i].lee[k][a], 0, room);
    }
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) measure_chunk(c, &chunk);
    for (int i = 0; i <= s->taps.n; i++) {
        const Site *site = &s->site[i];
        measure_gather(c, site->square);
        for (int k = 0; k < STEPS; k++)
            for (int a = 0; a < AXES; a++) measure_gather(c, site->lee[k][a]);
        for (int a = 0; a < AXES && i == 0; a++) measure_row(sink, c, -1, element[a], site->lee[0][a]);
        relative(s->ratio, c, site, 0);
        measure_row(sink, c, i - 1, "relative", s->ratio);
        if (i > 0) continue;
        double whole = mean_of(s->ratio, c->samples);
        relative(s->ratio, c, site, 1);
        measure_number(sink, c, -1, "step_error", fabs(whole - mean_of(s->ratio, c->samples)), NAN, c->samples);
    }
}

const Measure measure_lie = {
    .name = "lie",
    .unit = "1 / rad^2",
    .description =
        "mean squared Lie derivative of the prediction under rotations about x, y, z; their sum over the mean "
        "square of the prediction (relative), and its error of steps",
    .headline = {"relative"},
    .passes = passes,
    .layout = layout,
    .run = run};
