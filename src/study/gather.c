#include "study/gather.h"

#include "base/arena.h"
#include "base/log.h"
#include "study/identity.h"
#include "study/provenance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void gather_path(char *path, size_t size, const StudyOptions *options) {
    snprintf(path, size, "%s/%s/results.h5", options->folder, options->name);
}

Err gather_check(const Grid *grid, const StudyOptions *o) {
    char path[1024];
    Err err = ERR_NONE;
    gather_path(path, sizeof path, o);
    if (comm_rank(comm_world()) == 0 && access(path, F_OK) == 0) {
        Results old = {0};
        err = results_read(&old, path);
        if (!err.code) err = identity_check_results(&old, path, grid, o);
        results_free(&old);
    }
    return comm_agree(comm_world(), err);
}

/* Of cells that differ in nothing but the learning rate, the best on the validation set keeps its role. */
static void choose_rates(Results *all) {
    for (int64_t i = 0; i < all->cells; i++)
        for (int64_t k = 0; k < all->cells; k++) {
            const CellRecord *a = &all->cell[i], *b = &all->cell[k];
            if (i == k || !identity_same_but_rate(a, b)) continue;
            bool better =
                b->validation_loss < a->validation_loss || (isnan(a->validation_loss) && !isnan(b->validation_loss));
            if (better) snprintf(all->cell[i].role, sizeof all->cell[i].role, "lr");
        }
}

/* Cells by their place in the study file: what is gathered does not depend on what they were expected to cost. */
static const Cell **in_order(const Grid *grid) {
    const Cell **cell = MEM_NEW(const Cell *, grid->n + 1);
    for (int i = 0; i < grid->n; i++) cell[grid->cell[i].place] = &grid->cell[i];
    return cell;
}

static Err append_cell(Results *all, const Cell *cell, const StudyOptions *options) {
    char path[1024];
    Results one = {0};
    cell_path(path, sizeof path, options, cell, "h5");
    TRY(results_load(&one, path));
    one.cell[0] = cell->record; /* what grid_scan made of it */
    results_append(all, &one);
    results_free(&one);
    return ERR_NONE;
}

/* The records of finished cells. */
static Err read_all(Results *all, const Grid *grid, const StudyOptions *options) {
    const Cell **cell = in_order(grid);
    Err err = ERR_NONE;
    for (int i = 0; i < grid->n && !err.code; i++)
        if (cell[i]->state >= CELL_DONE) err = append_cell(all, cell[i], options);
    mem_free(cell);
    return err;
}

Err gather_results(Grid *grid, const StudyOptions *options) {
    const Comm *world = comm_world();
    TRY(grid_scan(grid, options, world));
    Results all = {0};
    snprintf(all.study, sizeof all.study, "%.31s", options->name);
    Err err = comm_rank(world) == 0 ? read_all(&all, grid, options) : ERR_NONE;
    err = comm_agree(world, err);
    if (!err.code) {
        if (comm_rank(world) == 0) choose_rates(&all);
        results_bcast(&all, world);
        char path[1024], *provenance = provenance_text(options, world);
        gather_path(path, sizeof path, options);
        err = results_gather(path, &all, provenance, world);
        mem_free(provenance);
        if (!err.code)
            log_line("%lld cells, %lld curve points in %s", (long long)all.cells, (long long)all.points, path);
    }
    results_free(&all);
    return err;
}
