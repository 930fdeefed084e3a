/* Groups whose rows continue each other along D, such as the checkpoints of a run, and draws of them whole. */
#pragma once

#include "fit/law_rows.h"

/* Rows of groups of several rows, group by group in the order of D; none where neighbours are not alike. */
typedef struct Sequences {
    int64_t n;      /* groups */
    int64_t *first; /* (n + 1) rows of one: row[first[g]] .. row[first[g + 1] - 1]; owned, as all arrays */
    int64_t *row;
} Sequences;

/* unit (rows): residuals without the means of their groups. Not collective. Cost: rows * log(rows). */
Sequences sequences_of(const LawRows *rows, const double *unit);
void sequences_free(Sequences *sequences);

/* Residuals of the rows in sequences, each sequence that of one drawn at random, either way up, stretched to its length; out (rows) of
 * other rows is left as it is. All are as much larger as sequences may be, given how few there are and what the law has taken of
 * them: what hangs on their shapes is then spread as Student's t is. */
void sequences_draw(double *out, const Sequences *sequences, const double *unit, uint64_t seed, uint64_t stream);
