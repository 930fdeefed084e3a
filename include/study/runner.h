/** Runs what is left of a study: blocks of ranks take cells from one atomic queue until it is empty. */
#pragma once

#include "study/grid.h"

/** Trains every cell that is not finished, those that another process has marked as running too, and commits each as it
 *  ends. Errors: ranks that do not make whole blocks, results of another study, what the disk says. Collective on the
 *  world. */
Err study_run(Grid *grid, const StudyOptions *options, const TrainData *data);
