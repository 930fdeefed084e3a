// TEST single n=1
/* Which samples make a batch: ranges that do not meet, epochs in orders of their own, the same sample wherever it stands; its
 * numbers, from those of its trajectory; and the unit, which is that of the training trajectories. */
#include "fixture.h"

enum { TRAJECTORIES = 16, TEST = 4, VALIDATION = 2, TRAIN = 10, FRAMES = 6 }; /* frames that make a sample, of 8 */

/* The index of a trajectory in the file, by its first pose. */
static int64_t index_of(const TrainData *data, const Trajectory *tr) {
    float pose[3];
    memcpy(pose, tr->pose, sizeof pose);
    for (int64_t i = 0; i < TRAJECTORIES; i++)
        if (!memcmp(dataset_get(data->dataset, i)->pose, pose, sizeof pose)) return i;
    return -1;
}

typedef struct Place {
    int64_t trajectory, frame;
} Place;

static Place place_of(const TrainData *data, const SampleStream *s, int64_t position) {
    Place p;
    const Trajectory *tr = batch_source(&p.frame, data, s, position);
    p.trajectory = index_of(data, tr);
    return p;
}

/* Test trajectories come first, then those of validation, then those of training, of which a smaller set is the beginning. */
static void ranges(const TrainData *data) {
    const struct {
        SampleStream stream;
        int64_t first, end;
    } range[] = {{{SAMPLES_TEST, 0, 1}, 0, TEST},
                 {{SAMPLES_VALIDATION, 0, 1}, TEST, TEST + VALIDATION},
                 {{SAMPLES_TRAIN, TRAIN, 1}, TEST + VALIDATION, TRAJECTORIES},
                 {{SAMPLES_TRAIN, 3, 1}, TEST + VALIDATION, TEST + VALIDATION + 3}};
    for (int k = 0; k < (int)(sizeof range / sizeof *range); k++) {
        const SampleStream *s = &range[k].stream;
        int64_t samples = batch_samples(data, s);
        int times[2][TRAJECTORIES][FRAMES + 2] = {0};
        int same = 0;
        EXPECT(samples == (range[k].end - range[k].first) * FRAMES, "range %d: %lld samples", k, (long long)samples);
        for (int64_t i = 0; i < 2 * samples; i++) {
            Place p = place_of(data, s, i), before = place_of(data, s, i % samples);
            EXPECT(p.trajectory >= range[k].first && p.trajectory < range[k].end && p.frame >= 1 && p.frame <= FRAMES,
                   "range %d has frame %lld of trajectory %lld", k, (long long)p.frame, (long long)p.trajectory);
            EXPECT(batch_trajectory(data, s, i) == p.trajectory - range[k].first, "place in range %d", k);
            times[i / samples][p.trajectory][p.frame]++;
            same += i >= samples && p.trajectory == before.trajectory && p.frame == before.frame;
        }
        for (int epoch = 0; epoch < 2; epoch++)
            for (int64_t t = range[k].first; t < range[k].end; t++)
                for (int f = 1; f <= FRAMES; f++)
                    EXPECT(times[epoch][t][f] == 1, "range %d: a sample is met %d times in an epoch", k,
                           times[epoch][t][f]);
        EXPECT(same < samples / 2, "range %d: %d of %lld samples have the place that they had before", k, same,
               (long long)samples);
    }
}

static Arena room(Batch *batch, const TrainData *data, int sequences) {
    Arena count = arena_count();
    batch_layout(batch, data, sequences, &count);
    Arena arena = arena_new(count.peak);
    batch_layout(batch, data, sequences, &arena);
    return arena;
}

/* One sample alone, in a batch that has seen none before. */
static void expect_sample(const Batch *b, int q, const TrainData *data, const SampleStream *s, int64_t position) {
    Batch *alone = MEM_NEW(Batch, 1);
    Arena arena = room(alone, data, 1);
    batch_fill(alone, data, s, position, 1);
    int64_t first = b->start[q], n = b->start[q + 1] - first;
    EXPECT(alone->start[1] == n && !memcmp(alone->position, b->position + 3 * first, (size_t)(3 * n) * sizeof(real)) &&
               !memcmp(alone->displacement, b->displacement + 3 * first, (size_t)(3 * n) * sizeof(real)),
           "seed %llu: sequence %d is not the sample at %lld", (unsigned long long)s->seed, q, (long long)position);
    arena_free(&arena);
    mem_free(alone);
}

/* A batch has the samples that batch_source names, in every epoch, and whatever stream was asked for before. */
static void contents(const TrainData *data) {
    const SampleStream stream[2] = {{SAMPLES_TRAIN, TRAIN, 1}, {SAMPLES_TRAIN, TRAIN, 2}};
    int64_t samples = batch_samples(data, &stream[0]);
    Batch *b = MEM_NEW(Batch, 1);
    Arena arena = room(b, data, 2);
    for (int64_t i = samples; i < samples + 8; i++) {
        Place want = place_of(data, &stream[0], i);
        int64_t before = 0; /* where it stands in the first epoch */
        for (Place p = {-1, -1}; before < samples; before++) {
            p = place_of(data, &stream[0], before);
            if (p.trajectory == want.trajectory && p.frame == want.frame) break;
        }
        batch_fill(b, data, &stream[0], i, 2);
        expect_sample(b, 0, data, &stream[0], before);
        batch_fill(b, data, &stream[1], i, 2);
        expect_sample(b, 1, data, &stream[1], i + 1);
    }
    arena_free(&arena);
    mem_free(b);
}

/* The mean over training samples of a vertex's squared displacement is the unit; what does not vary keeps its own. */
static void unit(const TrainData *data) {
    const SampleStream all = {SAMPLES_TRAIN, TRAIN, 1};
    int64_t samples = batch_samples(data, &all);
    Batch *b = MEM_NEW(Batch, 1);
    Arena arena = room(b, data, 1);
    double mean = 0;
    for (int64_t i = 0; i < samples; i++) {
        batch_fill(b, data, &all, i, 1);
        int64_t tokens = b->start[1];
        for (int64_t k = 0; k < 3 * tokens; k++)
            mean += (double)b->target[k] * (double)b->target[k] / (double)(tokens * samples);
    }
    EXPECT(fabs(mean - 1) < 1e-4, "squared displacement %g", mean);
    for (int k = 0; k < SCENE_WORLD; k++) EXPECT(data->scale.world_sd[k] > 0, "unit %d of the world", k);
    EXPECT(train_data_used(data, 3) == TRAJECTORIES && train_data_used(data, TRAIN) == TRAJECTORIES,
           "a small set uses %lld trajectories, with those of the unit", (long long)train_data_used(data, 3));
    arena_free(&arena);
    mem_free(b);
}

/* ---- What a batch says of a scene, from the trajectory's own numbers. ---- */

static void cross(double out[3], const double a[3], const double b[3]) {
    for (int i = 0; i < 3; i++) out[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

/* Where a vertex is at a frame, and its arm about the origin of its body. */
static void vertex_of(double x[3], double arm[3], const Trajectory *tr, int64_t frame, int64_t vertex) {
    const float *pose = tr->pose + 7 * (frame * tr->bodies + tr->vertex_body[vertex]);
    double v[3], q[3], qv[3], qqv[3], w = pose[3];
    double norm = sqrt(w * w + (double)pose[4] * pose[4] + (double)pose[5] * pose[5] + (double)pose[6] * pose[6]);
    for (int i = 0; i < 3; i++) {
        v[i] = (double)tr->vertex[3 * vertex + i];
        q[i] = (double)pose[4 + i] / norm;
    }
    cross(qv, q, v);
    cross(qqv, q, qv);
    for (int i = 0; i < 3; i++) {
        arm[i] = v[i] + 2 * (w / norm * qv[i] + qqv[i]);
        x[i] = (double)pose[i] + arm[i];
    }
}

/* Logarithms of mass and of radius, friction and restitution. */
static void body_of(double raw[SCENE_BODY], const Trajectory *tr, int body) {
    double square = 0;
    for (int64_t v = 0; v < tr->vertices; v++) {
        const float *x = tr->vertex + 3 * v;
        double here = (double)x[0] * x[0] + (double)x[1] * x[1] + (double)x[2] * x[2];
        if (tr->vertex_body[v] == body) square = fmax(square, here);
    }
    raw[0] = log((double)tr->mass[body]);
    raw[1] = (double)tr->friction[body];
    raw[2] = (double)tr->restitution[body];
    raw[3] = log(sqrt(square));
}

static void units_of(double mean[SCENE_BODY], double sd[SCENE_BODY], const TrainData *data) {
    double raw[SCENE_BODY];
    for (int pass = 0; pass < 2; pass++) {
        double sum[SCENE_BODY] = {0};
        int bodies = 0;
        for (int64_t i = TEST + VALIDATION; i < TRAJECTORIES; i++) {
            const Trajectory *tr = dataset_get(data->dataset, i);
            for (int b = 0; b < tr->bodies; b++, bodies++) {
                body_of(raw, tr, b);
                for (int k = 0; k < SCENE_BODY; k++) sum[k] += pass ? pow(raw[k] - mean[k], 2) : raw[k];
            }
        }
        for (int k = 0; k < SCENE_BODY; k++)
            *(pass ? &sd[k] : &mean[k]) = pass ? sqrt(sum[k] / bodies) : sum[k] / bodies;
    }
}

static void expect_near(double found, double want, const char *what, int64_t position) {
    EXPECT(fabs(found - want) < 2e-4 * (1 + fabs(want)), "%s of sample %lld: %g: want %g", what, (long long)position,
           found, want);
}

/* Vertices about their mean, or the origin, at a frame, what they do until the next, at which velocity, of the moment or since the
 * frame before, the floor, gravity and bodies. */
static void numbers(Dataset *dataset, bool instant, bool off_centre) {
    TrainDataPlan plan = fixture_plan;
    plan.instant = instant;
    plan.off_centre = off_centre;
    const TrainData cut = fixture_cut(dataset, &plan), *data = &cut;
    const SampleStream all = {SAMPLES_TRAIN, TRAIN, 1};
    int64_t samples = batch_samples(data, &all), tokens = 0;
    Batch *b = MEM_NEW(Batch, 1);
    Arena arena = room(b, data, 1);
    double unit = data->scale.step, dt = dataset_frame_time(data->dataset), mean_body[SCENE_BODY], sd[SCENE_BODY];
    double departs = 0;
    units_of(mean_body, sd, data);
    for (int64_t s = 0; s < samples; s++) {
        int64_t frame;
        double x[3], next[3], last[3], arm[3], rate[3], mean[3] = {0}, raw[SCENE_BODY], square = 0;
        const Trajectory *tr = batch_source(&frame, data, &all, s);
        batch_fill(b, data, &all, s, 1);
        for (int64_t v = 0; v < tr->vertices; v++) {
            vertex_of(x, arm, tr, frame, v);
            for (int i = 0; i < 3 && !off_centre; i++) mean[i] += x[i] / (double)tr->vertices;
        }
        double height = -(double)tr->floor[3], gravity = 0;
        for (int i = 0; i < 3; i++) {
            height += (double)tr->floor[i] * mean[i];
            gravity += pow((double)tr->gravity[i], 2);
        }
        for (int64_t v = 0; v < tr->vertices; v++) {
            const float *motion = tr->motion + 6 * (frame * tr->bodies + tr->vertex_body[v]);
            const double spin[3] = {(double)motion[3], (double)motion[4], (double)motion[5]};
            vertex_of(next, rate, tr, frame + 1, v);
            vertex_of(last, rate, tr, frame - 1, v);
            vertex_of(x, arm, tr, frame, v);
            cross(rate, spin, arm);
            body_of(raw, tr, tr->vertex_body[v]);
            for (int i = 0; i < 3; i++) {
                double moved = (next[i] - x[i]) / unit;
                double velocity = instant ? dt * ((double)motion[i] + rate[i]) / unit : (x[i] - last[i]) / unit;
                expect_near((double)b->position[3 * v + i], (x[i] - mean[i]) / unit, "position", s);
                expect_near((double)b->displacement[3 * v + i], moved, "displacement", s);
                expect_near((double)b->velocity[3 * v + i], velocity, "velocity", s);
                square += pow(moved - velocity, 2);
            }
            for (int k = 0; k < SCENE_BODY; k++)
                expect_near((double)b->body[SCENE_BODY * v + k], (raw[k] - mean_body[k]) / (sd[k] > 0 ? sd[k] : 1),
                            "a number of a body", s);
        }
        for (int i = 0; i < 3; i++) {
            expect_near((double)b->floor[i], (double)tr->floor[i], "normal", s);
            expect_near((double)b->gravity[i], (double)tr->gravity[i] / sqrt(gravity), "direction of gravity", s);
        }
        expect_near((double)b->floor[3], height / unit, "height above the floor", s);
        expect_near((double)b->token_weight[0] * (double)tr->vertices, 1, "weight", s);
        departs += square / (double)(tr->vertices * samples);
        tokens += tr->vertices;
    }
    expect_near(data->scale.deviation, sqrt(departs), "deviation", tokens);
    arena_free(&arena);
    mem_free(b);
}

/* Along the floor's normal: height of the first vertex above the floor, its velocity, its displacement, gravity. */
static void along_normal(double out[4], const Batch *b) {
    double height = (double)b->floor[3];
    memset(out, 0, 4 * sizeof *out);
    for (int i = 0; i < 3; i++) {
        double n = (double)b->floor[i];
        height += n * (double)b->position[i];
        out[1] += n * (double)b->velocity[i];
        out[2] += n * (double)b->displacement[i];
        out[3] += n * (double)b->gravity[i];
    }
    out[0] = height;
}

/* A scene that is turned, and moved on, as a whole is the same scene. */
static void views(const TrainData *data) {
    static const char *const what[] = {"height", "velocity", "displacement", "gravity"};
    const SampleStream all = {SAMPLES_TRAIN, TRAIN, 1};
    const double axis[3] = {1, -2, 3};
    Batch *b = MEM_NEW(Batch, 1);
    Arena arena = room(b, data, 1);
    double still[4], moved[4];
    Motion view = motion_about(axis, 0.7);
    for (int i = 0; i < 3; i++) view.s[i] = 0.5 + i;
    for (int64_t s = 0; s < 10; s++) {
        batch_fill(b, data, &all, s, 1);
        along_normal(still, b);
        batch_clear(b, data);
        batch_add(b, data, &all, s, &view, 1);
        along_normal(moved, b);
        for (int k = 0; k < 4; k++) expect_near(moved[k], still[k], what[k], s);
    }
    arena_free(&arena);
    mem_free(b);
}

static bool all_zero(const real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0) return false;
    return true;
}

/* What is withheld is 0, and nothing else is. */
static void withheld(Dataset *dataset) {
    const SampleStream s = {SAMPLES_TRAIN, TRAIN, 1};
    for (int k = 0; k < 4; k++) {
        TrainDataPlan plan = fixture_plan;
        plan.no_floor = k & 1;
        plan.no_gravity = k & 2;
        TrainData data = fixture_cut(dataset, &plan);
        for (int i = 0; i < SCENE_WORLD; i++)
            data.scale.world_mean[i] = -1; /* numbers of the world are none of them 0 */
        Batch *b = MEM_NEW(Batch, 1);
        Arena arena = room(b, &data, 1);
        batch_fill(b, &data, &s, 0, 1);
        EXPECT(all_zero(b->floor, 4) == plan.no_floor && all_zero(b->gravity, 3) == plan.no_gravity,
               "plane, direction");
        EXPECT(all_zero(b->world, 2) == plan.no_floor && all_zero(b->world + 2, 1) == plan.no_gravity,
               "world: %g, %g, %g", (double)b->world[0], (double)b->world[1], (double)b->world[2]);
        arena_free(&arena);
        mem_free(b);
    }
}

/* The loss of a range is the mean over its samples, and its error that of drawing its trajectories again, which are told from each
 * other: their standard deviation over the root of their number; whole batches and samples one by one say the same. */
static void errors(const TrainData *data) {
    static const SampleRange range[] = {SAMPLES_TEST, SAMPLES_VALIDATION};
    static const int64_t trajectories[] = {TEST, VALIDATION};
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    Pass pass;
    pass_init(&pass, job.kind, &job.shape, 5, 5, data, &alone);
    for (int k = 0; k < 4; k++) {
        const SampleStream s = {.range = range[k % 2]};
        const int64_t n = trajectories[k % 2];
        double of[TEST] = {0}, mean = 0, squares = 0, error;
        if (k == 2) pass_reproducible(&pass, TEST * FRAMES);
        for (int64_t i = 0; i < n * FRAMES; i++) {
            batch_fill(&pass.batch, data, &s, i, 1);
            pass_predict(&pass, &pass.batch.scenes);
            of[batch_trajectory(data, &s, i)] += pass_loss(&pass) / FRAMES;
        }
        for (int64_t t = 0; t < n; t++) mean += of[t] / (double)n;
        for (int64_t t = 0; t < n; t++) squares += (of[t] - mean) * (of[t] - mean) / (double)(n * n);
        double loss = pass_evaluate(&pass, &error, range[k % 2], n * FRAMES);
        EXPECT(fabs(loss / mean - 1) < 1e-4, "range %d: loss %g, want %g", k % 2, loss, mean);
        EXPECT(fabs(error / sqrt(squares) - 1) < 0.15, "range %d: +- %g, want %g", k % 2, error, sqrt(squares));
    }
    pass_free(&pass);
    procgrid_free(&alone);
}

static void plans(Dataset *dataset) {
    TrainData data;
    TrainDataPlan plan = fixture_plan;
    EXPECT(fixture_data(dataset).test_samples == 10, "as many samples as are asked for");
    plan.test_samples = plan.validation_samples = 0;
    Err err = train_data_init(&data, dataset, &plan);
    EXPECT(!err.code && data.test_samples == TEST * FRAMES && data.validation_samples == VALIDATION * FRAMES,
           "%s: %lld test samples", err.text, (long long)data.test_samples);
    plan.train_max = TRAIN;
    EXPECT(!train_data_init(&data, dataset, &plan).code, "all trajectories");
    plan.train_max = TRAIN + 1;
    err = train_data_init(&data, dataset, &plan);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "11 training, 2 validation and 4 test trajectories"), "%s",
           err.text);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    ranges(&data);
    contents(&data);
    unit(&data);
    for (int k = 0; k < 4; k++) numbers(dataset, k & 1, k & 2);
    views(&data);
    withheld(dataset);
    errors(&data);
    plans(dataset);
    dataset_close(dataset);
    return test_end();
}
