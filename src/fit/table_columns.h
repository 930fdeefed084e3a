/* Which column of a delimited text holds what, and in which unit. */
#pragma once

#include "fit/table.h"
#include "io/csv.h"

enum {
    HOLDS_N,
    HOLDS_D,
    HOLDS_LOSS,
    HOLDS_ARM,
    HOLDS_SEED,
    HOLDS_WEIGHT,
    HOLDS_ERROR,
    HOLDS_KEEP,
    HOLDS_DROP,
    HOLDS_GROUP,
    HOLDS_HOLDOUT,
    HOLDS_WIDTH,
    HOLDS_DEPTH,
    HOLDS_C, /* and one for each further currency */
    HOLDS = HOLDS_C + CURRENCIES
};

/* What is counted in units: N, D, nominal C. */
enum { UNIT_N, UNIT_D, UNIT_C, UNITS };
extern const int unit_holds[UNITS];

typedef struct Mapping {
    Csv csv;
    int at[HOLDS];      /* column number; -1: none */
    double unit[UNITS]; /* parameters, samples, FLOP in one of what the column counts */
    int64_t units_line; /* of the row below the header that tells units; 0: none */
    bool unsure[UNITS]; /* that row has a word that is no unit */
    NumberMark mark;
} Mapping;

/* Finds the columns of an open text by the names asked for, or by usual ones. Errors name the file, and what is missing. */
Err table_columns_map(Mapping *m, const TableOptions *options);

/* Takes units of N, D and C from the first row, where it has words in place of all numbers; a unit in a column's name, or that was
 * asked for, stands before it. */
Err table_columns_units(Mapping *m, const TableColumns *columns);

/* Says which were taken by their usual names, and in which units. */
void table_columns_note(Table *table, const Mapping *m, const TableColumns *columns);

/* Whether what a column of this kind holds are numbers. */
bool table_columns_number(int holds);
