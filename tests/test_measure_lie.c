// TEST double n=1,2
// TEST single n=1
/* Lie derivatives where they are known: of linear maps by algebra, of GATr zero at every layer, of any model what small
 * rotations do; halving the step tells the error of the differences. */
#include "token_model.h"

enum { SAMPLES = 10, CORNERS = 6 };

static bool in_double(void) {
    return REAL_EPSILON < 1e-10;
}

/* ---- One body whose vertices are the unit vectors and their opposites. ---- */

static void octahedron(void *context, int64_t i, Trajectory *out) {
    enum { FRAMES = 4 };
    static const float corner[3 * CORNERS] = {1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1};
    static const int32_t body[CORNERS];
    static const float one[1] = {1};
    static float pose[FRAMES * 7];
    (void)context;
    (void)i;
    for (int f = 0; f < FRAMES; f++) {
        pose[7 * f] = (float)f;
        pose[7 * f + 3] = 1;
    }
    *out = (Trajectory){.bodies = 1,
                        .frames = FRAMES,
                        .vertices = CORNERS,
                        .vertex = corner,
                        .vertex_body = body,
                        .pose = pose,
                        .mass = one,
                        .friction = one,
                        .restitution = one,
                        .floor = {0, 0, 1, -5},
                        .gravity = {0, 0, -10},
                        .frame_rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1}};
}

/* sum_a sum_i |(W T_a - T_a W) e_i|^2 = 2 |A|^2 + 6 |S|^2, A the antisymmetric and S the symmetric traceless part of W. */
static double generators_of(const double w[9]) {
    double antisymmetric = 0, traceless = 0, third = (w[0] + w[4] + w[8]) / 3;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double a = (w[3 * i + j] - w[3 * j + i]) / 2, s = (w[3 * i + j] + w[3 * j + i]) / 2 - (i == j ? third : 0);
            antisymmetric += a * a;
            traceless += s * s;
        }
    return 2 * antisymmetric + 6 * traceless;
}

static void linear(void) {
    const DatasetPlan plan = {.trajectories = 4, .frames = 4, .frame_time = 1, .settings = ""};
    const TrainDataPlan ranges = {.test = 1, .validation = 1, .train_max = 1};
    Dataset *dataset = fixture_made("octahedra.h5", &plan, octahedron, NULL);
    TrainData data = fixture_cut(dataset, &ranges);
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    token_map = token_linear;
    MeasureSink found = measured(&measure_lie, &token_kind, 2, 2, &data, &alone);
    double sum = 0, square = 0, unit = data.scale.step, identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    for (int i = 0; i < 9; i++) square += token_weight[i] * token_weight[i];
    for (int a = 0; a < 3; a++) sum += found.row[a].value;
    /* The corners are both signs of each e_i over the unit of length; a mean over the 3 numbers of 6 corners. */
    double want = 2 * generators_of(token_weight) / (unit * unit) / (3 * CORNERS);
    EXPECT(fabs(sum / want - 1) < (in_double() ? 1e-10 : 1e-4), "sum of the generators %.15g, want %.15g", sum, want);
    double relative = generators_of(token_weight) / square, tolerance = in_double() ? 1e-10 : 1e-4;
    EXPECT(fabs(row_of(&found, -1, "relative")->value / relative - 1) < tolerance, "relative %.15g, want %.15g",
           row_of(&found, -1, "relative")->value, relative);
    EXPECT(generators_of(identity) == 0, "the identity commutes with rotations");
    mem_free(found.row);
    procgrid_free(&alone);
    dataset_close(dataset);
}

/* ---- Other known answers, on scenes. ---- */

/* Products of coordinates: the derivative is that of a quadratic form, which differences of fourth order take exactly to
 * rounding at small steps. */
static void quadratic_map(double out[3], const double x[3]) {
    out[0] = x[0] * x[1];
    out[1] = x[1] * x[1] - x[2] * x[0];
    out[2] = 2 * x[2] * x[1];
}

/* L_a of it: the derivative of f at x along T_a x, minus T_a f(x). */
static void quadratic_lie(double out[3], const double x[3], int a) {
    int j = (a + 1) % 3, k = (a + 2) % 3;
    double dx[3] = {0}, f[3];
    dx[j] = -x[k];
    dx[k] = x[j];
    quadratic_map(f, x);
    out[0] = dx[0] * x[1] + x[0] * dx[1];
    out[1] = 2 * x[1] * dx[1] - dx[2] * x[0] - x[2] * dx[0];
    out[2] = 2 * dx[2] * x[1] + 2 * x[2] * dx[1];
    out[j] += f[k];
    out[k] -= f[j];
}

/* The first test samples as one batch. */
static Batch test_batch(const TrainData *data, Arena *arena) {
    SampleStream stream = {.range = SAMPLES_TEST};
    Batch b = {0};
    Arena count = arena_count();
    batch_layout(&b, data, SAMPLES, &count);
    *arena = arena_new(count.peak);
    batch_layout(&b, data, SAMPLES, arena);
    batch_fill(&b, data, &stream, 0, SAMPLES);
    return b;
}

static void quadratic(const TrainData *data) {
    Arena arena;
    Batch b = test_batch(data, &arena);
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    token_map = quadratic_map;
    MeasureSink found = measured(&measure_lie, &token_kind, SAMPLES, 2, data, &alone);
    for (int a = 0; a < 3; a++) {
        double want = 0;
        for (int q = 0; q < SAMPLES; q++)
            for (int64_t t = b.start[q]; t < b.start[q + 1]; t++) {
                double x[3], lie[3];
                for (int i = 0; i < 3; i++) x[i] = (double)b.position[3 * t + i];
                quadratic_lie(lie, x, a);
                want += (lie[0] * lie[0] + lie[1] * lie[1] + lie[2] * lie[2]) * (double)b.weight[q] / (3 * SAMPLES);
            }
        EXPECT(fabs(found.row[a].value / want - 1) < (in_double() ? 1e-9 : 1e-3), "axis %d: %.15g, want %.15g", a,
               found.row[a].value, want);
    }
    mem_free(found.row);
    procgrid_free(&alone);
    arena_free(&arena);
}

/* Rotations by a small angle about random axes: |f(gx) - g f(x)|^2 / angle^2 is the mean over the axes. */
static double by_small_angles(const ModelKind *kind, const TrainData *data) {
    enum { DRAWS = 60 };
    const double angle = 0.02;
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    ModelShape shape = measured_shape(kind, data);
    SampleStream stream = {.range = SAMPLES_TEST};
    Pass pass;
    pass_init(&pass, kind, &shape, 5, SAMPLES, data, &alone);
    batch_fill(&pass.batch, data, &stream, 0, SAMPLES);
    const SceneBatch *scenes = &pass.batch.scenes;
    int64_t numbers = 3 * pass.batch.start[SAMPLES];
    real *still = MEM_NEW(real, numbers), *turned = MEM_NEW(real, numbers);
    MovedScenes moved;
    Arena count = arena_count();
    act_layout(&moved, pass.batch.max_tokens, SAMPLES, &count);
    Arena arena = arena_new(count.peak);
    act_layout(&moved, pass.batch.max_tokens, SAMPLES, &arena);
    pass_forward(&pass, scenes);
    memcpy(still, pass.prediction, (size_t)numbers * sizeof *still);
    double mean = 0;
    for (int m = 0; m < DRAWS; m++) {
        Motion around = motion_haar(4, 5, (uint64_t)m), turn = motion_about(around.a, angle);
        act_scene(&moved, scenes, &turn, false);
        pass_forward(&pass, &moved.scenes);
        act_out(turned, still, &scenes->seqs, &turn, false);
        for (int q = 0; q < SAMPLES; q++)
            for (int64_t i = 3 * pass.batch.start[q]; i < 3 * pass.batch.start[q + 1]; i++) {
                double error = (double)pass.prediction[i] - (double)turned[i];
                mean += error * error * (double)pass.batch.weight[q] / (3 * SAMPLES * DRAWS * angle * angle);
            }
    }
    mem_free(still);
    mem_free(turned);
    arena_free(&arena);
    pass_free(&pass);
    procgrid_free(&alone);
    return mean;
}

static void models(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1), grid = procgrid_new(comm_world(), comm_size(comm_world()), 1);
    MeasureSink found = measured(&measure_lie, &transformer_kind, SAMPLES, 2, data, &alone);
    MeasureSink split = measured(&measure_lie, &transformer_kind, SAMPLES, 2, data, &grid);
    const MeasureRow *relative = row_of(&found, -1, "relative"), *error = row_of(&found, -1, "step_error");
    double mean = (found.row[0].value + found.row[1].value + found.row[2].value) / 3;
    double small = by_small_angles(&transformer_kind, data);
    EXPECT(found.n == 5, "%lld rows of a transformer, whose stream has no law", (long long)found.n);
    EXPECT(fabs(mean / small - 1) < 0.1, "derivative %g, by small angles %g", mean, small);
    EXPECT(relative->value > 0.1 && relative->se > 0, "a transformer turns with nothing: %g", relative->value);
    EXPECT(error->value > 0 && error->value < (in_double() ? 1e-8 : 1e-2) * relative->value, "step error %g of %g",
           error->value, relative->value);
    EXPECT(fabs(row_of(&split, -1, "relative")->value / relative->value - 1) < (in_double() ? 1e-8 : 1e-3), "over dp");
    printf("measured transformer: lie %.3g, step error %.1e\n", relative->value, error->value);
    mem_free(found.row);
    mem_free(split.row);

    found = measured(&measure_lie, &clofnet_kind, SAMPLES, 2, data, &alone);
    EXPECT(found.n == 5 + 3, "%lld rows of clofnet", (long long)found.n);
    for (int layer = -1; layer < 3; layer++) {
        double slope = row_of(&found, layer, "relative")->value;
        EXPECT(slope < (in_double() ? 1e-20 : 1e-6), "clofnet, layer %d: %g", layer, slope);
    }
    mem_free(found.row);

    found = measured(&measure_lie, &gatr_kind, SAMPLES, 2, data, &alone);
    EXPECT(found.n == 5 + 3, "%lld rows of gatr", (long long)found.n);
    for (int64_t i = 0; i < found.n; i++) {
        const MeasureRow *r = &found.row[i];
        if (!strcmp(r->element, "step_error")) continue;
        double single = strcmp(r->element, "relative") ? 1e-9 : 1e-8; /* a new model says little */
        EXPECT(r->value < (in_double() ? 1e-20 : single), "gatr, layer %lld, %s: %g", (long long)r->layer, r->element,
               r->value);
        printf("measured gatr layer %lld %s: %.1e\n", (long long)r->layer, r->element, r->value);
    }
    mem_free(found.row);
    procgrid_free(&grid);
    procgrid_free(&alone);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    linear();
    quadratic(&data);
    models(&data);
    dataset_close(dataset);
    return test_end();
}
