// TEST double n=1,2
// TEST single n=2
/* Augerino: widths of 0 are the plain arm to the bit; the derivative of the exponential, of the loss by motions of a batch and
 * by widths; the penalty; widths that do not depend on ranks. */
#include "token_model.h"

#include "train/augerino.h"
#include "train/forecast.h"

static const SampleStream samples = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};

static TrainJob augerino_job(const TrainData *data, OptionRoom *room, const char *text) {
    TrainJob job = fixture_job(&transformer_kind, &procedure_augerino, data, 1e-2);
    char all[256];
    snprintf(all, sizeof all, "-augerino_rotations 0.7 -augerino_shifts 0.3 -augerino_others 0.3 %s", text);
    *room = fixture_keys(&procedure_augerino, all);
    job.procedure_options = room;
    return job;
}

/* d/dw of <field of B, (M, m)> where f(g) = <c, g> is linear in the 12 numbers of the motion: field = c g^T. */
static void exponential(void) {
    const double h = 1e-5;
    double c[12], w[12], got[12], field[12] = {0}, worst = 0, size = 0;
    for (int i = 0; i < 12; i++) {
        c[i] = rng_normal(1, 1, (uint64_t)i);
        w[i] = 0.7 * rng_normal(1, 2, (uint64_t)i);
    }
    Motion g = motion_exp(w, 1);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            for (int k = 0; k < 3; k++) field[3 * i + j] += c[3 * i + k] * g.a[3 * j + k];
            field[3 * i + j] += c[9 + i] * g.s[j];
        }
        field[9 + i] = c[9 + i];
    }
    motion_exp_gradient(got, w, field);
    for (int k = 0; k < 12; k++) {
        double value[2], at = w[k];
        for (int side = 0; side < 2; side++) {
            w[k] = at + (side ? -h : h);
            Motion moved = motion_exp(w, 1);
            value[side] = 0;
            for (int i = 0; i < 9; i++) value[side] += c[i] * moved.a[i];
            for (int i = 0; i < 3; i++) value[side] += c[9 + i] * moved.s[i];
        }
        w[k] = at;
        double want = (value[0] - value[1]) / (2 * h);
        worst = fmax(worst, fabs(got[k] - want));
        size = fmax(size, fabs(want));
    }
    EXPECT(worst < 1e-8 * size, "derivative of the exponential is off by %g of %g", worst, size);
}

static double loss_at(Pass *pass, const TrainData *data, const double w[12], int n) {
    Motion view = motion_exp(w, 1);
    batch_clear(&pass->batch, data);
    for (int i = 0; i < n; i++) batch_add(&pass->batch, data, &samples, i, &view, 1);
    pass_predict(pass, &pass->batch.scenes);
    return pass_loss(pass) / n;
}

static void motions(const TrainData *data) {
    enum { N = 3 };
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    const double h = REAL_EPSILON < 1e-10 ? 1e-5 : 1e-2;
    double w[12], got[12] = {0}, differ = 0, size = 0;
    Pass pass;
    InputGradient inputs;
    pass_init(&pass, job.kind, &job.shape, 7, N, data, &alone);
    Arena count = arena_count();
    pass_inputs_layout(&inputs, &pass, &count);
    Arena arena = arena_new(count.peak);
    pass_inputs_layout(&inputs, &pass, &arena);
    for (int k = 0; k < 12; k++) w[k] = 0.3 * rng_normal(2, 2, (uint64_t)k);
    loss_at(&pass, data, w, N);
    pass.inputs = &inputs;
    pass_gradient(&pass, N);
    for (int q = 0; q < N; q++) {
        double field[12], along[12];
        pass_field(field, &pass, q);
        motion_exp_gradient(along, w, field);
        for (int k = 0; k < 12; k++) got[k] += along[k];
    }
    pass.inputs = NULL;
    for (int k = 0; k < 12; k++) {
        double at = w[k];
        w[k] = at + h;
        double above = loss_at(&pass, data, w, N);
        w[k] = at - h;
        double want = (above - loss_at(&pass, data, w, N)) / (2 * h);
        w[k] = at;
        differ += (got[k] - want) * (got[k] - want);
        size += want * want;
    }
    double error = sqrt(differ / size);
    EXPECT(size > 0 && error < (REAL_EPSILON < 1e-10 ? 1e-6 : 2e-2), "gradient by motions is off by %g", error);
    arena_free(&arena);
    pass_free(&pass);
    procgrid_free(&alone);
}

static double loss_of_widths(const TrainData *data, const char *text) {
    enum { N = 4 };
    OptionRoom room;
    TrainJob job = augerino_job(data, &room, text);
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    ProcedureRun run;
    pass_init(&pass, job.kind, &job.shape, 7, N, data, &alone);
    procedure_start(&run, job.procedure, &room, &samples, &pass);
    procedure_fill(&run, &pass.batch, 0, N);
    pass_predict(&pass, &pass.batch.scenes);
    double loss = pass_loss(&pass) / N;
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&alone);
    return loss;
}

/* The loss by widths, those of three generators at a time, by central differences: draws of motions come in. */
static void widths(const TrainData *data) {
    enum { N = 4, GROUPS = 3 };
    static const char *const group[GROUPS] = {"rotations", "others", "shifts"};
    static const int first[GROUPS + 1] = {0, 3, 9, 12};
    static const double width[GROUPS] = {0.7, 0.3, 0.3};
    const double h = REAL_EPSILON < 1e-10 ? 1e-5 : 1e-2, bound = REAL_EPSILON < 1e-10 ? 1e-6 : 2e-2;
    OptionRoom room;
    TrainJob job = augerino_job(data, &room, "");
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    double dw[12];
    Pass pass;
    ProcedureRun run;
    pass_init(&pass, job.kind, &job.shape, 7, N, data, &alone);
    procedure_start(&run, job.procedure, &room, &samples, &pass);
    procedure_fill(&run, &pass.batch, 0, N);
    job.procedure->before_gradient(&run, &pass);
    pass_gradient(&pass, N);
    augerino_gradient(dw, &run, &pass);
    for (int g = 0; g < GROUPS; g++) {
        double got = 0, loss[2];
        for (int k = first[g]; k < first[g + 1]; k++) got += dw[k];
        for (int side = 0; side < 2; side++) {
            char text[64];
            snprintf(text, sizeof text, "-augerino_%s %.17g", group[g], width[g] + (side ? -h : h));
            loss[side] = loss_of_widths(data, text);
        }
        double want = (loss[0] - loss[1]) / (2 * h);
        EXPECT(fabs(got / want - 1) < bound, "widths of %s: gradient %g, want %g", group[g], got, want);
    }
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&alone);
}

static void penalty(void) {
    double width[12] = {3, 4}, dw[12];
    augerino_penalty(dw, width, 0.1, 10);
    EXPECT(fabs(dw[0] + 0.06) < 1e-15 && fabs(dw[1] + 0.08) < 1e-15 && dw[2] == 0, "penalty %g %g", dw[0], dw[1]);
    width[2] = 10;
    augerino_penalty(dw, width, 0.1, 10);
    for (int k = 0; k < 12; k++) EXPECT(dw[k] == 0, "no penalty once a width is at the cap: %g", dw[k]);
}

static void cells(const TrainData *data) {
    OptionRoom room, zero;
    TrainJob plain = fixture_job(&transformer_kind, &procedure_plain, data, 1e-2);
    TrainJob still = augerino_job(data, &zero, "-augerino_rotations 0 -augerino_shifts 0 -augerino_others 0");
    EXPECT(fixture_same_theta(&still, &plain, data), "widths of 0 are the plain arm");
    TrainJob job = augerino_job(data, &room, "-augerino_rate 0.05");
    EXPECT(!fixture_same_theta(&job, &plain, data), "other widths are not");
    CurvePoint curve[FIXTURE_POINTS] = {0}, split[FIXTURE_POINTS] = {0};
    CellRecord record = {0}, again = {0};
    fixture_train(curve, &record, &job, data, 1, 1);
    const double *w = curve[record.curve_points - 1].procedure;
    EXPECT(record.outcome == OUTCOME_DONE && record.loss < record.loss_initial, "learns");
    EXPECT(strstr(record.numbers, "rotation_x") && strstr(record.numbers, "shift_z"), "names %s", record.numbers);
    for (int k = 0; k < 12; k++) EXPECT(fabs(w[k] / (k < 3 ? 0.7 : 0.3) - 1) > 1e-3, "width %d moves: %g", k, w[k]);
    ModelWork with = job.kind->work(&job.shape, 1, true), without = job.kind->work(&job.shape, 1, false);
    double ratio = forecast_flops(&job, &fixture_options, data, 1).executed /
                   forecast_flops(&plain, &fixture_options, data, 1).executed;
    EXPECT(ratio > 1 && ratio <= with.token.executed / without.token.executed,
           "executed FLOP are %g of the plain arm's", ratio);
    if (comm_size(comm_world()) < 2) return;
    fixture_train(split, &again, &job, data, 2, 1);
    for (int k = 0; k < 12; k++) {
        double same = split[again.curve_points - 1].procedure[k];
        EXPECT(fabs(same / w[k] - 1) < (REAL_EPSILON < 1e-10 ? 1e-9 : 1e-3), "width %d on two ranks: %g, %g", k, same,
               w[k]);
    }
}

/* ---- The mean over moved copies. ---- */

enum { HELD_OUT = 6, COPIES = 3 };

/* Loss of the mean over copies, from samples that are assembled under each motion, one at a time. */
static double mean_of_copies(Pass *pass, const ProcedureRun *run, const TrainData *data) {
    const SampleStream stream = {.range = SAMPLES_TEST};
    const Motion as_it_is = motion_identity();
    double total = 0, *mean = MEM_NEW(double, 3 * pass->batch.max_tokens);
    for (int i = 0; i < HELD_OUT; i++) {
        memset(mean, 0, (size_t)(3 * pass->batch.max_tokens) * sizeof *mean);
        for (int m = 0; m < COPIES; m++) {
            Motion g = augerino_motion(run, i, m), back = motion_inverse(&g);
            batch_clear(&pass->batch, data);
            batch_add(&pass->batch, data, &stream, i, &g, 1);
            pass_predict(pass, &pass->batch.scenes);
            for (int64_t t = 0; t < pass->batch.start[1]; t++) {
                double x[3];
                for (int k = 0; k < 3; k++) x[k] = (double)pass->prediction[3 * t + k];
                act_vector(x, x, &back);
                for (int k = 0; k < 3; k++) mean[3 * t + k] += x[k] / COPIES;
            }
        }
        batch_clear(&pass->batch, data);
        batch_add(&pass->batch, data, &stream, i, &as_it_is, 1);
        for (int64_t k = 0; k < 3 * pass->batch.start[1]; k++) {
            double error = mean[k] - (double)pass->batch.target[k];
            total += error * error * (double)pass->batch.weight[0] / HELD_OUT;
        }
    }
    mem_free(mean);
    return total;
}

static MeasureSink copies_of(const TrainData *data, const ProcGrid *grid, const char *text, double *brute) {
    static const int64_t copies = COPIES;
    OptionRoom room;
    TrainJob job = augerino_job(data, &room, text);
    const MeasureChoice choice = {
        .n = 1, .at = {{&measure_augerino, &copies}}, .common = {.samples = HELD_OUT, .motions = 2}};
    Pass pass;
    ProcedureRun run;
    MeasureBench bench;
    MeasureSink found = {0};
    pass_init(&pass, job.kind, &job.shape, 7, HELD_OUT, data, grid);
    procedure_start(&run, job.procedure, &room, &samples, &pass);
    measure_start(&bench, &choice, &pass, INFINITY);
    measure_run(&found, &bench, 1);
    EXPECT(found.n == 0, "a model that augerino has not trained has %lld rows", (long long)found.n);
    measure_procedure(&bench, &run);
    measure_run(&found, &bench, 1);
    if (brute) *brute = mean_of_copies(&pass, &run, data);
    measure_end(&bench);
    procedure_end(&run);
    pass_free(&pass);
    return found;
}

static void copies(const TrainData *data) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1), grid = procgrid_new(comm_world(), comm_size(comm_world()), 1);
    const double bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4;
    double brute;
    MeasureSink found = copies_of(data, &alone, "", &brute), split = copies_of(data, &grid, "", NULL);
    double averaged = row_of(&found, -1, "averaged")->value, single = row_of(&found, -1, "single")->value;
    EXPECT(fabs(averaged / brute - 1) < bound, "mean over copies: loss %g, one by one %g", averaged, brute);
    EXPECT(fabs(averaged / single - 1) > 1e-4, "loss of the mean %g, of one %g", averaged, single);
    EXPECT(fabs(row_of(&split, -1, "averaged")->value / averaged - 1) < bound, "over dp");
    mem_free(split.row);
    mem_free(found.row);
    found = copies_of(data, &alone, "-augerino_rotations 0 -augerino_shifts 0 -augerino_others 0", NULL);
    averaged = row_of(&found, -1, "averaged")->value;
    single = row_of(&found, -1, "single")->value;
    EXPECT(fabs(averaged / single - 1) < bound, "widths of 0: loss of the mean %g, of one %g", averaged, single);
    EXPECT(row_of(&found, -1, "asymmetry")->value < bound * bound, "widths of 0: spread");
    mem_free(found.row);
    procgrid_free(&grid);
    procgrid_free(&alone);
}

/* f = W in two dimensions, averaged over turns by U(-w/2, w/2): the part that commutes with turns stays, the rest, which
 * turns twice as fast, falls to sin(w)/w of it. By Gauss-Legendre quadrature, exact here to rounding. */
static void averages(void) {
    static const double width[2] = {2, 3.14159265358979323846}, want[2] = {0.45464871341284085, 0};
    const double rest[4] = {0.7, -0.4, -0.4, -0.7}, node = sqrt(0.6);
    for (int c = 0; c < 2; c++) {
        enum { PIECES = 200 };
        double mean[4] = {0}, commuting[4] = {0};
        for (int k = 0; k < 3 * PIECES; k++) {
            double weight[3] = {5 / 18.0, 8 / 18.0, 5 / 18.0}, at[3] = {-node, 0, node};
            double angle = width[c] * ((k / 3 + (1 + at[k % 3]) / 2) / PIECES - 0.5);
            const double w12[MOTION_GENERATORS] = {0, 0, sqrt(2)};
            Motion g = motion_exp(w12, angle);
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++)
                    for (int p = 0; p < 2; p++)
                        for (int q = 0; q < 2; q++) { /* g^-1 W g */
                            double turned = g.a[3 * p + i] * g.a[3 * q + j] * weight[k % 3] / PIECES;
                            mean[2 * i + j] += turned * rest[2 * p + q];
                            commuting[2 * i + j] += turned * (p == q);
                        }
        }
        for (int i = 0; i < 4; i++) {
            EXPECT(fabs(mean[i] - want[c] * rest[i]) < 1e-12, "w = %g: %g, want %g", width[c], mean[i],
                   want[c] * rest[i]);
            EXPECT(fabs(commuting[i] - (i % 3 == 0)) < 1e-12, "what commutes stays");
        }
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    exponential();
    motions(&data);
    widths(&data);
    penalty();
    copies(&data);
    averages();
    cells(&data);
    dataset_close(dataset);
    return test_end();
}
