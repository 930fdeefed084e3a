#include "fit/table.h"
#include "table_rows.h"

#include "base/arena.h"
#include "par/options.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Points, arms, notes. ---- */

Table table_new(void) {
    Table table = {0};
    for (int c = 0; c < CURRENCIES; c++) table.has[c] = true;
    return table;
}

void table_free(Table *table) {
    mem_free(table->at);
    mem_free(table->held);
    mem_free(table->limited);
    mem_free(table->note);
    *table = table_new();
}

int table_arm(Table *table, const char *name) {
    for (int i = 0; i < table->arms; i++)
        if (!strcmp(table->arm[i], name)) return i;
    if (table->arms == TABLE_ARMS || strlen(name) >= TABLE_NAME) return -1;
    strcpy(table->arm[table->arms], name);
    return table->arms++;
}

Err table_arm_of(int *arm, Table *table, const char *name, const char *path, int64_t line) {
    char where[32] = "";
    if (line) snprintf(where, sizeof where, ":%lld", (long long)line);
    if (strlen(name) >= TABLE_NAME)
        return err_user("%s%s: arm %.40s...: want a name of at most %d letters", path, where, name, TABLE_NAME - 1);
    *arm = table_arm(table, name);
    if (*arm < 0)
        return err_user("%s%s: arm %s: want at most %d arms (-fit_arms chooses)", path, where, name, TABLE_ARMS);
    return ERR_NONE;
}

static Point *append(Point *at, int64_t *n, int64_t *capacity, const Point *point) {
    if (*n == *capacity) {
        *capacity = 2 * *capacity + 64;
        at = mem_grow(at, (size_t)*capacity * sizeof *at);
    }
    at[(*n)++] = *point;
    return at;
}

void table_add(Table *table, Point point) {
    for (int c = 0; c < CURRENCIES; c++) table->has[c] &= isfinite(point.c[c]) && point.c[c] > 0;
    if (point.cell >= table->cells) table->cells = point.cell + 1;
    table->at = append(table->at, &table->n, &table->capacity, &point);
}

void table_hold(Table *table, Point point) {
    table->held = append(table->held, &table->n_held, &table->held_capacity, &point);
}

void table_note(Table *table, const char *file, const char *text, ...) {
    TableNote note = {.files = file != NULL};
    va_list args;
    va_start(args, text);
    vsnprintf(note.text, sizeof note.text, text, args);
    va_end(args);
    size_t long_by = file && strlen(file) >= sizeof note.file ? strlen(file) - sizeof note.file + 1 : 0;
    if (file) snprintf(note.file, sizeof note.file, "%s", file + long_by);
    for (int i = 0; i < table->notes; i++) {
        if (strcmp(table->note[i].text, note.text)) continue;
        table->note[i].files += note.files;
        return;
    }
    table->note = mem_grow(table->note, (size_t)(table->notes + 1) * sizeof note);
    table->note[table->notes++] = note;
}

void arm_names_add(ArmNames *names, const char *name) {
    for (int i = 0; i < names->n; i++)
        if (!strncmp(names->at[i], name, TABLE_NAME - 1)) return;
    if (names->n == names->capacity) {
        names->capacity = 2 * names->capacity + TABLE_ARMS;
        names->at = mem_grow(names->at, (size_t)names->capacity * sizeof *names->at);
    }
    snprintf(names->at[names->n++], TABLE_NAME, "%s", name);
}

bool table_wants_arm(const TableFilter *filter, const char *name) {
    for (int i = 0; i < filter->n_arms; i++)
        if (!strcmp(filter->arms[i], name)) return true;
    return filter->n_arms == 0;
}

bool table_wants_compute(const TableFilter *filter, double c) {
    return !(filter->c_min > 0 && c < filter->c_min) && !(filter->c_max > 0 && c >= filter->c_max);
}

/* ---- Results. ---- */

static bool same(const char *word, const char *other) {
    return !strcmp(word, other);
}

/* Where a cell that is not fitted is counted; NULL: it is fitted. */
static int64_t *reason_against(LeftOut *out, const CellRecord *r, int64_t largest, const TableFilter *filter) {
    if (!same(r->role, "grid")) return &out->role;
    if (r->dataset != largest) return &out->dataset;
    if (!table_wants_arm(filter, r->arm)) return &out->arm;
    if (r->outcome != OUTCOME_DONE) return &out->outcome;
    if (!isfinite(r->loss) || r->loss <= 0) return &out->loss;
    if (!table_wants_compute(filter, r->compute[CURRENCY_NOMINAL])) return &out->range;
    return NULL;
}

/* A finished cell as a point. */
static Point point_of(const CellRecord *r, int64_t cell, int arm) {
    Point p = {.n = (double)r->parameters,
               .d = (double)r->samples,
               .loss = r->loss,
               .weight = 1,
               .seed = r->seed,
               .dataset = r->dataset,
               .epochs = r->epochs,
               .cell = cell,
               .batch = r->batch,
               .width = (int)r->width,
               .depth = (int)r->depth,
               .heads = (int)r->heads,
               .scalars = (int)r->scalars,
               .fixed = (int)r->fixed,
               .arm = arm,
               .final = true};
    memcpy(p.c, r->compute, sizeof p.c);
    return p;
}

/* Whether a cell, of the grid or not, is of the arm, size and length of one that saw a training set of its own size. */
static bool beside_limited(const Results *results, const CellRecord *r) {
    for (int64_t i = 0; i < results->cells; i++) {
        const CellRecord *other = &results->cell[i];
        if (same(other->role, "data") && same(other->arm, r->arm) && other->parameters == r->parameters &&
            other->samples == r->samples)
            return true;
    }
    return false;
}

/* The finished cells that tell what a smaller training set costs. */
static Err add_limited(Table *table, const Results *results, const TableFilter *filter, const char *path) {
    for (int64_t i = 0; i < results->cells; i++) {
        const CellRecord *r = &results->cell[i];
        bool purpose = same(r->role, "data") || same(r->role, "grid");
        bool usable = r->outcome == OUTCOME_DONE && isfinite(r->loss) && r->loss > 0;
        int arm;
        if (!purpose || !usable || !table_wants_arm(filter, r->arm) || !beside_limited(results, r)) continue;
        TRY(table_arm_of(&arm, table, r->arm, path, 0));
        Point point = point_of(r, table->cells + i, arm);
        table->limited = append(table->limited, &table->n_limited, &table->limited_capacity, &point);
    }
    return ERR_NONE;
}

/* A cell of the grid that should be fitted and has no result, by name. Of those that diverged the count is enough: that is
 * a result. */
static void note_missing(Table *table, const CellRecord *r, const int64_t *reason, const char *path) {
    if (reason == &table->left_out.outcome && r->outcome == OUTCOME_FAILED)
        table_note(table, path,
                   "%s is missing: its process died again and again, or it needs more memory than there is", r->id);
}

Err table_add_results(Table *table, const Results *results, const TableFilter *filter, const char *path) {
    int64_t largest = 0, first_cell = table->cells, before = table->n;
    for (int64_t i = 0; i < results->cells; i++)
        if (same(results->cell[i].role, "grid") && results->cell[i].dataset > largest)
            largest = results->cell[i].dataset;
    bool *used = MEM_NEW(bool, results->cells + 1);
    int *arm = MEM_NEW(int, results->cells + 1);
    Err err = add_limited(table, results, filter, path);
    for (int64_t i = 0; i < results->cells && !err.code; i++) {
        const CellRecord *r = &results->cell[i];
        int64_t *reason = reason_against(&table->left_out, r, largest, filter);
        if (reason) {
            ++*reason;
            note_missing(table, r, reason, path);
            continue;
        }
        used[i] = true;
        err = table_arm_of(&arm[i], table, r->arm, path, 0);
        if (!err.code) table_add(table, point_of(r, first_cell + i, arm[i]));
    }
    for (int64_t i = 0; i < results->points && !err.code; i++) {
        const CurvePoint *q = &results->curve[i];
        if (q->cell < 0 || q->cell >= results->cells || !used[q->cell]) continue;
        const CellRecord *r = &results->cell[q->cell];
        if (!isfinite(q->loss) || q->loss <= 0 || q->samples <= 0 || q->samples >= (double)r->samples) continue;
        Point p = {.n = (double)r->parameters,
                   .d = q->samples,
                   .loss = q->loss,
                   .weight = 1,
                   .seed = r->seed,
                   .dataset = r->dataset,
                   .cell = first_cell + q->cell,
                   .arm = arm[q->cell],
                   .final = false};
        memcpy(p.c, q->compute, sizeof p.c);
        table_add(table, p);
    }
    if (!err.code && table->n == before)
        err =
            err_user("%s: no finished grid cell among %lld cells: want at least one", path, (long long)results->cells);
    if (first_cell + results->cells > table->cells) table->cells = first_cell + results->cells;
    mem_free(used);
    mem_free(arm);
    return err;
}

/* The trajectories of a file's grid: those of its largest training set; NULL: not recorded. */
static const char *data_of(const Results *results) {
    const CellRecord *largest = NULL;
    for (const CellRecord *r = results->cell; r < results->cell + results->cells; r++)
        if (same(r->role, "grid") && (!largest || r->dataset > largest->dataset)) largest = r;
    return largest && largest->data[0] ? largest->data : NULL;
}

/* Losses on other trajectories are those of another task: one law through both may be of neither. */
static void note_other_data(Table *table, const Results *before, const Results *results, const char *path) {
    const char *theirs = before ? data_of(before) : NULL, *ours = data_of(results);
    if (theirs && ours && strcmp(theirs, ours))
        table_note(table, path,
                   "other data than in the results file before it: losses of two sets of trajectories are "
                   "fitted together");
}

/* How a cell is trained, and in which arithmetic: names in a record, of lines `name = value`. */
static bool of_training(const char *name) {
    return !strncmp(name, "train.", 6) || same(name, "precision");
}

/* Cells that are trained in two ways may be two tasks too; some keys decide no number, and are told as well. */
static void note_other_training(Table *table, const Results *before, const Results *results, const char *path) {
    if (!before || !before->provenance || !results->provenance) return;
    char name[64];
    for (const char *line = results->provenance; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
        if (!of_training(name)) continue;
        char *ours = record_value(results->provenance, name), *theirs = record_value(before->provenance, name);
        if (ours && theirs && strcmp(ours, theirs))
            table_note(table, path, "%s = %s, and %s in the first results file, with whose cells these are fitted",
                       name, ours, theirs);
        mem_free(ours);
        mem_free(theirs);
    }
}

/* The record of the first file, for those that follow. */
static void keep_record(Results *all, Results *one) {
    if (all->provenance) return;
    all->provenance = one->provenance;
    one->provenance = NULL;
}

static Err read_results(Table *table, ArmNames *met, const char *path, const TableOptions *options) {
    Results results = {0};
    TRY(results_read(&results, path));
    for (int64_t i = 0; i < results.cells; i++) arm_names_add(met, results.cell[i].arm);
    note_other_data(table, options->results, &results, path);
    note_other_training(table, options->results, &results, path);
    Err err = table_add_results(table, &results, &options->filter, path);
    if (!err.code && options->results) {
        results_append(options->results, &results);
        keep_record(options->results, &results);
    }
    results_free(&results);
    return err;
}

/* ---- Files. ---- */

bool table_is_results(const char *path) {
    size_t length = strlen(path);
    if (length > 3 && same(path + length - 3, ".h5")) return true;
    /* What comes through a pipe can be read once only. */
    struct stat about;
    if (stat(path, &about) || !S_ISREG(about.st_mode)) return false;
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    char first[8];
    size_t bytes = fread(first, 1, sizeof first, file);
    fclose(file);
    return bytes == sizeof first && !memcmp(first, "\211HDF\r\n\032\n", sizeof first);
}

/* The last `folders` folders of the path and its name, without what a table's name ends in. */
static Err file_arm(char name[TABLE_NAME], const char *path, int folders) {
    const char *start = path + strlen(path);
    for (int left = folders; start > path; start--)
        if (start[-1] == '/' && left-- == 0) break;
    if (strlen(start) >= TABLE_NAME)
        return err_user("%s: want a name of at most %d letters, or an arm column (-fit_columns_arm)", path,
                        TABLE_NAME - 1);
    strcpy(name, start);
    char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    size_t length = strlen(base);
    if (length > 3 && same(base + length - 3, ".gz")) base[length - 3] = 0;
    char *dot = strrchr(base, '.');
    if (dot && dot != base) *dot = 0;
    return ERR_NONE;
}

enum { FOLDERS = 64 }; /* more than a path has */

/* A name for the rows of file f that no other file has: as few folders as that takes, or else the whole path. */
static Err name_arm(char name[TABLE_NAME], int f, int files, const char *const *paths) {
    for (int folders = 0; folders < FOLDERS; folders++) {
        bool taken = false;
        TRY(file_arm(name, paths[f], folders));
        for (int other = 0; other < files && !taken; other++) {
            char theirs[TABLE_NAME];
            if (other == f || table_is_results(paths[other])) continue;
            TRY(file_arm(theirs, paths[other], folders));
            taken = same(name, theirs);
        }
        if (!taken) return ERR_NONE;
    }
    snprintf(name, TABLE_NAME, "%s", paths[f]);
    return ERR_NONE;
}

/* What makes a row the same in another file, as bits. */
typedef struct RowKey {
    double n, d, loss, c[CURRENCIES];
    int64_t seed, dataset, held;
} RowKey;

/* The rows of one file, in an order that is not that of the file. */
typedef struct FileRows {
    int64_t n;
    RowKey *key;
} FileRows;

static int by_bits(const void *a, const void *b) {
    return memcmp(a, b, sizeof(RowKey));
}

static void put_keys(FileRows *rows, const Point *at, int64_t n, bool held) {
    for (int64_t i = 0; i < n; i++) {
        RowKey *key = &rows->key[rows->n++];
        *key = (RowKey){at[i].n, at[i].d, at[i].loss, {0}, at[i].seed, at[i].dataset, held};
        memcpy(key->c, at[i].c, sizeof key->c);
    }
}

/* Of what a table holds from these rows on. */
static FileRows file_rows(const Table *table, int64_t first, int64_t first_held) {
    int64_t n = table->n - first, n_held = table->n_held - first_held;
    FileRows rows = {.key = MEM_NEW(RowKey, n + n_held + 1)};
    put_keys(&rows, table->at + first, n, false);
    put_keys(&rows, table->held + first_held, n_held, true);
    qsort(rows.key, (size_t)rows.n, sizeof *rows.key, by_bits);
    return rows;
}

static bool equal_rows(const FileRows *a, const FileRows *b) {
    return a->n == b->n && !memcmp(a->key, b->key, (size_t)a->n * sizeof *a->key);
}

static Err read_files(Table *table, ArmNames *met, FileRows *rows, int files, const char *const *paths,
                      const TableOptions *options) {
    for (int f = 0; f < files; f++) {
        int64_t first = table->n, first_held = table->n_held;
        if (table_is_results(paths[f])) {
            TRY(read_results(table, met, paths[f], options));
        } else {
            char arm[TABLE_NAME];
            table->text = true;
            TRY(name_arm(arm, f, files, paths));
            TRY(table_read_csv(table, met, paths[f], arm, options));
        }
        rows[f] = file_rows(table, first, first_held);
        for (int other = 0; other < f; other++)
            if (equal_rows(&rows[other], &rows[f]))
                return err_user("%s: holds the rows of %s: want every file once", paths[f], paths[other]);
    }
    return ERR_NONE;
}

/* Every arm that was asked for must be there. */
static Err check_arms(const ArmNames *met, const TableFilter *filter) {
    char list[300] = "";
    for (int i = 0; i < met->n; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", met->at[i]);
    }
    for (int i = 0; i < filter->n_arms; i++) {
        bool there = false;
        for (int k = 0; k < met->n; k++) there |= same(filter->arms[i], met->at[k]);
        if (!there) return err_user("fit.arms: no arm %s: want some of %s", filter->arms[i], list);
    }
    return ERR_NONE;
}

static Err read_all(Table *table, int files, const char *const *paths, const TableOptions *options) {
    ArmNames met = {0};
    FileRows *rows = MEM_NEW(FileRows, files);
    Err err = read_files(table, &met, rows, files, paths, options);
    /* Where no row is left because no arm was asked for that is there, that is what to say. */
    if (met.n && (!err.code || !table->n)) {
        Err arms = check_arms(&met, &options->filter);
        if (arms.code) err = arms;
    }
    mem_free(met.at);
    for (int f = 0; f < files; f++) mem_free(rows[f].key);
    mem_free(rows);
    return err.code ? err : table_finish(table, options);
}

static void *bcast_array(const Comm *comm, const void *mine, int64_t n, size_t size) {
    void *copy = MEM_NEW(char, (size_t)n *size + 1);
    if (comm_rank(comm) == 0 && n) memcpy(copy, mine, (size_t)n * size);
    comm_bcast(comm, copy, (size_t)n * size, 0);
    return copy;
}

/* What the root has, on every rank. */
static void bcast_table(Table *table, const Comm *comm) {
    Table mine = *table, all = mine;
    comm_bcast(comm, &all, sizeof all, 0);
    all.at = bcast_array(comm, mine.at, all.n, sizeof *all.at);
    all.held = bcast_array(comm, mine.held, all.n_held, sizeof *all.held);
    all.limited = bcast_array(comm, mine.limited, all.n_limited, sizeof *all.limited);
    all.note = bcast_array(comm, mine.note, all.notes, sizeof *all.note);
    all.capacity = all.n;
    all.held_capacity = all.n_held;
    all.limited_capacity = all.n_limited;
    table_free(table);
    *table = all;
}

Err table_add_files(Table *table, int files, const char *const *paths, const TableOptions *options, const Comm *comm) {
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0) err = read_all(table, files, paths, options);
    TRY(comm_agree(comm, err));
    bcast_table(table, comm);
    return ERR_NONE;
}

Err table_add_file(Table *table, const char *path, const TableColumns *columns, const TableFilter *filter,
                   const Comm *comm) {
    TableOptions options = {.columns = *columns, .filter = *filter};
    return table_add_files(table, 1, &path, &options, comm);
}
