// TEST double n=1,2,4
// TEST single n=2
/* Training: the loss of a cell does not depend on its layout; batches on nothing but seed and position; augmentation is
 * an isometry; a diverging cell is recorded as one; forecasts of memory are what is taken; steps of the
 * optimiser are those of its definition. */
#include "fixture.h"

#include "train/forecast.h"
#include "train/optim.h"

enum { POINTS = FIXTURE_POINTS };

static void layouts(const ModelKind *kind, const Procedure *procedure, const TrainData *data) {
    static const int layout[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}};
    CurvePoint serial[POINTS] = {0};
    CellRecord first = {0};
    TrainJob job = fixture_job(kind, procedure, data, 1e-2);
    double worst = 0, bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4;
    for (int l = 0; l < 6 && layout[l][0] * layout[l][1] <= comm_size(comm_world()); l++) {
        CurvePoint curve[POINTS] = {0};
        CellRecord record = {0};
        if (!fixture_splits(&job, layout[l][1])) continue;
        fixture_train(curve, &record, &job, data, layout[l][0], layout[l][1]);
        EXPECT(record.outcome == OUTCOME_DONE && record.curve_points == 4, "outcome %lld, %lld points",
               (long long)record.outcome, (long long)record.curve_points);
        if (l == 0) {
            memcpy(serial, curve, sizeof serial);
            first = record;
            EXPECT(record.loss < record.loss_initial, "%s learns: %g -> %g", kind->name, record.loss_initial,
                   record.loss);
            continue;
        }
        for (int p = 0; p < 4; p++) {
            worst = fmax(worst, fabs(curve[p].loss / serial[p].loss - 1));
            worst = fmax(worst, fabs(curve[p].train_loss / serial[p].train_loss - 1));
        }
        EXPECT(worst <= bound, "%s %d x %d differs by %g", kind->name, layout[l][0], layout[l][1], worst);
        EXPECT(record.tokens == first.tokens && record.parameters == first.parameters, "tokens, parameters");
        EXPECT(fabs(record.compute[CURRENCY_NOMINAL] / first.compute[CURRENCY_NOMINAL] - 1) < 1e-12,
               "nominal FLOP %g %g", record.compute[CURRENCY_NOMINAL], first.compute[CURRENCY_NOMINAL]);
    }
    if (comm_rank(comm_world()) == 0) printf("measured %s: layouts differ by %.1e\n", kind->name, worst);
}

static void diverges(const TrainData *data) {
    CurvePoint curve[POINTS] = {0};
    CellRecord record = {0};
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, data, 1e30);
    fixture_train(curve, &record, &job, data, 1, 1);
    EXPECT(record.outcome == OUTCOME_DIVERGED && isnan(record.loss), "outcome %lld, loss %g", (long long)record.outcome,
           record.loss);
}

static double squared_length(const real *x) {
    return (double)x[0] * x[0] + (double)x[1] * x[1] + (double)x[2] * x[2];
}

static const SampleStream samples = {SAMPLES_TRAIN, 4, 9};

static void fill(Batch *batch, const Procedure *procedure, const TrainData *data, int64_t first, int n) {
    ProcedureRun run;
    Pass pass = {.data = data};
    procedure_start(&run, procedure, NULL, &samples, &pass);
    procedure_fill(&run, batch, first, n);
    procedure_end(&run);
}

static void batches(const TrainData *data) {
    Batch whole = {0}, part = {0};
    Arena count = arena_count();
    batch_layout(&whole, data, 12, &count);
    batch_layout(&part, data, 5, &count);
    Arena arena = arena_new(count.peak);
    batch_layout(&whole, data, 12, &arena);
    batch_layout(&part, data, 5, &arena);
    const Procedure *one_view[] = {&procedure_plain, &procedure_augmented};
    for (int p = 0; p < 2; p++) {
        fill(&whole, one_view[p], data, 100, 12);
        fill(&part, one_view[p], data, 104, 5);
        int64_t tokens = part.start[5], at = whole.start[4];
        EXPECT(whole.start[9] - at == tokens, "a part of a batch has the same samples");
        EXPECT(!memcmp(part.position, whole.position + 3 * at, (size_t)(3 * tokens) * sizeof(real)), "positions");
        EXPECT(!memcmp(part.target, whole.target + 3 * at, (size_t)(3 * tokens) * sizeof(real)), "targets");
    }
    fill(&whole, &procedure_plain, data, 0, 5);
    fill(&part, &procedure_augmented, data, 0, 5);
    double worst = 0, turned = 0;
    for (int64_t t = 0; t < part.start[5]; t++) {
        worst = fmax(worst, fabs(squared_length(whole.position + 3 * t) - squared_length(part.position + 3 * t)));
        worst = fmax(worst, fabs(squared_length(whole.target + 3 * t) - squared_length(part.target + 3 * t)));
        turned = fmax(turned, fabs((double)(whole.position[3 * t] - part.position[3 * t])));
    }
    EXPECT(worst < 1e4 * REAL_EPSILON && turned > 0.1, "augmentation keeps lengths (%g) and turns (%g)", worst, turned);

    /* An epoch visits every sample once: 4 trajectories, so the mean of a linear quantity is that of the next epoch. */
    double sums[2] = {0};
    int64_t epoch = 4 * (dataset_frames(data->dataset) - 2);
    for (int e = 0; e < 2; e++)
        for (int64_t i = 0; i < epoch; i++) {
            batch_fill(&part, data, &samples, e * epoch + i, 1);
            for (int64_t t = 0; t < part.start[1]; t++) sums[e] += squared_length(part.target + 3 * t);
        }
    EXPECT(fabs(sums[0] / sums[1] - 1) < 1e3 * REAL_EPSILON, "epochs %g %g", sums[0], sums[1]);
    arena_free(&arena);
}

/* What a forecast says is what is taken: of the dataset in memory, and of a model with its buffers and moments. */
static void memory(const TrainData *data) {
    size_t before = mem_live();
    Dataset *again;
    Err err = dataset_open(&again, test_file("data.h5"), comm_self(), INT64_MAX);
    CHECK(!err.code, "%s", err.text);
    double took = (double)(mem_live() - before);
    int64_t n = dataset_size(again), many = 1000 * n;
    double said = (double)dataset_bytes(again, n, dataset_frames(again), INT64_MAX),
           each = said - (double)dataset_bytes(again, 0, dataset_frames(again), INT64_MAX);
    EXPECT(fabs(took / said - 1) < 0.05, "dataset: %.0f bytes taken, %.0f forecast", took, said);
    double whole = (double)dataset_bytes(again, many, dataset_frames(again), INT64_MAX),
           demand = (double)dataset_bytes(again, many, dataset_frames(again), 1 << 20);
    EXPECT(fabs((whole - said) / each - 999) < 1, "a thousand times it takes %.0f bytes", whole);
    EXPECT(demand > 1 << 20 && demand < whole / 2, "read on demand: %.0f bytes of %.0f", demand, whole);
    dataset_close(again);

    /* Ranks of a node share it: each is told its part, and has little beside it. */
    before = mem_live();
    err = dataset_open(&again, test_file("data.h5"), comm_world(), INT64_MAX);
    CHECK(!err.code, "%s", err.text);
    double part = (double)dataset_bytes(again, n, dataset_frames(again), INT64_MAX), ranks = comm_size(comm_world());
    took = (double)(mem_live() - before);
    if (ranks > 1)
        EXPECT(took < said / 2 && part < said && part > said / ranks,
               "of %.0f bytes %.0f on each of %.0f ranks, %.0f beside", said, part, ranks, took);
    dataset_close(again);

    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    for (int k = 0; k < n_model_kinds; k++) {
        TrainJob job = fixture_job(model_kinds[k], &procedure_plain, data, 1e-2);
        Pass pass;
        before = mem_live();
        pass_init(&pass, job.kind, &job.shape, 1, (int)fixture_options.batch, data, &alone);
        Optim *optim = optim_new(&pass.model->table, &alone, false);
        took = (double)(mem_live() - before);
        said = (double)forecast_bytes(&job, &fixture_options, data, 1, 1);
        EXPECT(fabs(took / said - 1) < 0.01, "%s: %.0f bytes taken, %.0f forecast", job.kind->name, took, said);
        TrainData loaded = *data;
        loaded.dataset_bytes = 12345678;
        said = (double)forecast_bytes(&job, &fixture_options, &loaded, 1, 1) - said;
        EXPECT(said == 12345678, "the dataset is counted: %.0f", said);
        optim_free(optim);
        pass_free(&pass);
    }
    procgrid_free(&alone);
}

/* A batch in pieces has the loss and the gradient of the whole, and one that the caches hold is one piece. */
static void pieces(const TrainData *data) {
    enum { SEQUENCES = 12 };
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    TrainJob job = fixture_job(&gatr_kind, &procedure_plain, data, 1e-2);
    Pass pass;
    pass_init(&pass, job.kind, &job.shape, 1, SEQUENCES, data, &alone);
    batch_fill(&pass.batch, data, &samples, 0, SEQUENCES);
    Model *m = pass.model;
    const Packed *seqs = &pass.batch.scenes.seqs;
    m->cache_bytes = INT64_MAX;
    EXPECT(model_piece(m, seqs, 0) == SEQUENCES, "one piece where the caches hold all");
    double loss = pass_gradient(&pass, SEQUENCES);
    real *whole = MEM_NEW(real, m->table.local);
    memcpy(whole, m->grad, (size_t)m->table.local * sizeof *whole);
    m->cache_bytes = 0;
    int n = model_piece(m, seqs, 0);
    EXPECT(n > 0 && n < SEQUENCES, "%d sequences in the first piece", n);
    double again = pass_gradient(&pass, SEQUENCES);
    EXPECT(!memcmp(whole, m->grad, (size_t)m->table.local * sizeof *whole), "the gradient of the pieces");
    EXPECT(again == loss, "loss %g in pieces, %g", again, loss);
    mem_free(whole);
    pass_free(&pass);
    procgrid_free(&alone);
}

/* ---- The optimiser, against its definition in double precision. ---- */

static void fill_table(ParamTable *t) {
    const Axis split[] = {axis_split(12), axis_plain(300)};
    param_add(t, 0, split, 2, NULL, false, param_uniform(1), "split");
    param_add(t, 1, split + 1, 1, NULL, false, param_uniform(1), "whole");
}

/* One step of the reference; returns the norm. state: parameters, first and second moments (n each). */
static double step_ref(double *state, const double *g, int64_t n, int step, double lr, const OptimSettings *o) {
    double *p = state, *m = state + n, *v = state + 2 * n, norm = 0;
    for (int64_t i = 0; i < n; i++) norm += g[i] * g[i];
    norm = sqrt(norm);
    double clip = fmin(1, o->max_grad_norm / (norm + 1e-6));
    for (int64_t i = 0; i < n; i++) {
        m[i] = o->beta1 * m[i] + (1 - o->beta1) * clip * g[i];
        v[i] = o->beta2 * v[i] + (1 - o->beta2) * clip * g[i] * clip * g[i];
        double mean = m[i] / (1 - pow(o->beta1, step)), square = v[i] / (1 - pow(o->beta2, step));
        p[i] -= lr * (o->weight_decay * p[i] + mean / (sqrt(square) + o->epsilon));
    }
    return norm;
}

/* The local part of a vector over both tensors, in the order of their elements. */
static void local_part(real *out, const ParamTable *table, const double *whole) {
    param_take(out, table, &table->at[0], whole);
    param_take(out, table, &table->at[1], whole + param_size(&table->at[0]));
}

/* Gradients above and below the limit, one that is not finite, and steps of an optimiser that takes over from another. */
static void optimiser(int dp, int tp, bool sharded) {
    enum { STEPS = 4 };
    static const OptimSettings settings = {
        .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-3, .weight_decay = 0.2, .max_grad_norm = 2};
    static const double size[STEPS] = {10, 1e-3, 0.02, 5}, lr = 0.05;
    ProcGrid grid = procgrid_new(comm_world(), dp, tp);
    ParamTable table = param_table_new(tp, comm_rank(grid.tp));
    fill_table(&table);
    int64_t n = param_size(&table.at[0]) + param_size(&table.at[1]);
    double *state = MEM_NEW(double, 3 * n), *g = MEM_NEW(double, n), worst = 0;
    real *theta = MEM_NEW(real, table.local), *grad = MEM_NEW(real, table.local), *want = MEM_NEW(real, table.local);
    for (int64_t i = 0; i < n; i++) state[i] = (double)(real)rng_normal(1, 0, (uint64_t)i);
    local_part(theta, &table, state);
    Optim *optim = optim_new(&table, &grid, sharded);
    for (int k = 0; k < STEPS; k++) {
        for (int64_t i = 0; i < n; i++) g[i] = (double)(real)(size[k] * rng_normal(2, (uint64_t)k, (uint64_t)i));
        local_part(grad, &table, g);
        double norm = optim_step(optim, theta, grad, lr, &settings);
        double norm_ref = step_ref(state, g, n, k + 1, lr, &settings);
        EXPECT(fabs(norm / norm_ref - 1) < 10 * REAL_EPSILON, "norm %g: want %g", norm, norm_ref);
        local_part(want, &table, state);
        for (int64_t i = 0; i < table.local; i++) worst = fmax(worst, fabs((double)theta[i] - (double)want[i]));
        Optim *next = optim_new(&table, &grid, sharded);
        OptimMoments from = optim_moments(optim), to = optim_moments(next);
        memcpy(to.m, from.m, (size_t)from.count * sizeof(real));
        memcpy(to.v, from.v, (size_t)from.count * sizeof(real));
        optim_resume(next, k + 1);
        optim_free(optim);
        optim = next;
        memcpy(want, theta, (size_t)table.local * sizeof(real));
        grad[0] = NAN;
        norm = optim_step(optim, theta, grad, lr, &settings);
        EXPECT(isnan(norm) && !memcmp(want, theta, (size_t)table.local * sizeof(real)), "a gradient of norm %g", norm);
    }
    EXPECT(worst < 1e2 * REAL_EPSILON, "%d x %d: parameters differ by %g", dp, tp, worst);
    optim_free(optim);
    mem_free(state), mem_free(g), mem_free(theta), mem_free(grad), mem_free(want);
    param_table_free(&table);
    procgrid_free(&grid);
}

/* A rise to the peak within the warm-up, its last step at the peak, and half a cosine down to the last step. */
static void schedules(void) {
    const struct {
        int64_t step, steps;
        double warmup, final, want;
    } at[] = {{0, 200, 0.05, 0.1, 0.1},    {8, 200, 0.05, 0.1, 0.9},   {9, 200, 0.05, 0.1, 1},
              {104, 200, 0.05, 0.1, 0.55}, {199, 200, 0.05, 0.1, 0.1}, {0, 4, 0, 0, 0.5 + 0.5 * M_SQRT1_2},
              {1, 4, 0, 0, 0.5},           {0, 1, 0, 0.2, 0.2},        {0, 1, 1, 0.2, 1}};
    for (int i = 0; i < (int)(sizeof at / sizeof *at); i++) {
        double found = optim_schedule(at[i].step, at[i].steps, at[i].warmup, at[i].final);
        EXPECT(fabs(found - at[i].want) < 1e-12, "step %lld of %lld: %g of the peak: want %g", (long long)at[i].step,
               (long long)at[i].steps, found, at[i].want);
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data;
    TrainDataPlan plan = fixture_plan;
    plan.train_max = 100;
    EXPECT(train_data_init(&data, dataset, &plan).code == EXIT_USER, "too few trajectories are refused");
    data = fixture_data(dataset);

    int ranks = comm_size(comm_world());
    optimiser(ranks, 1, false);
    optimiser(ranks, 1, true);
    optimiser(1, ranks, false);
    schedules();
    batches(&data);
    for (int k = 0; k < n_model_kinds; k++)
        layouts(model_kinds[k], k == 0 ? &procedure_augmented : &procedure_plain, &data);
    diverges(&data);
    memory(&data);
    pieces(&data);
    dataset_close(dataset);
    return test_end();
}
