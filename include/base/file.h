/** What stands at a path, asked before it is opened: opening a pipe waits for somebody to write to it, and a folder opens
 *  and then cannot be read. Not collective. */
#pragma once

#include "base/err.h"

#include <stdio.h>

/** ERR_NONE where `path` is a file that may be read; otherwise one line: what it is, and that `want` is wanted. */
Err file_check(const char *path, const char *want);

/** A descriptor to read from, of a file or a pipe, closed by whoever asked. A pipe that stays silent for FILE_PATIENCE
 *  is an error, so that a pipe that nobody writes to does not hold the program up. */
enum { FILE_PATIENCE = 10 }; /* s */
Err file_open(int *descriptor, const char *path, const char *want);

/** A file of the program's own, which may be absent, open for reading; NULL where there is none, what stands there is
 *  no file, or it may not be read. */
FILE *file_own(const char *path);
