/** Room on the disk for what a run will write: found before anything is trained. */
#pragma once

#include "study/plan.h"

/** Bytes that the cells which are left will take in the folder of the study, a little more than they do: a record each, final
 *  weights where they are kept, the checkpoints of all blocks at once (two of each cell and one that is being written), and
 *  results.h5 and fit.json of all cells, which are written beside those that are there. The plan is of this grid. Not
 *  collective. */
int64_t space_needed(const Grid *grid, const StudyOptions *options, const StudyPlan *plan);

/** Whether the file system of runs/NAME has that much left for this user. Errors: as commit_room. Collective on the world. */
Err space_check(const Grid *grid, const StudyOptions *options, const StudyPlan *plan);
