#include "base/text.h"

#include "base/arena.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for so many bytes more, and the zero. */
static void grow(Text *text, size_t bytes) {
    size_t needed = text->n + bytes + 1;
    if (needed <= text->room) return;
    text->room = 2 * needed;
    text->at = mem_grow(text->at, text->room);
}

void text_put(Text *text, const char *piece, size_t bytes) {
    grow(text, bytes);
    memcpy(text->at + text->n, piece, bytes);
    text->n += bytes;
    text->at[text->n] = 0;
}

void text_add(Text *text, const char *format, ...) {
    va_list values;
    va_start(values, format);
    int bytes = vsnprintf(NULL, 0, format, values);
    va_end(values);
    CHECK(bytes >= 0, "%s: cannot be printed", format);
    grow(text, (size_t)bytes);
    va_start(values, format);
    vsnprintf(text->at + text->n, (size_t)bytes + 1, format, values);
    va_end(values);
    text->n += (size_t)bytes;
}
