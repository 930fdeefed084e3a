// TEST double n=1
/* What docs/arms.md says is exact in every arm: the order of vertices, and shifts, where positions count from the mean vertex. Rotations
 * and mirror images are in test_measure.c, tilts in test_task.c. */
#include "fixture.h"

static const SampleStream samples = {.range = SAMPLES_TEST};

/* The first test sample with its tokens in reverse order, as a scene of its own. */
typedef struct Reversed {
    SceneBatch scenes;
    real *position, *velocity, *body;
    int32_t *slot;
} Reversed;

static Reversed reversed(const SceneBatch *from) {
    int64_t n = from->seqs.start[1];
    Reversed r = {.scenes = *from,
                  .position = MEM_NEW(real, 3 * n),
                  .velocity = MEM_NEW(real, 3 * n),
                  .body = MEM_NEW(real, SCENE_BODY * n),
                  .slot = MEM_NEW(int32_t, n)};
    for (int64_t t = 0; t < n; t++) {
        int64_t other = n - 1 - t;
        memcpy(r.position + 3 * t, from->position + 3 * other, 3 * sizeof(real));
        memcpy(r.velocity + 3 * t, from->velocity + 3 * other, 3 * sizeof(real));
        memcpy(r.body + SCENE_BODY * t, from->body + SCENE_BODY * other, SCENE_BODY * sizeof(real));
        r.slot[t] = from->slot[other];
    }
    r.scenes.position = r.position;
    r.scenes.velocity = r.velocity;
    r.scenes.body = r.body;
    r.scenes.slot = r.slot;
    return r;
}

static void reversed_free(Reversed *r) {
    mem_free(r->position);
    mem_free(r->velocity);
    mem_free(r->body);
    mem_free(r->slot);
}

static void pass_new(Pass *pass, const ModelKind *kind, bool upright, const TrainData *data, const ProcGrid *grid) {
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    job.shape.upright = upright;
    pass_init(pass, kind, &job.shape, 7, 1, data, grid);
    batch_fill(&pass->batch, data, &samples, 0, 1);
}

static void order(const ModelKind *kind, bool upright, const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    pass_new(&pass, kind, upright, data, &alone);
    int64_t n = pass.batch.start[1];
    real *said = MEM_NEW(real, 3 * n), *turned = MEM_NEW(real, 3 * n);
    Reversed other = reversed(&pass.batch.scenes);
    pass_forward(&pass, &pass.batch.scenes);
    memcpy(said, pass.prediction, (size_t)(3 * n) * sizeof *said);
    pass_forward(&pass, &other.scenes);
    for (int64_t t = 0; t < n; t++) memcpy(turned + 3 * (n - 1 - t), pass.prediction + 3 * t, 3 * sizeof *turned);
    double error = test_error_real(turned, said, 3 * n);
    EXPECT(error < 1e-12, "%s: tokens in another order: off by %g", kind->name, error);
    mem_free(said);
    mem_free(turned);
    reversed_free(&other);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* ---- Shifts. ---- */

static const float shift[3] = {4, -8, 2};

/* A trajectory of the fixture elsewhere in space, with its floor. */
static void elsewhere(void *context, int64_t i, Trajectory *out) {
    static float pose[7 * 4096];
    *out = *dataset_get(context, i);
    int64_t poses = (int64_t)out->frames * out->bodies;
    CHECK(poses <= 4096, "%lld poses", (long long)poses);
    memcpy(pose, out->pose, (size_t)(7 * poses) * sizeof *pose);
    for (int k = 0; k < 3; k++) {
        for (int64_t p = 0; p < poses; p++) pose[7 * p + k] += shift[k];
        out->floor[3] += out->floor[k] * shift[k];
        out->frame_shift[k] += (double)shift[k];
    }
    out->pose = pose;
}

/* Predictions of a sample here and elsewhere: apart by what float poses lose, in units of their size. */
static double apart(const ModelKind *kind, const TrainData *here, const TrainData *there) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    pass_new(&pass, kind, false, here, &alone);
    int64_t n = 3 * pass.batch.start[1];
    real *said = MEM_NEW(real, n);
    pass_forward(&pass, &pass.batch.scenes);
    memcpy(said, pass.prediction, (size_t)n * sizeof *said);
    batch_fill(&pass.batch, there, &samples, 0, 1);
    pass_forward(&pass, &pass.batch.scenes);
    double error = test_error_real(pass.prediction, said, n);
    mem_free(said);
    pass_free(&pass);
    procgrid_free(&alone);
    return error;
}

static TrainData data_of(Dataset *dataset, bool off_centre) {
    TrainDataPlan plan = fixture_plan;
    plan.off_centre = off_centre;
    return fixture_cut(dataset, &plan);
}

static void shifts(Dataset *dataset) {
    const DatasetPlan plan = {.trajectories = dataset_size(dataset),
                              .frames = dataset_frames(dataset),
                              .frame_time = dataset_frame_time(dataset),
                              .motion = true,
                              .settings = ""};
    Dataset *moved = fixture_made("elsewhere.h5", &plan, elsewhere, dataset);
    for (int off = 0; off < 2; off++) {
        TrainData here = data_of(dataset, off), there = data_of(moved, off);
        there.scale = here.scale; /* but for rounding it is */
        for (int k = 0; k < n_model_kinds; k++) {
            double error = apart(model_kinds[k], &here, &there);
            if (!off) EXPECT(error < 1e-4, "%s: elsewhere off by %g", model_kinds[k]->name, error);
            if (off && model_kinds[k] == &transformer_kind)
                EXPECT(error > 1e-3, "positions that count from an origin tell of it: %g", error);
        }
    }
    dataset_close(moved);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    for (int k = 0; k < n_model_kinds; k++) order(model_kinds[k], false, &data);
    order(&transformer_kind, true, &data);
    shifts(dataset);
    dataset_close(dataset);
    return test_end();
}
