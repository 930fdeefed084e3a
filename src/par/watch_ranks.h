/** Between par/comm and par/watch. Private to par. */
#pragma once

#include <mpi.h>
#include <stdbool.h>

/** Starts the thread; `node`: the ranks of this node. Collective on it. */
void watch_start(MPI_Comm node);

/** Ends it: no rank is missed from here on. Collective on the same. */
void watch_free(void);

/** Whether this is the first rank of the node that asks about this matter, one of 0 .. 31. Not collective. */
bool watch_first(int matter);
