/** What the fuzz targets share. libFuzzer calls LLVMFuzzerTestOneInput with one mutated text after the other; each target
 *  hands it to a parser as a file in memory, as the program would. A crash, a hang, a report of a sanitizer or an answer that
 *  is not one plain line ends it, and the input is kept. */
#pragma once

#include "base/err.h"
#include "par/comm.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t most); /* libFuzzer's own */

/* By a signal, so that libFuzzer keeps the input. */
static void fuzz_abort(int code) {
    (void)code;
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    comm_start(argc, argv);
    err_on_abort(fuzz_abort, 0);
    return 0;
}

/* A file in TMPDIR that holds just these bytes, until the next call. (HDF5 wants the name of a file, so memfd_create will not
 * do.) */
static inline const char *fuzz_file(const uint8_t *data, size_t bytes) {
    static int fd = -1;
    static char path[1024];
    const char *folder = getenv("TMPDIR");
    if (fd < 0) {
        snprintf(path, sizeof path, "%s/fuzz.XXXXXX", folder ? folder : "/tmp");
        fd = mkstemp(path);
    }
    CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, bytes, 0) == (ssize_t)bytes, "no file %s", path);
    return path;
}

/* An answer is done, or one line for whoever handed over the file. */
static inline void fuzz_answer(Err err) {
    if (!err.code) return;
    CHECK(err.code == EXIT_USER, "exit code %d: %s", err.code, err.text);
    CHECK(err.text[0], "an error without a word");
    for (const char *c = err.text; *c; c++) CHECK((unsigned char)*c >= ' ', "not a line: %s", err.text);
}
