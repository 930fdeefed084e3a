/* How far what a model has worked out turns with the scene, layer by layer (after Bruintjes, Motyka and van Gemert 2023, learned
 * equivariance, arXiv 2304.02628; the exact masking and averaging of that paper is not public, so this definition is ours):
 * for a motion g, a point l on the residual stream and a feature c (a scalar channel, or one component of a multivector)
 *     rho_lc = Pearson correlation over all tokens of all samples of ( f_l(g x)_c , (g . f_l(x))_c )
 *     rho_l  = mean over the features that vary
 * Elements are a motion and what g does to features:
 *     MOTION invariance    g . f = f: what features without a known law can be compared with
 *     MOTION action        multivectors as such, scalars unchanged, where the model has that law
 *     so3 fitted           elsewhere, g . f = R f with one matrix for one rotation of all samples, by least squares on
 *                          samples of even number and judged on those of odd number; NaN where the tokens are fewer than
 *                          20 for each channel, or the channels more than FIT_WIDTH
 *     skipped              features of the layer that do not vary, under so3
 * At the output (layer -1) g acts on displacements in every model, and the element is the motion alone. Motions: so3
 * (measure.motions rotations of each sample), z90, z180 and z270 about gravity, mirror (in a plane along gravity).
 * Standard errors are by a jackknife over GROUPS groups of samples. */
#include "train/measure.h"

#include "la/pga.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SO3, Z90, Z180, Z270, MIRROR, FIXED, MOVES = FIXED };
static const char *const move_name[MOVES] = {"so3", "z90", "z180", "z270", "mirror"};
enum { INVARIANCE, ACTION, VARIANTS };
static const char *const variant_name[VARIANTS] = {" invariance", " action"};

enum { GROUPS = 8 };                /* of the jackknife */
enum { A, B, AA, BB, AB, MOMENTS }; /* sums of f(gx), of g f(x), and of their products */
enum { FIT_TOKENS = 20 };           /* for each channel, so that a fit says something of other samples */
enum { FIT_WIDTH = 512 };           /* its matrices take 32 width^2 bytes a layer, its solution width^3 operations */
enum { EVEN, ODD, HALVES };
static const double ridge = 1e-6; /* of the mean variance */

/* What a fit needs of one half of the samples: sums of x = f(x) and y = f(gx), which give covariances. */
typedef struct Half {
    double *n;          /* (1) tokens */
    double *x, *y, *yy; /* (width) */
    double *xx, *xy;    /* (width, width) */
    int64_t room;       /* numbers of them all, which stand together */
} Half;

/* The output, or a point on the stream. */
typedef struct Site {
    int mv, s, features;
    bool variant[VARIANTS];
    double *moments; /* (MOVES, VARIANTS, GROUPS, MOMENTS, features) */
    bool fits;
    Half half[HALVES];
} Site;

typedef struct State {
    MovedScenes moved;
    Motion *motion;           /* (sequences) */
    MeasureTaps still, after; /* f(x), f(gx) */
    real *output, *expected;  /* (tokens, 3) of the output, (16, tokens, channels) and more: g f(x) */
    double *tokens;           /* (GROUPS) */
    Site site[1 + MODEL_TAPS];
} State;

static int passes(const MeasureOptions *common, const void *options) {
    (void)options;
    return 1 + (int)common->motions + MOVES;
}

static int64_t moments_room(const Site *site) {
    return (int64_t)MOVES * VARIANTS * GROUPS * MOMENTS * site->features;
}

static double *moments_of(const Site *site, int move, int variant, int group) {
    return site->moments + ((move * VARIANTS + variant) * GROUPS + group) * MOMENTS * site->features;
}

static void half_layout(Half *half, int width, Arena *arena) {
    half->room = 1 + 3 * width + 2 * (int64_t)width * width;
    half->n = ARENA_TAKE(arena, double, half->room);
    if (!half->n) return;
    half->x = half->n + 1;
    half->y = half->x + width;
    half->yy = half->y + width;
    half->xx = half->yy + width;
    half->xy = half->xx + width * width;
}

static void layout(MeasureContext *c, Arena *arena) {
    State *placed = ARENA_TAKE(arena, State, 1), *counted = placed ? NULL : MEM_NEW(State, 1);
    State *s = placed ? placed : counted;
    const Batch *b = &c->pass->batch;
    int most = 1;
    c->state = placed;
    act_layout(&s->moved, b->max_tokens, b->max_sequences, arena);
    s->motion = ARENA_TAKE(arena, Motion, b->max_sequences);
    measure_taps_layout(&s->still, c->pass, false, arena);
    measure_taps_layout(&s->after, c->pass, false, arena);
    s->output = ARENA_TAKE(arena, real, 3 * b->max_tokens);
    s->tokens = ARENA_TAKE(arena, double, GROUPS);
    int64_t tokens = c->samples * (b->max_tokens / b->max_sequences);
    for (int i = 0; i <= s->still.n; i++) {
        const Tap *tap = i ? &s->still.tap[i - 1] : NULL;
        Site *site = &s->site[i];
        *site = (Site){.mv = tap ? tap->mv : 0, .s = tap ? tap->s : 3};
        site->features = PGA * site->mv + site->s;
        site->variant[INVARIANCE] = tap;
        site->variant[ACTION] = !tap || tap->acts;
        site->moments = ARENA_TAKE(arena, double, moments_room(site));
        site->fits = tap && !tap->acts && site->features <= FIT_WIDTH && tokens >= 2 * FIT_TOKENS * site->features;
        for (int h = 0; h < HALVES && site->fits; h++) half_layout(&site->half[h], site->features, arena);
        most = site->mv > most ? site->mv : most;
    }
    s->expected = ARENA_TAKE(arena, real, PGA * most * b->max_tokens);
    mem_free(counted);
}

/* ---- Sums. ---- */

/* Adds the n tokens of a block of features to their sums; the block's features start at `feature`. */
static void add_moments(double *sums, int features, int feature, const real *a, const real *b, int width, int64_t n) {
    double *sum[MOMENTS];
    for (int k = 0; k < MOMENTS; k++) sum[k] = sums + k * features + feature;
    for (int64_t t = 0; t < n; t++)
        for (int i = 0; i < width; i++) {
            double x = (double)a[t * width + i], y = (double)b[t * width + i];
            sum[A][i] += x;
            sum[B][i] += y;
            sum[AA][i] += x * x;
            sum[BB][i] += y * y;
            sum[AB][i] += x * y;
        }
}

/* Adds what a batch has at a site: a = f(gx), b = g f(x), sequence by sequence. */
static void add_site(MeasureContext *c, const MeasureChunk *chunk, int site, int move, int variant, Tensors a,
                     Tensors b) {
    const State *s = c->state;
    const Site *at = &s->site[site];
    const int64_t *start = c->pass->batch.start;
    int64_t plane = start[chunk->n] * at->mv;
    for (int q = 0; q < chunk->n; q++) {
        double *sums = moments_of(at, move, variant, (int)((chunk->first + q) % GROUPS));
        int64_t first = start[q], n = start[q + 1] - first;
        for (int p = 0; p < PGA && at->mv; p++) {
            int64_t from = p * plane + at->mv * first;
            add_moments(sums, at->features, p * at->mv, a.mv + from, b.mv + from, at->mv, n);
        }
        if (!at->s) continue;
        add_moments(sums, at->features, PGA * at->mv, a.s + at->s * first, b.s + at->s * first, at->s, n);
    }
}

/* Adds a batch to what a fit from f(x) to f(gx) needs. Features are scalar channels: a stream with multivectors has its
 * law. */
static void add_fit(MeasureContext *c, const MeasureChunk *chunk, const Site *at, const real *x, const real *y) {
    const int64_t *start = c->pass->batch.start;
    int w = at->s;
    for (int q = 0; q < chunk->n; q++) {
        const Half *half = &at->half[(chunk->first + q) % HALVES];
        *half->n += (double)(start[q + 1] - start[q]);
        for (int64_t t = start[q]; t < start[q + 1]; t++)
            for (int i = 0; i < w; i++) {
                double xi = (double)x[t * w + i], yi = (double)y[t * w + i];
                half->x[i] += xi;
                half->y[i] += yi;
                half->yy[i] += yi * yi;
                for (int k = 0; k < w; k++) {
                    half->xx[i * w + k] += xi * (double)x[t * w + k];
                    half->xy[i * w + k] += xi * (double)y[t * w + k];
                }
            }
    }
}

/* Motion m of sequence q under a move. */
static Motion motion_of(const MeasureContext *c, const MeasureChunk *chunk, int q, int move, int64_t m) {
    const double quarter = acos(0);
    int64_t sample = chunk->first + q;
    if (move == SO3) return measure_rotation(c, sample, m);
    if (move == FIXED) return measure_rotation(c, 0, 0);
    if (move == MIRROR) return measure_mirror_plane(c, sample);
    return measure_about_gravity(c, sample, (move - SO3) * quarter);
}

/* One motion of each sample of a chunk whose f(x) is known. */
static void add_motion(MeasureContext *c, const MeasureChunk *chunk, int move, int64_t m) {
    State *s = c->state;
    const SceneBatch *scenes = &c->pass->batch.scenes;
    for (int q = 0; q < chunk->n; q++) s->motion[q] = motion_of(c, chunk, q, move, m);
    act_scene(&s->moved, scenes, s->motion, true);
    measure_forward(&s->after, c->pass, &s->moved.scenes);
    for (int i = 1; i <= s->still.n; i++) {
        const Site *site = &s->site[i];
        Tensors still = s->still.at[i - 1], after = s->after.at[i - 1];
        if (move == FIXED) {
            if (site->fits) add_fit(c, chunk, site, still.s, after.s);
            continue;
        }
        add_site(c, chunk, i, move, INVARIANCE, after, still);
        if (!site->variant[ACTION]) continue;
        if (site->mv) act_multivectors(s->expected, still.mv, site->mv, &scenes->seqs, s->motion, true);
        add_site(c, chunk, i, move, ACTION, after, (Tensors){.mv = s->expected, .s = still.s});
    }
    if (move == FIXED) return;
    act_out(s->expected, s->output, &scenes->seqs, s->motion, true);
    Tensors said = {.s = c->pass->prediction}, expected = {.s = s->expected};
    add_site(c, chunk, 0, move, ACTION, said, expected);
}

/* ---- From sums to correlations. ---- */

/* Pearson correlation from sums over n, NaN where one of both does not vary: by less than rounding makes it. */
static double pearson(double n, double a, double b, double aa, double bb, double ab) {
    const double least = 1e-12, rounding = 1e-13;
    double va = aa / n - a / n * (a / n), vb = bb / n - b / n * (b / n);
    if (!(va > least + rounding * aa / n) || !(vb > least + rounding * bb / n)) return NAN;
    return (ab / n - a / n * (b / n)) / sqrt(va * vb);
}

/* Mean over the features that vary, of all samples but those of group `without` (GROUPS: of all). */
static double mean_correlation(const MeasureContext *c, const Site *site, int move, int variant, int without,
                               int *skipped) {
    const State *s = c->state;
    double n = 0, sum = 0, times = move == SO3 ? (double)c->common->motions : 1;
    int vary = 0;
    for (int g = 0; g < GROUPS; g++)
        if (g != without) n += times * s->tokens[g];
    for (int f = 0; f < site->features; f++) {
        double total[MOMENTS] = {0};
        for (int g = 0; g < GROUPS; g++)
            for (int k = 0; k < MOMENTS && g != without; k++)
                total[k] += moments_of(site, move, variant, g)[k * site->features + f];
        double rho = pearson(n, total[A], total[B], total[AA], total[BB], total[AB]);
        if (!isfinite(rho)) continue;
        sum += rho;
        vary++;
    }
    *skipped = site->features - vary;
    return vary ? sum / vary : NAN;
}

static void put(MeasureSink *sink, const MeasureContext *c, int i, int move, int variant) {
    const State *s = c->state;
    const Site *site = &s->site[i];
    int skipped, without, groups = 0;
    double whole = mean_correlation(c, site, move, variant, GROUPS, &skipped), part[GROUPS], mean = 0, squares = 0;
    char element[RESULTS_NAME];
    for (int g = 0; g < GROUPS; g++) {
        if (s->tokens[g] == 0) continue;
        part[groups] = mean_correlation(c, site, move, variant, g, &without);
        mean += part[groups++];
    }
    for (int g = 0; g < groups; g++) squares += (part[g] - mean / groups) * (part[g] - mean / groups);
    double se = groups > 1 ? sqrt(squares * (groups - 1) / groups) : NAN;
    snprintf(element, sizeof element, "%s%s", move_name[move], i ? variant_name[variant] : "");
    measure_number(sink, c, i - 1, element, whole, se, c->samples);
    if (i && move == SO3 && variant == INVARIANCE)
        measure_number(sink, c, i - 1, "skipped", skipped, NAN, site->features);
}

/* Entry i, k of a covariance from sums. */
static double covariance(const Half *half, const double *sums, const double *y, int width, int i, int k) {
    return sums[i * width + k] / *half->n - half->x[i] / *half->n * (y[k] / *half->n);
}

/* R (width, width) by least squares on a half with a ridge; xx holds its factor afterwards. */
static bool fit(double *r, const Half *half, int width) {
    double trace = 0, *factor = half->xx;
    for (int i = 0; i < width; i++)
        for (int k = 0; k < width; k++) r[i * width + k] = covariance(half, half->xy, half->y, width, i, k);
    for (int i = 0; i < width; i++)
        for (int k = 0; k < width; k++) factor[i * width + k] = covariance(half, half->xx, half->x, width, i, k);
    for (int i = 0; i < width; i++) trace += factor[i * width + i];
    for (int i = 0; i < width; i++) factor[i * width + i] += ridge * trace / width;
    if (!stats_cholesky(factor, width)) return false;
    for (int i = 0; i < width; i++)
        for (int k = 0; k < width; k++) {
            for (int j = 0; j < i; j++) r[i * width + k] -= factor[i * width + j] * r[j * width + k];
            r[i * width + k] /= factor[i * width + i];
        }
    for (int i = width - 1; i >= 0; i--)
        for (int k = 0; k < width; k++) {
            for (int j = i + 1; j < width; j++) r[i * width + k] -= factor[j * width + i] * r[j * width + k];
            r[i * width + k] /= factor[i * width + i];
        }
    return true;
}

/* Mean over channels of the correlation of (R' f(x))_c and f(gx)_c on the other half. */
static double judge(const double *r, const Half *half, int width) {
    double sum = 0;
    int vary = 0;
    for (int c = 0; c < width; c++) {
        double both = 0, said = 0, n = *half->n, y = half->y[c] / n;
        for (int i = 0; i < width; i++) {
            both += r[i * width + c] * covariance(half, half->xy, half->y, width, i, c);
            for (int k = 0; k < width; k++)
                said += r[i * width + c] * covariance(half, half->xx, half->x, width, i, k) * r[k * width + c];
        }
        /* From covariances as from sums over one token of mean 0. */
        double rho = pearson(1, 0, 0, said, half->yy[c] / n - y * y, both);
        if (!isfinite(rho)) continue;
        sum += rho;
        vary++;
    }
    return vary ? sum / vary : NAN;
}

static void put_fit(MeasureSink *sink, const MeasureContext *c, int i) {
    const State *s = c->state;
    const Site *site = &s->site[i];
    double rho = NAN;
    for (int h = 0; h < HALVES && site->fits; h++) comm_sum_f64(c->pass->grid->dp, site->half[h].n, site->half[h].room);
    if (site->fits && *site->half[EVEN].n >= FIT_TOKENS * site->features && *site->half[ODD].n > 0) {
        double *r = MEM_NEW(double, site->features * site->features);
        if (fit(r, &site->half[EVEN], site->features)) rho = judge(r, &site->half[ODD], site->features);
        mem_free(r);
    }
    measure_number(sink, c, i - 1, "so3 fitted", rho, NAN, c->samples);
}

static void run(MeasureSink *sink, MeasureContext *c) {
    State *s = c->state;
    const Comm *dp = c->pass->grid->dp;
    memset(s->tokens, 0, GROUPS * sizeof *s->tokens);
    for (int i = 0; i <= s->still.n; i++) {
        Site *site = &s->site[i];
        memset(site->moments, 0, (size_t)moments_room(site) * sizeof *site->moments);
        for (int h = 0; h < HALVES && site->fits; h++)
            memset(site->half[h].n, 0, (size_t)site->half[h].room * sizeof(double));
    }
    for (MeasureChunk chunk = {0}; measure_next(&chunk, c);) {
        const int64_t *start = c->pass->batch.start;
        for (int q = 0; q < chunk.n; q++) s->tokens[(chunk.first + q) % GROUPS] += (double)(start[q + 1] - start[q]);
        measure_forward(&s->still, c->pass, &c->pass->batch.scenes);
        memcpy(s->output, c->pass->prediction, (size_t)(3 * start[chunk.n]) * sizeof *s->output);
        for (int64_t m = 0; m < c->common->motions; m++) add_motion(c, &chunk, SO3, m);
        for (int move = Z90; move <= FIXED; move++) add_motion(c, &chunk, move, 0);
    }
    comm_sum_f64(dp, s->tokens, GROUPS);
    for (int i = 0; i <= s->still.n; i++) {
        Site *site = &s->site[i];
        comm_sum_f64(dp, site->moments, moments_room(site));
        for (int variant = 0; variant < VARIANTS; variant++)
            for (int move = 0; move < MOVES && site->variant[variant]; move++) put(sink, c, i, move, variant);
        if (i && !site->variant[ACTION]) put_fit(sink, c, i);
    }
}

const Measure measure_correlation = {
    .name = "correlation",
    .unit = "1",
    .description = "mean Pearson correlation of features of a moved scene with moved features, by layer and motion",
    .headline = {"so3"},
    .passes = passes,
    .layout = layout,
    .run = run};
