/* The record of a cell, and results.h5, which has the same format. */
#include "fuzz_h5.h"

#include "io/results.h"

Err fuzz_read(const char *path) {
    Results results;
    TRY(results_read(&results, path));
    for (int64_t i = 0; i < results.cells; i++)
        reader_want(memchr(results.cell[i].id, 0, RESULTS_ID), "the name of cell %lld has no end", (long long)i);
    for (int64_t i = 0; i < results.points; i++)
        reader_want(results.curve[i].cell >= 0 && results.curve[i].cell < results.cells, "a point of cell %lld",
                    (long long)results.curve[i].cell);
    results_free(&results);
    return ERR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    fuzz_answer(fuzz_child(fuzz_file(data, bytes)));
    return 0;
}
