/** The plan of a study: what each cell costs, on which ranks, in which layout, and when it is over. `plan` prints it and the
 *  runner follows it. */
#pragma once

#include "study/cost.h"

typedef struct StudyPlan {
    Machine machine;
    int timed_ranks; /* the most on a node when steps were timed */
    Blocks blocks;
    bool *used;        /* (kinds) that the plan has cells of */
    KindCost *cost;    /* (kinds) */
    Rounds rounds;     /* of timings on this machine */
    Layout *layout;    /* (kinds, sizes of blocks) */
    Task *task;        /* (tasks) */
    int *cell;         /* (tasks) index in the grid */
    int n;             /* tasks: cells that are neither finished nor refused */
    Schedule schedule; /* of the tasks */
} StudyPlan;

/** Where it is to run. */
typedef struct PlanTarget {
    const char *machine; /* file of a described one; NULL or "": this one */
    int ranks;           /* 0: those of the job */
    bool calibrate;      /* measure again what was kept */
} PlanTarget;

/** Plans all cells that are left. Fills of each seconds, first, bytes, block, and dp and tp of its record; a cell that fits
 *  no block becomes CELL_REFUSED, its note says why. The same on every rank. Errors: blocks of fixed size that do not make up
 *  the ranks, what the machine's file says. Collective on the world. */
Err plan_make(StudyPlan *plan, Grid *grid, const StudyOptions *options, const TrainData *data,
              const PlanTarget *target);
void plan_free(StudyPlan *plan);

/** Whether blocks of the size that the study file gives make up so many ranks. Not collective. */
Err plan_check(const StudyOptions *options, int ranks);

/** Only what fits no block, without a measurement: for `status`. Collective on the world. */
Err plan_refuse(Grid *grid, const StudyOptions *options, const TrainData *data);

/** The layout of a cell on a block of so many ranks. Not collective. */
const Layout *plan_layout(const StudyPlan *plan, const Cell *cell, int ranks);

/** Cells that must go so that the rest is done in `seconds`: the fewest, the most expensive first, and those that no block
 *  finishes in time. Sets drop (tasks) and the makespan of the rest; returns how many. kinds: of the grid. Not collective. Cost: some tens of schedules. */
int plan_drop(bool *drop, double *makespan, const StudyPlan *plan, int kinds, double seconds);
