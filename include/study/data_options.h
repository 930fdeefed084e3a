/** The `data` section of a study file: which trajectories, and in which file. Not collective. */
#pragma once

#include "par/options.h"

#include <stdint.h>

/** What velocities models see: those of the moment, or displacements since the frame before. */
typedef enum DataVelocity { DATA_INSTANT, DATA_FRAMES } DataVelocity;
/** What models are told of the world: all, only where the floor is and where gravity points, or all but one, or nothing. */
typedef enum DataInputs { DATA_FULL, DATA_GEOMETRY, DATA_NO_GRAVITY, DATA_NO_FLOOR, DATA_NONE } DataInputs;
/** What positions count from: the mean vertex of each scene, or the origin of the dataset's frame. */
typedef enum DataOrigin { DATA_MEAN, DATA_FRAME } DataOrigin;

/** What to do where the file is absent. */
typedef enum DataGenerate { DATA_AUTO, DATA_NEVER } DataGenerate;

typedef struct DataOptions {
    char path[OPTION_TEXT];
    int64_t trajectories, frames, frame_rate, bodies_min, bodies_max, vertices, seed;
    double radius_min, radius_max, spread, speed;
    char frame[OPTION_TEXT];
    DataVelocity velocity;
    DataInputs inputs;
    int generate; /* DataGenerate */
    DataOrigin origin;
} DataOptions;

extern const KeySpec data_keys[];
extern const int n_data_keys;
/** The first DATA_PLACE of them do not decide the numbers in the file: where it is, how much of it, and, the last DATA_SEEN of
 *  these, what models see of it. */
enum { DATA_SEEN = 3, DATA_PLACE = 6 };

/** What the keys' ranges cannot say: how values go together. Call after options_read. */
Err data_check(const DataOptions *options);
