/** Where a program keeps what it has measured once on a machine. Not collective. Errors: none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** ${XDG_CACHE_HOME:-~/.cache}/equiscale/WHAT-CPU-PRECISION, its folder made where absent. False where there is no place for
 *  it. */
bool kept_path(char *path, size_t size, const char *what);
