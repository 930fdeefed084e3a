#include "fit/law_kind.h"

#include <math.h>
#include <stddef.h>

const LawKind *const law_kinds[LAW_KINDS] = {&law_chinchilla, &law_kaplan,  &law_parameters,
                                             &law_samples,    &law_compute, &law_optima};

double law_loss(const Law *law, double n, double d) {
    return law_loss_of_run(law, n, d, NAN);
}

double law_loss_of_run(const Law *law, double n, double d, double c) {
    const double first[] = {[LAW_OF_N_AND_D] = n, [LAW_OF_N] = n, [LAW_OF_D] = d, [LAW_OF_C] = c};
    double p[LAW_COEFFICIENTS];
    law_centred(p, law, 0, 0);
    return law->kind->loss(NULL, p, log(first[law->kind->axes]), log(d));
}

bool law_has(const LawKind *kind, int coefficient) {
    return kind->coefficient[coefficient].name != NULL;
}

bool law_splits(const LawKind *kind) {
    return kind->axes == LAW_OF_N_AND_D;
}

void law_centred(double *p, const Law *law, double x0, double y0) {
    p[LAW_A] = law->a - law->alpha * x0;
    p[LAW_B] = law->b - law->beta * y0;
    p[LAW_E] = law->e;
    p[LAW_ALPHA] = law->alpha;
    p[LAW_BETA] = law->beta;
}

void law_factors(double *a, double *b, const Law *law) {
    double log_a = law->a;
    double log_b = law->b;
    if (law->kind->factors) law->kind->factors(&log_a, &log_b, law);
    *a = exp(log_a);
    *b = exp(log_b);
}

enum { GRID_EXPONENTS = 5, GRID_ERRORS = 5, GRID_FACTORS = 6 };
_Static_assert(GRID_EXPONENTS *GRID_EXPONENTS *GRID_ERRORS *GRID_FACTORS *GRID_FACTORS == LAW_GRID_STARTS, "grid");

void law_grid_start(Law *law, int s) {
    law->alpha = 0.5 * (s % GRID_EXPONENTS);
    s /= GRID_EXPONENTS;
    law->beta = 0.5 * (s % GRID_EXPONENTS);
    s /= GRID_EXPONENTS;
    law->e = 0.5 * (s % GRID_ERRORS) - 1;
    s /= GRID_ERRORS;
    law->a = 5 * (s % GRID_FACTORS);
    law->b = 5 * (s / GRID_FACTORS);
}

void law_predict(double *out, const LawKind *kind, const LawColumns *rows, const double *p) {
    for (int64_t i = 0; i < rows->n; i++) out[i] = kind->loss(NULL, p, rows->x[i], rows->y[i]);
}
