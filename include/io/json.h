/** A JSON document (by Jansson), made value by value and written whole, or read. Numbers have 17 digits, so that reading gives the
 *  same bits; those that are not finite become null. Not collective. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Json Json;

/** An object, open for what follows. */
Json *json_new(void);

/** json may be NULL. */
void json_free(Json *json);

/** Opens an object or array in the one that is open; key: NULL inside an array, as below. */
void json_open_object(Json *json, const char *key);
void json_open_array(Json *json, const char *key);
/** Closes what was opened last. */
void json_close(Json *json);

void json_put_number(Json *json, const char *key, double x);
void json_put_int(Json *json, const char *key, int64_t i);
void json_put_bool(Json *json, const char *key, bool yes);
void json_put_text(Json *json, const char *key, const char *text);
/** [lo, hi]. */
void json_put_pair(Json *json, const char *key, double lo, double hi);

/** Writes the document to a file, whole or not at all (io/commit.h); an existing one is replaced. `-` is standard output.
 *  Errors: code 2 where the path cannot be written to, those of commit.h otherwise. */
Err json_commit(const Json *json, const char *path);

/** Reads a document; json_free it. Errors (code 2) name the file and what is wrong with it. */
Err json_read(Json **json, const char *path);

/** A document's entry: a text of its own; and of its array `list` how many entries there are, and a text of entry i. NULL
 *  where there is no text. */
const char *json_text(const Json *json, const char *key);
int json_entries(const Json *json, const char *list);
const char *json_entry_text(const Json *json, const char *list, int i, const char *key);

/** A number of entry i, or, with `of`, of the object of that name in it (NULL: of the entry itself); NaN where there is none. */
double json_entry_number(const Json *json, const char *list, int i, const char *of, const char *key);
