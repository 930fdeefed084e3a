/* Laws of one axis, L = E + A / X^alpha: of model size, of training length, of compute along its best split (Hestness et al.
 * 2017; Kaplan et al. 2020, eq. 1.1 to 1.3, with E); and the power law of N* or D* in C, which has no E and grows. */
#include "law_sum.h"

#include <math.h>

static double loss(double *d, const double *p, double x, double y) {
    (void)y;
    double e = exp(p[LAW_E]);
    double term = exp(p[LAW_A] - p[LAW_ALPHA] * x);
    if (d) {
        d[LAW_A] = term;
        d[LAW_B] = 0;
        d[LAW_E] = e;
        d[LAW_ALPHA] = -x * term;
        d[LAW_BETA] = 0;
    }
    return e + term;
}

/* The published grid without its B and beta. */
enum { EXPONENTS = 5, ERRORS = 5, FACTORS = 6, STARTS = EXPONENTS * ERRORS * FACTORS };

static void grid(Law *law, int s, double step) {
    law->alpha = step * (s % EXPONENTS);
    s /= EXPONENTS;
    law->e = 0.5 * (s % ERRORS) - 1;
    law->a = 5 * (s / ERRORS);
    law->b = -INFINITY;
}

static void start(Law *law, int s) {
    grid(law, s, 0.5);
}

/* C has the logarithms of N and D together, and the loss falls with it as slowly as with either. */
static void start_compute(Law *law, int s) {
    grid(law, s, 0.1);
}

#define LINE_BOUNDS [LAW_A] = {"A", -25, 40, true}, [LAW_E] = {"E", -12, 0, true}, [LAW_ALPHA] = {"alpha", 0, 5, false}
#define LINE .loss = loss, .sum = &law_line_sum, .starts = STARTS, .linear = {[LAW_A] = true, [LAW_E] = true}

const LawKind law_parameters = {.name = "parameters",
                                .formula = "L = E + A/N^alpha",
                                .axes = LAW_OF_N,
                                .coefficient = {LINE_BOUNDS},
                                .start = start,
                                LINE};

const LawKind law_samples = {.name = "samples",
                             .formula = "L = E + A/D^alpha",
                             .axes = LAW_OF_D,
                             .coefficient = {LINE_BOUNDS},
                             .start = start,
                             LINE};

const LawKind law_compute = {.name = "compute",
                             .formula = "L = E + A/C^alpha",
                             .axes = LAW_OF_C,
                             .coefficient = {LINE_BOUNDS},
                             .start = start_compute,
                             LINE};

const LawKind law_optima = {.name = "optima",
                            .formula = "N* or D* = A C^a, a = -alpha",
                            .axes = LAW_OF_C,
                            .of_optima = true,
                            .coefficient = {[LAW_A] = {"A", -200, 200, true}, [LAW_ALPHA] = {"alpha", -5, 5, false}},
                            .start = start_compute,
                            LINE};
