/** What the fuzz targets of HDF5 files share.
 *
 *  HDF5 crashes on some files, so the program reads each in a child process first (io/h5.h). A child for every input would
 *  cost more than all the rest: here one child reads input after input, in the state of such a rehearsal, and is made anew
 *  when HDF5 has ended it by a signal that the program answers with one line. It hands back the answer and the counters of
 *  what the parser covered, which libFuzzer goes by. A report of a sanitizer or values that do not fit together end the
 *  target.
 *
 *  Mutations: as libFuzzer has them, which checksums catch, and now and then a byte of an object header under a checksum
 *  made right again, which they do not: it ends HDF5 often, and a new child takes as long as twenty inputs. */
#pragma once

#include "../../src/io/h5_rehearse.c"
#include "../damage.h"
#include "fuzz.h"

#include <hdf5.h>
#include <stdarg.h>
#include <sys/socket.h>

/** What a target does with an input: reads the file and compares what it got; fuzz_want for what must hold. */
Err fuzz_read(const char *path);

/** Counters of covered code, which clang's -fsanitize=fuzzer-no-link puts into one section (counters.c). */
uint8_t *fuzz_counters(size_t *bytes);

/* In memory that parent and child see. */
typedef struct Shared {
    char noted[COMMIT_PATH]; /* the file that was opened last */
    Err err;
    char complaint[512]; /* what did not hold; empty: nothing */
    uint8_t counters[];
} Shared;
static Shared *shared;

static inline void fuzz_want(bool holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void fuzz_want(bool holds, const char *fmt, ...) {
    va_list ap;
    if (holds) return;
    va_start(ap, fmt);
    vsnprintf(shared->complaint, sizeof shared->complaint, fmt, ap);
    va_end(ap);
}

/* ---- The child. ---- */

/* A child that has read so many inputs is made anew: HDF5 keeps some memory of each that it refuses. */
enum { CHILD_INPUTS = 2000 };
static pid_t child;
static int line = -1, inputs; /* to the child; that it has had */

/* Reads what the parent puts into the file each time it says so. HDF5 keeps the half megabyte that each open file takes: to
 * give it back and ask for it again takes longer than to read an input. */
static Err read_inputs(void *context) {
    H5set_free_list_limits(-1, -1, -1, -1, -1, -1);
    const char *path = context;
    char word;
    size_t n;
    uint8_t *counter = fuzz_counters(&n);
    while (read(line, &word, 1) == 1) {
        memset(counter, 0, n);
        shared->err = fuzz_read(path);
        memcpy(shared->counters, counter, n);
        if (write(line, &word, 1) != 1) break;
    }
    return ERR_NONE;
}

static void start_child(const char *path) {
    int ends[2];
    size_t n;
    fuzz_counters(&n);
    size_t bytes = sizeof *shared + n;
    if (!shared) shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* What every child needs is made ready once. Small files are read at once, or without end. */
    CHECK(H5open() >= 0, "no HDF5");
    rehearsal_seconds = 1;
    CHECK(shared != MAP_FAILED && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "no line to a child");
    memset(shared, 0, bytes);
    child = fork();
    CHECK(child >= 0, "no child process");
    line = ends[child == 0];
    close(ends[child != 0]);
    if (child == 0) in_child(read_inputs, (void *)path, shared->noted);
    inputs = 0;
}

/* It ends when nobody speaks to it any more. */
static void retire_child(void) {
    close(line);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    child = 0;
}

/* What the end of the child says of the input. */
static Err end_child(void) {
    int status;
    close(line);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    child = 0;
    CHECK(!WIFEXITED(status), "exit code %d of a child: a report of a sanitizer", WEXITSTATUS(status));
    return ending(status, shared->noted);
}

/* The answer of the program to an input. */
static Err fuzz_child(const char *path) {
    char word = 0;
    size_t n;
    uint8_t *counter = fuzz_counters(&n);
    if (child && inputs++ == CHILD_INPUTS) retire_child();
    if (!child) start_child(path);
    CHECK(write(line, &word, 1) == 1, "no child");
    ssize_t got;
    do got = read(line, &word, 1);
    while (got < 0 && errno == EINTR); /* libFuzzer's clock */
    if (got != 1) return end_child();
    for (size_t i = 0; i < n; i++) counter[i] |= shared->counters[i];
    CHECK(!shared->complaint[0], "%s", shared->complaint);
    return shared->err;
}

/* ---- Mutations. ---- */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed) {
    enum { REPAIRED_OF = 16 };
    if (seed % REPAIRED_OF == 0 && damage_repaired(data, bytes, seed)) return bytes;
    return LLVMFuzzerMutate(data, bytes, most);
}
