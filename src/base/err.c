#include "base/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const Err ERR_NONE = {0};

static void (*abort_hook)(int);
static int abort_rank;

Err err_user(const char *fmt, ...) {
    Err e = {.code = EXIT_USER};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e.text, sizeof e.text, fmt, ap);
    va_end(ap);
    /* Names and values are the user's: what they hold neither breaks the line nor steers a terminal. */
    for (char *c = e.text; *c; c++)
        if (iscntrl((unsigned char)*c)) *c = '?';
    return e;
}

void err_on_abort(void (*abort_job)(int), int rank) {
    abort_hook = abort_job;
    abort_rank = rank;
}

void err_abort(const char *file, int line, const char *func, const char *cond, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "[%d] %s:%d %s(): %s: %s\n", abort_rank, file, line, func, cond, text);
    fflush(NULL);
    if (abort_hook) abort_hook(1);
    abort();
}
