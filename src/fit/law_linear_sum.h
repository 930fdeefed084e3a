/** The sum that a fit minimises as a function of c = (A, B, E) alone, S = A basis_a + B basis_b + E. Rows and c must be
 *  finite (compiled with -ffast-math). */
#pragma once

#include "fit/law_kind.h"

/** c'Gc/2 - q'c */
typedef struct LawQuadratic {
    double g[9]; /* (3, 3) */
    double q[3];
} LawQuadratic;

/** Returns f(c) and two quadratic models of f with its gradient at c: its Taylor polynomial, and the weighted least
 *  squares of L on S. The first may be concave; the second lies above f but for what log S is curved.
 *  basis_a, basis_b (rows->n). */
double law_linear_sum(LawQuadratic *taylor, LawQuadratic *above, const LawColumns *rows, const Misfit *misfit,
                      const double *basis_a, const double *basis_b, const double c[3]);
