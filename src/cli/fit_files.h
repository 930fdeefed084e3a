/** The fit that `fit` and the end of `run` share. */
#pragma once

#include "infer/fit_options.h"

/** Fits what the files hold and prints it; writes what the options ask for: JSON, a study file of cells to run next.
 *  Errors name the file or the key. Collective on the world. */
Err fit_files(int files, const char *const *file, FitOptions *options);
