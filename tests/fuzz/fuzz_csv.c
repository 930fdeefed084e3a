/* A table of a fit: comma and quotes by libcsv, then columns, numbers and units by ours. */
#include "fuzz.h"

#include "fit/table.h"
#include "io/csv.h"

#include <stdbool.h>

/* All rows, once from the start and once more: as many, or the same error. */
static void read_rows(const char *path) {
    Csv csv;
    int64_t rows[2] = {0};
    Err err = csv_open(&csv, path), end[2] = {0};
    fuzz_answer(err);
    for (int pass = 0; pass < 2 && !err.code; pass++) {
        bool more = true;
        while (more && !end[pass].code) {
            end[pass] = csv_next(&csv, &more);
            size_t letters = 0;
            for (int i = 0; i < csv.columns && more && !end[pass].code; i++) letters += strlen(csv.field[i]);
            CHECK(letters <= csv.bytes, "more letters than the file has");
            rows[pass] += more;
        }
        fuzz_answer(end[pass]);
        csv_rewind(&csv);
    }
    CHECK(rows[0] == rows[1] && end[0].code == end[1].code, "another reading, other rows");
    csv_close(&csv);
}

/* By its first bytes: results, which fuzz_results.c hands over. */
static bool is_hdf5(const uint8_t *data, size_t bytes) {
    static const char signature[] = "\211HDF\r\n\032\n";
    return bytes >= strlen(signature) && !memcmp(data, signature, strlen(signature));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (is_hdf5(data, bytes)) return 0;
    const char *path = fuzz_file(data, bytes);
    read_rows(path);
    Table table = table_new();
    TableOptions options = {.columns = {.n = "", .d = "", .loss = "", .seed = "", .arm = "", .c = {""}}};
    Err err = table_add_files(&table, 1, &path, &options, comm_world());
    fuzz_answer(err);
    for (int64_t i = 0; i < table.n && !err.code; i++)
        CHECK(table.at[i].loss > 0 && table.at[i].arm >= 0 && table.at[i].arm < table.arms, "row %lld", (long long)i);
    table_free(&table);
    return 0;
}
