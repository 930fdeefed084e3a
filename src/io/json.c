#include "io/json.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/text.h"
#include "io/commit.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 16 };

struct Json {
    json_t *open[DEPTH]; /* from the document, which is owned, to what was opened last */
    int depth;           /* index of the last one */
};

Json *json_new(void) {
    Json *json = MEM_NEW(Json, 1);
    json->open[0] = json_object();
    return json;
}

void json_free(Json *json) {
    if (!json) return;
    json_decref(json->open[0]);
    mem_free(json);
}

/* Into the object or array that is open, which owns the value then. */
static void put(Json *json, const char *key, json_t *value) {
    json_t *into = json->open[json->depth];
    CHECK(value && json_is_object(into) == (key != NULL), "JSON: %s", key ? key : "entry");
    int failed = key ? json_object_set_new(into, key, value) : json_array_append_new(into, value);
    CHECK(!failed, "JSON: %s", key ? key : "entry");
}

static void open_level(Json *json, const char *key, json_t *value) {
    CHECK(json->depth + 1 < DEPTH, "JSON is nested deeper than %d", DEPTH);
    put(json, key, value);
    json->open[++json->depth] = value;
}

void json_open_object(Json *json, const char *key) {
    open_level(json, key, json_object());
}

void json_open_array(Json *json, const char *key) {
    open_level(json, key, json_array());
}

void json_close(Json *json) {
    CHECK(json->depth > 0, "JSON: nothing is open");
    json->depth--;
}

void json_put_number(Json *json, const char *key, double x) {
    put(json, key, isfinite(x) ? json_real(x) : json_null());
}

void json_put_int(Json *json, const char *key, int64_t i) {
    put(json, key, json_integer(i));
}

void json_put_bool(Json *json, const char *key, bool yes) {
    put(json, key, json_boolean(yes));
}

/* Names may hold any bytes, JSON only UTF-8: what is not becomes '?'. */
void json_put_text(Json *json, const char *key, const char *text) {
    json_t *value = json_string(text);
    if (!value) {
        size_t n = strlen(text);
        char *ascii = MEM_NEW(char, n + 1);
        for (size_t i = 0; i < n; i++) ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
        value = json_string(ascii);
        mem_free(ascii);
    }
    put(json, key, value);
}

void json_put_pair(Json *json, const char *key, double lo, double hi) {
    json_open_array(json, key);
    json_put_number(json, NULL, lo);
    json_put_number(json, NULL, hi);
    json_close(json);
}

static int append(const char *piece, size_t n, void *text) {
    text_put(text, piece, n);
    return 0;
}

static void print(const Json *json) {
    json_dumpf(json->open[0], stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    putchar('\n');
    fflush(stdout);
}

Err json_commit(const Json *json, const char *path) {
    if (!strcmp(path, "-")) {
        print(json);
        return ERR_NONE;
    }
    Text text = {0};
    json_dump_callback(json->open[0], append, &text, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    text_put(&text, "\n", 1);
    Err err = commit_text(path, text.at, true);
    mem_free(text.at);
    return err;
}

Err json_read(Json **json, const char *path) {
    json_error_t error;
    *json = NULL;
    TRY(file_check(path, "a file of JSON"));
    json_t *document = json_load_file(path, 0, &error);
    if (!document && error.line > 0) return err_user("%s:%d: %s: want JSON", path, error.line, error.text);
    if (!document) return err_user("%s: %s", path, strerror(errno));
    *json = MEM_NEW(Json, 1);
    (*json)->open[0] = document;
    return ERR_NONE;
}

const char *json_text(const Json *json, const char *key) {
    return json_string_value(json_object_get(json->open[0], key));
}

int json_entries(const Json *json, const char *list) {
    return (int)json_array_size(json_object_get(json->open[0], list));
}

const char *json_entry_text(const Json *json, const char *list, int i, const char *key) {
    const json_t *entry = json_array_get(json_object_get(json->open[0], list), (size_t)i);
    return json_string_value(json_object_get(entry, key));
}

double json_entry_number(const Json *json, const char *list, int i, const char *of, const char *key) {
    const json_t *entry = json_array_get(json_object_get(json->open[0], list), (size_t)i);
    const json_t *value = json_object_get(of ? json_object_get(entry, of) : entry, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}
