/** Numbers as people write them in tables, and truth values.
 *
 *  digits [grouped by three] [decimal mark digits] [e exponent] [k m M G b B T]
 *  Groups are set apart by the other one of point and comma, by a blank (also an unbreakable one), ' or _; the suffixes
 *  are 1e3, 1e6, 1e9, 1e9 (B: billion) and 1e12. Which of point and comma is the decimal mark of a table is found by
 *  looking at all of its numbers, since 3,125 alone could be either. Not collective. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum NumberMark { MARK_POINT, MARK_COMMA, MARK_UNCLEAR } NumberMark;

/** What speaks for each decimal mark among the texts seen. */
typedef struct NumberStyle {
    int64_t point, comma; /* texts that fit only with this one */
    int64_t unclear;      /* texts with a comma that fit with both */
} NumberStyle;

/** Takes one more text into account; texts that are no numbers count nothing. */
void number_observe(NumberStyle *style, const char *text);

/** The mark that all of them fit with; the point where nothing speaks for the comma. */
NumberMark number_mark(const NumberStyle *style);

/** The value of a text, false where it is no finite number. Plain numbers are read as by strtod. */
bool number_read(double *x, const char *text, NumberMark mark);

/** true, yes, y, t, x or 1; false, no, n, f, 0 or nothing at all. False where it is neither: another number is an amount. */
bool number_truth(bool *yes, const char *text);
