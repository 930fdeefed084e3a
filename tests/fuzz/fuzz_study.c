/* A study file: libyaml takes it apart, keys and values are ours. The source is taken in whole, since what was given stays for
 * good in a program that reads one study. */
#include "../../src/par/options.c"
#include "fuzz.h"
#include "study/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static StudyOptions options;
    n_entries = n_asked = 0;
    pooled = 0;
    Err err = options_load(fuzz_file(data, bytes), 0, NULL);
    if (!err.code) err = study_options_read(&options);
    fuzz_answer(err);
    if (err.code) return 0;
    /* What is taken can be written, and is then taken again as the same. */
    KeyTable tables[STUDY_TABLES];
    char *first = study_options_text(&options), *yaml = options_yaml(tables, study_key_tables(tables, &options));
    n_entries = n_asked = 0;
    pooled = 0;
    err = options_load(fuzz_file((const uint8_t *)yaml, strlen(yaml)), 0, NULL);
    if (!err.code) err = study_options_read(&options);
    CHECK(!err.code, "what was written is not taken: %s\n%s", err.text, yaml);
    char *second = study_options_text(&options);
    CHECK(!strcmp(first, second), "not the same when written and read:\n%s\n%s", first, second);
    mem_free(first);
    mem_free(yaml);
    mem_free(second);
    return 0;
}
