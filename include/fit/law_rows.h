/** The rows of one arm as fits of a law want them. */
#pragma once

#include "fit/law_kind.h"
#include "fit/table.h"

typedef struct LawRows {
    LawColumns k;    /* with the padding; within `store` */
    int64_t n;       /* without it */
    LawAxes axes;    /* what k.x and k.y are the logarithms of */
    double x0, y0;   /* means of log N and log D, from which k.x and k.y count; of one axis y0 = 0 */
    int64_t *point;  /* (n) index into the table; owned, as all arrays */
    int64_t configs; /* distinct (N, D, dataset) */
    int64_t *config; /* (n) which one: rows of one config differ in their seeds */
    int64_t *first;  /* (configs + 1) rows of config k: member[first[k]] .. member[first[k+1] - 1] */
    int64_t *member; /* (n) */
    int64_t groups;  /* of rows that share an error (fit.columns.group); rows without one are groups of their own */
    int64_t *group;  /* (n) which one */
    double *size;    /* (n) N; 0: unknown */
    double *length;  /* (n) D, or else what the law's axis has; rows of one size and length are of different runs */
    double *seed;    /* (n) */
    double *budget;  /* (n) which one: rows whose nominal C are near each other are of one; 0: C is unknown */
    double *store;
} LawRows;

/** The final points of an arm, for laws of these axes. Not collective. Cost: n log n. */
LawRows law_rows(const Table *table, int arm, LawAxes axes);

/** The loss that a law gives at row i; d (LAW_COEFFICIENTS) receives its derivatives to the coefficients, centred as the
 *  rows are, unless it is NULL. */
double law_rows_loss(double *d, const LawRows *rows, const Law *law, int64_t i);
void law_rows_free(LawRows *rows);

/** Rows 0 .. n-1 in the order of the first number, then the second (NULL: of none), then as they come; to be freed. */
int64_t *law_rows_order(const double *first, const double *second, int64_t n);
