#include "train/trainer.h"

#include "base/energy.h"
#include "base/timer.h"
#include "train/optim.h"

#include <math.h>

const KeySpec train_keys[] = {
    {"train.batch", KEY_INT, offsetof(TrainOptions, batch), "32", 1, 1 << 20, NULL, "samples",
     "training samples an optimiser step"},
    {"train.warmup", KEY_REAL, offsetof(TrainOptions, warmup), "0.1", 0, 1, NULL, "1",
     "fraction of the steps during which the learning rate rises linearly"},
    {"train.final_lr", KEY_REAL, offsetof(TrainOptions, final_lr), "0.01", 0, 1, NULL, "1",
     "fraction of the peak learning rate at which the cosine schedule ends"},
    {"train.weight_decay", KEY_REAL, offsetof(TrainOptions, weight_decay), "0.01", 0, 10, NULL, "1",
     "decoupled weight decay (AdamW)"},
    {"train.beta1", KEY_REAL, offsetof(TrainOptions, beta1), "0.9", 0, 0.999999, NULL, "1",
     "decay of the first moment"},
    {"train.beta2", KEY_REAL, offsetof(TrainOptions, beta2), "0.99", 0, 0.999999, NULL, "1",
     "decay of the second moment"},
    {"train.epsilon", KEY_REAL, offsetof(TrainOptions, epsilon), "1e-8", 1e-16, 1, NULL, "1",
     "added to the root of the second moment"},
    {"train.clip", KEY_REAL, offsetof(TrainOptions, clip), "1", 1e-9, 1e9, NULL, "1", "largest 2-norm of the gradient"},
    {"train.evaluations", KEY_INT, offsetof(TrainOptions, evaluations), "6", 1, 64, NULL, "1",
     "points of a learning curve, at steps halving from the last one down"},
    {"train.curve_samples", KEY_INT, offsetof(TrainOptions, curve_samples), "0", 0, 1e9, NULL, "samples",
     "first samples of the test set, at all points of a learning curve but the last; 0: all"},
};
const int n_train_keys = sizeof train_keys / sizeof *train_keys;

int64_t train_curve_samples(const TrainOptions *o, const TrainData *data) {
    int64_t all = data->test_samples;
    return o->curve_samples && o->curve_samples < all ? o->curve_samples : all;
}

/* ---- A cell. ---- */

/* What has been spent, on this rank until it is summed. */
typedef struct Spent {
    double seconds, cpu, nominal, executed, attention, tokens;
    Energy energy; /* of the node, while training */
} Spent;

/* What the cell has spent so far: in each currency, and wall seconds. Every rank of the job takes an equal share of the
 * energy that its node has used, so that each node is counted once, whatever cells it is at; NaN where a node does not
 * say. Collective on the cell. */
static double spent_sum(double compute[CURRENCIES], const Spent *s, const ProcGrid *grid) {
    double flop[2] = {s->nominal, s->executed}, seconds = s->seconds;
    double cell[2] = {s->cpu, s->energy.joules / comm_node_ranks()};
    comm_sum_f64(grid->dp, flop, 2);
    comm_max_f64(grid->cell, &seconds, 1);
    comm_sum_f64(grid->cell, cell, 2);
    compute[CURRENCY_NOMINAL] = flop[0];
    compute[CURRENCY_EXECUTED] = flop[1];
    compute[CURRENCY_CORE_SECONDS] = seconds * comm_size(grid->cell);
    compute[CURRENCY_CPU_SECONDS] = cell[0];
    compute[CURRENCY_JOULES] = cell[1];
    return seconds;
}

double train_passes(const TrainJob *job, const TrainOptions *options) {
    int views = procedure_views(job->procedure, job->procedure_options);
    return 3 * (double)(job->steps * options->batch * views); /* a backward pass costs two forward ones */
}

/* A cell at work. */
typedef struct Trainer {
    const TrainJob *job;
    const TrainOptions *options;
    int first, count; /* this rank's samples of a batch */
    int views;        /* sequences a sample */
    Pass pass;
    ProcedureRun procedure;
    ModelWork work;
    MeasureBench measures;
    Optim *optim;
    Spent spent;
    double loss; /* sums of training losses over the steps since the last point */
    int64_t loss_steps;
} Trainer;

static void trainer_init(Trainer *t, const TrainJob *job, const TrainOptions *options, const TrainData *data,
                         const ProcGrid *grid) {
    int dp = comm_size(grid->dp);
    SampleStream stream = {SAMPLES_TRAIN, job->dataset, job->seed};
    *t = (Trainer){.job = job, .options = options};
    t->views = procedure_views(job->procedure, job->procedure_options);
    pass_share(&t->first, &t->count, options->batch, comm_rank(grid->dp), dp);
    pass_init(&t->pass, job->kind, &job->shape, job->seed, t->views * pass_largest_share(options->batch, dp), data,
              grid);
    procedure_start(&t->procedure, job->procedure, job->procedure_options, &stream, &t->pass);
    t->work = job->kind->work(&job->shape, comm_size(grid->tp), false);
    measure_start(&t->measures, job->measures, &t->pass, train_passes(job, options));
    t->optim = optim_new(&t->pass.model->table, grid->tp);
    t->spent.energy = energy_open();
}

static void trainer_free(Trainer *t) {
    optim_free(t->optim);
    measure_end(&t->measures);
    procedure_end(&t->procedure);
    pass_free(&t->pass);
}

/* One optimiser step at the learning rate lr. Returns the norm of the gradient. Collective. */
static double train_step(Trainer *t, int64_t step, double lr) {
    const TrainOptions *o = t->options;
    const OptimSettings settings = {.beta1 = o->beta1,
                                    .beta2 = o->beta2,
                                    .epsilon = o->epsilon,
                                    .weight_decay = o->weight_decay,
                                    .max_grad_norm = o->clip};
    Pass *pass = &t->pass;
    const Packed *seqs = &pass->batch.scenes.seqs;
    double start = timer_now(), cpu = timer_cpu();
    procedure_fill(&t->procedure, &pass->batch, step * o->batch + t->first, t->count);
    t->loss += procedure_gradient(&t->procedure, pass, o->batch);
    t->loss_steps++;
    double norm = optim_step(t->optim, pass->model->theta, pass->model->grad, lr, &settings);
    t->spent.seconds += timer_now() - start;
    t->spent.cpu += timer_cpu() - cpu;
    ModelFlops flops = model_flops(&t->work, seqs);
    t->spent.nominal += flops.nominal;
    t->spent.executed += flops.executed;
    t->spent.attention += flops.attention;
    t->spent.tokens += (double)(seqs->start[seqs->n] / t->views);
    energy_poll(&t->spent.energy);
    return norm;
}

/* Step k has a curve point when steps / 2^j = k for some j < points. */
static bool has_point(int64_t step, int64_t steps, int64_t points) {
    for (int64_t j = 0; j < points && steps >> j > 0; j++)
        if (step == steps >> j) return true;
    return false;
}

/* The loss of the last point is left to finish(). */
static void add_point(CurvePoint *p, Trainer *t, int64_t step, double lr) {
    const ProcGrid *grid = t->pass.grid;
    double loss = t->loss / (double)t->loss_steps;
    comm_sum_f64(grid->dp, &loss, 1);
    *p = (CurvePoint){.step = step, .samples = (double)(step * t->options->batch), .train_loss = loss, .lr = lr};
    spent_sum(p->compute, &t->spent, grid);
    procedure_numbers(&t->procedure, p->procedure);
    int64_t samples = train_curve_samples(t->options, t->pass.data);
    p->loss = step < t->job->steps ? pass_evaluate(&t->pass, NULL, SAMPLES_TEST, samples) : NAN;
    t->loss = 0;
    t->loss_steps = 0;
}

/* What the cell has spent and where it ended, after `steps` steps of which the last left `outcome`. Collective. */
static void finish(CellRecord *record, CurvePoint *curve, Trainer *t, int64_t steps) {
    const ProcGrid *grid = t->pass.grid;
    const TrainData *data = t->pass.data;
    double sum[2] = {t->spent.tokens, t->spent.attention};
    comm_sum_f64(grid->dp, sum, 2);
    record->tokens = (int64_t)sum[0];
    record->flop_attention = sum[1];
    record->samples = steps * t->options->batch;
    record->seconds = spent_sum(record->compute, &t->spent, grid);
    record->loss = record->loss_error = record->validation_loss = NAN;
    if (record->outcome == OUTCOME_DONE) {
        record->loss = pass_evaluate(&t->pass, &record->loss_error, SAMPLES_TEST, data->test_samples);
        curve[record->curve_points - 1].loss = record->loss;
        record->validation_loss = pass_evaluate(&t->pass, NULL, SAMPLES_VALIDATION, data->validation_samples);
    }
    if (!isfinite(record->loss)) record->outcome = OUTCOME_DIVERGED;
}

/* Whether measurements are taken on the way; those at the end always are. */
static bool measured_here(const TrainJob *job, int64_t step) {
    return step < job->steps && job->measures && job->measures->common.curve;
}

void train_cell(CellRecord *record, CurvePoint *curve, MeasureSink *found, const TrainJob *job,
                const TrainOptions *options, const TrainData *data, const ProcGrid *grid, TrainProgress progress) {
    Trainer t;
    trainer_init(&t, job, options, data, grid);
    record->parameters = t.pass.model->table.global;
    record->outcome = OUTCOME_DONE;
    record->curve_points = 0;
    record->loss_initial = pass_evaluate(&t.pass, NULL, SAMPLES_TEST, train_curve_samples(options, data));
    procedure_names(job->procedure, record->numbers);
    int64_t step = 0;
    energy_start(&t.spent.energy);
    while (step < job->steps) {
        double lr = job->lr * optim_schedule(step, job->steps, options->warmup, options->final_lr);
        double norm = train_step(&t, step++, lr);
        if (!isfinite(norm)) {
            record->outcome = OUTCOME_DIVERGED;
            break;
        }
        if (has_point(step, job->steps, options->evaluations)) {
            energy_stop(&t.spent.energy);
            add_point(&curve[record->curve_points++], &t, step, lr);
            if (measured_here(job, step)) measure_run(found, &t.measures, step);
            energy_start(&t.spent.energy);
        }
        if (progress.step) progress.step(progress.context, step, job->steps);
    }
    energy_stop(&t.spent.energy);
    finish(record, curve, &t, step);
    if (record->outcome == OUTCOME_DONE) measure_run(found, &t.measures, step);
    trainer_free(&t);
}
