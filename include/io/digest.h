/** What tells a file's content from another's: XXH3 of its bytes. Not collective. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/** Fills digest and bytes; both 0 of what is no regular file, since a pipe can be read once only. Errors name the file. */
Err digest_file(uint64_t *digest, int64_t *bytes, const char *path);
