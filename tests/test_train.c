// TEST double n=1,2,4
// TEST single n=2
/* Training: the loss of a cell does not depend on its layout; batches on nothing but seed and position; augmentation is
 * an isometry; a diverging cell is recorded as one; the gradient of the whole chain is the difference quotient of the
 * loss. */
#include "check.h"
#include "study/data_options.h"
#include "train/trainer.h"

enum { STEPS = 10, POINTS = 8 };

static const TrainOptions options = {.batch = 8,
                                     .warmup = 0.2,
                                     .final_lr = 0.01,
                                     .weight_decay = 0.01,
                                     .beta1 = 0.9,
                                     .beta2 = 0.99,
                                     .epsilon = 1e-8,
                                     .clip = 1,
                                     .evaluations = POINTS};

static TrainJob job_of(const ModelKind *kind, bool augment, const TrainData *data, double lr) {
    TrainJob job = {.kind = kind, .augment = augment, .steps = STEPS, .dataset = 8, .seed = 3, .lr = lr};
    job.shape = (ModelShape){.depth = 2, .heads = 4, .increase = 2};
    kind->scene_shape(&job.shape, data->slots);
    job.shape.width = job.shape.in_mv ? 8 : 16;
    job.shape.width_s = job.shape.in_mv ? 8 : 0;
    return job;
}

/* Trains on the first dp x tp ranks of the world; the curve is sent to every rank. */
static void train_on(CurvePoint *curve, CellRecord *record, const TrainJob *job, const TrainData *data, int dp,
                     int tp) {
    const Comm *world = comm_world();
    Comm *cell = comm_split(world, comm_rank(world) < dp * tp ? 0 : -1);
    if (cell) {
        ProcGrid grid = procgrid_new(cell, dp, tp);
        train_cell(record, curve, job, &options, data, &grid, (TrainProgress){0});
        procgrid_free(&grid);
        comm_free(cell);
    }
    comm_bcast(world, curve, POINTS * sizeof *curve, 0);
    comm_bcast(world, record, sizeof *record, 0);
}

static void layouts(const ModelKind *kind, bool augment, const TrainData *data) {
    static const int layout[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}};
    CurvePoint serial[POINTS] = {0};
    CellRecord first = {0};
    TrainJob job = job_of(kind, augment, data, 1e-2);
    double worst = 0, bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4;
    for (int l = 0; l < 6 && layout[l][0] * layout[l][1] <= comm_size(comm_world()); l++) {
        CurvePoint curve[POINTS] = {0};
        CellRecord record = {0};
        train_on(curve, &record, &job, data, layout[l][0], layout[l][1]);
        EXPECT(record.outcome == OUTCOME_DONE && record.curve_points == 4, "outcome %lld, %lld points",
               (long long)record.outcome, (long long)record.curve_points);
        if (l == 0) {
            memcpy(serial, curve, sizeof serial);
            first = record;
            EXPECT(record.loss < record.loss_initial, "%s learns: %g -> %g", kind->name, record.loss_initial,
                   record.loss);
            continue;
        }
        for (int p = 0; p < 4; p++) {
            worst = fmax(worst, fabs(curve[p].loss / serial[p].loss - 1));
            worst = fmax(worst, fabs(curve[p].train_loss / serial[p].train_loss - 1));
        }
        EXPECT(worst <= bound, "%s %d x %d differs by %g", kind->name, layout[l][0], layout[l][1], worst);
        EXPECT(record.tokens == first.tokens && record.parameters == first.parameters, "tokens, parameters");
        EXPECT(fabs(record.compute[CURRENCY_NOMINAL] / first.compute[CURRENCY_NOMINAL] - 1) < 1e-12,
               "nominal FLOP %g %g", record.compute[CURRENCY_NOMINAL], first.compute[CURRENCY_NOMINAL]);
    }
    if (comm_rank(comm_world()) == 0) printf("measured %s: layouts differ by %.1e\n", kind->name, worst);
}

static void diverges(const TrainData *data) {
    CurvePoint curve[POINTS] = {0};
    CellRecord record = {0};
    TrainJob job = job_of(&transformer_kind, false, data, 1e30);
    train_on(curve, &record, &job, data, 1, 1);
    EXPECT(record.outcome == OUTCOME_DIVERGED && isnan(record.loss), "outcome %lld, loss %g", (long long)record.outcome,
           record.loss);
}

static double squared_length(const real *x) {
    return (double)x[0] * x[0] + (double)x[1] * x[1] + (double)x[2] * x[2];
}

static void batches(const TrainData *data) {
    Batch whole = {0}, part = {0};
    Arena count = arena_count();
    batch_layout(&whole, data, 12, &count);
    batch_layout(&part, data, 5, &count);
    Arena arena = arena_new(count.peak);
    batch_layout(&whole, data, 12, &arena);
    batch_layout(&part, data, 5, &arena);
    for (int augment = 0; augment < 2; augment++) {
        SampleStream stream = {SAMPLES_TRAIN, 4, 9, augment};
        batch_fill(&whole, data, &stream, 100, 12);
        batch_fill(&part, data, &stream, 104, 5);
        int64_t tokens = part.start[5], at = whole.start[4];
        EXPECT(whole.start[9] - at == tokens, "a part of a batch has the same samples");
        EXPECT(!memcmp(part.position, whole.position + 3 * at, (size_t)(3 * tokens) * sizeof(real)), "positions");
        EXPECT(!memcmp(part.target, whole.target + 3 * at, (size_t)(3 * tokens) * sizeof(real)), "targets");
    }
    SampleStream plain = {SAMPLES_TRAIN, 4, 9, false}, moved = {SAMPLES_TRAIN, 4, 9, true};
    batch_fill(&whole, data, &plain, 0, 5);
    batch_fill(&part, data, &moved, 0, 5);
    double worst = 0, turned = 0;
    for (int64_t t = 0; t < part.start[5]; t++) {
        worst = fmax(worst, fabs(squared_length(whole.position + 3 * t) - squared_length(part.position + 3 * t)));
        worst = fmax(worst, fabs(squared_length(whole.target + 3 * t) - squared_length(part.target + 3 * t)));
        turned = fmax(turned, fabs((double)(whole.position[3 * t] - part.position[3 * t])));
    }
    EXPECT(worst < 1e4 * REAL_EPSILON && turned > 0.1, "augmentation keeps lengths (%g) and turns (%g)", worst, turned);

    /* An epoch visits every sample once: 4 trajectories, so the mean of a linear quantity is that of the next epoch. */
    double sums[2] = {0};
    int64_t epoch = 4 * (dataset_frames(data->dataset) - 2);
    for (int e = 0; e < 2; e++)
        for (int64_t i = 0; i < epoch; i++) {
            batch_fill(&part, data, &plain, e * epoch + i, 1);
            for (int64_t t = 0; t < part.start[1]; t++) sums[e] += squared_length(part.target + 3 * t);
        }
    EXPECT(fabs(sums[0] / sums[1] - 1) < 1e3 * REAL_EPSILON, "epochs %g %g", sums[0], sums[1]);
    arena_free(&arena);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    DataOptions few;
    Err err = options_load(NULL, 1, argv);
    if (!err.code) err = options_read(&few, data_keys, n_data_keys);
    CHECK(!err.code, "%s", err.text);
    snprintf(few.path, sizeof few.path, "%s", test_file("data.h5"));
    few.trajectories = 16;
    few.frames = 8;
    err = data_make(&few, comm_world());
    CHECK(!err.code, "%s", err.text);
    Dataset *dataset;
    TrainData data;
    err = dataset_open(&dataset, few.path, comm_world(), INT64_MAX);
    CHECK(!err.code, "%s", err.text);
    EXPECT(train_data_init(&data, dataset, 4, 2, 100, 10, 10).code == EXIT_USER, "too few trajectories are refused");
    err = train_data_init(&data, dataset, 4, 2, 8, 10, 10);
    CHECK(!err.code, "%s", err.text);

    batches(&data);
    for (int k = 0; k < n_model_kinds; k++) layouts(model_kinds[k], k == 0, &data);
    diverges(&data);
    dataset_close(dataset);
    return test_end();
}
