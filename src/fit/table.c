#include "fit/table.h"

#include "base/arena.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Table table_new(void) {
    Table table = {0};
    for (int c = 0; c < CURRENCIES; c++) table.has[c] = true;
    return table;
}

void table_free(Table *table) {
    mem_free(table->at);
    *table = table_new();
}

int table_arm(Table *table, const char *name) {
    for (int i = 0; i < table->arms; i++)
        if (!strncmp(table->arm[i], name, TABLE_NAME - 1)) return i;
    if (table->arms == TABLE_ARMS) return -1;
    snprintf(table->arm[table->arms], TABLE_NAME, "%s", name);
    return table->arms++;
}

void table_add(Table *table, Point point) {
    if (table->n == table->capacity) {
        table->capacity = 2 * table->capacity + 64;
        table->at = mem_grow(table->at, (size_t)table->capacity * sizeof *table->at);
    }
    for (int c = 0; c < CURRENCIES; c++) table->has[c] &= isfinite(point.c[c]) && point.c[c] > 0;
    if (point.cell >= table->cells) table->cells = point.cell + 1;
    table->at[table->n++] = point;
}

static bool wanted_arm(const TableFilter *filter, const char *name) {
    for (int i = 0; i < filter->n_arms; i++)
        if (!strcmp(filter->arms[i], name)) return true;
    return filter->n_arms == 0;
}

static bool in_range(const TableFilter *filter, double c) {
    return !(filter->c_min > 0 && c < filter->c_min) && !(filter->c_max > 0 && c >= filter->c_max);
}

/* ---- CSV. ---- */

enum { CSV_LINE = 16384, CSV_FIELDS = 256 };

/* Splits a line in place at commas outside quotes. */
static int split(char *line, char *field[CSV_FIELDS]) {
    int n = 0;
    char *to = line;
    bool quoted = false;
    line[strcspn(line, "\r\n")] = 0;
    field[n++] = to;
    for (char *c = line; *c; c++) {
        if (*c == '"') {
            if (quoted && c[1] == '"')
                *to++ = *c++;
            else
                quoted = !quoted;
        } else if (*c == ',' && !quoted) {
            *to++ = 0;
            if (n == CSV_FIELDS) return -1;
            field[n++] = to;
        } else {
            *to++ = *c;
        }
    }
    *to = 0;
    for (int i = 0; i < n; i++) {
        while (*field[i] == ' ') field[i]++;
        for (char *end = field[i] + strlen(field[i]); end > field[i] && end[-1] == ' ';) *--end = 0;
    }
    return n;
}

typedef struct Csv {
    const char *path;
    int line, columns;
    int n, d, loss, weight, keep, arm, seed, width, depth, c[CURRENCIES]; /* column numbers; -1: none */
} Csv;

static Err find(int *column, const char *path, char **header, int n, const char *name) {
    *column = -1;
    if (!name || !*name) return ERR_NONE;
    for (int i = 0; i < n; i++)
        if (!strcmp(header[i], name)) *column = i;
    if (*column < 0)
        return err_user("%s: no column %s: want one of its header, or another -fit_columns_... name", path, name);
    return ERR_NONE;
}

static Err read_header(Csv *csv, char *line, const TableColumns *want) {
    char *header[CSV_FIELDS];
    csv->columns = split(line, header);
    if (csv->columns < 0) return err_user("%s:%d: want at most %d columns", csv->path, csv->line, CSV_FIELDS);
    TRY(find(&csv->n, csv->path, header, csv->columns, want->n));
    TRY(find(&csv->d, csv->path, header, csv->columns, want->d));
    TRY(find(&csv->loss, csv->path, header, csv->columns, want->loss));
    TRY(find(&csv->weight, csv->path, header, csv->columns, want->weight));
    TRY(find(&csv->keep, csv->path, header, csv->columns, want->keep));
    TRY(find(&csv->arm, csv->path, header, csv->columns, want->arm));
    TRY(find(&csv->seed, csv->path, header, csv->columns, want->seed));
    TRY(find(&csv->width, csv->path, header, csv->columns, want->width));
    TRY(find(&csv->depth, csv->path, header, csv->columns, want->depth));
    for (int c = 0; c < CURRENCIES; c++) TRY(find(&csv->c[c], csv->path, header, csv->columns, want->c[c]));
    return ERR_NONE;
}

static Err number(double *x, const Csv *csv, char **field, int column, const char *name, bool positive) {
    char *end;
    *x = strtod(field[column], &end);
    if (end == field[column] || *end || !isfinite(*x) || (positive && *x <= 0))
        return err_user("%s:%d: %s = %s: want a %snumber", csv->path, csv->line, name, field[column],
                        positive ? "positive " : "");
    return ERR_NONE;
}

static bool is_missing(const char *text) {
    return !*text || !strcasecmp(text, "nan") || !strcasecmp(text, "na") || !strcasecmp(text, "null");
}

static Err read_row(Table *table, const Csv *csv, char *line, const TableColumns *want, const TableFilter *filter,
                    const char *default_arm) {
    char *field[CSV_FIELDS];
    int n = split(line, field);
    if (n == 1 && !*field[0]) return ERR_NONE;
    if (n != csv->columns)
        return err_user("%s:%d: %d fields: want %d as in the header", csv->path, csv->line, n, csv->columns);
    Point p = {.weight = 1, .final = true, .cell = table->cells};
    for (int c = 0; c < CURRENCIES; c++) p.c[c] = NAN;
    double keep = 1, seed = 0, width = 0, depth = 0;
    if (csv->keep >= 0) {
        if (!strcasecmp(field[csv->keep], "false"))
            keep = 0;
        else if (strcasecmp(field[csv->keep], "true"))
            TRY(number(&keep, csv, field, csv->keep, want->keep, false));
    }
    if (keep == 0) return table->left_out.keep++, ERR_NONE;
    const char *arm = csv->arm >= 0 ? field[csv->arm] : default_arm;
    if (!wanted_arm(filter, arm)) return table->left_out.arm++, ERR_NONE;
    TRY(number(&p.n, csv, field, csv->n, want->n, true));
    TRY(number(&p.d, csv, field, csv->d, want->d, true));
    if (csv->weight >= 0) TRY(number(&p.weight, csv, field, csv->weight, want->weight, false));
    if (p.weight < 0)
        return err_user("%s:%d: %s = %g: want a weight of at least 0", csv->path, csv->line, want->weight, p.weight);
    if (p.weight == 0) return table->left_out.keep++, ERR_NONE;
    if (csv->seed >= 0) TRY(number(&seed, csv, field, csv->seed, want->seed, false));
    if (csv->width >= 0) TRY(number(&width, csv, field, csv->width, want->width, true));
    if (csv->depth >= 0) TRY(number(&depth, csv, field, csv->depth, want->depth, true));
    p.seed = (int64_t)seed, p.width = (int)width, p.depth = (int)depth;
    for (int c = 0; c < CURRENCIES; c++)
        if (csv->c[c] >= 0) TRY(number(&p.c[c], csv, field, csv->c[c], want->c[c], true));
    if (csv->c[CURRENCY_NOMINAL] < 0) p.c[CURRENCY_NOMINAL] = 6 * p.n * p.d, table->assumed_6nd = true;
    if (!in_range(filter, p.c[CURRENCY_NOMINAL])) return table->left_out.range++, ERR_NONE;
    if (is_missing(field[csv->loss])) return table->left_out.loss++, ERR_NONE;
    TRY(number(&p.loss, csv, field, csv->loss, want->loss, true));
    p.arm = table_arm(table, arm);
    if (p.arm < 0) return err_user("%s:%d: arm %s: want at most %d arms", csv->path, csv->line, arm, TABLE_ARMS);
    table_add(table, p);
    return ERR_NONE;
}

static void base_name(char *out, const char *path) {
    const char *slash = strrchr(path, '/');
    snprintf(out, TABLE_NAME, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot && dot != out) *dot = 0;
}

static Err read_csv(Table *table, const char *path, const TableColumns *columns, const TableFilter *filter) {
    FILE *f = fopen(path, "r");
    if (!f) return err_user("%s: %s: want a readable table", path, strerror(errno));
    char *line = MEM_NEW(char, CSV_LINE), arm[TABLE_NAME];
    base_name(arm, path);
    Csv csv = {.path = path};
    int64_t before = table->n;
    Err err = ERR_NONE;
    bool header = false;
    while (!err.code && fgets(line, CSV_LINE, f)) {
        csv.line++;
        if (strlen(line) == CSV_LINE - 1) {
            err = err_user("%s:%d: want lines of at most %d characters", path, csv.line, CSV_LINE - 2);
        } else if (line[0] == '#' || strspn(line, " \t\r\n") == strlen(line)) {
            continue;
        } else if (!header) {
            err = read_header(&csv, line, columns);
            header = true;
        } else {
            err = read_row(table, &csv, line, columns, filter, arm);
        }
    }
    fclose(f);
    mem_free(line);
    if (!err.code && !header) err = err_user("%s: no header line: want column names, then rows", path);
    if (!err.code && table->n == before) err = err_user("%s: no row is left to fit: want rows that are kept", path);
    return err;
}

/* ---- Results. ---- */

static bool same(const char *word, const char *other) {
    return !strcmp(word, other);
}

Err table_add_results(Table *table, const Results *results, const TableFilter *filter, const char *path) {
    int64_t largest = 0, first_cell = table->cells, before = table->n;
    for (int64_t i = 0; i < results->cells; i++)
        if (same(results->cell[i].role, "grid") && results->cell[i].dataset > largest)
            largest = results->cell[i].dataset;
    bool *used = MEM_NEW(bool, results->cells + 1);
    int *arm = MEM_NEW(int, results->cells + 1);
    Err err = ERR_NONE;
    for (int64_t i = 0; i < results->cells && !err.code; i++) {
        const CellRecord *r = &results->cell[i];
        LeftOut *out = &table->left_out;
        int64_t *why = !same(r->role, "grid")                            ? &out->role
                       : r->dataset != largest                           ? &out->dataset
                       : !wanted_arm(filter, r->arm)                     ? &out->arm
                       : r->outcome != OUTCOME_DONE                      ? &out->outcome
                       : !isfinite(r->loss) || r->loss <= 0              ? &out->loss
                       : !in_range(filter, r->compute[CURRENCY_NOMINAL]) ? &out->range
                                                                         : NULL;
        if (why) {
            ++*why;
            continue;
        }
        used[i] = true;
        arm[i] = table_arm(table, r->arm);
        Point p = {.n = (double)r->parameters,
                   .d = (double)r->samples,
                   .loss = r->loss,
                   .weight = 1,
                   .seed = r->seed,
                   .dataset = r->dataset,
                   .cell = first_cell + i,
                   .batch = r->batch,
                   .width = (int)r->width,
                   .depth = (int)r->depth,
                   .heads = (int)r->heads,
                   .arm = arm[i],
                   .final = true};
        memcpy(p.c, r->compute, sizeof p.c);
        if (arm[i] < 0)
            err = err_user("%s: arm %s: want at most %d arms", path, r->arm, TABLE_ARMS);
        else
            table_add(table, p);
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

static Err read_results(Table *table, const char *path, const TableFilter *filter) {
    Results results = {0};
    TRY(results_read(&results, path));
    Err err = table_add_results(table, &results, filter, path);
    results_free(&results);
    return err;
}

Err table_add_file(Table *table, const char *path, const TableColumns *columns, const TableFilter *filter,
                   const Comm *comm) {
    size_t len = strlen(path);
    bool root = comm_rank(comm) == 0;
    Err err = ERR_NONE;
    if (root)
        err = len > 3 && same(path + len - 3, ".h5") ? read_results(table, path, filter)
                                                     : read_csv(table, path, columns, filter);
    TRY(comm_agree(comm, err));
    Point *mine = table->at;
    comm_bcast(comm, table, sizeof *table, 0);
    if (!root) table->at = mem_grow(mine, (size_t)table->capacity * sizeof *table->at);
    comm_bcast(comm, table->at, (size_t)table->n * sizeof *table->at, 0);
    return ERR_NONE;
}
