/** Ranks that die or stand still end the job at once, with one line that says which, where, and what to do. Without this the
 *  others wait for them in MPI for ever, or are killed without a word.
 *
 *  A thread in every rank looks at its neighbour on the node through memory that they share. It makes no MPI call, so it
 *  works while MPI hangs. A rank alone on its node looks at itself: where its process is stopped as a whole, ranks on other
 *  nodes that wait for it find that they make no step, and whoever started the job may look at the log, which has a line a
 *  minute. Cost: a few system calls, five times a second. */
#pragma once

#include <stdint.h>

/** From here on, until watch_end, no step in `seconds` means that this rank hangs; 0: it may take as long as it likes. `what`
 *  is named in the line: a cell. Not collective. */
void watch_begin(const char *what, int64_t seconds);
/** One more step is done: anything that comes again and again in much less than those seconds. Not collective. Cost: one
 *  addition in memory. */
void watch_step(void);
void watch_end(void);

/** This rank is about to leave on purpose, and its neighbours take no notice. Not collective. */
void watch_stop(void);
