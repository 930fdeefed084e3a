/** The `data` section of a study file: which trajectories, and in which file. `generate` and a study's `run` use it. */
#pragma once

#include "par/comm.h"
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

/** What the keys' ranges cannot say: how values go together. Call after options_read. */
Err data_check(const DataOptions *options);

/** Makes the file at data.path; one that exists is an error. Collective. */
Err data_generate(const DataOptions *options, const Comm *comm);

/** Makes the file where there is none. One that is there must hold enough trajectories and, unless someone else wrote
 *  it, come from the same options. Collective. */
Err data_make(const DataOptions *options, const Comm *comm);
