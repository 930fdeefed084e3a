// TEST double n=1,2,4
// TEST single n=3,4
/* Ways to train one cell. Reproducible: losses, norms and parameters are the same bits for every dp, after a restart on another
 * dp too. In small batches whose gradients add up: to rounding the same. What does not go together is refused. */
#include "fixture.h"

#include "io/checkpoint.h"
#include "train/forecast.h"

enum { LAYOUTS = 7 };
static const int layout[LAYOUTS][2] = {{1, 1}, {2, 1}, {1, 2}, {3, 1}, {2, 2}, {4, 1}, {1, 4}};

/* What a cell ends with: losses, and all parameters in the order of the table. */
typedef struct Ending {
    CellRecord record;
    CurvePoint curve[FIXTURE_POINTS];
    int64_t n;
    real *theta; /* mem_free it */
} Ending;

static TensorShape shape_of(const Param *p) {
    TensorShape shape = {.name = p->name, .axes = p->axes};
    for (int a = 0; a < p->axes; a++) shape.size[a] = axis_size(&p->axis[a], 1);
    return shape;
}

/* From the file of weights, on the root of the world. */
static void read_weights(Ending *end, const TrainJob *job) {
    Checkpoint file;
    ParamTable table = param_table_new(1, 0);
    job->kind->params(&table, &job->shape);
    Err err = checkpoint_open(&file, test_file("weights.h5"), CHECKPOINT_WEIGHTS);
    CHECK(!err.code, "%s", err.text);
    end->theta = MEM_NEW(real, table.global);
    for (int t = 0; t < table.n; t++) {
        TensorShape shape = shape_of(&table.at[t]);
        err = checkpoint_take_tensor(&file, PART_PARAMETERS, &shape, end->theta + end->n);
        CHECK(!err.code, "%s", err.text);
        end->n += param_size(&table.at[t]);
    }
    checkpoint_close(&file);
    param_table_free(&table);
}

static bool stop_at_four(void *context, int64_t done, int64_t steps) {
    (void)steps;
    return *(const bool *)context && done == 4;
}

static Err accept(void *context, Results *found, const char *path) {
    (void)context, (void)found, (void)path;
    return ERR_NONE;
}

/* On the first dp x tp ranks; `keep`: with a checkpoint, from which it goes on where there is one; `stop`: after step 4. */
static Ending train(const TrainJob *job, const TrainData *data, const TrainOptions *options, const int dp_tp[2],
                    bool keep, bool stop) {
    Ending end = {0};
    bool root = comm_rank(comm_world()) == 0;
    TrainHooks hooks = {.step = stop_at_four,
                        .accept = accept,
                        .context = &stop,
                        .checkpoint = keep ? test_file("cell.checkpoint") : NULL,
                        .weights = test_file("weights.h5"),
                        .study = "test",
                        .provenance = ""};
    MeasureSink found = fixture_train_with(end.curve, &end.record, job, data, dp_tp[0], dp_tp[1], options, &hooks);
    mem_free(found.row);
    if (root && !stop) read_weights(&end, job);
    if (root && !stop) CHECK(!remove(test_file("weights.h5")), "weights");
    comm_barrier(comm_world());
    return end;
}

static bool same_curve(const Ending *a, const Ending *b) {
    bool same = a->record.loss == b->record.loss && a->record.loss_initial == b->record.loss_initial &&
                a->record.loss_error == b->record.loss_error &&
                a->record.validation_loss == b->record.validation_loss &&
                a->record.curve_points == b->record.curve_points && a->record.curve_points > 0;
    for (int p = 0; p < a->record.curve_points && same; p++)
        same = a->curve[p].loss == b->curve[p].loss && a->curve[p].train_loss == b->curve[p].train_loss;
    return same;
}

static bool same_bits(const Ending *a, const Ending *b) {
    return same_curve(a, b) && a->n == b->n && (!a->n || !memcmp(a->theta, b->theta, (size_t)a->n * sizeof *a->theta));
}

/* Largest relative difference of losses. */
static double difference(const Ending *a, const Ending *b) {
    double worst = 0;
    for (int p = 0; p < a->record.curve_points; p++) {
        worst = fmax(worst, fabs(a->curve[p].loss / b->curve[p].loss - 1));
        worst = fmax(worst, fabs(a->curve[p].train_loss / b->curve[p].train_loss - 1));
    }
    worst = fmax(worst, fabs(a->record.validation_loss / b->record.validation_loss - 1));
    return isfinite(worst) ? worst : INFINITY;
}

static bool there(int l, const TrainJob *job) {
    return layout[l][0] * layout[l][1] <= comm_size(comm_world()) && fixture_splits(job, layout[l][1]);
}

/* Batches of 8 and of 5 samples: dp that divide them, and others. */
static void reproducible(const ModelKind *kind, const Procedure *procedure, const void *keys, const TrainData *data) {
    TrainJob job = fixture_job(kind, procedure, data, 1e-2);
    TrainOptions options = fixture_options;
    job.procedure_options = keys;
    options.reproducible = true;
    for (options.batch = 5; options.batch <= 8; options.batch += 3) {
        Ending serial[2]; /* with tp 1 and 2 */
        memset(serial, 0, sizeof serial);
        for (int l = 0; l < LAYOUTS; l++) {
            int tp = layout[l][1];
            if (!there(l, &job) || tp > 2) continue;
            Ending end = train(&job, data, &options, layout[l], false, false);
            EXPECT(end.record.outcome == OUTCOME_DONE && end.record.loss < end.record.loss_initial, "%s learns",
                   kind->name);
            if (layout[l][0] == 1) {
                serial[tp - 1] = end;
                continue;
            }
            EXPECT(same_bits(&end, &serial[tp - 1]), "%s, batch %lld, %d x %d: loss %.17g, with dp 1 %.17g", kind->name,
                   (long long)options.batch, layout[l][0], tp, end.record.loss, serial[tp - 1].record.loss);
            mem_free(end.theta);
        }
        if (comm_size(comm_world()) >= 2) {
            checkpoint_remove(test_file("cell.checkpoint"));
            comm_barrier(comm_world());
            train(&job, data, &options, layout[1], true, true);
            Ending end = train(&job, data, &options, layout[0], true, false);
            EXPECT(end.record.attempts == 2 && same_bits(&end, &serial[0]),
                   "%s on one rank after two: loss %.17g, %.17g", kind->name, end.record.loss, serial[0].record.loss);
            mem_free(end.theta);
        }
        options.reproducible = false;
        Ending plain = train(&job, data, &options, layout[0], false, false);
        double off = difference(&plain, &serial[0]), bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4;
        EXPECT(off <= bound, "%s: not reproducible it differs by %g", kind->name, off);
        options.reproducible = true;
        mem_free(plain.theta);
        mem_free(serial[0].theta);
        mem_free(serial[1].theta);
    }
}

/* In batches of 1 to 3 samples. */
static void accumulates(const ModelKind *kind, const TrainData *data) {
    TrainJob job = fixture_job(kind, &procedure_augmented, data, 1e-2);
    TrainOptions options = fixture_options;
    double bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4, worst = 0;
    Ending serial = train(&job, data, &options, layout[0], false, false);
    int64_t before = forecast_bytes(&job, &options, data, 1, 1);
    for (options.micro_batch = 1; options.micro_batch <= 3; options.micro_batch++) {
        EXPECT(forecast_micro_batch(&job, &options, data, 1, 1) == options.micro_batch, "samples at once");
        EXPECT(forecast_bytes(&job, &options, data, 1, 1) < before, "%s takes less memory", kind->name);
        for (int l = 0; l < LAYOUTS; l++) {
            if (!there(l, &job)) continue;
            Ending end = train(&job, data, &options, layout[l], false, false);
            worst = fmax(worst, difference(&end, &serial));
            EXPECT(worst <= bound, "%s %d x %d by %lld samples differs by %g", kind->name, layout[l][0], layout[l][1],
                   (long long)options.micro_batch, worst);
            EXPECT(end.record.tokens == serial.record.tokens &&
                       fabs(end.record.compute[CURRENCY_NOMINAL] / serial.record.compute[CURRENCY_NOMINAL] - 1) < 1e-12,
                   "tokens, nominal FLOP");
            mem_free(end.theta);
        }
    }
    if (comm_rank(comm_world()) == 0) printf("measured %s: small batches differ by %.1e\n", kind->name, worst);
    mem_free(serial.theta);
}

/* Activations recomputed, moments sharded, both: each alone gives what the plain layout gives, in less memory; sharded
 * moments the same bits, and also after a restart in another layout. */
static void saves_memory(const ModelKind *kind, const TrainData *data) {
    TrainJob job = fixture_job(kind, &procedure_augmented, data, 1e-2);
    TrainOptions options = fixture_options;
    double bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4, worst = 0;
    job.shape.depth = 3; /* with one block nothing is saved */
    for (int l = 0; l < LAYOUTS; l++) {
        if (!there(l, &job)) continue;
        int dp = layout[l][0], tp = layout[l][1];
        job.sharded = job.shape.recompute = false;
        Ending plain = train(&job, data, &options, layout[l], false, false);
        int64_t before = forecast_bytes(&job, &options, data, dp, tp);
        for (int means = 1; means < 4; means++) {
            job.sharded = means % 2;
            job.shape.recompute = means / 2;
            if (job.shape.recompute && !kind->recomputes) continue;
            Ending end = train(&job, data, &options, layout[l], false, false);
            worst = fmax(worst, difference(&end, &plain));
            EXPECT(worst <= bound, "%s %d x %d, means %d: differs by %g", kind->name, dp, tp, means, worst);
            EXPECT(job.shape.recompute || same_bits(&end, &plain), "%s %d x %d, sharded: other bits", kind->name, dp,
                   tp);
            if (dp > 1 || job.shape.recompute)
                EXPECT(forecast_bytes(&job, &options, data, dp, tp) < before, "%s %d x %d, means %d: not less memory",
                       kind->name, dp, tp, means);
            mem_free(end.theta);
        }
        job.sharded = true;
        checkpoint_remove(test_file("cell.checkpoint"));
        comm_barrier(comm_world());
        train(&job, data, &options, layout[l], true, true);
        Ending end = train(&job, data, &options, layout[0], true, false);
        EXPECT(end.record.attempts == 2 && difference(&end, &plain) <= bound,
               "%s on one rank after %d x %d differs by %g", kind->name, dp, tp, difference(&end, &plain));
        mem_free(end.theta);
        mem_free(plain.theta);
    }
    if (comm_rank(comm_world()) == 0) printf("measured %s: recomputed it differs by %.1e\n", kind->name, worst);
}

static void refuses(void) {
    OptionRoom gradnorm = fixture_keys(&procedure_remul, "-remul_penalty gradnorm");
    TrainOptions options = fixture_options;
    EXPECT(!train_check(&options, &procedure_augerino, NULL, 1).code, "whole batches");
    options.micro_batch = 4;
    EXPECT(!train_check(&options, &procedure_plain, NULL, 1).code, "small batches");
    EXPECT(!train_check(&options, &procedure_augerino, NULL, 2).code, "all that a rank has");
    Err err = train_check(&options, &procedure_augerino, NULL, 1);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "train.micro_batch = 4"), "%s", err.text);
    err = train_check(&options, &procedure_remul, &gradnorm, 1);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "train.micro_batch = 4"), "%s", err.text);
    options.reproducible = true;
    err = train_check(&options, &procedure_plain, NULL, 1);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "train.micro_batch = 4"), "%s", err.text);
    options.micro_batch = 0;
    EXPECT(!train_check(&options, &procedure_plain, NULL, 1).code, "reproducible");
    err = train_check(&options, &procedure_augerino, NULL, 1);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "reproducible = true"), "%s", err.text);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    OptionRoom remul = fixture_keys(&procedure_remul, "-remul_samples 2");
    reproducible(&transformer_kind, &procedure_augmented, NULL, &data);
    reproducible(&transformer_kind, &procedure_remul, &remul, &data);
    reproducible(&gatr_kind, &procedure_plain, NULL, &data);
    for (int k = 0; k < n_model_kinds; k++) accumulates(model_kinds[k], &data);
    for (int k = 0; k < n_model_kinds; k++) saves_memory(model_kinds[k], &data);
    refuses();
    dataset_close(dataset);
    return test_end();
}
