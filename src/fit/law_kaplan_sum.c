/* T = e^tau, tau = beta log(e^u + e^v), u = (a - alpha x) / beta, v = b / beta - y. With w the share of e^u in the sum,
 * w' = 1 - w and l = u - v = log(w / w'):
 *
 *     d tau = w (da - x dalpha) + w' (db - y dbeta) + H dbeta        H = log(1/w) w + log(1/w') w', their entropy
 *     d2 tau = (w w' / beta) q q',   q = (1, -1, -x, y - l) in (a, b, alpha, beta)
 *     d2 T = T (d tau d tau' + d2 tau) */
#include "law_sum.h"

/* t = T; first = l, second = the smaller share. */
LAW_INLINE LawTerms terms_at(const LawAt *p, double x, double y) {
    double u = (p->a - p->alpha * x) / p->beta;
    double v = p->b / p->beta - y;
    double small = exp(-fabs(u - v));
    double t = exp(p->beta * (fmax(u, v) + log(1 + small)));
    return (LawTerms){.t = t, .first = u - v, .second = small / (1 + small)};
}

LAW_INLINE LawSlopes slopes_at(const LawAt *p, const LawTerms *terms, double factor, double x, double y) {
    double l = terms->first;
    double small = terms->second;
    double w = l < 0 ? small : 1 - small;
    double rest = l < 0 ? 1 - small : small;
    double entropy = fabs(l) * small - log(1 - small);
    double bend = w * rest / p->beta;
    double t = factor * terms->t;
    double of_beta = entropy - y * rest; /* d tau / d beta */
    double q = y - l;
    double aa = t * (w * w + bend);
    double ab = t * (w * rest - bend);
    double a_beta = t * (w * of_beta + bend * q);
    return (LawSlopes){.a = t * w,
                       .b = t * rest,
                       .alpha = -x * t * w,
                       .beta = t * of_beta,
                       .aa = aa,
                       .ab = ab,
                       .a_alpha = -x * aa,
                       .a_beta = a_beta,
                       .bb = t * (rest * rest + bend),
                       .b_alpha = -x * ab,
                       .b_beta = t * (rest * of_beta - bend * q),
                       .alpha_alpha = x * x * aa,
                       .alpha_beta = -x * a_beta,
                       .beta_beta = t * (of_beta * of_beta + bend * q * q)};
}

static double objective_of(const LawColumns *rows, const Misfit *misfit, const double *p, double *g, double *h) {
    return law_sum_rows(rows, misfit, p, g, h, terms_at, slopes_at);
}

/* T multiplies A = 1. */
static void basis(double *basis_a, double *basis_b, const LawColumns *rows, const double *p) {
    const LawAt at = {.a = p[LAW_A], .b = p[LAW_B], .alpha = p[LAW_ALPHA], .beta = p[LAW_BETA]};
    for (int64_t i = 0; i < rows->n; i++) {
        basis_a[i] = terms_at(&at, rows->x[i], rows->y[i]).t;
        basis_b[i] = 0;
    }
}

const LawSum law_kaplan_sum = {objective_of, basis};
