/* T = e^(a - alpha x) + e^(b - beta y) */
#include "law_sum.h"

LAW_INLINE LawTerms terms_at(const LawAt *p, double x, double y) {
    double of_n = exp(p->a - p->alpha * x);
    double of_d = exp(p->b - p->beta * y);
    return (LawTerms){.t = of_n + of_d, .first = of_n, .second = of_d};
}

LAW_INLINE LawSlopes slopes_at(const LawAt *p, const LawTerms *terms, double factor, double x, double y) {
    (void)p;
    double a = factor * terms->first;
    double b = factor * terms->second;
    double alpha = -x * a;
    double beta = -y * b;
    return (LawSlopes){.a = a,
                       .b = b,
                       .alpha = alpha,
                       .beta = beta,
                       .aa = a,
                       .a_alpha = alpha,
                       .alpha_alpha = -x * alpha,
                       .bb = b,
                       .b_beta = beta,
                       .beta_beta = -y * beta};
}

static double objective_of(const LawColumns *rows, const Misfit *misfit, const double *p, double *g, double *h) {
    return law_sum_rows(rows, misfit, p, g, h, terms_at, slopes_at);
}

static void basis(double *basis_a, double *basis_b, const LawColumns *rows, const double *p) {
    for (int64_t i = 0; i < rows->n; i++) {
        basis_a[i] = exp(-p[LAW_ALPHA] * rows->x[i]);
        basis_b[i] = exp(-p[LAW_BETA] * rows->y[i]);
    }
}

const LawSum law_chinchilla_sum = {objective_of, basis};
