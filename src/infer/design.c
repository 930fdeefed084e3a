#include "infer/design.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/rng.h"
#include "fit/law.h"
#include "infer/goodness.h"
#include "infer/fit_options.h"
#include "io/json.h"
#include "math/minimise.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KEY(name, type, member, fallback, lo, hi, choices, unit, help)                                                 \
    { "design." name, type, offsetof(DesignOptions, member), fallback, lo, hi, choices, unit, help }

/* Of fewer refits no order statistics are those of 95 %: (n + 1) / 40 >= 1. */
enum { FEWEST = 39 };

const KeySpec design_keys[] = {
    KEY("alpha", KEY_REAL, alpha, "0.5", 0.01, 3, NULL, "1", "assumed exponent of N"),
    KEY("beta", KEY_REAL, beta, "0.5", 0.01, 3, NULL, "1", "assumed exponent of D"),
    KEY("e", KEY_REAL, e, "0.02", 0, 1e6, NULL, "loss",
        "assumed irreducible loss, which refits leave free; 0: none, as in a study of fit.e = zero unless this is "
        "given"),
    KEY("loss", KEY_REAL, loss, "0.2", 1e-9, 1e6, NULL, "loss", "assumed loss in the middle of the grid"),
    KEY("noise", KEY_REAL, noise, "0.02", 0, 1, NULL, "1", "assumed standard deviation of log loss between seeds"),
    KEY("budget", KEY_REAL, budget, "0", 0, 1e300, NULL, "FLOP", "executed budget to allocate; 0: the largest cell's"),
    KEY("from", KEY_WORD, from, "", 0, 0, NULL, "1",
        "results file, table or fit.json whose runs say law, noise and lack of fit instead; empty: none"),
    KEY("simulations", KEY_INT, simulations, "200", FEWEST, 100000, NULL, "1", "simulated refits"),
    KEY("seed", KEY_INT, seed, "1", 0, 9e15, NULL, "1", "of the simulated noise"),
    KEY("objective", KEY_CHOICE, objective, "huber", 0, 0, FIT_OBJECTIVES, "1",
        "of the refits; that of fit.objective in a study that gives one, unless this is given"),
};
const int n_design_keys = sizeof design_keys / sizeof *design_keys;

static LawE assumed_e(const DesignOptions *o) {
    return o->e > 0 ? LAW_E_FREE : LAW_E_ZERO;
}

static LawSpec spec_of(const DesignOptions *o, LawE e) {
    return (LawSpec){.kind = &law_chinchilla, .objective = o->objective, .delta = 1e-3, .e = e};
}

DesignModel design_assumed(const DesignArm *arm, const DesignOptions *o) {
    double x = 0, y = 0, term = log(0.5 * (o->loss - o->e));
    for (int64_t i = 0; i < arm->cells; i++) {
        x += log(arm->n[i]) / (double)arm->cells;
        y += log(arm->d[i]) / (double)arm->cells;
    }
    const Law law = {.kind = &law_chinchilla,
                     .a = term + o->alpha * x,
                     .b = term + o->beta * y,
                     .e = o->e > 0 ? log(o->e) : -INFINITY,
                     .alpha = o->alpha,
                     .beta = o->beta};
    return (DesignModel){.law = law, .seeds = o->noise, .e = assumed_e(o), .middle = NAN};
}

/* What the law leaves, `all`, is that between seeds, NaN where that is unknown, and what it misses. */
static DesignModel model_of(const Law *law, LawE e, double all, double seeds) {
    if (isnan(seeds)) seeds = all;
    double lack = sqrt(fmax(all * all - seeds * seeds, 0));
    return (DesignModel){.law = *law, .e = e, .seeds = seeds, .lack = lack, .middle = NAN};
}

/* The law of the runs of one arm of a table, and what they scatter by. */
static Err measure_arm(DesignModel *model, const Table *t, int index, const DesignOptions *o, const Comm *comm) {
    LawRows rows = law_rows(t, index, LAW_OF_N_AND_D);
    LawSpec spec = spec_of(o, assumed_e(o));
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit;
    char status[160];
    Err err = ERR_NONE;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm);
    if (law_status(status, sizeof status, &fit, &p, 0) == LAW_NOT_IDENTIFIABLE) {
        err = err_user("design.from = %s: arm %.60s: %s", o->from, t->arm[index], status);
    } else {
        int dof;
        double all = goodness_of(&p, &fit, 0, false).rms;
        double pure = goodness_pure_error(&dof, &rows);
        *model = model_of(&fit.law[0], spec.e, all, dof > 0 ? sqrt(pure / dof) : NAN);
    }
    law_rows_free(&rows);
    return err;
}

/* The same of one arm of a fit that was written before. */
static Err read_arm(DesignModel *model, const Json *fit, const char *name, const DesignOptions *o) {
    const char *law_name = json_text(fit, "law");
    const char *e = json_text(fit, "E");
    if (!law_name || strcmp(law_name, law_chinchilla.name) || !e)
        return err_user("design.from = %s: want a fit of the law %s, as fit -json writes it", o->from,
                        law_chinchilla.name);
    int arms = json_entries(fit, "arms");
    for (int i = 0; i < arms; i++) {
        const char *found = json_entry_text(fit, "arms", i, "name");
        if (!found || strcmp(found, name)) continue;
        const Law law = {.kind = &law_chinchilla,
                         .a = log(json_entry_number(fit, "arms", i, NULL, "A")),
                         .b = log(json_entry_number(fit, "arms", i, NULL, "B")),
                         .e = log(json_entry_number(fit, "arms", i, NULL, "E")),
                         .alpha = json_entry_number(fit, "arms", i, NULL, "alpha"),
                         .beta = json_entry_number(fit, "arms", i, NULL, "beta")};
        double all = json_entry_number(fit, "arms", i, NULL, "rms");
        double seeds = json_entry_number(fit, "arms", i, "certificate", "seed_noise");
        if (!isfinite(law.a) || !isfinite(law.b) || isnan(law.e) || !(law.alpha > 0) || !(law.beta > 0) || !(all > 0))
            return err_user("design.from = %s: arm %.60s: no coefficients: its law is not identifiable", o->from, name);
        *model = model_of(&law, strcmp(e, "zero") ? LAW_E_FREE : LAW_E_ZERO, all, seeds);
        return ERR_NONE;
    }
    return err_user("design.from = %s: no arm %.60s: want a fit of every arm of the study", o->from, name);
}

static Err read_fit(DesignModel *model, const DesignArm *arm, int arms, const DesignOptions *o) {
    Json *fit;
    TRY(json_read(&fit, o->from));
    Err err = ERR_NONE;
    for (int m = 0; m < arms && !err.code; m++) err = read_arm(&model[m], fit, arm[m].name, o);
    json_free(fit);
    return err;
}

static bool is_fit(const char *path) {
    const char *end = strrchr(path, '.');
    return end && !strcmp(end, ".json");
}

Err design_measured(DesignModel *model, const DesignArm *arm, int arms, const DesignOptions *o, const Comm *comm) {
    if (is_fit(o->from)) return comm_agree(comm, read_fit(model, arm, arms, o));
    const TableColumns usual = {.n = "", .d = "", .loss = "", .arm = "", .seed = ""};
    Table t = table_new();
    Err err = table_add_file(&t, o->from, &usual, &(TableFilter){0}, comm);
    for (int m = 0; m < arms && !err.code; m++) {
        int index = 0;
        while (index < t.arms && strcmp(t.arm[index], arm[m].name)) index++;
        if (index == t.arms)
            err = err_user("design.from = %s: no arm %.60s: want runs of every arm of the study", o->from, arm[m].name);
        else
            err = measure_arm(&model[m], &t, index, o, comm);
    }
    table_free(&t);
    return err;
}

/* The first cell of the size and length of cell i. */
static int64_t first_alike(const DesignArm *arm, int64_t i) {
    int64_t k = 0;
    while (arm->n[k] != arm->n[i] || arm->d[k] != arm->d[i]) k++;
    return k;
}

/* The cells with made-up losses; simulation 0: without noise. */
static Table noisy(const DesignArm *arm, const DesignModel *model, uint64_t seed, int64_t simulation) {
    Table t = table_new();
    table_arm(&t, arm->name);
    char purpose[96]; /* noise is the arm's own */
    snprintf(purpose, sizeof purpose, "design %.60s", arm->name);
    uint64_t of_run = rng_stream(purpose, (uint64_t)simulation);
    snprintf(purpose, sizeof purpose, "design lack of %.60s", arm->name);
    uint64_t of_place = rng_stream(purpose, (uint64_t)simulation);
    for (int64_t i = 0; i < arm->cells; i++) {
        double z = 0;
        if (simulation > 0 && model->seeds > 0) z += model->seeds * rng_normal(seed, of_run, (uint64_t)i);
        if (simulation > 0 && model->lack > 0)
            z += model->lack * rng_normal(seed, of_place, (uint64_t)first_alike(arm, i));
        table_add(&t, (Point){.n = arm->n[i],
                              .d = arm->d[i],
                              .c = {arm->c[i], NAN, NAN},
                              .weight = 1,
                              .seed = i,
                              .cell = i,
                              .loss = law_loss(&model->law, arm->n[i], arm->d[i]) * exp(z),
                              .final = true});
    }
    return t;
}

enum { COLUMN_ALPHA, COLUMN_BETA, COLUMN_A, COLUMN_B, COLUMN_N, COLUMN_MIDDLE, COLUMNS };

static void judge(DesignResult *r, const Law *law) {
    double relative_alpha = (r->alpha.hi - r->alpha.lo) / (2 * law->alpha);
    double relative_beta = (r->beta.hi - r->beta.lo) / (2 * law->beta);
    r->told_apart = r->condition < 1e9 && relative_alpha < 0.5 && relative_beta < 0.5;
    if (r->told_apart)
        snprintf(r->verdict, sizeof r->verdict, "alpha and beta can be told apart: +- %.0f %% and +- %.0f %%",
                 100 * relative_alpha, 100 * relative_beta);
    else
        snprintf(r->verdict, sizeof r->verdict,
                 "alpha and beta cannot be told apart: +- %.0f %% and +- %.0f %%, correlation %.2f, condition %.1e",
                 100 * relative_alpha, 100 * relative_beta, r->correlation, r->condition);
}

/* A budget to allocate that is not within the arm's own budgets, or beyond them by more than the factor to which a fit follows its
 * law unless it is told to. */
static Err check_budget(const DesignArm *arm, double budget) {
    const double furthest = 10;
    double least = INFINITY, most = 0;
    for (int64_t i = 0; i < arm->cells; i++) {
        least = fmin(least, arm->c[i]);
        most = fmax(most, arm->c[i]);
    }
    if (budget <= 0 || (budget >= least / furthest && budget <= furthest * most)) return ERR_NONE;
    return err_user("design.budget = %g: the cells of %.60s have %.3g to %.3g executed FLOP: want a budget within %g "
                    "times of these",
                    budget, arm->name, least, most, furthest);
}

Err design_arm(DesignResult *out, DesignDraws draws, const DesignArm *arm, const DesignModel *model,
               const DesignOptions *o, const Comm *comm) {
    if (!o->from[0] && o->e >= o->loss)
        return err_user("design.e = %g: want less than design.loss = %g", o->e, o->loss);
    TRY(check_budget(arm, o->budget));
    LawSpec spec = spec_of(o, model->e);
    Law law = model->law;
    Table t = noisy(arm, model, 0, 0);
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    LawProblem p = law_problem(&rows, 1, &spec);
    *out = (DesignResult){.budget = o->budget};
    for (int64_t i = 0; i < arm->cells && o->budget <= 0; i++) out->budget = fmax(out->budget, arm->c[i]);
    Cost cost = cost_fit(&t, 0, CURRENCY_NOMINAL);
    out->best_n_assumed = cost_allocate(&law, &cost, out->budget).n;
    if (arm->cells <= p.n) {
        out->condition = INFINITY;
        snprintf(out->verdict, sizeof out->verdict,
                 "alpha and beta cannot be told apart: %lld cells for %d coefficients", (long long)arm->cells, p.n);
        law_rows_free(&rows);
        table_free(&t);
        return ERR_NONE;
    }
    double x0[LAW_VARIABLES];
    law_variables(x0, &p, 0, &law);
    out->condition = law_condition(&p, x0);

    int64_t n = o->simulations;
    double *v = MEM_NEW(double, (COLUMNS + 1) * n);
    Minimiser *solver = minimiser_new(p.n, true);
    for (int64_t s = comm_rank(comm); s < n; s += comm_size(comm)) {
        Table made = noisy(arm, model, (uint64_t)o->seed, s + 1);
        LawRows some = law_rows(&made, 0, LAW_OF_N_AND_D);
        LawProblem problem = law_problem(&some, 1, &spec);
        double x[LAW_VARIABLES];
        memcpy(x, x0, sizeof x);
        law_refine(x, &problem, law_zone(&problem, NULL), solver);
        Law fit = law_of(&problem, x, 0);
        v[COLUMN_ALPHA * n + s] = fit.alpha;
        v[COLUMN_BETA * n + s] = fit.beta;
        cost_exponents(&v[COLUMN_A * n + s], &v[COLUMN_B * n + s], &fit, &cost);
        v[COLUMN_N * n + s] = cost_allocate(&fit, &cost, out->budget).n;
        v[COLUMN_MIDDLE * n + s] = log(cost_allocate(&fit, &cost, model->middle).n);
        for (int k = 0; k < problem.n; k++)
            if (x[k] <= problem.lo[k] + 1e-6 || x[k] >= problem.hi[k] - 1e-6) v[COLUMNS * n + s] = 1;
        law_rows_free(&some);
        table_free(&made);
    }
    minimiser_free(solver);
    for (int64_t i = 0; i < COLUMNS * n; i++)
        if (!isfinite(v[i])) v[i] = 1e300;
    comm_sum_f64(comm, v, (COLUMNS + 1) * n);
    for (int64_t s = 0; s < n; s++) out->failed += v[COLUMNS * n + s] / (double)n;
    out->correlation = stats_correlation(v, v + n, n);
    if (draws.a) memcpy(draws.a, v + COLUMN_A * n, (size_t)n * sizeof *v);
    if (draws.log_n) memcpy(draws.log_n, v + COLUMN_MIDDLE * n, (size_t)n * sizeof *v);
    Interval *interval[] = {&out->alpha, &out->beta, &out->a, &out->b, &out->best_n};
    for (int k = 0; k < COLUMN_MIDDLE; k++) *interval[k] = stats_interval(v + k * n, n, 0);
    judge(out, &law);
    mem_free(v);
    law_rows_free(&rows);
    table_free(&t);
    return ERR_NONE;
}

DesignContrast design_contrast(DesignDraws first, DesignDraws second, int64_t n) {
    const double power = 1.96 + 0.84; /* standard errors: 5 % wrong, 80 % found */
    double *a = MEM_NEW(double, 2 * n + 1), *ratio = a + n;
    for (int64_t s = 0; s < n; s++) {
        a[s] = second.a[s] - first.a[s];
        ratio[s] = exp(second.log_n[s] - first.log_n[s]);
    }
    DesignContrast out = {.found = power * stats_sd(a, n)};
    out.a = stats_interval(a, n, 0);
    out.n_ratio = stats_interval(ratio, n, 0);
    mem_free(a);
    return out;
}

/* The middle of the budgets that all arms have; NaN: they have none in common. */
static double middle_of(const DesignArm *arm, int arms) {
    double lo = 0;
    double hi = INFINITY;
    for (int m = 0; m < arms; m++) {
        double least = INFINITY;
        double most = 0;
        for (int64_t i = 0; i < arm[m].cells; i++) {
            least = fmin(least, arm[m].c[i]);
            most = fmax(most, arm[m].c[i]);
        }
        lo = fmax(lo, least);
        hi = fmin(hi, most);
    }
    return lo < hi ? sqrt(lo * hi) : NAN;
}

static void print_refits(const DesignOptions *o, LawE e) {
    log_text("  refits by %s, E %s", objective_words[o->objective], e == LAW_E_ZERO ? "= 0" : "free");
}

static void print_model(const DesignModel *model) {
    Law law = model->law;
    log_text("  from its runs: L = %.3g + A/N^%.3f + B/D^%.3f; log loss scatters by %.3f between seeds, the law misses "
             "sizes and lengths by %.3f more",
             exp(law.e), law.alpha, law.beta, model->seeds, model->lack);
}

static void print_result(const DesignResult *r, const DesignArm *arm) {
    log_text("%s: %lld cells, condition %.1e", arm->name, (long long)arm->cells, r->condition);
    if (isfinite(r->condition)) {
        log_text("  to be expected (95 %%): alpha [%.3f, %.3f], beta [%.3f, %.3f], N* ~ C^[%.3f, %.3f], D* ~ "
                 "C^[%.3f, %.3f]",
                 r->alpha.lo, r->alpha.hi, r->beta.lo, r->beta.hi, r->a.lo, r->a.hi, r->b.lo, r->b.hi);
        log_text("  N* at %.3g executed FLOP: [%.3g, %.3g], assumed %.3g; %.0f %% of refits end at a bound", r->budget,
                 r->best_n.lo, r->best_n.hi, r->best_n_assumed, 100 * r->failed);
    }
    log_text("  %s", r->verdict);
}

static void print_contrast(const DesignContrast *c, const char *first, const char *second, double budget) {
    log_text("%s less %s: a2 - a1 [%.3f, %.3f], half-width %.3f; a difference of %.3f is found in 4 of 5 studies",
             second, first, c->a.lo, c->a.hi, 0.5 * (c->a.hi - c->a.lo), c->found);
    if (isfinite(budget))
        log_text("  N2*/N1* at %.3g executed FLOP: [%.3g, %.3g]", budget, c->n_ratio.lo, c->n_ratio.hi);
}

Err design_report(const DesignArm *arm, int arms, const DesignOptions *o, const Comm *comm) {
    DesignModel *model = MEM_NEW(DesignModel, arms + 1);
    DesignDraws *draws = MEM_NEW(DesignDraws, arms + 1);
    DesignResult *result = MEM_NEW(DesignResult, arms + 1);
    int64_t n = o->simulations;
    Err err = ERR_NONE;
    if (o->from[0]) {
        err = design_measured(model, arm, arms, o, comm);
        if (!err.code) log_text("design: %lld simulated refits of the laws of %s", (long long)n, o->from);
        if (!err.code) print_refits(o, model[0].e);
    } else {
        for (int m = 0; m < arms; m++) model[m] = design_assumed(&arm[m], o);
        log_text(
            "design: %lld simulated refits of L = %g + A/N^%g + B/D^%g, loss %g in the middle of the grid, noise %g "
            "of log loss: all assumed, and no lack of fit; -design_from FILE takes them from runs",
            (long long)n, o->e, o->alpha, o->beta, o->loss, o->noise);
        print_refits(o, model[0].e);
    }
    double middle = middle_of(arm, arms);
    double *store = MEM_NEW(double, 2 * n * arms + 1);
    for (int m = 0; m < arms && !err.code; m++) {
        draws[m] = (DesignDraws){store + 2 * n * m, store + 2 * n * m + n};
        model[m].middle = middle;
        err = design_arm(&result[m], draws[m], &arm[m], &model[m], o, comm);
        if (err.code) break;
        print_result(&result[m], &arm[m]);
        if (o->from[0]) print_model(&model[m]);
    }
    for (int m = 1; m < arms && !err.code; m++) {
        if (!isfinite(result[0].condition) || !isfinite(result[m].condition)) continue;
        DesignContrast c = design_contrast(draws[0], draws[m], n);
        print_contrast(&c, arm[0].name, arm[m].name, middle);
    }
    mem_free(store);
    mem_free(result);
    mem_free(draws);
    mem_free(model);
    return err;
}
