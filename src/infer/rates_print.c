#include "base/log.h"
#include "infer/rates.h"

#include <math.h>

static void print_arm(const RateRule *r) {
    if (!r->found) {
        log_text("---- arm %s: %d cases, no rule: want two sizes and two lengths, three rates or more in each, a "
                 "factor of 2 apart, with a best one\n",
                 r->arm, r->cases);
        return;
    }
    log_text("---- arm %s: %d cases, parabola of log loss in log lr with curvature %.3f, noise %.3f ----", r->arm,
             r->cases, r->curvature, r->noise);
    log_text("%10s %8s %6s %6s %12s %10s %10s %10s %7s", "N", "steps", "rates", "seeds", "best tried", "own best",
             "its loss", "rule", "cost");
    for (int k = 0; k < r->cases; k++) {
        const RateCase *c = &r->at[k];
        log_text("%10lld %8lld %6d %6d %12.3g %10.3g %10.4f %10.3g %6.1f%%%s", (long long)c->parameters,
                 (long long)c->steps, c->rates, c->seeds, c->best, c->own, c->loss, c->rule, 100 * expm1(c->cost),
                 c->edge ? "  edge of the sweep: widen it" : "");
    }
    log_text("lr = %.3g (N / 1e5)^-%.3f min(1, (steps / %.0f)^-%.3f); standard errors %.0f %%, %.3f, %.3f", r->lr, r->p,
             r->s0, r->q, 100 * r->lr_se, r->p_se, r->q_se);
    log_text(
        "the rule costs %.1f %% of the loss in the median, %.1f %% at most; best rate at an edge in %d of %d cases",
        100 * expm1(r->cost_median), 100 * expm1(r->cost_most), r->edges, r->cases);
    if (isfinite(r->a_own) && isfinite(r->a_rule))
        log_text("N* ~ C^a (nominal, L = A/N^alpha + B/D^beta): a = %.3f from the losses at each case's own best rate, "
                 "%.3f at the "
                 "rule's: the rule moves a by %+.3f",
                 r->a_own, r->a_rule, r->a_rule - r->a_own);
    log_text("%s", "");
}

void rates_print(const RateRule *rule, int rules) {
    for (int i = 0; i < rules; i++) print_arm(&rule[i]);
    log_text("keys of the rules, for a study file:");
    for (int i = 0; i < rules; i++) {
        const RateRule *r = &rule[i];
        if (!r->found) continue;
        log_text("%s:\n  lr: %.2g\n  lr_exponent: %.2f\n  lr_steps: %.0f\n  lr_steps_exponent: %.2f", r->arm, r->lr,
                 r->p, r->s0, r->q);
    }
}
