#include "study/gather.h"

#include "base/arena.h"
#include "base/log.h"
#include "infer/fit_options.h"
#include "io/commit.h"
#include "study/identity.h"
#include "study/open.h"
#include "study/provenance.h"
#include "study/weights.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gather_path(char *path, size_t size, const StudyOptions *options) {
    snprintf(path, size, "%s/%s/results.h5", options->folder, options->name);
}

Err gather_check(const Grid *grid, const StudyOptions *o) {
    char path[1024];
    Err err = ERR_NONE;
    bool there = false;
    gather_path(path, sizeof path, o);
    if (comm_rank(comm_world()) == 0) err = commit_exists(&there, path);
    if (there && !err.code) {
        Results old = {0};
        err = results_read(&old, path);
        if (err.code == EXIT_USER) err = err_user("%.400s; want it removed: cells/ has all that it holds", err.text);
        if (!err.code) err = identity_check_results(&old, path, grid, o);
        results_free(&old);
    }
    return comm_agree(comm_world(), err);
}

static int by_cell_and_loss(const void *x, const void *y) {
    const CellRecord *a = *(const CellRecord *const *)x, *b = *(const CellRecord *const *)y;
    int order = identity_order_but_sweeps(a, b);
    double u = isnan(a->validation_loss) ? INFINITY : a->validation_loss;
    double v = isnan(b->validation_loss) ? INFINITY : b->validation_loss;
    if (!order) order = (u > v) - (u < v);
    return order ? order : strcmp(a->id, b->id);
}

/* Of cells that differ in nothing but what is swept, the best on the validation set keeps its role; of equal ones the first by
 * name. Where none has a loss, nothing is chosen. */
static void choose_swept(Results *all) {
    CellRecord **by = MEM_NEW(CellRecord *, all->cells + 1), *best = NULL;
    for (int64_t i = 0; i < all->cells; i++) by[i] = &all->cell[i];
    qsort(by, (size_t)all->cells, sizeof *by, by_cell_and_loss);
    for (int64_t i = 0; i < all->cells; i++) {
        bool same = i > 0 && !identity_order_but_sweeps(by[i], best);
        if (!same) best = by[i];
        if (same && !isnan(best->validation_loss)) snprintf(by[i]->role, sizeof by[i]->role, "lr");
    }
    mem_free(by);
}

/* What a gathering finds, on the root. */
typedef struct Found {
    Results all;
    WeightsName *file;                /* of each cell of all: its record */
    char program[PROVENANCE_PROGRAM]; /* of the newest record; empty: there is none */
    char date[64];                    /* of it */
    int strangers;                    /* cells of this study that its file does not list (any more) */
    char *provenance;
} Found;

/* The lines of a record that provenance_program wrote. */
static void copy_program(char program[PROVENANCE_PROGRAM], const char *record) {
    static const char *const names[] = {"version", "commit", "compiler",  "flags", "precision", "libraries",
                                        "host",    "system", "processor", "ranks", "written"};
    size_t used = 0;
    program[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *value = record_value(record, names[i]);
        if (value && used < PROVENANCE_PROGRAM)
            used += (size_t)snprintf(program + used, PROVENANCE_PROGRAM - used, "%s = %s\n", names[i], value);
        mem_free(value);
    }
}

/* The newest record tells what the study was made with, so that results.h5 depends on records and study file alone. */
static void take_program(Found *found, const char *record) {
    char *date = record ? record_value(record, "written") : NULL;
    if (date && strcmp(date, found->date) > 0) {
        copy_program(found->program, record);
        snprintf(found->date, sizeof found->date, "%s", date);
    }
    mem_free(date);
}

static void append(Found *found, const Results *one, const char *file) {
    results_append(&found->all, one);
    found->file = mem_grow(found->file, (size_t)found->all.cells * sizeof *found->file);
    snprintf(found->file[found->all.cells - 1], sizeof *found->file, "%s", file);
}

/* A cell that is refused for want of memory has a row too, so that a fit can say that it is missing. */
static void append_refused(Found *found, const Cell *cell) {
    CellRecord r = cell->record;
    r.outcome = OUTCOME_FAILED;
    r.loss = r.loss_error = r.loss_initial = r.validation_loss = NAN;
    append(found, &(Results){.cells = 1, .cell = &r}, cell->file);
}

/* What the grid has found of a cell. */
static void take_cell(void *context, const Cell *cell, const Results *one) {
    Found *found = context;
    if (cell->state == CELL_REFUSED) append_refused(found, cell);
    if (!one) return;
    append(found, one, cell->file);
    take_program(found, one->provenance);
}

typedef char FileName[RESULTS_ID + 4];

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

/* The names of the records of the grid, sorted. */
static FileName *names_of(const Grid *grid) {
    FileName *name = MEM_NEW(FileName, grid->n + 1);
    for (int i = 0; i < grid->n; i++) snprintf(name[i], sizeof name[i], "%s.h5", grid->cell[i].file);
    qsort(name, (size_t)grid->n, sizeof *name, by_name);
    return name;
}

/* A cell that is there although the study file does not ask for it: results.h5 never loses what it had. A copy of a record
 * under another name is no other cell. */
static void read_stranger(Found *found, const char *folder, const char *name, const Grid *grid,
                          const StudyOptions *options) {
    char path[COMMIT_PATH], own[RESULTS_ID + 4];
    Results one = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    Err err = results_read(&one, path);
    if (!err.code) err = identity_check_stranger(&one, path, grid, options);
    if (!err.code) snprintf(own, sizeof own, "%s.h5", one.cell[0].id);
    if (!err.code && strcmp(name, own))
        err = err_user("%s: holds the cell %s: want that of its name", path, one.cell[0].id);
    if (err.code) {
        log_line("%s; left out of results.h5", err.text);
    } else {
        append(found, &one, one.cell[0].id);
        take_program(found, one.provenance);
        found->strangers++;
    }
    results_free(&one);
}

/* In the order of their names. */
static void read_strangers(Found *found, const Grid *grid, const StudyOptions *options) {
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/%s/cells", options->folder, options->name);
    FileName *name = NULL, *known = names_of(grid);
    size_t n = 0;
    DIR *all = opendir(folder);
    for (struct dirent *entry; all && (entry = readdir(all));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".h5") || strlen(entry->d_name) >= sizeof *name) continue;
        if (bsearch(entry->d_name, known, (size_t)grid->n, sizeof *known, by_name)) continue;
        name = mem_grow(name, (n + 1) * sizeof *name);
        strcpy(name[n++], entry->d_name);
    }
    if (all) closedir(all);
    if (n) qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n; i++) read_stranger(found, folder, name[i], grid, options);
    mem_free(name);
    mem_free(known);
}

/* Which cells have no result and why: each a line. */
static void say_missing(const Grid *grid) {
    for (int i = 0; i < grid->n; i++) {
        const Cell *c = &grid->cell[i];
        const char *note = c->note[0] ? ": " : "";
        if (c->state < CELL_DONE || c->state == CELL_FAILED)
            log_line("%s has no result: %s%s%s", c->record.id, cell_state_name(c->state), note, c->note);
        else if (c->note[0])
            log_line("%s was run again: %s", c->record.id, c->note);
    }
}

/* Afterwards every rank has the root's text. */
static void share_text(char **text, const Comm *comm) {
    int64_t bytes = *text ? (int64_t)strlen(*text) + 1 : 0;
    comm_bcast(comm, &bytes, sizeof bytes, 0);
    if (comm_rank(comm) != 0) *text = MEM_NEW(char, bytes);
    comm_bcast(comm, *text, (size_t)bytes, 0);
}

/* What goes into the file beside the cells of the grid, on the root. */
static void complete(Found *found, const Grid *grid, const StudyOptions *options, const FitOptions *fit) {
    char *fitted = options_text(fit, fit_keys, study_fit_keys());
    read_strangers(found, grid, options);
    choose_swept(&found->all);
    say_missing(grid);
    weights_keep(&found->all, found->file, options);
    found->provenance = provenance_study(found->program, options, fitted);
    mem_free(fitted);
}

/* By as many ranks as have work: each of HDF5's many collective calls waits for all of them. Collective on the world. */
static Err write_results(const char *path, const Found *found) {
    const int cells_a_rank = 1000;
    const Comm *world = comm_world();
    int64_t cells = found->all.cells;
    comm_bcast(world, &cells, sizeof cells, 0);
    Comm *writers = comm_split(world, comm_rank(world) <= cells / cells_a_rank ? 0 : -1);
    Err err = writers ? results_gather(path, &found->all, found->provenance, writers) : ERR_NONE;
    comm_free(writers);
    return comm_agree(world, err);
}

Err gather_results(Grid *grid, const StudyOptions *options) {
    const Comm *world = comm_world();
    bool root = comm_rank(world) == 0;
    Found found = {0};
    FitOptions fit;
    TRY(options_read(&fit, fit_keys, study_fit_keys()));
    snprintf(found.all.study, sizeof found.all.study, "%.31s", options->name);
    Err err = grid_read(grid, options, world, take_cell, &found);
    if (!err.code) {
        if (root) complete(&found, grid, options, &fit);
        char path[1024];
        share_text(&found.provenance, world);
        gather_path(path, sizeof path, options);
        err = write_results(path, &found);
        char more[64] = "";
        if (found.strangers) snprintf(more, sizeof more, ", %d of them not of this study file", found.strangers);
        if (!err.code)
            log_line("%lld cell%s%s, %lld curve points in %s", (long long)found.all.cells, plural(found.all.cells),
                     more, (long long)found.all.points, path);
    }
    mem_free(found.provenance);
    mem_free(found.file);
    results_free(&found.all);
    return err;
}
