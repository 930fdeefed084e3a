#include "base/log.h"

#include "base/timer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool root, terminal;
static double start;

/* Whether the process that started this one writes to a terminal. */
static bool parent_on_terminal(void) {
    char link[64], target[64];
    snprintf(link, sizeof link, "/proc/%d/fd/1", (int)getppid());
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n < 0) return false;
    target[n] = 0;
    return !strncmp(target, "/dev/pts/", 9) || !strncmp(target, "/dev/tty", 8);
}

void log_init(bool is_root) {
    root = is_root;
    start = timer_now();
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    terminal = isatty(STDOUT_FILENO) && parent_on_terminal();
}

/* One write a line, so that lines of different ranks do not mix; on a terminal it first erases the live line. */
static void print(bool timed, const char *end, const char *fmt, va_list ap) {
    if (terminal) fputs("\r\033[K", stdout);
    if (timed) printf("[%8.1f] ", timer_now() - start);
    vprintf(fmt, ap);
    fputs(end, stdout);
    fflush(stdout);
}

void log_line(const char *fmt, ...) {
    if (!root) return;
    va_list ap;
    va_start(ap, fmt);
    print(true, "\n", fmt, ap);
    va_end(ap);
}

void log_event(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    print(true, "\n", fmt, ap);
    va_end(ap);
}

void log_text(const char *fmt, ...) {
    if (!root) return;
    va_list ap;
    va_start(ap, fmt);
    print(false, "\n", fmt, ap);
    va_end(ap);
}

void log_live(const char *fmt, ...) {
    if (!root || !terminal) return;
    va_list ap;
    va_start(ap, fmt);
    print(false, "", fmt, ap);
    va_end(ap);
}
