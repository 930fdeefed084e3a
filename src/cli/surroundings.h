/** What whoever starts the program leaves to it: standard files, a stack, a folder for temporary files. Not collective. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/** Standard input, output and error that are closed get a place of their own: the next file that is opened would take
 *  it, and lines meant for them would go into that file. What stands there cannot be written, so that lost output is
 *  told of as ever. */
void surroundings_fill(void);

/** Raises soft limits that are too low: of the stack; of open files, where MPI is to be started (mpi). Errors: their hard limits; no
 *  folder for MPI; too little memory where data are to be written or cells trained (writes). */
Err surroundings_check(bool mpi, bool writes);
