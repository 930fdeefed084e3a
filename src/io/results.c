#include "io/results.h"

#include "base/arena.h"
#include "io/commit.h"
#include "io/dataset.h"
#include "io/h5.h"
#include "io/results_version.h"
#include "par/scatter.h"
#include "results_table.h"
#include "results_template.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define FORMAT "equiscale-results-1"

/* ---- The digest of a column: XXH3 of its values. A sealed file has one of all its bytes instead. ---- */

static void digest_text(char text[DATASET_DIGEST], const void *column, size_t bytes) {
    dataset_digest_text(text, XXH3_64bits(column, bytes));
}

/* HDF5's checksum of a chunk of zeros is zero, so a chunk that a disk lost with its checksum reads as zeros. */
static Err check_digest(H5File *file, const char *name, const void *column, size_t bytes) {
    if (!h5_has(file, name, "digest")) return ERR_NONE;
    char found[DATASET_DIGEST], *stated;
    TRY(h5_get_text(&stated, file, name, "digest"));
    digest_text(found, column, bytes);
    Err err = ERR_NONE;
    if (strcmp(found, stated))
        err = err_user("%s: %s: its digest is %.40s, that of its values %s: changed after it was written; want the "
                       "file as it was gathered",
                       file->path, name, stated, found);
    mem_free(stated);
    return err;
}

/* ---- Writing: the share of a rank, or all. ---- */

/* The dimensions of a column. */
static Err write_scales(H5File *file, const ResultsField *f, H5Data *data, H5Data *rows) {
    TRY(h5_on_scale(data, rows, 0));
    if (!f->column.shape[0]) return ERR_NONE;
    H5Data number;
    TRY(h5_scale_create(&number, file, &results_number_scale, f->column.shape[0]));
    Err err = h5_on_scale(data, &number, 1);
    h5_column_close(&number);
    return err;
}

/* The rows of a table that a rank writes. */
typedef struct Share {
    int64_t first, rows;
} Share;

static Share share_of(int64_t rows, int rank, int size) {
    int64_t first = rows * rank / size;
    return (Share){first, rows * (rank + 1) / size - first};
}

/* scale: of its rows; NULL: without. The root has all rows, and so the digest of all; others have those that they write. */
static Err write_column(H5File *file, const ResultsTable *t, const ResultsField *f, const Results *r, int table,
                        H5Data *scale) {
    int64_t rows = results_rows(r, table);
    int rank = file->comm ? comm_rank(file->comm) : 0;
    Share mine = share_of(rows, rank, file->comm ? comm_size(file->comm) : 1);
    int64_t held = rank == 0 ? rows : mine.rows;
    size_t bytes = h5_row_bytes(&f->column);
    H5Data data;
    TRY(h5_column_create(&data, file, &f->column, rows));
    char *column = mem_alloc((size_t)held * bytes + 1), digest[DATASET_DIGEST];
    results_copy_column(column, results_records(r, table), f, t->record, held, false);
    Err err = h5_write(&data, column, mine.first, mine.rows);
    if (scale && rank == 0) digest_text(digest, column, (size_t)rows * bytes);
    if (scale) comm_bcast(file->comm, digest, sizeof digest, 0);
    mem_free(column);
    if (!err.code && scale) err = h5_set_text(file, f->column.name, "digest", digest);
    if (!err.code && scale) err = write_scales(file, f, &data, scale);
    h5_column_close(&data);
    TRY(err);
    if (!f->currency) return ERR_NONE;
    TRY(h5_set_text(file, f->column.name, "currency", f->currency->name));
    return h5_set_text(file, f->column.name, "title", f->currency->title);
}

/* Dimension scales are for people's readers, and so in the file that is gathered alone. */
static Err write_table(H5File *file, const ResultsTable *t, const Results *r, int table) {
    H5Data scale = {0};
    bool scaled = file->comm != NULL;
    TRY(h5_group(file, t->group));
    if (scaled) TRY(h5_scale_create(&scale, file, &t->scale, results_rows(r, table)));
    Err err = ERR_NONE;
    for (int k = 0; k < t->n_fields && !err.code; k++)
        err = write_column(file, t, &t->fields[k], r, table, scaled ? &scale : NULL);
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
    for (int t = 0; t < RESULTS_TABLES; t++) TRY(write_table(file, &results_table[t], r, t));
    TRY(write_flags(file));
    TRY(write_currencies(file, "/cells"));
    return write_currencies(file, "/curves");
}

/* Bytes on the disk, a little more than it takes: a column is its values in whole chunks, and its header. */
static int64_t need(const Results *r, const char *provenance) {
    enum { HEADER = 2048, CHUNK = 1 << 15 };
    int64_t bytes = 4 * (int64_t)strlen(provenance) + (1 << 16);
    for (int t = 0; t < RESULTS_TABLES; t++)
        for (int k = 0; k < results_table[t].n_fields; k++) {
            int64_t values = results_rows(r, t) * (int64_t)h5_row_bytes(&results_table[t].fields[k].column);
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
    TRY(comm ? h5_create(&file, temp, comm) : h5_create_sealed(&file, temp));
    Err err = write_all(&file, r, provenance);
    Err closed = h5_close(&file);
    return err.code ? err : closed;
}

/* ---- Reading. ---- */

enum { RESULTS_ROWS = 100000000 }; /* most rows of a table: 10 GB of records */

/* Whether the file has the column; an error where it lacks one that it must have. */
static Err has_column(bool *there, H5File *file, const ResultsField *f) {
    TRY(h5_exists(there, file, f->column.name));
    return *there || f->fallback ? ERR_NONE : h5_missing(file, &f->column);
}

/* Opens every column that the file has of a table, before memory is taken for any; data: one per field, closed where the
 * file lacks it; rows of each. */
static Err open_columns(H5Data *data, int64_t *rows, const ResultsTable *t, H5File *file) {
    *rows = -1;
    const char *lead = t->fields[0].column.name;
    for (int k = 0; k < t->n_fields; k++) {
        const ResultsField *f = &t->fields[k];
        bool there;
        TRY(has_column(&there, file, f));
        if (!there) continue;
        TRY(h5_column_open(&data[k], file, &f->column));
        int64_t found = data[k].rows;
        if (*rows < 0) *rows = found;
        if (found != *rows || found > RESULTS_ROWS)
            return err_user("%s: %s: shapes of the columns differ: has %lld rows: want %lld as %s, at most %d",
                            file->path, f->column.name, (long long)found, (long long)*rows, lead, RESULTS_ROWS);
    }
    return ERR_NONE;
}

/* What a file without the column means, in every entry of every row. */
static void fill_column(void *column, const ResultsField *f, int64_t rows) {
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

/* data: closed where the file lacks the column. */
static Err read_column(char *records, const ResultsTable *t, const ResultsField *f, int64_t rows, H5File *file,
                       H5Data *data) {
    size_t bytes = (size_t)rows * h5_row_bytes(&f->column);
    void *column = mem_alloc(bytes + 1);
    Err err = ERR_NONE;
    if (data->id <= 0)
        fill_column(column, f, rows);
    else
        err = h5_read(data, column, 0, rows);
    if (!err.code && data->id > 0) err = check_digest(file, f->column.name, column, bytes);
    if (!err.code) results_copy_column(column, records, f, t->record, rows, true);
    mem_free(column);
    return err;
}

static Err read_table(Results *r, int table, H5File *file) {
    const ResultsTable *t = &results_table[table];
    bool there = true;
    if (t->optional) TRY(h5_exists(&there, file, t->group));
    if (!there) return ERR_NONE;
    int64_t rows;
    H5Data *data = MEM_NEW(H5Data, t->n_fields);
    Err err = open_columns(data, &rows, t, file);
    if (!err.code) {
        char *records = mem_alloc((size_t)rows * t->record + 1);
        results_set(r, table, records, rows);
        for (int k = 0; k < t->n_fields && !err.code; k++)
            err = read_column(records, t, &t->fields[k], rows, file, &data[k]);
    }
    for (int k = 0; k < t->n_fields; k++) h5_column_close(&data[k]);
    mem_free(data);
    return err;
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

/* What was read, or nothing where it does not fit together. */
static Err checked(Results *r, const char *path) {
    Err err = check_tables(r, path);
    if (err.code) results_free(r);
    return err;
}

static Err check_format(H5File *file) {
    char *text = NULL;
    Err err = h5_get_text(&text, file, "/", "format");
    if (err.code || strcmp(text, FORMAT))
        err = err_user("%s: attribute format: HDF5, but not a results file of equiscale: want " FORMAT
                       ", or a table as CSV, as "
                       "from python3 -c \"import pandas; pandas.read_hdf('%s').to_csv('table.csv', index=False)\"",
                       file->path, file->path);
    mem_free(text);
    return err;
}

bool results_of_other_version(char format[RESULTS_ID], const char *path) {
    H5File file;
    char *text = NULL;
    bool whole = !h5_open_sealed(&file, path).code && !h5_get_text(&text, &file, "/", "format").code;
    bool other = whole && !strncmp(text, FORMAT, strlen(FORMAT) - 1) && strcmp(text, FORMAT) != 0;
    if (other) snprintf(format, RESULTS_ID, "%s", text);
    mem_free(text);
    h5_close(&file);
    return other;
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
    for (int t = 0; t < RESULTS_TABLES && !err.code; t++) err = read_table(out, t, file);
    if (!err.code) return checked(out, file->path);
    results_free(out);
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

Err results_read(Results *out, const char *path) {
    Reading reading = {out, path};
    bool sealed;
    *out = (Results){0};
    if (template_read(out, path)) return checked(out, path);
    TRY(h5_check_seal(&sealed, path));
    if (!sealed) TRY(h5_rehearse(read_all, &reading));
    TRY(read_all(&reading));
    if (sealed) template_learn(path, out, NULL);
    return ERR_NONE;
}

void results_free(Results *r) {
    for (int t = 0; t < RESULTS_TABLES; t++) mem_free(results_records(r, t));
    mem_free(r->provenance);
    *r = (Results){0};
}

void results_forget(void) {
    template_forget();
}

void results_append(Results *to, const Results *one) {
    int64_t before[RESULTS_TABLES];
    for (int t = 0; t < RESULTS_TABLES; t++) {
        before[t] = results_rows(to, t);
        int64_t more = results_rows(one, t);
        size_t record = results_table[t].record;
        char *records = mem_grow(results_records(to, t), (size_t)(before[t] + more) * record + 1);
        if (more) memcpy(records + (size_t)before[t] * record, results_records(one, t), (size_t)more * record);
        results_set(to, t, records, before[t] + more);
    }
    for (int64_t p = before[RESULTS_CURVES]; p < to->points; p++) to->curve[p].cell += before[RESULTS_CELLS];
    for (int64_t m = before[RESULTS_MEASURES]; m < to->measures; m++) to->measure[m].cell += before[RESULTS_CELLS];
}

void results_bcast(Results *r, const Comm *comm) {
    bool root = comm_rank(comm) == 0;
    Results mine = *r;
    comm_bcast(comm, r, sizeof *r, 0);
    r->provenance = mine.provenance;
    for (int t = 0; t < RESULTS_TABLES; t++) {
        int64_t rows = results_rows(r, t);
        size_t bytes = (size_t)rows * results_table[t].record;
        results_set(r, t, root ? results_records(&mine, t) : mem_alloc(bytes + 1), rows);
        comm_bcast(comm, results_records(r, t), bytes, 0);
    }
}

/* ---- The two kinds of file. ---- */

/* By HDF5, and kept as a template of those that follow. */
static Err write_first(const char *temp, const Results *one, const char *provenance) {
    Results back;
    Reading reading = {&back, temp};
    TRY(write_file(temp, one, provenance, NULL));
    Err err = read_all(&reading);
    if (!err.code) template_learn(temp, &back, provenance);
    if (!err.code) results_free(&back);
    return ERR_NONE; /* a file that cannot be read back is no template, and whoever reads it will say why */
}

Err results_write_cell(const char *path, const Results *one, const char *provenance, bool wait) {
    char temp[COMMIT_PATH];
    size_t bytes;
    TRY(commit_name(temp, path));
    char *image = template_image(&bytes, one, provenance);
    if (image && !wait) {
        Err err = commit_leave(temp, path, image, bytes);
        mem_free(image);
        return err;
    }
    Err err = image ? commit_write(temp, image, bytes) : write_first(temp, one, provenance);
    mem_free(image);
    if (!err.code) return commit_place(temp, path);
    unlink(temp);
    return err;
}

/* What a file holds is what it was made from, bit for bit. */
static Err verify(const char *temp, const Results *want) {
    Results got = {0};
    TRY(results_read(&got, temp));
    bool same = true;
    for (int t = 0; t < RESULTS_TABLES; t++) same = same && results_rows(&got, t) == results_rows(want, t);
    for (int t = 0; t < RESULTS_TABLES && same; t++)
        for (int k = 0; k < results_table[t].n_fields && same; k++) {
            const ResultsField *f = &results_table[t].fields[k];
            for (int64_t i = 0; i < results_rows(want, t) && same; i++) {
                size_t at = (size_t)i * results_table[t].record + f->offset, bytes = h5_row_bytes(&f->column);
                const char *a = (char *)results_records(&got, t) + at, *b = (char *)results_records(want, t) + at;
                same = f->column.type == H5_TEXT ? !strncmp(a, b, bytes) : !memcmp(a, b, bytes);
            }
        }
    results_free(&got);
    return same ? ERR_NONE : err_user("%s: not what was written", temp);
}

/* The root's results; on the other ranks the share of each table that they write, in tables of the full number of rows. */
static Results share_out(const Results *all, const Comm *comm) {
    int rank = comm_rank(comm), size = comm_size(comm);
    int64_t *rows = MEM_NEW(int64_t, size);
    Results mine = *all;
    comm_bcast(comm, &mine, sizeof mine, 0);
    if (rank != 0) mine.provenance = NULL;
    for (int t = 0; t < RESULTS_TABLES; t++) {
        int64_t total = results_rows(&mine, t);
        size_t record = results_table[t].record;
        for (int r = 0; r < size; r++) rows[r] = share_of(total, r, size).rows;
        if (rank != 0) results_set(&mine, t, mem_alloc((size_t)rows[rank] * record + 1), total);
        scatter_rows(comm, results_records(&mine, t), results_records(&mine, t), rows, record);
    }
    mem_free(rows);
    return mine;
}

Err results_gather(const char *path, const Results *all, const char *provenance, const Comm *comm) {
    char temp[COMMIT_PATH] = "";
    TRY(comm_agree(comm, comm_rank(comm) == 0 ? commit_name(temp, path) : ERR_NONE));
    comm_bcast(comm, temp, sizeof temp, 0);
    Results mine = share_out(all, comm);
    Err err = write_file(temp, &mine, provenance, comm);
    if (comm_rank(comm) != 0) results_free(&mine);
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
