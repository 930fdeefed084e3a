#include "study/space.h"

#include "io/commit.h"
#include "train/state.h"

#include <stdio.h>

/* A record takes 32 KiB, most of it headers of columns and provenance. In results.h5 a cell is a row of each column, in fit.json some
 * lines; what was measured has some rows. */
enum { RECORD = 1 << 16, ROWS = 1 << 13, GENERATIONS = 3 };

/* Checkpoints of the cells that a queue's blocks are at together, as if each had the largest. */
static int64_t queue_checkpoints(const Grid *grid, const StudyPlan *plan, int queue) {
    const Blocks *b = &plan->blocks;
    const Schedule *s = &plan->schedule;
    int tasks = s->first[queue + 1] - s->first[queue], blocks = b->ranks / b->size[b->queue_size[queue + 1] - 1];
    int64_t largest = 0;
    for (int k = s->first[queue]; k < s->first[queue + 1]; k++) {
        const TrainJob *job = &grid->cell[plan->cell[s->order[k]]].job;
        int64_t bytes = RECORD + state_bytes(job->kind, &job->shape, CHECKPOINT_TRAINING);
        if (bytes > largest) largest = bytes;
    }
    return GENERATIONS * largest * (tasks < blocks ? tasks : blocks);
}

int64_t space_needed(const Grid *grid, const StudyOptions *o, const StudyPlan *plan) {
    int64_t bytes = 0, checkpoints = 0;
    for (int i = 0; i < grid->n; i++) {
        const Cell *cell = &grid->cell[i];
        bytes += ROWS;
        if (!cell_left(cell)) continue;
        bytes += RECORD;
        if (o->keep_weights) bytes += RECORD + state_bytes(cell->job.kind, &cell->job.shape, CHECKPOINT_WEIGHTS);
    }
    for (int q = 0; q < plan->blocks.queues; q++) {
        int64_t at_once = queue_checkpoints(grid, plan, q);
        if (at_once > checkpoints) checkpoints = at_once;
    }
    return bytes + checkpoints;
}

/* On the root. */
static Err check(const Grid *grid, const StudyOptions *o, const StudyPlan *plan) {
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/%s", o->folder, o->name);
    return commit_room(folder, (long long)space_needed(grid, o, plan), "the run");
}

Err space_check(const Grid *grid, const StudyOptions *o, const StudyPlan *plan) {
    return comm_agree(comm_world(), comm_rank(comm_world()) == 0 ? check(grid, o, plan) : ERR_NONE);
}
