#include "fit/analysis.h"

#include "base/log.h"
#include "fit/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *method_of(const LawSpec *spec) {
    return spec->objective == OBJECTIVE_HUBER ? "law, Huber on log loss"
           : spec->objective == OBJECTIVE_LOG ? "law, least squares on log loss"
                                              : "law, least squares on loss";
}

static const char *const spread_name[] = {"resampled cells", "resampled residuals",
                                          "resampled residuals, scaled as the noise"};

/* ---- For people. ---- */

static void print_left_out(const LeftOut *out) {
    const struct {
        int64_t n;
        const char *why;
    } reason[] = {{out->keep, "keep column or weight 0"},
                  {out->range, "C outside the asked-for range"},
                  {out->arm, "arm not asked for"},
                  {out->loss, "no usable loss"},
                  {out->outcome, "cell diverged or failed"},
                  {out->role, "cell not of the grid"},
                  {out->dataset, "cell on a smaller training set"}};
    for (int i = 0; i < (int)(sizeof reason / sizeof *reason); i++)
        if (reason[i].n) log_text("  left out: %lld rows, %s", (long long)reason[i].n, reason[i].why);
}

static void print_law(const ArmFit *arm, const LawSpec *spec) {
    const LawFit *fit = &arm->group->fit;
    log_text("  L = E + A/N^alpha + B/D^beta   %s; %lld rows; %s", method_of(spec), (long long)arm->rows->n,
             arm->status);
    log_text("  objective %.12g  gradient %.1e  condition %.1e  starts at the minimum %d of %d", fit->objective,
             fit->gradient, fit->condition, fit->reached, fit->starts);
    log_text("  %-6s %12s %12s  %s", "", "value", "s.e.", "95 % interval");
    for (int k = 0; k < COEFS; k++)
        log_text("  %-6s %12.6g %12.3g  [%.6g, %.6g]", coef_name[k], arm->value[k], arm->se[k], arm->interval[k].lo,
                 arm->interval[k].hi);
    log_text("  intervals by %s (p-value of even noise %.2g), s.e. over resampled cells; %lld resamples each",
             spread_name[arm->group->spread_kind], arm->group->uneven, (long long)arm->group->spread.n);
    if (isfinite(arm->seed_noise))
        log_text("  noise between seeds: %.2e of log loss (%lld degrees of freedom)", arm->seed_noise,
                 (long long)arm->seed_dof);
}

static void print_certificate(const ArmFit *arm) {
    static const int order[] = {LAW_E, LAW_A, LAW_B, LAW_ALPHA, LAW_BETA};
    const Certificate *c = &arm->certificate;
    const LawProblem *p = &arm->group->problem;
    if (!arm->certified) return;
    log_text("  certificate");
    log_text("    starts: %d of %d at the minimum, %d at rest elsewhere; variable projection %.12g (%+.1e relative)",
             arm->group->fit.reached, arm->group->fit.starts, arm->group->fit.others, c->varpro, c->varpro_gap);
    for (int k = 0; k < LAW_COEFFICIENTS; k++) {
        int v = p->slot[0][order[k]];
        bool bound = v >= 0 && arm->group->fit.at_bound[v];
        log_text("    profile of %-5s [%.6g, %.6g]%s", coef_name[k], c->profile[order[k]].lo, c->profile[order[k]].hi,
                 bound ? "  at a bound" : "");
    }
    log_text("    %d starts in %.2f s, resamples in %.2f and %.2f s", arm->group->fit.starts, arm->group->seconds_fit,
             arm->group->seconds_cells, arm->group->seconds_spread);
    log_text("    most influential row: N %.4g D %.4g, a changes by %+.4f without it",
             exp(p->rows[0].x[c->worst] + p->x0[0]), exp(p->rows[0].y[c->worst] + p->y0[0]), c->influence[c->worst]);
    log_text(
        "    other choices                             rows        E    alpha     beta        a        b   N* at %.2g",
        c->budget);
    for (int i = 0; i < c->n; i++)
        log_text("    %-40s %5lld %8.4g %8.4f %8.4f %8.4f %8.4f   %.3g", c->row[i].what, (long long)c->row[i].rows,
                 c->row[i].E, c->row[i].alpha, c->row[i].beta, c->row[i].a, c->row[i].b, c->row[i].best_n);
}

static void print_comparison(const Analysis *a, const Comparison *p) {
    const char *first = a->table->arm[p->first], *second = a->table->arm[p->second];
    log_text("\n%s against %s", second, first);
    if (p->exponents.valid)
        log_text("  equal exponents: F(%d, %d) = %.3g, p = %.3g; shared alpha %.4f, beta %.4f", p->exponents.dof1,
                 p->exponents.dof2, p->exponents.f, p->exponents.p, p->exponents.alpha, p->exponents.beta);
    for (int c = 0; c < CURRENCIES; c++) {
        const Difference *d = &p->currency[c];
        if (!a->table->has[c]) continue;
        log_text("  %s: compute for equal loss %.3g times [%.3g, %.3g] over losses %.4g to %.4g; %s", currency_name[c],
                 d->mean.value, d->mean.interval.lo, d->mean.interval.hi, d->loss_lo, d->loss_hi, d->status);
        if (isfinite(d->crossover))
            log_text("    crossover at C = %.3g [%.3g, %.3g]: %s", d->crossover, d->crossover_interval.lo,
                     d->crossover_interval.hi, d->crossover_status);
        else
            log_text("    crossover: %s", d->crossover_status);
    }
}

static void print_isoflop(const IsoFlop *iso) {
    if (!iso->curves) return;
    log_text("    isoFLOP: %s; N* ~ C^%.3f [%.3f, %.3f], D* ~ C^%.3f [%.3f, %.3f]", iso->status, iso->n.exponent,
             iso->n.interval.lo, iso->n.interval.hi, iso->d.exponent, iso->d.interval.lo, iso->d.interval.hi);
    for (int i = 0; i < iso->curves; i++) {
        const IsoCurve *k = &iso->curve[i];
        if (k->ok)
            log_text("      C %9.3g  N* %9.3g [%.3g, %.3g]  D* %9.3g  within 1 %%: N in [%.3g, %.3g]  %s", k->budget,
                     k->best_n, k->best_n_interval.lo, k->best_n_interval.hi, k->best_d, k->one_percent.lo,
                     k->one_percent.hi, k->status);
        else
            log_text("      C %9.3g  refused: %s (%d sizes)", k->budget, k->status, k->points);
    }
}

static void print_currency(const CurrencyFit *c, int which) {
    if (!c->known) return;
    log_text("  in %s %s (C = %.3g N^%.3f D^%.3f): N* ~ C^%.3f [%.3f, %.3f], D* ~ C^%.3f [%.3f, %.3f]",
             currency_name[which], currency_unit[which], exp(c->cost.log_kappa), c->cost.mu, c->cost.nu, c->a,
             c->a_interval.lo, c->a_interval.hi, c->b, c->b_interval.lo, c->b_interval.hi);
    for (int i = 0; i < c->budgets; i++) {
        const BudgetFit *b = &c->budget[i];
        if (isfinite(b->at.n))
            log_text("    C %9.3g  N* %9.3g [%.3g, %.3g]  D* %9.3g [%.3g, %.3g]  loss %.5g [%.5g, %.5g]  %s", b->at.c,
                     b->at.n, b->n.lo, b->n.hi, b->at.d, b->d.lo, b->d.hi, b->at.loss, b->loss.lo, b->loss.hi,
                     b->status);
        else
            log_text("    C %9.3g  %s", b->at.c, b->status);
    }
    print_isoflop(&c->isoflop);
    log_text("    envelope: %d points, N ~ C^%.3f (s.e. %.3f), D ~ C^%.3f (s.e. %.3f); %s", c->envelope.points,
             c->envelope.n_exponent, c->envelope.n_se, c->envelope.d_exponent, c->envelope.d_se, c->envelope.caveat);
    for (int i = 0; i < c->lawfrees; i++) {
        const BudgetFit *b = &c->lawfree[i];
        if (i == 0) log_text("    no law assumed (Gaussian process):");
        if (i % 4 == 2 && isfinite(b->at.n))
            log_text("      C %9.3g  N* %9.3g [%.3g, %.3g]  D* %9.3g  loss %.5g [%.5g, %.5g]  %s", b->at.c, b->at.n,
                     b->n.lo, b->n.hi, b->at.d, b->at.loss, b->loss.lo, b->loss.hi, b->status);
    }
}

void analysis_print(const Analysis *a) {
    log_text("%lld points, %d arm%s", (long long)a->table->n, a->arms, a->arms == 1 ? "" : "s");
    print_left_out(&a->table->left_out);
    for (int m = 0; m < a->arms; m++) {
        log_text("\narm %s", a->table->arm[m]);
        print_law(&a->arm[m], &a->spec);
        for (int c = 0; c < CURRENCIES; c++) print_currency(&a->arm[m].currency[c], c);
        print_certificate(&a->arm[m]);
    }
    for (int i = 0; i < a->comparisons; i++) print_comparison(a, &a->comparison[i]);
    const Surrogate *s = a->surrogate;
    if (s)
        log_text("\nsurrogate: %lld points, hyperparameters from %lld of them in %.2f s (%s), factor in %.2f s",
                 (long long)s->n, (long long)s->subset, s->seconds_fit, s->status, s->seconds_factor);
}

/* ---- For programs. ---- */

static void json_interval(Json *j, const char *key, Interval i) {
    json_pair(j, key, i.lo, i.hi);
}

static void json_budgets(Json *j, const char *key, const BudgetFit *b, int n) {
    json_array(j, key);
    for (int i = 0; i < n; i++) {
        json_object(j, NULL);
        json_number(j, "C", b[i].at.c);
        json_number(j, "N", b[i].at.n);
        json_number(j, "D", b[i].at.d);
        json_number(j, "loss", b[i].at.loss);
        json_text(j, "status", b[i].status);
        json_object(j, "interval");
        json_interval(j, "N", b[i].n);
        json_interval(j, "D", b[i].d);
        json_interval(j, "loss", b[i].loss);
        json_end_object(j);
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_power(Json *j, const char *key, const PowerLaw *p) {
    json_object(j, key);
    json_number(j, "factor", exp(p->log_factor));
    json_number(j, "exponent", p->exponent);
    json_interval(j, "interval", p->interval);
    json_end_object(j);
}

static void json_isoflop(Json *j, const IsoFlop *iso) {
    json_object(j, "isoflop");
    json_text(j, "status", iso->status);
    json_number(j, "noise", iso->noise);
    json_power(j, "N", &iso->n);
    json_power(j, "D", &iso->d);
    json_power(j, "loss", &iso->loss);
    json_array(j, "curves");
    for (int i = 0; i < iso->curves; i++) {
        const IsoCurve *k = &iso->curve[i];
        json_object(j, NULL);
        json_number(j, "C", k->budget);
        json_text(j, "status", k->status);
        json_bool(j, "ok", k->ok);
        const struct {
            const char *key;
            const double *v;
        } column[] = {{"N", k->n}, {"D", k->d}, {"loss", k->loss}};
        for (int c = 0; c < 3; c++) {
            json_array(j, column[c].key);
            for (int p = 0; p < k->points; p++) json_number(j, NULL, column[c].v[p]);
            json_end_array(j);
        }
        json_array(j, "parabola");
        for (int p = 0; p < 3; p++) json_number(j, NULL, p == 0 ? k->p0 : p == 1 ? k->p1 : k->p2);
        json_end_array(j);
        json_number(j, "centre", k->centre);
        json_number(j, "curvature", k->curvature);
        json_number(j, "curvature_se", k->curvature_se);
        json_number(j, "rms", k->rms);
        json_number(j, "best_N", k->best_n);
        json_number(j, "best_D", k->best_d);
        json_number(j, "best_loss", k->best_loss);
        json_interval(j, "best_N_interval", k->best_n_interval);
        json_interval(j, "one_percent", k->one_percent);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void json_envelope(Json *j, const Envelope *e) {
    json_object(j, "envelope");
    json_text(j, "caveat", e->caveat);
    json_int(j, "unfinished", e->unfinished);
    json_object(j, "N");
    json_number(j, "factor", e->n_factor);
    json_number(j, "exponent", e->n_exponent);
    json_number(j, "se", e->n_se);
    json_end_object(j);
    json_object(j, "D");
    json_number(j, "factor", e->d_factor);
    json_number(j, "exponent", e->d_exponent);
    json_number(j, "se", e->d_se);
    json_end_object(j);
    json_array(j, "points");
    for (int i = 0; i < e->points; i++) {
        json_object(j, NULL);
        json_number(j, "C", e->point[i].c);
        json_number(j, "N", e->point[i].n);
        json_number(j, "D", e->point[i].d);
        json_number(j, "loss", e->point[i].loss);
        json_bool(j, "final", e->point[i].final);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void json_currency(Json *j, const CurrencyFit *c, int which) {
    json_object(j, currency_name[which]);
    json_text(j, "unit", currency_unit[which]);
    json_number(j, "kappa", exp(c->cost.log_kappa));
    json_number(j, "mu", c->cost.mu);
    json_number(j, "nu", c->cost.nu);
    json_number(j, "a", c->a);
    json_number(j, "b", c->b);
    json_object(j, "interval");
    json_interval(j, "a", c->a_interval);
    json_interval(j, "b", c->b_interval);
    json_end_object(j);
    json_number(j, "C_min", c->c_min);
    json_number(j, "C_max", c->c_max);
    json_budgets(j, "allocation", c->budget, c->budgets);
    json_budgets(j, "frontier", c->frontier, c->frontiers);
    json_isoflop(j, &c->isoflop);
    json_envelope(j, &c->envelope);
    json_budgets(j, "surrogate", c->lawfree, c->lawfrees);
    json_end_object(j);
}

static void json_points(Json *j, const Analysis *a, const ArmFit *arm) {
    const Law *law = &arm->group->fit.law[arm->index];
    json_array(j, "points");
    for (int64_t i = 0; i < arm->rows->n; i++) {
        const Point *p = &a->table->at[arm->rows->point[i]];
        json_object(j, NULL);
        json_number(j, "N", p->n);
        json_number(j, "D", p->d);
        for (int c = 0; c < CURRENCIES; c++)
            if (a->table->has[c]) json_number(j, currency_name[c], p->c[c]);
        json_number(j, "loss", p->loss);
        json_number(j, "fitted", law_loss(law, p->n, p->d));
        json_number(j, "weight", p->weight);
        json_int(j, "seed", p->seed);
        if (arm->certified) json_number(j, "influence", arm->certificate.influence[i]);
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_certificate(Json *j, const Certificate *c) {
    static const char *const name[LAW_COEFFICIENTS] = {"A", "B", "E", "alpha", "beta"};
    json_number(j, "varpro", c->varpro);
    json_number(j, "varpro_gap", c->varpro_gap);
    json_object(j, "profile");
    for (int k = 0; k < LAW_COEFFICIENTS; k++) json_interval(j, name[k], c->profile[k]);
    json_end_object(j);
    json_number(j, "reference_budget", c->budget);
    json_array(j, "sensitivity");
    for (int i = 0; i < c->n; i++) {
        json_object(j, NULL);
        json_text(j, "what", c->row[i].what);
        json_int(j, "rows", c->row[i].rows);
        json_number(j, "E", c->row[i].E);
        json_number(j, "alpha", c->row[i].alpha);
        json_number(j, "beta", c->row[i].beta);
        json_number(j, "a", c->row[i].a);
        json_number(j, "b", c->row[i].b);
        json_number(j, "N", c->row[i].best_n);
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_arm(Json *j, const Analysis *a, int m) {
    const ArmFit *arm = &a->arm[m];
    const LawFit *fit = &arm->group->fit;
    json_object(j, NULL);
    json_text(j, "name", a->table->arm[m]);
    json_text(j, "method", method_of(&a->spec));
    json_text(j, "status", arm->status);
    for (int k = 0; k < COEFS; k++) json_number(j, coef_name[k], arm->value[k]);
    json_number(j, "objective", fit->objective);
    json_int(j, "rows", arm->rows->n);
    json_object(j, "interval");
    for (int k = 0; k < COEFS; k++) json_interval(j, coef_name[k], arm->interval[k]);
    json_end_object(j);
    json_object(j, "se");
    for (int k = 0; k < COEFS; k++) json_number(j, coef_name[k], arm->se[k]);
    json_end_object(j);
    json_object(j, "certificate");
    json_number(j, "gradient", fit->gradient);
    json_number(j, "condition", fit->condition);
    json_int(j, "starts", fit->starts);
    json_int(j, "reached", fit->reached);
    json_number(j, "share_reached", (double)fit->reached / fit->starts);
    json_int(j, "others", fit->others);
    json_number(j, "seconds_fit", arm->group->seconds_fit);
    json_number(j, "seconds_cells", arm->group->seconds_cells);
    json_number(j, "seconds_spread", arm->group->seconds_spread);
    json_array(j, "at_bound");
    static const char *const coefficient[LAW_COEFFICIENTS] = {"A", "B", "E", "alpha", "beta"};
    for (int k = 0; k < LAW_COEFFICIENTS; k++) {
        int v = arm->group->problem.slot[arm->index][k];
        if (v >= 0 && fit->at_bound[v]) json_text(j, NULL, coefficient[k]);
    }
    json_end_array(j);
    if (arm->certified) json_certificate(j, &arm->certificate);
    json_text(j, "intervals_by", spread_name[arm->group->spread_kind]);
    json_number(j, "even_noise_p", arm->group->uneven);
    json_number(j, "seed_noise", arm->seed_noise);
    json_int(j, "seed_dof", arm->seed_dof);
    json_end_object(j);
    json_object(j, "currencies");
    for (int c = 0; c < CURRENCIES; c++)
        if (arm->currency[c].known) json_currency(j, &arm->currency[c], c);
    json_end_object(j);
    json_points(j, a, arm);
    json_end_object(j);
}

static void json_surrogate(Json *j, const Surrogate *s) {
    json_object(j, "surrogate");
    json_text(j, "status", s->status);
    json_int(j, "points", s->n);
    json_int(j, "subset", s->subset);
    json_number(j, "log_likelihood", s->log_likelihood);
    json_object(j, "hyperparameters");
    for (int k = 0; k < GP_PARAMETERS; k++) {
        bool size = k == GP_SCALE || k >= GP_UNFINISHED;
        double rho = 1 / (1 + exp(-s->theta[k]));
        json_number(j, gp_name[k], k == GP_RHO ? rho : exp(s->theta[k]) * (size ? s->scale : 1));
    }
    json_end_object(j);
    json_number(j, "seconds_fit", s->seconds_fit);
    json_number(j, "seconds_factor", s->seconds_factor);
    json_end_object(j);
}

static void json_comparison(Json *j, const Analysis *a, const Comparison *p) {
    json_object(j, NULL);
    json_text(j, "first", a->table->arm[p->first]);
    json_text(j, "second", a->table->arm[p->second]);
    json_object(j, "exponents");
    json_number(j, "F", p->exponents.valid ? p->exponents.f : NAN);
    json_number(j, "p", p->exponents.valid ? p->exponents.p : NAN);
    json_int(j, "dof1", p->exponents.dof1);
    json_int(j, "dof2", p->exponents.dof2);
    json_number(j, "alpha", p->exponents.valid ? p->exponents.alpha : NAN);
    json_number(j, "beta", p->exponents.valid ? p->exponents.beta : NAN);
    json_end_object(j);
    json_object(j, "currencies");
    for (int c = 0; c < CURRENCIES; c++) {
        const Difference *d = &p->currency[c];
        if (!a->table->has[c]) continue;
        json_object(j, currency_name[c]);
        json_text(j, "status", d->status);
        json_pair(j, "loss_range", d->loss_lo, d->loss_hi);
        json_number(j, "multiplier", d->mean.value);
        json_interval(j, "interval", d->mean.interval);
        json_array(j, "at");
        for (int i = 0; i < COMPARE_LOSSES; i++) {
            json_object(j, NULL);
            json_number(j, "loss", d->at[i].loss);
            json_number(j, "multiplier", d->at[i].value);
            json_interval(j, "interval", d->at[i].interval);
            json_end_object(j);
        }
        json_end_array(j);
        json_object(j, "crossover");
        json_text(j, "status", d->crossover_status);
        json_number(j, "C", d->crossover);
        json_interval(j, "interval", d->crossover_interval);
        json_number(j, "share", d->crossover_share);
        json_end_object(j);
        json_end_object(j);
    }
    json_end_object(j);
    json_end_object(j);
}

static Err write_json(const Analysis *a, const char *path) {
    char temporary[OPTION_TEXT + 32];
    snprintf(temporary, sizeof temporary, "%s.tmp%ld", path, (long)getpid());
    Json j = {.file = fopen(temporary, "w")};
    if (!j.file) return err_user("%s: %s: want a path that can be written", path, strerror(errno));
    json_object(&j, NULL);
    json_text(&j, "format", "equiscale-fit-1");
    json_text(&j, "objective", a->options.objective);
    json_number(&j, "delta", a->options.delta);
    json_int(&j, "bootstraps", a->options.bootstraps);
    json_int(&j, "points", a->table->n);
    json_bool(&j, "assumed_6nd", a->table->assumed_6nd);
    const LeftOut *out = &a->table->left_out;
    json_object(&j, "left_out");
    json_int(&j, "keep", out->keep);
    json_int(&j, "range", out->range);
    json_int(&j, "arm", out->arm);
    json_int(&j, "loss", out->loss);
    json_int(&j, "outcome", out->outcome);
    json_int(&j, "role", out->role);
    json_int(&j, "dataset", out->dataset);
    json_end_object(&j);
    if (a->surrogate) json_surrogate(&j, a->surrogate);
    json_array(&j, "arms");
    for (int m = 0; m < a->arms; m++) json_arm(&j, a, m);
    json_end_array(&j);
    json_array(&j, "comparisons");
    for (int i = 0; i < a->comparisons; i++) json_comparison(&j, a, &a->comparison[i]);
    json_end_array(&j);
    json_end_object(&j);
    bool failed = ferror(j.file) || fflush(j.file) || fsync(fileno(j.file));
    if (fclose(j.file) || failed || rename(temporary, path)) {
        Err err = err_user("%s: %s: want a path that can be written", path, strerror(errno));
        remove(temporary);
        return err;
    }
    return ERR_NONE;
}

Err analysis_json(const Analysis *a, const char *path, const Comm *comm) {
    return comm_agree(comm, comm_rank(comm) == 0 ? write_json(a, path) : ERR_NONE);
}
