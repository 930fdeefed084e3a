/** What every test program uses: EXPECT counts failures, test_end reports them and gives the exit code; test_file names
 *  files in a folder that is gone afterwards. Tests run under MPI; comm_start comes first, return test_end() last. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/rng.h"
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

static char test_folder[64]; /* empty until test_folder_new */

/** How many of something to try: what the program was called with, or a number that takes no time. */
static inline int test_trials(int argc, char **argv, int otherwise) {
    return argc > 1 ? atoi(argv[1]) : otherwise;
}

/** A new folder, the same on every rank. Collective on the world. */
static inline void test_folder_new(void) {
    strcpy(test_folder, "/tmp/equiscale-test.XXXXXX");
    if (comm_rank(comm_world()) == 0) EXPECT(mkdtemp(test_folder), "%s", test_folder);
    comm_bcast(comm_world(), test_folder, sizeof test_folder, 0);
}

/** The path of a file in it; good for the next three calls too. */
static inline const char *test_file(const char *name) {
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", test_folder, name);
    return path[next];
}

/** A whole file, mem_free it; NULL and 0 bytes where there is none. */
static inline char *test_read(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    *bytes = 0;
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    char *data = MEM_NEW(char, size + 1);
    rewind(f);
    *bytes = fread(data, 1, size, f);
    fclose(f);
    return data;
}

static inline void test_write(const char *path, const char *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    EXPECT(f && fwrite(data, 1, bytes, f) == bytes, "%s", path);
    if (f) fclose(f);
}

/** The exit code for main: failures anywhere, or memory still held, fail the test on every rank. Stops MPI. */
static inline int test_end(void) {
    comm_barrier(comm_world());
    if (*test_folder && comm_rank(comm_world()) == 0) {
        char command[128];
        snprintf(command, sizeof command, "rm -r %s", test_folder);
        EXPECT(system(command) == 0, "%s", command);
    }
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
static inline double test_error_real(const real *a, const real *b, int64_t n) {
    double worst = 0, scale = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        scale = fmax(scale, fabs((double)b[i]));
    }
    return scale > 0 ? worst / scale : worst;
}

/** n standard normal numbers; mem_free them. */
static inline real *test_normal(int64_t n, uint64_t stream) {
    real *x = MEM_NEW(real, n);
    for (int64_t i = 0; i < n; i++) x[i] = (real)rng_normal(2, stream, (uint64_t)i);
    return x;
}
