#include "par/scatter.h"

#include "base/arena.h"
#include "par/comm_mpi.h"

#include <limits.h>

void scatter_rows(const Comm *comm, void *mine, const void *all, const int64_t *rows, size_t bytes) {
    int *n = MEM_NEW(int, comm_size(comm)), *at = MEM_NEW(int, comm_size(comm)), rank = comm_rank(comm);
    int64_t total = 0;
    for (int r = 0; r < comm_size(comm); r++) {
        n[r] = (int)rows[r];
        at[r] = (int)total;
        total += rows[r];
        CHECK(rows[r] >= 0 && total <= INT_MAX, "%lld rows", (long long)total);
    }
    MPI_Datatype row;
    MPI_CALL(MPI_Type_contiguous((int)bytes, MPI_BYTE, &row));
    MPI_CALL(MPI_Type_commit(&row));
    MPI_CALL(MPI_Scatterv(all, n, at, row, rank == 0 ? MPI_IN_PLACE : mine, n[rank], row, 0, comm_mpi(comm)));
    MPI_CALL(MPI_Type_free(&row));
    mem_free(n);
    mem_free(at);
}
