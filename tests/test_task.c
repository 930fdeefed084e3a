// TEST n=1,2
// TEST double n=1
/* What models see of a scene: velocities of the moment, the world's numbers, scenes turned upright; and how the test loss
 * and its error are taken. */
#include "fixture.h"

enum { SAMPLES = 12 };

static const SampleStream training = {SAMPLES_TRAIN, FIXTURE_TRAIN, 7};
static const SampleStream testing = {.range = SAMPLES_TEST};

static Batch batch_of(const TrainData *data, Arena *arena) {
    Batch b = {0};
    Arena count = arena_count();
    batch_layout(&b, data, SAMPLES, &count);
    *arena = arena_new(count.peak);
    batch_layout(&b, data, SAMPLES, arena);
    return b;
}

static Dataset *source;

static Dataset *copy_of(Dataset *dataset, const char *name, DatasetMake *make, bool motion) {
    DatasetPlan plan = {.trajectories = dataset_size(dataset),
                        .frames = dataset_frames(dataset),
                        .frame_time = dataset_frame_time(dataset),
                        .motion = motion,
                        .settings = ""};
    source = dataset;
    return fixture_made(name, &plan, make, NULL);
}

/* ---- Velocities. ---- */

/* Bodies that nothing touches are displaced by v dt + g dt^2 / 2 at their origin, and by g dt h / 2 for an integrator of step h;
 * a velocity that lags by half a frame would be off by g dt^2 / 2, 35 mm. */
static void velocities(Dataset *dataset, const TrainData *data) {
    double worst = 0, dt = dataset_frame_time(dataset), h = 1 / 240.0;
    int free_bodies = 0;
    for (int i = 0; i < dataset_size(dataset); i++) {
        const Trajectory *t = dataset_get(dataset, i);
        for (int b = 0; b < t->bodies; b++) {
            if (t->contact[t->bodies + b]) continue;
            const float *now = t->pose + 7 * (t->bodies + b), *next = now + 7 * t->bodies;
            const float *v = t->motion + 6 * (t->bodies + b);
            for (int k = 0; k < 3; k++) {
                double fall = (double)t->gravity[k] * dt * (dt + h) / 2;
                worst = fmax(worst, fabs((double)next[k] - (double)now[k] - dt * (double)v[k] - fall));
            }
            free_bodies++;
        }
    }
    EXPECT(free_bodies > 30 && worst < 2e-3, "%d bodies in free flight, off by %g m", free_bodies, worst);

    TrainDataPlan plan = fixture_plan;
    plan.instant = false;
    TrainData frames;
    Err err = train_data_init(&frames, dataset, &plan);
    CHECK(!err.code, "%s", err.text);
    EXPECT(data->scale.step == frames.scale.step && data->scale.deviation < 0.8 * frames.scale.deviation,
           "what velocities leave: %g of the moment, %g of frames", data->scale.deviation, frames.scale.deviation);

    Arena arena;
    Batch b;
    double lag = 0;
    b = batch_of(&frames, &arena);
    batch_fill(&b, &frames, &testing, 0, SAMPLES);
    Arena other;
    Batch moment = batch_of(data, &other);
    batch_fill(&moment, data, &testing, 0, SAMPLES);
    for (int64_t i = 0; i < 3 * b.start[SAMPLES]; i++) {
        EXPECT(b.position[i] == moment.position[i] && b.target[i] == moment.target[i], "the same samples");
        lag = fmax(lag, fabs((double)(b.velocity[i] - moment.velocity[i])));
    }
    EXPECT(lag > 0.1, "velocities differ by %g", lag);
    arena_free(&arena);
    arena_free(&other);
}

/* The trajectories of the fixture with bodies that neither turn nor stop, but say that they do. */
static const float linear[3] = {1, -2, 3}, angular[3] = {-4, 5, 6};
static void spun(void *context, int64_t i, Trajectory *out) {
    static float pose[7 * 16 * 64], motion[6 * 16 * 64];
    (void)context;
    *out = *dataset_get(source, i);
    for (int k = 0; k < out->frames * out->bodies; k++) {
        memcpy(pose + 7 * k, out->pose + 7 * k, 3 * sizeof *pose);
        memcpy(pose + 7 * k + 3, (float[4]){1, 0, 0, 0}, 4 * sizeof *pose);
        memcpy(motion + 6 * k, linear, sizeof linear);
        memcpy(motion + 6 * k + 3, angular, sizeof angular);
    }
    out->pose = pose;
    out->motion = motion;
}

/* A vertex of a body moves with v + spin x r. */
static void rigid(Dataset *dataset) {
    Dataset *copy = copy_of(dataset, "spun.h5", spun, true);
    TrainData data = fixture_data(copy);
    Arena arena;
    Batch b = batch_of(&data, &arena);
    double worst = 0, unit = dataset_frame_time(copy) / data.scale.step;
    batch_fill(&b, &data, &testing, 0, SAMPLES);
    for (int q = 0; q < SAMPLES; q++) {
        const Trajectory *t = dataset_get(copy, batch_trajectory(&data, &testing, q));
        for (int64_t v = 0; v < t->vertices; v++)
            for (int i = 0; i < 3; i++) {
                int j = (i + 1) % 3, k = (i + 2) % 3;
                const float *r = t->vertex + 3 * v;
                double cross = (double)angular[j] * (double)r[k] - (double)angular[k] * (double)r[j];
                double want = unit * ((double)linear[i] + cross);
                worst = fmax(worst, fabs((double)b.velocity[3 * (b.start[q] + v) + i] - want));
            }
    }
    EXPECT(worst < 1e-5, "velocity of a vertex off by %g", worst);
    arena_free(&arena);
    dataset_close(copy);
}

/* ---- The world's numbers. ---- */

/* The trajectories of the fixture with floors and gravity of their own. */
static void other_worlds(void *context, int64_t i, Trajectory *out) {
    (void)context;
    *out = *dataset_get(source, i);
    out->floor_friction = 0.1f * (float)(1 + i % 3);
    out->floor_restitution = 0.2f + 0.1f * (float)(i % 2);
    for (int k = 0; k < 3; k++) out->gravity[k] *= 1 + 0.1f * (float)(i % 4);
}

static void still(void *context, int64_t i, Trajectory *out) {
    (void)context;
    *out = *dataset_get(source, i);
    out->motion = NULL;
    out->contact = NULL;
}

static void worlds(Dataset *dataset, const TrainData *same) {
    Dataset *varied = copy_of(dataset, "worlds.h5", other_worlds, true);
    TrainData data = fixture_data(varied);
    Arena arena;
    Batch b = batch_of(&data, &arena);
    batch_fill(&b, &data, &training, 0, SAMPLES);
    const SceneBatch *s = &b.scenes;
    for (int q = 0; q < SAMPLES; q++) {
        int64_t i = batch_trajectory(&data, &training, q) + data.test + data.validation;
        double raw[SCENE_WORLD] = {0.1 * (double)(1 + i % 3), 0.2 + 0.1 * (double)(i % 2), 10 + (double)(i % 4)};
        for (int k = 0; k < SCENE_WORLD; k++) {
            double want = (raw[k] - data.scale.world_mean[k]) / data.scale.world_sd[k];
            EXPECT(fabs((double)s->world[SCENE_WORLD * q + k] - want) < 1e-4, "sample %d number %d", q, k);
        }
    }
    /* Both models read them, in every token of the scene. */
    for (int k = 0; k < n_model_kinds; k++) {
        const ModelKind *kind = model_kinds[k];
        ModelShape shape = {0}, less = {0};
        kind->scene_shape(&shape, data.slots, SCENE_WORLD);
        kind->scene_shape(&less, data.slots, 0);
        EXPECT(shape.in_s == less.in_s + SCENE_WORLD && shape.in_mv == less.in_mv, "%s inputs", kind->name);
        int64_t tokens = b.start[SAMPLES];
        Tensors in = {.mv = MEM_NEW(real, 16 * tokens * (shape.in_mv + 1)), .s = MEM_NEW(real, tokens * shape.in_s)};
        kind->embed(in, s, &shape);
        int found = 0;
        for (int q = 0; q < SAMPLES; q++)
            for (int j = 0; j + SCENE_WORLD <= shape.in_s; j++) {
                real *row = in.s + b.start[q] * shape.in_s + j;
                found += !memcmp(row, s->world + SCENE_WORLD * q, SCENE_WORLD * sizeof *row);
            }
        EXPECT(found == SAMPLES, "%s: world in %d of %d rows", kind->name, found, SAMPLES);
        mem_free(in.mv);
        mem_free(in.s);
    }
    arena_free(&arena);
    dataset_close(varied);

    b = batch_of(same, &arena);
    batch_fill(&b, same, &training, 0, 1);
    for (int k = 0; k < SCENE_WORLD; k++) EXPECT(fabs((double)b.world[k]) < 1e-6, "what is the same everywhere is 0");
    arena_free(&arena);

    Dataset *without = copy_of(dataset, "still.h5", still, false);
    TrainDataPlan plan = fixture_plan;
    TrainData data2;
    Err err = train_data_init(&data2, without, &plan);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "data.velocity = instant"), "%s", err.text);
    plan.instant = false;
    EXPECT(!train_data_init(&data2, without, &plan).code, "frames");
    dataset_close(without);
}

/* ---- Upright. ---- */

/* A canonical scene and the same tilted by any rotation about a horizontal axis: what is predicted turns with it. And the
 * chain of its gradient, by differences of the loss. */
static void upright(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    job.shape.upright = true;
    Pass pass;
    pass_init(&pass, job.kind, &job.shape, 5, SAMPLES, data, &alone);
    batch_fill(&pass.batch, data, &testing, 0, 1);
    const real *u = pass.batch.gravity;
    const double down[3] = {0, 0, -1}, gravity[3] = {(double)u[0], (double)u[1], (double)u[2]};
    Motion stand = motion_between(gravity, down);
    int64_t n = 3 * pass.batch.start[1];
    real *canonical = MEM_NEW(real, n);
    double worst = 0, yaw = 0, size = 0;
    batch_clear(&pass.batch, data);
    batch_add(&pass.batch, data, &testing, 0, &stand, 1);
    pass_predict(&pass, &pass.batch.scenes);
    memcpy(canonical, pass.prediction, (size_t)n * sizeof *canonical);
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs((double)canonical[i]));
    for (int k = 0; k < 20; k++) {
        Motion any = motion_haar(3, 4, (uint64_t)k), view;
        double to[3] = {any.a[0], any.a[1], any.a[2]};
        Motion tilt = motion_between(down, to);
        if (k == 0) tilt = motion_about(down, 1); /* about the vertical: the rest of the group is not exact */
        view = motion_product(&tilt, &stand);
        batch_clear(&pass.batch, data);
        batch_add(&pass.batch, data, &testing, 0, &view, 1);
        pass_predict(&pass, &pass.batch.scenes);
        real *turned = MEM_NEW(real, n);
        act_out(turned, canonical, &pass.batch.scenes.seqs, &tilt, false);
        for (int64_t i = 0; i < n; i++) {
            double e = fabs((double)(turned[i] - pass.prediction[i]));
            if (k == 0)
                yaw = fmax(yaw, e);
            else
                worst = fmax(worst, e);
        }
        mem_free(turned);
    }
    EXPECT(worst < 1e3 * REAL_EPSILON * size, "tilted scenes: off by %g of %g", worst, size);
    EXPECT(yaw > 1e-3 * size, "turned about the vertical: off by %g of %g", yaw, size);
    mem_free(canonical);

    if (REAL_EPSILON < 1e-10) {
        batch_fill(&pass.batch, data, &training, 0, 3);
        pass_gradient(&pass, 3);
        int64_t at = pass.model->table.local / 3;
        double h = 1e-5, slope = (double)pass.model->grad[at], loss[2];
        real theta = pass.model->theta[at];
        for (int side = 0; side < 2; side++) {
            pass.model->theta[at] = theta + (real)(side ? h : -h);
            pass_predict(&pass, &pass.batch.scenes);
            loss[side] = pass_loss(&pass) / 3;
        }
        double quotient = (loss[1] - loss[0]) / (2 * h);
        EXPECT(fabs(quotient - slope) < 1e-6 * fabs(slope) + 1e-12, "gradient %g, by differences %g", slope, quotient);
    }
    pass_free(&pass);
    procgrid_free(&alone);
}

/* ---- The test loss. ---- */

/* All samples of whole trajectories, each once; the error is that of a mean over independent trajectories. */
static void held_out(Dataset *dataset) {
    TrainDataPlan plan = fixture_plan;
    plan.test_samples = 0;
    plan.test = 6;
    TrainData data;
    Err err = train_data_init(&data, dataset, &plan);
    CHECK(!err.code, "%s", err.text);
    int64_t frames = dataset_frames(dataset) - 2;
    EXPECT(data.test_samples == plan.test * frames, "%lld samples", (long long)data.test_samples);
    int seen[16] = {0};
    for (int64_t i = 0; i < data.test_samples; i++) seen[batch_trajectory(&data, &testing, i)]++;
    for (int k = 0; k < plan.test; k++) EXPECT(seen[k] == frames, "trajectory %d has %d samples", k, seen[k]);

    ProcGrid alone = procgrid_new(comm_self(), 1, 1), shared = procgrid_new(comm_world(), comm_size(comm_world()), 1);
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, &data, 1e-2);
    Pass pass;
    pass_init(&pass, job.kind, &job.shape, 5, SAMPLES, &data, &alone);
    double error, each[16] = {0}, mean = 0, variance = 0;
    double loss = pass_evaluate(&pass, &error, SAMPLES_TEST, data.test_samples);
    for (int64_t i = 0; i < data.test_samples; i++) {
        batch_fill(&pass.batch, &data, &testing, i, 1);
        pass_predict(&pass, &pass.batch.scenes);
        each[batch_trajectory(&data, &testing, i)] += pass_loss(&pass) / (double)frames;
    }
    for (int k = 0; k < plan.test; k++) mean += each[k] / (double)plan.test;
    for (int k = 0; k < plan.test; k++) variance += (each[k] - mean) * (each[k] - mean) / (double)plan.test;
    double want = sqrt(variance / (double)plan.test);
    EXPECT(fabs(loss / mean - 1) < 1e3 * REAL_EPSILON, "loss %g, mean over trajectories %g", loss, mean);
    EXPECT(fabs(error / want - 1) < 0.15, "error %g by bootstrap, %g by the variance", error, want);
    pass_free(&pass);

    double error2;
    pass_init(&pass, job.kind, &job.shape, 5, SAMPLES, &data, &shared);
    double loss2 = pass_evaluate(&pass, &error2, SAMPLES_TEST, data.test_samples);
    double tolerance = 1e4 * REAL_EPSILON;
    EXPECT(fabs(loss2 / loss - 1) < tolerance && fabs(error2 / error - 1) < tolerance, "on all ranks %g +- %g", loss2,
           error2);
    pass_free(&pass);
    procgrid_free(&alone);
    procgrid_free(&shared);
}

/* ---- What is withheld. ---- */

static void withheld(Dataset *dataset, const TrainData *whole) {
    TrainDataPlan plan = fixture_plan;
    Arena arena, other;
    Batch told = batch_of(whole, &arena);
    batch_fill(&told, whole, &testing, 0, SAMPLES);
    for (int kind = 0; kind < 3; kind++) {
        TrainData data;
        plan.no_floor = kind != 1;
        plan.no_gravity = kind != 0;
        plan.off_centre = kind == 2;
        Err err = train_data_init(&data, dataset, &plan);
        CHECK(!err.code, "%s", err.text);
        Batch b = batch_of(&data, &other);
        batch_fill(&b, &data, &testing, 0, SAMPLES);
        for (int q = 0; q < SAMPLES; q++) {
            double plane = 0, direction = 0;
            for (int i = 0; i < 4; i++) plane += fabs((double)b.floor[4 * q + i]);
            for (int i = 0; i < 3; i++) direction += fabs((double)b.gravity[3 * q + i]);
            EXPECT((plane > 0) == !plan.no_floor && (direction > 0) == !plan.no_gravity, "floor %g, gravity %g", plane,
                   direction);
            for (int i = 0; i < SCENE_WORLD; i++) {
                bool hidden = i < 2 ? plan.no_floor : plan.no_gravity;
                real is = b.world[SCENE_WORLD * q + i], was = told.world[SCENE_WORLD * q + i];
                EXPECT(is == (hidden ? 0 : was), "number %d of the world", i);
            }
            /* Another origin shifts all positions of a scene alike, and leaves targets. */
            int64_t first = 3 * b.start[q], last = 3 * b.start[q + 1];
            double spread = 0, shift = 0, target = 0;
            for (int64_t i = first; i < last; i++) {
                double d = (double)b.position[i] - (double)told.position[i];
                double d0 = (double)b.position[first + i % 3] - (double)told.position[first + i % 3];
                spread = fmax(spread, fabs(d - d0));
                shift = fmax(shift, fabs(d));
                target = fmax(target, fabs((double)(b.target[i] - told.target[i])));
            }
            EXPECT(spread < 1e4 * REAL_EPSILON * (1 + shift) && target < 1e4 * REAL_EPSILON, "off by %g, %g", spread,
                   target);
            EXPECT((shift > 1) == plan.off_centre, "shifted by %g", shift);
        }
        /* Motions leave nothing nothing. */
        double plane[4] = {0}, w[MOTION_GENERATORS] = {0.1, 0, 0, 0.3, 0.2};
        Motion bent = motion_exp(w, 1);
        act_plane(plane, plane, &bent);
        for (int i = 0; i < 4; i++) EXPECT(plane[i] == 0, "no floor, moved: %g", plane[i]);
        arena_free(&other);
    }
    arena_free(&arena);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    velocities(dataset, &data);
    rigid(dataset);
    worlds(dataset, &data);
    upright(&data);
    held_out(dataset);
    withheld(dataset, &data);
    dataset_close(dataset);
    return test_end();
}
