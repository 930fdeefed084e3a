// TEST double n=1
// TEST single n=2
/* ClofNet, with all edges and with those of near vertices, with frames of the first positions and of every layer's: it turns
 * with a scene, also where vertices are equally near, and is not mirrored with it; frames at right angles, finite where points
 * are in line; gradient, executed FLOP and refusals. */
#include "fixture.h"

#include "../src/nn/clofnet_edges.h"
#include "la/flops.h"

enum { SAMPLES = 3 };
static const SampleStream samples = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};

/* Of the model, in all that follows. */
static int neighbours;
static EdgeFrames frames_of;

static bool in_double(void) {
    return REAL_EPSILON < 1e-10;
}

/* With every parameter larger than at the start, where positions hardly move. */
static void pass_new(Pass *pass, const TrainData *data, const ProcGrid *grid) {
    TrainJob job = fixture_job(&clofnet_kind, &procedure_plain, data, 1e-2);
    job.shape.neighbours = neighbours;
    job.shape.frames = frames_of;
    pass_init(pass, job.kind, &job.shape, 7, SAMPLES, data, grid);
    for (int64_t i = 0; i < pass->model->table.local; i++)
        pass->model->theta[i] += (real)(0.1 * rng_normal(4, 4, (uint64_t)i));
    batch_fill(&pass->batch, data, &samples, 0, SAMPLES);
}

/* |f(gx) - g f(x)| relative to |f(x)| */
static double turning(Pass *pass, const Motion *g) {
    const SceneBatch *scenes = &pass->batch.scenes;
    int64_t n = 3 * scenes->seqs.start[SAMPLES];
    MovedScenes moved;
    Arena count = arena_count();
    act_layout(&moved, pass->batch.max_tokens, SAMPLES, &count);
    Arena arena = arena_new(count.peak);
    act_layout(&moved, pass->batch.max_tokens, SAMPLES, &arena);
    real *still = MEM_NEW(real, n);
    pass_forward(pass, scenes);
    act_out(still, pass->prediction, &scenes->seqs, g, false);
    act_scene(&moved, scenes, g, false);
    pass_forward(pass, &moved.scenes);
    double error = test_error_real(pass->prediction, still, n);
    mem_free(still);
    arena_free(&arena);
    return error;
}

static void motions(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    pass_new(&pass, data, &alone);
    Motion turn = motion_haar(1, 1, 1), mirror = motion_mirrored(&turn);
    double rotated = turning(&pass, &turn), mirrored = turning(&pass, &mirror);
    EXPECT(rotated < (in_double() ? 1e-10 : 1e-3), "rotation error %g", rotated);
    EXPECT(mirrored > 1e-2, "a mirrored scene is another one: %g", mirrored);

    /* One at a time is packed, bit for bit. */
    batch_fill(&pass.batch, data, &samples, 0, 1);
    int64_t n = pass.batch.start[1];
    real *said = MEM_NEW(real, 3 * n);
    pass_forward(&pass, &pass.batch.scenes);
    memcpy(said, pass.prediction, (size_t)(3 * n) * sizeof *said);
    batch_fill(&pass.batch, data, &samples, 0, SAMPLES);
    pass_forward(&pass, &pass.batch.scenes);
    EXPECT(!memcmp(said, pass.prediction, (size_t)(3 * n) * sizeof *said), "packed as one at a time");
    mem_free(said);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* All vertices of other bodies equally far from one vertex, so that rounding chooses its neighbours: it still turns. */
static void equally_near(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    pass_new(&pass, data, &alone);
    Batch *b = &pass.batch;
    int64_t first = b->start[0], end = b->start[1];
    for (int64_t t = first; t < end; t++) {
        double x[3], length = 0;
        for (int k = 0; k < 3; k++) x[k] = rng_normal(6, 6, (uint64_t)(3 * t + k));
        for (int k = 0; k < 3; k++) length += x[k] * x[k];
        bool own = b->slot[t] == b->slot[first];
        for (int k = 0; k < 3; k++)
            b->position[3 * t + k] =
                (real)(x[k] * (own ? 0.5 : 2 / sqrt(length)) + b->position[3 * first + k] * (t > first));
        if (t == first)
            for (int k = 0; k < 3; k++) b->position[3 * t + k] = (real)x[k];
    }
    Motion turn = motion_haar(7, 7, 7);
    double rotated = turning(&pass, &turn);
    EXPECT(rotated < (in_double() ? 1e-10 : 1e-3), "equally near: rotation error %g", rotated);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* As many neighbours as there can be are all, bit for bit; fewer are not. */
static void enough(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    const int limit[] = {0, 1000, 2};
    real *kept = NULL;
    for (int i = 0; i < 3; i++) {
        Pass pass;
        neighbours = limit[i];
        pass_new(&pass, data, &alone);
        pass_gradient(&pass, SAMPLES);
        int64_t n = pass.model->table.local;
        if (i == 0) kept = MEM_NEW(real, n);
        if (i == 0) memcpy(kept, pass.model->grad, (size_t)n * sizeof *kept);
        bool same = !memcmp(kept, pass.model->grad, (size_t)n * sizeof *kept);
        EXPECT(same == (i < 2), "%d neighbours: the gradient is %s that of all", limit[i], same ? "" : "not");
        pass_free(&pass);
    }
    mem_free(kept);
    procgrid_free(&alone);
}

/* Neighbours by hand: four bodies on a line, at 0, 1, 3 and 4 (two vertices each, the second 0.1 further on). */
static void chosen(void) {
    enum { POINTS = 8, BODIES = 4, ROW = TOKEN_SCALARS + SCENE_BODY + BODIES };
    static const double place[BODIES] = {0, 1, 3, 4};
    const int64_t start[2] = {0, POINTS};
    const Packed one = {.n = 1, .start = start};
    real rows[POINTS * ROW] = {0};
    int32_t body[POINTS];
    for (int i = 0; i < POINTS; i++) {
        body[i] = i / 2;
        rows[i * ROW + TOKEN_POSITION] = (real)(place[i / 2] + 0.1 * (i % 2));
        rows[i * ROW + ROW - BODIES + i / 2] = 1;
    }
    const EdgeTokens given = {rows, ROW, BODIES, &one};
    Edges edges;
    Arena count = arena_count();
    edges_layout(&edges, POINTS, POINTS, &count);
    Arena arena = arena_new(count.peak);
    edges_layout(&edges, POINTS, POINTS, &arena);
    edges_choose(&edges, &given, 3);
    EXPECT(edges.first[POINTS] == 4 * POINTS && edges_count(body, BODIES, 3, &one) == 4 * POINTS, "%lld edges",
           (long long)edges.first[POINTS]);
    /* Of the first: its own body's other vertex, both of the next body, and the one at 3, before what is next at 3.1. */
    static const int32_t want[] = {1, 2, 3, 4};
    for (int e = 0; e < 4; e++)
        EXPECT(edges.other[e] == want[e], "edge %d leads to %d, want %d", e, edges.other[e], want[e]);
    EXPECT(edges.share[0] == 1 && edges.share[1] == 1 && edges.share[2] == 1, "near neighbours count in full");
    double share = (1 - 3 / 3.1) / 0.1;
    EXPECT(fabs((double)edges.share[3] - share) < 100 * REAL_EPSILON, "the last counts %g, want %g",
           (double)edges.share[3], share);
    edges_choose(&edges, &given, 0);
    EXPECT(edges.first[POINTS] == POINTS * (POINTS - 1) && edges_count(body, BODIES, 0, &one) == POINTS * (POINTS - 1),
           "all pairs");
    arena_free(&arena);
}

/* Frames are at right angles; a pair in line with the origin, and two points at one place, have finite ones. */
static void frames(void) {
    enum { POINTS = 6, ROW = TOKEN_SCALARS + SCENE_BODY + 2 };
    const int64_t start[2] = {0, POINTS};
    const Packed one = {.n = 1, .start = start};
    real rows[POINTS * ROW] = {0}, frame[POINTS * (POINTS - 1) * EDGE_FRAME],
                       input[POINTS * (POINTS - 1) * EDGE_INPUTS];
    for (int i = 0; i < POINTS * ROW; i++) rows[i] = (real)rng_normal(2, 2, (uint64_t)i);
    for (int i = 0; i < POINTS; i++)
        for (int k = 0; k < 3; k++) rows[i * ROW + TOKEN_GRAVITY + k] = k == 2 ? -1 : 0;
    for (int k = 0; k < 3; k++) {
        rows[ROW + k] = 2 * rows[k];
        rows[3 * ROW + k] = rows[2 * ROW + k];
    }
    const EdgeTokens given = {rows, ROW, 2, &one};
    Edges edges;
    Arena count = arena_count();
    edges_layout(&edges, POINTS, POINTS, &count);
    Arena arena = arena_new(count.peak);
    edges_layout(&edges, POINTS, POINTS, &arena);
    edges_choose(&edges, &given, 0);
    edges_fill(frame, input, &edges, &given);
    double worst = 0;
    for (int64_t e = 0; e < edges.first[POINTS]; e++)
        for (int a = 0; a < 3; a++) {
            double dot = 0;
            for (int k = 0; k < 3; k++)
                dot +=
                    (double)frame[e * EDGE_FRAME + 3 * a + k] * (double)frame[e * EDGE_FRAME + 3 * ((a + 1) % 3) + k];
            worst = fmax(worst, fabs(dot));
        }
    EXPECT(worst < (in_double() ? 1e-15 : 1e-7), "frames are off right angles by %g", worst);
    for (int64_t i = 0; i < edges.first[POINTS] * EDGE_INPUTS; i++)
        EXPECT(isfinite((double)input[i]), "input %lld", (long long)i);
    double b = 0;
    for (int k = 3; k < 6; k++) b += (double)frame[k] * (double)frame[k];
    EXPECT(b > 1e-4, "a pair in line has a frame: |b|^2 = %g", b);
    arena_free(&arena);
}

static double loss_of(Pass *pass) {
    pass_predict(pass, &pass->batch.scenes);
    return pass_loss(pass) / SAMPLES;
}

/* Along a random direction within each tensor, in one piece and in several. */
static void gradient(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    pass_new(&pass, data, &alone);
    Model *m = pass.model;
    const double h = in_double() ? 1e-6 : 3e-3, bound = in_double() ? 1e-6 : 5e-2;
    real *kept = MEM_NEW(real, m->table.local);
    memcpy(kept, m->theta, (size_t)m->table.local * sizeof *kept);
    for (int piece = 0; piece < 2; piece++) {
        m->cache_bytes = piece ? 0 : INT64_MAX;
        pass_gradient(&pass, SAMPLES);
        double scale = 0;
        for (int64_t i = 0; i < m->table.local; i++) scale += (double)m->grad[i] * (double)m->grad[i];
        for (int p = 0; p < m->table.n; p++) {
            const Param *t = &m->table.at[p];
            double got = 0, value[2];
            for (int64_t i = t->offset; i < t->offset + t->count; i++)
                got += (double)m->grad[i] * rng_normal(3, 3, (uint64_t)i);
            for (int side = 0; side < 2; side++) {
                for (int64_t i = t->offset; i < t->offset + t->count; i++)
                    m->theta[i] = (real)((double)kept[i] + (side ? -h : h) * rng_normal(3, 3, (uint64_t)i));
                value[side] = loss_of(&pass);
            }
            memcpy(m->theta, kept, (size_t)m->table.local * sizeof *kept);
            double want = (value[0] - value[1]) / (2 * h);
            EXPECT(fabs(got - want) < bound * sqrt(scale), "%s: %g, want %g (all %g)", t->name, got, want, sqrt(scale));
        }
    }
    mem_free(kept);
    pass_free(&pass);
    procgrid_free(&alone);
}

static void flops(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    pass_new(&pass, data, &alone);
    int64_t before = flops_counted();
    pass_gradient(&pass, SAMPLES);
    double counted = (double)(flops_counted() - before);
    ModelWork work = clofnet_kind.work(&pass.shape, 1, false);
    PackedLengths lengths = {0};
    packed_lengths_add(&lengths, &clofnet_kind, &pass.shape, pass.batch.slot, &pass.batch.scenes.seqs);
    double promised = model_flops_of(&work, lengths).executed;
    EXPECT(counted == promised, "executed FLOP %.0f, counted %.0f", promised, counted);
    ModelShape original = {.in_s = TOKEN_SCALARS + SCENE_BODY + SCENE_WORLD + 10, .out_s = 3, .width = 64, .depth = 4};
    ParamTable table = param_table_new(1, 0);
    clofnet_kind.params(&table, &original);
    int64_t w = 64, in = 2 + SCENE_BODY + SCENE_WORLD + 10;
    int64_t block = (2 * w + 33) * w + w + 2 * (w * w + w) + 3 * w + 3 * w + 3 + 2 * w * w + w + w * w + w;
    int64_t want = in * w + w + 28 * 32 + 32 + 32 * 32 + 32 + 4 * block;
    EXPECT(table.global == want, "%lld parameters, want %lld", (long long)table.global, (long long)want);
    param_table_free(&table);
    Err err = clofnet_kind.check(&pass.shape, 2);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "layout.dp"), "tp = 2: %s", err.text);
    pass_free(&pass);
    procgrid_free(&alone);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    for (int variant = 0; variant < 4; variant++) {
        neighbours = variant % 2 ? 3 : 0;
        frames_of = variant / 2 ? FRAMES_EVERY : FRAMES_FIRST;
        motions(&data);
        equally_near(&data);
        gradient(&data);
        flops(&data);
    }
    enough(&data);
    chosen();
    frames();
    dataset_close(dataset);
    return test_end();
}
