/** Files that appear whole or not at all: written under a temporary name in the same folder, synced, then given their
 *  name in one atomic step, and the folder synced. What a killed writer leaves behind is `NAME.tmp.*` only.
 *
 *  Not collective: one rank calls these. Errors (code EXIT_RESUME: the disk, not the user) name the path. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { COMMIT_PATH = 4096 };

/** The temporary name of `path`, different in every process. */
Err commit_name(char temp[COMMIT_PATH], const char *path);

/** Writes all of `bytes` under `temp` and syncs it. */
Err commit_write(const char *temp, const void *data, size_t bytes);

/** Syncs `temp`, names it `path` and syncs the folder. With replace == false an existing `path` is left alone and is an
 *  error of the user. On any error `temp` is removed. */
Err commit_rename(const char *temp, const char *path, bool replace);

/** Extends the existing file `path` to at least `bytes`, zeros, so that later writes cannot find the disk full; where
 *  the file system cannot reserve room, that much must be free at least. */
Err commit_reserve(const char *path, long long bytes);

/** The folder that `path` is in, and those above it, made where absent. */
Err commit_folder(const char *path);

/** An Err with code EXIT_RESUME: `path: what: strerror(errno)`. */
Err commit_error(const char *path, const char *what);
