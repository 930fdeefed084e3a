/* The record of a cell, and results.h5, which has the same format. */
#include "fuzz_h5.h"

#include "io/results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    Results results;
    Err err = results_read(&results, fuzz_file(data, bytes));
    fuzz_answer(err);
    if (err.code) return 0;
    for (int64_t i = 0; i < results.cells; i++)
        CHECK(memchr(results.cell[i].id, 0, RESULTS_ID), "the name of cell %lld has no end", (long long)i);
    for (int64_t i = 0; i < results.points; i++)
        CHECK(results.curve[i].cell >= 0 && results.curve[i].cell < results.cells, "a point of cell %lld",
              (long long)results.curve[i].cell);
    results_free(&results);
    return 0;
}
