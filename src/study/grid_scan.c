#include "study/grid.h"

#include "base/arena.h"
#include "base/file.h"
#include "io/checkpoint.h"
#include "io/commit.h"
#include "io/results_version.h"
#include "study/identity.h"
#include "study/measure.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether there is a file of the cell's name; its path. */
static bool find_file(char path[COMMIT_PATH], Cell *cell, const StudyOptions *options) {
    memcpy(cell->file, cell->record.id, sizeof cell->file);
    cell_path(path, COMMIT_PATH, options, cell, "h5");
    return !access(path, F_OK);
}

/* The same under the name that the cell has in a study file with one rate instead of several, or the reverse. */
static bool find_other(char path[COMMIT_PATH], Cell *cell, const StudyOptions *options) {
    cell_name(cell->file, cell, !cell->swept);
    cell_path(path, COMMIT_PATH, options, cell, "h5");
    return !access(path, F_OK);
}

/* What the record says becomes what the grid knows, under the name and role that the cell has here. */
static void take_record(Cell *cell, const Results *one) {
    CellRecord mine = cell->record, *found = &one->cell[0];
    cell->record = *found;
    memcpy(cell->record.role, mine.role, sizeof mine.role);
    memcpy(cell->record.id, mine.id, sizeof mine.id);
    study_measure_text(cell->measured, sizeof cell->measured, one->measure, one->measures);
    cell->state = found->outcome == OUTCOME_DONE       ? CELL_DONE
                  : found->outcome == OUTCOME_DIVERGED ? CELL_DIVERGED
                                                       : CELL_FAILED;
    char *reason = cell->state == CELL_FAILED ? record_value(one->provenance, FAILED_KEY) : NULL;
    if (reason) snprintf(cell->note, sizeof cell->note, "%s", reason);
    mem_free(reason);
}

/* Whether a file holds one cell, trained with the rate of this one. */
static bool of_rate(const Results *one, const Cell *cell) {
    return one->cells == 1 && identity_same_rate(one->cell[0].lr, cell->record.lr);
}

/* Reads the file of the cell's name, or the one of its other name where that has the right rate; found: whether there is
 * one, which then has the path. */
static Err read_cell(bool *found, Results *one, char path[COMMIT_PATH], Cell *cell, const StudyOptions *options) {
    *found = find_file(path, cell, options);
    if (*found) TRY(results_read(one, path));
    if (*found && of_rate(one, cell)) return ERR_NONE;
    if (find_other(path, cell, options)) {
        Results second = {0};
        TRY(results_read(&second, path));
        if (of_rate(&second, cell)) {
            results_free(one);
            *one = second;
            *found = true;
            return ERR_NONE;
        }
        results_free(&second);
    }
    find_file(path, cell, options);
    return ERR_NONE;
}

/* A damaged record, out of the way of the next one. */
static Err move_aside(Cell *cell, const char *path, Err why, bool repair) {
    char aside[COMMIT_PATH], reason[COMMIT_PATH];
    if (access(path, R_OK)) return commit_error(path, "cannot be read");
    snprintf(cell->note, sizeof cell->note, "its record was damaged: %.220s", why.text);
    if (!repair) return ERR_NONE;
    int n = snprintf(aside, sizeof aside, "%s.damaged", path);
    int m = snprintf(reason, sizeof reason, "%s.damaged.txt", path);
    if (n >= COMMIT_PATH || m >= COMMIT_PATH || rename(path, aside)) return commit_error(path, "cannot be moved aside");
    return commit_text(reason, cell->note, true);
}

/* What happened to an earlier record, if anything did. */
static void read_note(Cell *cell, const StudyOptions *options) {
    char path[COMMIT_PATH];
    cell_path(path, sizeof path, options, cell, "h5.damaged.txt");
    FILE *f = file_own(path);
    if (!f) return;
    if (fgets(cell->note, sizeof cell->note, f)) cell->note[strcspn(cell->note, "\n")] = 0;
    fclose(f);
}

/* Whether the checkpoint is one of this cell, as far as its rate tells, which its other name does not. */
static bool checkpoint_of_rate(const char *path, const Cell *cell) {
    Checkpoint file;
    Results one = {0};
    if (access(path, F_OK) || checkpoint_open(&file, path, CHECKPOINT_TRAINING).code) return false;
    bool same = !checkpoint_take_record(&file, &one).code && of_rate(&one, cell);
    results_free(&one);
    checkpoint_close(&file);
    return same;
}

/* A cell that was begun under its other name goes on under that. */
static void find_begun(Cell *cell, const StudyOptions *options) {
    char path[COMMIT_PATH], old[COMMIT_PATH];
    for (int other = 0; other < 2; other++) {
        if (other) cell_name(cell->file, cell, !cell->swept);
        cell_path(path, sizeof path, options, cell, "checkpoint");
        checkpoint_old(old, path);
        bool there = !access(path, F_OK) || !access(old, F_OK);
        cell->begun = there && (!other || checkpoint_of_rate(path, cell) || checkpoint_of_rate(old, cell));
        if (cell->begun) return;
    }
    memcpy(cell->file, cell->record.id, sizeof cell->file);
}

/* Whether another run is at the cell, or died at it. One that left a checkpoint has got further. */
static void look_at_mark(Cell *cell, const StudyOptions *options) {
    char path[COMMIT_PATH];
    struct stat st;
    cell_path(path, sizeof path, options, cell, "running");
    ClaimState claim = claim_look(&cell->mark, path);
    if (claim == CLAIM_HELD)
        cell->state = CELL_RUNNING;
    else if (cell->state != CELL_REFUSED)
        cell->state = CELL_PLANNED;
    cell_path(path, sizeof path, options, cell, "checkpoint");
    bool further = !stat(path, &st) && st.st_mtime >= cell->mark.started;
    cell->deaths = claim == CLAIM_DEAD && !further ? cell->mark.deaths + 1 : 0;
}

/* A walk over the records of a grid, on the root. */
typedef struct Scan {
    Grid *grid;
    const StudyOptions *options;
    bool repair;
    GridTake *take; /* NULL: nobody wants to have them */
    void *context;
} Scan;

static Err scan_one(const Scan *scan, Cell *cell) {
    const StudyOptions *options = scan->options;
    char path[COMMIT_PATH];
    Results one = {0};
    bool found;
    if (cell->state != CELL_REFUSED) cell->note[0] = 0;
    Err damage = read_cell(&found, &one, path, cell, options), err = ERR_NONE;
    if (damage.code == EXIT_RESUME) return damage; /* its reader was killed: the file may be whole */
    char format[RESULTS_ID];
    if (damage.code && results_of_other_version(format, path))
        err = err_user(
            "%s: %s: of another version of equiscale: want that one, another study.name, or that file moved away", path,
            format);
    else if (damage.code)
        err = move_aside(cell, path, damage, scan->repair);
    else
        read_note(cell, options);
    if (!damage.code && found) {
        err = identity_check(&one, path, cell, options);
        if (!err.code) take_record(cell, &one);
    } else {
        if (!damage.code) find_begun(cell, options);
        look_at_mark(cell, options);
    }
    bool recorded = cell->state >= CELL_DONE;
    if (recorded && !err.code) one.cell[0] = cell->record;
    if (scan->take && !err.code) scan->take(scan->context, cell, recorded ? &one : NULL);
    results_free(&one);
    return err;
}

/* In the order of the study file. A folder that may not be looked into is not an empty one. */
static Err scan_all(const Scan *scan) {
    Grid *grid = scan->grid;
    char folder[COMMIT_PATH];
    bool there;
    snprintf(folder, sizeof folder, "%s/%s/cells/.", scan->options->folder, scan->options->name);
    TRY(commit_exists(&there, folder));
    Cell **cell = MEM_NEW(Cell *, grid->n + 1);
    for (int i = 0; i < grid->n; i++) cell[grid->cell[i].place] = &grid->cell[i];
    Err err = ERR_NONE;
    for (int i = 0; i < grid->n && !err.code; i++) err = scan_one(scan, cell[i]);
    mem_free(cell);
    return err;
}

/* What every rank must know of a cell. */
typedef struct Found {
    char file[RESULTS_ID];
    CellRecord record;
    CellState state;
    int64_t deaths;
} Found;

/* Collective. */
static Err scan_and_share(const Scan *scan, const Comm *comm) {
    Grid *grid = scan->grid;
    TRY(comm_agree(comm, comm_rank(comm) == 0 ? scan_all(scan) : ERR_NONE));
    Found *found = MEM_NEW(Found, grid->n);
    for (int i = 0; i < grid->n; i++) {
        const Cell *cell = &grid->cell[i];
        found[i] = (Found){.record = cell->record, .state = cell->state, .deaths = cell->deaths};
        memcpy(found[i].file, cell->file, sizeof cell->file);
    }
    comm_bcast(comm, found, (size_t)grid->n * sizeof *found, 0);
    for (int i = 0; i < grid->n; i++) {
        Cell *cell = &grid->cell[i];
        cell->record = found[i].record;
        cell->state = found[i].state;
        cell->deaths = found[i].deaths;
        memcpy(cell->file, found[i].file, sizeof cell->file);
    }
    mem_free(found);
    return ERR_NONE;
}

Err grid_scan(Grid *grid, const StudyOptions *options, const Comm *comm, bool repair) {
    return scan_and_share(&(Scan){.grid = grid, .options = options, .repair = repair}, comm);
}

Err grid_read(Grid *grid, const StudyOptions *options, const Comm *comm, GridTake *take, void *context) {
    Scan scan = {.grid = grid, .options = options, .repair = true, .take = take, .context = context};
    return scan_and_share(&scan, comm);
}
