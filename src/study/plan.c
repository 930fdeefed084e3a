#include "study/plan.h"

#include "base/arena.h"
#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- What there is to choose from. ---- */

/* `timed`: the one that steps are timed on, without its nodes. Timings belong to the job that makes them, whatever it plans for. */
static Err find_machine(StudyPlan *p, Machine *timed, const PlanTarget *t, const StudyOptions *o,
                        Calibration *calibration) {
    int ranks = t->ranks ? t->ranks : comm_size(comm_world());
    bool described = t->machine && *t->machine;
    if (described) TRY(machine_read(&p->machine, t->machine, ranks, o->run.memory));
    if (!described) machine_here(&p->machine, calibration, o->run.memory);
    *timed = p->machine;
    timed->node = NULL;
    if (!described) machine_resize(&p->machine, ranks);
    p->timed_ranks = timed->node_ranks;
    return ERR_NONE;
}

/* Ranks of a block that the study file gives; 0: it leaves the choice. */
static int fixed_ranks(const StudyOptions *o) {
    return o->dp ? (int)(o->dp * o->tp) : 0;
}

Err plan_check(const StudyOptions *o, int ranks) {
    int fixed = fixed_ranks(o);
    if (!fixed || ranks % fixed == 0) return ERR_NONE;
    return err_user("layout.dp x layout.tp = %lld x %lld on %d rank%s: want a number of ranks that is a multiple of %d",
                    (long long)o->dp, (long long)o->tp, ranks, plural(ranks), fixed);
}

static Err find_blocks(StudyPlan *p, const StudyOptions *o) {
    TRY(plan_check(o, p->machine.ranks));
    blocks_init(&p->blocks, p->machine.nodes, p->machine.node, fixed_ranks(o));
    return ERR_NONE;
}

static void find_layouts(StudyPlan *p, const Grid *grid, const StudyOptions *o, const TrainData *data) {
    int sizes = p->blocks.sizes;
    p->layout = MEM_NEW(Layout, grid->kinds * sizes + 1);
    for (int k = 0; k < grid->kinds; k++)
        for (int s = 0; s < sizes && p->used[k]; s++)
            p->layout[k * sizes + s] =
                cost_layout(&grid->kind[k], &p->cost[k], p->blocks.size[s], o, data, &p->machine);
}

/* Samples that are evaluated in the life of a cell, measurements in forward passes. */
static double passes_of(const Cell *c, const StudyOptions *o, const TrainData *data) {
    int64_t points =
        o->train.evaluations; /* the last of them is on the whole test set, and one comes before training */
    for (; points > 1 && c->job.steps >> (points - 1) == 0;) points--;
    return (double)(points * train_curve_samples(&o->train, data) + data->test_samples + data->validation_samples) +
           measure_passes(&o->chosen, data, train_passes(&c->job, &o->train));
}

/* ---- What fits nowhere. ---- */

/* Whether every block of some queue takes it. */
static bool runs_somewhere(const Layout *layout, const Blocks *b) {
    for (int q = 0; q < b->queues; q++) {
        bool all = true;
        for (int s = b->queue_size[q]; s < b->queue_size[q + 1]; s++) all &= isfinite(layout[s].pace.step);
        if (all) return true;
    }
    return false;
}

static void refuse(Cell *cell, const StudyPlan *p) {
    const double mebi = 1 << 20;
    const Layout *layout = &p->layout[cell->kind * p->blocks.sizes], *least = NULL;
    if (runs_somewhere(layout, &p->blocks)) return;
    for (int s = 0; s < p->blocks.sizes; s++)
        if (layout[s].dp && (!least || layout[s].bytes < least->bytes)) least = &layout[s];
    cell->state = CELL_REFUSED;
    if (!least) {
        snprintf(cell->note, sizeof cell->note, "no layout of at most %d rank%s takes it", p->blocks.size[0],
                 plural(p->blocks.size[0]));
        return;
    }
    cell->bytes = least->bytes;
    cell->record.dp = least->dp;
    cell->record.tp = least->tp;
    snprintf(cell->note, sizeof cell->note,
             "needs %.1f MiB on each of %d rank%s of a node, which has %.1f MiB, even as %d x %d",
             (double)least->bytes / mebi, p->machine.node_ranks, plural(p->machine.node_ranks),
             p->machine.node_bytes / mebi, least->dp, least->tp);
}

static void refuse_all(Grid *grid, const StudyPlan *p) {
    for (int i = 0; i < grid->n; i++)
        if (cell_left(&grid->cell[i])) refuse(&grid->cell[i], p);
}

static void find_used(StudyPlan *p, const Grid *grid) {
    p->used = MEM_NEW(bool, grid->kinds + 1);
    p->cost = MEM_NEW(KindCost, grid->kinds + 1);
    for (int i = 0; i < grid->n; i++) p->used[grid->cell[i].kind] |= cell_left(&grid->cell[i]);
}

Err plan_refuse(Grid *grid, const StudyOptions *o, const TrainData *data) {
    StudyPlan p = {0};
    Calibration none = {0};
    int block = (int)(o->dp * o->tp), ranks = comm_size(comm_world());
    bool whole = !block || ranks % block == 0; /* else it cannot run here, and is looked at as if it could */
    machine_here(&p.machine, &none, o->run.memory);
    if (!whole) machine_resize(&p.machine, block);
    Err err = find_blocks(&p, o);
    if (!err.code) {
        find_used(&p, grid);
        find_layouts(&p, grid, o, data);
        refuse_all(grid, &p);
    }
    calibration_free(&none);
    plan_free(&p);
    return err;
}

/* ---- The schedule. ---- */

static Pace *paces_of(const StudyPlan *p, int kinds) {
    Pace *pace = MEM_NEW(Pace, kinds * p->blocks.sizes + 1);
    for (int i = 0; i < kinds * p->blocks.sizes; i++) pace[i] = p->layout[i].pace;
    return pace;
}

static void list_tasks(StudyPlan *p, const Grid *grid, const StudyOptions *o, const TrainData *data) {
    p->task = MEM_NEW(Task, grid->n + 1);
    p->cell = MEM_NEW(int, grid->n + 1);
    for (int i = 0; i < grid->n; i++) {
        const Cell *c = &grid->cell[i];
        if (!cell_left(c)) continue;
        p->task[p->n] = (Task){c->kind, (double)c->job.steps, passes_of(c, o, data)};
        p->cell[p->n++] = i;
    }
}

/* By the root, so that ranks that share a core do not all seek the same one. Collective on the world. */
static void find_schedule(StudyPlan *p, int kinds) {
    const Comm *world = comm_world();
    Schedule *s = &p->schedule;
    if (comm_rank(world) == 0) {
        Pace *pace = paces_of(p, kinds);
        const Work work = {p->n, p->task, pace};
        schedule_make(s, &p->blocks, &work);
        mem_free(pace);
    } else {
        *s = (Schedule){.first = MEM_NEW(int, p->blocks.queues + 1),
                        .order = MEM_NEW(int, p->n + 1),
                        .slot = MEM_NEW(Slot, p->n + 1)};
    }
    comm_bcast(world, s->first, (size_t)(p->blocks.queues + 1) * sizeof *s->first, 0);
    comm_bcast(world, s->order, (size_t)p->n * sizeof *s->order, 0);
    comm_bcast(world, s->slot, (size_t)p->n * sizeof *s->slot, 0);
    comm_bcast(world, &s->makespan, sizeof s->makespan, 0);
    comm_bcast(world, &s->busy, sizeof s->busy, 0);
    comm_bcast(world, &s->critical, sizeof s->critical, 0);
}

const Layout *plan_layout(const StudyPlan *p, const Cell *cell, int ranks) {
    return &p->layout[cell->kind * p->blocks.sizes + blocks_size(&p->blocks, (Block){0, ranks})];
}

static void fill_cells(Grid *grid, const StudyPlan *p) {
    for (int i = 0; i < p->n; i++) {
        Cell *c = &grid->cell[p->cell[i]];
        const Slot *slot = &p->schedule.slot[i];
        const Layout *l = plan_layout(p, c, slot->block.ranks);
        c->seconds = slot->end - slot->start;
        c->first = l->first;
        c->bytes = l->bytes;
        c->block = slot->block.ranks;
        c->record.dp = l->dp;
        c->record.tp = l->tp;
        cost_apply(&c->job, l);
    }
}

Err plan_make(StudyPlan *p, Grid *grid, const StudyOptions *o, const TrainData *data, const PlanTarget *target) {
    const Comm *world = comm_world();
    Calibration calibration;
    Machine timed;
    *p = (StudyPlan){0};
    calibration_load(&calibration, target->calibrate, world);
    Err err = find_machine(p, &timed, target, o, &calibration);
    if (!err.code) err = find_blocks(p, o);
    if (!err.code) {
        find_used(p, grid);
        cost_kinds(p->cost, &p->rounds, grid, p->used, o, data, &timed, &calibration, world);
        calibration_save(&calibration, world);
        find_layouts(p, grid, o, data);
        refuse_all(grid, p);
        list_tasks(p, grid, o, data);
        find_schedule(p, grid->kinds);
        fill_cells(grid, p);
    }
    calibration_free(&calibration);
    if (err.code) plan_free(p);
    return err;
}

void plan_free(StudyPlan *p) {
    if (p->schedule.order) schedule_free(&p->schedule);
    blocks_free(&p->blocks);
    machine_free(&p->machine);
    mem_free(p->used);
    mem_free(p->cost);
    mem_free(p->layout);
    mem_free(p->task);
    mem_free(p->cell);
    *p = (StudyPlan){0};
}

/* ---- What does not end in time. ---- */

typedef struct Ranked {
    int task;
    double rank_seconds;
} Ranked;

static int by_rank_seconds(const void *x, const void *y) {
    const Ranked *a = x, *b = y;
    if (a->rank_seconds != b->rank_seconds) return a->rank_seconds > b->rank_seconds ? -1 : 1;
    return a->task - b->task;
}

/* The makespan of the tasks rank[first ..]. */
static double rest_seconds(const Ranked *rank, int first, int n, const StudyPlan *p, const Pace *pace) {
    Task *task = MEM_NEW(Task, n + 1);
    for (int i = first; i < n; i++) task[i - first] = p->task[rank[i].task];
    Schedule s;
    schedule_make(&s, &p->blocks, &(Work){n - first, task, pace});
    double seconds = s.makespan;
    schedule_free(&s);
    mem_free(task);
    return seconds;
}

int plan_drop(bool *drop, double *makespan, const StudyPlan *p, int kinds, double seconds) {
    Ranked *rank = MEM_NEW(Ranked, p->n + 1);
    Pace *pace = paces_of(p, kinds);
    const Work work = {p->n, p->task, pace};
    int n = 0, never = 0;
    for (int i = 0; i < p->n; i++) {
        const Slot *slot = &p->schedule.slot[i];
        double soonest = INFINITY;
        for (int s = 0; s < p->blocks.sizes; s++) soonest = fmin(soonest, work_seconds(&work, i, &p->blocks, s));
        drop[i] = soonest > seconds;
        never += drop[i];
        if (!drop[i]) rank[n++] = (Ranked){i, (slot->end - slot->start) * slot->block.ranks};
    }
    qsort(rank, (size_t)n, sizeof *rank, by_rank_seconds);
    int low = 0, high = n; /* dropping `high` of them is enough */
    while (low < high) {
        int middle = (low + high) / 2;
        if (rest_seconds(rank, middle, n, p, pace) <= seconds)
            high = middle;
        else
            low = middle + 1;
    }
    for (int i = 0; i < high; i++) drop[rank[i].task] = true;
    *makespan = rest_seconds(rank, high, n, p, pace);
    mem_free(rank);
    mem_free(pace);
    return never + high;
}
