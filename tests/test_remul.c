// TEST double n=1,2
// TEST single n=2
/* REMUL: the arms it contains, bit for bit; what its weights, motions and errors are; GradNorm's fixed point. */
#include "fixture.h"

#include "train/forecast.h"
#include "train/gradnorm.h"

static TrainJob remul_job(const TrainData *data, OptionRoom *room, const char *text) {
    TrainJob job = fixture_job(&transformer_kind, &procedure_remul, data, 1e-2);
    /* What was given last wins: every key, so that cases do not depend on their order. */
    char all[512];
    snprintf(all, sizeof all,
             "-remul_objective 1 -remul_equivariance 1 -remul_samples 1 -remul_group orthogonal "
             "-remul_loss l2 -remul_penalty constant -remul_anchor label %s",
             text);
    *room = fixture_keys(&procedure_remul, all);
    job.procedure_options = room;
    return job;
}

static void identities(const TrainData *data) {
    OptionRoom room, other;
    TrainJob plain = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    TrainJob augmented = fixture_job(&transformer_kind, &procedure_augmented, data, 1e-2);
    TrainJob objective = remul_job(data, &room, "-remul_equivariance 0");
    TrainJob moved = remul_job(data, &other, "-remul_objective 0");
    EXPECT(procedure_views(&procedure_remul, &room) == 1, "a part of weight 0 is not computed");
    EXPECT(fixture_same_theta(&objective, &plain, data), "beta = 0 is the plain arm");
    EXPECT(fixture_same_theta(&moved, &augmented, data), "alpha = 0, beta = 1, one view is the augmented arm");
    EXPECT(!fixture_same_theta(&moved, &plain, data), "the augmented arm is not the plain one");
}

/* Of the first batch. */
typedef struct First {
    double loss, number[CURVE_NUMBERS]; /* what the procedure says after it */
    real *gradient;                     /* (n) by the weights of linear_out; first_free */
    int64_t n;
} First;

static First first_batch(const TrainData *data, const char *text) {
    First f;
    OptionRoom room;
    TrainJob job = remul_job(data, &room, text);
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    SampleStream stream = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};
    Pass pass;
    ProcedureRun run;
    pass_init(&pass, job.kind, &job.shape, 7, 4 * procedure_views(&procedure_remul, &room), data, &alone);
    procedure_start(&run, &procedure_remul, &room, &stream, &pass);
    procedure_fill(&run, &pass.batch, 0, 4);
    f.loss = procedure_gradient(&run, &pass, 4);
    procedure_numbers(&run, f.number);
    const Param *last = param_find(&pass.model->table, "linear_out.weight");
    f.n = last->count;
    f.gradient = MEM_NEW(real, f.n);
    memcpy(f.gradient, pass.model->grad + last->offset, (size_t)f.n * sizeof *f.gradient);
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&alone);
    return f;
}

static void first_free(First *f) {
    mem_free(f->gradient);
}

static double first_loss(const TrainData *data, const char *text) {
    First f = first_batch(data, text);
    first_free(&f);
    return f.loss;
}

/* The loss is alpha L_obj + beta L_equi, L_equi a mean over motions; every group has its own. */
static void weights(const TrainData *data) {
    double bound = 100 * REAL_EPSILON, objective = first_loss(data, "-remul_equivariance 0");
    double equivariance = first_loss(data, "-remul_objective 0"), both = first_loss(data, "-remul_equivariance 3");
    EXPECT(fabs(both / (objective + 3 * equivariance) - 1) < bound, "loss %g", both);
    double rotations = first_loss(data, "-remul_objective 0 -remul_group rotations");
    double gravity = first_loss(data, "-remul_objective 0 -remul_group gravity");
    EXPECT(fabs(rotations / equivariance - 1) > 1e-6 && fabs(gravity / rotations - 1) > 1e-6, "groups differ");
    double four = first_loss(data, "-remul_objective 0 -remul_samples 4");
    EXPECT(fabs(four / equivariance - 1) > 1e-6 && fabs(four / equivariance - 1) < 0.5, "a mean over 4 motions: %g, %g",
           four, equivariance);
    EXPECT(fabs(first_loss(data, "-remul_loss l1") / both - 1) > 1e-3, "another error");
}

/* ---- Anchored at the prediction. ---- */

enum { SHOWN = 3, COPIES = 2 };

/* The loss of a batch that is anchored at predictions, from the predictions of its scenes, in plain double. */
static double anchored_loss(Pass *pass, double beta) {
    const Packed *seqs = &pass->batch.scenes.seqs;
    double total = 0;
    pass_predict(pass, &pass->batch.scenes);
    for (int q = 0; q < seqs->n; q++) {
        int sample = q % SHOWN, copy = q / SHOWN;
        Motion g = motion_orthogonal(5, rng_stream("augment", (uint64_t)sample), (uint64_t)(copy - 1));
        double each = 1 / (double)(SHOWN * (seqs->start[q + 1] - seqs->start[q]));
        for (int64_t t = 0; t < seqs->start[q + 1] - seqs->start[q]; t++) {
            const real *said = pass->prediction + 3 * (seqs->start[q] + t);
            const real *target = pass->batch.target + 3 * (seqs->start[q] + t);
            double want[3];
            for (int i = 0; i < 3; i++)
                want[i] = (double)(copy ? pass->prediction[3 * (seqs->start[sample] + t) + i] : target[i]);
            if (copy) act_vector(want, want, &g);
            for (int i = 0; i < 3; i++)
                total += each * (copy ? beta / COPIES : 1) * ((double)said[i] - want[i]) * ((double)said[i] - want[i]);
        }
    }
    return total;
}

static double slope_along(const Pass *pass, const real *direction) {
    double sum = 0;
    for (int64_t i = 0; i < pass->model->table.local; i++) sum += (double)pass->model->grad[i] * (double)direction[i];
    return sum;
}

/* |f(gx) - g f(x)|^2: its value, and its gradient, to which both sides contribute, by central differences, in one piece and
 * where pieces would be smaller than a batch. */
static void predictions(const TrainData *data) {
    const double beta = 3, h = REAL_EPSILON < 1e-10 ? 1e-6 : 1e-3, bound = REAL_EPSILON < 1e-10 ? 1e-6 : 2e-2;
    OptionRoom room;
    TrainJob job = remul_job(data, &room, "-remul_anchor prediction -remul_equivariance 3 -remul_samples 2");
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    SampleStream stream = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};
    Pass pass;
    ProcedureRun run;
    pass_init(&pass, job.kind, &job.shape, 7, SHOWN * (1 + COPIES), data, &alone);
    procedure_start(&run, &procedure_remul, &room, &stream, &pass);
    int64_t n = pass.model->table.local;
    real *kept = MEM_NEW(real, n), *direction = MEM_NEW(real, n);
    memcpy(kept, pass.model->theta, (size_t)n * sizeof *kept);
    for (int64_t i = 0; i < n; i++) direction[i] = (real)rng_normal(9, 9, (uint64_t)i);
    for (int piece = 0; piece < 2; piece++) {
        pass.model->cache_bytes = piece ? 0 : INT64_MAX;
        procedure_fill(&run, &pass.batch, 0, SHOWN);
        double loss = procedure_gradient(&run, &pass, SHOWN), got = slope_along(&pass, direction), value[2];
        for (int side = 0; side < 2; side++) {
            for (int64_t i = 0; i < n; i++) pass.model->theta[i] = kept[i] + (real)(side ? -h : h) * direction[i];
            value[side] = anchored_loss(&pass, beta);
        }
        memcpy(pass.model->theta, kept, (size_t)n * sizeof *kept);
        double want = anchored_loss(&pass, beta), slope = (value[0] - value[1]) / (2 * h);
        EXPECT(fabs(loss / want - 1) < 1000 * REAL_EPSILON, "anchored at predictions: loss %g, want %g", loss, want);
        EXPECT(fabs(got / slope - 1) < bound, "its slope %g, want %g", got, slope);
    }
    mem_free(kept);
    mem_free(direction);
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* Nothing is left to learn of a model that turns with its scenes; a cell's numbers do not depend on ranks. */
static void anchored_cells(const TrainData *data) {
    OptionRoom room, none;
    CurvePoint curve[FIXTURE_POINTS] = {0}, split[FIXTURE_POINTS] = {0};
    CellRecord record = {0}, again = {0};
    TrainJob job = remul_job(data, &room, "-remul_anchor prediction -remul_group rotations");
    job.kind = &gatr_kind;
    job.shape = fixture_job(&gatr_kind, &procedure_remul, data, 1e-2).shape;
    fixture_train(curve, &record, &job, data, 1, 1);
    const double *last = curve[record.curve_points - 1].procedure;
    EXPECT(last[0] > 1e-3 && last[1] < (REAL_EPSILON < 1e-10 ? 1e-20 : 1e-6), "gatr: losses %g, %g", last[0], last[1]);
    TrainJob free_job = remul_job(data, &room, "-remul_anchor prediction -remul_equivariance 10");
    TrainJob plain = remul_job(data, &none, "-remul_equivariance 0 -remul_anchor prediction");
    fixture_train(curve, &record, &free_job, data, 1, 1);
    EXPECT(record.outcome == OUTCOME_DONE && last[1] > 1e-6, "a transformer: loss %g", last[1]);
    TrainJob transformer = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    EXPECT(fixture_same_theta(&plain, &transformer, data), "a weight of 0 is the plain arm with any anchor");
    if (comm_size(comm_world()) < 2) return;
    fixture_train(split, &again, &free_job, data, 2, 1);
    for (int i = 0; i < 2; i++) {
        double x = last[i], y = split[again.curve_points - 1].procedure[i];
        EXPECT(fabs(x / y - 1) < (REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4), "number %d on two ranks: %g, %g", i, x, y);
    }
}

static void costs(const TrainData *data) {
    OptionRoom room;
    TrainJob plain = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    TrainJob job = remul_job(data, &room, "-remul_samples 3");
    ModelFlops one = forecast_flops(&plain, &fixture_options, data, 1),
               all = forecast_flops(&job, &fixture_options, data, 1);
    EXPECT(all.nominal == 4 * one.nominal && all.executed == 4 * one.executed, "FLOP %g of %g", all.nominal,
           one.nominal);
    CurvePoint curve[FIXTURE_POINTS] = {0}, same[FIXTURE_POINTS] = {0};
    CellRecord record = {0}, again = {0};
    OptionRoom balanced;
    TrainJob gradnorm = remul_job(data, &balanced, "-remul_penalty gradnorm");
    fixture_train(curve, &record, &gradnorm, data, 1, 1);
    const CurvePoint *last = &curve[record.curve_points - 1];
    EXPECT(record.outcome == OUTCOME_DONE && record.loss < record.loss_initial, "GradNorm learns");
    EXPECT(fabs(last->procedure[2] + last->procedure[3] - 2) < 1e-12 && last->procedure[2] != 1, "weights %g, %g",
           last->procedure[2], last->procedure[3]);
    EXPECT(last->procedure[0] > 0 && last->procedure[1] > 0, "losses %g, %g", last->procedure[0], last->procedure[1]);
    if (comm_size(comm_world()) < 2) return;
    fixture_train(same, &again, &gradnorm, data, 2, 1);
    for (int i = 0; i < 4; i++) {
        double x = last->procedure[i], y = same[again.curve_points - 1].procedure[i];
        EXPECT(fabs(x / y - 1) < (REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4), "number %d on two ranks: %g, %g", i, x, y);
    }
}

static void refusals(void) {
    OptionRoom nothing =
        fixture_keys(&procedure_remul, "-remul_objective 0 -remul_equivariance 0 -remul_penalty constant");
    EXPECT(procedure_remul.check(&nothing, NULL).code == EXIT_USER, "two weights of 0 are refused");
    OptionRoom balanced = fixture_keys(&procedure_remul, "-remul_penalty gradnorm");
    EXPECT(!procedure_remul.check(&balanced, NULL).code, "GradNorm has weights of its own");
    OptionRoom free = fixture_keys(
        &procedure_remul, "-remul_penalty constant -remul_objective 0 -remul_equivariance 1 -remul_anchor prediction");
    EXPECT(procedure_remul.check(&free, NULL).code == EXIT_USER, "predictions that nothing holds are refused");
}

/* GradNorm's first step from the gradients of both losses, each taken by itself, whatever moved views are compared with: that of
 * the second is what it adds to the whole. */
static void first_balance(const TrainData *data, const char *anchor) {
    static const double rate = 0.025;
    char text[2][160];
    double norm[2] = {0}, want[2];
    snprintf(text[0], sizeof text[0], "-remul_anchor %s", anchor);
    snprintf(text[1], sizeof text[1], "-remul_anchor %s -remul_penalty gradnorm -remul_rate %g", anchor, rate);
    First objective = first_batch(data, "-remul_equivariance 0"), both = first_batch(data, text[0]),
          balanced = first_batch(data, text[1]);
    const double *number = balanced.number;
    for (int64_t i = 0; i < both.n; i++) {
        double first = (double)objective.gradient[i], second = (double)both.gradient[i] - first;
        norm[0] += first * first;
        norm[1] += second * second;
    }
    for (int k = 0; k < 2; k++) norm[k] = sqrt(norm[k]);
    for (int k = 0; k < 2; k++) want[k] = 1 + (norm[k] < norm[1 - k] ? rate : -rate) * norm[k];
    for (int k = 0; k < 2; k++) {
        double weight = 2 * want[k] / (want[0] + want[1]), bound = REAL_EPSILON < 1e-10 ? 1e-12 : 1e-5;
        EXPECT(fabs(number[2 + k] - weight) < bound, "%s: weight %d is %.9g, want %.9g", anchor, k, number[2 + k],
               weight);
    }
    EXPECT(fabs(number[2] - 1) > 1e-4, "%s: weights move: %g", anchor, number[2]);
    first_free(&objective);
    first_free(&both);
    first_free(&balanced);
}

/* Two tasks with gradients c1 g, c2 g whose losses fall alike: w1 c1 = w2 c2, w1 + w2 = 2. */
static void fixed_point(void) {
    const double norm[2] = {3, 0.5}, loss[2] = {2, 4}, first[2] = {4, 8};
    double weight[2] = {1, 1};
    for (int k = 0; k < 20000; k++)
        gradnorm_step(weight, &(GradNorm){2, first, 1.5, 1e-3 / (1 + 1e-2 * k)}, loss, norm);
    EXPECT(fabs(weight[0] / weight[1] / (norm[1] / norm[0]) - 1) < 1e-3, "w1/w2 = %g, want %g", weight[0] / weight[1],
           norm[1] / norm[0]);
    EXPECT(fabs(weight[0] + weight[1] - 2) < 1e-12, "sum %g", weight[0] + weight[1]);
    double kept[2] = {0.5, 1.5};
    gradnorm_step(kept, &(GradNorm){2, first, 1.5, 0.1}, (const double[2]){NAN, 1}, norm);
    EXPECT(kept[0] == 0.5 && kept[1] == 1.5, "numbers that are none change nothing");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    identities(&data);
    weights(&data);
    predictions(&data);
    anchored_cells(&data);
    costs(&data);
    first_balance(&data, "label");
    first_balance(&data, "prediction");
    refusals();
    fixed_point();
    dataset_close(dataset);
    return test_end();
}
