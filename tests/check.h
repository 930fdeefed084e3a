/** What every test program uses: EXPECT counts failures, test_end reports them and gives the exit code.
 *  Tests run under MPI; comm_start comes first, return test_end() last. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "par/comm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_failures;

#define EXPECT(cond, ...)                                                                                              \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            test_failures++;                                                                                           \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);                                                 \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
        }                                                                                                              \
    } while (0)

/** The exit code for main: failures anywhere, or memory still held, fail the test on every rank. Stops MPI. */
static inline int test_end(void) {
    EXPECT(mem_live() == 0, "%zu bytes not given back", mem_live());
    bool fine = comm_all(comm_world(), test_failures == 0);
    comm_stop();
    return fine ? 0 : 1;
}

/** Largest |a - b| over the largest |b|. */
static inline double test_error(const double *a, const double *b, int64_t n) {
    double worst = 0, scale = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs(a[i] - b[i]));
        scale = fmax(scale, fabs(b[i]));
    }
    return scale > 0 ? worst / scale : worst;
}
