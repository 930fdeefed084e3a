// TEST double n=1,2
// TEST single n=1
/* Correlations of features of moved scenes: 1 at every layer of GATr, what noise makes of them where its size is known,
 * found by a fit where features turn by an unknown matrix; and a layer of GATr in which one grade map is mixed up does not
 * get past this measurement, nor past the Lie derivative. */
#include "token_model.h"

#include "la/pga.h"
#include "nn/equi_linear.h"

enum { SAMPLES = 24, MOTIONS = 8, WIDTH = 64, PER_CHUNK = 1 + MOTIONS + 5 };

static bool in_double(void) {
    return REAL_EPSILON < 1e-10;
}

/* ---- Streams that are known. ---- */

static double noise_ratio[2]; /* variance of noise over that of the signal: of scenes as they are, of moved ones */
static double gain = 1, offset;

/* A signal that no motion changes, and noise of its own in each call. */
static void noisy(real *features, int64_t t, const double x[3], int64_t call) {
    (void)x;
    double ratio = noise_ratio[call % PER_CHUNK > 0];
    for (int c = 0; c < WIDTH; c++) {
        uint64_t stream = rng_stream("features", (uint64_t)c);
        double signal = rng_normal(1, stream, (uint64_t)(call / PER_CHUNK * 1000 + t));
        double noise = rng_normal(2, stream, (uint64_t)(call * 1000 + t));
        features[c] = (real)(gain * (signal + sqrt(ratio) * noise) + offset);
    }
}

/* W x, which turns by W g W^-1. */
static void mixed(real *features, int64_t t, const double x[3], int64_t call) {
    (void)t;
    (void)call;
    double y[3];
    token_linear(y, x);
    for (int i = 0; i < 3; i++) features[i] = (real)y[i];
}

static double stream_correlation(const char *element, TokenStream *stream, int width, const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    token_map = token_radial;
    token_stream = stream;
    token_width = width;
    token_calls = 0;
    MeasureSink found = measured(&measure_correlation, &token_kind, SAMPLES, MOTIONS, data, &alone);
    double rho = row_of(&found, 0, element)->value;
    EXPECT(fabs(row_of(&found, -1, "so3")->value - 1) < 1e-6, "the output of a model that turns with its input");
    mem_free(found.row);
    procgrid_free(&alone);
    token_stream = NULL;
    return rho;
}

static void noise(const TrainData *data) {
    double clean = stream_correlation("so3 invariance", noisy, WIDTH, data);
    EXPECT(fabs(clean - 1) < 1e-6, "without noise %g", clean);
    noise_ratio[1] = 1;
    double one = stream_correlation("so3 invariance", noisy, WIDTH, data);
    EXPECT(fabs(one - sqrt(0.5)) < 0.01, "noise of the signal's variance on one side: %g", one);
    gain = 10;
    offset = 5;
    double scaled = stream_correlation("so3 invariance", noisy, WIDTH, data);
    EXPECT(fabs(scaled - one) < 1e-5, "features scaled by 10 and shifted: %g, %g", scaled, one);
    gain = 1;
    offset = 0;
    noise_ratio[0] = 1;
    double both = stream_correlation("z90 invariance", noisy, WIDTH, data);
    EXPECT(fabs(both - 0.5) < 0.01, "on both sides: %g", both);
    printf("measured noise on one side %.4f, on both %.4f\n", one, both);
}

static void fitted(const TrainData *data) {
    double law = stream_correlation("so3 fitted", mixed, 3, data),
           none = stream_correlation("so3 invariance", mixed, 3, data);
    EXPECT(fabs(law - 1) < (in_double() ? 1e-8 : 1e-5), "R = W g W^-1 is found: 1 - %g", 1 - law);
    EXPECT(none < 0.9, "which is no invariance: %g", none);
    EXPECT(isnan(stream_correlation("so3 fitted", noisy, WIDTH, data)), "too few tokens for a fit of %d channels",
           WIDTH);
}

/* ---- Models. ---- */

static void models(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1), grid = procgrid_new(comm_world(), comm_size(comm_world()), 1);
    MeasureSink found = measured(&measure_correlation, &gatr_kind, SAMPLES, 2, data, &alone);
    double worst = 0;
    for (int layer = -1; layer < 3; layer++) {
        const MeasureRow *r = row_of(&found, layer, layer < 0 ? "so3" : "so3 action");
        const MeasureRow *skipped = row_of(&found, layer, "skipped");
        worst = fmax(worst, 1 - r->value);
        EXPECT(layer < 0 || skipped->value < (double)skipped->samples / 2, "layer %d: %g skipped", layer,
               skipped->value);
        EXPECT(layer < 1 || row_of(&found, layer, "so3 invariance")->value < 0.99, "layer %d: no invariance", layer);
    }
    EXPECT(worst < 1e-6, "gatr: 1 - rho = %g", worst);
    EXPECT(row_of(&found, -1, "mirror")->value < 1 - 1e-10, "gatr is not exact in mirror images");
    printf("measured gatr: 1 - rho at most %.1e\n", worst);
    mem_free(found.row);

    found = measured(&measure_correlation, &clofnet_kind, SAMPLES, 2, data, &alone);
    for (int layer = 0; layer < 3; layer++) {
        double off = 1 - row_of(&found, layer, "so3 action")->value;
        EXPECT(off < 1e-6, "clofnet, layer %d: 1 - rho = %g", layer, off);
    }
    double mirrored = row_of(&found, 0, "mirror action")->value;
    EXPECT(fabs(mirrored - 1) < 1e-6, "positions and invariants that clofnet is given: mirrored 1 - rho = %g",
           1 - mirrored);
    EXPECT(row_of(&found, 2, "so3 invariance")->value < 1 - 1e-3, "clofnet's positions turn");
    mem_free(found.row);

    found = measured(&measure_correlation, &transformer_kind, SAMPLES, 2, data, &alone);
    MeasureSink split = measured(&measure_correlation, &transformer_kind, SAMPLES, 2, data, &grid);
    EXPECT(found.n == split.n, "%lld rows over dp, %lld", (long long)split.n, (long long)found.n);
    for (int64_t i = 0; i < found.n; i++) {
        const MeasureRow *a = &found.row[i], *b = &split.row[i];
        bool same = isnan(a->value) ? isnan(b->value) : fabs(a->value - b->value) < (in_double() ? 1e-10 : 1e-4);
        EXPECT(same, "over dp: layer %lld %s: %g, %g", (long long)a->layer, a->element, b->value, a->value);
    }
    EXPECT(!row_of(&found, 1, "so3 action") && row_of(&found, 1, "so3 fitted"), "a transformer's stream has no law");
    const MeasureRow *output = row_of(&found, -1, "so3");
    EXPECT(output->value < 0.9 && output->se > 0 && output->se < 0.5, "a transformer: %g +- %g", output->value,
           output->se);
    mem_free(found.row);
    mem_free(split.row);
    procgrid_free(&grid);
    procgrid_free(&alone);
}

/* Mean correlation of the three numbers of the output, from their sums by group, without one of the groups; n: tokens. */
enum { GROUPS = 8 };
typedef struct Moments {
    double n, a[3], b[3], aa[3], bb[3], ab[3];
} Moments;

static double without(const Moments *of, int group) {
    double sum = 0;
    for (int k = 0; k < 3; k++) {
        double n = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0;
        for (int g = 0; g < GROUPS; g++) {
            if (g == group) continue;
            n += of[g].n;
            a += of[g].a[k];
            b += of[g].b[k];
            aa += of[g].aa[k];
            bb += of[g].bb[k];
            ab += of[g].ab[k];
        }
        sum += (ab / n - a * b / n / n) / sqrt((aa / n - a * a / n / n) * (bb / n - b * b / n / n)) / 3;
    }
    return sum;
}

/* Of half a turn about gravity at the output of a transformer: the correlation and its jackknife, from scenes one by one. Where there
 * are fewer samples than groups, as many groups as samples. */
static void jackknife(int samples, const TrainData *data) {
    const MeasureChoice choice = {
        .n = 1, .at = {{&measure_correlation, NULL}}, .common = {.samples = samples, .motions = 2}};
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    SampleStream stream = {.range = SAMPLES_TEST};
    Moments of[GROUPS] = {0};
    Pass pass;
    MeasureBench bench;
    MeasureSink found = {0};
    pass_init(&pass, job.kind, &job.shape, 5, 3, data, &alone);
    measure_start(&bench, &choice, &pass, INFINITY);
    measure_run(&found, &bench, 0);
    real *still = MEM_NEW(real, 3 * pass.batch.max_tokens);
    for (int i = 0; i < samples; i++) {
        Motion one = motion_identity(), half = measure_about_gravity(&bench.at[0], i, acos(-1));
        Moments *m = &of[i % GROUPS];
        batch_clear(&pass.batch, data);
        batch_add(&pass.batch, data, &stream, i, &one, 1);
        pass_forward(&pass, &pass.batch.scenes);
        int64_t tokens = pass.batch.start[1];
        memcpy(still, pass.prediction, (size_t)(3 * tokens) * sizeof *still);
        batch_clear(&pass.batch, data);
        batch_add(&pass.batch, data, &stream, i, &half, 1);
        pass_forward(&pass, &pass.batch.scenes);
        m->n += (double)tokens;
        for (int64_t t = 0; t < tokens; t++) {
            double b[3] = {(double)still[3 * t], (double)still[3 * t + 1], (double)still[3 * t + 2]};
            act_vector(b, b, &half);
            for (int k = 0; k < 3; k++) {
                double a = (double)pass.prediction[3 * t + k];
                m->a[k] += a;
                m->b[k] += b[k];
                m->aa[k] += a * a;
                m->bb[k] += b[k] * b[k];
                m->ab[k] += a * b[k];
            }
        }
    }
    int groups = samples < GROUPS ? samples : GROUPS;
    double mean = 0, squares = 0;
    for (int g = 0; g < groups; g++) mean += without(of, g) / groups;
    for (int g = 0; g < groups; g++) squares += pow(without(of, g) - mean, 2);
    double value = without(of, GROUPS), se = sqrt(squares * (groups - 1) / groups);
    const MeasureRow *row = row_of(&found, -1, "z180");
    const double tolerance = in_double() ? 1e-8 : 1e-2;
    EXPECT(fabs(row->value - value) < tolerance && fabs(row->se / se - 1) < tolerance,
           "%d samples: %g +- %g, brute force %g +- %g", samples, row->value, row->se, value, se);
    mem_free(still);
    mem_free(found.row);
    measure_end(&bench);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* The deepest model that a study file may ask for has all its layers in the records. */
static void deep(const TrainData *data) {
    enum { DEEPEST = 1000 };
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    measured_depth = DEEPEST;
    MeasureSink found = measured(&measure_correlation, &transformer_kind, 2, 2, data, &alone);
    measured_depth = 2;
    EXPECT(row_of(&found, DEEPEST, "so3 invariance") && !row_of(&found, DEEPEST + 1, "so3 invariance"), "%lld rows",
           (long long)found.n);
    mem_free(found.row);
    procgrid_free(&alone);
}

/* ---- A layer of GATr, right and wrong. ---- */

enum { CHANNELS = 4, SCALARS = 4, GRADE_3 = 3 };
static EquiLinear first_map, last_map;
static bool sabotage; /* the grade-3 map reads e012 where e013 stands, and the other way round */

static void layer_params(ParamTable *table, const ModelShape *shape) {
    EquiAxes in = {.in_mv = axis_plain(shape->in_mv),
                   .in_s = axis_plain(shape->in_s),
                   .out_mv = axis_plain(CHANNELS),
                   .out_s = axis_plain(SCALARS),
                   .scalar_out_mv = axis_plain(CHANNELS),
                   .scalar_out_s = axis_plain(SCALARS)};
    EquiAxes out = {.in_mv = axis_plain(CHANNELS),
                    .in_s = axis_plain(SCALARS),
                    .out_mv = axis_plain(1),
                    .out_s = axis_plain(0),
                    .scalar_out_mv = axis_plain(1),
                    .scalar_out_s = axis_plain(0)};
    first_map = equi_linear_params(table, 0, &in, (EquiInit){.gain = 1}, "first");
    last_map = equi_linear_params(table, 0, &out, (EquiInit){.gain = 1}, "last");
}

/* out = map(in), and the channels times themselves, so that grades mix as they do in GATr. */
static void layer(double *mv, double *s, const EquiLinear *map, const real *theta, const double *in_mv,
                  const double *in_s) {
    double square[PGA], swapped[16 * PGA], right[CHANNELS * PGA], wrong[CHANNELS * PGA], only[4096] = {0},
                                                                                         none[SCALARS];
    real grade[4096] = {0};
    equi_linear_ref(mv, s, map, theta, in_mv, in_s);
    if (sabotage) {
        int64_t at = map->weight + GRADE_3 * map->basis;
        CHECK(at + map->basis <= 4096 && map->in_mv <= 16, "a larger layer than expected");
        memcpy(grade + at, theta + at, (size_t)map->basis * sizeof *grade);
        memcpy(swapped, in_mv, (size_t)(map->in_mv * PGA) * sizeof *swapped);
        for (int i = 0; i < map->in_mv; i++) {
            swapped[i * PGA + 11] = in_mv[i * PGA + 12];
            swapped[i * PGA + 12] = in_mv[i * PGA + 11];
        }
        EquiLinear bare = *map;
        bare.mv_bias = bare.s2mv = bare.mv2s = bare.s_bias = bare.s2s = -1;
        equi_linear_ref(right, none, &bare, grade, in_mv, only);
        equi_linear_ref(wrong, none, &bare, grade, swapped, only);
        for (int i = 0; i < map->out_mv * PGA; i++) mv[i] += wrong[i] - right[i];
    }
    for (int j = 0; j < map->out_mv; j++) {
        pga_geometric_ref(square, mv + j * PGA, mv + j * PGA);
        for (int p = 0; p < PGA; p++) mv[j * PGA + p] += 0.01 * square[p];
    }
}

static void layer_forward(Model *model, Tensors out, Tensors in, const Packed *seqs) {
    const ModelShape *shape = &model->shape;
    int64_t tokens = seqs->start[seqs->n];
    for (int64_t t = 0; t < tokens; t++) {
        double mv[16 * PGA], s[64], stream[CHANNELS * PGA], scalars[SCALARS], said[PGA];
        CHECK(shape->in_mv <= 16 && shape->in_s <= 64, "inputs");
        for (int i = 0; i < shape->in_mv * PGA; i++)
            mv[i] = (double)in.mv[(i % PGA * tokens + t) * shape->in_mv + i / PGA];
        for (int i = 0; i < shape->in_s; i++) s[i] = (double)in.s[t * shape->in_s + i];
        layer(stream, scalars, &first_map, model->theta, mv, s);
        equi_linear_ref(said, NULL, &last_map, model->theta, stream, scalars);
        for (int p = 0; p < PGA; p++) out.mv[p * tokens + t] = (real)said[p];
        if (!model->tap) continue;
        for (int i = 0; i < CHANNELS * PGA; i++)
            model->tap[0].mv[(i % PGA * tokens + t) * CHANNELS + i / PGA] = (real)stream[i];
        for (int i = 0; i < SCALARS; i++) model->tap[0].s[t * SCALARS + i] = (real)scalars[i];
    }
}

static int layer_taps(Tap *tap, const ModelShape *shape) {
    (void)shape;
    return model_block_taps(tap, 0, CHANNELS, SCALARS);
}

static void sabotaged(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    ModelKind kind = gatr_kind;
    kind.name = "layer";
    kind.check = token_check;
    kind.params = layer_params;
    kind.layout = token_layout;
    kind.forward = layer_forward;
    kind.taps = layer_taps;
    for (int k = 0; k < 2; k++) {
        sabotage = k;
        MeasureSink lie = measured(&measure_lie, &kind, SAMPLES, MOTIONS, data, &alone);
        MeasureSink rho = measured(&measure_correlation, &kind, SAMPLES, MOTIONS, data, &alone);
        double slope = row_of(&lie, 0, "relative")->value, out = row_of(&lie, -1, "relative")->value;
        double apart = 1 - row_of(&rho, 0, "so3 action")->value, said = 1 - row_of(&rho, -1, "so3")->value;
        if (!sabotage) EXPECT(slope < 1e-8 && out < 1e-8, "the right layer: Lie %g, %g", slope, out);
        if (!sabotage) EXPECT(apart < 1e-6 && said < 1e-6, "the right layer: 1 - rho %g, %g", apart, said);
        if (sabotage) EXPECT(slope > 1e-3 && out > 1e-4, "a mixed-up layer gets past lie: %g, %g", slope, out);
        if (sabotage)
            EXPECT(apart > 1e-3 && said > 1e-6, "a mixed-up layer gets past correlation: %g, %g", apart, said);
        printf("measured %s layer: lie %.1e, 1 - rho %.1e\n", sabotage ? "mixed-up" : "right", slope, apart);
        mem_free(lie.row);
        mem_free(rho.row);
    }
    procgrid_free(&alone);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    noise(&data);
    fitted(&data);
    models(&data);
    jackknife(5, &data);
    jackknife(SAMPLES, &data);
    deep(&data);
    sabotaged(&data);
    dataset_close(dataset);
    return test_end();
}
