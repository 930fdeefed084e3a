/** A text that grows as pieces are added to it. Not collective. */
#pragma once

#include <stddef.h>

/** Zeros are the empty text, with `at` NULL; mem_free(at). */
typedef struct Text {
    char *at; /**< ends with a zero */
    size_t n, room;
} Text;

/** Adds as printf prints. */
void text_add(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Adds so many bytes. */
void text_put(Text *text, const char *piece, size_t bytes);
