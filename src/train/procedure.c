#include "train/procedure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const Procedure *const procedures[] = {&procedure_plain, &procedure_augmented, &procedure_remul,
                                       &procedure_gated, &procedure_augerino,  &procedure_shared};
const int n_procedures = sizeof procedures / sizeof *procedures;

static const KeySpec *swept_key(const Procedure *procedure) {
    for (int i = 0; procedure->swept && i < procedure->n_keys; i++)
        if (!strcmp(procedure->keys[i].key, procedure->swept)) return &procedure->keys[i];
    CHECK(!procedure->swept, "procedure %s: no key %s", procedure->name, procedure->swept);
    return NULL;
}

const RealList *procedure_swept(const Procedure *procedure, const void *options) {
    const KeySpec *key = swept_key(procedure);
    return key ? (const RealList *)((const char *)options + key->offset) : NULL;
}

double procedure_take(OptionRoom *one, const Procedure *procedure, const void *options, int i) {
    const KeySpec *key = swept_key(procedure);
    memcpy(one, options, sizeof *one);
    if (!key) return NAN;
    RealList *list = (RealList *)(one->bytes + key->offset);
    list->at[0] = list->at[i];
    list->n = 1;
    return list->at[0];
}

double procedure_swept_default(const Procedure *procedure) {
    const KeySpec *key = swept_key(procedure);
    return key ? strtod(key->fallback, NULL) : NAN;
}

void procedure_start(ProcedureRun *run, const Procedure *procedure, const void *options, const SampleStream *stream,
                     Pass *pass) {
    *run =
        (ProcedureRun){.procedure = procedure, .options = options, .pass = pass, .data = pass->data, .stream = *stream};
    if (procedure->layout) {
        Arena count = arena_count();
        procedure->layout(run, &count);
        run->arena = arena_new(count.peak);
        procedure->layout(run, &run->arena);
    }
    if (procedure->start) procedure->start(run, pass);
}

void procedure_end(ProcedureRun *run) {
    if (run->procedure->layout) arena_free(&run->arena);
}

int64_t procedure_bytes(const Procedure *procedure, const void *options, const ModelKind *kind, const ModelShape *shape,
                        int sequences, const TrainData *data) {
    Pass pass = {.kind = kind, .shape = *shape, .data = data};
    ProcedureRun run = {.procedure = procedure, .options = options, .pass = &pass, .data = data};
    Arena count = arena_count();
    batch_layout(&pass.batch, data, sequences, &count); /* its sizes alone */
    count = arena_count();
    if (procedure->layout) procedure->layout(&run, &count);
    return (int64_t)count.peak;
}

int procedure_views(const Procedure *procedure, const void *options) {
    return procedure->views ? procedure->views(options) : 1;
}

ModelFlops procedure_flops(const Procedure *procedure, const void *options, ModelFlops batch) {
    double factor = procedure->work ? procedure->work(options) : 1;
    return (ModelFlops){batch.nominal * factor, batch.executed * factor, batch.attention * factor};
}

void procedure_fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    batch_clear(batch, run->data);
    batch_expect(batch, run->data, &run->stream, first, n);
    run->procedure->fill(run, batch, first, n);
    CHECK(batch->scenes.seqs.n == n * procedure_views(run->procedure, run->options), "procedure %s: %d sequences",
          run->procedure->name, batch->scenes.seqs.n);
}

bool procedure_whole_batch(const Procedure *procedure, const void *options) {
    return procedure->whole_batch && procedure->whole_batch(options);
}

static double add_gradient(ProcedureRun *run, Pass *pass, int64_t samples, bool more) {
    if (run->procedure->before_gradient) run->procedure->before_gradient(run, pass);
    double loss = pass_gradient_add(pass, samples, more);
    if (run->procedure->after_gradient) run->procedure->after_gradient(run, pass);
    return loss;
}

double procedure_gradient(ProcedureRun *run, Pass *pass, int64_t samples) {
    pass_gradient_start(pass);
    return add_gradient(run, pass, samples, false);
}

double procedure_step(PackedLengths *lengths, ProcedureRun *run, Pass *pass, int64_t first, int count,
                      int64_t samples) {
    int most = pass->sum ? 1 : pass->batch.max_sequences / procedure_views(run->procedure, run->options), done = 0;
    double loss = 0;
    CHECK(count <= most || !procedure_whole_batch(run->procedure, run->options), "procedure %s: %d samples of %d",
          run->procedure->name, most, count);
    pass_gradient_start(pass);
    do { /* once where there are no samples: the sums over dp want every rank */
        int n = count - done < most ? count - done : most;
        procedure_fill(run, &pass->batch, first + done, n);
        const SceneBatch *scenes = &pass->batch.scenes;
        packed_lengths_add(lengths, pass->model->kind, &pass->model->shape, scenes->slot, &scenes->seqs);
        done += n;
        loss += add_gradient(run, pass, samples, done < count);
    } while (done < count);
    return loss;
}

int64_t procedure_state(const ProcedureRun *run, double *numbers) {
    return run->procedure->state ? run->procedure->state(run, numbers) : 0;
}

void procedure_restore(ProcedureRun *run, const double *numbers) {
    run->procedure->restore(run, numbers);
}

void procedure_after_step(ProcedureRun *run, Pass *pass) {
    if (run->procedure->after_step) run->procedure->after_step(run, pass);
}

void procedure_numbers(ProcedureRun *run, double value[CURVE_NUMBERS]) {
    for (int i = 0; i < CURVE_NUMBERS; i++) value[i] = NAN;
    if (run->procedure->numbers) run->procedure->numbers(run, value);
}

void procedure_names(const Procedure *procedure, char names[RESULTS_NUMBERS]) {
    size_t used = 0;
    memset(names, 0, RESULTS_NUMBERS);
    for (int i = 0; i < CURVE_NUMBERS && procedure->number[i]; i++) {
        used += (size_t)snprintf(names + used, RESULTS_NUMBERS - used, "%s%s", i ? "," : "", procedure->number[i]);
        CHECK(used < RESULTS_NUMBERS, "procedure %s: names longer than %d letters", procedure->name, RESULTS_NUMBERS);
    }
}
