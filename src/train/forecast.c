#include "train/forecast.h"

#include "base/memory.h"
#include "base/timer.h"
#include "train/optim.h"

static int64_t moments_bytes(const TrainJob *job, int dp, int tp) {
    ParamTable table = param_table_new(tp, 0);
    job->kind->params(&table, &job->shape);
    int64_t bytes = optim_bytes(&table, job->sharded ? dp : 1);
    param_table_free(&table);
    return bytes;
}

/* With so many samples at once. */
static int64_t bytes_with(int64_t samples, const TrainJob *job, const TrainOptions *options, const TrainData *data,
                          int dp, int tp) {
    int sequences = procedure_views(job->procedure, job->procedure_options) * (int)samples;
    int64_t bytes = data->dataset_bytes + pass_bytes(job->kind, &job->shape, tp, sequences, data) +
                    moments_bytes(job, dp, tp) + measure_bytes(job->measures, job->kind, &job->shape, data, sequences) +
                    procedure_bytes(job->procedure, job->procedure_options, job->kind, &job->shape, sequences, data);
    if (options->reproducible) bytes += pass_reproducible_bytes(job->kind, &job->shape, dp, tp, options->batch, data);
    return bytes;
}

int64_t forecast_micro_batch(const TrainJob *job, const TrainOptions *options, const TrainData *data, int dp, int tp) {
    int64_t samples = pass_largest_share(options->batch, dp), room = options->rank_bytes;
    if (!room) room = memory_bytes() / comm_node_ranks();
    if (options->reproducible) return 1;
    if (options->micro_batch) return options->micro_batch < samples ? options->micro_batch : samples;
    if (procedure_whole_batch(job->procedure, job->procedure_options)) return samples;
    while (samples > 1 && bytes_with(samples, job, options, data, dp, tp) > room) samples = (samples + 1) / 2;
    return samples;
}

int64_t forecast_bytes(const TrainJob *job, const TrainOptions *options, const TrainData *data, int dp, int tp) {
    return bytes_with(forecast_micro_batch(job, options, data, dp, tp), job, options, data, dp, tp);
}

/* Steps that are timed; fewer where the time is up. Steps of a tenth of a millisecond are slow for as long as caches, pages of
 * the dataset and the processor's predictions are new to them: hundreds of steps. */
enum { LEAST_STEPS = 3, MOST_STEPS = 1000 };

/* Of a cell all steps count, slow ones too, which a median leaves out. The first third is left out where there are enough, or
 * the first step: kernels are made as they are first met. */
static double average_of(const double *x, int n) {
    int skip = n > LEAST_STEPS ? n / 3 : 1;
    double sum = 0;
    for (int i = skip; i < n; i++) sum += x[i];
    return sum / (n - skip);
}

/* Seconds of a sequence in an evaluation with batches of the size of the pass. */
static double time_evaluation(Pass *pass, const SampleStream *stream) {
    const double enough = 0.01;
    double second[MOST_STEPS], end = timer_cpu() + enough;
    int n = 0, most = pass->batch.max_sequences;
    for (; n < LEAST_STEPS || (n < MOST_STEPS && timer_cpu() < end); n++) {
        double start = timer_cpu();
        batch_fill(&pass->batch, pass->data, stream, (int64_t)n * most, most);
        pass_predict(pass, &pass->batch.scenes);
        pass_loss(pass);
        second[n] = (timer_cpu() - start) / most;
    }
    return average_of(second, n);
}

ForecastTimes forecast_times(const TrainJob *job, const TrainOptions *options, const TrainData *data, int samples) {
    const double enough = 0.02;
    const OptimSettings settings = {
        .beta1 = options->beta1, .beta2 = options->beta2, .epsilon = options->epsilon, .max_grad_norm = options->clip};
    double flop_second[MOST_STEPS], update[MOST_STEPS], begin = timer_cpu(); /* s a FLOP, s */
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    int64_t trajectories = job->dataset < data->train ? job->dataset : data->train; /* a plan may have a few only */
    SampleStream stream = {SAMPLES_TRAIN, trajectories, job->seed};
    Pass pass;
    ProcedureRun procedure;
    int64_t most = forecast_micro_batch(job, options, data, 1, 1);
    int at_once = samples < most ? samples : (int)most;
    pass_init(&pass, job->kind, &job->shape, job->seed,
              at_once * procedure_views(job->procedure, job->procedure_options), data, &alone);
    if (options->reproducible) pass_reproducible(&pass, samples);
    procedure_start(&procedure, job->procedure, job->procedure_options, &stream, &pass);
    Optim *optim = optim_new(&pass.model->table, &alone, false);
    ModelWork work = job->kind->work(&job->shape, 1, job->procedure->input_gradient);
    ForecastTimes t = {.start = timer_cpu() - begin};
    double end = timer_cpu() + enough;
    int n = 0;
    for (; n < LEAST_STEPS || (n < MOST_STEPS && timer_cpu() < end); n++) {
        double start = timer_cpu();
        PackedLengths lengths = {0};
        procedure_step(&lengths, &procedure, &pass, (int64_t)n * options->batch, samples, samples);
        ModelFlops flops = procedure_flops(job->procedure, job->procedure_options, model_flops_of(&work, lengths));
        double middle = timer_cpu();
        optim_step(optim, pass.model->theta, pass.model->grad, 0, &settings);
        update[n] = timer_cpu() - middle;
        procedure_after_step(&procedure, &pass);
        flop_second[n] = (timer_cpu() - start - update[n]) / flops.executed;
    }
    double batch = (double)options->batch;
    t.gradient = average_of(flop_second, n) * forecast_flops(job, options, data, 1).executed * samples / batch;
    t.update = average_of(update, n);
    t.evaluate = time_evaluation(&pass, &stream);
    optim_free(optim);
    procedure_end(&procedure);
    pass_free(&pass);
    procgrid_free(&alone);
    return t;
}

ModelFlops forecast_flops(const TrainJob *job, const TrainOptions *options, const TrainData *data, int tp) {
    enum { TRAJECTORIES = 128 };
    int64_t size = dataset_size(data->dataset);
    int n = size < TRAJECTORIES ? (int)size : TRAJECTORIES;
    PackedLengths lengths = {0};
    for (int k = 0; k < n; k++) {
        const Trajectory *tr = dataset_get(data->dataset, k);
        int64_t start[2] = {0, tr->vertices};
        packed_lengths_add(&lengths, job->kind, &job->shape, tr->vertex_body, &(Packed){.n = 1, .start = start});
    }
    ModelWork work = job->kind->work(&job->shape, tp, job->procedure->input_gradient);
    ModelFlops all = procedure_flops(job->procedure, job->procedure_options, model_flops_of(&work, lengths));
    double views = (double)options->batch * procedure_views(job->procedure, job->procedure_options) / n;
    return (ModelFlops){.nominal = all.nominal * views, .executed = all.executed * views};
}
