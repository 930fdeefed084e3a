/* L = E + (A / N^(alpha/beta) + B / D)^beta            Kaplan et al. 2020, eq. 1.5, with E; there A = N_c^(alpha/beta), B = D_c
 *
 * Alone, the two terms are A^beta / N^alpha and B^beta / D^beta: a = beta log A, b = beta log B. */
#include "law_sum.h"

#include <math.h>

/* log T / beta = log(e^u + e^v) */
static double loss(double *d, const double *p, double x, double y) {
    double beta = p[LAW_BETA];
    double e = exp(p[LAW_E]);
    double u = (p[LAW_A] - p[LAW_ALPHA] * x) / beta;
    double v = p[LAW_B] / beta - y;
    double both = fmax(u, v) + log1p(exp(-fabs(u - v)));
    double t = exp(beta * both);
    if (d) {
        double share = exp(u - both); /* of the term of N in the sum */
        d[LAW_A] = t * share;
        d[LAW_B] = t * (1 - share);
        d[LAW_E] = e;
        d[LAW_ALPHA] = -x * t * share;
        d[LAW_BETA] = t * (both - share * u - (1 - share) * (v + y));
    }
    return e + t;
}

static void factors(double *log_a, double *log_b, const Law *law) {
    *log_a = law->a / law->beta;
    *log_b = law->b / law->beta;
}

/* What is raised to beta. */
static Law additive(const Law *law) {
    return (Law){.a = law->a / law->beta,
                 .b = law->b / law->beta,
                 .e = law->e,
                 .alpha = law->alpha / law->beta,
                 .beta = 1,
                 .kind = law->kind};
}

/* As of chinchilla, but for beta: towards 0 the law becomes the larger of its two terms, with a crease. */
const LawKind law_kaplan = {
    .name = "kaplan",
    .formula = "L = E + (A/N^(alpha/beta) + B/D)^beta",
    .coefficient = {[LAW_A] = {"A", -25, 40, true},
                    [LAW_B] = {"B", -25, 40, true},
                    [LAW_E] = {"E", -12, 0, true},
                    [LAW_ALPHA] = {"alpha", 0, 5, false},
                    [LAW_BETA] = {"beta", 0.01, 5, false}},
    .loss = loss,
    .sum = &law_kaplan_sum,
    .starts = LAW_GRID_STARTS,
    .start = law_grid_start,
    .linear = {[LAW_E] = true},
    .factors = factors,
    .additive = additive,
};
