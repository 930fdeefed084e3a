/* What a fit says to programs; docs/fitting.md has the schema. */
#include "infer/analysis.h"

#include "io/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void json_choice(Json *j, const char *key, const char *choices, int i) {
    char word[OPTION_TEXT];
    options_choice(word, sizeof word, choices, i);
    json_text(j, key, word);
}

static void json_interval(Json *j, const char *key, Interval i) {
    json_pair(j, key, i.lo, i.hi);
}

/* Where a run stands: compute, size, length, loss. */
static void json_place(Json *j, double c, double n, double d, double loss) {
    json_number(j, "C", c);
    json_number(j, "N", n);
    json_number(j, "D", d);
    json_number(j, "loss", loss);
}

static void json_budget(Json *j, const char *key, const BudgetFit *b) {
    json_object(j, key);
    json_place(j, b->at.c, b->at.n, b->at.d, b->at.loss);
    json_text(j, "status", b->status);
    json_object(j, "interval");
    json_interval(j, "N", b->n);
    json_interval(j, "D", b->d);
    json_interval(j, "loss", b->loss);
    json_end_object(j);
    json_end_object(j);
}

static void json_budgets(Json *j, const char *key, const BudgetFit *b, int n) {
    json_array(j, key);
    for (int i = 0; i < n; i++) json_budget(j, NULL, &b[i]);
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
    for (int k = 0; k < 2; k++) {
        json_object(j, k ? "D" : "N");
        json_number(j, "factor", k ? e->d_factor : e->n_factor);
        json_number(j, "exponent", k ? e->d_exponent : e->n_exponent);
        json_number(j, "se", k ? e->d_se : e->n_se);
        json_end_object(j);
    }
    json_array(j, "points");
    for (int i = 0; i < e->points; i++) {
        json_object(j, NULL);
        json_place(j, e->point[i].c, e->point[i].n, e->point[i].d, e->point[i].loss);
        json_bool(j, "final", e->point[i].final);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void json_currency(Json *j, const CurrencyFit *c, int which) {
    json_object(j, currencies[which].name);
    json_text(j, "unit", currencies[which].unit);
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
            if (a->table->has[c]) json_number(j, currencies[c].name, p->c[c]);
        json_number(j, "loss", p->loss);
        json_number(j, "fitted", law_loss(law, p->n, p->d));
        json_number(j, "weight", p->weight);
        json_int(j, "seed", p->seed);
        json_number(j, "influence", arm->certificate.influence[i]);
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_certificate(Json *j, const ArmFit *arm) {
    const LawGroup *g = arm->group;
    const LawCoefficient *coefficient = g->problem.spec.kind->coefficient;
    const LawFit *fit = &g->fit;
    const Certificate *c = &arm->certificate;
    json_object(j, "certificate");
    json_number(j, "gradient", fit->gradient);
    json_number(j, "condition", fit->condition);
    json_int(j, "starts", fit->starts);
    json_int(j, "reached", fit->reached);
    json_number(j, "share_reached", (double)fit->reached / fit->starts);
    json_int(j, "others", fit->others);
    json_number(j, "seconds_fit", g->seconds_fit);
    json_number(j, "seconds_cells", g->seconds_cells);
    json_number(j, "seconds_spread", g->seconds_spread);
    json_array(j, "at_bound");
    for (int k = 0; k < LAW_COEFFICIENTS; k++) {
        int v = g->problem.slot[arm->index][k];
        if (v >= 0 && fit->at_bound[v]) json_text(j, NULL, coefficient[k].name);
    }
    json_end_array(j);
    json_text(j, "intervals_by", spread_name[g->spread_kind]);
    json_number(j, "even_noise_p", g->uneven);
    json_number(j, "seed_noise", arm->seed_noise);
    json_int(j, "seed_dof", arm->seed_dof);
    json_number(j, "varpro", fit->varpro);
    json_number(j, "varpro_gap", c->varpro_gap);
    json_object(j, "profile");
    for (int k = 0; k < LAW_COEFFICIENTS; k++) json_interval(j, coefficient[k].name, c->profile[k]);
    json_end_object(j);
    json_number(j, "reference_budget", c->budget);
    json_array(j, "sensitivity");
    for (int i = 0; i < c->n; i++) {
        const Sensitivity *s = &c->row[i];
        const struct {
            const char *key;
            double value;
        } column[] = {{"E", s->E}, {"alpha", s->alpha}, {"beta", s->beta}, {"a", s->a}, {"b", s->b}, {"N", s->best_n}};
        json_object(j, NULL);
        json_text(j, "what", s->what);
        json_int(j, "rows", s->rows);
        for (int k = 0; k < (int)(sizeof column / sizeof *column); k++) json_number(j, column[k].key, column[k].value);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void json_arm(Json *j, const Analysis *a, int m) {
    static const char *const method[] = {"law, Huber on log loss", "law, least squares on log loss",
                                         "law, least squares on loss"};
    const ArmFit *arm = &a->arm[m];
    json_object(j, NULL);
    json_text(j, "name", a->table->arm[m]);
    json_text(j, "method", method[a->spec.objective]);
    json_text(j, "status", arm->status);
    for (int k = 0; k < COEFS; k++) json_number(j, coef_name[k], arm->value[k]);
    json_number(j, "objective", arm->group->fit.objective);
    json_int(j, "rows", arm->rows->n);
    json_object(j, "interval");
    for (int k = 0; k < COEFS; k++) json_interval(j, coef_name[k], arm->interval[k]);
    json_end_object(j);
    json_object(j, "se");
    for (int k = 0; k < COEFS; k++) json_number(j, coef_name[k], arm->se[k]);
    json_end_object(j);
    json_budget(j, "reference", &arm->reference);
    json_certificate(j, arm);
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
        json_object(j, currencies[c].name);
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
    json_text(&j, "law", a->spec.kind->name);
    json_choice(&j, "objective", FIT_OBJECTIVES, a->options.objective);
    json_choice(&j, "E", FIT_ERRORS, a->options.e);
    json_choice(&j, "exponents", FIT_EXPONENTS, a->options.exponents);
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
    json_int(&j, "best", out->best);
    json_array(&j, "words");
    for (int i = 0; i < TABLE_WORDS && out->word[i].rows; i++) {
        json_object(&j, NULL);
        json_text(&j, "word", out->word[i].word);
        json_int(&j, "rows", out->word[i].rows);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    json_array(&j, "notes");
    for (int i = 0; i < a->table->notes; i++) {
        const TableNote *note = &a->table->note[i];
        json_object(&j, NULL);
        json_text(&j, "text", note->text);
        json_text(&j, "file", note->file);
        json_int(&j, "files", note->files);
        json_end_object(&j);
    }
    json_end_array(&j);
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
