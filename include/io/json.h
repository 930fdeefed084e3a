/** JSON text, value by value; numbers that are not finite become null. Not collective. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH = 16 };
typedef struct Json {
    FILE *file;
    int depth;
    bool some[JSON_DEPTH]; /* a value stands before on this level */
} Json;

/** key: NULL inside an array. */
void json_object(Json *json, const char *key);
void json_array(Json *json, const char *key);
void json_end_object(Json *json);
void json_end_array(Json *json);
void json_number(Json *json, const char *key, double x);
void json_int(Json *json, const char *key, int64_t i);
void json_bool(Json *json, const char *key, bool yes);
void json_text(Json *json, const char *key, const char *text);
/** [lo, hi]. */
void json_pair(Json *json, const char *key, double lo, double hi);
