/* What the lines of a report are made of. */
#pragma once

#include "infer/analysis.h"
#include "io/json.h"

/* A piece of a line, returned by value: it lasts until the line is printed. */
typedef struct Piece {
    char text[96];
} Piece;

/* The number, "-" where there is none. */
Piece piece(const char *format, double x);

/* [lo, hi], and a value with its interval. */
Piece piece_interval(const char *format, Interval i);
Piece piece_ranged(const char *format, double x, Interval i);

/* "1 row", "2 rows". */
Piece piece_count(int64_t n, const char *thing);

/* {value, interval} as a member. */
void report_estimate(Json *j, const char *key, Estimate e);

/* Everything about each arm and each pair of arms. (report_details.c) */
void report_details(const Analysis *analysis);

/* Budget by budget, every step-th; those in a row that have no allocation for the same reason share a line. */
void report_allocations(const BudgetFit *budget, int n, int step);

/* How many lines that takes. */
int report_allocation_lines(const BudgetFit *budget, int n, int step);
