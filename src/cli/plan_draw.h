#pragma once

#include "study/grid.h"

/** Draws which (N, D) the grid of each arm runs: a row for each N, a column for each of some lengths D, digits are numbers
 *  of seeds. On the root. */
void plan_draw(const Grid *grid);
