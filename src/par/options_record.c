/* Values of keys in records of what was done, against those asked for now. */
#include "base/arena.h"
#include "par/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *record_value(const char *record, const char *name) {
    size_t length = strlen(name);
    for (const char *line = record; *line;) {
        size_t n = strcspn(line, "\n");
        if (n >= length + 3 && !strncmp(line, name, length) && !strncmp(line + length, " = ", 3)) {
            char *value = mem_alloc(n - length - 2);
            memcpy(value, line + length + 3, n - length - 3);
            return value;
        }
        line += n + (line[n] == '\n');
    }
    return NULL;
}

/* Two entries of a list, or values of one: equal text, or numbers that are equal however they are written. */
static bool entry_equal(const char *a, size_t n, const char *b, size_t m) {
    if (n == m && !strncmp(a, b, n)) return true;
    char *end_a, *end_b;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    return n && m && end_a == a + n && end_b == b + m && x == y;
}

static bool value_equal(const char *a, const char *b) {
    for (;;) {
        size_t n = strcspn(a, ","), m = strcspn(b, ",");
        if (!entry_equal(a, n, b, m) || a[n] != b[m]) return false;
        if (!a[n]) return true;
        a += n + 1;
        b += m + 1;
    }
}

/* The value of one key of a filled struct; mem_free it. */
static char *value_here(const void *filled, const KeySpec *spec) {
    char *line = options_text(filled, spec, 1), *value = record_value(line, spec->key);
    mem_free(line);
    return value;
}

Err options_recorded(void *filled, const KeySpec *specs, int n, const char *record, const char *origin) {
    for (int k = 0; k < n; k++) {
        const KeySpec *s = &specs[k];
        char *recorded = record_value(record, s->key);
        const char *value = recorded ? recorded : s->before ? s->before : s->fallback;
        Err err = value ? options_put(filled, s, value, origin) : err_user("%s: its record lacks %s", origin, s->key);
        mem_free(recorded);
        TRY(err);
    }
    return ERR_NONE;
}

bool options_differ(KeyDifference *d, const char *record, const void *filled, const KeySpec *specs, int n) {
    for (int k = 0; k < n; k++) {
        const KeySpec *s = &specs[k];
        char *here = value_here(filled, s), *recorded = record_value(record, s->key);
        const char *there = recorded ? recorded : s->before ? s->before : s->fallback;
        bool differs = !there || !value_equal(there, here);
        if (differs) {
            d->key = s->key;
            snprintf(d->there, sizeof d->there, "%s", there ? there : "nothing");
            snprintf(d->here, sizeof d->here, "%s", here);
        }
        mem_free(here);
        mem_free(recorded);
        if (differs) return true;
    }
    return false;
}
