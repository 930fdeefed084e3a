/* What a fit says to people: first one line an arm and what arms need beside each other, then everything, arm by arm.
 */
#include "infer/report.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A piece of a line, returned by value: it lasts until the line is printed. */
typedef struct Piece {
    char text[96];
} Piece;

/* The number, "-" where there is none. */
static Piece cell(const char *format, double x) {
    Piece p = {"-"};
    if (isfinite(x)) snprintf(p.text, sizeof p.text, format, x);
    return p;
}

static Piece interval(const char *format, Interval i) {
    Piece p = {"-"};
    if (isnan(i.lo) || isnan(i.hi)) return p;
    Piece lo = cell(format, i.lo), hi = cell(format, i.hi);
    snprintf(p.text, sizeof p.text, "[%.40s, %.40s]", lo.text, hi.text);
    return p;
}

/* A value with its interval. */
static Piece ranged(const char *format, double x, Interval i) {
    Piece p = {"-"};
    if (!isfinite(x)) return p;
    Piece value = cell(format, x), range = interval(format, i);
    snprintf(p.text, sizeof p.text, "%.40s %.50s", value.text, range.text);
    return p;
}

static void print_left_out(const LeftOut *out) {
    const struct {
        int64_t n;
        const char *why;
    } reason[] = {{out->keep, "by the keep or drop column, or of weight 0"},
                  {out->range, "C outside the asked-for range"},
                  {out->arm, "arm not asked for"},
                  {out->loss, "no usable loss"},
                  {out->outcome, "cell diverged or failed"},
                  {out->role, "cell not of the grid"},
                  {out->dataset, "cell on a smaller training set"},
                  {out->best, "another row of the same arm, N and D has less loss"}};
    for (int i = 0; i < (int)(sizeof reason / sizeof *reason); i++)
        if (reason[i].n)
            log_text("  left out: %lld row%s, %s", (long long)reason[i].n, reason[i].n == 1 ? "" : "s", reason[i].why);
    for (int i = 0; i < TABLE_WORDS && out->word[i].rows; i++)
        log_text("    in place of the loss: \"%s\", %lld times", out->word[i].word, (long long)out->word[i].rows);
}

static void print_notes(const Table *table) {
    for (int i = 0; i < table->notes; i++) {
        const TableNote *n = &table->note[i];
        char where[sizeof n->file + 32] = "";
        if (n->files == 1) snprintf(where, sizeof where, "%s: ", n->file);
        if (n->files > 1) snprintf(where, sizeof where, "%s and %d more: ", n->file, n->files - 1);
        log_text("  note: %s%s", where, n->text);
    }
}

static void print_head(const Analysis *a) {
    static const char *const objective[] = {"Huber on log loss", "least squares on log loss", "least squares on loss"};
    static const char *const e[] = {"", ", E = 0", ", E shared"};
    static const char *const exponents[] = {"", ", alpha = beta", ", exponents shared"};
    const LawSpec *s = &a->spec;
    log_text("%lld points, %d arm%s; law L = %s%s%s; %s%s", (long long)a->table->n, a->arms, a->arms == 1 ? "" : "s",
             s->kind->formula, e[s->e], exponents[s->exponents], objective[s->objective],
             s->objective == OBJECTIVE_HUBER ? cell(", delta %g", s->delta).text : "");
    print_left_out(&a->table->left_out);
    print_notes(a->table);
}

/* ---- Arms beside each other. ---- */

static int name_width(const Analysis *a) {
    int width = 5;
    for (int m = 0; m < a->arms; m++) width = (int)fmax(width, (double)strlen(a->table->arm[m]));
    return width;
}

static void print_arms(const Analysis *a) {
    char title[128];
    int c = a->reference_currency;
    snprintf(title, sizeof title, "N* at %s %s", cell("%.3g", a->reference).text, c < 0 ? "" : currencies[c].amount);
    log_text("\n  %-*s %7s %9s %9s %7s %7s  %-22s %-30s %s", name_width(a), "arm", "E", "A", "B", "alpha", "beta",
             "a of N* ~ C^a [95 %]", title, "status");
    for (int m = 0; m < a->arms; m++) {
        const ArmFit *arm = &a->arm[m];
        const double *v = arm->value;
        log_text("  %-*s %7s %9s %9s %7s %7s  %-22s %-30s %s", name_width(a), a->table->arm[m],
                 cell("%.4g", v[COEF_E]).text, cell("%.4g", v[COEF_A]).text, cell("%.4g", v[COEF_B]).text,
                 cell("%.4f", v[COEF_ALPHA]).text, cell("%.4f", v[COEF_BETA]).text,
                 ranged("%.3f", v[COEF_N_EXPONENT], arm->interval[COEF_N_EXPONENT]).text,
                 ranged("%.3g", arm->reference.at.n, arm->reference.n).text, arm->status);
    }
}

/* Every arm against the first one. */
static void print_multipliers(const Analysis *a) {
    if (a->arms < 2) return;
    char line[512];
    size_t at = (size_t)snprintf(line, sizeof line, "  %-*s", name_width(a), "arm");
    for (int c = 0; c < CURRENCIES; c++)
        if (a->table->has[c]) at += (size_t)snprintf(line + at, sizeof line - at, "  %-24s", currencies[c].amount);
    log_text("\n  compute for the same loss as %s, as a multiple of its compute [95 %%]; p of equal exponents",
             a->table->arm[0]);
    log_text("%s  p", line);
    for (int i = 0; i < a->comparisons; i++) {
        const Comparison *p = &a->comparison[i];
        if (p->first) continue;
        at = (size_t)snprintf(line, sizeof line, "  %-*s", name_width(a), a->table->arm[p->second]);
        for (int c = 0; c < CURRENCIES; c++) {
            const Multiplier *m = &p->currency[c].mean;
            if (a->table->has[c])
                at += (size_t)snprintf(line + at, sizeof line - at, "  %-24s",
                                       ranged("%.3g", m->value, m->interval).text);
        }
        log_text("%s  %s", line, cell("%.2g", p->exponents.valid ? p->exponents.p : NAN).text);
    }
}

/* Every step-th budget; those in a row that have no allocation for the same reason share a line. */
static void print_allocations(const BudgetFit *b, int n, int step) {
    for (int i = step / 2; i < n; i += step) {
        const BudgetFit *k = &b[i];
        int last = i;
        if (isfinite(k->at.n)) {
            log_text("    %9.3g  %-30s %-30s %-28s %s", k->at.c, ranged("%.3g", k->at.n, k->n).text,
                     ranged("%.3g", k->at.d, k->d).text, ranged("%.5g", k->at.loss, k->loss).text, k->status);
            continue;
        }
        while (last + step < n && !strcmp(b[last + step].status, k->status)) last += step;
        log_text("    %9.3g  %s%s", k->at.c, last > i ? cell("to %.3g ", b[last].at.c).text : "", k->status);
        i = last;
    }
}

/* Why a multiplier of the table above is "-", each reason once for all currencies. */
static void print_reasons(const Analysis *a) {
    for (int i = 0; i < a->comparisons; i++) {
        const Comparison *p = &a->comparison[i];
        const char *told = "";
        for (int c = 0; c < CURRENCIES && !p->first; c++) {
            const Difference *d = &p->currency[c];
            if (!a->table->has[c] || isfinite(d->mean.value) || !strcmp(told, d->status)) continue;
            log_text("    %s, %s: %s", a->table->arm[p->second], currencies[c].name, d->status);
            told = d->status;
        }
    }
}

enum { SHOWN = 12 }; /* predictions that the terminal shows; the JSON file has all */

static void print_predictions(const Analysis *a) {
    if (!a->predictions) return;
    log_text("\n  %-*s %9s %9s %9s  %s", name_width(a), "arm", "N", "D", "loss", "by the law [95 %]");
    int64_t shown = a->options.details || a->predictions <= SHOWN ? a->predictions : SHOWN;
    for (int64_t i = 0; i < shown; i++) {
        const Prediction *p = &a->prediction[i];
        log_text("  %-*s %9.4g %9.4g %9s  %s%s", name_width(a), a->table->arm[p->arm], p->n, p->d,
                 cell("%.5g", p->observed).text, ranged("%.5g", p->loss, p->interval).text,
                 p->held ? "  held out" : "");
    }
    if (shown < a->predictions) log_text("  and %lld more", (long long)(a->predictions - shown));
    for (int m = 0; m < a->arms; m++) {
        const Holdout *h = &a->arm[m].holdout;
        if (h->rows)
            log_text("  %s: %lld rows held out: log loss off by %.4f rms, %+.4f on average", a->table->arm[m],
                     (long long)h->rows, h->rms, h->mean);
    }
}

/* The allocations asked for, or by powers of ten, in the currency in which arms are put beside each other. */
static void print_answers(const Analysis *a) {
    int c = a->reference_currency;
    if (c < 0) return;
    log_text("\n  allocation in %s", currencies[c].amount);
    log_text("    %9s  %-30s %-30s %-28s %s", "C", "N* [95 %]", "D* [95 %]", "loss [95 %]", "status");
    for (int m = 0; m < a->arms; m++) {
        const CurrencyFit *k = &a->arm[m].currency[c];
        if (a->arms > 1) log_text("   %s", a->table->arm[m]);
        print_allocations(k->budget, k->budgets, 1);
    }
}

/* ---- One arm. ---- */

static void print_coefficients(const ArmFit *arm) {
    static const int coefficient[COEFS] = {LAW_E, LAW_A, LAW_B, LAW_ALPHA, LAW_BETA, -1, -1};
    const LawGroup *g = arm->group;
    log_text("\n  coefficients       value         s.e.  %-24s %s", "95 % interval", "95 % profile");
    for (int k = 0; k < COEFS; k++) {
        int c = coefficient[k], v = c < 0 ? -1 : g->problem.slot[arm->index][c];
        log_text("    %-8s %12s %12s  %-24s %s%s", coef_name[k], cell("%.6g", arm->value[k]).text,
                 cell("%.3g", arm->se[k]).text, interval("%.5g", arm->interval[k]).text,
                 c < 0 ? "-" : interval("%.5g", arm->certificate.profile[c]).text,
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
             g->by == LACK_UNTESTED ? "" : cell(": p = %.2g", g->p).text);
    if (g->size_p < LACK_LIMIT)
        log_text("    runs of one size share an error (p = %.1e): intervals are too narrow unless -fit_columns_group "
                 "names it",
                 g->size_p);
    if (arm->disagreement[0]) log_text("    %s", arm->disagreement);
}

static void print_minimum(const ArmFit *arm) {
    const LawGroup *g = arm->group;
    const LawFit *fit = &g->fit;
    log_text("\n  minimum%s", fit->arms > 1 ? " (all arms together)" : "");
    log_text("    objective %.12g, gradient %.1e, condition number %s", fit->objective, fit->gradient,
             cell("%.1e", fit->condition).text);
    log_text("    %d of %d starts end there, %d at rest elsewhere; variable projection: %s, %s relative", fit->reached,
             fit->starts, fit->others, cell("%.12g", fit->varpro).text,
             cell("%+.1e", arm->certificate.varpro_gap).text);
    log_text("    seconds: starts %.2f, variable projection %.2f, resamples %.2f, certificate %.2f", g->seconds_fit,
             g->seconds_varpro, g->seconds_spread, arm->seconds_certificate);
}

/* Budgets in a row that are refused for the same reason share a line. */
static void print_isoflop(const IsoFlop *iso, const char *currency) {
    if (!iso->curves) return;
    log_text("\n  isoFLOP curves in %s: %s", currency, iso->status);
    if (isfinite(iso->n.exponent))
        log_text("    N* ~ C^%s, D* ~ C^%s", ranged("%.3f", iso->n.exponent, iso->n.interval).text,
                 ranged("%.3f", iso->d.exponent, iso->d.interval).text);
    log_text("    %9s  %-30s %9s  %-22s %s", "C", "N* [95 %]", "D*", "N within 1 % of it", "status");
    for (int i = 0; i < iso->curves; i++) {
        const IsoCurve *k = &iso->curve[i];
        int last = i;
        while (!k->ok && last + 1 < iso->curves && !strcmp(k[last + 1 - i].status, k->status)) last++;
        if (k->ok)
            log_text("    %9.3g  %-30s %9.3g  %-22s %s", k->budget, ranged("%.3g", k->best_n, k->best_n_interval).text,
                     k->best_d, interval("%.3g", k->one_percent).text, k->status);
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
             exp(c->cost.log_kappa), c->cost.mu, c->cost.nu, ranged("%.3f", c->a, c->a_interval).text,
             ranged("%.3f", c->b, c->b_interval).text);
    log_text("    loss - E ~ C^-%s", ranged("%.3f", c->gamma, c->gamma_interval).text);
    log_text("    %9s  %-30s %-30s %-28s %s", "C", "N* [95 %]", "D* [95 %]", "loss [95 %]", "status");
    print_allocations(c->budget, c->budgets, 1);
    if (c->lawfrees) log_text("   no law assumed (Gaussian process):");
    print_allocations(c->lawfree, c->lawfrees, 4);
    print_isoflop(&c->isoflop, currencies[which].amount);
    if (isfinite(e->n_exponent))
        log_text("\n  lower envelope: %d points, N ~ C^%.3f (s.e. %.3f), D ~ C^%.3f (s.e. %.3f); %s", e->points,
                 e->n_exponent, e->n_se, e->d_exponent, e->d_se, e->caveat);
    else
        log_text("\n  lower envelope: %s", e->caveat);
}

static void print_choices(const Analysis *a, const ArmFit *arm) {
    const Certificate *c = &arm->certificate;
    const LawRows *rows = arm->rows;
    log_text("\n  other choices                              rows       E   alpha    beta       a       b  N* at %s",
             cell("%.3g", c->budget).text);
    for (int i = 0; i < c->n; i++) {
        const Sensitivity *s = &c->row[i];
        log_text("    %-40s %5lld %7s %7s %7s %7s %7s  %s", s->what, (long long)s->rows, cell("%.4g", s->E).text,
                 cell("%.4f", s->alpha).text, cell("%.4f", s->beta).text, cell("%.4f", s->a).text,
                 cell("%.4f", s->b).text, cell("%.3g", s->best_n).text);
    }
    if (!rows->n || !isfinite(c->influence[c->worst])) return;
    const Point *p = &a->table->at[rows->point[c->worst]];
    log_text("    most influential row: N %.4g, D %.4g, loss %.5g: a changes by %+.2g without it", p->n, p->d, p->loss,
             c->influence[c->worst]);
}

static void print_arm(const Analysis *a, int m) {
    const ArmFit *arm = &a->arm[m];
    log_text("\n---- arm %s: %lld rows, %s ----", a->table->arm[m], (long long)arm->rows->n, arm->status);
    print_coefficients(arm);
    print_goodness(arm);
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
    for (int c = 0; c < CURRENCIES; c++) {
        const Difference *d = &p->currency[c];
        if (!a->table->has[c]) continue;
        if (isfinite(d->mean.value))
            log_text("  %s: compute for equal loss %s times over losses %.4g to %.4g; %s", currencies[c].amount,
                     ranged("%.3g", d->mean.value, d->mean.interval).text, d->loss_lo, d->loss_hi, d->status);
        else
            log_text("  %s: %s", currencies[c].amount, d->status);
        if (isfinite(d->crossover))
            log_text("    crossover at C = %s: %s", ranged("%.3g", d->crossover, d->crossover_interval).text,
                     d->crossover_status);
        else
            log_text("    crossover: %s", d->crossover_status);
    }
}

void report_text(const Analysis *a) {
    print_head(a);
    print_arms(a);
    print_multipliers(a);
    print_reasons(a);
    print_predictions(a);
    if (!a->options.details) {
        print_answers(a);
        log_text("\n  all else: -fit_details, or -json FILE");
        return;
    }
    for (int m = 0; m < a->arms; m++) print_arm(a, m);
    for (int i = 0; i < a->comparisons; i++) print_comparison(a, &a->comparison[i]);
    const Surrogate *s = a->surrogate;
    if (s)
        log_text("\nsurrogate: %lld points, hyperparameters from %lld of them in %.2f s (%s), factor in %.2f s",
                 (long long)s->n, (long long)s->subset, s->seconds_fit, s->status, s->seconds_factor);
}
