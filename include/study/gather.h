/** From the records of finished cells to runs/NAME/results.h5, which can be made again at any time. */
#pragma once

#include "study/grid.h"

/** runs/NAME/results.h5. Not collective. */
void gather_path(char *path, size_t size, const StudyOptions *options);

/** A results file that is there must be an earlier one of this study: nothing else is replaced. Errors name the file, the
 *  first key that differs and both values. Collective on the world. */
Err gather_check(const Grid *grid, const StudyOptions *options);

/** Writes it from the finished cells, those that are there and that the study file does not ask for included: it never loses
 *  a cell of the study. A line each says which cells have no result and why, and what is left out. It is a function of the
 *  study file and the records. Of those that differ in nothing but the learning rate, or what a procedure sweeps, the one with the lowest
 *  validation loss keeps its role and the others get role `lr`. Errors: a record that is not this study's, what the disk
 *  says. Collective on the world. */
Err gather_results(Grid *grid, const StudyOptions *options);
