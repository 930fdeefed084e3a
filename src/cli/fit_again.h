/** `fit -again fit.json`: the files and options of an earlier fit, taken from what it wrote. Not collective: every rank reads the
 *  file. */
#pragma once

#include "io/json.h"

typedef struct Again {
    Json *json; /* owns what file and argument point into */
    int files;
    const char **file; /* (files) owned */
    int arguments;
    char **argument; /* (arguments) -key value pairs; owned */
} Again;

/** Refused: what is no fit, lacks its inputs or options, or whose files have other content by now. What other versions or numbers
 *  of ranks may change is told. */
Err again_read(Again *again, const char *path);
void again_free(Again *again);
