/** What the tables with published answers have in common: the lines they print and one fit of a law to their rows. */
#pragma once

#include "fit/law.h"
#include "verify/verify.h"

#include <stdbool.h>

/** A title over the lines that follow, and whose numbers they hold. Not collective, as all that print. */
void verify_heading(Verify *verify, const char *by, const char *title, ...) __attribute__((format(printf, 3, 4)));

/** Passes when |obtained - published| <= tolerance. */
void verify_close(Verify *verify, double published, double obtained, double tolerance, const char *what, ...)
    __attribute__((format(printf, 5, 6)));

/** Passes when obtained <= published (1 + 1e-6): an objective as low as the lowest known. */
void verify_at_most(Verify *verify, double published, double obtained, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/** Shown without a verdict: the table does not hold what the published number was made from. */
void verify_inform(Verify *verify, double published, double obtained, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/** One fit of a law to the rows of one arm of a CSV table. */
typedef struct Case {
    Table table;
    LawRows rows;
    LawProblem problem;
    LawFit fit;
    Law law; /* that of the fit */
} Case;

/** Which rows of which table; NULL or 0: all. */
typedef struct CaseRows {
    const char *path, *loss; /* loss: column; NULL: "loss" */
    const char *keep;        /* column that is 0 for rows to leave out */
    const char *arm_column, *arm;
    double c_max; /* FLOP, exclusive */
} CaseRows;

/** Reads and fits. After an error there is nothing to close. Collective. */
Err case_open(Case *c, const CaseRows *rows, LawSpec spec, LawStarts starts, const Comm *comm);
void case_close(Case *c);

/** The case's objective at another law. Not collective. */
double case_objective(const Case *c, const Law *law);

/** The tables. Collective. */
Err verify_chinchilla(Verify *verify, const char *path, const Comm *comm);
Err verify_gadre(Verify *verify, const char *path, const Comm *comm);
Err verify_gemstones(Verify *verify, const char *path, const Comm *comm);
Err verify_muennighoff(Verify *verify, const char *path, const Comm *comm);
