/** Which block of ranks trains which cell, and when. What is simulated before a study is what its runner does, by the same
 *  functions: pure ones, without MPI and without clocks.
 *
 *  Blocks are nested. The whole job is a block; a block works through the queue of its size and then splits in two, between
 *  nodes where it has several and else in the middle, down to single ranks. No rank waits for another block: a block that
 *  finds its queue empty goes down at once, and only when there is nothing left below is it idle. So the largest blocks come
 *  first, a cell that takes longer than predicted keeps its own ranks alone, and any number of ranks will do.
 *
 *  Queues. Halves of an odd number differ: sizes that are near each other (QUEUE_NEAR) share a queue.
 *
 *  Choice. Small blocks are the efficient ones, large ones the fast ones. Under a time T each cell goes to the queue of least
 *  rank-seconds among those where it takes at most T, times a power of its share of the work, so that small cells are left to
 *  fill gaps with; the schedule is simulated, the longest cells of a queue first, and the best T and power are kept. Then the
 *  cell that ends last is tried in faster queues as long as that helps. Cost: O((cells + ranks) log)
 *  for each of some tens of simulations.
 *
 *  Not collective. Errors: none. Seconds, ranks. */
#pragma once

#include <stdbool.h>

typedef struct Block {
    int first, ranks;
} Block;

/** The blocks that a job may have. */
typedef struct Blocks {
    int ranks;
    int nodes, *node;   /* (nodes + 1) first rank of each node, then the number of ranks; owned */
    int fixed;          /* ranks of every block, none of which splits; 0: nested */
    int sizes, *size;   /* that occur, largest first; owned */
    int queues, *queue; /* queue of each size; owned */
    int *queue_size;    /* (queues + 1) first size of each queue; owned */
} Blocks;

/** Smallest over largest size that share a queue. */
#define QUEUE_NEAR 0.75

/** node: nodes + 1 numbers, copied. fixed: 0, or a divisor of the number of ranks. */
void blocks_init(Blocks *blocks, int nodes, const int *node, int fixed);

/** The same for nodes of node_ranks ranks each, but for the last. */
void blocks_init_even(Blocks *blocks, int ranks, int node_ranks, int fixed);
void blocks_free(Blocks *blocks);

/** The blocks that the job starts with: block i; returns how many. block may be NULL. */
int blocks_start(Block *block, const Blocks *blocks, int i);

/** The two halves of a block; false: it stays whole. */
bool blocks_split(Block half[2], const Blocks *blocks, Block block);

/** Index of a block's size. */
int blocks_size(const Blocks *blocks, Block block);

/** A cell of some kind takes start + steps * step + passes * pass seconds; INFINITY: it cannot run there. */
typedef struct Pace {
    double start, step, pass;
} Pace;

typedef struct Task {
    int kind;
    double steps, passes; /* optimiser steps; samples that are evaluated */
} Task;

typedef struct Work {
    int n;
    const Task *task;
    const Pace *pace; /* (kinds, sizes) on a block of each size */
} Work;

/** On a block of that size. */
double work_seconds(const Work *work, int task, const Blocks *blocks, int size);

typedef struct Slot {
    double start, end;
    Block block; /* no ranks: it runs nowhere */
} Slot;

typedef struct Schedule {
    int *first;      /* (queues + 1) where a queue starts in `order` */
    int *order;      /* tasks that run, by queue, longest first */
    Slot *slot;      /* (tasks) as simulated */
    double makespan; /* s */
    double busy;     /* rank-seconds in cells */
    int critical;    /* the task that ends last; -1: none runs */
} Schedule;

void schedule_make(Schedule *schedule, const Blocks *blocks, const Work *work);
void schedule_free(Schedule *schedule);

/** Part of the rank-seconds of the whole job that are spent in cells. */
double schedule_utilisation(const Schedule *schedule, const Blocks *blocks);
