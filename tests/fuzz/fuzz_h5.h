/** What the fuzz targets of HDF5 files share: one child reads input after input (reader.h), and hands back the counters of what
 *  the parser covered, which libFuzzer goes by. A report of a sanitizer or values that do not fit together end the target.
 *
 *  Mutations: as libFuzzer has them, which checksums catch, and now and then a byte of an object header under a checksum
 *  made right again, which they do not: it ends HDF5 often, and a new child takes as long as twenty inputs. */
#pragma once

#include "../damage.h"
#include "../reader.h"
#include "fuzz.h"

/** What a target does with an input: reads the file and compares what it got; reader_want for what must hold. */
Err fuzz_read(const char *path);

/** Counters of covered code, which clang's -fsanitize=fuzzer-no-link puts into one section, and more of them (counters.c). */
uint8_t *fuzz_counters(size_t *bytes);
void fuzz_counters_add(const uint8_t *more);

/* In the child: with the counters of this input alone. */
static Err read_counted(const char *path) {
    size_t n;
    uint8_t *counter = fuzz_counters(&n);
    memset(counter, 0, n);
    Err err = fuzz_read(path);
    memcpy(reader_shared->more, counter, n);
    return err;
}

/* The answer of the program to an input. */
static Err fuzz_child(const char *path) {
    static Reader reader = {.read = read_counted};
    fuzz_counters(&reader.more);
    Err err = reader_ask(&reader, path);
    if (reader.child) fuzz_counters_add(reader_shared->more);
    return err;
}

/* ---- Mutations. ---- */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed) {
    enum { REPAIRED_OF = 16 };
    if (seed % REPAIRED_OF == 0 && damage_repaired(data, bytes, seed)) return bytes;
    return LLVMFuzzerMutate(data, bytes, most);
}
