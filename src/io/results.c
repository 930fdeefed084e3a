#include "io/results.h"

#include "base/arena.h"
#include "io/commit.h"
#include "io/h5.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "equiscale-results-1"

/* ---- The tables. A column is named after the member that it holds. ---- */

typedef struct Field {
    H5Column column;
    size_t offset;
} Field;

#define CELL(member, type, unit, description)                                                                          \
    { {"/cells/" #member, type, {0}, unit, description, 0}, offsetof(CellRecord, member) }
#define CELL_TEXT(member, size, description)                                                                           \
    { {"/cells/" #member, H5_TEXT, {0}, "1", description, size}, offsetof(CellRecord, member) }
#define CURVE(member, type, unit, description)                                                                         \
    { {"/curves/" #member, type, {0}, unit, description, 0}, offsetof(CurvePoint, member) }

static const Field cell_fields[] = {
    CELL_TEXT(id, RESULTS_ID, "name of the cell, unique in the study"),
    CELL_TEXT(arm, RESULTS_NAME, "model and training procedure"),
    CELL_TEXT(role, RESULTS_NAME, "grid: scaling; data: data efficiency; lr: learning-rate sweep"),
    CELL(width, H5_I64, "1", "hidden channels (of multivectors, for gatr)"),
    CELL(depth, H5_I64, "1", "blocks"),
    CELL(heads, H5_I64, "1", "attention heads"),
    CELL(parameters, H5_I64, "1", "N: trainable parameters"),
    CELL(steps, H5_I64, "1", "optimiser steps"),
    CELL(batch, H5_I64, "samples", "samples a step"),
    CELL(samples, H5_I64, "samples", "D: training samples seen"),
    CELL(tokens, H5_I64, "tokens", "training tokens seen"),
    CELL(dataset, H5_I64, "trajectories", "size of the training set"),
    CELL(seed, H5_I64, "1", "seed of initialisation and sample order"),
    CELL(lr, H5_F64, "1", "peak learning rate"),
    CELL(dp, H5_I64, "ranks", "data-parallel ranks"),
    CELL(tp, H5_I64, "ranks", "tensor-parallel ranks"),
    CELL(flop_nominal, H5_F64, "FLOP", "C: training compute by the reference's convention"),
    CELL(flop_executed, H5_F64, "FLOP", "C: training compute that the kernels did"),
    CELL(core_seconds, H5_F64, "s", "C: wall time of training times ranks"),
    CELL(seconds, H5_F64, "s", "wall time of training"),
    CELL(loss, H5_F64, "1", "test loss at the end, relative to no motion; NaN when diverged"),
    CELL(loss_initial, H5_F64, "1", "test loss before training"),
    CELL(validation_loss, H5_F64, "1", "validation loss at the end"),
    CELL(outcome, H5_I64, "1", "0 done, 1 diverged, 2 failed"),
    CELL(attempts, H5_I64, "1", "how often the cell was started"),
    CELL(curve_points, H5_I64, "1", "rows of /curves that belong to the cell"),
};

static const Field curve_fields[] = {
    CURVE(cell, H5_I64, "1", "row of the cell in /cells, from 0"),
    CURVE(step, H5_I64, "1", "optimiser steps done"),
    CURVE(samples, H5_F64, "samples", "training samples seen"),
    CURVE(flop_nominal, H5_F64, "FLOP", "training compute so far by the reference's convention"),
    CURVE(flop_executed, H5_F64, "FLOP", "training compute so far that the kernels did"),
    CURVE(core_seconds, H5_F64, "s", "wall time of training so far times ranks"),
    CURVE(loss, H5_F64, "1", "test loss, relative to no motion"),
    CURVE(train_loss, H5_F64, "1", "mean training loss since the last point"),
    CURVE(lr, H5_F64, "1", "learning rate"),
};

typedef struct TableSpec {
    const char *group;
    const Field *fields;
    int n_fields;
    size_t record; /* bytes of the struct of a row */
} TableSpec;

enum { CELLS, CURVES, TABLES };
static const TableSpec tables[TABLES] = {
    {"/cells", cell_fields, sizeof cell_fields / sizeof *cell_fields, sizeof(CellRecord)},
    {"/curves", curve_fields, sizeof curve_fields / sizeof *curve_fields, sizeof(CurvePoint)},
};

static int64_t rows_of(const Results *r, int table) {
    return table == CELLS ? r->cells : r->points;
}

static void *records_of(const Results *r, int table) {
    return table == CELLS ? (void *)r->cell : (void *)r->curve;
}

/* Between records and one column: out of the records, or back into them. */
static void copy_column(void *column, char *records, const Field *f, size_t record, int64_t rows, bool back) {
    size_t bytes = h5_row_bytes(&f->column);
    for (int64_t i = 0; i < rows; i++) {
        char *at = (char *)column + (size_t)i * bytes, *member = records + (size_t)i * record + f->offset;
        if (f->column.type == H5_TEXT && !back)
            strncpy(at, member, bytes); /* what follows the text is zeros in the file */
        else
            memcpy(back ? member : at, back ? at : member, bytes);
        if (f->column.type == H5_TEXT && back) member[bytes - 1] = 0;
    }
}

/* ---- Writing: the share of a rank, or all. ---- */

static Err write_table(H5File *file, const TableSpec *t, const Results *r, int table) {
    int64_t rows = rows_of(r, table), first = 0, mine = rows;
    if (file->comm) {
        int rank = comm_rank(file->comm), size = comm_size(file->comm);
        first = rows * rank / size;
        mine = rows * (rank + 1) / size - first;
    }
    TRY(h5_group(file, t->group));
    for (int k = 0; k < t->n_fields; k++) {
        const Field *f = &t->fields[k];
        H5Data data;
        TRY(h5_column_create(&data, file, &f->column, rows));
        void *column = mem_alloc((size_t)mine * h5_row_bytes(&f->column) + 1);
        copy_column(column, (char *)records_of(r, table) + (size_t)first * t->record, f, t->record, mine, false);
        Err err = h5_write(&data, column, first, mine);
        mem_free(column);
        h5_column_close(&data);
        TRY(err);
    }
    return ERR_NONE;
}

/* Lines `name = value` as attributes of one group. */
static Err write_provenance(H5File *file, const char *text) {
    TRY(h5_group(file, "/provenance"));
    while (*text) {
        size_t length = strcspn(text, "\n");
        const char *equals = memmem(text, length, " = ", 3);
        if (equals) {
            char *name = mem_alloc(length + 1), *value = name + (equals - text) + 3;
            memcpy(name, text, length);
            name[equals - text] = 0;
            Err err = h5_has(file, "/provenance", name) ? ERR_NONE : h5_set_text(file, "/provenance", name, value);
            mem_free(name);
            TRY(err);
        }
        text += length + (text[length] == '\n');
    }
    return ERR_NONE;
}

static Err write_all(H5File *file, const Results *r, const char *provenance) {
    char digest[17];
    snprintf(digest, sizeof digest, "%016" PRIx64, r->digest);
    if (file->comm) {
        int64_t bytes = 1 << 20;
        for (int t = 0; t < TABLES; t++)
            bytes += 2 * rows_of(r, t) * (int64_t)tables[t].record + tables[t].n_fields * (1 << 17);
        TRY(h5_reserve(file, bytes));
    }
    TRY(h5_set_text(file, "/", "format", FORMAT));
    TRY(h5_set_text(file, "/", "study", r->study));
    TRY(h5_set_text(file, "/", "digest", digest));
    TRY(write_provenance(file, provenance));
    for (int t = 0; t < TABLES; t++) TRY(write_table(file, &tables[t], r, t));
    return ERR_NONE;
}

static Err write_file(const char *temp, const Results *r, const char *provenance, const Comm *comm) {
    H5File file;
    TRY(h5_create(&file, temp, comm));
    Err err = write_all(&file, r, provenance);
    Err closed = h5_close(&file);
    return err.code ? err : closed;
}

/* ---- Reading. ---- */

static Err read_table(Results *r, int table, H5File *file) {
    const TableSpec *t = &tables[table];
    char *records = NULL;
    int64_t rows = 0;
    for (int k = 0; k < t->n_fields; k++) {
        const Field *f = &t->fields[k];
        H5Data data;
        TRY(h5_column_open(&data, file, &f->column));
        if (k == 0) {
            rows = data.rows < 100000000 ? data.rows : -1;
            if (rows >= 0) records = mem_alloc((size_t)rows * t->record + 1);
            if (table == CELLS) r->cells = rows, r->cell = (CellRecord *)(void *)records;
            if (table == CURVES) r->points = rows, r->curve = (CurvePoint *)(void *)records;
        }
        Err err = ERR_NONE;
        if (data.rows != rows)
            err = err_user("%s: %s: has %lld rows: want as many as %s, at most 100000000", file->path, f->column.name,
                           (long long)data.rows, t->fields[0].column.name);
        void *column = err.code ? NULL : mem_alloc((size_t)rows * h5_row_bytes(&f->column) + 1);
        if (!err.code) err = h5_read(&data, column, 0, rows);
        if (!err.code) copy_column(column, records, f, t->record, rows, true);
        mem_free(column);
        h5_column_close(&data);
        TRY(err);
    }
    return ERR_NONE;
}

static Err check_tables(const Results *r, const char *path) {
    int64_t point = 0;
    for (int64_t i = 0; i < r->cells; i++) {
        const CellRecord *c = &r->cell[i];
        if (c->outcome < OUTCOME_DONE || c->outcome > OUTCOME_FAILED)
            return err_user("%s: /cells/outcome: row %lld holds %lld: want 0, 1 or 2", path, (long long)i,
                            (long long)c->outcome);
        if (c->curve_points < 0 || c->curve_points > r->points - point)
            return err_user("%s: /cells/curve_points: row %lld holds %lld: want the rows of /curves", path,
                            (long long)i, (long long)c->curve_points);
        for (int64_t end = point + c->curve_points; point < end; point++)
            if (r->curve[point].cell != i)
                return err_user("%s: /curves/cell: row %lld holds %lld: want %lld", path, (long long)point,
                                (long long)r->curve[point].cell, (long long)i);
    }
    if (point == r->points) return ERR_NONE;
    return err_user("%s: /cells/curve_points: the sum is %lld: want %lld, the rows of /curves", path, (long long)point,
                    (long long)r->points);
}

static Err read_header(Results *r, H5File *file) {
    char *text = NULL, *end;
    Err err = h5_get_text(&text, file, "/", "format");
    if (err.code || strcmp(text, FORMAT))
        err = err_user("%s: attribute format: not a results file: want " FORMAT, file->path);
    mem_free(text);
    TRY(err);
    TRY(h5_get_text(&text, file, "/", "study"));
    snprintf(r->study, sizeof r->study, "%s", text);
    mem_free(text);
    TRY(h5_get_text(&text, file, "/", "digest"));
    r->digest = strtoumax(text, &end, 16);
    if (end != text + 16 || *end) err = err_user("%s: attribute digest = %.40s: want 16 digits", file->path, text);
    mem_free(text);
    return err;
}

typedef struct Reading {
    Results *out;
    const char *path;
} Reading;

static Err read_all(void *context) {
    Results *out = ((Reading *)context)->out;
    const char *path = ((Reading *)context)->path;
    H5File file;
    Err err = h5_open(&file, path);
    if (!err.code) err = read_header(out, &file);
    for (int t = 0; t < TABLES && !err.code; t++) err = read_table(out, t, &file);
    if (!err.code) err = check_tables(out, path);
    h5_close(&file);
    return err;
}

Err results_read(Results *out, const char *path) {
    Reading reading = {out, path};
    *out = (Results){0};
    TRY(h5_rehearse(path, read_all, &reading));
    Err err = read_all(&reading);
    if (err.code) results_free(out);
    return err;
}

void results_free(Results *r) {
    mem_free(r->cell);
    mem_free(r->curve);
    *r = (Results){0};
}

/* ---- The two kinds of file. ---- */

Err results_write_cell(const char *path, const Results *one, const char *provenance) {
    char temp[COMMIT_PATH];
    TRY(commit_name(temp, path));
    Err err = write_file(temp, one, provenance, NULL);
    if (err.code) {
        unlink(temp);
        return err;
    }
    return commit_rename(temp, path, true);
}

/* What a file holds is what it was made from, bit for bit. */
static Err verify(const char *temp, const Results *want) {
    Results got = {0};
    TRY(results_read(&got, temp));
    bool same = got.cells == want->cells && got.points == want->points && got.digest == want->digest;
    for (int t = 0; t < TABLES && same; t++)
        for (int k = 0; k < tables[t].n_fields && same; k++) {
            const Field *f = &tables[t].fields[k];
            for (int64_t i = 0; i < rows_of(want, t) && same; i++) {
                size_t at = (size_t)i * tables[t].record + f->offset, bytes = h5_row_bytes(&f->column);
                const char *a = (char *)records_of(&got, t) + at, *b = (char *)records_of(want, t) + at;
                same = f->column.type == H5_TEXT ? !strncmp(a, b, bytes) : !memcmp(a, b, bytes);
            }
        }
    results_free(&got);
    return same ? ERR_NONE : err_user("%s: not what was written", temp);
}

Err results_gather(const char *path, const Results *all, const char *provenance, const Comm *comm) {
    char temp[COMMIT_PATH] = "";
    TRY(comm_agree(comm, comm_rank(comm) == 0 ? commit_name(temp, path) : ERR_NONE));
    comm_bcast(comm, temp, sizeof temp, 0);
    Err err = write_file(temp, all, provenance, comm);
    if (comm_rank(comm) == 0) {
        if (!err.code) {
            err = verify(temp, all);
            if (err.code) err.code = EXIT_RESUME;
        }
        if (err.code)
            unlink(temp);
        else
            err = commit_rename(temp, path, true);
    }
    return comm_agree(comm, err);
}
