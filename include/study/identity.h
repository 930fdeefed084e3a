/** What a finished cell is: the value of each key that decides its numbers, whatever else the study file says.
 *
 *  Its record has them as columns (arm, shape, steps, batch, training set, seed, learning rate, and the digest of its
 *  trajectories, what its procedure sweeps) and as the attributes of /provenance (train.*, the keys of its procedure, the held-out sets, precision).
 *  Layouts, folders, the fit, other arms, other sizes and how long the lists are do not decide. A key that came after the
 *  record had its default there, or what its KeySpec says (options_differ); a column that came later has the fallback of
 *  its field, and what was recorded otherwise is taken from there.
 *
 *  Not collective. Errors name the file, the first key that differs, and both values. */
#pragma once

#include "study/grid.h"

/** Whether the one row of a cell's file is the cell that the grid asks for; fills in columns that the record lacks. */
Err identity_check(Results *one, const char *path, const Cell *want, const StudyOptions *options);

/** Whether earlier results, of many cells, are of this study: what all its cells have in common, and the rows of cells
 *  that are in both. Rates come and go: a row of another rate is another cell. */
Err identity_check_results(Results *all, const char *path, const Grid *grid, const StudyOptions *options);

/** Whether the file of a cell that the grid does not ask for is of this study: it was measured on the same data in the same
 *  way. */
Err identity_check_stranger(Results *one, const char *path, const Grid *grid, const StudyOptions *options);

/** Peak learning rates that are equal but for rounding. */
bool identity_same_rate(double a, double b);

/** An order, as strcmp gives one, in which cells are equal that differ in nothing but the peak learning rate and what a
 *  procedure sweeps. */
int identity_order_but_sweeps(const CellRecord *a, const CellRecord *b);
