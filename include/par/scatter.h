/** Rows of one rank, shared out over all. */
#pragma once

#include "par/comm.h"

/** The root's (rank 0) rows of so many bytes in `all`: rank r gets the next rows[r] of them in `mine`; the root keeps its own
 *  where they are. rows (size of comm) is the same on every rank, at most 2^31 - 1 in sum. Collective. */
void scatter_rows(const Comm *comm, void *mine, const void *all, const int64_t *rows, size_t bytes);
