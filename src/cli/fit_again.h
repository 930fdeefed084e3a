/** `fit -again fit.json`: the files and options of an earlier fit, taken from what it wrote. Not collective: every rank reads the
 *  file. */
#pragma once

#include "infer/fit_options.h"
#include "io/json.h"

typedef struct Again {
    Json *json;       /* owns what file points into */
    const char *path; /* of it; the caller's */
    int files;
    const char **file; /* (files) owned */
} Again;

/** Refused: what is no fit, lacks its inputs or options, or whose files have other content by now. What other versions or numbers
 *  of ranks may change is told. */
Err again_read(Again *again, const char *path);
/** Options that the command line leaves alone become those of the earlier fit. Not collective. */
Err again_options(FitOptions *options, const Again *again);
void again_free(Again *again);
