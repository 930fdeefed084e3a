#include "fit_study.h"

#include "base/arena.h"
#include "base/log.h"
#include "io/results.h"
#include "par/comm.h"
#include "study/open.h"

#include <stdio.h>
#include <string.h>

/* What is said of them: words ` -key=value`. */
enum { SAID = 1 << 14 };

/* What the study of a results file asks for. */
typedef struct Asked {
    FitOptions options;
    char said[SAID]; /* of what is not the default */
} Asked;

/* Those that say how a table becomes rows have no effect on a results file, and a table beside it is no part of the study. */
static bool of_tables(const char *key) {
    return !strncmp(key, "fit.columns.", 12) || !strcmp(key, "fit.cost");
}

static Err take(Asked *asked, const KeySpec *spec, const char *record, const char *path) {
    size_t used = strlen(asked->said);
    char *value = record_value(record, spec->key);
    int more = snprintf(asked->said + used, SAID - used, " -%s=%s", spec->key, value);
    CHECK(used + (size_t)more < SAID, "%s: %zu bytes of options", path, used);
    Err err = options_put(&asked->options, spec, value, path);
    mem_free(value);
    return err;
}

/* Of keys that the command line leaves alone. A file that cannot be read says so where its rows are read. */
static Err asked_by(Asked *asked, const char *path, const FitOptions *options) {
    Results results = {0};
    Err err = ERR_NONE;
    asked->options = *options;
    asked->said[0] = 0;
    if (results_read(&results, path).code) return ERR_NONE;
    for (int k = 0; k < study_fit_keys() && results.provenance && !err.code; k++) {
        KeyDifference differs;
        const KeySpec *spec = &fit_keys[k];
        if (of_tables(spec->key) || options_given(spec->key)) continue;
        if (options_differ(&differs, results.provenance, options, spec, 1))
            err = take(asked, spec, results.provenance, path);
    }
    results_free(&results);
    return err;
}

/* What all results files ask for; nothing where they differ. On the root. */
static Err asked_by_all(FitOptions *options, int files, const char *const *file) {
    Asked *first = MEM_NEW(Asked, 2), *other = first + 1;
    const char *path = NULL;
    bool alike = true;
    Err err = ERR_NONE;
    for (int i = 0; i < files && alike && !err.code; i++) {
        if (!table_is_results(file[i])) continue;
        err = asked_by(path ? other : first, file[i], options);
        alike = !path || !strcmp(first->said, other->said);
        if (!alike)
            log_text("%s and %s: their studies are fitted in different ways; here by the defaults and what is given",
                     path, file[i]);
        if (!path) path = file[i];
    }
    if (path && alike && !err.code) {
        *options = first->options;
        if (first->said[0]) log_text("options of the study:%s", first->said);
    }
    mem_free(first);
    return err;
}

Err fit_take_study(FitOptions *options, int files, const char *const *file) {
    const Comm *world = comm_world();
    Err err = comm_rank(world) == 0 ? asked_by_all(options, files, file) : ERR_NONE;
    comm_bcast(world, options, sizeof *options, 0);
    return comm_agree(world, err);
}
