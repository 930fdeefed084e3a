/** Memory that the ranks of a node have in common (MPI-3 shared windows): one of them, the leader, fills it and all
 *  read. A communicator over several nodes has it once on each. */
#pragma once

#include "par/comm.h"

typedef struct Shared Shared;

typedef enum SharedUse { SHARED_DATASET, SHARED_SUMS } SharedUse;

/** NULL where this rank is alone on its node, or where the node's folder of shared memory (/dev/shm) has no room for
 *  it, which is said once on each node: each rank then needs memory of its own. Room is wanted for as much in every group of
 *  ranks of the node, which may all ask at the same time. Memory counts as taken once it has been written to: write to all of it
 *  at once, so that who asks next sees what is left. Collective; an unequal `bytes` is a bug. */
Shared *shared_new(const Comm *comm, int64_t bytes, SharedUse use);
void shared_free(Shared *shared); /* collective on the ranks of the node; NULL does nothing */

/** The memory, 64-byte aligned, and how many ranks have it. Not collective. */
void *shared_at(const Shared *shared);
int shared_ranks(const Shared *shared);

/** The ranks of the node, the leader first. Not collective. */
const Comm *shared_node(const Shared *shared);

/** What the leader has written is there for all. Collective on the ranks of the node. */
void shared_ready(const Shared *shared);
