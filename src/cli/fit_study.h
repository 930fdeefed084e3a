/** `fit results.h5`: options that the command line leaves alone are those of the study that the file is of, so that the answer is
 *  the one that `run` gave. */
#pragma once

#include "infer/fit_options.h"

/** Takes them over, and says which. Studies that are fitted in different ways leave the defaults, which is said too. Tables and
 *  results files from before it was written into them say nothing. Collective on the world. */
Err fit_take_study(FitOptions *options, int files, const char *const *file);
