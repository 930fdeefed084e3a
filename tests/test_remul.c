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
             "-remul_loss l2 -remul_penalty constant %s",
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

/* Loss of the first batch. */
static double first_loss(const TrainData *data, const char *text) {
    OptionRoom room;
    TrainJob job = remul_job(data, &room, text);
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    SampleStream stream = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};
    Pass pass;
    ProcedureRun run;
    pass_init(&pass, job.kind, &job.shape, 7, 4 * procedure_views(&procedure_remul, &room), data, &alone);
    procedure_start(&run, &procedure_remul, &room, &stream, &pass);
    procedure_fill(&run, &pass.batch, 0, 4);
    double loss = procedure_gradient(&run, &pass, 4);
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&alone);
    return loss;
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
    costs(&data);
    refusals();
    fixed_point();
    dataset_close(dataset);
    return test_end();
}
