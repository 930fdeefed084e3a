/** The `data` section of a study file: which trajectories, and in which file. Not collective. */
#pragma once

#include "par/options.h"

#include <stdint.h>

typedef struct DataOptions {
    char path[OPTION_TEXT];
    int64_t trajectories, frames, frame_rate, bodies_min, bodies_max, vertices, seed;
    double radius_min, radius_max, spread, speed;
    char frame[OPTION_TEXT];
} DataOptions;

extern const KeySpec data_keys[];
extern const int n_data_keys;
enum { DATA_PLACE = 2 }; /* so many of them, the first, do not decide the numbers in the file: path, trajectories */

/** What the keys' ranges cannot say: how values go together. Call after options_read. */
Err data_check(const DataOptions *options);
