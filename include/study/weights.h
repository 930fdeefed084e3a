/** Final weights of cells, runs/NAME/weights/FILE.h5 (io/checkpoint.h), as study.keep_weights asks; FILE is the name of the
 *  cell's record, Cell.file. Not collective. */
#pragma once

#include "study/grid.h"

void weights_path(char *path, size_t size, const StudyOptions *options, const char *file);

typedef char WeightsName[RESULTS_ID];

/** `file` (all->cells): names of the cells' records. With `best`: removes the weights of all finished cells but the one of
 *  each arm that has the lowest validation loss. Says how many cells that should have weights have none, and what stands in
 *  the place of a file. */
void weights_keep(const Results *all, const WeightsName *file, const StudyOptions *options);
