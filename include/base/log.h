/** The one voice of the program: one line an event, with the time since the start, from the root rank.
 *  Silence means health. Not collective. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Who speaks. Before the first call nobody does. */
void log_init(bool is_root);

/** Nothing on standard output from here on. */
void log_quiet(void);

/** Whether something that was to be printed could not be: a full disk behind standard output. */
bool log_lost(void);

/** `[   12.3] text`, to standard output, at once. */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** The same from whichever rank calls: a block of ranks that reports its own event. */
void log_event(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Text without a time: tables and results. */
void log_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** A line that the next output overwrites, the only place of terminal codes. Shown on a terminal only, so log files stay
 *  clean, and not where TERM is dumb or NO_COLOR is set. (Open MPI gives ranks a pseudo-terminal whatever its own output
 *  is: what counts is where the launcher writes.) */
void log_live(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Whether live lines are shown. */
bool log_is_live(void);

/** The live line of long work that counts its parts, `topic: 120 of 4500 starts`, once the program has run for 2 s and at
 *  most five times a second; the root's part where ranks share the work. log_topic sets what it is about, up to 63
 *  letters. */
void log_topic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_progress(int64_t done, int64_t total, const char *parts);
