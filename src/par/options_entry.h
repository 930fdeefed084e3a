/** Between the parts of par/options: values as text with where they stand (options.c), the file that they are read from
 *  (options_yaml.c), and how text becomes a number or a word (options_value.c). Private to par. */
#pragma once

#include "par/options.h"

/** A value as it was given; what was given on the command line has line 0. Lists are joined by commas. Not collective. */
Err entry_add(const char *key, const char *value, int line);

/** Whether two keys are the same but for `.` and `_`. */
bool entry_same(const char *a, const char *b);

/** Every key of a study file, by entry_add. Collective on the world. */
Err yaml_read(const char *path);

/** The same from text in memory; `path` stands in messages. Any text ends within a second: what is nested deeper than a study
 *  can be, or longer, is refused. Not collective. */
Err yaml_parse(const char *path, const char *text, size_t bytes);

/** Text into the member that the spec describes; false when it is not what the spec wants. */
bool value_parse(void *member, const KeySpec *spec, const char *text);

/** `key = value: want ...` in one line, after where the value came from. */
Err value_wanted(const char *origin, const KeySpec *spec, const char *value);
