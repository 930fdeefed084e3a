#include "base/log.h"

#include "base/timer.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static bool root, live;
static double start;

void log_init(bool is_root) {
    root = is_root;
    start = timer_now();
}

static void clear_live(void) {
    if (live) fputs("\r\033[K", stdout);
    live = false;
}

static void print(const char *fmt, va_list ap) {
    clear_live();
    vprintf(fmt, ap);
    putchar('\n');
    fflush(stdout);
}

void log_line(const char *fmt, ...) {
    if (!root) return;
    clear_live();
    printf("[%8.1f] ", timer_now() - start);
    va_list ap;
    va_start(ap, fmt);
    print(fmt, ap);
    va_end(ap);
}

void log_text(const char *fmt, ...) {
    if (!root) return;
    va_list ap;
    va_start(ap, fmt);
    print(fmt, ap);
    va_end(ap);
}

void log_live(const char *fmt, ...) {
    if (!root || !isatty(STDOUT_FILENO)) return;
    clear_live();
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    fflush(stdout);
    live = true;
}
