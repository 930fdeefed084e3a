/* How files become points: what table.c, table_csv.c and table_finish.c share. Everything here runs on the root. */
#pragma once

#include "fit/table.h"

/** Names of all arms that were met, also of those that were not asked for. */
typedef struct ArmNames {
    int n, capacity;
    char (*at)[TABLE_NAME];
} ArmNames;

void arm_names_add(ArmNames *names, const char *name);

/** Whether the arm was asked for. */
bool table_wants_arm(const TableFilter *filter, const char *name);
/** Whether a row of nominal compute c was. */
bool table_wants_compute(const TableFilter *filter, double c);

/** The arm of this name, or an error that names the file and, from 1, the line (0: none). */
Err table_arm_of(int *arm, Table *table, const char *name, const char *path, int64_t line);

/** Appends the rows of a text; `arm` is their arm where no column names one. (table_csv.c) */
Err table_read_csv(Table *table, ArmNames *met, const char *path, const char *arm, const TableOptions *options);

/** Once all files are read: what is missing of C, N and D, the asked-for range of C, the best rows, weights, and notes
 *  on what repeats. (table_finish.c) */
Err table_finish(Table *table, const TableOptions *options);
