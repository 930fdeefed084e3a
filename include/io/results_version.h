/** Results files of other versions of this program. */
#pragma once

#include "io/results.h"

/** Whether a file is whole, by its seal, and of a format of another version of this program, which `format` then has: it is not
 *  damaged, but cannot be read. Not collective. */
bool results_of_other_version(char format[RESULTS_ID], const char *path);
