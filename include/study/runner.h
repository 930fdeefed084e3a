/** Runs what is left of a study: blocks of ranks take cells from one atomic queue until it is empty. */
#pragma once

#include "study/grid.h"

/** Trains every planned cell, commits each as it ends, then gathers. Collective on the world. */
Err study_run(Grid *grid, const StudyOptions *options, const TrainData *data);

/** runs/NAME/results.h5 from the finished cells. Where learning rates were swept, the cell with the lowest validation
 *  loss keeps its role and the others get role `lr`. Collective on the world. */
Err study_gather(Grid *grid, const StudyOptions *options);

/** runs/NAME/results.h5. */
void study_results_path(char *path, size_t size, const StudyOptions *options);
