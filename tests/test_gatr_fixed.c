// TEST double n=1,2
// TEST single n=2
/* GATr with fixed inputs, in channels and as tokens, with and without scalars: without them it is GATr; with their gates off
 * it turns as GATr does; scene and fixed inputs turn jointly; their gradient, that of the inputs and executed FLOP are
 * right. */
#include "token_model.h"

#include "la/flops.h"
#include "la/pga.h"

enum { SAMPLES = 4 };
static const SampleStream samples = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};

/* Of fixed inputs, in all that follows. */
static FixedPlace place;
static int k_scalars;

static TrainJob fixed_job(const TrainData *data, int fixed, FixedKind kind) {
    TrainJob job = fixture_job(&gatr_fixed_kind, &procedure_plain, data, 1e-2);
    job.shape.fixed = fixed;
    job.shape.fixed_kind = kind;
    job.shape.fixed_place = place;
    job.shape.fixed_scalars = k_scalars;
    return job;
}

static void pass_new(Pass *pass, const TrainJob *job, const TrainData *data, const ProcGrid *grid) {
    pass_init(pass, job->kind, &job->shape, 7, SAMPLES, data, grid);
    batch_fill(&pass->batch, data, &samples, 0, SAMPLES);
}

static void gates(Batch *batch, real value) {
    for (int q = 0; q < SAMPLES; q++) batch->gate[q] = value;
    batch->scenes.gate = batch->gate;
}

/* ---- Without fixed inputs it is GATr. ---- */

static void none(const TrainData *data) {
    TrainJob gatr = fixture_job(&gatr_kind, &procedure_plain, data, 1e-2), same = fixed_job(data, 0, FIXED_FREE);
    same.shape.fixed_scalars = 0;
    OptionRoom half = fixture_keys(&procedure_gated, "-gated_off 0.5");
    same.procedure = &procedure_gated;
    same.procedure_options = &half;
    EXPECT(fixture_same_theta(&same, &gatr, data), "k = 0 is GATr");
    TrainJob two = fixed_job(data, 2, FIXED_FREE);
    two.procedure = &procedure_gated;
    two.procedure_options = &half;
    EXPECT(!fixture_same_theta(&two, &gatr, data), "k = 2 is not");
}

/* ---- Motions. ---- */

/* Largest |f(gx) - g f(x)| over |f(x)|; `theta`: parameters for the moved scenes, NULL: the same. */
static double turning(Pass *pass, const Motion *g, const real *theta) {
    const SceneBatch *scenes = &pass->batch.scenes;
    int64_t n = 3 * scenes->seqs.start[SAMPLES];
    MovedScenes moved;
    Arena count = arena_count();
    act_layout(&moved, pass->batch.max_tokens, SAMPLES, &count);
    Arena arena = arena_new(count.peak);
    act_layout(&moved, pass->batch.max_tokens, SAMPLES, &arena);
    real *still = MEM_NEW(real, n), *kept = pass->model->theta;
    pass_forward(pass, scenes);
    act_out(still, pass->prediction, &scenes->seqs, g, false);
    act_scene(&moved, scenes, g, false);
    if (theta) pass->model->theta = (real *)theta;
    pass_forward(pass, &moved.scenes);
    pass->model->theta = kept;
    double error = test_error_real(pass->prediction, still, n);
    mem_free(still);
    arena_free(&arena);
    return error;
}

static void motions(const TrainData *data) {
    const double bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4;
    const double axis[3] = {1, 2, -0.5}, angle = 1.1, half = angle / 2, length = sqrt(5.25);
    const double quaternion[4] = {sin(half) * axis[0] / length, sin(half) * axis[1] / length,
                                  sin(half) * axis[2] / length, cos(half)};
    Motion turn = motion_about(axis, angle);
    double rotor[PGA], x[PGA];
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    pga_rotation(rotor, quaternion);
    TrainJob job = fixed_job(data, 3, FIXED_FREE);
    Pass pass;
    pass_new(&pass, &job, data, &alone);
    Model *m = pass.model;
    double with = turning(&pass, &turn, NULL);
    EXPECT(with > 1e-3, "fixed inputs do not turn with the scene: %g", with);
    gates(&pass.batch, 0);
    double without = turning(&pass, &turn, NULL);
    EXPECT(without < bound, "gates off: %g", without);
    batch_fill(&pass.batch, data, &samples, 0, SAMPLES);
    real *theta = MEM_NEW(real, m->table.local);
    memcpy(theta, m->theta, (size_t)m->table.local * sizeof *theta);
    for (int j = 0; j < 3; j++) {
        for (int p = 0; p < PGA; p++) x[p] = (double)theta[PGA * j + p];
        pga_versor(x, rotor, false, x);
        for (int p = 0; p < PGA; p++) theta[PGA * j + p] = (real)x[p];
    }
    double jointly = turning(&pass, &turn, theta);
    EXPECT(jointly < bound, "scene and fixed inputs: %g", jointly);

    /* Fixed scalars alone leave it as equivariant as GATr, and are seen. */
    if (k_scalars) {
        TrainJob alone_job = fixed_job(data, 0, FIXED_FREE);
        Pass only;
        pass_new(&only, &alone_job, data, &alone);
        double turned = turning(&only, &turn, NULL);
        EXPECT(turned < bound, "fixed scalars alone: %g", turned);
        int64_t numbers = 3 * only.batch.start[SAMPLES];
        real *on = MEM_NEW(real, numbers);
        memcpy(on, only.prediction, (size_t)numbers * sizeof *on);
        gates(&only.batch, 0);
        pass_forward(&only, &only.batch.scenes);
        double seen = test_error_real(only.prediction, on, numbers);
        EXPECT(seen > 1e-6, "gates of fixed scalars change nothing: %g", seen);
        mem_free(on);
        pass_free(&only);
    }

    /* With gates off, what the fixed inputs are makes no difference at all. */
    int64_t n = 3 * pass.batch.start[SAMPLES];
    real *said = MEM_NEW(real, n);
    gates(&pass.batch, 0);
    pass_forward(&pass, &pass.batch.scenes);
    memcpy(said, pass.prediction, (size_t)n * sizeof *said);
    for (int i = 0; i < 3 * PGA; i++) m->theta[i] += 1;
    for (int i = 0; i < k_scalars; i++) m->theta[m->table.at[1].offset + i] += 1;
    pass_forward(&pass, &pass.batch.scenes);
    double delta = test_error_real(pass.prediction, said, n);
    EXPECT(delta == 0, "delta with gates off: %g", delta);
    mem_free(said);
    mem_free(theta);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* The residual stream that is read is that of the scene's own tokens: of sequences in a batch as of each alone. */
static void stream(const TrainData *data) {
    enum { TAPS = 3, STREAM_MV = 8, STREAM_S = 8 };
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixed_job(data, 3, FIXED_FREE);
    Tensors together[TAPS], one[TAPS];
    Pass pass;
    pass_new(&pass, &job, data, &alone);
    Model *m = pass.model;
    CHECK(job.kind->taps(NULL, &m->shape) == TAPS && m->shape.width == STREAM_MV && m->shape.width_s == STREAM_S,
          "taps");
    int64_t tokens = pass.batch.start[SAMPLES];
    for (int i = 0; i < TAPS; i++) {
        together[i] = (Tensors){MEM_NEW(real, PGA * tokens * STREAM_MV), MEM_NEW(real, tokens * STREAM_S)};
        one[i] = (Tensors){MEM_NEW(real, PGA * tokens * STREAM_MV), MEM_NEW(real, tokens * STREAM_S)};
    }
    m->tap = together;
    pass_forward(&pass, &pass.batch.scenes);
    int64_t first = pass.batch.start[1], n = pass.batch.start[2] - first;
    batch_fill(&pass.batch, data, &samples, 1, 1);
    m->tap = one;
    pass_forward(&pass, &pass.batch.scenes);
    m->tap = NULL;
    double worst = 0;
    for (int i = 0; i < TAPS; i++) {
        for (int p = 0; p < PGA; p++)
            worst = fmax(worst, test_error_real(together[i].mv + (p * tokens + first) * STREAM_MV,
                                                one[i].mv + p * n * STREAM_MV, n * STREAM_MV));
        worst = fmax(worst, test_error_real(together[i].s + first * STREAM_S, one[i].s, n * STREAM_S));
        mem_free(together[i].mv);
        mem_free(together[i].s);
        mem_free(one[i].mv);
        mem_free(one[i].s);
    }
    EXPECT(worst < 1e3 * REAL_EPSILON, "stream of a sequence in a batch differs by %g", worst);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* ---- What fixed inputs do, measured. ---- */

/* What directions and planes came to is told as it stands among the parameters. */
static void told(const TrainData *data, FixedKind kind) {
    enum { FIXED = 2 };
    static const char *const name[] = {"x", "y", "z", "offset"};
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixed_job(data, FIXED, kind);
    Pass pass;
    MeasureBench bench;
    MeasureChoice choice = {.n = 1, .at = {{&measure_gates, NULL}}, .common = {.samples = 2, .motions = 2}};
    MeasureSink found = {0};
    pass_init(&pass, job.kind, &job.shape, 7, SAMPLES, data, &alone);
    measure_start(&bench, &choice, &pass, INFINITY);
    measure_run(&found, &bench, 1);
    int numbers = kind == FIXED_PLANE ? 4 : 3;
    for (int i = 0; i < FIXED * numbers; i++) {
        char element[RESULTS_NAME];
        snprintf(element, sizeof element, "fixed %d %s", 1 + i / numbers, name[i % numbers]);
        const MeasureRow *row = row_of(&found, -1, element);
        EXPECT(row && row->value == (double)pass.model->theta[i], "%s is %g", element, row ? row->value : NAN);
    }
    EXPECT(kind == FIXED_PLANE || !row_of(&found, -1, "fixed 1 offset"), "a direction has no offset");
    measure_end(&bench);
    pass_free(&pass);
    mem_free(found.row);
    procgrid_free(&alone);
}

static void measured_gates(const TrainData *data) {
    enum { HELD_OUT = 10 };
    ProcGrid alone = procgrid_new(comm_self(), 1, 1), split = procgrid_new(comm_world(), comm_size(comm_world()), 1);
    TrainJob job = fixed_job(data, 2, FIXED_FREE);
    Pass pass;
    MeasureBench bench;
    MeasureChoice choice = {.n = 1, .at = {{&measure_gates, NULL}}, .common = {.samples = HELD_OUT, .motions = 2}};
    MeasureSink found = {0}, none = {0};
    pass_init(&pass, job.kind, &job.shape, 7, SAMPLES, data, &alone);
    measure_start(&bench, &choice, &pass, INFINITY);
    measure_run(&found, &bench, 1);
    double loss = pass_evaluate(&pass, NULL, SAMPLES_TEST, HELD_OUT);
    double on = row_of(&found, -1, "on")->value, off = row_of(&found, -1, "off")->value;
    EXPECT(fabs(on / loss - 1) < 100 * REAL_EPSILON, "on: %g, the loss is %g", on, loss);
    EXPECT(row_of(&found, -1, "delta")->value > 1e-6 && fabs(off / on - 1) > 1e-6, "off: %g, on %g", off, on);
    memset(pass.model->theta, 0, 2 * PGA * sizeof *pass.model->theta);
    if (k_scalars)
        memset(pass.model->theta + pass.model->table.at[1].offset, 0, (size_t)k_scalars * sizeof *pass.model->theta);
    measure_run(&none, &bench, 2);
    EXPECT(row_of(&none, -1, "delta")->value == 0, "t = 0: delta %g", row_of(&none, -1, "delta")->value);
    EXPECT(row_of(&none, -1, "on")->value == off && row_of(&none, -1, "off")->value == off,
           "t = 0 is the model without");
    measure_end(&bench);
    pass_free(&pass);
    mem_free(none.row);
    mem_free(found.row);
    found = measured(&measure_gates, &gatr_fixed_kind, HELD_OUT, 2, data, &alone);
    none = measured(&measure_gates, &gatr_fixed_kind, HELD_OUT, 2, data, &split);
    double one = row_of(&found, -1, "delta")->value, two = row_of(&none, -1, "delta")->value;
    EXPECT(fabs(two / one - 1) < (REAL_EPSILON < 1e-10 ? 1e-10 : 1e-3), "over dp: %g, %g", two, one);
    EXPECT(!row_of(&found, -1, "fixed 1 x"), "of a free multivector nothing is said");
    mem_free(none.row);
    mem_free(found.row);
    procgrid_free(&split);
    procgrid_free(&alone);
}

/* ---- Derivatives and work. ---- */

static double loss_of(Pass *pass) {
    pass_predict(pass, &pass->batch.scenes);
    return pass_loss(pass) / SAMPLES;
}

/* The slope of the loss along parameter i by differences of fourth order: in single precision those of second order are off
 * by hundredths whatever the step. */
static double slope(Pass *pass, int64_t i, double h) {
    static const double step[4] = {1, -1, 2, -2}, weight[4] = {8, -8, -1, 1};
    real *theta = pass->model->theta, at = theta[i];
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        theta[i] = (real)((double)at + step[k] * h);
        sum += weight[k] * loss_of(pass) / (12 * h);
    }
    theta[i] = at;
    return sum;
}

static void gradient(const TrainData *data, FixedKind kind, int numbers) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixed_job(data, 2, kind);
    Pass pass;
    pass_new(&pass, &job, data, &alone);
    Model *m = pass.model;
    const double h = REAL_EPSILON < 1e-10 ? 1e-4 : 1e-2, bound = REAL_EPSILON < 1e-10 ? 1e-6 : 5e-2;
    double differ = 0, size = 0;
    EXPECT(param_size(&m->table.at[0]) == 2 * numbers, "numbers of fixed inputs");
    gates(&pass.batch, 1);
    pass.batch.gate[1] = 0;
    for (int piece = 0; piece < 2; piece++) {
        m->cache_bytes = piece ? 0 : INT64_MAX;
        pass_gradient(&pass, SAMPLES);
        for (int number = 0; number < 2 * numbers + k_scalars; number++) {
            int64_t i = number < 2 * numbers ? number : m->table.at[1].offset + number - 2 * numbers;
            double got = (double)m->grad[i], want = slope(&pass, i, h);
            differ += (got - want) * (got - want);
            size += want * want;
        }
        EXPECT(size > 0 && sqrt(differ / size) < bound, "kind %d: gradient of fixed inputs is off by %g", (int)kind,
               sqrt(differ / size));
    }
    pass_free(&pass);
    procgrid_free(&alone);
}

/* <dout, J din> = <J^T dout, din>, and the FLOP that both directions make are those that were promised. */
static void adjoint(const TrainData *data, bool want_inputs) {
    TrainJob job = fixed_job(data, 2, FIXED_FREE);
    ProcGrid grid = procgrid_new(comm_world(), 1, comm_size(comm_world()));
    Pass pass;
    pass_new(&pass, &job, data, &grid);
    Model *m = pass.model;
    const ModelShape *s = &m->shape;
    const Packed *seqs = &pass.batch.scenes.seqs;
    int64_t n = seqs->start[SAMPLES], mv = PGA * n * s->in_mv, scalars = n * s->in_s, out = PGA * n * s->out_mv;
    Tensors din = {.mv = MEM_NEW(real, mv), .s = MEM_NEW(real, scalars)}, none = {0};
    real *step_mv = MEM_NEW(real, mv), *step_s = MEM_NEW(real, scalars);
    job.kind->embed(pass.in, &pass.batch.scenes, s);
    for (int64_t i = 0; i < mv; i++) step_mv[i] = (real)rng_normal(1, 2, (uint64_t)i);
    for (int64_t i = 0; i < scalars; i++) step_s[i] = (real)rng_normal(1, 3, (uint64_t)i);
    for (int64_t i = 0; i < out; i++) pass.dout.mv[i] = (real)rng_normal(1, 4, (uint64_t)i);
    m->block_ready = NULL;
    int64_t before = flops_counted();
    model_forward(m, pass.out, pass.in, seqs);
    model_backward(m, want_inputs ? din : none, pass.dout, seqs);
    double counted = (double)(flops_counted() - before);
    comm_sum_f64(comm_world(), &counted, 1);
    ModelWork work = job.kind->work(s, comm_size(comm_world()), want_inputs);
    double promised = model_flops(&work, seqs).executed;
    EXPECT(counted == promised, "executed FLOP %.0f, counted %.0f", promised, counted);
    const real h = REAL_EPSILON < 1e-10 ? 1e-5 : 3e-3;
    double forward = 0, backward = 0;
    for (int side = 1; side >= -1; side -= 2) {
        for (int64_t i = 0; i < mv; i++) pass.in.mv[i] += (real)(side == 1 ? 1 : -2) * h * step_mv[i];
        for (int64_t i = 0; i < scalars; i++) pass.in.s[i] += (real)(side == 1 ? 1 : -2) * h * step_s[i];
        model_forward(m, pass.out, pass.in, seqs);
        for (int64_t i = 0; i < out; i++)
            forward += side * (double)pass.out.mv[i] * (double)pass.dout.mv[i] / (2 * (double)h);
    }
    for (int64_t i = 0; i < mv; i++) backward += (double)din.mv[i] * (double)step_mv[i];
    for (int64_t i = 0; i < scalars; i++) backward += (double)din.s[i] * (double)step_s[i];
    double bound = REAL_EPSILON < 1e-10 ? 1e-6 : 2e-2;
    if (want_inputs) EXPECT(fabs(forward / backward - 1) < bound, "adjoint: %g, %g", forward, backward);
    mem_free(din.mv);
    mem_free(din.s);
    mem_free(step_mv);
    mem_free(step_s);
    pass_free(&pass);
    procgrid_free(&grid);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    for (int variant = 0; variant < 4; variant++) {
        place = variant % 2 ? FIXED_TOKENS : FIXED_CHANNELS;
        k_scalars = variant / 2 ? 2 : 0;
        none(&data);
        motions(&data);
        stream(&data);
        if (place == FIXED_CHANNELS) measured_gates(&data);
        told(&data, FIXED_DIRECTION);
        told(&data, FIXED_PLANE);
        gradient(&data, FIXED_FREE, 16);
        gradient(&data, FIXED_DIRECTION, 3);
        gradient(&data, FIXED_PLANE, 4);
        adjoint(&data, false);
        adjoint(&data, true);
    }
    dataset_close(dataset);
    return test_end();
}
