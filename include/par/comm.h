/** Ranks: communicators, reductions, agreement on errors, and one atomic work queue. MPI is seen here, in
 *  par/comm_mpi.h for the layers that hand communicators to other libraries, and nowhere else.
 *
 *  Every function is collective on its communicator unless it says otherwise. A failing MPI call aborts the job. */
#pragma once

#include "base/err.h"
#include "base/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Comm Comm;

/** Starts MPI and PETSc's options database; comm_stop ends both. Log speaks on rank 0 of the world. PETSc is given none
 *  of the command line: options_load (par/options.h) reads it, after the study file. */
void comm_start(int *argc, char ***argv);
void comm_stop(void);

/** The whole job, and this rank alone. Owned by par. Not collective. */
const Comm *comm_world(void);
const Comm *comm_self(void);

/** How many processes the launcher says that it started; 1 where nothing says so. More than the size of the world: each
 *  process is alone with an MPI that the launcher does not know. Not collective. */
int comm_launched(void);

/** Ranks of the job on this rank's node. Not collective. */
int comm_node_ranks(void);

/** Processors that the ranks of this node may run on, all together. Not collective. */
int comm_node_cores(void);

/** The whole job with the ranks of a node one after the other, and where each node starts: *node receives nodes + 1 ranks of
 *  that order, the last one the size of the job; mem_free it. Returns the communicator, to be freed. Collective on the world.
 *  Cost: a few bytes a rank, once. */
Comm *comm_by_node(int *nodes, int **node);

/** Name and version of the MPI and PETSc libraries, one line. Not collective. */
void comm_library(char *text, size_t size);

/** The ranks that pass the same color, ordered by rank; NULL where color < 0. Free with comm_free. */
Comm *comm_split(const Comm *comm, int color);
Comm *comm_split_node(const Comm *comm); /* those on the same node */
void comm_free(Comm *comm);

/** From here on real numbers are summed and gathered through memory that the ranks share, where these are few and all on one
 *  node, and otherwise by messages as before. docs/performance.md has what it gains. */
void comm_near(Comm *comm);

/** This rank, from 0, and the number of ranks. Not collective. */
int comm_rank(const Comm *comm);
int comm_size(const Comm *comm);

/** Waits for all; copies `bytes` of root's buf to all. */
void comm_barrier(const Comm *comm);
void comm_bcast(const Comm *comm, void *buf, size_t bytes, int root);

/** Element-wise, in place, the result on every rank; comm_all: whether all say yes. On one rank they return at once. */
void comm_sum_real(const Comm *comm, real *x, int64_t n);
void comm_sum_f64(const Comm *comm, double *x, int64_t n);
void comm_sum_i64(const Comm *comm, int64_t *x, int64_t n);
void comm_max_f64(const Comm *comm, double *x, int64_t n);
void comm_max_i64(const Comm *comm, int64_t *x, int64_t n);
bool comm_all(const Comm *comm, bool yes);

/** Whether all ranks hold the same `bytes` at buf, bit for bit. Cost: one bcast of them in pieces. */
bool comm_same(const Comm *comm, const void *buf, size_t bytes);

/** Each rank ends with its own part of the sum: part r of `x` is counts[r] elements long, parts follow in rank order;
 *  `out` receives this rank's part. */
void comm_reduce_scatter_real(const Comm *comm, real *out, const real *x, const int64_t *counts);

/** n elements of every rank, one after the other in `all`, on every rank. */
void comm_gather_real(const Comm *comm, real *all, const real *mine, int64_t n);

/** Each rank has elements first[r] .. first[r+1]-1 of x; afterwards every rank has all of them. first: size of comm + 1. */
void comm_join_real(const Comm *comm, real *x, const int64_t *first);

/** Every rank's `bytes` (any number each) one after the other in `all`, on every rank. counts (size of comm, may be
 *  NULL) receives the lengths. Returns the total; with all == NULL only that. */
size_t comm_allgather(const Comm *comm, void *all, size_t *counts, const void *mine, size_t bytes);

/** A sum in flight: start, compute, wait. `x` must not be touched in between. Collective, starts and waits in the same order on
 *  all. Through shared memory it is made in the wait: nobody else would move the numbers meanwhile. */
typedef struct CommRequest {
    void *handle; /* of MPI's; NULL: none */
    const Comm *comm;
    real *x;
    int64_t n;
} CommRequest;
CommRequest comm_sum_real_start(const Comm *comm, real *x, int64_t n);
void comm_wait(CommRequest *request);

/** What the user did wrong is known to one rank or to all: afterwards every rank holds the Err of the lowest rank that
 *  has one, or ERR_NONE. Use it before any return between collectives. */
Err comm_agree(const Comm *comm, Err err);

/** A process grid: the ranks of `cell` as dp x tp, tensor-parallel neighbours adjacent. */
typedef struct ProcGrid {
    const Comm *cell; /* all ranks of the cell; not owned */
    Comm *dp;         /* ranks with the same tensor-parallel index; size dp */
    Comm *tp;         /* ranks with the same data-parallel index; size tp */
} ProcGrid;
ProcGrid procgrid_new(const Comm *cell, int dp, int tp); /* dp * tp == size of cell */
void procgrid_free(ProcGrid *grid);

/** Counters shared by all ranks of a communicator, updated atomically and without the help of any other rank: a work
 *  queue is a counter of which everybody takes the next value. Making and freeing are collective, counter_add is
 *  not. */
typedef struct Counters Counters;
Counters *counters_new(const Comm *comm, int n);                /* n counters, all 0 */
int64_t counter_add(Counters *counters, int i, int64_t amount); /* returns the value before */
void counters_free(Counters *counters);

/** Answers what other ranks have asked of this one, such as a counter on rank 0 over a network that cannot do it by itself: to be
 *  called now and then by a rank that computes. Cost: about a microsecond. Not collective. */
void comm_answer(void);
