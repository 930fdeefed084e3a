/** Between io/h5 and its rehearsal in a child process, h5_rehearse (io/h5.h). Private to io. */
#pragma once

#include <stdint.h>

/** A file of `bytes` is about to be opened: in a child, keeps its name for the parent and sets the clock. Not collective. */
void rehearse_note(const char *path, int64_t bytes);
