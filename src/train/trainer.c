#include "train/trainer.h"

#include "base/energy.h"
#include "base/log.h"
#include "base/timer.h"
#include "train/forecast.h"
#include "train/optim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
    {"train.reproducible", KEY_BOOL, offsetof(TrainOptions, reproducible), "false", 0, 0, NULL, "1",
     "losses and parameters are the same bits for every layout.dp: samples one by one, sums in a fixed order; slower"},
};
const int n_train_keys = sizeof train_keys / sizeof *train_keys;

const KeySpec train_means_keys[] = {
    {"train.micro_batch", KEY_INT, offsetof(TrainOptions, micro_batch), "0", 0, 1 << 20, NULL, "samples",
     "samples that a rank takes through the model at once, gradients add up; 0: as many as its memory holds"},
    {"train.recompute", KEY_CHOICE, offsetof(TrainOptions, recompute), "auto", 0, 0, "auto|never|always", "1",
     "backward passes work out anew what blocks of the model found instead of keeping it: for cells that do not fit"},
    {"train.shard_optimizer", KEY_CHOICE, offsetof(TrainOptions, shard_optimizer), "auto", 0, 0, "auto|never|always",
     "1", "each data-parallel rank has a part of the optimiser's moments instead of all: for cells that do not fit"},
};
const int n_train_means_keys = sizeof train_means_keys / sizeof *train_means_keys;

Err train_check(const TrainOptions *o, const Procedure *procedure, const void *procedure_options, int64_t dp) {
    const char *source = options_source();
    if (o->reproducible && o->micro_batch > 1)
        return err_user(
            "%s: train.micro_batch = %lld, train.reproducible = true, which takes samples one by one: want 1, or 0",
            source, (long long)o->micro_batch);
    if (!procedure_whole_batch(procedure, procedure_options)) return ERR_NONE;
    if (o->reproducible)
        return err_user(
            "%s: train.reproducible = true: not with procedure %s, whose own sums are over whole batches: want "
            "false, or other arms",
            source, procedure->name);
    if (o->micro_batch && o->micro_batch < pass_largest_share(o->batch, (int)dp))
        return err_user("%s: train.micro_batch = %lld: procedure %s wants all samples of a rank at once: want 0, or %d",
                        source, (long long)o->micro_batch, procedure->name, pass_largest_share(o->batch, (int)dp));
    return ERR_NONE;
}

int64_t train_curve_samples(const TrainOptions *o, const TrainData *data) {
    int64_t all = data->test_samples;
    return o->curve_samples && o->curve_samples < all ? o->curve_samples : all;
}

/* s until the first checkpoint, and the least between two, unless the study says: file systems do not like more of it. */
#define FIRST_CHECKPOINT 10.0

double train_passes(const TrainJob *job, const TrainOptions *options) {
    int views = procedure_views(job->procedure, job->procedure_options);
    return 3 * (double)(job->steps * options->batch * views); /* a backward pass costs two forward ones */
}

/* ---- What a cell spends. ---- */

/* On this rank, since the cell was started or went on; time and energy of steps alone, without evaluations. */
typedef struct Spent {
    double seconds, cpu, nominal, executed, attention, tokens;
    double began, cpu_began; /* steps now at work */
    Energy energy;           /* of the node */
} Spent;

/* Steps follow. */
static void spent_start(Spent *s) {
    energy_start(&s->energy);
    s->began = timer_now();
    s->cpu_began = timer_cpu();
}

/* Something else follows. */
static void spent_stop(Spent *s) {
    s->seconds += timer_now() - s->began;
    s->cpu += timer_cpu() - s->cpu_began;
    energy_stop(&s->energy);
}

/* What the whole cell has spent, earlier runs of it included. */
typedef struct Totals {
    double compute[CURRENCIES];
    double seconds, attention, tokens;
} Totals;

/* Every rank of the job takes an equal share of the energy that its node has used, so that each node is counted once,
 * whatever cells it is at; NaN where a node does not say. Collective on the cell. */
static Totals spent_sum(const Spent *s, const Totals *before, const ProcGrid *grid) {
    double replicas[4] = {s->nominal, s->executed, s->attention, s->tokens}, seconds = s->seconds;
    double cell[2] = {s->cpu, s->energy.joules / comm_node_ranks()};
    Totals all = *before;
    comm_sum_f64(grid->dp, replicas, 4);
    comm_max_f64(grid->cell, &seconds, 1);
    comm_sum_f64(grid->cell, cell, 2);
    all.compute[CURRENCY_NOMINAL] += replicas[0];
    all.compute[CURRENCY_EXECUTED] += replicas[1];
    all.compute[CURRENCY_CORE_SECONDS] += seconds * comm_size(grid->cell);
    all.compute[CURRENCY_CPU_SECONDS] += cell[0];
    all.compute[CURRENCY_JOULES] += cell[1];
    all.seconds += seconds;
    all.attention += replicas[2];
    all.tokens += replicas[3];
    return all;
}

/* ---- A cell at work. ---- */

typedef struct Trainer {
    const TrainJob *job;
    const TrainOptions *options;
    const TrainHooks *hooks;
    int first, count; /* this rank's samples of a batch */
    int views;        /* sequences of a sample */
    Pass pass;
    ProcedureRun procedure;
    ModelWork work;
    MeasureBench measures;
    Optim *optim;
    Spent spent;
    Totals before;    /* spent by earlier runs of the cell */
    TrainingPoint at; /* with the sum of training losses since the last point, of all replicas */
    double saved;     /* when there was last a checkpoint, or the cell began */
    double interval;  /* s until the next one */
    bool long_one;    /* it has had one: what comes after its last step may be long too */
    CellRecord *record;
    CurvePoint *curve;
    MeasureSink *found;
} Trainer;

static void trainer_init(Trainer *t, const TrainJob *job, const TrainOptions *options, const TrainData *data,
                         const ProcGrid *grid) {
    int dp = comm_size(grid->dp);
    SampleStream stream = {SAMPLES_TRAIN, job->dataset, job->seed, options->batch};
    t->job = job;
    t->options = options;
    t->views = procedure_views(job->procedure, job->procedure_options);
    pass_share(&t->first, &t->count, options->batch, comm_rank(grid->dp), dp);
    int64_t samples = forecast_micro_batch(job, options, data, dp, comm_size(grid->tp));
    samples = -samples; /* nodes may differ: the least */
    comm_max_i64(grid->cell, &samples, 1);
    samples = -samples;
    pass_init(&t->pass, job->kind, &job->shape, job->seed, t->views * (int)samples, data, grid);
    if (options->reproducible) pass_reproducible(&t->pass, options->batch);
    procedure_start(&t->procedure, job->procedure, job->procedure_options, &stream, &t->pass);
    t->work = job->kind->work(&job->shape, comm_size(grid->tp), job->procedure->input_gradient);
    measure_start(&t->measures, job->measures, &t->pass, train_passes(job, options));
    measure_procedure(&t->measures, &t->procedure);
    t->optim = optim_new(&t->pass.model->table, grid, job->sharded);
    t->spent.energy = energy_open();
}

static void trainer_free(Trainer *t) {
    optim_free(t->optim);
    measure_end(&t->measures);
    procedure_end(&t->procedure);
    pass_free(&t->pass);
}

/* ---- Steps. ---- */

/* What the ranks of a cell agree on at the end of a step. */
typedef struct Verdict {
    bool diverged, stop, save;
} Verdict;

/* One reduction a step, so that no rank goes another way than the others. The loss is that of the whole batch. Collective
 * on the cell. */
static Verdict agree(Trainer *t, double loss, double norm) {
    enum { LOSS, BAD, STOP, SAVE, WORDS };
    const ProcGrid *grid = t->pass.grid;
    const TrainHooks *h = t->hooks;
    bool stop = h->step && h->step(h->context, t->at.step, t->job->steps);
    bool save = h->checkpoint && timer_now() - t->saved > t->interval;
    double word[WORDS] = {[LOSS] = comm_rank(grid->tp) == 0 ? loss : 0,
                          [BAD] = !isfinite(norm),
                          [STOP] = stop,
                          [SAVE] = save && comm_rank(grid->cell) == 0};
    comm_sum_f64(grid->cell, word, WORDS);
    t->at.loss += word[LOSS];
    t->at.loss_steps++;
    return (Verdict){
        .diverged = word[BAD] > 0 || !isfinite(word[LOSS]), .stop = word[STOP] > 0, .save = word[SAVE] > 0};
}

/* One optimiser step at the learning rate lr. Collective. */
static Verdict train_step(Trainer *t, double lr) {
    const TrainOptions *o = t->options;
    const OptimSettings settings = {.beta1 = o->beta1,
                                    .beta2 = o->beta2,
                                    .epsilon = o->epsilon,
                                    .weight_decay = o->weight_decay,
                                    .max_grad_norm = o->clip};
    Pass *pass = &t->pass;
    PackedLengths lengths = {0};
    double loss = procedure_step(&lengths, &t->procedure, pass, t->at.step * o->batch + t->first, t->count, o->batch);
    ModelFlops flops = procedure_flops(t->job->procedure, t->job->procedure_options, model_flops_of(&t->work, lengths));
    t->spent.tokens += lengths.tokens / t->views;
    double norm = optim_step(t->optim, pass->model->theta, pass->model->grad, lr, &settings);
    procedure_after_step(&t->procedure, pass);
    t->spent.nominal += flops.nominal;
    t->spent.executed += flops.executed;
    t->spent.attention += flops.attention;
    energy_poll(&t->spent.energy);
    t->at.step++;
    return agree(t, loss, norm);
}

/* ---- What it leaves on the way: points of the curve, checkpoints. ---- */

/* Step k has a curve point when steps / 2^j = k for some j < points. */
static bool has_point(int64_t step, int64_t steps, int64_t points) {
    for (int64_t j = 0; j < points && steps >> j > 0; j++)
        if (step == steps >> j) return true;
    return false;
}

/* Whether measurements are taken on the way; those at the end always are. */
static bool measured_here(const TrainJob *job, int64_t step) {
    return step < job->steps && job->measures && job->measures->common.curve;
}

/* The loss of the last point is left to finish(). */
static void add_point(Trainer *t, double lr) {
    int64_t step = t->at.step, samples = train_curve_samples(t->options, t->pass.data);
    Totals all = spent_sum(&t->spent, &t->before, t->pass.grid);
    CurvePoint *p = &t->curve[t->record->curve_points++];
    *p = (CurvePoint){.step = step,
                      .samples = (double)(step * t->options->batch),
                      .train_loss = t->at.loss / (double)t->at.loss_steps,
                      .lr = lr};
    memcpy(p->compute, all.compute, sizeof p->compute);
    procedure_numbers(&t->procedure, p->procedure);
    p->loss = step < t->job->steps ? pass_evaluate(&t->pass, NULL, SAMPLES_TEST, samples) : NAN;
    t->at.loss = 0;
    t->at.loss_steps = 0;
    if (measured_here(t->job, step)) measure_run(t->found, &t->measures, step);
}

/* What the cell has spent up to now, into its record. Collective. */
static void record_spent(Trainer *t) {
    CellRecord *r = t->record;
    Totals all = spent_sum(&t->spent, &t->before, t->pass.grid);
    memcpy(r->compute, all.compute, sizeof r->compute);
    r->seconds = all.seconds;
    r->tokens = (int64_t)all.tokens;
    r->flop_attention = all.attention;
    r->samples = t->at.step * t->options->batch;
}

/* The cell as it is now; points into the trainer. */
static TrainState state_of(Trainer *t) {
    TrainState s = {.pass = &t->pass, .optim = t->optim, .procedure = &t->procedure, .at = t->at};
    s.so_far = (Results){.cells = 1, .points = t->record->curve_points, .cell = t->record, .curve = t->curve};
    if (t->found) {
        s.so_far.measures = t->found->n;
        s.so_far.measure = t->found->row;
    }
    snprintf(s.so_far.study, sizeof s.so_far.study, "%s", t->hooks->study);
    return s;
}

/* The next one comes when its cost will be a hundredth of the time between. Collective. */
static Err save(Trainer *t) {
    const double share = 0.01;
    double start = timer_now();
    record_spent(t);
    TrainState state = state_of(t);
    CellRecord so_far = *t->record;
    so_far.outcome = OUTCOME_FAILED; /* that is what it is if nobody goes on */
    state.so_far.cell = &so_far;
    Err err = state_save(&state, t->hooks->checkpoint, t->hooks->provenance);
    t->long_one = true;
    t->saved = timer_now();
    t->interval = t->hooks->checkpoint_seconds;
    if (t->interval <= 0) t->interval = fmax(FIRST_CHECKPOINT, (t->saved - start) / share);
    return err;
}

/* Goes on from a checkpoint where there is one. Collective. */
static bool restore(Trainer *t) {
    TrainState s = {.pass = &t->pass, .optim = t->optim, .procedure = &t->procedure};
    CellRecord *r = t->record;
    if (!t->hooks->checkpoint ||
        !state_load(&s, t->hooks->checkpoint, (StateCheck){t->hooks->accept, t->hooks->context}))
        return false;
    const CellRecord *found = &s.so_far.cell[0];
    t->at = s.at;
    memcpy(t->before.compute, found->compute, sizeof t->before.compute);
    t->before.seconds = found->seconds;
    t->before.attention = found->flop_attention;
    t->before.tokens = (double)found->tokens;
    if (r->attempts < found->attempts + 1) r->attempts = found->attempts + 1;
    r->loss_initial = found->loss_initial;
    r->curve_points = s.so_far.points;
    memcpy(t->curve, s.so_far.curve, (size_t)s.so_far.points * sizeof *t->curve);
    if (t->found && s.so_far.measures) {
        t->found->n = s.so_far.measures;
        t->found->row = s.so_far.measure;
        s.so_far.measure = NULL;
    }
    results_free(&s.so_far);
    return true;
}

/* ---- The whole of it. ---- */

/* What the cell has spent and where it ended. Collective. */
static void finish(Trainer *t) {
    CellRecord *r = t->record;
    const TrainData *data = t->pass.data;
    record_spent(t);
    r->loss = r->loss_error = r->validation_loss = NAN;
    if (r->outcome == OUTCOME_DONE) {
        r->loss = pass_evaluate(&t->pass, &r->loss_error, SAMPLES_TEST, data->test_samples);
        t->curve[r->curve_points - 1].loss = r->loss;
        r->validation_loss = pass_evaluate(&t->pass, NULL, SAMPLES_VALIDATION, data->validation_samples);
    }
    if (!isfinite(r->loss)) r->outcome = OUTCOME_DIVERGED;
}

/* Steps up to the end, or to where the cell diverges or is stopped, which is its outcome. A cell of more than one
 * checkpoint leaves one after its last step too, so that whatever ends it while it is evaluated costs no step. The
 * error is the leader's. Collective. */
static Err train(Trainer *t) {
    const TrainJob *job = t->job;
    const TrainOptions *o = t->options;
    while (t->at.step < job->steps) {
        double lr = job->lr * optim_schedule(t->at.step, job->steps, o->warmup, o->final_lr);
        Verdict verdict = train_step(t, lr);
        if (verdict.diverged) {
            t->record->outcome = OUTCOME_DIVERGED;
            return ERR_NONE;
        }
        bool point = has_point(t->at.step, job->steps, o->evaluations), last = t->at.step == job->steps;
        bool keeps = t->hooks->checkpoint != NULL, save_last = last && t->long_one;
        bool stop = verdict.stop && (keeps || !last), keep = keeps && (stop || verdict.save || save_last);
        if (!point && !stop && !keep) continue;
        spent_stop(&t->spent);
        if (point) add_point(t, lr);
        Err err = keep ? save(t) : ERR_NONE;
        spent_start(&t->spent);
        if (stop) {
            t->record->outcome = OUTCOME_STOPPED;
            return err;
        }
        if (err.code) log_event("%s; the cell goes on without a checkpoint", err.text);
    }
    return ERR_NONE;
}

/* Parameters that drift apart between ranks of dp would make every number of the cell a lie. */
static void check_replicas(const Trainer *t) {
    const Model *m = t->pass.model;
    bool same = comm_same(t->pass.grid->dp, m->theta, (size_t)m->table.local * sizeof *m->theta);
    CHECK(same, "%s: ranks of dp hold different parameters after step %lld", t->record->id, (long long)t->at.step);
}

Err train_cell(CellRecord *record, CurvePoint *curve, MeasureSink *found, const TrainJob *job,
               const TrainOptions *options, const TrainData *data, const ProcGrid *grid, const TrainHooks *hooks) {
    Trainer t = {.hooks = hooks, .record = record, .curve = curve, .found = found};
    trainer_init(&t, job, options, data, grid);
    record->parameters = t.pass.model->table.global;
    record->outcome = OUTCOME_DONE;
    record->attempts++;
    record->curve_points = 0;
    procedure_names(job->procedure, record->numbers);
    t.long_one = restore(&t);
    if (!t.long_one)
        record->loss_initial = pass_evaluate(&t.pass, NULL, SAMPLES_TEST, train_curve_samples(options, data));
    t.saved = timer_now();
    t.interval = hooks->checkpoint_seconds > 0 ? hooks->checkpoint_seconds : FIRST_CHECKPOINT;
    spent_start(&t.spent);
    Err err = train(&t);
    spent_stop(&t.spent);
    if (record->outcome == OUTCOME_DONE) check_replicas(&t);
    if (record->outcome != OUTCOME_STOPPED) finish(&t);
    if (record->outcome == OUTCOME_DONE) {
        measure_run(found, &t.measures, t.at.step);
        if (hooks->weights) {
            TrainState state = state_of(&t);
            err = state_save_weights(&state, hooks->weights, hooks->provenance);
        }
    }
    trainer_free(&t);
    return err;
}
