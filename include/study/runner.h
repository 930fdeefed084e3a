/** Runs what is left of a study as it is planned: blocks of ranks take cells from the queue of their size, then split
 *  (study/schedule.h). Each queue is an atomic counter. */
#pragma once

#include "study/plan.h"

/** Trains every cell that is not finished, those that another process has marked as running too, and commits each as it
 *  ends. The plan is of this grid and this job. Errors: results of another study, what the disk says. Collective on the
 *  world. */
Err study_run(Grid *grid, const StudyOptions *options, const TrainData *data, const StudyPlan *plan);
