/* The tables of a results file. A column is named after the member that it holds. */
#pragma once

#include "io/h5.h"
#include "io/results.h"

typedef struct ResultsField {
    H5Column column;
    size_t offset;
    const char *fallback;     /* what a file without the column means, as text; NULL: a file must have it */
    const Currency *currency; /* that the column counts compute in; NULL: another column */
} ResultsField;

typedef struct ResultsTable {
    const char *group;
    const ResultsField *fields;
    int n_fields;
    size_t record;   /* bytes of the struct of a row */
    size_t rows, at; /* where Results has the number of rows, and their array */
    bool optional;   /* absent in files from before there was the table, which means no rows */
    H5Column scale;  /* dimension of its columns, for other readers: not read back */
} ResultsTable;

enum { RESULTS_CELLS, RESULTS_CURVES, RESULTS_MEASURES, RESULTS_TABLES };
extern const ResultsTable results_table[RESULTS_TABLES];

/* The other dimension of /curves/procedure. */
extern const H5Column results_number_scale;

/* Number of rows, and their array; and both into Results. */
int64_t results_rows(const Results *r, int table);
void *results_records(const Results *r, int table);
void results_set(Results *r, int table, void *records, int64_t rows);

/* Between records and one column: out of the records, or back into them. */
void results_copy_column(void *column, char *records, const ResultsField *f, size_t record, int64_t rows, bool back);
