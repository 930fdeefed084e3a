/** Files of other kinds than delimited text, told by how they begin. */
#pragma once

#include "base/err.h"

#include <stddef.h>

/** An error that names the kind of file and how to make CSV of it; ERR_NONE where it is none that is known. Given are the first
 *  bytes of the file, unpacked, followed by a NUL. Not collective. */
Err csv_refuse_kind(const char *path, const char *begin, size_t bytes);
