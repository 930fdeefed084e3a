/* T = e^(a - alpha x) */
#include "law_sum.h"

LAW_INLINE LawTerms terms_at(const LawAt *p, double x, double y) {
    (void)y;
    return (LawTerms){.t = exp(p->a - p->alpha * x)};
}

LAW_INLINE LawSlopes slopes_at(const LawAt *p, const LawTerms *terms, double factor, double x, double y) {
    (void)p;
    (void)y;
    double a = factor * terms->t;
    double alpha = -x * a;
    return (LawSlopes){.a = a, .alpha = alpha, .aa = a, .a_alpha = alpha, .alpha_alpha = -x * alpha};
}

static double objective_of(const LawColumns *rows, const Misfit *misfit, const double *p, double *g, double *h) {
    return law_sum_rows(rows, misfit, p, g, h, terms_at, slopes_at);
}

static void basis(double *basis_a, double *basis_b, const LawColumns *rows, const double *p) {
    for (int64_t i = 0; i < rows->n; i++) {
        basis_a[i] = exp(-p[LAW_ALPHA] * rows->x[i]);
        basis_b[i] = 0;
    }
}

const LawSum law_line_sum = {objective_of, basis};
