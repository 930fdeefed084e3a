#include "io/json.h"

#include <inttypes.h>
#include <math.h>

static void quoted(FILE *f, const char *text) {
    fputc('"', f);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(f, "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            fprintf(f, "\\u%04x", (unsigned)*c);
        else
            fputc(*c, f);
    }
    fputc('"', f);
}

static void begin(Json *json, const char *key) {
    if (json->some[json->depth]) fputc(',', json->file);
    if (json->depth && key) fprintf(json->file, "\n%*s", 2 * json->depth, "");
    json->some[json->depth] = true;
    if (!key) return;
    quoted(json->file, key);
    fputs(": ", json->file);
}

static void open_level(Json *json, const char *key, char bracket) {
    begin(json, key);
    fputc(bracket, json->file);
    json->some[++json->depth] = false;
}

static void close_level(Json *json, char bracket) {
    json->depth--;
    fputc(bracket, json->file);
    if (!json->depth) fputc('\n', json->file);
}

void json_object(Json *json, const char *key) {
    open_level(json, key, '{');
}

void json_array(Json *json, const char *key) {
    open_level(json, key, '[');
}

void json_end_object(Json *json) {
    close_level(json, '}');
}

void json_end_array(Json *json) {
    close_level(json, ']');
}

void json_number(Json *json, const char *key, double x) {
    begin(json, key);
    if (isfinite(x))
        fprintf(json->file, "%.10g", x);
    else
        fputs("null", json->file);
}

void json_int(Json *json, const char *key, int64_t i) {
    begin(json, key);
    fprintf(json->file, "%" PRId64, i);
}

void json_bool(Json *json, const char *key, bool yes) {
    begin(json, key);
    fputs(yes ? "true" : "false", json->file);
}

void json_text(Json *json, const char *key, const char *text) {
    begin(json, key);
    quoted(json->file, text);
}

void json_pair(Json *json, const char *key, double lo, double hi) {
    json_array(json, key);
    json_number(json, NULL, lo);
    json_number(json, NULL, hi);
    json_end_array(json);
}
