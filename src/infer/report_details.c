/* What a fit says to people with -fit_details: everything, arm by arm and pair by pair. */
#include "report_pieces.h"

#include "base/log.h"

#include <math.h>
#include <string.h>

/* ---- One arm. ---- */

static void print_coefficients(const ArmFit *arm) {
    static const int coefficient[COEFS] = {LAW_E, LAW_A, LAW_B, LAW_ALPHA, LAW_BETA, -1, -1};
    const LawGroup *g = arm->group;
    log_text("\n  coefficients       value         s.e.  %-24s %s", "95 % interval", "95 % profile");
    for (int k = 0; k < COEFS; k++) {
        int c = coefficient[k], v = c < 0 ? -1 : g->problem.slot[arm->index][c];
        log_text("    %-8s %12s %12s  %-24s %s%s", coef_name[k], piece("%.6g", arm->value[k]).text,
                 piece("%.3g", arm->se[k]).text, piece_interval("%.5g", arm->interval[k]).text,
                 c < 0 ? "-" : piece_interval("%.5g", arm->certificate.profile[c]).text,
                 v >= 0 && g->fit.at_bound[v] ? "  at a bound" : "");
    }
    log_text("    intervals and s.e. (of A and B: of the logarithm) by %s (p of even noise %.2g); %lld resamples",
             spread_name[g->spread_kind], g->uneven, (long long)g->spread.n);
    if (isfinite(arm->seed_noise))
        log_text("    noise between seeds: %.2e of log loss (%lld degrees of freedom)", arm->seed_noise,
                 (long long)arm->seed_dof);
}

static void print_goodness(const ArmFit *arm) {
    const Goodness *g = &arm->goodness;
    log_text("    rms of log residuals %.3g, R^2 %.5f; lack of fit by %s%s", g->rms, g->r2, lack_name[g->by],
             g->by == LACK_UNTESTED ? "" : piece(": p = %.2g", g->p).text);
    const char *remedy = arm->columns ? " unless -fit_columns_group names what they share" : "";
    for (int k = 0; k < SHARED_KINDS; k++)
        if (g->shared_p[k] < LACK_LIMIT)
            log_text("    %s (p = %.1e): intervals are too narrow%s", shared_text[k], g->shared_p[k], remedy);
    if (arm->disagreement[0]) log_text("    %s", arm->disagreement);
}

static void print_drift(const Drift *d) {
    if (!isfinite(d->c)) return;
    log_text("    over sub-ranges of compute: a %s below C = %.2g, %s above, change %s: %s%s%s",
             piece_ranged("%.3f", d->lower.value, d->lower.interval).text, d->c,
             piece_ranged("%.3f", d->upper.value, d->upper.interval).text,
             piece_ranged("%+.3f", d->change.value, d->change.interval).text, drift_word[d->verdict],
             d->why[0] ? ", " : "", d->why);
}

static void print_minimum(const ArmFit *arm) {
    const LawGroup *g = arm->group;
    const LawFit *fit = &g->fit;
    log_text("\n  minimum%s", fit->arms > 1 ? " (all arms together)" : "");
    log_text("    objective %.12g, gradient %.1e, condition number %s", fit->objective, fit->gradient,
             piece("%.1e", fit->condition).text);
    log_text("    %d of %d starts end there, %d at rest elsewhere; variable projection: %s, %s relative", fit->reached,
             fit->starts, fit->others, piece("%.12g", fit->varpro).text,
             piece("%+.1e", arm->certificate.varpro_gap).text);
    log_text("    seconds: starts %.2f, variable projection %.2f, resamples %.2f, certificate %.2f", g->seconds_fit,
             g->seconds_varpro, g->seconds_spread, arm->seconds_certificate);
}

/* Budgets in a row that are refused for the same reason share a line. */
static void print_isoflop(const IsoFlop *iso, const char *currency) {
    if (!iso->curves) return;
    log_text("\n  isoFLOP curves in %s: %s", currency, iso->status);
    if (isfinite(iso->n.exponent))
        log_text("    N* ~ C^%s, D* ~ C^%s", piece_ranged("%.3f", iso->n.exponent, iso->n.interval).text,
                 piece_ranged("%.3f", iso->d.exponent, iso->d.interval).text);
    log_text("    %9s  %-30s %9s  %-22s %s", "C", "N* [95 %]", "D*", "N within 1 % of it", "status");
    for (int i = 0; i < iso->curves; i++) {
        const IsoCurve *k = &iso->curve[i];
        int last = i;
        while (!k->ok && last + 1 < iso->curves && !strcmp(k[last + 1 - i].status, k->status)) last++;
        if (k->ok)
            log_text("    %9.3g  %-30s %9.3g  %-22s %s", k->budget,
                     piece_ranged("%.3g", k->best_n, k->best_n_interval).text, k->best_d,
                     piece_interval("%.3g", k->one_percent).text, k->status);
        else if (last == i)
            log_text("    %9.3g  refused: %s (%d sizes)", k->budget, k->status, k->points);
        else
            log_text("    %9.3g  to %.3g refused: %s", k->budget, iso->curve[last].budget, k->status);
        i = last;
    }
}

static void print_currency(const CurrencyFit *c, int which) {
    if (!c->known) return;
    const Envelope *e = &c->envelope;
    log_text("\n  allocation in %s, C = %.3g N^%.3f D^%.3f: N* ~ C^%s, D* ~ C^%s", currencies[which].amount,
             exp(c->cost.log_kappa), c->cost.mu, c->cost.nu, piece_ranged("%.3f", c->a, c->a_interval).text,
             piece_ranged("%.3f", c->b, c->b_interval).text);
    log_text("    loss - E ~ C^-%s", piece_ranged("%.3f", c->gamma, c->gamma_interval).text);
    log_text("    %9s  %-30s %-30s %-28s %s", "C", "N* [95 %]", "D* [95 %]", "loss [95 %]", "status");
    report_allocations(c->budget, c->budgets, 1);
    if (!c->sized) return;
    if (c->lawfrees) log_text("   no law assumed (Gaussian process):");
    report_allocations(c->lawfree, c->lawfrees, 4);
    print_isoflop(&c->isoflop, currencies[which].amount);
    if (isfinite(e->n_exponent))
        log_text("\n  lower envelope: %d points, N ~ C^%s, D ~ C^%s; %s", e->points,
                 piece_ranged("%.3f", e->n_exponent, e->n_interval).text,
                 piece_ranged("%.3f", e->d_exponent, e->d_interval).text, e->caveat);
    else
        log_text("\n  lower envelope: %s", e->caveat);
}

static void print_choices(const Analysis *a, const ArmFit *arm) {
    const Certificate *c = &arm->certificate;
    const LawRows *rows = arm->rows;
    log_text(
        "\n  other choices                              rows       E   alpha    beta       a       b  N* at %s%s%s",
        piece("%.3g", c->budget).text, a->reference_currency < 0 ? "" : " ",
        a->reference_currency < 0 ? "" : currencies[a->reference_currency].amount);
    for (int i = 0; i < c->n; i++) {
        const Sensitivity *s = &c->row[i];
        log_text("    %-40s %5lld %7s %7s %7s %7s %7s  %s", s->what, (long long)s->rows, piece("%.4g", s->E).text,
                 piece("%.4f", s->alpha).text, piece("%.4f", s->beta).text, piece("%.4f", s->a).text,
                 piece("%.4f", s->b).text, piece("%.3g", s->best_n).text);
    }
    if (!rows->n || !isfinite(c->influence[c->worst])) return;
    const Point *p = &a->table->at[rows->point[c->worst]];
    log_text("    most influential row: N %.4g, D %.4g, loss %.5g: a changes by %+.2g without it", p->n, p->d, p->loss,
             c->influence[c->worst]);
}

static void print_arm(const Analysis *a, int m) {
    const ArmFit *arm = &a->arm[m];
    log_text("\n---- arm %s: %s, %s ----", a->table->arm[m], piece_count(arm->rows->n, "row").text, arm->status);
    print_coefficients(arm);
    print_goodness(arm);
    print_drift(&arm->drift);
    print_minimum(arm);
    print_choices(a, arm);
    for (int c = 0; c < CURRENCIES; c++) print_currency(&arm->currency[c], c);
}

/* ---- Two arms. ---- */

static void print_comparison(const Analysis *a, const Comparison *p) {
    log_text("\n---- %s against %s ----", a->table->arm[p->second], a->table->arm[p->first]);
    if (p->exponents.valid)
        log_text("  equal exponents: F(%d, %d) = %.3g, p = %.3g; shared alpha %.4f, beta %.4f", p->exponents.dof1,
                 p->exponents.dof2, p->exponents.f, p->exponents.p, p->exponents.alpha, p->exponents.beta);
    else
        log_text("  equal exponents: not tested, %s", p->exponents.why);
    for (int c = 0; c < CURRENCIES; c++) {
        const Difference *d = &p->currency[c];
        if (!a->table->has[c]) continue;
        if (isfinite(d->mean.value))
            log_text("  %s: compute for equal loss by the laws %s times over losses %.4g to %.4g; %s",
                     currencies[c].amount, piece_ranged("%.3g", d->mean.value, d->mean.interval).text, d->loss_lo,
                     d->loss_hi, d->status);
        else
            log_text("  %s: %s", currencies[c].amount, d->status);
        if (isfinite(d->crossover))
            log_text("    crossover at C = %s: %s", piece_ranged("%.3g", d->crossover, d->crossover_interval).text,
                     d->crossover_status);
        else
            log_text("    crossover: %s", d->crossover_status);
    }
}

void report_details(const Analysis *a) {
    for (int m = 0; m < a->arms; m++) print_arm(a, m);
    for (int i = 0; i < a->comparisons; i++) print_comparison(a, &a->comparison[i]);
    const Surrogate *s = a->surrogate;
    if (s)
        log_text("\nsurrogate: %lld points, hyperparameters from %lld of them in %.2f s (%s), factor in %.2f s",
                 (long long)s->n, (long long)s->subset, s->seconds_fit, s->status, s->seconds_factor);
}
