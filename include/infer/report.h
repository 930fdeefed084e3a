/** What an analysis says. */
#pragma once

#include "infer/analysis.h"
#include "infer/symmetry.h"

/** For people, on the root, which alone needs `symmetry`: one line per arm, then the details. */
void report_text(const Analysis *analysis, const Symmetry *symmetry);

/** One file that was fitted, by its content. */
typedef struct FitInput {
    const char *path;
    uint64_t digest; /* io/digest.h; 0: what can be read once only */
    int64_t bytes;
} FitInput;

/** What made a fit: with the options it gives the same bits on as many ranks. */
typedef struct FitSource {
    const char *version, *compiler; /* of the program */
    int inputs;
    const FitInput *input; /* (inputs) in the order given */
} FitSource;

/** For programs (docs/fitting.md has the schema), written whole or not at all. Collective. */
Err report_json(const Analysis *analysis, const Symmetry *symmetry, const FitSource *source, const char *path,
                const Comm *comm);

/** The table that a paper would print, one row per arm: coefficients and exponents with their intervals. Written whole or not
 *  at all. Collective. */
typedef enum TableForm { TABLE_CSV, TABLE_LATEX } TableForm;
Err report_table(const Analysis *analysis, TableForm form, const char *path, const Comm *comm);
