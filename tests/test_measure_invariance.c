// TEST double n=1,2
// TEST single n=1
/* Effective invariance from its formula, the probe on data that it can and cannot tell apart, and both on models: of an
 * equivariant one it is what the identity gives, which is never 1. */
#include "token_model.h"

#include "train/probe.h"

enum { SAMPLES = 12, ROWS = 900, WIDTH = 5 };

static const char *const move[] = {"z90", "z180", "z270", "so3"};

static void formula(void) {
    const double sure[PROBE_CLASSES] = {0.9, 0.05, 0.05}, less[PROBE_CLASSES] = {0.4, 0.3, 0.3};
    const double other[PROBE_CLASSES] = {0.1, 0.8, 0.1}, even[PROBE_CLASSES] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
    EXPECT(fabs(probe_effective_invariance(sure, less) - 0.6) < 1e-15, "of 0.9 and 0.4");
    EXPECT(probe_effective_invariance(sure, other) == 0, "of different classes");
    EXPECT(fabs(probe_effective_invariance(even, even) - 1.0 / PROBE_CLASSES) < 1e-15, "of all classes alike");
}

static double accuracy(const double *x, const int *label, const int *fitted) {
    Probe probe;
    Arena count = arena_count();
    probe_layout(&probe, WIDTH, &count);
    Arena arena = arena_new(count.peak);
    probe_layout(&probe, WIDTH, &arena);
    probe_fit(&probe, x, fitted, ROWS);
    double right = 0, p[PROBE_CLASSES];
    for (int r = 0; r < ROWS; r++) right += probe_say(p, &probe, x + r * WIDTH) == label[r];
    arena_free(&arena);
    return right / ROWS;
}

static void probe(void) {
    double *x = MEM_NEW(double, ROWS *WIDTH);
    int label[ROWS], shuffled[ROWS];
    for (int r = 0; r < ROWS; r++) {
        label[r] = r % PROBE_CLASSES;
        shuffled[r] = (int)rng_below(9, 9, (uint64_t)r, PROBE_CLASSES);
        for (int i = 0; i < WIDTH; i++) x[r * WIDTH + i] = rng_normal(7, (uint64_t)i, (uint64_t)r);
        x[r * WIDTH + label[r]] += 30;
    }
    double separable = accuracy(x, label, label), chance = accuracy(x, label, shuffled);
    EXPECT(separable == 1, "separable data: %g", separable);
    for (int r = 0; r < ROWS; r++) x[r * WIDTH + label[r]] -= 30;
    double blind = accuracy(x, shuffled, label);
    EXPECT(fabs(blind - 1.0 / PROBE_CLASSES) < 0.05, "labels that features do not tell: %g", blind);
    EXPECT(chance < 0.5, "shuffled labels: %g", chance);
    mem_free(x);
}

/* The commonest of what bodies of the samples touch by the record: nothing, the floor alone, another body; their share. */
static double commonest(const TrainData *data) {
    const SampleStream stream = {.range = SAMPLES_TEST};
    double count[PROBE_CLASSES] = {0}, bodies = 0, most = 0;
    for (int i = 0; i < SAMPLES; i++) {
        int64_t frame;
        const Trajectory *t = batch_source(&frame, data, &stream, i);
        const uint8_t *touched = t->contact + frame * t->bodies;
        for (int b = 0; b < t->bodies; b++) count[touched[b] < 2 ? touched[b] : 2]++;
        bodies += t->bodies;
    }
    for (int k = 0; k < PROBE_CLASSES; k++) most = fmax(most, count[k]);
    return most / bodies;
}

static void models(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1), grid = procgrid_new(comm_world(), comm_size(comm_world()), 1);
    for (int k = 0; k < 2; k++) {
        const ModelKind *kind = k ? &gatr_kind : &transformer_kind;
        MeasureSink found = measured(&measure_invariance, kind, SAMPLES, 3, data, &alone);
        MeasureSink split = measured(&measure_invariance, kind, SAMPLES, 3, data, &grid);
        double identity = row_of(&found, 2, "identity")->value;
        CHECK(found.n == 4 + 4 + 4 && split.n == found.n, "%lld rows", (long long)found.n);
        EXPECT(row_of(&found, 2, "recorded")->value == 1, "contacts were recorded");
        EXPECT(identity > 1.0 / PROBE_CLASSES && identity < 1, "what is not moved: %g", identity);
        double chance = row_of(&found, 2, "chance")->value, accuracy = row_of(&found, 2, "accuracy")->value;
        EXPECT(fabs(chance - commonest(data)) < 1e-12, "the commonest class: %g, by the record %g", chance,
               commonest(data));
        EXPECT(accuracy > 1.0 / PROBE_CLASSES && accuracy <= 1, "accuracy %g", accuracy);
        for (int m = 0; m < 4; m++) {
            double ei = row_of(&found, 2, move[m])->value, twin = row_of(&found, -1, move[m])->value;
            if (k)
                EXPECT(fabs(ei / identity - 1) < 1e-6 + 100 * REAL_EPSILON, "gatr, %s: %.9g, %.9g", move[m], ei,
                       identity);
            if (k) EXPECT(1 - twin < 1e-6, "gatr, twin of %s: 1 - %g", move[m], 1 - twin);
            if (!k) EXPECT(ei < identity && twin < 1 - 1e-9 && twin > 0, "transformer, %s: %g, %g", move[m], ei, twin);
        }
        for (int64_t i = 0; i < found.n; i++)
            EXPECT(fabs(found.row[i].value - split.row[i].value) < (REAL_EPSILON < 1e-10 ? 1e-6 : 1e-2), "over dp: %s",
                   found.row[i].element);
        mem_free(found.row);
        mem_free(split.row);
    }
    procgrid_free(&grid);
    procgrid_free(&alone);
}

/* ---- The twin. ---- */

enum { MOTIONS = 3, VIEWS = 3 + MOTIONS };

/* What the model says of a sample under a motion, assembled so and turned back: (tokens, 3); how many numbers. */
static int64_t said_under(double *said, Pass *pass, const SampleStream *stream, int64_t i, const Motion *g) {
    Motion back = motion_inverse(g);
    batch_clear(&pass->batch, pass->data);
    batch_add(&pass->batch, pass->data, stream, i, g, 1);
    pass_forward(pass, &pass->batch.scenes);
    int64_t tokens = pass->batch.start[1];
    for (int64_t k = 0; k < 3 * tokens; k++) said[k] = (double)pass->prediction[k];
    for (int64_t t = 0; t < tokens; t++) act_vector(said + 3 * t, said + 3 * t, &back);
    return 3 * tokens;
}

/* Its values from their formula, scenes one at a time: turns about gravity by quarters, then the mean over rotations. */
static void twins(double value[4], Pass *pass) {
    const SampleStream stream = {.range = SAMPLES_TEST};
    double spread[SAMPLES][VIEWS] = {{0}}, error = 0, unit = pass->data->scale.deviation;
    double *still = MEM_NEW(double, 3 * pass->batch.max_tokens), *moved = MEM_NEW(double, 3 * pass->batch.max_tokens);
    for (int i = 0; i < SAMPLES; i++) {
        Motion one = motion_identity();
        int64_t n = said_under(still, pass, &stream, i, &one);
        for (int64_t k = 0; k < n; k++) {
            double truth = ((double)pass->batch.target[k] - (double)pass->batch.velocity[k]) / unit;
            error += pow(still[k] - truth, 2) / (double)(n * SAMPLES);
        }
        for (int v = 0; v < VIEWS; v++) {
            double down[3];
            batch_gravity(down, pass->data, &stream, i);
            Motion g = v < 3 ? motion_about(down, (v + 1) * acos(0))
                             : motion_haar(0, rng_stream("measure", (uint64_t)i), (uint64_t)(v - 3));
            said_under(moved, pass, &stream, i, &g);
            for (int64_t k = 0; k < n; k++) spread[i][v] += pow(moved[k] - still[k], 2) / (double)n;
        }
    }
    memset(value, 0, 4 * sizeof *value);
    for (int i = 0; i < SAMPLES; i++)
        for (int v = 0; v < VIEWS; v++)
            value[v < 3 ? v : 3] += exp(-spread[i][v] / (2 * error)) / (SAMPLES * (v < 3 ? 1 : MOTIONS));
    mem_free(moved);
    mem_free(still);
}

static void twin(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    ModelShape shape = measured_shape(&transformer_kind, data);
    MeasureSink found = measured(&measure_invariance, &transformer_kind, SAMPLES, MOTIONS, data, &alone);
    Pass pass;
    double want[4];
    pass_init(&pass, &transformer_kind, &shape, 5, 4, data, &alone);
    twins(want, &pass);
    for (int m = 0; m < 4; m++) {
        double value = row_of(&found, -1, move[m])->value;
        EXPECT(fabs(value - want[m]) < (REAL_EPSILON < 1e-10 ? 1e-9 : 1e-4), "twin of %s: %.12g, scene by scene %.12g",
               move[m], value, want[m]);
    }
    EXPECT(fabs(want[1] - want[0]) > 1e-3 && fabs(want[2] - want[0]) > 1e-3 && fabs(want[3] - want[1]) > 1e-3,
           "motions that cannot be told apart: %g %g %g %g", want[0], want[1], want[2], want[3]);
    pass_free(&pass);
    mem_free(found.row);
    procgrid_free(&alone);
}

/* A trajectory of the fixture without its contacts. */
static void unrecorded(void *context, int64_t i, Trajectory *out) {
    *out = *dataset_get(context, i);
    out->motion = NULL;
    out->contact = NULL;
}

static void where(real *features, int64_t t, const double x[3], int64_t call) {
    (void)t;
    (void)call;
    for (int i = 0; i < 3; i++) features[i] = (real)x[i];
}

/* Contacts are guessed, and scenes moved, alike whatever models are told: a model of positions shows no difference. */
static void guessed(Dataset *dataset) {
    const DatasetPlan plan = {.trajectories = dataset_size(dataset),
                              .frames = dataset_frames(dataset),
                              .frame_time = dataset_frame_time(dataset),
                              .settings = ""};
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Dataset *poses = fixture_made("unrecorded.h5", &plan, unrecorded, dataset);
    TrainDataPlan cut = fixture_plan;
    MeasureSink found[2];
    cut.instant = false;
    const TrainData recorded_data = fixture_cut(dataset, &cut);
    token_map = token_linear;
    token_stream = where;
    token_width = 3;
    for (int withheld = 0; withheld < 2; withheld++) {
        TrainData data = fixture_cut(poses, &cut);
        data.no_floor = data.no_gravity = withheld;
        found[withheld] = measured(&measure_invariance, &token_kind, SAMPLES, 3, &data, &alone);
    }
    double chance = row_of(&found[0], 0, "chance")->value;
    EXPECT(row_of(&found[0], 0, "recorded")->value == 0, "nothing was recorded");
    double recorded = commonest(&recorded_data);
    EXPECT(fabs(chance - recorded) < 0.02, "the commonest class: %g of the bodies, by the record %g", chance, recorded);
    for (int64_t i = 0; i < found[0].n; i++)
        EXPECT(found[0].row[i].value == found[1].row[i].value, "layer %lld, %s: %g, %g without floor and gravity",
               (long long)found[0].row[i].layer, found[0].row[i].element, found[0].row[i].value, found[1].row[i].value);
    for (int withheld = 0; withheld < 2; withheld++) mem_free(found[withheld].row);
    dataset_close(poses);
    procgrid_free(&alone);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    formula();
    probe();
    models(&data);
    twin(&data);
    guessed(dataset);
    dataset_close(dataset);
    return test_end();
}
