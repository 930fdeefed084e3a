/** What a fit of one arm's law should be believed: profile intervals, the pull of every row, and what the answer would
 * have been under other choices. */
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

enum { CERTIFICATE_ROWS = 24 };

typedef struct Certificate {
    Interval
        profile[LAW_COEFFICIENTS]; /* 95 % of A, B, E, alpha, beta by the profile of the objective; in that order */
    double varpro;                 /* objective by variable projection */
    double varpro_gap;             /* (varpro - direct) / direct */
    double budget;                 /* reference: geometric mean of the fitted runs' nominal C */
    int n;
    Sensitivity row[CERTIFICATE_ROWS];
    int64_t rows;
    double *influence; /* (rows) change of a when the row is left out; NaN: not tried; owned */
    int64_t worst;     /* row of the largest change */
} Certificate;

/** Collective. The rows of `problem` are those of one arm with nothing shared. */
void certificate_make(Certificate *out, const LawProblem *problem, const LawFit *fit, const Cost *cost, double budget,
                      const Comm *comm);
void certificate_free(Certificate *certificate);

/** Appends a row found elsewhere (isoFLOP, surrogate, other currencies). */
void certificate_add(Certificate *certificate, const Sensitivity *row);

/** The rise of the objective that counts as one unit of chi-square (F over its degrees of freedom): residual variance
 * over 2 for least squares; E psi^2 / (2 E psi') for Huber, E psi' from the smoothed density of the residuals
 * (Ronchetti 1997 on robust likelihood-ratio tests). Any number of arms. Not collective. */
double certificate_unit(const LawProblem *problem, const LawFit *fit);

/** 95 % profile interval of coefficient c: where the objective, minimised over the others, has risen by what F(1, n-p)
 *  allows. Not collective. */
Interval certificate_profile(const LawProblem *problem, const LawFit *fit, int c);
