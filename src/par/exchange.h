/* Sums between a few ranks of one node through memory that they share: each writes its numbers where the others read them,
 * piece by piece, through its cache or past it, whichever takes less time there.
 *
 * A rank has two places for pieces and takes them in turn. It writes piece i + 2 once it has read piece i + 1 of all others,
 * who wrote that after they had read its piece i: so the number of pieces written is all that there is to wait for. Sums are
 * in the order of the ranks, the same bits on all.
 *
 * Collective on the communicator. A rank that waits lets MPI go on with what else is in flight. */
#pragma once

#include "par/comm.h"

typedef struct Exchange Exchange;

/* NULL where there is one rank, too many, several nodes, or no room in shared memory, which is said. */
Exchange *exchange_new(const Comm *comm);
void exchange_free(Exchange *exchange);

/* As comm_sum_real, comm_reduce_scatter_real and comm_gather_real. */
void exchange_sum(Exchange *exchange, real *x, int64_t n);
void exchange_reduce_scatter(Exchange *exchange, real *out, const real *x, const int64_t *counts);
void exchange_gather(Exchange *exchange, real *all, const real *mine, int64_t n);
