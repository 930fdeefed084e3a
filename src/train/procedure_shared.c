/* Which weights of linear_in are the same, learned with the task: W = A psi, A (K, K) row-stochastic, as train/sharing.h has it
 * (Yeh et al. 2022, arXiv 2204.03640). The model is trained on psi; every `shared.every` steps Z, of which A is the softmax,
 * moves down the hypergradient of validation loss and penalty by one step of Adam. Patterns:
 *     slots    the K rows that read which body a vertex is of; they are names, which batches permute, so that one class is right
 *     blocks   the 3x3 weights between each vector that is seen (position, velocity, normal, gravity) and each three channels:
 *              one partition of the 9, the same in all blocks, each with values of its own. A tenth column of A stands for 0:
 *              what shares it is 0. Rotations of vectors and channels mean two classes, the diagonal and what is 0 (Schur's
 *              lemma)
 *
 * [paper]: the two levels, the penalty, Neumann's series, its lengths. [ours]: both patterns; the response of psi alone is
 * followed, not that of all other parameters; products with the Hessian are central differences of gradients, on the batch of
 * the step; alpha is half the reciprocal of |H b| / |b|; Z moves faster than the paper's, which has 500 steps. The released
 * code leaves alpha out in front of the series, which is not copied.
 *
 * [ours], so that one run finds what the penalty and the task say and not what rows happened to prefer: Z starts near 0; the
 * gradient for validation is that of several batches; and the penalty's entropy counts in full after `shared.harden` outer
 * steps only. Near even rows the sum over columns holds rows together, with a stiffness of sqrt(K)/2 against K/2 times the
 * factor of the entropy that drives each its own way: below 1/sqrt(K) rows that the task does not tell apart become one
 * before they become hard.
 *
 * An outer step takes `shared.batches` gradients for validation, two for each term, two for the mixed derivative: the work of
 * each step is counted higher by their share. */
#include "train/procedure.h"
#include "train/sharing.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

typedef enum Pattern { SLOTS, BLOCKS } Pattern;

typedef struct Options {
    double lambda, rate;
    int64_t every, terms, batches, harden;
    int pattern;
} Options;

#define AT(member) offsetof(Options, member)
static const KeySpec keys[] = {
    {"shared.lambda", KEY_REAL, AT(lambda), "0.05", 0, 1e6, NULL, "1",
     "strength of the penalty that makes weights share"},
    {"shared.rate", KEY_REAL, AT(rate), "0.2", 0, 10, NULL, "1", "learning rate of the sharing"},
    {"shared.every", KEY_INT, AT(every), "250", 1, 1e9, NULL, "steps", "optimiser steps to one step of the sharing"},
    {"shared.terms", KEY_INT, AT(terms), "20", 1, 1000, NULL, "1", "terms of Neumann's series"},
    {"shared.batches", KEY_INT, AT(batches), "8", 1, 1000, NULL, "batches",
     "of the validation set, whose mean gradient a step of the sharing follows"},
    {"shared.harden", KEY_INT, AT(harden), "50", 1, 1e9, NULL, "1",
     "steps of the sharing until the penalty wants rows that are hard with all its strength"},
    {"shared.pattern", KEY_CHOICE, AT(pattern), "slots", 0, 0, "slots|blocks", "1",
     "weights that may share: of bodies' slots, or of 3x3 blocks between vectors and three channels"},
};
#undef AT

enum { SIDE = SHARING_MOST * SHARING_MOST, BLOCK = 9 };
enum { LABELS = CURVE_NUMBERS - 2 }; /* of parameters that the curve shows beside classes and entropy */

typedef struct State {
    int k, trained; /* columns of A; rows of A that are learned, the rest stand for 0 */
    int copies;     /* of the pattern, each with values of its own */
    double z[SIDE], a[SIDE], mean[SIDE], square[SIDE]; /* A; moments of the gradient by Z */
    int64_t steps, outer, first; /* done; of them on Z; position of the first sample of the batch */
    int count;                   /* samples of it, on this rank and on all */
    int64_t samples;
    double *psi;                                        /* (k, copies), 0 where it is pinned */
    double *at, *slope, *series, *term, *above, *below; /* the same */
} State;

static Err check(const void *options, const TrainData *data) {
    const Options *o = options;
    if (o->pattern == BLOCKS || data->slots <= SHARING_MOST) return ERR_NONE;
    return err_user("%s: transformer_shared: scenes of up to %d bodies: want at most %d", options_source(), data->slots,
                    SHARING_MOST);
}

static double work(const void *options) {
    const Options *o = options;
    return 1 + (double)(o->batches + 2 * o->terms + 2) / (double)o->every;
}

/* Hypergradients are taken on the batch of the step. */
static bool whole_batch(const void *options) {
    (void)options;
    return true;
}

static const char *mark(const void *options) {
    return ((const Options *)options)->pattern == BLOCKS ? "blocks" : NULL;
}

static void start_sharing(State *s, const ProcedureRun *run) {
    static const double little = 0.01; /* no row prefers a column to speak of */
    uint64_t stream = rng_stream("shared", 0);
    for (int i = 0; i < s->k * s->k; i++) s->z[i] = little * rng_normal(run->stream.seed, stream, (uint64_t)i);
    for (int i = s->trained; i < s->k; i++)
        for (int c = 0; c < s->k; c++) s->z[i * s->k + c] = c == i ? 0 : -INFINITY;
    sharing_softmax(s->a, s->z, s->k);
}

static void layout(ProcedureRun *run, Arena *arena) {
    const Options *o = run->options;
    const ModelShape *shape = &run->pass->shape;
    State counted, *s = ARENA_TAKE(arena, State, 1);
    run->state = s;
    if (!s) s = &counted;
    *s = (State){.k = run->data->slots, .trained = run->data->slots, .copies = shape->width};
    if (o->pattern == BLOCKS) {
        s->k = BLOCK + 1;
        s->trained = BLOCK;
        s->copies = MODEL_VECTORS * (shape->width / 3);
    }
    CHECK(s->k <= SHARING_MOST, "%d slots", s->k);
    start_sharing(s, run);
    double **of[] = {&s->psi, &s->at, &s->slope, &s->series, &s->term, &s->above, &s->below};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) *of[i] = ARENA_TAKE(arena, double, s->k * s->copies);
}

/* Where parameter i of a copy stands in linear_in's weights, which are stored (in, out). */
static int64_t place(const ProcedureRun *run, int i, int copy) {
    const Options *o = run->options;
    const ModelShape *shape = &run->pass->shape;
    int width = shape->width, threes = width / 3;
    if (o->pattern == SLOTS) return (int64_t)(shape->first_slot + i) * width + copy;
    int row = shape->vector[copy / threes] + i / 3, column = 3 * (copy % threes) + i % 3;
    return (int64_t)row * width + column;
}

/* The weights of linear_in, in a vector of parameters. */
static real *weights_in(real *vector, const Pass *pass) {
    return vector + param_find(&pass->model->table, "linear_in.weight")->offset;
}

/* W = A x, and x = A^T W where nothing is pinned; x (k, copies). */
static void share(real *weights, const ProcedureRun *run, const double *x) {
    const State *s = run->state;
    for (int i = 0; i < s->trained; i++)
        for (int j = 0; j < s->copies; j++) {
            double sum = 0;
            for (int c = 0; c < s->k; c++) sum += s->a[i * s->k + c] * x[c * s->copies + j];
            weights[place(run, i, j)] = (real)sum;
        }
}

static void gather(double *x, const ProcedureRun *run, const real *weights) {
    const State *s = run->state;
    memset(x, 0, (size_t)(s->k * s->copies) * sizeof *x);
    for (int j = 0; j < s->copies; j++)
        for (int i = 0; i < s->trained; i++) {
            double w = (double)weights[place(run, i, j)];
            for (int c = 0; c < s->trained; c++) x[c * s->copies + j] += s->a[i * s->k + c] * w;
        }
}

static double norm(const State *s, const double *x) {
    double sum = 0;
    for (int i = 0; i < s->k * s->copies; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* psi as it stands in place of W, and back. */
static void take_psi(ProcedureRun *run, const real *weights) {
    State *s = run->state;
    memset(s->psi, 0, (size_t)(s->k * s->copies) * sizeof *s->psi);
    for (int i = 0; i < s->trained; i++)
        for (int j = 0; j < s->copies; j++) s->psi[i * s->copies + j] = (double)weights[place(run, i, j)];
}

static void put(real *weights, const ProcedureRun *run, const double *x) {
    const State *s = run->state;
    for (int i = 0; i < s->trained; i++)
        for (int j = 0; j < s->copies; j++) weights[place(run, i, j)] = (real)x[i * s->copies + j];
}

/* Weights are found by the inputs' places, so the first map takes all inputs, and the model says where slots and vectors are. */
static void check_model(const ProcedureRun *run, const Pass *pass) {
    const Options *o = run->options;
    const ModelShape *shape = &pass->shape;
    const Param *in = param_find(&pass->model->table, "linear_in.weight");
    bool plain = in && in->axes == 2 && in->order[0] == 1 && !param_split(in) &&
                 param_size(in) == (int64_t)shape->width * shape->in_s;
    bool placed = o->pattern == BLOCKS ? shape->vector[1] != shape->vector[0] : shape->slots == run->data->slots;
    CHECK(plain, "procedure shared: %s has no linear_in.weight of %d x %d inputs", pass->kind->name, shape->width,
          shape->in_s);
    CHECK(placed, "procedure shared: scene_shape of %s does not say where %s are", pass->kind->name,
          o->pattern == BLOCKS ? "vectors" : "slots");
}

static void start(ProcedureRun *run, Pass *pass) {
    check_model(run, pass);
    State *s = run->state;
    real *weights = weights_in(pass->model->theta, pass);
    take_psi(run, weights);
    share(weights, run, s->psi);
}

static void fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    const Motion as_it_is = motion_identity();
    State *s = run->state;
    s->first = first;
    s->count = n;
    for (int i = 0; i < n; i++) batch_add(batch, run->data, &run->stream, first + i, &as_it_is, 1);
}

/* From here to after_step the optimiser sees psi and its gradient in place of W. */
static void after_gradient(ProcedureRun *run, Pass *pass) {
    State *s = run->state;
    real *grad = weights_in(pass->model->grad, pass);
    gather(s->slope, run, grad);
    put(weights_in(pass->model->theta, pass), run, s->psi);
    put(grad, run, s->slope);
}

/* Where in a range the gradient is taken: its samples from the last batch on, `ahead` batches further. */
typedef struct Place {
    SampleRange range;
    int64_t ahead;
} Place;
static const Place of_training = {SAMPLES_TRAIN, 0};

/* Gradient by psi at psi + step x of the loss of a batch; by A too, where da is given, added with the factor `of`. */
static void gradient(double *dpsi, double *da, double of, ProcedureRun *run, Pass *pass, Place where, const double *x,
                     double step) {
    State *s = run->state;
    SampleStream stream = run->stream;
    stream.range = where.range;
    for (int i = 0; i < s->k * s->copies; i++) s->at[i] = s->psi[i] + (x ? step * x[i] : 0);
    share(weights_in(pass->model->theta, pass), run, s->at);
    batch_fill(&pass->batch, run->data, &stream, s->first + where.ahead * s->samples, s->count);
    pass_gradient(pass, s->samples);
    const real *grad = weights_in(pass->model->grad, pass);
    gather(dpsi, run, grad);
    for (int i = 0; da && i < s->trained; i++)
        for (int j = 0; j < s->copies; j++) {
            double slope = of * (double)grad[place(run, i, j)];
            for (int c = 0; c < s->k; c++) da[i * s->k + c] += slope * s->at[c * s->copies + j];
        }
}

/* How far psi is moved along x for a difference: a hundredth of its length. */
static double difference(const State *s, const double *x) {
    static const double part = 1e-2;
    double length = norm(s, x);
    return length > 0 ? part * norm(s, s->psi) / length : 0;
}

/* y = H x of the training loss. */
static void hessian(double *y, ProcedureRun *run, Pass *pass, const double *x) {
    State *s = run->state;
    double h = difference(s, x);
    gradient(s->above, NULL, 0, run, pass, of_training, x, h);
    gradient(s->below, NULL, 0, run, pass, of_training, x, -h);
    for (int i = 0; i < s->k * s->copies; i++) y[i] = h > 0 ? (s->above[i] - s->below[i]) / (2 * h) : 0;
}

/* series = H^-1 slope, by Neumann's series as far as it converges. */
static void respond(ProcedureRun *run, Pass *pass) {
    const Options *o = run->options;
    State *s = run->state;
    int n = s->k * s->copies;
    double alpha = 0, last = INFINITY;
    memset(s->series, 0, (size_t)n * sizeof *s->series);
    memcpy(s->term, s->slope, (size_t)n * sizeof *s->term);
    for (int64_t t = 0; t < o->terms; t++) {
        double length = norm(s, s->term);
        if (!(length < last)) return;
        last = length;
        hessian(s->above, run, pass, s->term);
        if (t == 0) alpha = 0.5 * length / fmax(norm(s, s->above), 1e-30);
        for (int i = 0; i < n; i++) {
            s->series[i] += alpha * s->term[i];
            s->term[i] -= alpha * s->above[i];
        }
    }
}

/* slope = gradient of the validation loss by psi, and adds that by A to da: means over batches. */
static void validation_gradient(double *da, ProcedureRun *run, Pass *pass) {
    const Options *o = run->options;
    State *s = run->state;
    double each = 1 / (double)o->batches;
    int n = s->k * s->copies;
    memset(s->slope, 0, (size_t)n * sizeof *s->slope);
    for (int64_t b = 0; b < o->batches; b++) {
        gradient(s->above, da, each, run, pass, (Place){SAMPLES_VALIDATION, b}, NULL, 0);
        for (int i = 0; i < n; i++) s->slope[i] += each * s->above[i];
    }
}

/* Of this step of the sharing. */
static SharingPenalty penalty_of(const ProcedureRun *run) {
    static const double entropy = 0.5;
    const Options *o = run->options;
    const State *s = run->state;
    double hard = fmin(1, (double)(s->outer + 1) / (double)o->harden);
    return (SharingPenalty){.lambda = o->lambda, .entropy = entropy * hard, .mean = true};
}

/* One step of Adam on Z. */
static void outer_step(ProcedureRun *run, Pass *pass) {
    static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    const Options *o = run->options;
    State *s = run->state;
    SharingPenalty penalty = penalty_of(run);
    double da[SIDE] = {0}, dz[SIDE];
    validation_gradient(da, run, pass);
    respond(run, pass);
    double h = difference(s, s->series);
    if (h > 0) {
        gradient(s->above, da, -1 / (2 * h), run, pass, of_training, s->series, h);
        gradient(s->below, da, 1 / (2 * h), run, pass, of_training, s->series, -h);
    }
    sharing_penalty(da, s->a, s->trained, s->k, &penalty);
    sharing_softmax_backward(dz, da, s->a, s->k);
    s->outer++;
    for (int i = 0; i < s->k * s->k; i++) {
        if (!isfinite(dz[i])) continue;
        s->mean[i] = beta1 * s->mean[i] + (1 - beta1) * dz[i];
        s->square[i] = beta2 * s->square[i] + (1 - beta2) * dz[i] * dz[i];
        double m = s->mean[i] / (1 - pow(beta1, (double)s->outer)),
               v = s->square[i] / (1 - pow(beta2, (double)s->outer));
        s->z[i] -= o->rate * m / (sqrt(v) + epsilon);
    }
    sharing_softmax(s->a, s->z, s->k);
}

static void after_step(ProcedureRun *run, Pass *pass) {
    const Options *o = run->options;
    State *s = run->state;
    take_psi(run, weights_in(pass->model->theta, pass));
    if (++s->steps % o->every == 0) {
        s->samples = s->count;
        comm_sum_i64(pass->grid->dp, &s->samples, 1);
        outer_step(run, pass);
    }
    share(weights_in(pass->model->theta, pass), run, s->psi);
}

/* Z, its moments, psi, and both counts of steps. */
static int64_t state(const ProcedureRun *run, double *to) {
    const State *s = run->state;
    int64_t square = s->k * s->k, psi = s->k * s->copies, n = 3 * square + psi + 2;
    if (!to) return n;
    memcpy(to, s->z, (size_t)square * sizeof *to);
    memcpy(to + square, s->mean, (size_t)square * sizeof *to);
    memcpy(to + 2 * square, s->square, (size_t)square * sizeof *to);
    memcpy(to + 3 * square, s->psi, (size_t)psi * sizeof *to);
    to[n - 2] = (double)s->steps;
    to[n - 1] = (double)s->outer;
    return n;
}

static void restore(ProcedureRun *run, const double *from) {
    State *s = run->state;
    int64_t square = s->k * s->k, psi = s->k * s->copies;
    memcpy(s->z, from, (size_t)square * sizeof *from);
    memcpy(s->mean, from + square, (size_t)square * sizeof *from);
    memcpy(s->square, from + 2 * square, (size_t)square * sizeof *from);
    memcpy(s->psi, from + 3 * square, (size_t)psi * sizeof *from);
    s->steps = (int64_t)from[3 * square + psi];
    s->outer = (int64_t)from[3 * square + psi + 1];
    sharing_softmax(s->a, s->z, s->k);
}

static void numbers(ProcedureRun *run, double value[CURVE_NUMBERS]) {
    const State *s = run->state;
    int label[SHARING_MOST];
    double entropy = 0;
    for (int i = 0; i < s->k * s->k; i++)
        if (s->a[i] > 0) entropy -= s->a[i] * log(s->a[i]) / s->trained;
    value[0] = sharing_partition(label, s->a, s->k);
    value[1] = entropy;
    for (int i = 0; i < s->trained && i < LABELS; i++) {
        bool pinned = s->trained < s->k && label[i] == label[s->k - 1];
        value[2 + i] = pinned ? -1 : label[i];
    }
}

const Procedure procedure_shared = {.name = "shared",
                                    .keys = keys,
                                    .n_keys = sizeof keys / sizeof *keys,
                                    .mark = mark,
                                    .check = check,
                                    .work = work,
                                    .whole_batch = whole_batch,
                                    .layout = layout,
                                    .start = start,
                                    .fill = fill,
                                    .after_gradient = after_gradient,
                                    .after_step = after_step,
                                    .state = state,
                                    .restore = restore,
                                    .number = {"clusters", "entropy", "class_1", "class_2", "class_3", "class_4",
                                               "class_5", "class_6", "class_7", "class_8", "class_9", "class_10"},
                                    .numbers = numbers};
