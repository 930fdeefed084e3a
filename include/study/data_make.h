/** Makes the trajectories that the `data` section of a study file asks for, or finds them in the file that it names. Both
 *  are collective; a file that is there is never changed. Errors: one that was made with other options, which name the
 *  first key that differs and both values; one that holds too few trajectories. A file of another maker states no
 *  options: it is taken as it is. */
#pragma once

#include "par/comm.h"
#include "study/data_options.h"

/** Makes the file at data.path; one that exists is an error. */
Err data_generate(const DataOptions *options, const Comm *comm);

/** Makes the file where there is none; with data.generate = never that is an error. Of two runs one makes it and the other
 *  waits. */
Err data_make(const DataOptions *options, const Comm *comm);

/** Removes what dead runs have left of files of that name. On one rank. */
void data_sweep(const DataOptions *options);
