/** From a study file to everything a subcommand needs. */
#pragma once

#include "study/grid.h"

typedef struct Study {
    StudyOptions options;
    Dataset *dataset;
    TrainData data;
    Grid grid;
    bool sampled; /* the dataset does not exist yet: a few trajectories made for it give the lengths of sequences */
} Study;

/** The options of a subcommand: argv[1] is the study file, the rest -key value pairs. The file may hold fit.* and
 *  design.* keys too. A subcommand that uses those, or has keys of its own, reads them between study_load and
 *  study_options_read, which refuses keys that nobody has read. Collective on the world. */
Err study_load(int argc, char **argv);

/** All of a study whose options have been read. With make_data an absent dataset is generated; without, a few trajectories
 *  stand in for it. Errors leave nothing to free. Collective on the world. */
Err study_open(Study *study, bool make_data);
void study_close(Study *study);
