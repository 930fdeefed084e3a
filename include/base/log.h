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

/** How far long work that counts its parts is, `topic: 120 of 4500 starts`, once the first such work is 2 s old: the live line,
 *  at most five times a second; where none is shown, lines on standard error, each twice as late as the one before, and one
 *  in ten minutes at least. The root's part where ranks share the work. log_topic sets what it is about, up to 63 letters. */
void log_topic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_progress(int64_t done, int64_t total, const char *parts);

/** What a noun ends in behind a count: "s", or behind 1 nothing. */
const char *plural(int64_t count);

/** How many columns a UTF-8 text takes, and the field width of `%-*s` that fills it up to so many of them. */
int log_width(const char *text);
int log_field(const char *text, int columns);
