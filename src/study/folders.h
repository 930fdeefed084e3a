/* The folder of a study, runs/NAME, and what says which study it is of. */
#pragma once

#include "study/options.h"

/* runs, runs/NAME and the folders in it, which must be writable, cleared of what dead runs left. Collective on the world. */
Err folders_make(const StudyOptions *options);

/* runs/NAME/used.yaml: every key that `run` reads with its value, a study file that says the same as file and command line
 * did together. Collective on the world. */
Err folders_write_used(const StudyOptions *options);
