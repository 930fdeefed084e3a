// TEST double n=1,2,4
// TEST single n=1,2
/* Measurements and the taps they may read: rotations leave GATr's error at rounding, mirror images do not, nor does a
 * transformer; the numbers are those of scenes assembled under the motion, whatever the layout; what twirling takes away
 * is what algebra says; measuring changes nothing that is trained. */
#include "fixture.h"
#include "token_model.h"

#include "la/pga.h"
#include "study/measure.h"
#include "train/forecast.h"

enum { SAMPLES = 10, MOTIONS = 3, ROWS = 5 };

static MeasureChoice choice = {
    .n = 1, .at = {{&measure_equivariance, NULL}}, .common = {.samples = SAMPLES, .motions = MOTIONS}};

static bool in_double(void) {
    return REAL_EPSILON < 1e-10;
}

/* ---- Taps. ---- */

typedef struct Taps {
    Tensors at[4];
    Tap tap[4];
    int n;
} Taps;

static Taps taps_new(const ModelKind *kind, const ModelShape *shape, int64_t tokens) {
    Taps t = {.n = kind->taps(NULL, shape)};
    CHECK(t.n == shape->depth + 1 && t.n <= 4, "%d taps", t.n);
    kind->taps(t.tap, shape);
    for (int i = 0; i < t.n; i++) {
        if (t.tap[i].mv) t.at[i].mv = MEM_NEW(real, PGA * tokens * t.tap[i].mv);
        t.at[i].s = MEM_NEW(real, tokens * t.tap[i].s);
    }
    return t;
}

static void taps_free(Taps *t) {
    for (int i = 0; i < t->n; i++) {
        mem_free(t->at[i].mv);
        mem_free(t->at[i].s);
    }
}

/* A model of `depth` blocks on the first samples, its stream in `taps` and what it says in `says` where not NULL. The
 * parameters of a block are those that any depth has. Returns the tokens. */
static int64_t read_stream(Taps *taps, real *says, const ModelKind *kind, int depth, const Motion *view,
                           const TrainData *data, const Comm *tp) {
    ProcGrid grid = procgrid_new(tp, 1, comm_size(tp));
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    SampleStream stream = {.range = SAMPLES_TEST};
    job.shape.depth = depth;
    Pass pass;
    pass_init(&pass, kind, &job.shape, 5, 4, data, &grid);
    batch_clear(&pass.batch, data);
    for (int i = 0; i < 4; i++) batch_add(&pass.batch, data, &stream, i, view, 1);
    int64_t tokens = pass.batch.start[4];
    if (taps) {
        *taps = taps_new(kind, &job.shape, tokens);
        pass.model->tap = taps->at;
    }
    pass_forward(&pass, &pass.batch.scenes);
    if (says) memcpy(says, pass.prediction, (size_t)(3 * tokens) * sizeof *says);
    pass_free(&pass);
    procgrid_free(&grid);
    return tokens;
}

static double stream_differs(const Taps *a, int i, const Taps *b, int k, int64_t tokens) {
    double s = test_error_real(a->at[i].s, b->at[k].s, tokens * a->tap[i].s);
    if (!a->tap[i].mv) return s;
    return fmax(s, test_error_real(a->at[i].mv, b->at[k].mv, PGA * tokens * a->tap[i].mv));
}

static void taps(const ModelKind *kind, const TrainData *data) {
    Motion one = motion_identity();
    int64_t room = 3 * 4 * dataset_max_vertices(data->dataset);
    real *with = MEM_NEW(real, room), *without = MEM_NEW(real, room);
    Taps two, shallow, split;
    int64_t tokens = read_stream(&two, with, kind, 2, &one, data, comm_self());
    read_stream(NULL, without, kind, 2, &one, data, comm_self());
    EXPECT(!memcmp(with, without, (size_t)(3 * tokens) * sizeof *with), "%s: taps change what it says", kind->name);
    EXPECT(!strcmp(two.tap[0].name, "linear_in") && !strcmp(two.tap[2].name, "blocks.1"), "%s", two.tap[2].name);
    read_stream(&shallow, NULL, kind, 1, &one, data, comm_self());
    for (int i = 0; i < 2; i++)
        EXPECT(stream_differs(&two, i, &shallow, i, tokens) == 0, "%s: tap %d of a shallower model", kind->name, i);
    for (int i = 1; i < 3; i++)
        EXPECT(stream_differs(&two, i - 1, &two, i, tokens) > 1e-3, "%s: block %d changes nothing", kind->name, i - 1);
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    bool splits = fixture_splits(&job, comm_size(comm_world()));
    read_stream(&split, NULL, kind, 2, &one, data, splits ? comm_world() : comm_self());
    for (int i = 0; i < 3; i++)
        EXPECT(stream_differs(&two, i, &split, i, tokens) < 1000 * REAL_EPSILON, "%s: tap %d over tp", kind->name, i);
    taps_free(&two);
    taps_free(&shallow);
    taps_free(&split);
    mem_free(with);
    mem_free(without);
}

/* GATr's stream turns as multivectors do, and its scalars stay. */
static void stream_turns(const TrainData *data) {
    const double angle = 0.8;
    Motion one = motion_identity(), turn = motion_about((const double[3]){0, 0, 1}, angle);
    double rotor[PGA], quaternion[4] = {0, 0, sin(angle / 2), cos(angle / 2)}, x[PGA], worst = 0, scale = 0;
    pga_rotation(rotor, quaternion);
    Taps still, turned;
    int64_t tokens = read_stream(&still, NULL, &gatr_kind, 2, &one, data, comm_self());
    read_stream(&turned, NULL, &gatr_kind, 2, &turn, data, comm_self());
    for (int i = 0; i < still.n; i++) {
        int64_t plane = tokens * still.tap[i].mv;
        for (int64_t r = 0; r < plane; r++) {
            for (int p = 0; p < PGA; p++) x[p] = (double)still.at[i].mv[p * plane + r];
            pga_versor(x, rotor, false, x);
            for (int p = 0; p < PGA; p++) {
                worst = fmax(worst, fabs(x[p] - (double)turned.at[i].mv[p * plane + r]));
                scale = fmax(scale, fabs(x[p]));
            }
        }
        double scalars = test_error_real(turned.at[i].s, still.at[i].s, tokens * still.tap[i].s);
        EXPECT(scalars < 1e4 * REAL_EPSILON, "scalars at tap %d are off by %g", i, scalars);
    }
    EXPECT(worst < 1e4 * REAL_EPSILON * scale, "GATr's stream is off by %g of %g", worst, scale);
    taps_free(&still);
    taps_free(&turned);
}

/* ---- Equivariance. ---- */

/* What `equivariance` says of a group. */
typedef struct Errors {
    double relative_each, error, averaged, relative;
} Errors;

/* The same numbers from scenes that were assembled under the motion, one at a time. */
static Errors brute_force(Pass *pass, bool mirror) {
    SampleStream stream = {.range = SAMPLES_TEST};
    Motion one = motion_identity();
    Errors mean = {0};
    double squares = 0, unit = pass->data->scale.deviation;
    double *sum = MEM_NEW(double, 3 * pass->batch.max_tokens);
    for (int i = 0; i < SAMPLES; i++) {
        double apart = 0, last = 0;
        memset(sum, 0, (size_t)(3 * pass->batch.max_tokens) * sizeof *sum);
        for (int m = 0; m < MOTIONS; m++) {
            Motion g = motion_haar(0, rng_stream("measure", (uint64_t)i), (uint64_t)m);
            if (mirror) g = motion_mirrored(&g);
            batch_clear(&pass->batch, pass->data);
            batch_add(&pass->batch, pass->data, &stream, i, &one, 1);
            pass_forward(pass, &pass->batch.scenes);
            int64_t tokens = pass->batch.start[1];
            double *turned = MEM_NEW(double, 3 * tokens), error = 0, size = 0;
            for (int64_t t = 0; t < tokens; t++) {
                for (int k = 0; k < 3; k++) turned[3 * t + k] = (double)pass->prediction[3 * t + k];
                act_vector(turned + 3 * t, turned + 3 * t, &g);
            }
            batch_clear(&pass->batch, pass->data);
            batch_add(&pass->batch, pass->data, &stream, i, &g, 1);
            pass_forward(pass, &pass->batch.scenes);
            for (int64_t k = 0; k < 3 * tokens; k++) {
                double e = (double)pass->prediction[k] - turned[k];
                sum[k] += e;
                error += e * e;
                size += turned[k] * turned[k];
            }
            mean.relative_each += sqrt(error / size) / (SAMPLES * MOTIONS);
            mean.error += unit * sqrt(error) / (SAMPLES * MOTIONS);
            last = size;
            mem_free(turned);
        }
        for (int64_t k = 0; k < 3 * pass->batch.max_tokens; k++) apart += sum[k] * sum[k];
        mean.averaged += unit * sqrt(apart) / (SAMPLES * MOTIONS);
        squares += last / SAMPLES;
    }
    mean.relative = mean.error / (unit * sqrt(squares));
    mem_free(sum);
    return mean;
}

/* E' and E of rotations: those of scenes one by one, E below E'. */
static void rotation_errors(const MeasureSink *found, const Errors *want, const ModelKind *kind) {
    const double tolerance = in_double() ? 1e-8 : 1e-2;
    double error = row_of(found, -1, "error")->value, averaged = row_of(found, -1, "averaged")->value,
           relative = row_of(found, -1, "relative")->value;
    EXPECT(fabs(error / want->error - 1) < tolerance, "%s: E' %g, brute force %g", kind->name, error, want->error);
    EXPECT(fabs(averaged / want->averaged - 1) < tolerance, "%s: E %g, brute force %g", kind->name, averaged,
           want->averaged);
    EXPECT(fabs(relative / want->relative - 1) < tolerance, "%s: relative %g, brute force %g", kind->name, relative,
           want->relative);
    EXPECT(averaged > 0 && averaged < 0.9 * error, "%s: E = %g, E' = %g", kind->name, averaged, error);
    double se = row_of(found, -1, "error")->se / error, relative_se = row_of(found, -1, "relative")->se / relative;
    EXPECT(fabs(relative_se / se - 1) < 1e-12, "%s: relative +- %g of it, E' +- %g", kind->name, relative_se, se);
}

static void equivariance(const ModelKind *kind, const TrainData *data) {
    bool strict = kind->rotations;
    const double rounding = in_double() ? 1e-11 : 1e-3;
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    Pass pass;
    MeasureBench bench;
    MeasureSink found = {0};
    pass_init(&pass, kind, &job.shape, 5, 3, data, &alone);
    size_t before = mem_live();
    measure_start(&bench, &choice, &pass, INFINITY);
    double took = (double)(mem_live() - before), said = (double)measure_bytes(&choice, kind, &job.shape, data, 3);
    EXPECT(took == said, "%.0f bytes taken, %.0f forecast", took, said);
    measure_run(&found, &bench, 42);
    CHECK(found.n == ROWS, "%lld rows", (long long)found.n);
    for (int r = 0; r < 2; r++) {
        const MeasureRow *row = &found.row[r];
        EXPECT(!strcmp(row->measure, "equivariance") && !strcmp(row->element, r ? "mirror" : "so3"), "row %d", r);
        EXPECT(row->step == 42 && row->layer == -1 && row->samples == SAMPLES, "row %d: samples %lld", r,
               (long long)row->samples);
        if (comm_rank(comm_world()) == 0) printf("measured %s %s: %.2e\n", kind->name, row->element, row->value);
        if (strict && r == 0) {
            EXPECT(row->value < rounding && row->value > 0, "GATr's rotation error is %g", row->value);
            EXPECT(row_of(&found, -1, "averaged")->value <= row_of(&found, -1, "error")->value, "E above E'");
            continue;
        }
        Errors brute = brute_force(&pass, r == 1);
        EXPECT(fabs(row->value / brute.relative_each - 1) < (in_double() ? 1e-8 : 1e-2), "%s: %g, brute force %g",
               kind->name, row->value, brute.relative_each);
        if (r == 0) rotation_errors(&found, &brute, kind);
        EXPECT(row->value > 100 * rounding * (strict ? 1e-4 : 1), "%s %s is not exact: %g", kind->name, row->element,
               row->value);
        EXPECT(row->se > 0 && row->se < row->value, "standard error %g of %g", row->se, row->value);
    }
    double passes = measure_passes(&choice, data, INFINITY);
    EXPECT(passes == SAMPLES * (1 + 2 * MOTIONS), "%g passes", passes);
    mem_free(found.row);
    measure_end(&bench);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* What is measured twice, as at every point of a curve, is the same: nothing of the first time is left. */
static void again(const ModelKind *kind, const TrainData *data) {
    static const MeasureChoice all = {.n = 6,
                                      .at = {{&measure_equivariance, NULL},
                                             {&measure_twirl, NULL},
                                             {&measure_mirror, NULL},
                                             {&measure_lie, NULL},
                                             {&measure_correlation, NULL},
                                             {&measure_invariance, NULL}},
                                      .common = {.samples = 5, .motions = 2}};
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    Pass pass;
    MeasureBench bench;
    MeasureSink found = {0};
    pass_init(&pass, kind, &job.shape, 5, 3, data, &alone);
    measure_start(&bench, &all, &pass, INFINITY);
    measure_run(&found, &bench, 1);
    int64_t n = found.n;
    measure_run(&found, &bench, 2);
    EXPECT(found.n == 2 * n, "%s: %lld rows, then %lld", kind->name, (long long)n, (long long)(found.n - n));
    for (int64_t i = 0; i < n && found.n == 2 * n; i++) {
        const MeasureRow *a = &found.row[i], *b = &found.row[n + i];
        bool same = !memcmp(&a->value, &b->value, sizeof a->value) && !memcmp(&a->se, &b->se, sizeof a->se);
        EXPECT(same && !strcmp(a->element, b->element), "%s %s %s, layer %lld: %g +- %g, then %g +- %g", kind->name,
               a->measure, a->element, (long long)a->layer, a->value, a->se, b->value, b->se);
    }
    mem_free(found.row);
    measure_end(&bench);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* Mean, standard error, and what has no number. */
static void rows(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass = {.data = data, .grid = &alone};
    MeasureContext c = {.measure = &measure_equivariance, .pass = &pass, .samples = 5, .step = 7};
    MeasureSink found = {0};
    double some[5] = {1, NAN, 2, 3, 6}, none[5] = {NAN, NAN, NAN, NAN, NAN};
    measure_row(&found, &c, 3, "x", some);
    measure_row(&found, &c, -1, "y", none);
    const MeasureRow *r = found.row;
    EXPECT(r->value == 3 && r->samples == 4 && r->layer == 3, "mean %g of %lld", r->value, (long long)r->samples);
    EXPECT(fabs(r->se - sqrt(14.0 / 3 / 4)) < 1e-15, "standard error %g", r->se);
    EXPECT(isnan(r[1].value) && isnan(r[1].se) && r[1].samples == 0, "no number: %g", r[1].value);
    mem_free(found.row);
    procgrid_free(&alone);
}

/* ---- Twirl. ---- */

/* Mean over the samples of the mean over vertices of |x|^2. */
static double mean_square(const TrainData *data) {
    SampleStream stream = {.range = SAMPLES_TEST};
    Batch b = {0};
    Arena count = arena_count();
    batch_layout(&b, data, SAMPLES, &count);
    Arena arena = arena_new(count.peak);
    batch_layout(&b, data, SAMPLES, &arena);
    batch_fill(&b, data, &stream, 0, SAMPLES);
    double mean = 0;
    for (int q = 0; q < SAMPLES; q++)
        for (int64_t i = 3 * b.start[q]; i < 3 * b.start[q + 1]; i++)
            mean += (double)b.position[i] * (double)b.position[i] * (double)b.weight[q] / SAMPLES;
    arena_free(&arena);
    return mean;
}

static void twirl(const TrainData *data) {
    token_map = token_linear;
    int size = comm_size(comm_world());
    ProcGrid alone = procgrid_new(comm_self(), 1, 1), grid = procgrid_new(comm_world(), size, 1);
    const ModelKind *kinds[] = {&transformer_kind, &gatr_kind, &token_kind};
    for (int k = 0; k < 3; k++) {
        MeasureSink found = measured(&measure_twirl, kinds[k], SAMPLES, MOTIONS, data, &alone),
                    split = measured(&measure_twirl, kinds[k], SAMPLES, MOTIONS, data, &grid);
        const MeasureRow *r = found.row;
        double parts = r[1].value + r[2].value * (MOTIONS - 1) / MOTIONS;
        EXPECT(fabs(r[0].value / parts - 1) < 1e-12, "%s: %.15g, its parts %.15g", kinds[k]->name, r[0].value, parts);
        EXPECT(fabs(r[3].value - r[2].value / r[0].value) < 1e-12, "%s: share %g", kinds[k]->name, r[3].value);
        EXPECT(kinds[k] == &gatr_kind || (r[3].se > 0 && r[2].value > 0), "%s: se %g", kinds[k]->name, r[3].se);
        EXPECT(fabs(split.row[0].value / r[0].value - 1) < (in_double() ? 1e-10 : 1e-4), "%s over dp", kinds[k]->name);
        if (kinds[k] == &gatr_kind) EXPECT(r[2].value < (in_double() ? 1e-20 : 1e-8), "asymmetry %g", r[2].value);
        mem_free(found.row);
        mem_free(split.row);
    }
    /* |(I - P) W|^2 with P W = (tr W / 3) I, whatever M is, up to how far M motions are from all of them. */
    double square = 0, trace = token_weight[0] + token_weight[4] + token_weight[8], unit = data->scale.deviation;
    for (int i = 0; i < 9; i++) square += token_weight[i] * token_weight[i];
    double want = unit * unit * (square - trace * trace / 3) * mean_square(data) / 3;
    for (int m = 2; m <= 2000; m += 1998) {
        MeasureSink found = measured(&measure_twirl, &token_kind, SAMPLES, m, data, &alone);
        double off = fabs(found.row[2].value / want - 1), tolerance = m == 2 ? 0.5 : 0.02;
        EXPECT(off < tolerance, "%d motions: asymmetry %g, want %g", m, found.row[2].value, want);
        mem_free(found.row);
    }
    procgrid_free(&grid);
    procgrid_free(&alone);
}

/* Scenes of one body whose vertices are drawn from N(0, 1), shifted by 1 in each frame. */
enum { CLOUD = 64, CLOUD_FRAMES = 4, CLOUDS = 66, CLOUDS_TEST = 60 };

static void cloud(void *context, int64_t i, Trajectory *out) {
    static float vertex[3 * CLOUD], pose[CLOUD_FRAMES * 7];
    static const int32_t body[CLOUD];
    static const float one[1] = {1};
    (void)context;
    for (int k = 0; k < 3 * CLOUD; k++) vertex[k] = (float)rng_normal(6, (uint64_t)i, (uint64_t)k);
    for (int f = 0; f < CLOUD_FRAMES; f++) {
        pose[7 * f] = (float)f;
        pose[7 * f + 3] = 1;
    }
    *out = (Trajectory){.bodies = 1,
                        .frames = CLOUD_FRAMES,
                        .vertices = CLOUD,
                        .vertex = vertex,
                        .vertex_body = body,
                        .pose = pose,
                        .mass = one,
                        .friction = one,
                        .restitution = one,
                        .floor = {0, 0, 1, -9},
                        .gravity = {0, 0, -10},
                        .frame_rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1}};
}

/* f = W x with x ~ N(0, I), but for its mean over the scene: E A = |(I - P) W|^2, P W = (tr W / 3) I, for every M. */
static void twirl_of_normals(void) {
    const DatasetPlan plan = {.trajectories = CLOUDS, .frames = CLOUD_FRAMES, .frame_time = 1, .settings = ""};
    const TrainDataPlan cut = {.test = CLOUDS_TEST, .validation = 3, .train_max = 3};
    static const int draws[] = {2, 3, 5, 16};
    double square = 0, trace = token_weight[0] + token_weight[4] + token_weight[8];
    Dataset *dataset = fixture_made("clouds.h5", &plan, cloud, NULL);
    TrainData data = fixture_cut(dataset, &cut);
    EXPECT(fabs(data.scale.step - 1) + fabs(data.scale.deviation - 1) < 1e-6, "positions are in units of a step");
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    token_map = token_linear;
    for (int i = 0; i < 9; i++) square += token_weight[i] * token_weight[i];
    double want = (square - trace * trace / 3) * (1 - 1.0 / CLOUD);
    for (size_t i = 0; i < sizeof draws / sizeof *draws; i++) {
        MeasureSink found = measured(&measure_twirl, &token_kind, data.test_samples, draws[i], &data, &alone);
        const MeasureRow *a = row_of(&found, -1, "asymmetry");
        EXPECT(a->se < 0.06 * want, "%d motions: standard error %g of %g", draws[i], a->se, want);
        EXPECT(fabs(a->value - want) < 4 * a->se, "%d motions: asymmetry %g +- %g, want %g", draws[i], a->value, a->se,
               want);
        mem_free(found.row);
    }
    procgrid_free(&alone);
    dataset_close(dataset);
}

/* ---- Mirror images. ---- */

/* The sample and its image are a group of two, over which everything is exact: an O(3)-equivariant model has no
 * asymmetry, and of a linear one it is known. gatr has some, although its rotation error is at rounding. */
static void mirror(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    enum { AVERAGED = 1, ASYMMETRY, SHARE, RATIO };
    const ModelKind *kinds[] = {&transformer_kind, &gatr_kind, &token_kind};
    token_map = token_radial;
    for (int k = 0; k < 3; k++) {
        MeasureSink found = measured(&measure_mirror, kinds[k], SAMPLES, MOTIONS, data, &alone);
        const MeasureRow *r = found.row;
        CHECK(found.n == 5, "%lld rows", (long long)found.n);
        double parts = r[AVERAGED].value + r[ASYMMETRY].value, exact = REAL_EPSILON * REAL_EPSILON * 1e4;
        EXPECT(fabs(r[0].value / parts - 1) < 1e-12, "%s: %.15g, its parts %.15g", kinds[k]->name, r[0].value, parts);
        EXPECT(!strcmp(r[RATIO].element, "ratio") && r[RATIO].value > 0, "%s: ratio %g", kinds[k]->name, r[4].value);
        if (k < 2) EXPECT(r[ASYMMETRY].value > 3e-14, "%s: asymmetry %g", kinds[k]->name, r[2].value);
        if (k == 2) EXPECT(r[ASYMMETRY].value < exact, "an O(3)-equivariant model: asymmetry %g", r[2].value);
        if (k == 2) EXPECT(fabs(r[RATIO].value - 1) < 1e-4, "an O(3)-equivariant model: ratio %g", r[RATIO].value);
        mem_free(found.row);
    }
    procgrid_free(&alone);
}

/* Samples that may be measured: as many as asked for while they cost little beside training, never none. */
static void share(const TrainData *data) {
    MeasureChoice c = choice;
    c.common.share = 0.1;
    int each = 1 + 2 * MOTIONS;
    EXPECT(measure_passes(&c, data, INFINITY) == SAMPLES * each, "all of them");
    EXPECT(measure_passes(&c, data, 10 * 9.5 * each) == 9 * each, "those that a tenth pays for");
    EXPECT(measure_passes(&c, data, 1) == MEASURE_LEAST * each, "not fewer than a few");
}

/* ---- In a cell. ---- */

static void cells(const ModelKind *kind, const TrainData *data) {
    static const int layout[][2] = {{1, 1}, {2, 1}, {1, 2}, {4, 1}, {2, 2}};
    CurvePoint plain_curve[FIXTURE_POINTS] = {0}, curve[FIXTURE_POINTS] = {0};
    CellRecord plain = {0}, record = {0};
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    fixture_train(plain_curve, &plain, &job, data, 1, 1);
    job.measures = &choice;
    double serial[8] = {0};
    for (int l = 0; l < 5 && layout[l][0] * layout[l][1] <= comm_size(comm_world()); l++) {
        if (!fixture_splits(&job, layout[l][1])) continue;
        choice.common.curve = l == 0;
        MeasureSink found = fixture_train(curve, &record, &job, data, layout[l][0], layout[l][1]);
        bool inside = comm_rank(comm_world()) < layout[l][0] * layout[l][1];
        if (l == 0) {
            EXPECT(record.loss == plain.loss && record.validation_loss == plain.validation_loss, "measuring trains");
            EXPECT(record.compute[CURRENCY_EXECUTED] == plain.compute[CURRENCY_EXECUTED], "measuring costs compute");
            EXPECT(!inside || found.n == ROWS * record.curve_points, "%lld rows of a curve", (long long)found.n);
        }
        for (int64_t r = 0; r < 2 && inside && found.n >= ROWS; r++) {
            const MeasureRow *row = &found.row[found.n - ROWS + r];
            EXPECT(row->step == FIXTURE_STEPS, "step %lld", (long long)row->step);
            if (l == 0) serial[r] = row->value;
            bool exact = kind->rotations && r == 0;
            double off = exact ? fabs(row->value) : fabs(row->value / serial[r] - 1);
            EXPECT(l == 0 || comm_rank(comm_world()) > 0 || off < (in_double() ? 1e-7 : 0.05), "%s %d x %d: %g, %g",
                   kind->name, layout[l][0], layout[l][1], row->value, serial[r]);
        }
        EXPECT(l == 0 || !inside || found.n == ROWS, "%lld rows", (long long)found.n);
        mem_free(found.row);
    }
    choice.common.curve = false;
    ModelFlops flops = forecast_flops(&job, &fixture_options, data, 1);
    EXPECT(flops.nominal > 0 && forecast_bytes(&job, &fixture_options, data, 1, 1) >
                                    measure_bytes(&choice, kind, &job.shape, data, (int)fixture_options.batch),
           "forecasts");
    TrainJob diverging = job;
    diverging.lr = 1e30;
    MeasureSink found = fixture_train(curve, &record, &diverging, data, 1, 1);
    EXPECT(record.outcome == OUTCOME_DIVERGED && found.n == 0, "a diverged model is not measured");
    mem_free(found.row);
}

static void words(void) {
    StudyOptions *o = MEM_NEW(StudyOptions, 1);
    o->measures = (WordList){.n = 1, .at = {"equivariance"}};
    EXPECT(!study_measures(o).code && o->chosen.n == 1, "one measurement");
    o->chosen.n = 0;
    o->measures = (WordList){.n = 2, .at = {"equivariance", "equivariance"}};
    EXPECT(study_measures(o).code == EXIT_USER, "a measurement that is listed twice is refused");
    mem_free(o);
    MeasureRow r[3] = {{.step = 5, .measure = "equivariance", .layer = -1, .element = "so3", .value = 0.5},
                       {.step = 9, .measure = "equivariance", .layer = -1, .element = "so3", .value = 0.25},
                       {.step = 9, .measure = "equivariance", .layer = -1, .element = "mirror", .value = 0.125}};
    char text[128], tight[16];
    study_measure_text(text, sizeof text, r, 3);
    EXPECT(!strcmp(text, "  equivariance so3 0.25 mirror 0.125"), "%s", text);
    study_measure_text(tight, sizeof tight, r, 3);
    EXPECT(strlen(tight) < sizeof tight, "%s", tight);
    MeasureRow more[2] = {{.step = 9, .measure = "twirl", .layer = -1, .element = "views", .value = 0.5},
                          {.step = 9, .measure = "twirl", .layer = -1, .element = "share", .value = 0.0625}};
    study_measure_text(text, sizeof text, more, 2);
    EXPECT(!strcmp(text, "  twirl share 0.0625"), "a headline alone: %s", text);
    study_measure_text(text, sizeof text, NULL, 0);
    EXPECT(!*text, "%s", text);
}

/* Motions about gravity and mirror images along it leave the gravity of their sample, also where models are not told of it. */
static void along_gravity(const TrainData *told) {
    TrainData data = *told;
    Pass pass = {.data = &data};
    MeasureContext c = {.pass = &pass, .stream = {.range = SAMPLES_TEST}};
    data.no_gravity = true;
    for (int64_t sample = 0; sample < 6; sample++) {
        double down[3], kept[3];
        batch_gravity(down, &data, &c.stream, sample);
        Motion motion[2] = {measure_about_gravity(&c, sample, 1), measure_mirror_plane(&c, sample)};
        for (int k = 0; k < 2; k++) {
            act_vector(kept, down, &motion[k]);
            double error = test_error(kept, down, 3);
            EXPECT(error < 1e-12, "sample %lld, motion %d: gravity is off by %g", (long long)sample, k, error);
        }
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    for (int k = 0; k < n_model_kinds; k++) {
        taps(model_kinds[k], &data);
        equivariance(model_kinds[k], &data);
        cells(model_kinds[k], &data);
    }
    along_gravity(&data);
    stream_turns(&data);
    twirl(&data);
    twirl_of_normals();
    mirror(&data);
    share(&data);
    again(&gatr_kind, &data);
    again(&transformer_kind, &data);
    rows(&data);
    words();
    dataset_close(dataset);
    return test_end();
}
