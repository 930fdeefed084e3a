/** The MPI handle of a Comm, for layers that pass it to HDF5, PETSc or BLACS. The only header that shows mpi.h. */
#pragma once

#include "par/comm.h"

#include <mpi.h>

MPI_Comm comm_mpi(const Comm *comm);

/** A library call that must succeed. */
#define MPI_CALL(call)                                                                                                 \
    do {                                                                                                               \
        int mpi_rc_ = (call);                                                                                          \
        if (mpi_rc_ != MPI_SUCCESS) comm_mpi_fail(__FILE__, __LINE__, __func__, #call, mpi_rc_);                       \
    } while (0)
_Noreturn void comm_mpi_fail(const char *file, int line, const char *func, const char *call, int rc);
