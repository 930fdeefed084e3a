/* L = E + A / N^alpha + B / D^beta                              Hoffmann et al. 2022, approach 3 */
#include "law_sum.h"

#include <math.h>

static double loss(double *d, const double *p, double x, double y) {
    double e = exp(p[LAW_E]);
    double of_n = exp(p[LAW_A] - p[LAW_ALPHA] * x);
    double of_d = exp(p[LAW_B] - p[LAW_BETA] * y);
    if (d) {
        d[LAW_A] = of_n;
        d[LAW_B] = of_d;
        d[LAW_E] = e;
        d[LAW_ALPHA] = -x * of_n;
        d[LAW_BETA] = -y * of_d;
    }
    return e + of_n + of_d;
}

static Law additive(const Law *law) {
    return *law;
}

/* Exponents up to 5; a term may vanish to e^-25 of the loss, or E to e^-12 of it: such ends are reported as bounds. */
const LawKind law_chinchilla = {
    .name = "chinchilla",
    .formula = "L = E + A/N^alpha + B/D^beta",
    .coefficient = {[LAW_A] = {"A", -25, 40, true},
                    [LAW_B] = {"B", -25, 40, true},
                    [LAW_E] = {"E", -12, 0, true},
                    [LAW_ALPHA] = {"alpha", 0, 5, false},
                    [LAW_BETA] = {"beta", 0, 5, false}},
    .loss = loss,
    .sum = &law_chinchilla_sum,
    .starts = LAW_GRID_STARTS,
    .start = law_grid_start,
    .linear = {[LAW_A] = true, [LAW_B] = true, [LAW_E] = true},
    .additive = additive,
};
