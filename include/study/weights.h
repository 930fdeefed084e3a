/** Final weights of cells, runs/NAME/weights/ID.h5 (io/checkpoint.h), as study.keep_weights asks. Not collective. */
#pragma once

#include "study/grid.h"

void weights_path(char *path, size_t size, const StudyOptions *options, const char *id);

/** With `best`: removes the weights of all finished cells but the one of each arm that has the lowest validation loss.
 *  Says how many cells that should have weights have none, and what stands in the place of a file. */
void weights_keep(const Results *all, const StudyOptions *options);
