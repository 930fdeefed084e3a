/* REMUL: equivariance as a second task, Elhag et al. 2024, arXiv 2410.17878. For B samples and M motions of each, new ones
 * every step,
 *     L = alpha L_obj + beta L_equi,   L_obj = 1/B sum_i l(f(x_i), y_i),   L_equi = 1/(BM) sum_im l(f(g_im x_i), g_im y_i)
 * The paper's [P] is the form, anchored at the moved label; [P] too is a penalty that changes: alpha and beta by GradNorm
 * (train/gradnorm.h) on the weights of linear_out, its constants a reproduction's. [ours]: motions are those of O(3), which
 * the task has, as a rule, so that alpha = 0, beta = 1, M = 1 is the procedure `augmented` to the bit; `rotations` are the
 * paper's. A part of weight 0 is not computed: beta = 0 is the procedure `plain`. `remul.anchor: prediction` compares with the
 * moved prediction, |f(g_im x_i) - g_im f(x_i)|, in L_equi [ours]: it says how far f is from equivariant, whatever the labels
 * are, and learns through both sides.
 *
 * A step costs what 1 + M samples cost. GradNorm adds one product (width, tokens) x (tokens, 3), one sum of 6 width numbers
 * over dp, and copies of the residual stream; executed FLOP leave it out: it is below a hundredth. */
#include "train/gradnorm.h"
#include "train/procedure.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

typedef enum Group { ORTHOGONAL, ROTATIONS, GRAVITY } Group;
typedef enum Penalty { CONSTANT, GRADNORM } Penalty;
typedef enum Anchor { LABEL, PREDICTION } Anchor;
enum { OBJECTIVE, EQUIVARIANCE, PARTS };

typedef struct Options {
    double objective;
    RealList equivariance; /* of which a study trains each by itself */
    int64_t samples;
    int group, loss, penalty, anchor;
    double gamma, rate;
} Options;

#define AT(member) offsetof(Options, member)
static const KeySpec keys[] = {
    {"remul.objective", KEY_REAL, AT(objective), "1", 0, 1e6, NULL, "1",
     "weight of the loss on samples as they are; 0: they are not shown"},
    {"remul.equivariance", KEY_REALS, AT(equivariance), "1", 0, 1e6, NULL, "1",
     "weight of the loss on moved samples; 0: they are not shown; several are swept, each in cells of its own"},
    {"remul.samples", KEY_INT, AT(samples), "1", 1, 64, NULL, "motions", "moved copies of each sample"},
    {"remul.group", KEY_CHOICE, AT(group), "orthogonal", 0, 0, "orthogonal|rotations|gravity", "1",
     "what motions are drawn from: rotations and mirror images, rotations, rotations about gravity"},
    {"remul.loss", KEY_CHOICE, AT(loss), "l2", 0, 0, "l2|l1", "1",
     "error that is learned from: mean over vertices of its squared length, or of the sum of its absolute values"},
    {"remul.anchor", KEY_CHOICE, AT(anchor), "label", 0, 0, "label|prediction", "1",
     "what the model should say of a moved sample: the moved target, or what it says of the sample, moved"},
    {"remul.penalty", KEY_CHOICE, AT(penalty), "constant", 0, 0, "constant|gradnorm", "1",
     "gradnorm: both weights start at 1 and follow the gradients, so that both losses fall alike"},
    {"remul.gamma", KEY_REAL, AT(gamma), "1.5", 0, 10, NULL, "1", "gradnorm: how strongly losses are held together"},
    {"remul.rate", KEY_REAL, AT(rate), "0.025", 0, 1, NULL, "1", "gradnorm: learning rate of the weights"},
};
#undef AT

typedef struct State {
    double weight[PARTS], first[PARTS]; /* of the losses; the losses of the first step */
    double sum[PARTS], samples;         /* of losses since the numbers were asked for, on this rank */
    int64_t steps;                      /* with GradNorm */
    Tensors *stream;                    /* GradNorm: where forward leaves the residual stream */
    int taps, width;
    double *product[PARTS]; /* (width, out) gradient of each loss by the weights of linear_out */
    Anchors anchors;        /* room for them, where moved views are compared with predictions */
} State;

/* Of options that are trained: with one weight for moved samples. */
static double weight_of(const Options *o, int part) {
    return part == OBJECTIVE ? o->objective : o->equivariance.at[0];
}

static Err check_weights(const Options *o) {
    const RealList *list = &o->equivariance;
    if (!list->n) return err_user("%s: remul.equivariance: want at least one weight", options_source());
    for (int i = 0; i < list->n; i++) {
        if (list->at[i] == 0 && o->objective == 0 && o->penalty == CONSTANT)
            return err_user("%s: remul.objective = 0, remul.equivariance = 0: want one of them above 0",
                            options_source());
        for (int k = 0; k < i; k++)
            if (list->at[i] == list->at[k])
                return err_user("%s: remul.equivariance lists %g twice: want each once", options_source(), list->at[i]);
    }
    if (o->penalty == CONSTANT || list->n == 1) return ERR_NONE;
    return err_user("%s: remul.equivariance: %d weights: want one where remul.penalty = gradnorm, which finds its own",
                    options_source(), list->n);
}

static Err check(const void *options, const TrainData *data) {
    const Options *o = options;
    (void)data;
    TRY(check_weights(o));
    if (o->anchor == LABEL || o->penalty == GRADNORM) return ERR_NONE;
    if (o->objective == 0)
        return err_user("%s: remul.objective = 0: want it above 0 where remul.anchor = prediction: nothing else says "
                        "what is right",
                        options_source());
    return ERR_NONE;
}

static const char *mark(const void *options) {
    return ((const Options *)options)->anchor == PREDICTION ? "prediction" : NULL;
}

/* Views of a sample in each part of the loss. */
static int views_in(const Options *o, int part) {
    bool shown = o->penalty == GRADNORM || weight_of(o, part) > 0;
    if (!shown) return 0;
    return part == OBJECTIVE ? 1 : (int)o->samples;
}

static int views(const void *options) {
    return views_in(options, OBJECTIVE) + views_in(options, EQUIVARIANCE);
}

/* GradNorm moves the weights once a step, by the gradients of all samples. */
static bool whole_batch(const void *options) {
    return ((const Options *)options)->penalty == GRADNORM;
}

static void stream_layout(State *s, const Pass *pass, Arena *arena) {
    Tap tap[MODEL_TAPS];
    int64_t tokens = pass->batch.max_tokens;
    s->taps = pass->kind->taps(NULL, &pass->shape);
    CHECK(s->taps <= MODEL_TAPS, "%d points on the residual stream", s->taps);
    pass->kind->taps(tap, &pass->shape);
    s->width = tap[s->taps - 1].s;
    CHECK(tap[s->taps - 1].mv == 0, "GradNorm on %s, whose stream has multivectors", pass->kind->name);
    Tensors *stream = ARENA_TAKE(arena, Tensors, s->taps);
    for (int i = 0; i < s->taps; i++) {
        Tensors at = {.s = ARENA_TAKE(arena, real, tokens * tap[i].s)};
        if (stream) stream[i] = at;
    }
    s->stream = stream;
    for (int k = 0; k < PARTS; k++) s->product[k] = ARENA_TAKE(arena, double, s->width * pass->shape.out_s);
}

static bool anchors(const Options *o) {
    return o->anchor == PREDICTION && views_in(o, EQUIVARIANCE) > 0;
}

static Anchors anchors_layout(const Batch *batch, Arena *arena) {
    return (Anchors){.of = ARENA_TAKE(arena, int, batch->max_sequences),
                     .by = ARENA_TAKE(arena, Motion, batch->max_sequences),
                     .slope = ARENA_TAKE(arena, real, 3 * batch->max_tokens)};
}

static void layout(ProcedureRun *run, Arena *arena) {
    const Options *o = run->options;
    State counted, *s = ARENA_TAKE(arena, State, 1);
    run->state = s;
    if (!s) s = &counted;
    *s = (State){.weight = {1, 1}};
    for (int k = 0; k < PARTS && o->penalty == CONSTANT; k++) s->weight[k] = weight_of(o, k);
    if (o->penalty == GRADNORM) stream_layout(s, run->pass, arena);
    if (anchors(o)) s->anchors = anchors_layout(&run->pass->batch, arena);
}

static Motion drawn(const ProcedureRun *run, int64_t position, int64_t m) {
    const Options *o = run->options;
    enum { ELEMENTS = 8 }; /* as motion_orthogonal sets aside */
    uint64_t seed = run->stream.seed, stream = rng_stream("augment", (uint64_t)position);
    if (o->group == ORTHOGONAL) return motion_orthogonal(seed, stream, (uint64_t)m);
    if (o->group == ROTATIONS) return motion_haar(seed, stream, 2 * (uint64_t)m);
    double axis[3];
    batch_gravity(axis, run->data, &run->stream, position);
    return motion_about(axis, 2 * acos(-1) * rng_uniform(seed, stream, ELEMENTS * (uint64_t)m));
}

/* All samples as they are, then all of them under their first motion, their second, ... */
static void fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    const Options *o = run->options;
    State *s = run->state;
    const Motion as_it_is = motion_identity();
    int moved = views_in(o, EQUIVARIANCE);
    batch->loss = o->loss;
    batch->anchors = anchors(o) ? &s->anchors : NULL;
    for (int i = 0; batch->anchors && i < n; i++) s->anchors.of[i] = -1;
    if (views_in(o, OBJECTIVE))
        for (int i = 0; i < n; i++)
            batch_add(batch, run->data, &run->stream, first + i, &as_it_is, s->weight[OBJECTIVE]);
    for (int m = 0; m < moved; m++)
        for (int i = 0; i < n; i++) {
            Motion view = drawn(run, first + i, m);
            if (batch->anchors) {
                s->anchors.of[batch->scenes.seqs.n] = i;
                s->anchors.by[batch->scenes.seqs.n] = view;
            }
            batch_add(batch, run->data, &run->stream, first + i, &view, s->weight[EQUIVARIANCE] / moved);
        }
}

static void before_gradient(ProcedureRun *run, Pass *pass) {
    const State *s = run->state;
    pass->model->tap = s->stream;
}

/* Adds factor x^T dout over tokens from .. to-1. */
static void add_product(double *product, const State *s, const real *dout, int out, int64_t from, int64_t to,
                        double factor) {
    const real *x = s->stream[s->taps - 1].s;
    for (int64_t t = from; t < to; t++)
        for (int i = 0; i < s->width; i++)
            for (int j = 0; j < out; j++)
                product[i * out + j] += factor * (double)x[t * s->width + i] * (double)dout[t * out + j];
}

/* Gradients of both losses by the weights of linear_out, from that of the whole, in which each has its weight: moved views come
 * from `boundary` on. What views as they are have to do with moved ones, where these are compared with predictions, is the
 * moved ones'. */
static void loss_products(const State *s, const Pass *pass, int64_t boundary) {
    const Packed *seqs = &pass->batch.scenes.seqs;
    const Anchors *anchored = pass->batch.anchors;
    int out = pass->shape.out_s;
    double objective = 1 / s->weight[OBJECTIVE], equivariance = 1 / s->weight[EQUIVARIANCE];
    for (int k = 0; k < PARTS; k++) memset(s->product[k], 0, (size_t)(s->width * out) * sizeof *s->product[k]);
    add_product(s->product[OBJECTIVE], s, pass->dout.s, out, 0, boundary, objective);
    add_product(s->product[EQUIVARIANCE], s, pass->dout.s, out, boundary, seqs->start[seqs->n], equivariance);
    if (!anchored) return;
    add_product(s->product[OBJECTIVE], s, anchored->slope, out, 0, boundary, -objective);
    add_product(s->product[EQUIVARIANCE], s, anchored->slope, out, 0, boundary, equivariance);
}

/* loss: sums of this step on this rank, and how many samples. */
static void balance(ProcedureRun *run, const Pass *pass, int64_t boundary, const double sums[PARTS + 1]) {
    const Options *o = run->options;
    State *s = run->state;
    const Comm *dp = pass->grid->dp;
    int size = s->width * pass->shape.out_s;
    double loss[PARTS], norm[PARTS] = {0}, all[PARTS + 1];
    memcpy(all, sums, sizeof all);
    loss_products(s, pass, boundary);
    comm_sum_f64(dp, all, PARTS + 1);
    for (int k = 0; k < PARTS; k++) {
        comm_sum_f64(dp, s->product[k], size);
        for (int i = 0; i < size; i++) norm[k] += s->product[k][i] * s->product[k][i];
        norm[k] = sqrt(norm[k]);
        loss[k] = all[k] / all[PARTS];
        if (s->steps == 0) s->first[k] = loss[k];
    }
    s->steps++;
    gradnorm_step(s->weight, &(GradNorm){PARTS, s->first, o->gamma, o->rate}, loss, norm);
}

static void after_gradient(ProcedureRun *run, Pass *pass) {
    const Options *o = run->options;
    State *s = run->state;
    const Packed *seqs = &pass->batch.scenes.seqs;
    int still = views_in(o, OBJECTIVE), moved = views_in(o, EQUIVARIANCE), n = seqs->n / (still + moved);
    double sums[PARTS + 1] = {[PARTS] = n};
    for (int q = 0; q < still * n; q++) sums[OBJECTIVE] += pass->error[q];
    for (int q = still * n; q < seqs->n; q++) sums[EQUIVARIANCE] += pass->error[q] / moved;
    for (int k = 0; k < PARTS; k++) s->sum[k] += sums[k];
    s->samples += n;
    pass->model->tap = NULL;
    if (o->penalty == GRADNORM) balance(run, pass, seqs->start[still * n], sums);
}

static void numbers(ProcedureRun *run, double value[CURVE_NUMBERS]) {
    const Options *o = run->options;
    State *s = run->state;
    double sum[PARTS + 1] = {s->sum[OBJECTIVE], s->sum[EQUIVARIANCE], s->samples};
    comm_sum_f64(run->pass->grid->dp, sum, PARTS + 1);
    for (int k = 0; k < PARTS; k++) {
        value[k] = views_in(o, k) ? sum[k] / sum[PARTS] : NAN;
        value[PARTS + k] = s->weight[k];
        s->sum[k] = 0;
    }
    s->samples = 0;
}

/* Weights, first losses and steps are the same on every rank; sums since the last point are put together. */
static int64_t state(const ProcedureRun *run, double *number) {
    enum { NUMBERS = 3 * PARTS + 2 };
    const State *s = run->state;
    if (!number) return NUMBERS;
    double sum[PARTS + 1] = {s->sum[OBJECTIVE], s->sum[EQUIVARIANCE], s->samples};
    comm_sum_f64(run->pass->grid->dp, sum, PARTS + 1);
    memcpy(number, s->weight, sizeof s->weight);
    memcpy(number + PARTS, s->first, sizeof s->first);
    memcpy(number + 2 * PARTS, sum, sizeof sum);
    number[3 * PARTS + 1] = (double)s->steps;
    return NUMBERS;
}

static void restore(ProcedureRun *run, const double *number) {
    State *s = run->state;
    memcpy(s->weight, number, sizeof s->weight);
    memcpy(s->first, number + PARTS, sizeof s->first);
    s->steps = (int64_t)number[3 * PARTS + 1];
    if (comm_rank(run->pass->grid->dp) != 0) return;
    memcpy(s->sum, number + 2 * PARTS, sizeof s->sum);
    s->samples = number[3 * PARTS];
}

const Procedure procedure_remul = {
    .name = "remul",
    .keys = keys,
    .n_keys = sizeof keys / sizeof *keys,
    .swept = "remul.equivariance",
    .mark = mark,
    .check = check,
    .views = views,
    .whole_batch = whole_batch,
    .layout = layout,
    .fill = fill,
    .before_gradient = before_gradient,
    .after_gradient = after_gradient,
    .state = state,
    .restore = restore,
    .number = {"loss_objective", "loss_equivariance", "weight_objective", "weight_equivariance"},
    .numbers = numbers};
