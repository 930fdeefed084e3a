#include "train/forecast.h"

#include "base/timer.h"
#include "train/optim.h"

#include <math.h>

static int64_t moments_bytes(const TrainJob *job, int tp) {
    ParamTable table = param_table_new(tp, 0);
    job->kind->params(&table, &job->shape);
    int64_t bytes = optim_bytes(&table);
    param_table_free(&table);
    return bytes;
}

int64_t forecast_bytes(const TrainJob *job, const TrainOptions *options, const TrainData *data, int dp, int tp) {
    int sequences = procedure_views(job->procedure, job->procedure_options) * pass_largest_share(options->batch, dp);
    return data->dataset_bytes + pass_bytes(job->kind, &job->shape, tp, sequences, data) + moments_bytes(job, tp) +
           measure_bytes(job->measures, job->kind, &job->shape, data, sequences) +
           procedure_bytes(job->procedure, job->procedure_options, job->kind, &job->shape, sequences, data);
}

double forecast_seconds(const TrainJob *job, const TrainOptions *options, const TrainData *data, int samples) {
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    int64_t trajectories = job->dataset < data->train ? job->dataset : data->train; /* a plan may have a few only */
    SampleStream stream = {SAMPLES_TRAIN, trajectories, job->seed};
    Pass pass;
    ProcedureRun procedure;
    double least = INFINITY;
    pass_init(&pass, job->kind, &job->shape, job->seed,
              samples * procedure_views(job->procedure, job->procedure_options), data, &alone);
    procedure_start(&procedure, job->procedure, job->procedure_options, &stream, &pass);
    double end = timer_cpu() + 0.3; /* kernels are made as they are first met: the first steps are slow */
    for (int k = 0; k < 3 || (k < 50 && timer_cpu() < end); k++) {
        double start = timer_cpu();
        procedure_fill(&procedure, &pass.batch, k * options->batch, samples);
        procedure_gradient(&procedure, &pass, samples);
        procedure_after_step(&procedure, &pass);
        least = fmin(least, timer_cpu() - start);
    }
    procedure_end(&procedure);
    pass_free(&pass);
    procgrid_free(&alone);
    return least;
}

ModelFlops forecast_flops(const TrainJob *job, const TrainOptions *options, const TrainData *data, int tp) {
    enum { TRAJECTORIES = 128 };
    int64_t start[TRAJECTORIES + 1] = {0}, size = dataset_size(data->dataset);
    int n = size < TRAJECTORIES ? (int)size : TRAJECTORIES;
    for (int k = 0; k < n; k++) start[k + 1] = start[k] + dataset_get(data->dataset, k)->vertices;
    ModelWork work = job->kind->work(&job->shape, tp, job->procedure->input_gradient);
    ModelFlops all =
        procedure_flops(job->procedure, job->procedure_options, model_flops(&work, &(Packed){.n = n, .start = start}));
    double views = (double)options->batch * procedure_views(job->procedure, job->procedure_options) / n;
    return (ModelFlops){.nominal = all.nominal * views, .executed = all.executed * views};
}
