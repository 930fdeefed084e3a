/** Runs what is left of a study: blocks of ranks take cells from one atomic queue until it is empty. */
#pragma once

#include "study/grid.h"

/** Trains every cell that is not finished, those that another process has marked as running too; commits each as it
 *  ends, then gathers. Errors: ranks that do not make whole blocks, results of another study, what the disk says.
 *  Collective on the world. */
Err study_run(Grid *grid, const StudyOptions *options, const TrainData *data);

/** runs/NAME/results.h5 from the finished cells. Of those that differ in nothing but the learning rate, the one with
 *  the lowest validation loss keeps its role and the others get role `lr`. Collective on the world. */
Err study_gather(Grid *grid, const StudyOptions *options);

/** runs/NAME/results.h5. */
void study_results_path(char *path, size_t size, const StudyOptions *options);
