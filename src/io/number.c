#include "io/number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LONGEST = 400 }; /* letters of a number: more than any double needs */

/* Blanks that do not break, in UTF-8, as they stand between groups of digits. */
static const char *const blanks[] = {" ", "\302\240", "\342\200\257", "\342\200\211"};

/* Bytes of the mark between groups that `at` begins with; 0: none. */
static size_t group_mark(const char *at, char decimal) {
    if (*at == '\'' || *at == '_') return 1;
    if (*at == (decimal == '.' ? ',' : '.')) return 1;
    for (int i = 0; i < (int)(sizeof blanks / sizeof *blanks); i++)
        if (!strncmp(at, blanks[i], strlen(blanks[i]))) return strlen(blanks[i]);
    return 0;
}

static size_t digits(const char *at) {
    return strspn(at, "0123456789");
}

/* Copies digits in groups of three without what stands between them; false where the groups are uneven. */
static bool whole_part(char **to, const char **from, char decimal) {
    const char *at = *from;
    size_t n = digits(at), mark = group_mark(at + n, decimal);
    memcpy(*to, at, n);
    *to += n;
    at += n;
    if (mark && digits(at + mark)) {
        const char *between = at;
        if (n == 0 || n > 3) return false;
        while (!strncmp(at, between, mark) && digits(at + mark)) {
            if (digits(at + mark) != 3) return false;
            memcpy(*to, at + mark, 3);
            *to += 3;
            at += mark + 3;
        }
    }
    *from = at;
    return true;
}

static double suffix(const char *at) {
    while (*at == ' ') at++;
    if (!*at) return 1;
    if (at[1]) return NAN;
    switch (*at) {
    case 'k':
    case 'K': return 1e3;
    case 'm':
    case 'M': return 1e6;
    case 'G':
    case 'b':
    case 'B': return 1e9;
    case 'T': return 1e12;
    }
    return NAN;
}

bool number_read(double *x, const char *text, NumberMark mark) {
    char plain[LONGEST + 2], *to = plain, decimal = mark == MARK_COMMA ? ',' : '.';
    const char *at = text;
    if (strlen(text) > LONGEST) return false;
    if (*at == '-' || *at == '+') *to++ = *at++;
    char *first = to;
    if (!whole_part(&to, &at, decimal)) return false;
    size_t places = 0, before = (size_t)(to - first);
    if (*at == decimal) {
        places = digits(at + 1);
        *to++ = '.';
        memcpy(to, at + 1, places);
        to += places;
        at += 1 + places;
    }
    if (before + places == 0) return false;
    size_t sign = at[0] && (at[1] == '-' || at[1] == '+');
    if ((*at == 'e' || *at == 'E') && digits(at + 1 + sign)) {
        size_t n = 1 + sign + digits(at + 1 + sign);
        memcpy(to, at, n);
        to += n;
        at += n;
    }
    *to = 0;
    double factor = suffix(at);
    *x = strtod(plain, NULL);
    if (factor != 1) *x *= factor;
    return isfinite(*x);
}

void number_observe(NumberStyle *style, const char *text) {
    double x;
    bool point = number_read(&x, text, MARK_POINT), comma = number_read(&x, text, MARK_COMMA);
    style->point += point && !comma;
    style->comma += comma && !point;
    style->unclear += point && comma && strchr(text, ',');
}

NumberMark number_mark(const NumberStyle *style) {
    if (style->point && style->comma) return MARK_UNCLEAR;
    if (style->comma) return MARK_COMMA;
    if (style->unclear && !style->point) return MARK_UNCLEAR;
    return MARK_POINT;
}

static bool listed(const char *text, const char *const *word) {
    for (; *word; word++)
        if (!strcasecmp(text, *word)) return true;
    return false;
}

bool number_truth(bool *yes, const char *text) {
    static const char *const agree[] = {"true", "yes", "y", "t", "x", NULL};
    static const char *const deny[] = {"false", "no", "n", "f", "", NULL};
    double x;
    if (number_read(&x, text, MARK_POINT) && (x == 0 || x == 1))
        *yes = x == 1;
    else if (listed(text, agree))
        *yes = true;
    else if (listed(text, deny))
        *yes = false;
    else
        return false;
    return true;
}
