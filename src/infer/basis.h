/* What residuals have in common with columns of rows: an orthonormal basis that grows, and what it leaves of them. The columns are
 * the derivatives of a law and, beyond them, powers of log N and log D, in units of the noise's scale. */
#pragma once

#include "fit/law.h"

/* Degrees of powers that are looked for, and how many terms these have. */
enum { BASIS_DEGREES = 4, BASIS_TERMS = (BASIS_DEGREES + 1) * (BASIS_DEGREES + 2) / 2 };

typedef struct Basis {
    const LawRows *rows;
    int64_t n;
    double *unit;  /* (n) what turns a change of log loss into one of the noise; owned, as all arrays */
    double *place; /* (2, n) where log N and log D lie, from -1 to 1 */
    double *left;  /* (n) what the basis leaves of residuals in the noise's units, those beyond CLIP of them drawn in */
    double *column; /* (count, n) */
    int count;
} Basis;

/* That of an arm's law. uneven: the noise's scale is modelled over (N, D). */
Basis basis_new(const LawProblem *problem, const LawFit *fit, int arm, bool uneven);
void basis_free(Basis *basis);

/* All terms of a degree in log N and log D; of a law of one axis (both: false) the power alone. */
void basis_take_degree(Basis *basis, int degree, bool both);

double basis_dot(const double *x, const double *y, int64_t n);
