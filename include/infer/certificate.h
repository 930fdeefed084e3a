/** What the law of one arm should be believed: profile intervals, the pull of its rows, and what the answer would have
 *  been under other choices. Where arms share E or exponents, all of them are fitted again each time: a shared
 *  coefficient moves in all arms together, objectives change for all, and rows are left out of this arm alone. */
#pragma once

#include "fit/cost.h"
#include "fit/law.h"

/** One other choice: a delta, an objective, rows dropped, a method or a convention for compute. */
typedef struct Sensitivity {
    char what[64];
    double E, alpha, beta, a, b; /* NaN where the choice does not give one */
    double best_n;               /* N* at the reference budget */
    int64_t rows;
} Sensitivity;

/** refits: rows that are left out one at a time, over all arms of a problem. */
enum { CERTIFICATE_ROWS = 24, CERTIFICATE_REFITS = 1000 };

typedef struct Certificate {
    Interval
        profile[LAW_COEFFICIENTS]; /* 95 % of A, B, E, alpha, beta by the profile of the objective; in that order */
    double varpro_gap;             /* (objective by variable projection - direct) / direct */
    double budget;                 /* reference */
    int n;
    Sensitivity row[CERTIFICATE_ROWS];
    int64_t rows;
    double *influence; /* (rows) change of a when the row is left out; NaN: not tried, for it should be less; owned */
    int64_t worst;     /* row of the largest change */
} Certificate;

/** Of a law that its rows do not determine. */
void certificate_empty(Certificate *out, int64_t rows, double budget);

/** Wants more rows than variables. Spread over the ranks; the same on each. Collective. */
void certificate_make(Certificate *out, const LawProblem *problem, const LawFit *fit, int arm, const Cost *cost,
                      double budget, const Comm *comm);
void certificate_free(Certificate *certificate);

/** Appends a row found elsewhere (isoFLOP, surrogate, other currencies). */
void certificate_add(Certificate *certificate, const Sensitivity *row);

/** The rise of the objective that counts as one unit of chi-square (F over its degrees of freedom): residual variance
 *  over 2 for least squares; E psi^2 / (2 E psi') for Huber, E psi' from the smoothed density of the residuals
 *  (Ronchetti 1997 on robust likelihood-ratio tests). Not collective. */
double certificate_unit(const LawProblem *problem, const LawFit *fit);
