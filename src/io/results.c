#include "io/results.h"

#include "base/arena.h"
#include "io/commit.h"
#include "io/h5.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "equiscale-results-1"

/* ---- The tables. A column is named after the member that it holds. ---- */

typedef struct Field {
    H5Column column;
    size_t offset;
    const char *fallback;     /* what a file without the column means, as text; NULL: a file must have it */
    const Currency *currency; /* that the column counts compute in; NULL: another column */
} Field;

#define CELL(member, type, unit, description)                                                                          \
    { {"/cells/" #member, type, {0}, unit, description, 0}, offsetof(CellRecord, member), NULL, NULL }
#define CELL_LATER(member, type, fallback, unit, description)                                                          \
    { {"/cells/" #member, type, {0}, unit, description, 0}, offsetof(CellRecord, member), fallback, NULL }
#define CELL_TEXT(member, size, description)                                                                           \
    { {"/cells/" #member, H5_TEXT, {0}, "1", description, size}, offsetof(CellRecord, member), NULL, NULL }
#define CELL_COMPUTE(word, name, column, title, amount, unit, description)                                             \
    {{"/cells/" column, H5_F64, {0}, unit, "C: training compute " description, 0},                                     \
     offsetof(CellRecord, compute[CURRENCY_##word]),                                                                   \
     "nan",                                                                                                            \
     &currencies[CURRENCY_##word]},
#define CURVE(member, type, unit, description)                                                                         \
    { {"/curves/" #member, type, {0}, unit, description, 0}, offsetof(CurvePoint, member), NULL, NULL }
#define CURVE_COMPUTE(word, name, column, title, amount, unit, description)                                            \
    {{"/curves/" column, H5_F64, {0}, unit, "training compute so far " description, 0},                                \
     offsetof(CurvePoint, compute[CURRENCY_##word]),                                                                   \
     "nan",                                                                                                            \
     &currencies[CURRENCY_##word]},
#define MEASURE(member, type, unit, description)                                                                       \
    { {"/measures/" #member, type, {0}, unit, description, 0}, offsetof(MeasureRow, member), NULL, NULL }
#define MEASURE_TEXT(member, description)                                                                              \
    { {"/measures/" #member, H5_TEXT, {0}, "1", description, RESULTS_NAME}, offsetof(MeasureRow, member), NULL, NULL }

static const Field cell_fields[] = {
    CELL_TEXT(id, RESULTS_ID, "name of the cell, unique in the study"),
    CELL_TEXT(arm, RESULTS_NAME, "model and training procedure"),
    CELL_TEXT(role, RESULTS_NAME, "grid: scaling; data: data efficiency; lr: learning-rate sweep"),
    CELL(width, H5_I64, "1", "hidden channels (of multivectors, for gatr)"),
    CELL(depth, H5_I64, "1", "blocks"),
    CELL(heads, H5_I64, "1", "attention heads"),
    CELL_LATER(scalars, H5_I64, "-1", "1", "hidden scalar channels beside multivectors; -1: not recorded"),
    CELL_LATER(multi_query, H5_I64, "-1", "1", "1: query heads share one key and value head; -1: not recorded"),
    CELL_LATER(increase, H5_I64, "-1", "1", "factor on the channels inside the attention; -1: not recorded"),
    CELL_LATER(fixed, H5_I64, "0", "1", "fixed inputs (gatr_fixed)"),
    CELL(parameters, H5_I64, "1", "N: trainable parameters"),
    CELL(steps, H5_I64, "1", "optimiser steps"),
    CELL(batch, H5_I64, "samples", "samples a step"),
    CELL(samples, H5_I64, "samples", "D: training samples seen"),
    CELL(tokens, H5_I64, "tokens", "training tokens seen"),
    CELL(dataset, H5_I64, "trajectories", "size of the training set"),
    CELL_LATER(epochs, H5_F64, "nan", "1", "how often the training set was seen"),
    {{"/cells/data",
      H5_TEXT,
      {0},
      "1",
      "digest of the trajectories that decide its numbers; empty: not recorded",
      RESULTS_DIGEST},
     offsetof(CellRecord, data),
     "",
     NULL},
    CELL(seed, H5_I64, "1", "seed of initialisation and sample order"),
    CELL(lr, H5_F64, "1", "peak learning rate"),
    CELL(dp, H5_I64, "ranks", "data-parallel ranks"),
    CELL(tp, H5_I64, "ranks", "tensor-parallel ranks"),
    CURRENCY_ROWS(CELL_COMPUTE) CELL(seconds, H5_F64, "s", "wall time of training"),
    CELL_LATER(flop_attention, H5_F64, "nan", "FLOP",
               "executed in attention (scores, weighted sums), which nominal compute leaves out"),
    CELL(loss, H5_F64, "1", "test loss at the end, relative to no motion; NaN when diverged"),
    CELL_LATER(loss_error, H5_F64, "nan", "1", "standard error of the test loss, by bootstrap over test trajectories"),
    CELL(loss_initial, H5_F64, "1", "test loss before training"),
    CELL(validation_loss, H5_F64, "1", "validation loss at the end"),
    CELL(outcome, H5_I64, "1", "0 done, 1 diverged, 2 failed"),
    CELL(attempts, H5_I64, "1", "how often the cell was started"),
    CELL(curve_points, H5_I64, "1", "rows of /curves that belong to the cell"),
    {{"/cells/numbers", H5_TEXT, {0}, "1", "names of the numbers in /curves/procedure, by comma", RESULTS_NUMBERS},
     offsetof(CellRecord, numbers),
     "",
     NULL},
};

static const Field curve_fields[] = {
    CURVE(cell, H5_I64, "1", "row of the cell in /cells, from 0"),
    CURVE(step, H5_I64, "1", "optimiser steps done"),
    CURVE(samples, H5_F64, "samples", "training samples seen"),
    CURRENCY_ROWS(CURVE_COMPUTE) CURVE(loss, H5_F64, "1", "test loss, relative to no motion"),
    CURVE(train_loss, H5_F64, "1", "mean training loss since the last point"),
    CURVE(lr, H5_F64, "1", "learning rate"),
    {{"/curves/procedure", H5_F64, {CURVE_NUMBERS}, "1", "numbers of the training procedure; NaN: it has no more", 0},
     offsetof(CurvePoint, procedure),
     "nan",
     NULL},
};

static const Field measure_fields[] = {
    MEASURE(cell, H5_I64, "1", "row of the cell in /cells, from 0"),
    MEASURE(step, H5_I64, "1", "optimiser steps done"),
    MEASURE_TEXT(measure, "name of the measurement"),
    MEASURE(layer, H5_I64, "1", "point on the residual stream, from 0; -1: the output"),
    MEASURE_TEXT(element, "group element or other case"),
    MEASURE(value, H5_F64, "1", "what was found"),
    MEASURE(se, H5_F64, "1", "its standard error; NaN where there is none"),
    MEASURE(samples, H5_I64, "samples", "independent samples behind it"),
};

typedef struct TableSpec {
    const char *group;
    const Field *fields;
    int n_fields;
    size_t record;   /* bytes of the struct of a row */
    size_t rows, at; /* where Results has the number of rows, and their array */
    bool optional;   /* absent in files from before there was the table, which means no rows */
    H5Column scale;  /* dimension of its columns, for other readers: not read back */
} TableSpec;

#define TABLE(group, fields, Record, rows, at, optional, dimension)                                                    \
    {                                                                                                                  \
        group, fields, sizeof(fields) / sizeof *(fields), sizeof(Record), offsetof(Results, rows),                     \
            offsetof(Results, at), optional, {                                                                         \
            group "/" dimension, H5_I64, {0}, "1", "number of the row, from 0", 0                                      \
        }                                                                                                              \
    }
enum { CELLS, CURVES, MEASURES, TABLES };
static const TableSpec tables[TABLES] = {
    [CELLS] = TABLE("/cells", cell_fields, CellRecord, cells, cell, false, "cell"),
    [CURVES] = TABLE("/curves", curve_fields, CurvePoint, points, curve, false, "point"),
    [MEASURES] = TABLE("/measures", measure_fields, MeasureRow, measures, measure, true, "row"),
};

/* The other dimension of /curves/procedure. */
static const H5Column number_scale = {"/curves/number", H5_I64, {0}, "1", "place in /curves/procedure, from 0", 0};

static int64_t rows_of(const Results *r, int table) {
    int64_t rows;
    memcpy(&rows, (const char *)r + tables[table].rows, sizeof rows);
    return rows;
}

/* Pointers of different types, so they are copied as bytes. */
static void *records_of(const Results *r, int table) {
    void *records;
    memcpy(&records, (const char *)r + tables[table].at, sizeof records);
    return records;
}

static void set_table(Results *r, int table, void *records, int64_t rows) {
    memcpy((char *)r + tables[table].at, &records, sizeof records);
    memcpy((char *)r + tables[table].rows, &rows, sizeof rows);
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

static Err write_column(H5File *file, const TableSpec *t, const Field *f, const Results *r, int table, H5Data *scale) {
    int64_t rows = rows_of(r, table), first = 0, mine = rows;
    if (file->comm) {
        int rank = comm_rank(file->comm), size = comm_size(file->comm);
        first = rows * rank / size;
        mine = rows * (rank + 1) / size - first;
    }
    H5Data data, number = {0};
    TRY(h5_column_create(&data, file, &f->column, rows));
    void *column = mem_alloc((size_t)mine * h5_row_bytes(&f->column) + 1);
    copy_column(column, (char *)records_of(r, table) + (size_t)first * t->record, f, t->record, mine, false);
    Err err = h5_write(&data, column, first, mine);
    mem_free(column);
    if (!err.code) err = h5_on_scale(&data, scale, 0);
    if (!err.code && f->column.shape[0]) {
        err = h5_scale_create(&number, file, &number_scale, f->column.shape[0]);
        if (!err.code) err = h5_on_scale(&data, &number, 1);
        h5_column_close(&number);
    }
    h5_column_close(&data);
    TRY(err);
    if (!f->currency) return ERR_NONE;
    TRY(h5_set_text(file, f->column.name, "currency", f->currency->name));
    return h5_set_text(file, f->column.name, "title", f->currency->title);
}

static Err write_table(H5File *file, const TableSpec *t, const Results *r, int table) {
    H5Data scale;
    TRY(h5_group(file, t->group));
    TRY(h5_scale_create(&scale, file, &t->scale, rows_of(r, table)));
    Err err = ERR_NONE;
    for (int k = 0; k < t->n_fields && !err.code; k++) err = write_column(file, t, &t->fields[k], r, table, &scale);
    h5_column_close(&scale);
    return err;
}

/* What the numbers in /cells/outcome mean, as the CF conventions have it. */
static Err write_flags(H5File *file) {
    static const int64_t values[] = {OUTCOME_DONE, OUTCOME_DIVERGED, OUTCOME_FAILED};
    TRY(h5_set_list(file, "/cells/outcome", "flag_values", values, sizeof values / sizeof *values));
    return h5_set_text(file, "/cells/outcome", "flag_meanings", "done diverged failed");
}

/* Which columns of the group count compute, in the order of currencies[]. */
static Err write_currencies(H5File *file, const char *group) {
    char list[512] = "";
    for (int c = 0; c < CURRENCIES; c++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? "," : "", currencies[c].column);
        CHECK(strlen(list) < sizeof list - 1, "%d currencies", CURRENCIES);
    }
    return h5_set_text(file, group, "currencies", list);
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

Err results_put(H5File *file, const Results *r, const char *provenance) {
    TRY(h5_set_text(file, "/", "study", r->study));
    TRY(write_provenance(file, provenance));
    for (int t = 0; t < TABLES; t++) TRY(write_table(file, &tables[t], r, t));
    TRY(write_flags(file));
    TRY(write_currencies(file, "/cells"));
    return write_currencies(file, "/curves");
}

/* Bytes on the disk, a little more than it takes: a column is its values in whole chunks, and its header. */
static int64_t need(const Results *r, const char *provenance) {
    enum { HEADER = 2048, CHUNK = 1 << 15 };
    int64_t bytes = 4 * (int64_t)strlen(provenance) + (1 << 16);
    for (int t = 0; t < TABLES; t++)
        for (int k = 0; k < tables[t].n_fields; k++) {
            int64_t values = rows_of(r, t) * (int64_t)h5_row_bytes(&tables[t].fields[k].column);
            bytes += HEADER + values + (values > CHUNK ? CHUNK : 0);
        }
    return bytes;
}

static Err write_all(H5File *file, const Results *r, const char *provenance) {
    if (file->comm) {
        TRY(h5_reserve(file, need(r, provenance)));
    }
    TRY(h5_set_text(file, "/", "format", FORMAT));
    return results_put(file, r, provenance);
}

static Err write_file(const char *temp, const Results *r, const char *provenance, const Comm *comm) {
    H5File file;
    TRY(h5_create(&file, temp, comm));
    Err err = write_all(&file, r, provenance);
    Err closed = h5_close(&file);
    return err.code ? err : closed;
}

/* ---- Reading. ---- */

enum { RESULTS_ROWS = 100000000 }; /* most rows of a table: 10 GB of records */

/* Whether the file has the column; an error where it lacks one that it must have. */
static Err has_column(bool *there, H5File *file, const Field *f) {
    TRY(h5_exists(there, file, f->column.name));
    return *there || f->fallback ? ERR_NONE : h5_missing(file, &f->column);
}

/* Rows of a table: every column is opened before memory is taken for any. */
static Err count_rows(int64_t *rows, const TableSpec *t, H5File *file) {
    *rows = -1;
    const char *lead = t->fields[0].column.name;
    for (int k = 0; k < t->n_fields; k++) {
        const Field *f = &t->fields[k];
        bool there;
        TRY(has_column(&there, file, f));
        if (!there) continue;
        H5Data data;
        TRY(h5_column_open(&data, file, &f->column));
        int64_t found = data.rows;
        h5_column_close(&data);
        if (*rows < 0) *rows = found;
        if (found != *rows || found > RESULTS_ROWS)
            return err_user("%s: %s: shapes of the columns differ: has %lld rows: want %lld as %s, at most %d",
                            file->path, f->column.name, (long long)found, (long long)*rows, lead, RESULTS_ROWS);
    }
    return ERR_NONE;
}

/* What a file without the column means, in every entry of every row. */
static void fill_column(void *column, const Field *f, int64_t rows) {
    int64_t whole = strtoll(f->fallback, NULL, 10);
    double number = strtod(f->fallback, NULL);
    bool text = f->column.type == H5_TEXT;
    size_t bytes = (size_t)rows * h5_row_bytes(&f->column), entry = text ? f->column.text : sizeof number;
    for (char *at = column; at < (char *)column + bytes; at += entry) {
        if (text)
            strncpy(at, f->fallback, entry);
        else
            memcpy(at, f->column.type == H5_F64 ? (void *)&number : (void *)&whole, entry);
    }
}

static Err read_column(char *records, const TableSpec *t, const Field *f, int64_t rows, H5File *file) {
    bool there;
    TRY(has_column(&there, file, f));
    void *column = mem_alloc((size_t)rows * h5_row_bytes(&f->column) + 1);
    Err err = ERR_NONE;
    if (there) {
        H5Data data;
        err = h5_column_open(&data, file, &f->column);
        if (!err.code) err = h5_read(&data, column, 0, rows);
        h5_column_close(&data);
    } else {
        fill_column(column, f, rows);
    }
    if (!err.code) copy_column(column, records, f, t->record, rows, true);
    mem_free(column);
    return err;
}

static Err read_table(Results *r, int table, H5File *file) {
    const TableSpec *t = &tables[table];
    bool there = true;
    if (t->optional) TRY(h5_exists(&there, file, t->group));
    if (!there) return ERR_NONE;
    int64_t rows;
    TRY(count_rows(&rows, t, file));
    char *records = mem_alloc((size_t)rows * t->record + 1);
    set_table(r, table, records, rows);
    for (int k = 0; k < t->n_fields; k++) TRY(read_column(records, t, &t->fields[k], rows, file));
    return ERR_NONE;
}

static Err check_tables(const Results *r, const char *path) {
    int64_t point = 0;
    for (int64_t i = 0; i < r->cells; i++) {
        const CellRecord *c = &r->cell[i];
        if (c->outcome < OUTCOME_DONE || c->outcome > OUTCOME_FAILED)
            return err_user("%s: /cells/outcome: row %lld holds %lld: want 0, 1 or 2", path, (long long)i,
                            (long long)c->outcome);
        if (c->parameters <= 0)
            return err_user("%s: /cells/parameters: parameters of row %lld = %lld: want a positive number", path,
                            (long long)i, (long long)c->parameters);
        if (c->outcome == OUTCOME_DONE && c->samples <= 0)
            return err_user("%s: /cells/samples: samples of row %lld = %lld: want a positive number", path,
                            (long long)i, (long long)c->samples);
        if (c->curve_points < 0 || c->curve_points > r->points - point)
            return err_user("%s: /cells/curve_points: row %lld holds %lld: want the rows of /curves", path,
                            (long long)i, (long long)c->curve_points);
        for (int64_t end = point + c->curve_points; point < end; point++)
            if (r->curve[point].cell != i)
                return err_user("%s: /curves/cell: row %lld holds %lld: want %lld", path, (long long)point,
                                (long long)r->curve[point].cell, (long long)i);
    }
    for (int64_t i = 0; i < r->measures; i++)
        if (r->measure[i].cell < 0 || r->measure[i].cell >= r->cells)
            return err_user("%s: /measures/cell: row %lld holds %lld: want a row of /cells", path, (long long)i,
                            (long long)r->measure[i].cell);
    if (point == r->points) return ERR_NONE;
    return err_user("%s: /cells/curve_points: the sum is %lld: want %lld, the rows of /curves", path, (long long)point,
                    (long long)r->points);
}

static Err check_format(H5File *file) {
    char *text = NULL;
    Err err = h5_get_text(&text, file, "/", "format");
    if (err.code || strcmp(text, FORMAT))
        err = err_user("%s: attribute format: not a results file: want " FORMAT, file->path);
    mem_free(text);
    return err;
}

static Err read_header(Results *r, H5File *file) {
    char *text = NULL;
    TRY(h5_get_text(&text, file, "/", "study"));
    snprintf(r->study, sizeof r->study, "%s", text);
    mem_free(text);
    bool there;
    TRY(h5_exists(&there, file, "/provenance"));
    return there ? h5_get_lines(&r->provenance, file, "/provenance") : ERR_NONE;
}

Err results_take(Results *out, H5File *file) {
    *out = (Results){0};
    Err err = read_header(out, file);
    for (int t = 0; t < TABLES && !err.code; t++) err = read_table(out, t, file);
    if (!err.code) err = check_tables(out, file->path);
    if (err.code) results_free(out);
    return err;
}

typedef struct Reading {
    Results *out;
    const char *path;
} Reading;

static Err read_all(void *context) {
    const Reading *r = context;
    H5File file;
    Err err = h5_open(&file, r->path);
    if (!err.code) err = check_format(&file);
    if (!err.code) err = results_take(r->out, &file);
    h5_close(&file);
    return err;
}

Err results_load(Results *out, const char *path) {
    Reading reading = {out, path};
    *out = (Results){0};
    return read_all(&reading);
}

Err results_read(Results *out, const char *path) {
    Reading reading = {out, path};
    *out = (Results){0};
    TRY(h5_rehearse(read_all, &reading));
    return results_load(out, path);
}

void results_free(Results *r) {
    for (int t = 0; t < TABLES; t++) mem_free(records_of(r, t));
    mem_free(r->provenance);
    *r = (Results){0};
}

void results_append(Results *to, const Results *one) {
    int64_t before[TABLES];
    for (int t = 0; t < TABLES; t++) {
        before[t] = rows_of(to, t);
        int64_t more = rows_of(one, t);
        size_t record = tables[t].record;
        char *records = mem_grow(records_of(to, t), (size_t)(before[t] + more) * record + 1);
        if (more) memcpy(records + (size_t)before[t] * record, records_of(one, t), (size_t)more * record);
        set_table(to, t, records, before[t] + more);
    }
    for (int64_t p = before[CURVES]; p < to->points; p++) to->curve[p].cell += before[CELLS];
    for (int64_t m = before[MEASURES]; m < to->measures; m++) to->measure[m].cell += before[CELLS];
}

void results_bcast(Results *r, const Comm *comm) {
    bool root = comm_rank(comm) == 0;
    Results mine = *r;
    comm_bcast(comm, r, sizeof *r, 0);
    r->provenance = mine.provenance;
    for (int t = 0; t < TABLES; t++) {
        int64_t rows = rows_of(r, t);
        size_t bytes = (size_t)rows * tables[t].record;
        set_table(r, t, root ? records_of(&mine, t) : mem_alloc(bytes + 1), rows);
        comm_bcast(comm, records_of(r, t), bytes, 0);
    }
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
    bool same = true;
    for (int t = 0; t < TABLES; t++) same = same && rows_of(&got, t) == rows_of(want, t);
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

/* ---- As text. ---- */

/* Numbers of one row of a column: each is a column of the text, NAME_0, NAME_1, ... */
static int64_t entries_of(const Field *f) {
    return f->column.shape[0] ? f->column.shape[0] : 1;
}

static void print_csv_names(FILE *file, const TableSpec *t) {
    for (int k = 0; k < t->n_fields; k++) {
        const char *name = strrchr(t->fields[k].column.name, '/') + 1, *comma = k ? "," : "";
        if (!t->fields[k].column.shape[0]) fprintf(file, "%s%s", comma, name);
        for (int64_t i = 0; i < t->fields[k].column.shape[0]; i++)
            fprintf(file, "%s%s_%" PRId64, i ? "," : comma, name, i);
    }
    fputc('\n', file);
}

/* A text is quoted where it holds what separates; numbers have every digit. */
static void print_csv_text(FILE *file, const char *text) {
    if (!text[strcspn(text, ",\"\n")]) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (const char *c = text; *c; c++) fprintf(file, *c == '"' ? "\"\"" : "%c", *c);
    fputc('"', file);
}

static void print_csv_value(FILE *file, const Field *field, const char *record) {
    const char *member = record + field->offset;
    int64_t whole;
    double x;
    for (int64_t i = 0; i < entries_of(field); i++) {
        if (i) fputc(',', file);
        switch (field->column.type) {
        case H5_TEXT: print_csv_text(file, member); break;
        case H5_I64:
            memcpy(&whole, member + (size_t)i * sizeof whole, sizeof whole);
            fprintf(file, "%" PRId64, whole);
            break;
        case H5_F64:
            memcpy(&x, member + (size_t)i * sizeof x, sizeof x);
            fprintf(file, "%.17g", x);
            break;
        default: CHECK(false, "%s: no records hold this type", field->column.name);
        }
    }
}

static Err write_csv(const char *path, const Results *r, int table) {
    const TableSpec *t = &tables[table];
    char temp[COMMIT_PATH];
    TRY(commit_name(temp, path));
    FILE *file = fopen(temp, "w");
    if (!file) return commit_error(path, "cannot be created");
    print_csv_names(file, t);
    for (int64_t i = 0; i < rows_of(r, table); i++)
        for (int k = 0; k < t->n_fields; k++) {
            print_csv_value(file, &t->fields[k], (const char *)records_of(r, table) + (size_t)i * t->record);
            fputc(k + 1 < t->n_fields ? ',' : '\n', file);
        }
    bool failed = ferror(file);
    failed = fclose(file) || failed;
    Err err = failed ? commit_error(path, "cannot be written") : commit_rename(temp, path, true);
    if (failed) unlink(temp);
    return err;
}

Err results_csv(const char *folder, const Results *r) {
    for (int t = 0; t < TABLES; t++) {
        char path[COMMIT_PATH];
        if (snprintf(path, sizeof path, "%s%s.csv", folder, tables[t].group) >= (int)sizeof path)
            return err_user("%.80s...: want a shorter path", folder);
        if (!t) TRY(commit_folder(path));
        TRY(write_csv(path, r, t));
    }
    return ERR_NONE;
}
