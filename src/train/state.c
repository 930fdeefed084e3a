#include "train/state.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static TensorShape shape_of(const Param *p) {
    TensorShape shape = {.name = p->name, .axes = p->axes};
    for (int a = 0; a < p->axes; a++) shape.size[a] = axis_size(&p->axis[a], 1);
    return shape;
}

static int64_t largest(const ParamTable *table) {
    int64_t most = 0;
    for (int t = 0; t < table->n; t++)
        if (param_size(&table->at[t]) > most) most = param_size(&table->at[t]);
    return most;
}

/* What this rank has of the local vectors, in the order of the parts of a checkpoint. */
typedef struct Vectors {
    ParamRun at[CHECKPOINT_PARTS];
    bool sharded; /* over dp, all but the parameters */
} Vectors;

static Vectors vectors_of(const TrainState *s) {
    const Model *m = s->pass->model;
    Vectors v = {.at[PART_PARAMETERS] = {.count = m->table.local, .run = m->theta}};
    if (!s->optim) return v;
    OptimMoments o = optim_moments(s->optim);
    v.at[PART_FIRST_MOMENT] = (ParamRun){o.first, o.count, o.m};
    v.at[PART_SECOND_MOMENT] = (ParamRun){o.first, o.count, o.v};
    v.sharded = o.sharded;
    return v;
}

/* Whether this rank has a hand in what is saved: replica 0 has all that is not sharded. */
static bool has_part(const TrainState *s, const Vectors *v) {
    return v->sharded || comm_rank(s->pass->grid->dp) == 0;
}

static bool is_leader(const TrainState *s) {
    return comm_rank(s->pass->grid->cell) == 0;
}

/* ---- Saving. ---- */

/* Puts the tensors of the first `parts` parts together, and on the leader into the file unless something was wrong before.
 * Collective on the ranks that have a part. */
static Err put_tensors(Err err, Checkpoint *file, int parts, const TrainState *s, const Vectors *v) {
    const ParamTable *table = &s->pass->model->table;
    const ProcGrid *grid = s->pass->grid;
    double *full = MEM_NEW(double, largest(table));
    real *whole = MEM_NEW(real, largest(table));
    for (int t = 0; t < table->n; t++)
        for (int part = 0; part < parts; part++) {
            const Param *p = &table->at[t];
            TensorShape shape = shape_of(p);
            int64_t n = param_size(p);
            memset(full, 0, (size_t)n * sizeof *full);
            if (part != PART_PARAMETERS || comm_rank(grid->dp) == 0) param_give_run(full, table, p, v->at[part]);
            comm_sum_f64(v->sharded ? grid->cell : grid->tp, full, n);
            for (int64_t i = 0; i < n; i++) whole[i] = (real)full[i];
            if (is_leader(s) && !err.code) err = checkpoint_put_tensor(file, (CheckpointPart)part, &shape, whole);
        }
    mem_free(whole);
    mem_free(full);
    return err;
}

/* Both kinds of file. */
static Err save(const TrainState *s, const char *path, const char *provenance, CheckpointKind kind,
                const double *learned) {
    const Vectors v = vectors_of(s);
    if (!has_part(s, &v)) return ERR_NONE;
    Checkpoint file;
    bool training = kind == CHECKPOINT_TRAINING;
    Err err = is_leader(s) ? checkpoint_create(&file, path, kind) : ERR_NONE;
    if (is_leader(s) && !err.code) err = checkpoint_put_record(&file, &s->so_far, provenance);
    if (is_leader(s) && !err.code && training) err = checkpoint_put_training(&file, &s->at, learned);
    err = put_tensors(err, &file, training ? CHECKPOINT_PARTS : 1, s, &v);
    if (!is_leader(s)) return ERR_NONE;
    if (!err.code) return checkpoint_commit(&file);
    checkpoint_discard(&file);
    return err;
}

Err state_save(const TrainState *state, const char *path, const char *provenance) {
    TrainState s = *state;
    s.at.learned = procedure_state(s.procedure, NULL);
    double *learned = MEM_NEW(double, s.at.learned);
    procedure_state(s.procedure, learned);
    Err err = save(&s, path, provenance, CHECKPOINT_TRAINING, learned);
    mem_free(learned);
    return err;
}

Err state_save_weights(const TrainState *state, const char *path, const char *provenance) {
    return save(state, path, provenance, CHECKPOINT_WEIGHTS, NULL);
}

int64_t state_bytes(const ModelKind *model, const ModelShape *shape, CheckpointKind kind) {
    enum { HEADER = 2048 }; /* of a tensor as a column, and more */
    int64_t parts = kind == CHECKPOINT_TRAINING ? CHECKPOINT_PARTS : 1;
    ParamTable table = param_table_new(1, 0);
    model->params(&table, shape);
    int64_t bytes = parts * (table.global * (int64_t)sizeof(real) + table.n * HEADER);
    param_table_free(&table);
    return bytes;
}

/* ---- Loading. ---- */

/* Every tensor is there, of the right shape. On the leader. */
static Err try_tensors(Checkpoint *file, const ParamTable *table) {
    real *whole = MEM_NEW(real, largest(table));
    Err err = ERR_NONE;
    for (int t = 0; t < table->n && !err.code; t++)
        for (int part = 0; part < CHECKPOINT_PARTS && !err.code; part++) {
            TensorShape shape = shape_of(&table->at[t]);
            err = checkpoint_take_tensor(file, (CheckpointPart)part, &shape, whole);
        }
    mem_free(whole);
    return err;
}

/* From the leader's file to the local vectors of every rank. Nothing can fail that try_tensors has not tried. */
static void take_tensors(const TrainState *s, Checkpoint *file) {
    const ParamTable *table = &s->pass->model->table;
    const Comm *cell = s->pass->grid->cell;
    double *full = MEM_NEW(double, largest(table));
    real *whole = MEM_NEW(real, largest(table));
    const Vectors v = vectors_of(s);
    for (int t = 0; t < table->n; t++)
        for (int part = 0; part < CHECKPOINT_PARTS; part++) {
            const Param *p = &table->at[t];
            TensorShape shape = shape_of(p);
            int64_t n = param_size(p);
            Err err = is_leader(s) ? checkpoint_take_tensor(file, (CheckpointPart)part, &shape, whole) : ERR_NONE;
            CHECK(!err.code, "%s", err.text);
            comm_bcast(cell, whole, (size_t)n * sizeof *whole, 0);
            for (int64_t i = 0; i < n; i++) full[i] = (double)whole[i];
            param_take_run(v.at[part], table, p, full);
        }
    mem_free(whole);
    mem_free(full);
}

/* All but the tensors, on the leader: the state takes nothing of a file that is not whole. */
static Err open_generation(Checkpoint *file, TrainState *s, double **learned, const char *path, StateCheck check) {
    Results found = {0};
    TrainingPoint at = {0};
    TRY(checkpoint_open(file, path, CHECKPOINT_TRAINING));
    Err err = checkpoint_take_record(file, &found);
    if (!err.code) err = check.accept(check.context, &found, path);
    if (!err.code) err = checkpoint_take_training(file, &at, learned);
    if (!err.code && at.learned != procedure_state(s->procedure, NULL))
        err = err_user("%s: holds %lld numbers of the training procedure", path, (long long)at.learned);
    if (!err.code) err = try_tensors(file, &s->pass->model->table);
    if (!err.code) {
        s->so_far = found;
        s->at = at;
        return err;
    }
    results_free(&found);
    mem_free(*learned);
    *learned = NULL;
    checkpoint_close(file);
    return err;
}

bool state_load(TrainState *s, const char *path, StateCheck check) {
    const Comm *cell = s->pass->grid->cell;
    char generation[2][COMMIT_PATH];
    snprintf(generation[0], COMMIT_PATH, "%s", path);
    checkpoint_old(generation[1], path);
    Checkpoint file;
    double *learned = NULL;
    bool found = false;
    for (int g = 0; g < 2 && is_leader(s) && !found; g++) {
        if (access(generation[g], F_OK) && errno == ENOENT) continue;
        Err err = open_generation(&file, s, &learned, generation[g], check);
        found = !err.code;
        if (err.code) log_event("%s; not used", err.text);
    }
    comm_bcast(cell, &found, sizeof found, 0);
    if (!found) return false;
    comm_bcast(cell, &s->at, sizeof s->at, 0);
    results_bcast(&s->so_far, cell);
    if (!is_leader(s)) learned = MEM_NEW(double, s->at.learned);
    comm_bcast(cell, learned, (size_t)s->at.learned * sizeof *learned, 0);
    if (s->at.learned) procedure_restore(s->procedure, learned);
    mem_free(learned);
    take_tensors(s, &file);
    optim_resume(s->optim, s->at.step);
    if (is_leader(s)) checkpoint_close(&file);
    return true;
}
