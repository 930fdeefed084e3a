#include "study/identity.h"

#include "base/arena.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Err other(const char *path, const char *key, const char *there, const char *here) {
    return err_user("%s: %s = %s there, %s here: want the same, another study.name, or that file moved away", path, key,
                    there, here);
}

/* ---- Columns. ---- */

typedef struct Column {
    const char *key; /* of the study file; one that starts with a dot belongs to the model */
    size_t offset;   /* of an int64_t in CellRecord */
} Column;

#define AT(member) offsetof(CellRecord, member)
static const Column columns[] = {
    {".width", AT(width)},           {".scalars", AT(scalars)},         {".depth", AT(depth)},
    {".heads", AT(heads)},           {".multi_query", AT(multi_query)}, {".increase", AT(increase)},
    {".fixed", AT(fixed)},           {"study.steps", AT(steps)},        {"train.batch", AT(batch)},
    {"study.datasets", AT(dataset)}, {"study.seeds", AT(seed)},         {"parameters", AT(parameters)},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static int64_t number_of(const CellRecord *r, int column) {
    int64_t x;
    memcpy(&x, (const char *)r + columns[column].offset, sizeof x);
    return x;
}

int identity_order_but_sweeps(const CellRecord *a, const CellRecord *b) {
    for (int c = 0; c < COLUMNS; c++) {
        int64_t x = number_of(a, c), y = number_of(b, c);
        if (x != y) return x < y ? -1 : 1;
    }
    int order = strcmp(a->arm, b->arm);
    return order ? order : strcmp(a->data, b->data);
}

/* Equal but for rounding, or nothing on both sides. */
static bool same_swept(double a, double b) {
    return isnan(a) == isnan(b) && (isnan(a) || fabs(a - b) <= 1e-9 * fabs(b));
}

bool identity_same_rate(double a, double b) {
    return fabs(a / b - 1) < 1e-9;
}

static Err check_columns(const CellRecord *r, const char *path, const Cell *want) {
    const CellRecord *w = &want->record;
    char key[128], there[32], here[32];
    if (strcmp(r->arm, w->arm)) return other(path, "study.arms", r->arm, w->arm);
    for (int c = 0; c < COLUMNS; c++) {
        if (number_of(r, c) == number_of(w, c)) continue;
        snprintf(key, sizeof key, "%s%s", columns[c].key[0] == '.' ? want->job.kind->name : "", columns[c].key);
        snprintf(there, sizeof there, "%lld", (long long)number_of(r, c));
        snprintf(here, sizeof here, "%lld", (long long)number_of(w, c));
        return other(path, key, there, here);
    }
    if (!same_swept(r->swept, w->swept)) {
        snprintf(there, sizeof there, "%.10g", r->swept);
        snprintf(here, sizeof here, "%.10g", w->swept);
        return other(path, want->job.procedure->swept, there, here);
    }
    if (identity_same_rate(r->lr, w->lr)) return ERR_NONE;
    snprintf(key, sizeof key, "peak learning rate (%s.lr, %s.lr_exponent)", w->arm, w->arm);
    snprintf(there, sizeof there, "%.10g", r->lr);
    snprintf(here, sizeof here, "%.10g", w->lr);
    return other(path, key, there, here);
}

/* What is swept, from a record that has it as a key alone: it had one value then, which was the default before there was a
 * key. */
static void complete_swept(CellRecord *r, const char *record, const Procedure *procedure) {
    if (!procedure->swept || !isnan(r->swept)) return;
    char *value = record_value(record, procedure->swept);
    r->swept = value ? strtod(value, NULL) : procedure_swept_default(procedure);
    mem_free(value);
}

/* Columns that the record lacks: multi_query and increase are among its keys, and scalar channels in its name, which is
 * the cell's. */
static void complete(CellRecord *r, const char *record, const Cell *want) {
    char key[64];
    complete_swept(r, record, want->job.procedure);
    if (r->scalars < 0) r->scalars = want->record.scalars;
    snprintf(key, sizeof key, "%s.multi_query", want->job.kind->name);
    char *multi_query = record_value(record, key);
    if (r->multi_query < 0) r->multi_query = multi_query && !strcmp(multi_query, "true");
    snprintf(key, sizeof key, "%s.increase", want->job.kind->name);
    char *increase = record_value(record, key);
    if (r->increase < 0) r->increase = increase ? strtoll(increase, NULL, 10) : 1;
    mem_free(multi_query);
    mem_free(increase);
}

/* ---- Keys. ---- */

static Err check_keys(const char *record, const char *path, const void *filled, const KeySpec *specs, int n) {
    KeyDifference d;
    return options_differ(&d, record, filled, specs, n) ? other(path, d.key, d.there, d.here) : ERR_NONE;
}

/* The keys of a procedure but for a list that it sweeps, whose entry is a column. */
static Err check_procedure(const char *record, const char *path, const TrainJob *job) {
    const Procedure *p = job->procedure;
    for (int i = 0; i < p->n_keys; i++) {
        if (p->swept && !strcmp(p->keys[i].key, p->swept)) continue;
        TRY(check_keys(record, path, job->procedure_options, &p->keys[i], 1));
    }
    return ERR_NONE;
}

static bool is_column(const char *size_key) {
    bool found = false;
    for (int c = 0; c < COLUMNS; c++) found |= columns[c].key[0] == '.' && !strcmp(columns[c].key + 1, size_key);
    return found;
}

/* What a model is made of beside the sizes that are columns: its keys that have one value for all sizes. */
static Err check_choices(const char *record, const char *path, const ModelKind *kind, const StudyOptions *o) {
    for (int i = 0; i < kind->n_size_keys; i++) {
        KeySpec key = kind->size_keys[i];
        char name[64];
        if (key.type == KEY_INTS || is_column(key.key)) continue;
        snprintf(name, sizeof name, "%s.%s", kind->name, key.key);
        key.key = name;
        TRY(check_keys(record, path, study_options_sizes(o, kind), &key, 1));
    }
    return ERR_NONE;
}

/* What all cells of a study have in common. */
static Err check_common(const char *record, const char *path, const StudyOptions *o) {
    char *precision = record_value(record, "precision");
    Err err = ERR_NONE;
    if (!precision)
        err = err_user("%s: /provenance: no attribute precision: want a file that this program wrote", path);
    else if (strcmp(precision, REAL_NAME))
        err = other(path, "precision", precision, REAL_NAME);
    mem_free(precision);
    if (!err.code) err = check_keys(record, path, o, study_held_out_keys, n_study_held_out_keys);
    if (!err.code) err = check_keys(record, path, &o->data, data_keys + DATA_PLACE - DATA_SEEN, DATA_SEEN);
    if (!err.code) err = check_keys(record, path, &o->train, train_keys, n_train_keys);
    return err;
}

/* By digest; where that is not known on one side, by the keys that the data were made from. */
static Err check_data(const CellRecord *r, const char *record, const char *path, const Cell *want,
                      const StudyOptions *o) {
    const char *here = want->record.data;
    if (!r->data[0] || !here[0])
        return check_keys(record, path, &o->data, data_keys + DATA_PLACE, n_data_keys - DATA_PLACE);
    return strcmp(r->data, here) ? other(path, "digest of the data", r->data, here) : ERR_NONE;
}

/* The columns of a row and its data. */
static Err check_row(CellRecord *r, const char *record, const char *path, const Cell *want, const StudyOptions *o) {
    complete(r, record, want);
    TRY(check_columns(r, path, want));
    return check_data(r, record, path, want, o);
}

Err identity_check(Results *one, const char *path, const Cell *want, const StudyOptions *o) {
    const char *record = one->provenance ? one->provenance : "";
    if (one->cells != 1) return err_user("%s: holds %lld cells: want one", path, (long long)one->cells);
    if (strcmp(one->cell[0].id, want->file))
        return err_user("%s: holds the cell %s: want that of its name", path, one->cell[0].id);
    TRY(check_common(record, path, o));
    TRY(check_procedure(record, path, &want->job));
    TRY(check_choices(record, path, want->job.kind, o));
    return check_row(&one->cell[0], record, path, want, o);
}

static int by_id(const void *x, const void *y) {
    const Cell *const *a = x, *const *b = y;
    return strcmp((*a)->record.id, (*b)->record.id);
}

static int id_order(const void *id, const void *cell) {
    return strcmp(id, (*(const Cell *const *)cell)->record.id);
}

Err identity_check_results(Results *all, const char *path, const Grid *grid, const StudyOptions *o) {
    const char *record = all->provenance ? all->provenance : "";
    TRY(check_common(record, path, o));
    const Cell **known = MEM_NEW(const Cell *, grid->n + 1);
    for (int k = 0; k < grid->n; k++) known[k] = &grid->cell[k];
    qsort(known, (size_t)grid->n, sizeof *known, by_id);
    Err err = ERR_NONE;
    for (int64_t i = 0; i < all->cells && !err.code; i++) {
        CellRecord *r = &all->cell[i];
        const Cell **same = bsearch(r->id, known, (size_t)grid->n, sizeof *known, id_order);
        if (same && identity_same_rate(r->lr, (*same)->record.lr)) err = check_row(r, record, path, *same, o);
    }
    mem_free(known);
    return err;
}

/* By the digest of a cell on as many trajectories, where the grid has one that knows it; by the keys otherwise. */
Err identity_check_stranger(Results *one, const char *path, const Grid *grid, const StudyOptions *o) {
    const char *record = one->provenance ? one->provenance : "";
    if (one->cells != 1) return err_user("%s: holds %lld cells: want one", path, (long long)one->cells);
    const CellRecord *r = &one->cell[0];
    TRY(check_common(record, path, o));
    for (int i = 0; i < grid->n; i++) {
        const CellRecord *known = &grid->cell[i].record;
        if (known->dataset != r->dataset || !known->data[0] || !r->data[0]) continue;
        return strcmp(known->data, r->data) ? other(path, "digest of the data", r->data, known->data) : ERR_NONE;
    }
    return check_keys(record, path, &o->data, data_keys + DATA_PLACE, n_data_keys - DATA_PLACE);
}
