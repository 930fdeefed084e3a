/** Fits tables with published answers and prints published against obtained, PASSED or FAILED, as HPL does. The tables
 *  are not part of the project; a file is known by its content, whatever its name: columns, number of
 *  rows and a digest of their fields. Sources of the published numbers, and where tolerances come from: docs/fitting.md. */
#pragma once

#include "base/err.h"
#include "par/comm.h"

typedef struct Verify {
    int passed, failed;
    const char *by; /* whose numbers the next lines hold */
} Verify;

/** Errors: a file that is none of the tables, or one of them with other rows. Collective. */
Err verify_file(Verify *verify, const char *path, const Comm *comm);

/** Laws made up here, for machines that have none of the tables. Collective. */
void verify_synthetic(Verify *verify, const Comm *comm);
