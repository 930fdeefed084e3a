/* Augerino: which motions the task allows, learned with it, Benton et al. 2020, arXiv 2010.11882. Each sample is shown once,
 * with its target, under
 *     g = exp(sum_i z_i w_i G_i),   z_i ~ U(-1/2, 1/2) anew,   w_i = log(1 + exp(r_i)) >= 0
 *     L = mean l(f(g x), g y) - lambda |w|,   without the last term once some w_i is at the cap
 * over the 12 generators of the affine group (train/act.h). [paper]: that form, in two dimensions, and a cap; its code in three
 * dimensions draws z from one side of 0, which is not done here. [ours]: shears and stretches start almost at 0, rotations
 * and shifts wide, since the reward is next to nothing for a width near 0 and ends with the first width at the cap; r has Adam
 * with a rate of its own and no decay. A width of 0 stays 0: with all of them the procedure is `plain`, to the bit.
 *
 * The gradient by w comes from that by the scenes, minus that of the targets (pass_field, motion_exp_gradient): one more
 * product of the model's backward pass, and two exponentials of 4x4 matrices a sample. Shifts act about the mean vertex, and
 * count in the unit of positions. The paper's prediction, a mean over moved copies, is the measurement `augerino`
 * (measure_twirl.c); losses of tables are those of the single one. */
#include "train/augerino.h"
#include "train/procedure.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

typedef enum Generators { ROTATIONS, AFFINE } Generators;

typedef struct Options {
    double lambda, rate, cap, rotations, shifts, others;
    int generators;
} Options;

#define AT(member) offsetof(Options, member)
static const KeySpec keys[] = {
    {"augerino.lambda", KEY_REAL, AT(lambda), "0.01", 0, 1e6, NULL, "1",
     "how much the loss falls with the length of the vector of widths"},
    {"augerino.rate", KEY_REAL, AT(rate), "0.01", 0, 1, NULL, "1", "learning rate of the widths"},
    {"augerino.cap", KEY_REAL, AT(cap), "10", 1e-9, 1e3, NULL, "1", "width at which they are rewarded no more"},
    {"augerino.rotations", KEY_REAL, AT(rotations), "0.6931471805599453", 0, 1e3, NULL, "1",
     "width of rotations at first; 0: there are none"},
    {"augerino.shifts", KEY_REAL, AT(shifts), "0.6931471805599453", 0, 1e3, NULL, "1",
     "width of shifts at first; 0: there are none"},
    {"augerino.others", KEY_REAL, AT(others), "0.0067153484891179", 0, 1e3, NULL, "1",
     "width of shears and stretches at first; 0: there are none"},
    {"augerino.generators", KEY_CHOICE, AT(generators), "affine", 0, 0, "rotations|affine", "1",
     "what motions are made of"},
};
#undef AT

typedef struct State {
    double raw[MOTION_GENERATORS];                             /* r */
    double mean[MOTION_GENERATORS], square[MOTION_GENERATORS]; /* moments of their gradient */
    int64_t steps, first;                                      /* done; position of the first sample of the batch */
    InputGradient inputs;
} State;

/* r of a width, log(exp(w) - 1); of 0 minus infinity, from where no step leads away. */
static double raw_of(double width) {
    return width + log(-expm1(-width));
}

static double width_of(double raw) {
    return fmax(raw, 0) + log1p(exp(-fabs(raw)));
}

/* The widths move once a step, by the gradient of all samples. */
static bool whole_batch(const void *options) {
    (void)options;
    return true;
}

static void layout(ProcedureRun *run, Arena *arena) {
    enum { OF_ROTATION = 3, FIRST_SHIFT = MOTION_GENERATORS - 3 };
    const Options *o = run->options;
    State counted, *s = ARENA_TAKE(arena, State, 1);
    run->state = s;
    if (!s) s = &counted;
    *s = (State){0};
    for (int k = 0; k < MOTION_GENERATORS; k++) {
        double width = k < FIRST_SHIFT ? o->others : o->shifts;
        if (o->generators == ROTATIONS) width = 0;
        s->raw[k] = raw_of(k < OF_ROTATION ? o->rotations : width);
    }
    pass_inputs_layout(&s->inputs, run->pass, arena);
}

static double drawn(const ProcedureRun *run, int64_t position, int generator) {
    return rng_uniform(run->stream.seed, rng_stream("augerino", (uint64_t)position), (uint64_t)generator) - 0.5;
}

/* z_i w_i of the sample at a position. */
static void element_of(double element[MOTION_GENERATORS], const ProcedureRun *run, int64_t position) {
    const State *s = run->state;
    for (int k = 0; k < MOTION_GENERATORS; k++) element[k] = drawn(run, position, k) * width_of(s->raw[k]);
}

Motion augerino_motion(const ProcedureRun *run, int64_t sample, int64_t m) {
    const State *s = run->state;
    double element[MOTION_GENERATORS];
    uint64_t stream = rng_stream("augerino test", (uint64_t)sample);
    for (int k = 0; k < MOTION_GENERATORS; k++) {
        double z = rng_uniform(run->stream.seed, stream, (uint64_t)(MOTION_GENERATORS * m + k)) - 0.5;
        element[k] = z * width_of(s->raw[k]);
    }
    return motion_exp(element, 1);
}

static void fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    State *s = run->state;
    s->first = first;
    for (int i = 0; i < n; i++) {
        double element[MOTION_GENERATORS];
        element_of(element, run, first + i);
        Motion view = motion_exp(element, 1);
        batch_add(batch, run->data, &run->stream, first + i, &view, 1);
    }
}

static void before_gradient(ProcedureRun *run, Pass *pass) {
    State *s = run->state;
    pass->inputs = &s->inputs;
}

void augerino_gradient(double dw[MOTION_GENERATORS], const ProcedureRun *run, const Pass *pass) {
    const State *s = run->state;
    memset(dw, 0, MOTION_GENERATORS * sizeof *dw);
    for (int q = 0; q < pass->batch.scenes.seqs.n; q++) {
        double element[MOTION_GENERATORS], field[MOTION_GENERATORS], along[MOTION_GENERATORS];
        element_of(element, run, s->first + q);
        pass_field(field, pass, q);
        motion_exp_gradient(along, element, field);
        for (int k = 0; k < MOTION_GENERATORS; k++) dw[k] += drawn(run, s->first + q, k) * along[k];
    }
    comm_sum_f64(pass->grid->dp, dw, MOTION_GENERATORS);
}

void augerino_penalty(double dw[MOTION_GENERATORS], const double width[MOTION_GENERATORS], double lambda, double cap) {
    double length = 0, widest = 0;
    for (int k = 0; k < MOTION_GENERATORS; k++) {
        length += width[k] * width[k];
        widest = fmax(widest, width[k]);
    }
    bool off = widest >= cap || length == 0;
    for (int k = 0; k < MOTION_GENERATORS; k++) dw[k] = off ? 0 : -lambda * width[k] / sqrt(length);
}

/* Adam (Kingma and Ba 2015, arXiv 1412.6980) on r. */
static void after_gradient(ProcedureRun *run, Pass *pass) {
    static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    const Options *o = run->options;
    State *s = run->state;
    double width[MOTION_GENERATORS], dw[MOTION_GENERATORS], penalty[MOTION_GENERATORS];
    augerino_gradient(dw, run, pass);
    pass->inputs = NULL;
    for (int k = 0; k < MOTION_GENERATORS; k++) width[k] = width_of(s->raw[k]);
    augerino_penalty(penalty, width, o->lambda, o->cap);
    s->steps++;
    for (int k = 0; k < MOTION_GENERATORS; k++) {
        double slope = 1 / (1 + exp(-s->raw[k])), g = (dw[k] + penalty[k]) * slope;
        if (!isfinite(g)) continue; /* the model diverges, which its own step will find */
        s->mean[k] = beta1 * s->mean[k] + (1 - beta1) * g;
        s->square[k] = beta2 * s->square[k] + (1 - beta2) * g * g;
        double m = s->mean[k] / (1 - pow(beta1, (double)s->steps));
        double v = s->square[k] / (1 - pow(beta2, (double)s->steps));
        s->raw[k] -= o->rate * m / (sqrt(v) + epsilon);
    }
}

/* r, its moments, and the count of steps. */
static int64_t state(const ProcedureRun *run, double *to) {
    enum { N = MOTION_GENERATORS };
    const State *s = run->state;
    if (!to) return 3 * N + 1;
    memcpy(to, s->raw, sizeof s->raw);
    memcpy(to + N, s->mean, sizeof s->mean);
    memcpy(to + 2 * N, s->square, sizeof s->square);
    to[3 * N] = (double)s->steps;
    return 3 * N + 1;
}

static void restore(ProcedureRun *run, const double *from) {
    enum { N = MOTION_GENERATORS };
    State *s = run->state;
    memcpy(s->raw, from, sizeof s->raw);
    memcpy(s->mean, from + N, sizeof s->mean);
    memcpy(s->square, from + 2 * N, sizeof s->square);
    s->steps = (int64_t)from[3 * N];
}

static void numbers(ProcedureRun *run, double value[CURVE_NUMBERS]) {
    const State *s = run->state;
    for (int k = 0; k < MOTION_GENERATORS; k++) value[k] = width_of(s->raw[k]);
}

const Procedure procedure_augerino = {.name = "augerino",
                                      .keys = keys,
                                      .n_keys = sizeof keys / sizeof *keys,
                                      .input_gradient = true,
                                      .whole_batch = whole_batch,
                                      .layout = layout,
                                      .fill = fill,
                                      .before_gradient = before_gradient,
                                      .after_gradient = after_gradient,
                                      .state = state,
                                      .restore = restore,
                                      .number = {"rotation_x", "rotation_y", "rotation_z", "shear_yz", "shear_zx",
                                                 "shear_xy", "stretch_xy", "stretch_z", "scale", "shift_x", "shift_y",
                                                 "shift_z"},
                                      .numbers = numbers};
