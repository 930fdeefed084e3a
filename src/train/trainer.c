#include "train/trainer.h"

#include "base/energy.h"
#include "base/timer.h"
#include "train/optim.h"

#include <math.h>
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
};
const int n_train_keys = sizeof train_keys / sizeof *train_keys;

/* ---- A model with its buffers. ---- */

typedef struct Trainer {
    const TrainJob *job;
    const TrainData *data;
    const ProcGrid *grid;
    Model *model;
    Batch batch;
    Tensors in, out, dout;
    real *prediction;     /* (tokens, 3), then its gradient */
    CommRequest *request; /* one a gradient block */
    Arena arena;
} Trainer;

static void tensors_layout(Tensors *t, int mv, int s, int64_t tokens, Arena *arena) {
    t->mv = mv ? ARENA_TAKE(arena, real, 16 * tokens * mv) : NULL;
    t->s = s ? ARENA_TAKE(arena, real, tokens * s) : NULL;
}

static void trainer_layout(Trainer *t, int samples, Arena *arena) {
    const ModelShape *m = &t->job->shape;
    batch_layout(&t->batch, t->data, samples, arena);
    int64_t tokens = t->batch.max_tokens;
    tensors_layout(&t->in, m->in_mv, m->in_s, tokens, arena);
    tensors_layout(&t->out, m->out_mv, m->out_s, tokens, arena);
    tensors_layout(&t->dout, m->out_mv, m->out_s, tokens, arena);
    t->prediction = ARENA_TAKE(arena, real, 3 * tokens);
}

/* Samples j of a batch that data-parallel rank r of n takes: a contiguous run. */
static void share(int *first, int *count, int64_t batch, int r, int n) {
    *first = (int)(batch * r / n);
    *count = (int)(batch * (r + 1) / n) - *first;
}

static int largest_share(int64_t batch, int dp) {
    return (int)((batch + dp - 1) / dp);
}

/* Starts the sum over dp of a gradient block as soon as backward has finished it. */
static void sum_block(void *context, int block) {
    Trainer *t = context;
    int64_t offset, count = param_block(&t->model->table, block, &offset);
    t->request[block] = comm_sum_real_start(t->grid->dp, t->model->grad + offset, count);
}

static void trainer_init(Trainer *t, const TrainJob *job, const TrainData *data, const ProcGrid *grid, int samples) {
    *t = (Trainer){.job = job, .data = data, .grid = grid};
    Arena count = arena_count();
    trainer_layout(t, samples, &count);
    t->arena = arena_new(count.peak);
    trainer_layout(t, samples, &t->arena);
    t->model =
        model_new(job->kind, &job->shape, grid->tp, t->batch.max_tokens, samples, dataset_max_vertices(data->dataset));
    t->request = MEM_NEW(CommRequest, t->model->table.blocks);
    t->model->block_ready = sum_block;
    t->model->block_context = t;
    param_init(t->model->theta, &t->model->table, job->seed);
}

static void trainer_free(Trainer *t) {
    mem_free(t->request);
    model_free(t->model);
    arena_free(&t->arena);
}

/* ---- Loss and its gradient. ---- */

/* The model says how far the displacement departs from the one before, in units of the rms of that: what inertia alone
 * predicts need not be learned, and both equivariance and the loss stay what they are. */
static void predict(Trainer *t) {
    const SceneBatch *scenes = &t->batch.scenes;
    t->job->kind->embed(t->in, scenes, &t->job->shape);
    model_forward(t->model, t->out, t->in, &scenes->seqs);
    t->job->kind->readout(t->prediction, t->out, scenes, &t->job->shape);
    real unit = (real)t->data->scale.deviation;
    for (int64_t i = 0; i < 3 * scenes->seqs.start[scenes->seqs.n]; i++)
        t->prediction[i] = scenes->velocity[i] + unit * t->prediction[i];
}

/* Sum over sequences of the mean squared error; where a scale is given, the prediction becomes scale times its
 * gradient. */
static double squared_error(Trainer *t, double scale) {
    const Packed *seqs = &t->batch.scenes.seqs;
    double total = 0;
    for (int q = 0; q < seqs->n; q++) {
        double sum = 0;
        real slope = (real)(2 * scale * t->data->scale.deviation) * t->batch.weight[q];
        for (int64_t i = 3 * seqs->start[q]; i < 3 * seqs->start[q + 1]; i++) {
            real e = t->prediction[i] - t->batch.target[i];
            sum += (double)e * e;
            if (scale > 0) t->prediction[i] = slope * e;
        }
        total += sum * t->batch.weight[q];
    }
    return total;
}

/* Mean loss over the fixed samples of a range, shared out over dp. Collective. */
static double evaluate(Trainer *t, SampleRange range, int64_t samples) {
    SampleStream stream = {.range = range};
    int first, count;
    double total = 0;
    share(&first, &count, samples, comm_rank(t->grid->dp), comm_size(t->grid->dp));
    for (int done = 0; done < count; done += t->batch.max_samples) {
        int n = count - done < t->batch.max_samples ? count - done : t->batch.max_samples;
        batch_fill(&t->batch, t->data, &stream, first + done, n);
        predict(t);
        total += squared_error(t, 0);
    }
    comm_sum_f64(t->grid->dp, &total, 1);
    return total / (double)samples;
}

/* Gradient of the mean loss of one batch, summed over dp; returns this rank's share of that loss. Collective. */
static double gradient(Trainer *t, int64_t batch) {
    memset(t->model->grad, 0, (size_t)t->model->table.local * sizeof(real));
    predict(t);
    double loss = squared_error(t, 1 / (double)batch) / (double)batch;
    t->job->kind->readout_backward(t->dout, t->prediction, &t->batch.scenes, &t->job->shape);
    model_backward(t->model, (Tensors){0}, t->dout, &t->batch.scenes.seqs);
    for (int b = 0; b < t->model->table.blocks; b++) comm_wait(&t->request[b]);
    return loss;
}

/* ---- A cell. ---- */

/* What has been spent, on this rank until it is summed. */
typedef struct Spent {
    double seconds, nominal, executed, tokens;
    Energy energy; /* of the node, while training */
} Spent;

/* J of the cell so far. Every rank of the job takes an equal share of what its node has used, so that each node is
 * counted once, whatever cells it is at; NaN where a node does not say. Collective on the cell. */
static double joules_of(const Spent *spent, const ProcGrid *grid) {
    double joules = spent->energy.joules / comm_node_ranks();
    comm_sum_f64(grid->cell, &joules, 1);
    return joules;
}

/* Step k has a curve point when steps / 2^j = k for some j < points. */
static bool has_point(int64_t step, int64_t steps, int64_t points) {
    for (int64_t j = 0; j < points && steps >> j > 0; j++)
        if (step == steps >> j) return true;
    return false;
}

static void add_point(Trainer *t, CurvePoint *p, const Spent *spent, int64_t step, int64_t batch, double train_loss,
                      double lr) {
    const Comm *dp = t->grid->dp;
    double sum[3] = {spent->nominal, spent->executed, train_loss}, seconds = spent->seconds;
    comm_sum_f64(dp, sum, 3);
    comm_max_f64(t->grid->cell, &seconds, 1);
    *p = (CurvePoint){.step = step,
                      .samples = (double)(step * batch),
                      .compute = {[CURRENCY_NOMINAL] = sum[0],
                                  [CURRENCY_EXECUTED] = sum[1],
                                  [CURRENCY_CORE_SECONDS] = seconds * comm_size(t->grid->cell),
                                  [CURRENCY_JOULES] = joules_of(spent, t->grid)},
                      .train_loss = sum[2],
                      .lr = lr};
    p->loss = evaluate(t, SAMPLES_TEST, t->data->test_samples);
}

void train_cell(CellRecord *record, CurvePoint *curve, const TrainJob *job, const TrainOptions *options,
                const TrainData *data, const ProcGrid *grid, TrainProgress progress) {
    Trainer t;
    int dp = comm_size(grid->dp), first, count;
    trainer_init(&t, job, data, grid, largest_share(options->batch, dp));
    share(&first, &count, options->batch, comm_rank(grid->dp), dp);
    Optim *optim = optim_new(&t.model->table, grid->tp);
    OptimSettings settings = {.beta1 = options->beta1,
                              .beta2 = options->beta2,
                              .epsilon = options->epsilon,
                              .weight_decay = options->weight_decay,
                              .max_grad_norm = options->clip};
    SampleStream stream = {SAMPLES_TRAIN, job->dataset, job->seed, job->augment};

    record->parameters = t.model->table.global;
    record->outcome = OUTCOME_DONE;
    record->curve_points = 0;
    record->loss_initial = evaluate(&t, SAMPLES_TEST, data->test_samples);
    Spent spent = {.energy = energy_open()};
    energy_start(&spent.energy);
    double since = 0; /* training loss since the last point */
    int64_t since_steps = 0, step = 0;
    while (step < job->steps) {
        double start = timer_now();
        batch_fill(&t.batch, data, &stream, step * options->batch + first, count);
        since += gradient(&t, options->batch);
        double lr = job->lr * optim_schedule(step, job->steps, options->warmup, options->final_lr);
        double norm = optim_step(optim, t.model->theta, t.model->grad, lr, &settings);
        spent.seconds += timer_now() - start;
        ModelFlops work = job->kind->flops(&job->shape, &t.batch.scenes.seqs, comm_size(grid->tp), false);
        spent.nominal += work.nominal;
        spent.executed += work.executed;
        spent.tokens += (double)t.batch.start[count];
        energy_poll(&spent.energy);
        step++, since_steps++;
        if (!isfinite(norm)) {
            record->outcome = OUTCOME_DIVERGED;
            break;
        }
        if (has_point(step, job->steps, options->evaluations)) {
            energy_stop(&spent.energy);
            add_point(&t, &curve[record->curve_points++], &spent, step, options->batch, since / (double)since_steps,
                      lr);
            since = 0, since_steps = 0;
            energy_start(&spent.energy);
        }
        if (progress.step) progress.step(progress.context, step, job->steps);
    }

    energy_stop(&spent.energy);
    double sum[3] = {spent.nominal, spent.executed, spent.tokens};
    comm_sum_f64(grid->dp, sum, 3);
    comm_max_f64(grid->cell, &spent.seconds, 1);
    record->compute[CURRENCY_NOMINAL] = sum[0];
    record->compute[CURRENCY_EXECUTED] = sum[1];
    record->tokens = (int64_t)sum[2];
    record->samples = step * options->batch;
    record->seconds = spent.seconds;
    record->compute[CURRENCY_CORE_SECONDS] = spent.seconds * comm_size(grid->cell);
    record->compute[CURRENCY_JOULES] = joules_of(&spent, grid);
    record->loss = record->outcome == OUTCOME_DONE ? curve[record->curve_points - 1].loss : NAN;
    record->validation_loss =
        record->outcome == OUTCOME_DONE ? evaluate(&t, SAMPLES_VALIDATION, data->validation_samples) : NAN;
    if (!isfinite(record->loss)) record->outcome = OUTCOME_DIVERGED;
    optim_free(optim);
    trainer_free(&t);
}

/* ---- Prediction. ---- */

int64_t train_bytes(const TrainJob *job, const TrainOptions *options, const TrainData *data, int dp, int tp) {
    Trainer t = {.job = job, .data = data};
    Arena count = arena_count();
    int samples = largest_share(options->batch, dp);
    trainer_layout(&t, samples, &count);
    ParamTable table = param_table_new(tp, 0);
    job->kind->params(&table, &job->shape);
    int64_t moments = 2 * table.local * (int64_t)sizeof(real);
    param_table_free(&table);
    return (int64_t)count.peak + moments +
           model_bytes(job->kind, &job->shape, tp, t.batch.max_tokens, samples, dataset_max_vertices(data->dataset));
}

double train_time_step(const TrainJob *job, const TrainOptions *options, const TrainData *data, int samples) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Trainer t;
    double least = INFINITY;
    trainer_init(&t, job, data, &alone, samples);
    int64_t trajectories = job->dataset < data->train ? job->dataset : data->train; /* a plan may have a few only */
    SampleStream stream = {SAMPLES_TRAIN, trajectories, job->seed, job->augment};
    double end = timer_cpu() + 0.3; /* kernels are made as they are first met: the first steps are slow */
    for (int k = 0; k < 3 || (k < 50 && timer_cpu() < end); k++) {
        double start = timer_cpu();
        batch_fill(&t.batch, data, &stream, k * options->batch, samples);
        gradient(&t, samples);
        least = fmin(least, timer_cpu() - start);
    }
    trainer_free(&t);
    procgrid_free(&alone);
    return least;
}

double train_mean_tokens(const TrainData *data) {
    int64_t n = data->train < 256 ? data->train : 256, tokens = 0;
    for (int64_t k = 0; k < n; k++) tokens += dataset_get(data->dataset, data->test + data->validation + k)->vertices;
    return (double)tokens / (double)n;
}

ModelFlops train_step_flops(const TrainJob *job, const TrainOptions *options, const TrainData *data, int tp) {
    int64_t length = (int64_t)(train_mean_tokens(data) + 0.5), start[2] = {0, length};
    ModelFlops one = job->kind->flops(&job->shape, &(Packed){.n = 1, .start = start}, tp, false);
    double batch = (double)options->batch;
    return (ModelFlops){.nominal = one.nominal * batch, .executed = one.executed * batch};
}
