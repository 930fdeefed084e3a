/* What a fit says to programs; docs/fitting.md has the schema. */
#include "infer/report.h"

#include "infer/drift.h"
#include "report_pieces.h"
#include "report_questions.h"

#include "base/arena.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIGEST_TEXT = 17 }; /* 16 hexadecimal digits */

static void put_choice(Json *j, const char *key, const char *choices, int i) {
    char word[OPTION_TEXT];
    options_choice(word, sizeof word, choices, i);
    json_put_text(j, key, word);
}

static void put_interval(Json *j, const char *key, Interval i) {
    json_put_pair(j, key, i.lo, i.hi);
}

/* Where a run stands: compute, size, length, loss. */
static void put_place(Json *j, double c, double n, double d, double loss) {
    json_put_number(j, "C", c);
    json_put_number(j, "N", n);
    json_put_number(j, "D", d);
    json_put_number(j, "loss", loss);
}

static void put_budget(Json *j, const char *key, const BudgetFit *b) {
    json_open_object(j, key);
    put_place(j, b->at.c, b->at.n, b->at.d, b->at.loss);
    json_put_text(j, "status", b->status);
    json_open_object(j, "interval");
    put_interval(j, "N", b->n);
    put_interval(j, "D", b->d);
    put_interval(j, "loss", b->loss);
    json_close(j);
    json_close(j);
}

static void put_budgets(Json *j, const char *key, const BudgetFit *b, int n) {
    json_open_array(j, key);
    for (int i = 0; i < n; i++) put_budget(j, NULL, &b[i]);
    json_close(j);
}

static void put_power(Json *j, const char *key, const PowerLaw *p) {
    json_open_object(j, key);
    json_put_number(j, "factor", exp(p->log_factor));
    json_put_number(j, "exponent", p->exponent);
    put_interval(j, "interval", p->interval);
    json_put_number(j, "misfit_p", p->misfit);
    json_close(j);
}

/* An exponent below and above a budget. */
static void put_halves(Json *j, double c, Estimate lower, Estimate upper, Estimate change) {
    json_put_number(j, "C", c);
    report_estimate(j, "lower", lower);
    report_estimate(j, "upper", upper);
    report_estimate(j, "change", change);
}

static void put_isoflop(Json *j, const IsoFlop *iso) {
    json_open_object(j, "isoflop");
    json_put_text(j, "status", iso->status);
    json_put_number(j, "noise", iso->noise);
    put_power(j, "N", &iso->n);
    put_power(j, "D", &iso->d);
    put_power(j, "loss", &iso->loss);
    json_open_object(j, "drift");
    json_put_text(j, "verdict", drift_word[drift_verdict(iso->halves.change.interval)]);
    put_halves(j, iso->halves.c, iso->halves.lower, iso->halves.upper, iso->halves.change);
    json_close(j);
    json_open_array(j, "curves");
    for (int i = 0; i < iso->curves; i++) {
        const IsoCurve *k = &iso->curve[i];
        json_open_object(j, NULL);
        json_put_number(j, "C", k->budget);
        json_put_text(j, "status", k->status);
        json_put_bool(j, "ok", k->ok);
        const struct {
            const char *key;
            const double *v;
        } column[] = {{"N", k->n}, {"D", k->d}, {"loss", k->loss}};
        for (int c = 0; c < 3; c++) {
            json_open_array(j, column[c].key);
            for (int p = 0; p < k->points; p++) json_put_number(j, NULL, column[c].v[p]);
            json_close(j);
        }
        json_open_array(j, "parabola");
        json_put_number(j, NULL, k->p0);
        json_put_number(j, NULL, k->p1);
        json_put_number(j, NULL, k->p2);
        json_close(j);
        json_put_number(j, "centre", k->centre);
        json_put_number(j, "curvature", k->curvature);
        json_put_number(j, "curvature_se", k->curvature_se);
        json_put_number(j, "rms", k->rms);
        json_put_number(j, "best_N", k->best_n);
        json_put_number(j, "best_D", k->best_d);
        json_put_number(j, "best_loss", k->best_loss);
        put_interval(j, "best_N_interval", k->best_n_interval);
        json_put_number(j, "best_loss_se", k->se_log_loss);
        put_interval(j, "one_percent", k->one_percent);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void put_envelope(Json *j, const Envelope *e) {
    json_open_object(j, "envelope");
    json_put_text(j, "caveat", e->caveat);
    json_put_int(j, "unfinished", e->unfinished);
    for (int k = 0; k < 2; k++) {
        json_open_object(j, k ? "D" : "N");
        json_put_number(j, "factor", k ? e->d_factor : e->n_factor);
        json_put_number(j, "exponent", k ? e->d_exponent : e->n_exponent);
        json_put_number(j, "se", k ? e->d_se : e->n_se);
        put_interval(j, "interval", k ? e->d_interval : e->n_interval);
        json_close(j);
    }
    json_open_array(j, "points");
    for (int i = 0; i < e->points; i++) {
        json_open_object(j, NULL);
        put_place(j, e->point[i].c, e->point[i].n, e->point[i].d, e->point[i].loss);
        json_put_bool(j, "final", e->point[i].final);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void put_currency(Json *j, const CurrencyFit *c, int which) {
    json_open_object(j, currencies[which].name);
    json_put_text(j, "title", currencies[which].title);
    json_put_text(j, "unit", currencies[which].unit);
    json_put_number(j, "kappa", exp(c->cost.log_kappa));
    json_put_number(j, "mu", c->cost.mu);
    json_put_number(j, "nu", c->cost.nu);
    json_put_number(j, "a", c->a);
    json_put_number(j, "b", c->b);
    json_put_number(j, "gamma", c->gamma);
    json_open_object(j, "interval");
    put_interval(j, "a", c->a_interval);
    put_interval(j, "b", c->b_interval);
    put_interval(j, "gamma", c->gamma_interval);
    json_close(j);
    json_put_number(j, "C_min", c->c_min);
    json_put_number(j, "C_max", c->c_max);
    put_budgets(j, "allocation", c->budget, c->budgets);
    put_budgets(j, "frontier", c->frontier, c->frontiers);
    if (c->sized) {
        put_isoflop(j, &c->isoflop);
        put_envelope(j, &c->envelope);
        put_budgets(j, "surrogate", c->lawfree, c->lawfrees);
    }
    json_close(j);
}

static void put_points(Json *j, const Analysis *a, const ArmFit *arm) {
    const Law *law = &arm->group->fit.law[arm->index];
    json_open_array(j, "points");
    for (int64_t i = 0; i < arm->rows->n; i++) {
        const Point *p = &a->table->at[arm->rows->point[i]];
        json_open_object(j, NULL);
        json_put_number(j, "N", p->n);
        json_put_number(j, "D", p->d);
        for (int c = 0; c < CURRENCIES; c++)
            if (a->table->has[c]) json_put_number(j, currencies[c].name, p->c[c]);
        json_put_number(j, "loss", p->loss);
        json_put_number(j, "fitted", law_loss_of_run(law, p->n, p->d, p->c[CURRENCY_NOMINAL]));
        json_put_number(j, "weight", p->weight);
        json_put_int(j, "seed", p->seed);
        json_put_number(j, "influence", arm->certificate.influence[i]);
        json_close(j);
    }
    json_close(j);
}

static void put_goodness(Json *j, const ArmFit *arm) {
    const Goodness *g = &arm->goodness;
    json_put_number(j, "rms", g->rms);
    json_put_number(j, "r2", g->r2);
    json_open_object(j, "lack_of_fit");
    json_put_text(j, "by", lack_name[g->by]);
    json_put_number(j, "F", g->f);
    json_put_number(j, "p", g->p);
    json_put_int(j, "dof1", g->dof1);
    json_put_int(j, "dof2", g->dof2);
    json_close(j);
    json_put_number(j, "shared_by_size_p", g->shared_p[SHARED_BY_SIZE]);
    json_put_number(j, "shared_by_length_p", g->shared_p[SHARED_BY_LENGTH]);
    json_put_number(j, "shared_by_seed_p", g->shared_p[SHARED_BY_SEED]);
    json_put_number(j, "shared_by_budget_p", g->shared_p[SHARED_BY_BUDGET]);
    json_put_number(j, "shared_by_neighbours_p", g->shared_p[SHARED_BY_NEIGHBOURS]);
    json_put_text(j, "disagreement", arm->disagreement);
}

static void put_drift(Json *j, const Drift *d) {
    json_open_object(j, "drift");
    json_put_text(j, "verdict", drift_word[d->verdict]);
    json_put_text(j, "why", d->why);
    put_halves(j, d->c, d->lower, d->upper, d->change);
    json_close(j);
}

static void put_certificate(Json *j, const ArmFit *arm) {
    const LawGroup *g = arm->group;
    const LawCoefficient *coefficient = g->problem.spec.kind->coefficient;
    const LawFit *fit = &g->fit;
    const Certificate *c = &arm->certificate;
    json_open_object(j, "certificate");
    json_put_number(j, "gradient", fit->gradient);
    json_put_number(j, "condition", fit->condition);
    json_put_int(j, "starts", fit->starts);
    json_put_int(j, "reached", fit->reached);
    json_put_number(j, "share_reached", (double)fit->reached / fit->starts);
    json_put_int(j, "others", fit->others);
    json_put_number(j, "seconds_fit", g->seconds_fit);
    json_put_number(j, "seconds_spread", g->seconds_spread);
    json_open_array(j, "at_bound");
    for (int k = 0; k < LAW_COEFFICIENTS; k++) {
        int v = g->problem.slot[arm->index][k];
        if (v >= 0 && fit->at_bound[v]) json_put_text(j, NULL, coefficient[k].name);
    }
    json_close(j);
    json_put_text(j, "intervals_by", spread_name[g->spread_kind]);
    json_put_number(j, "even_noise_p", g->uneven);
    json_put_number(j, "seed_noise", arm->seed_noise);
    json_put_int(j, "seed_dof", arm->seed_dof);
    json_put_number(j, "varpro", fit->varpro);
    json_put_number(j, "varpro_gap", c->varpro_gap);
    json_open_object(j, "profile");
    for (int k = 0; k < LAW_COEFFICIENTS; k++) put_interval(j, law_chinchilla.coefficient[k].name, c->profile[k]);
    json_close(j);
    json_put_number(j, "reference_budget", c->budget);
    json_open_array(j, "sensitivity");
    for (int i = 0; i < c->n; i++) {
        const Sensitivity *s = &c->row[i];
        const struct {
            const char *key;
            double value;
        } column[] = {{"E", s->E}, {"alpha", s->alpha}, {"beta", s->beta}, {"a", s->a}, {"b", s->b}, {"N", s->best_n}};
        json_open_object(j, NULL);
        json_put_text(j, "what", s->what);
        json_put_int(j, "rows", s->rows);
        for (int k = 0; k < (int)(sizeof column / sizeof *column); k++)
            json_put_number(j, column[k].key, column[k].value);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void put_arm(Json *j, const Analysis *a, int m) {
    static const char *const se_name[COEFS] = {"E", "log_A", "log_B", "alpha", "beta", "a", "b"};
    static const char *const method[] = {"law, Huber on log loss", "law, least squares on log loss",
                                         "law, least squares on loss"};
    const ArmFit *arm = &a->arm[m];
    json_open_object(j, NULL);
    json_put_text(j, "name", a->table->arm[m]);
    json_put_text(j, "method", method[a->spec.objective]);
    json_put_text(j, "status", arm->status);
    for (int k = 0; k < COEFS; k++) json_put_number(j, coef_name[k], arm->value[k]);
    json_put_number(j, "objective", arm->group->fit.objective);
    json_put_int(j, "rows", arm->rows->n);
    json_open_object(j, "interval");
    for (int k = 0; k < COEFS; k++) put_interval(j, coef_name[k], arm->interval[k]);
    json_close(j);
    json_open_object(j, "se");
    for (int k = 0; k < COEFS; k++) json_put_number(j, se_name[k], arm->se[k]);
    json_close(j);
    put_goodness(j, arm);
    if (law_splits(a->spec.kind)) put_drift(j, &arm->drift);
    put_budget(j, "reference", &arm->reference);
    put_certificate(j, arm);
    json_open_object(j, "currencies");
    for (int c = 0; c < CURRENCIES; c++)
        if (arm->currency[c].known) put_currency(j, &arm->currency[c], c);
    json_close(j);
    put_points(j, a, arm);
    json_close(j);
}

static void put_surrogate(Json *j, const Surrogate *s) {
    json_open_object(j, "surrogate");
    json_put_text(j, "status", s->status);
    json_put_int(j, "points", s->n);
    json_put_int(j, "subset", s->subset);
    json_put_number(j, "log_likelihood", s->log_likelihood);
    json_open_object(j, "hyperparameters");
    for (int k = 0; k < GP_PARAMETERS; k++) {
        bool size = k == GP_SCALE || k >= GP_UNFINISHED;
        double rho = 1 / (1 + exp(-s->theta[k]));
        double value = exp(s->theta[k]);
        if (size) value *= s->scale;
        if (k == GP_RHO) value = rho;
        json_put_number(j, gp_name[k], value);
    }
    json_close(j);
    json_put_number(j, "seconds_fit", s->seconds_fit);
    json_put_number(j, "seconds_factor", s->seconds_factor);
    json_close(j);
}

static void put_options(Json *j, const Analysis *a) {
    json_put_text(j, "law", a->spec.kind->name);
    json_put_text(j, "formula", a->spec.kind->formula);
    put_choice(j, "objective", FIT_OBJECTIVES, a->options.objective);
    put_choice(j, "E", FIT_ERRORS, a->options.e);
    json_put_number(j, "E_fixed", a->spec.e == LAW_E_FIXED ? a->spec.e_value : NAN);
    json_put_number(j, "quantile", a->spec.quantile);
    put_choice(j, "exponents", FIT_EXPONENTS, a->options.exponents);
    json_put_number(j, "delta", a->options.delta);
    json_put_int(j, "bootstraps", a->options.bootstraps);
    json_put_int(j, "points", a->table->n);
    json_put_bool(j, "assumed_6nd", a->table->assumed_6nd);
}

/* What `fit -again` needs: the files by content, and every key with its value as the command line has it. */
static void put_source(Json *j, const Analysis *a, const FitSource *source, int ranks) {
    json_put_text(j, "version", source->version);
    json_put_text(j, "compiler", source->compiler);
    json_put_int(j, "ranks", ranks);
    json_put_int(j, "seed", a->options.seed);
    json_open_array(j, "inputs");
    for (int i = 0; i < source->inputs; i++) {
        char digest[DIGEST_TEXT];
        snprintf(digest, sizeof digest, "%016llx", (unsigned long long)source->input[i].digest);
        json_open_object(j, NULL);
        json_put_text(j, "name", source->input[i].path);
        json_put_text(j, "digest", digest);
        json_put_int(j, "bytes", source->input[i].bytes);
        json_close(j);
    }
    json_close(j);
    json_open_array(j, "options");
    for (int k = 0; k < n_fit_keys; k++) {
        if (!strcmp(fit_keys[k].key, "again")) continue;         /* what it stands for is here in full */
        char *line = options_text(&a->options, &fit_keys[k], 1); /* key = value, and a line break */
        char *value = strstr(line, " = ") + 3;
        value[strcspn(value, "\n")] = 0;
        json_open_object(j, NULL);
        json_put_text(j, "key", fit_keys[k].key);
        json_put_text(j, "value", value);
        json_close(j);
        mem_free(line);
    }
    json_close(j);
}

static void put_left_out(Json *j, const LeftOut *out) {
    json_open_object(j, "left_out");
    json_put_int(j, "keep", out->keep);
    json_put_int(j, "range", out->range);
    json_put_int(j, "arm", out->arm);
    json_put_int(j, "loss", out->loss);
    json_put_int(j, "outcome", out->outcome);
    json_put_int(j, "role", out->role);
    json_put_int(j, "dataset", out->dataset);
    json_put_int(j, "best", out->best);
    json_open_array(j, "words");
    for (int i = 0; i < TABLE_WORDS && out->word[i].rows; i++) {
        json_open_object(j, NULL);
        json_put_text(j, "word", out->word[i].word);
        json_put_int(j, "rows", out->word[i].rows);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void put_notes(Json *j, const Table *table) {
    json_open_array(j, "notes");
    for (int i = 0; i < table->notes; i++) {
        const TableNote *note = &table->note[i];
        json_open_object(j, NULL);
        json_put_text(j, "text", note->text);
        json_put_text(j, "file", note->file);
        json_put_int(j, "files", note->files);
        json_close(j);
    }
    json_close(j);
}

static void put_comparison(Json *j, const Analysis *a, const Comparison *p) {
    json_open_object(j, NULL);
    json_put_text(j, "first", a->table->arm[p->first]);
    json_put_text(j, "second", a->table->arm[p->second]);
    json_open_object(j, "exponents");
    json_put_text(j, "status", p->exponents.valid ? "tested" : p->exponents.why);
    json_put_number(j, "F", p->exponents.valid ? p->exponents.f : NAN);
    json_put_number(j, "p", p->exponents.valid ? p->exponents.p : NAN);
    json_put_int(j, "dof1", p->exponents.dof1);
    json_put_int(j, "dof2", p->exponents.dof2);
    json_put_number(j, "alpha", p->exponents.valid ? p->exponents.alpha : NAN);
    json_put_number(j, "beta", p->exponents.valid ? p->exponents.beta : NAN);
    json_close(j);
    json_open_object(j, "currencies");
    for (int c = 0; c < CURRENCIES; c++) {
        const Difference *d = &p->currency[c];
        if (!a->table->has[c]) continue;
        json_open_object(j, currencies[c].name);
        json_put_text(j, "status", d->status);
        json_put_pair(j, "loss_range", d->loss_lo, d->loss_hi);
        json_put_number(j, "multiplier", d->mean.value);
        put_interval(j, "interval", d->mean.interval);
        json_open_array(j, "at");
        for (int i = 0; i < COMPARE_LOSSES; i++) {
            json_open_object(j, NULL);
            json_put_number(j, "loss", d->at[i].loss);
            json_put_number(j, "multiplier", d->at[i].value);
            put_interval(j, "interval", d->at[i].interval);
            json_close(j);
        }
        json_close(j);
        json_open_object(j, "crossover");
        json_put_text(j, "status", d->crossover_status);
        json_put_number(j, "C", d->crossover);
        put_interval(j, "interval", d->crossover_interval);
        json_put_number(j, "share", d->crossover_share);
        json_close(j);
        questions_contrasts(j, p->contrast[c]);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void put_predictions(Json *j, const Analysis *a) {
    json_open_array(j, "predictions");
    for (int64_t i = 0; i < a->predictions; i++) {
        const Prediction *p = &a->prediction[i];
        json_open_object(j, NULL);
        json_put_text(j, "arm", a->table->arm[p->arm]);
        json_put_bool(j, "held_out", p->held);
        json_put_number(j, "N", p->n);
        json_put_number(j, "D", p->d);
        json_put_number(j, "C", p->c);
        json_put_number(j, "observed", p->observed);
        json_put_number(j, "loss", p->loss);
        json_put_pair(j, "interval", p->interval.lo, p->interval.hi);
        json_put_text(j, "status", p->status);
        json_close(j);
    }
    json_close(j);
    json_open_array(j, "holdout");
    for (int m = 0; m < a->arms; m++) {
        const Holdout *h = &a->arm[m].holdout;
        if (!h->rows) continue;
        json_open_object(j, NULL);
        json_put_text(j, "arm", a->table->arm[m]);
        json_put_int(j, "rows", h->rows);
        json_put_number(j, "rms", h->rms);
        json_put_number(j, "mean", h->mean);
        json_close(j);
    }
    json_close(j);
}

Err report_json(const Analysis *a, const Symmetry *symmetry, const FitSource *source, const char *path,
                const Comm *comm) {
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0) {
        Json *j = json_new();
        json_put_text(j, "format", "equiscale-fit-1");
        put_options(j, a);
        put_source(j, a, source, comm_size(comm));
        put_left_out(j, &a->table->left_out);
        put_notes(j, a->table);
        questions_json(j, a);
        if (a->surrogate) put_surrogate(j, a->surrogate);
        json_open_array(j, "arms");
        for (int m = 0; m < a->arms; m++) put_arm(j, a, m);
        json_close(j);
        json_open_array(j, "comparisons");
        for (int i = 0; i < a->comparisons; i++) put_comparison(j, a, &a->comparison[i]);
        json_close(j);
        put_predictions(j, a);
        symmetry_json(j, symmetry);
        err = json_commit(j, path);
        json_free(j);
    }
    return comm_agree(comm, err);
}
