#include "fit_study.h"

#include "base/arena.h"
#include "base/log.h"
#include "io/results.h"
#include "par/comm.h"
#include "study/open.h"

#include <stdio.h>
#include <string.h>

/* Words `-key=value`, a blank before each. No value of a key that a results file may have holds one. */
enum { ASKED = 1 << 14 };

/* Those that say how a table becomes rows have no effect on a results file, and a table beside it is no part of the study. */
static bool of_tables(const char *key) {
    return !strncmp(key, "fit.columns.", 12) || !strcmp(key, "fit.cost");
}

/* What the study of a results file asks for, of keys that the command line leaves alone, where it is not the default. A file that
 * cannot be read says so where its rows are read. */
static void asked_by(char asked[ASKED], const char *path, const FitOptions *options) {
    Results results = {0};
    size_t used = 0;
    asked[0] = 0;
    if (results_read(&results, path).code) return;
    for (int k = 0; k < study_fit_keys() && results.provenance; k++) {
        KeyDifference differs;
        const KeySpec *spec = &fit_keys[k];
        if (of_tables(spec->key) || options_given(spec->key)) continue;
        if (!options_differ(&differs, results.provenance, options, spec, 1)) continue;
        char *value = record_value(results.provenance, spec->key);
        used += (size_t)snprintf(asked + used, ASKED - used, " -%s=%s", spec->key, value);
        mem_free(value);
        CHECK(used < ASKED, "%s: %zu bytes of options", path, used);
    }
    results_free(&results);
}

/* What all results files ask for; empty where they differ. On the root. */
static void asked_by_all(char asked[ASKED], int files, const char *const *file, const FitOptions *options) {
    const char *first = NULL;
    char other[ASKED] = "";
    asked[0] = 0;
    for (int i = 0; i < files; i++) {
        if (!table_is_results(file[i])) continue;
        asked_by(first ? other : asked, file[i], options);
        if (first && strcmp(asked, other)) {
            log_text("%s and %s: their studies are fitted in different ways; here by the defaults and what is given",
                     first, file[i]);
            asked[0] = 0;
            return;
        }
        first = file[i];
    }
}

/* One word of what is asked for. */
static Err take(FitOptions *options, char *word) {
    char *value = strchr(word, '=');
    *value++ = 0;
    for (int k = 0; k < study_fit_keys(); k++)
        if (!strcmp(fit_keys[k].key, word + 1))
            return options_put(options, &fit_keys[k], value, "options of the study");
    return ERR_NONE;
}

Err fit_take_study(FitOptions *options, int files, const char *const *file) {
    char asked[ASKED], *rest;
    if (comm_rank(comm_world()) == 0) asked_by_all(asked, files, file, options);
    comm_bcast(comm_world(), asked, sizeof asked, 0);
    if (!asked[0]) return ERR_NONE;
    log_text("options of the study:%s", asked);
    for (char *word = strtok_r(asked, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) TRY(take(options, word));
    return ERR_NONE;
}
