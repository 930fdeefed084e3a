/* Which of the bodies' names mean the same, learned with the task: the weights that read a body's slot are W = A psi, A (K, K)
 * row-stochastic, K slots, as train/sharing.h has it (Yeh et al. 2022, arXiv 2204.03640). The model is trained on psi; every
 * `shared.every` steps Z, of which A is the softmax, moves down the hypergradient of validation loss and penalty by one step of
 * Adam.
 *
 * [paper]: the two levels, the penalty, Neumann's series, its lengths. [ours]: sharing of slots, whose names batches permute, so
 * that the answer is one class; the response of psi alone is followed, not that of all other parameters; products with the
 * Hessian are central differences of gradients, on the batch of the step; alpha is half the reciprocal of |H b| / |b|. The
 * released code leaves alpha out in front of the series, which is not copied.
 *
 * An outer step takes one gradient for validation, two for each term, two for the mixed derivative: the work of each step is
 * counted higher by their share. */
#include "train/procedure.h"
#include "train/sharing.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

typedef struct Options {
    double lambda, rate;
    int64_t every, terms;
} Options;

#define AT(member) offsetof(Options, member)
static const KeySpec keys[] = {
    {"shared.lambda", KEY_REAL, AT(lambda), "0.05", 0, 1e6, NULL, "1",
     "strength of the penalty that makes slots share"},
    {"shared.rate", KEY_REAL, AT(rate), "0.01", 0, 10, NULL, "1", "learning rate of the sharing"},
    {"shared.every", KEY_INT, AT(every), "250", 1, 1e9, NULL, "steps", "optimiser steps to one step of the sharing"},
    {"shared.terms", KEY_INT, AT(terms), "20", 1, 1000, NULL, "1", "terms of Neumann's series"},
};
#undef AT

enum { SIDE = SHARING_MOST * SHARING_MOST };

typedef struct State {
    int k, width;                                      /* slots; numbers that read one */
    double z[SIDE], a[SIDE], mean[SIDE], square[SIDE]; /* A; moments of the gradient by Z */
    int64_t steps, outer, first; /* done; of them on Z; position of the first sample of the batch */
    int count;                   /* samples of it, on this rank and on all */
    int64_t samples;
    double *psi;                                        /* (k, width) */
    double *at, *slope, *series, *term, *above, *below; /* the same */
} State;

static Err check(const void *options, const TrainData *data) {
    (void)options;
    if (data->slots <= SHARING_MOST) return ERR_NONE;
    return err_user("%s: transformer_shared: scenes of up to %d bodies: want at most %d", options_source(), data->slots,
                    SHARING_MOST);
}

static double work(const void *options) {
    const Options *o = options;
    return 1 + (double)(1 + 2 * o->terms + 2) / (double)o->every;
}

/* Hypergradients are taken on the batch of the step. */
static bool whole_batch(const void *options) {
    (void)options;
    return true;
}

static void layout(ProcedureRun *run, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    run->state = s;
    if (!s) s = &counted;
    *s = (State){.k = run->data->slots, .width = run->pass->shape.width};
    CHECK(s->k <= SHARING_MOST, "%d slots", s->k);
    for (int i = 0; i < s->k * s->k; i++) s->z[i] = rng_normal(run->stream.seed, rng_stream("shared", 0), (uint64_t)i);
    sharing_softmax(s->a, s->z, s->k);
    double **of[] = {&s->psi, &s->at, &s->slope, &s->series, &s->term, &s->above, &s->below};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) *of[i] = ARENA_TAKE(arena, double, s->k * s->width);
}

/* The rows of linear_in that read slots: in a vector of parameters, stored (in, out). */
static real *rows_in(real *vector, const Pass *pass) {
    const Param *weight = param_find(&pass->model->table, "linear_in.weight");
    return vector + weight->offset + pass->shape.first_slot * pass->shape.width;
}

/* y = A x and y = A^T x for rows (k, width). */
static void share(real *y, const State *s, const double *x) {
    for (int i = 0; i < s->k; i++)
        for (int j = 0; j < s->width; j++) {
            double sum = 0;
            for (int c = 0; c < s->k; c++) sum += s->a[i * s->k + c] * x[c * s->width + j];
            y[i * s->width + j] = (real)sum;
        }
}

static void gather(double *y, const State *s, const real *x) {
    for (int c = 0; c < s->k; c++)
        for (int j = 0; j < s->width; j++) {
            double sum = 0;
            for (int i = 0; i < s->k; i++) sum += s->a[i * s->k + c] * (double)x[i * s->width + j];
            y[c * s->width + j] = sum;
        }
}

static double norm(const State *s, const double *x) {
    double sum = 0;
    for (int i = 0; i < s->k * s->width; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

static void start(ProcedureRun *run, Pass *pass) {
    State *s = run->state;
    const real *rows = rows_in(pass->model->theta, pass);
    for (int i = 0; i < s->k * s->width; i++) s->psi[i] = (double)rows[i];
    share(rows_in(pass->model->theta, pass), s, s->psi);
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
    real *theta = rows_in(pass->model->theta, pass), *grad = rows_in(pass->model->grad, pass);
    gather(s->slope, s, grad);
    for (int i = 0; i < s->k * s->width; i++) {
        theta[i] = (real)s->psi[i];
        grad[i] = (real)s->slope[i];
    }
}

/* Gradient by psi at psi + step x of the loss of a range, on the samples of the last step; by A too, where da is given, added with
 * the factor `of`. */
static void gradient(double *dpsi, double *da, double of, ProcedureRun *run, Pass *pass, SampleRange range,
                     const double *x, double step) {
    State *s = run->state;
    SampleStream stream = run->stream;
    stream.range = range;
    for (int i = 0; i < s->k * s->width; i++) s->at[i] = s->psi[i] + (x ? step * x[i] : 0);
    share(rows_in(pass->model->theta, pass), s, s->at);
    batch_fill(&pass->batch, run->data, &stream, s->first, s->count);
    pass_gradient(pass, s->samples);
    const real *grad = rows_in(pass->model->grad, pass);
    gather(dpsi, s, grad);
    for (int i = 0; da && i < s->k; i++)
        for (int c = 0; c < s->k; c++)
            for (int j = 0; j < s->width; j++)
                da[i * s->k + c] += of * (double)grad[i * s->width + j] * s->at[c * s->width + j];
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
    gradient(s->above, NULL, 0, run, pass, SAMPLES_TRAIN, x, h);
    gradient(s->below, NULL, 0, run, pass, SAMPLES_TRAIN, x, -h);
    for (int i = 0; i < s->k * s->width; i++) y[i] = h > 0 ? (s->above[i] - s->below[i]) / (2 * h) : 0;
}

/* series = H^-1 slope, by Neumann's series as far as it converges. */
static void respond(ProcedureRun *run, Pass *pass) {
    const Options *o = run->options;
    State *s = run->state;
    int n = s->k * s->width;
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

/* One step of Adam on Z. */
static void outer_step(ProcedureRun *run, Pass *pass) {
    static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    const Options *o = run->options;
    State *s = run->state;
    double da[SIDE] = {0}, dz[SIDE];
    gradient(s->slope, da, 1, run, pass, SAMPLES_VALIDATION, NULL, 0);
    respond(run, pass);
    double h = difference(s, s->series);
    if (h > 0) {
        gradient(s->above, da, -1 / (2 * h), run, pass, SAMPLES_TRAIN, s->series, h);
        gradient(s->below, da, 1 / (2 * h), run, pass, SAMPLES_TRAIN, s->series, -h);
    }
    sharing_penalty(da, s->a, s->k, o->lambda, true);
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
    const real *rows = rows_in(pass->model->theta, pass);
    for (int i = 0; i < s->k * s->width; i++) s->psi[i] = (double)rows[i];
    if (++s->steps % o->every == 0) {
        s->samples = s->count;
        comm_sum_i64(pass->grid->dp, &s->samples, 1);
        outer_step(run, pass);
    }
    share(rows_in(pass->model->theta, pass), s, s->psi);
}

/* Z, its moments, psi, and both counts of steps. */
static int64_t state(const ProcedureRun *run, double *to) {
    const State *s = run->state;
    int64_t square = s->k * s->k, psi = s->k * s->width, n = 3 * square + psi + 2;
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
    int64_t square = s->k * s->k, psi = s->k * s->width;
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
        if (s->a[i] > 0) entropy -= s->a[i] * log(s->a[i]) / s->k;
    value[0] = sharing_partition(label, s->a, s->k);
    value[1] = entropy;
}

const Procedure procedure_shared = {.name = "shared",
                                    .keys = keys,
                                    .n_keys = sizeof keys / sizeof *keys,
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
                                    .number = {"clusters", "entropy"},
                                    .numbers = numbers};
