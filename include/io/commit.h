/** Files that appear whole or not at all: written under a temporary name in the same folder, synced, then given their
 *  name in one atomic step, and the folder synced. What a killed writer leaves behind is `NAME.tmp.*` only. Small files may
 *  share their syncs (commit_leave, commit_flush).
 *
 *  Not collective: one rank calls these. Errors name the path, and bytes that found no room; commit_error has their code. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { COMMIT_PATH = 4096 };

/** The temporary name of `path`, different in every process. Refused where `path` is something other than a file, a device say:
 *  it would be replaced. */
Err commit_name(char temp[COMMIT_PATH], const char *path);

/** Whether a file of that name can be written, asked before the work whose result it is to hold. Leaves nothing behind. */
Err commit_check(const char *path);

/** Whether there is something of that name. Only "no such file" says no: what may not be looked at is an error. */
Err commit_exists(bool *there, const char *path);

/** Removes temporary files that dead processes have left in a folder: of this host and container, or a day old. name: only
 *  those of the file of that name; NULL: of all. Returns how many. */
int commit_sweep(const char *folder, const char *name);

/** Writes all of `bytes` under `temp` and syncs it; on any error `temp` is removed. */
Err commit_write(const char *temp, const void *data, size_t bytes);

/** Syncs `temp`, names it `path` and syncs the folder. With replace == false an existing `path` is left alone and is an
 *  error of the user. On any error `temp` is removed. */
Err commit_rename(const char *temp, const char *path, bool replace);

/** The same, replacing, of a file that commit_write has synced: one wait for the disk less. */
Err commit_place(const char *temp, const char *path);

/** A file that holds a text: named, written, synced and placed, replacing or not as commit_rename has it. Errors name `path`
 *  where it is wrong. */
Err commit_text(const char *path, const char *text, bool replace);

/** Writes all of `bytes` under `temp` and names it `path`, replacing, without waiting for the disk: every process has it
 *  whole from now on, the disk after the next commit_flush. On any error `temp` is removed. */
Err commit_leave(const char *temp, const char *path, const void *data, size_t bytes);

/** Waits until the disk has what was left on the file system of `folder`, by whomever: one wait for many files. Before
 *  Linux 5.8 it does not learn what the disk could not write. */
Err commit_flush(const char *folder);

/** Extends the existing file `path` to at least `bytes`, zeros, so that later writes cannot find the disk full; where
 *  the file system cannot reserve room, that much must be free at least. */
Err commit_reserve(const char *path, long long bytes);

/** Whether the file system of `path`, which exists, has `bytes` left for this user, for what is named. The error holds both
 *  numbers; its code is EXIT_RESUME. What a quota leaves is found out when it is used up. */
Err commit_room(const char *path, long long bytes, const char *what);

/** The folder that `path` is in, and those above it, made where absent. */
Err commit_folder(const char *path);

/** `path: what: strerror(errno)`; the code is EXIT_RESUME, or EXIT_USER for what only the user can change: permissions and
 *  names. */
Err commit_error(const char *path, const char *what);
