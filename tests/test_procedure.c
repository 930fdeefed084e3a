// TEST double n=1,2,4
// TEST single n=2
/* Training procedures, with one that shows every sample twice: weights act on the loss and its gradient as stated, every
 * view is paid for and no sample counts twice, its own keys, state, numbers and hook are served. */
#include "fixture.h"

#include "train/forecast.h"

/* The sample as it is with weight `first`, and turned a quarter about its own z with weight `second`. */
typedef struct TwiceOptions {
    double first, second;
} TwiceOptions;

static const KeySpec twice_keys[] = {
    {"twice.first", KEY_REAL, offsetof(TwiceOptions, first), "0.25", 0, 10, NULL, "1", "weight of the sample"},
    {"twice.second", KEY_REAL, offsetof(TwiceOptions, second), "0.75", 0, 10, NULL, "1", "weight of its turned copy"},
};

typedef struct TwiceState {
    double loss[2]; /* of both views at the last step */
    double steps;
} TwiceState;

static int two(const void *options) {
    (void)options;
    return 2;
}

static void twice_layout(ProcedureRun *run, Arena *arena) {
    TwiceState *state = ARENA_TAKE(arena, TwiceState, 1);
    run->state = state;
    if (state) *state = (TwiceState){0};
}

static void twice_fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    const TwiceOptions *o = run->options;
    const Motion one = motion_identity(), turned = motion_about((const double[3]){0, 0, 1}, M_PI / 2);
    for (int i = 0; i < n; i++) batch_add(batch, run->data, &run->stream, first + i, &one, o->first);
    for (int i = 0; i < n; i++) batch_add(batch, run->data, &run->stream, first + i, &turned, o->second);
}

static void twice_after(ProcedureRun *run, Pass *pass) {
    TwiceState *s = run->state;
    int n = pass->batch.scenes.seqs.n / 2;
    double sum[3] = {0, 0, n};
    for (int i = 0; i < 2 * n; i++) sum[i / n] += pass->error[i];
    comm_sum_f64(pass->grid->dp, sum, 3);
    for (int v = 0; v < 2; v++) s->loss[v] = sum[v] / sum[2];
    s->steps++;
}

static void twice_numbers(ProcedureRun *run, double value[CURVE_NUMBERS]) {
    const TwiceState *s = run->state;
    value[0] = s->loss[0];
    value[1] = s->loss[1];
    value[2] = s->steps;
}

static const Procedure twice = {.name = "twice",
                                .keys = twice_keys,
                                .n_keys = 2,
                                .views = two,
                                .layout = twice_layout,
                                .fill = twice_fill,
                                .after_gradient = twice_after,
                                .number = {"loss_first", "loss_second", "steps"},
                                .numbers = twice_numbers};

/* Gradient and loss of the first batch; the gradient is mem_free'd by the caller. */
static real *gradient_of(double *loss, const ModelKind *kind, const TwiceOptions *options, const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(kind, &twice, data, 1e-2);
    SampleStream stream = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};
    Pass pass;
    ProcedureRun run;
    pass_init(&pass, kind, &job.shape, 7, 8, data, &alone);
    procedure_start(&run, &twice, options, &stream, &pass);
    procedure_fill(&run, &pass.batch, 0, 4);
    *loss = pass_gradient(&pass, 4);
    int64_t n = pass.model->table.local;
    real *gradient = MEM_NEW(real, n);
    memcpy(gradient, pass.model->grad, (size_t)n * sizeof *gradient);
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&alone);
    return gradient;
}

/* Loss and gradient are linear in the weights. */
static void weights(const ModelKind *kind, const TrainData *data) {
    static const TwiceOptions each[3] = {{1, 0}, {0, 1}, {0.3, 1.7}};
    double loss[3];
    real *g[3];
    TrainJob job = fixture_job(kind, &twice, data, 1e-2);
    ParamTable table = param_table_new(1, 0);
    kind->params(&table, &job.shape);
    for (int i = 0; i < 3; i++) g[i] = gradient_of(&loss[i], kind, &each[i], data);
    double expected = 0.3 * loss[0] + 1.7 * loss[1];
    EXPECT(fabs(loss[2] / expected - 1) < 100 * REAL_EPSILON, "%s: loss %g, want %g", kind->name, loss[2], expected);
    for (int64_t i = 0; i < table.local; i++) g[0][i] = (real)(0.3 * (double)g[0][i] + 1.7 * (double)g[1][i]);
    double error = test_error_real(g[2], g[0], table.local);
    EXPECT(error < 1000 * REAL_EPSILON, "%s: gradients differ by %g", kind->name, error);
    EXPECT(fabs(loss[0] - loss[1]) > 1e-6 || kind->rotations, "%s: the views differ", kind->name);
    for (int i = 0; i < 3; i++) mem_free(g[i]);
    param_table_free(&table);
}

static void cell(const ModelKind *kind, const TrainData *data, const TwiceOptions *options) {
    CurvePoint one[FIXTURE_POINTS] = {0}, curve[FIXTURE_POINTS] = {0}, serial[FIXTURE_POINTS] = {0};
    CellRecord plain = {0}, record = {0};
    TrainJob single = fixture_job(kind, &procedure_plain, data, 1e-2), job = fixture_job(kind, &twice, data, 1e-2);
    job.procedure_options = options;
    fixture_train(one, &plain, &single, data, 1, 1);
    EXPECT(!*plain.numbers && isnan(one[0].procedure[0]), "a plain cell has no numbers: %s", plain.numbers);
    double bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4;
    for (int dp = 1; dp <= comm_size(comm_world()); dp *= 2) {
        fixture_train(curve, &record, &job, data, dp, 1);
        const CurvePoint *last = &curve[record.curve_points - 1], *plain_last = &one[plain.curve_points - 1];
        EXPECT(record.outcome == OUTCOME_DONE && record.loss < record.loss_initial, "%s learns", kind->name);
        EXPECT(record.samples == plain.samples && record.tokens == plain.tokens, "samples %lld, tokens %lld",
               (long long)record.samples, (long long)record.tokens);
        for (int c = CURRENCY_NOMINAL; c <= CURRENCY_EXECUTED; c++) {
            EXPECT(record.compute[c] == 2 * plain.compute[c], "FLOP %g, want 2 x %g", record.compute[c],
                   plain.compute[c]);
            EXPECT(last->compute[c] == 2 * plain_last->compute[c], "FLOP %g, want 2 x %g", last->compute[c],
                   plain_last->compute[c]);
        }
        EXPECT(!strcmp(record.numbers, "loss_first,loss_second,steps"), "names %s", record.numbers);
        EXPECT(last->procedure[2] == FIXTURE_STEPS && isnan(last->procedure[3]), "steps %g", last->procedure[2]);
        if (dp == 1) memcpy(serial, curve, sizeof serial);
        const CurvePoint *same = &serial[record.curve_points - 1];
        EXPECT(fabs(last->loss / same->loss - 1) < bound, "dp %d: loss %g, %g", dp, last->loss, same->loss);
        EXPECT(fabs(last->procedure[0] / same->procedure[0] - 1) < bound, "dp %d: numbers", dp);
    }
}

static void forecasts(const TrainData *data, const TwiceOptions *options) {
    TrainJob single = fixture_job(&gatr_kind, &procedure_plain, data, 1e-2);
    TrainJob job = fixture_job(&gatr_kind, &twice, data, 1e-2);
    job.procedure_options = options;
    ModelFlops one = forecast_flops(&single, &fixture_options, data, 1);
    ModelFlops both = forecast_flops(&job, &fixture_options, data, 1);
    EXPECT(both.nominal == 2 * one.nominal && both.executed == 2 * one.executed, "FLOP %g, %g", both.nominal,
           one.nominal);
    TrainOptions twice_the_batch = fixture_options;
    twice_the_batch.batch *= 2;
    int64_t bytes = forecast_bytes(&job, &fixture_options, data, 1, 1);
    int64_t plain = forecast_bytes(&single, &twice_the_batch, data, 1, 1);
    int64_t own = procedure_bytes(&twice, options, job.kind, &job.shape, 2 * (int)fixture_options.batch, data);
    EXPECT(bytes == plain + own && own >= (int64_t)sizeof(TwiceState), "%lld bytes, want %lld + %lld", (long long)bytes,
           (long long)plain, (long long)own);
    ForecastTimes t = forecast_times(&job, &fixture_options, data, 2);
    EXPECT(t.start > 0 && t.gradient > 0 && t.update > 0 && t.evaluate > 0, "a step can be timed");
}

/* One without a state of its own is started too. */
static int starts;
static void count_start(ProcedureRun *run, Pass *pass) {
    (void)run;
    (void)pass;
    starts++;
}

static void starts_without_state(const TrainData *data) {
    Procedure stateless = procedure_plain;
    stateless.start = count_start;
    TrainJob job = fixture_job(&gatr_kind, &stateless, data, 1e-2);
    CurvePoint curve[FIXTURE_POINTS] = {0};
    CellRecord record = {0};
    starts = 0;
    fixture_train(curve, &record, &job, data, 1, 1);
    EXPECT(starts == (comm_rank(comm_world()) == 0), "started %d times", starts);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    TwiceOptions options;
    Err err = options_read(&options, twice.keys, twice.n_keys);
    CHECK(!err.code, "%s", err.text);
    EXPECT(options.first == 0.25 && options.second == 0.75, "keys");
    for (int k = 0; k < n_model_kinds; k++) {
        weights(model_kinds[k], &data);
        cell(model_kinds[k], &data, &options);
    }
    forecasts(&data, &options);
    starts_without_state(&data);
    dataset_close(dataset);
    return test_end();
}
