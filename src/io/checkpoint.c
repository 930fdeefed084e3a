#include "io/checkpoint.h"

#include "base/arena.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const formats[] = {
    [CHECKPOINT_TRAINING] = "equiscale-checkpoint-1", [CHECKPOINT_WEIGHTS] = "equiscale-weights-1"};
static const struct {
    const char *group, *description;
} parts[CHECKPOINT_PARTS] = {
    [PART_PARAMETERS] = {"/parameters", "weights"},
    [PART_FIRST_MOMENT] = {"/first_moment", "running mean of the gradient (AdamW)"},
    [PART_SECOND_MOMENT] = {"/second_moment", "running mean of the squared gradient (AdamW)"},
};
static const H5Column learned_column = {
    "/training/procedure", H5_F64, {0}, "1", "what the training procedure has learned", 0};

enum { PARTS_OF_WEIGHTS = 1, OBJECT_NAME = 160 };

void checkpoint_old(char old[COMMIT_PATH], const char *path) {
    snprintf(old, COMMIT_PATH, "%.*s.old", COMMIT_PATH - 8, path);
}

void checkpoint_remove(const char *path) {
    char old[COMMIT_PATH];
    checkpoint_old(old, path);
    unlink(path);
    unlink(old);
}

/* ---- Writing. ---- */

Err checkpoint_create(Checkpoint *c, const char *path, CheckpointKind kind) {
    *c = (Checkpoint){.kind = kind};
    snprintf(c->path, sizeof c->path, "%s", path);
    TRY(commit_name(c->temp, path));
    TRY(h5_create_sealed(&c->file, c->temp));
    Err err = h5_set_text(&c->file, "/", "format", formats[kind]);
    int n = kind == CHECKPOINT_WEIGHTS ? PARTS_OF_WEIGHTS : CHECKPOINT_PARTS;
    for (int p = 0; p < n && !err.code; p++) err = h5_group(&c->file, parts[p].group);
    return err;
}

Err checkpoint_put_record(Checkpoint *c, const Results *one, const char *provenance) {
    return results_put(&c->file, one, provenance);
}

Err checkpoint_put_training(Checkpoint *c, const TrainingPoint *at, const double *learned) {
    TRY(h5_group(&c->file, "/training"));
    TRY(h5_set_i64(&c->file, "/training", "step", at->step));
    TRY(h5_set_f64(&c->file, "/training", "loss_sum", at->loss));
    TRY(h5_set_i64(&c->file, "/training", "loss_steps", at->loss_steps));
    if (!at->learned) return ERR_NONE;
    H5Data data;
    TRY(h5_column_create(&data, &c->file, &learned_column, at->learned));
    Err err = h5_write(&data, learned, 0, at->learned);
    h5_column_close(&data);
    return err;
}

/* A tensor as a column: its first axis are the rows. */
static H5Column column_of(char name[OBJECT_NAME], CheckpointPart part, const TensorShape *t) {
    snprintf(name, OBJECT_NAME, "%s/%s", parts[part].group, t->name);
    H5Column column = {.name = name,
                       .type = sizeof(real) == sizeof(double) ? H5_F64 : H5_F32,
                       .unit = "1",
                       .description = parts[part].description};
    for (int a = 1; a < t->axes; a++) column.shape[a - 1] = t->size[a];
    return column;
}

Err checkpoint_put_tensor(Checkpoint *c, CheckpointPart part, const TensorShape *tensor, const real *values) {
    char name[OBJECT_NAME];
    H5Column column = column_of(name, part, tensor);
    H5Data data;
    TRY(h5_column_create(&data, &c->file, &column, tensor->size[0]));
    Err err = h5_write(&data, values, 0, tensor->size[0]);
    h5_column_close(&data);
    return err;
}

Err checkpoint_commit(Checkpoint *c) {
    char old[COMMIT_PATH];
    Err err = h5_close(&c->file);
    checkpoint_old(old, c->path);
    if (!err.code && c->kind == CHECKPOINT_TRAINING && access(c->path, F_OK) == 0 && rename(c->path, old))
        err = commit_error(c->path, "cannot be renamed");
    if (!err.code) return commit_rename(c->temp, c->path, true);
    unlink(c->temp);
    return err;
}

void checkpoint_discard(Checkpoint *c) {
    h5_close(&c->file);
    unlink(c->temp);
}

/* ---- Reading. ---- */

static Err check_header(Checkpoint *c) {
    char *format = NULL;
    Err err = h5_get_text(&format, &c->file, "/", "format");
    if (err.code || strcmp(format, formats[c->kind]))
        err = err_user("%s: attribute format: want %s", c->path, formats[c->kind]);
    mem_free(format);
    return err;
}

Err checkpoint_open(Checkpoint *c, const char *path, CheckpointKind kind) {
    *c = (Checkpoint){.kind = kind};
    snprintf(c->path, sizeof c->path, "%s", path);
    TRY(h5_open_sealed(&c->file, c->path));
    Err err = check_header(c);
    if (err.code) checkpoint_close(c);
    return err;
}

Err checkpoint_take_record(Checkpoint *c, Results *one) {
    TRY(results_take(one, &c->file));
    if (one->cells == 1) return ERR_NONE;
    results_free(one);
    return err_user("%s: holds no record of one cell", c->path);
}

static Err take_learned(Checkpoint *c, TrainingPoint *at, double **learned) {
    bool there;
    TRY(h5_exists(&there, &c->file, learned_column.name));
    if (!there) return ERR_NONE;
    H5Data data;
    TRY(h5_column_open(&data, &c->file, &learned_column));
    at->learned = data.rows;
    *learned = MEM_NEW(double, data.rows);
    Err err = h5_read(&data, *learned, 0, data.rows);
    h5_column_close(&data);
    if (err.code) mem_free(*learned);
    return err;
}

Err checkpoint_take_training(Checkpoint *c, TrainingPoint *at, double **learned) {
    *at = (TrainingPoint){0};
    *learned = NULL;
    TRY(h5_get_i64(&at->step, &c->file, "/training", "step"));
    TRY(h5_get_f64(&at->loss, &c->file, "/training", "loss_sum"));
    TRY(h5_get_i64(&at->loss_steps, &c->file, "/training", "loss_steps"));
    return take_learned(c, at, learned);
}

Err checkpoint_take_tensor(Checkpoint *c, CheckpointPart part, const TensorShape *tensor, real *values) {
    char name[OBJECT_NAME];
    H5Column column = column_of(name, part, tensor);
    H5Data data;
    TRY(h5_column_open(&data, &c->file, &column));
    Err err = ERR_NONE;
    if (data.rows != tensor->size[0])
        err = err_user("%s: %s: has %lld rows: want %lld", c->path, name, (long long)data.rows,
                       (long long)tensor->size[0]);
    if (!err.code) err = h5_read(&data, values, 0, data.rows);
    h5_column_close(&data);
    return err;
}

void checkpoint_close(Checkpoint *c) {
    h5_close(&c->file);
}
