#include "base/log.h"

#include "base/timer.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static bool root, terminal, quiet;
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

/* A dumb terminal cannot erase a line, and who sets NO_COLOR (no-color.org) wants no codes at all. */
static bool takes_codes(void) {
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR");
    return term && *term && strcmp(term, "dumb") && !(none && *none);
}

void log_init(bool is_root) {
    root = is_root;
    start = timer_now();
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    terminal = isatty(STDOUT_FILENO) && parent_on_terminal() && takes_codes();
}

void log_quiet(void) {
    quiet = true;
}

bool log_lost(void) {
    return fflush(stdout) != 0 || ferror(stdout);
}

/* One write a line, so that lines of different ranks do not mix. The root's live line is erased first; other ranks speak
 * while cells are trained, when it may stand there. */
static void print(bool timed, const char *end, const char *fmt, va_list ap) {
    static bool live;
    if (quiet) return;
    if (terminal && (live || !root)) fputs("\r\033[K", stdout);
    if (timed) printf("[%8.1f] ", timer_now() - start);
    vprintf(fmt, ap);
    fputs(end, stdout);
    fflush(stdout);
    live = !*end;
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

bool log_is_live(void) {
    return terminal && !quiet;
}

static char topic[64];

void log_topic(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(topic, sizeof topic, fmt, ap);
    va_end(ap);
}

void log_progress(int64_t done, int64_t total, const char *parts) {
    static double began, next;
    const double patience = 2; /* seconds without a word that nobody minds */
    const double pause = 0.2;
    const double rarest = 600; /* jobs/study.sbatch ends what says nothing for an hour */
    if (!root || quiet) return;
    double now = timer_now();
    if (began == 0) {
        began = now;
        next = patience;
    }
    if (now - began < next) return;
    next = now - began + (terminal ? pause : fmin(now - began, rarest));
    if (terminal)
        log_live("%s: %lld of %lld %s", topic, (long long)done, (long long)total, parts);
    else
        fprintf(stderr, "[%8.1f] %s: %lld of %lld %s\n", now - start, topic, (long long)done, (long long)total, parts);
}

/* Without the locale: a letter begins with a byte that continues none; accents of their own (U+0300 to U+036F) stand on the
 * one before. */
static int letters_of(const char *text) {
    int letters = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool continues = (*c & 0xc0) == 0x80;
        bool accent = *c == 0xcc || (*c == 0xcd && c[1] < 0xb0);
        letters += !continues && !accent;
    }
    return letters;
}

const char *plural(int64_t count) {
    return count == 1 ? "" : "s";
}

/* By the C library's table of characters, in which Chinese ones, say, take two columns. */
int log_width(const char *text) {
    static locale_t unicode = (locale_t)0;
    if (!unicode) unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!unicode) return letters_of(text);
    locale_t before = uselocale(unicode);
    mbstate_t state = {0};
    int width = 0;
    for (size_t left = strlen(text), bytes; left; left -= bytes, text += bytes) {
        wchar_t letter;
        bytes = mbrtowc(&letter, text, left, &state);
        if (bytes == 0 || bytes > left) { /* no character: a column for its byte */
            bytes = 1;
            letter = L'?';
            state = (mbstate_t){0};
        }
        int columns = wcwidth(letter);
        width += columns > 0 ? columns : 0;
    }
    uselocale(before);
    return width;
}

int log_field(const char *text, int columns) {
    return columns + (int)strlen(text) - log_width(text);
}
