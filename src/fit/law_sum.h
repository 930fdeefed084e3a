/** The sum over rows that a fit of a law minimises, with gradient and Hessian, in one pass. A law gives its value and
 *  derivatives at a row as two functions that are inlined here (see law_chinchilla_sum.c), so that the loop vectorises.
 *
 *      S = T(a, b, alpha, beta; x, y) + E         f = sum_i w_i rho(r_i)
 *      Huber: r = log L - log S, rho(r) = r^2/2 for |r| <= delta, else delta (|r| - delta/2); log: delta = infinity;
 *      loss: r = L - S, rho = r^2/2. Rows above the law (r > 0) and below it have a factor each (Misfit).
 *
 *  Hessian: curvature of rho times d d', minus its slope times the Hessian of S; log S adds its own -d d'. */
#pragma once

#include "fit/law_kind.h"

#include <math.h>
#include <stddef.h>

/** The coefficients at which the sum is taken; E itself, not its logarithm. */
typedef struct LawAt {
    double a, b, e, alpha, beta;
} LawAt;

/** T at a row, and what else the derivatives need, as the law likes. */
typedef struct LawTerms {
    double t, first, second;
} LawTerms;

/** First and second derivatives of T, times a factor. */
typedef struct LawSlopes {
    double a, b, alpha, beta;
    double aa, ab, a_alpha, a_beta, bb, b_alpha, b_beta, alpha_alpha, alpha_beta, beta_beta;
} LawSlopes;

typedef LawTerms LawTermsAt(const LawAt *p, double x, double y);
typedef LawSlopes LawSlopesAt(const LawAt *p, const LawTerms *terms, double factor, double x, double y);

#define LAW_NO_DELTA 1e300 /* no residual is larger; an infinity is not allowed here */
#define LAW_INLINE __attribute__((always_inline)) static inline

/* Accumulators have names, not indices: an array would keep the loop from vectorising. */
LAW_INLINE double law_sum_pass(const LawColumns *rows, const Misfit *misfit, const double *p, double *restrict g,
                               double *restrict h, LawTermsAt *terms_at, LawSlopesAt *slopes_at, const bool on_loss,
                               const bool second) {
    const double delta = misfit->objective == OBJECTIVE_HUBER ? misfit->delta : LAW_NO_DELTA;
    const double above = misfit->above, below = misfit->below;
    const LawAt at = {.a = p[LAW_A], .b = p[LAW_B], .e = exp(p[LAW_E]), .alpha = p[LAW_ALPHA], .beta = p[LAW_BETA]};
    const double *restrict x = rows->x, *restrict y = rows->y, *restrict z = rows->z, *restrict loss = rows->loss;
    const double *restrict w = rows->w;
    double f = 0;
    double ga = 0, gb = 0, ge = 0, gx = 0, gy = 0; /* x: alpha, y: beta */
    double haa = 0, hab = 0, hae = 0, hax = 0, hay = 0, hbb = 0, hbe = 0, hbx = 0, hby = 0, hee = 0, hex = 0, hey = 0;
    double hxx = 0, hxy = 0, hyy = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        LawTerms terms = terms_at(&at, x[i], y[i]);
        double s = terms.t + at.e;
        double r = on_loss ? loss[i] - s : z[i] - log(s);
        double factor = on_loss ? 1 : 1 / s; /* d r / d p = -factor dS/dp */
        double size = fabs(r);
        double inside = size <= delta ? 1.0 : 0.0;
        double slope = fmin(fmax(r, -delta), delta);
        double weight = w[i] * (r > 0 ? above : below);
        f += weight * (fabs(slope) * (size - 0.5 * fabs(slope)));
        LawSlopes d = slopes_at(&at, &terms, factor, x[i], y[i]);
        double e = factor * at.e;
        double c0 = weight * slope;
        ga -= c0 * d.a;
        gb -= c0 * d.b;
        ge -= c0 * e;
        gx -= c0 * d.alpha;
        gy -= c0 * d.beta;
        if (second) {
            double c1 = weight * inside + (on_loss ? 0 : c0);
            haa += c1 * d.a * d.a - c0 * d.aa;
            hab += c1 * d.a * d.b - c0 * d.ab;
            hae += c1 * d.a * e;
            hax += c1 * d.a * d.alpha - c0 * d.a_alpha;
            hay += c1 * d.a * d.beta - c0 * d.a_beta;
            hbb += c1 * d.b * d.b - c0 * d.bb;
            hbe += c1 * d.b * e;
            hbx += c1 * d.b * d.alpha - c0 * d.b_alpha;
            hby += c1 * d.b * d.beta - c0 * d.b_beta;
            hee += c1 * e * e - c0 * e;
            hex += c1 * e * d.alpha;
            hey += c1 * e * d.beta;
            hxx += c1 * d.alpha * d.alpha - c0 * d.alpha_alpha;
            hxy += c1 * d.alpha * d.beta - c0 * d.alpha_beta;
            hyy += c1 * d.beta * d.beta - c0 * d.beta_beta;
        }
    }
    const double first_sums[LAW_COEFFICIENTS] = {ga, gb, ge, gx, gy};
    for (int k = 0; g && k < LAW_COEFFICIENTS; k++) g[k] += first_sums[k];
    const double second_sums[LAW_COEFFICIENTS * LAW_COEFFICIENTS] = {haa, hab, hae, hax, hay, hab, hbb, hbe, hbx,
                                                                     hby, hae, hbe, hee, hex, hey, hax, hbx, hex,
                                                                     hxx, hxy, hay, hby, hey, hxy, hyy};
    for (int k = 0; h && k < LAW_COEFFICIENTS * LAW_COEFFICIENTS; k++) h[k] += second_sums[k];
    return f;
}

LAW_INLINE double law_sum_rows(const LawColumns *rows, const Misfit *misfit, const double *p, double *g, double *h,
                               LawTermsAt *terms_at, LawSlopesAt *slopes_at) {
    bool on_loss = misfit->objective == OBJECTIVE_LOSS;
    if (on_loss && h) return law_sum_pass(rows, misfit, p, g, h, terms_at, slopes_at, true, true);
    if (on_loss) return law_sum_pass(rows, misfit, p, g, h, terms_at, slopes_at, true, false);
    if (h) return law_sum_pass(rows, misfit, p, g, h, terms_at, slopes_at, false, true);
    return law_sum_pass(rows, misfit, p, g, h, terms_at, slopes_at, false, false);
}

/** The sums of the laws. */
extern const LawSum law_chinchilla_sum, law_kaplan_sum, law_line_sum;
