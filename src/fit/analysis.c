#include "fit/analysis.h"

#include "base/arena.h"
#include "base/timer.h"
#include "fit/frontier.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KEY(name, type, member, fallback, lo, hi, choices, unit, help)                                                 \
    { name, type, offsetof(FitOptions, member), fallback, lo, hi, choices, unit, help }
#define COLUMN(name, member, fallback, help) KEY("fit.columns." name, KEY_WORD, member, fallback, 0, 0, NULL, "1", help)

const KeySpec analysis_keys[] = {
    KEY("fit.objective", KEY_WORD, objective, "huber", 0, 0, "huber|log|loss", "1",
        "sum of Huber on log residuals, least squares on log loss, or on loss"),
    KEY("fit.delta", KEY_REAL, delta, "1e-3", 1e-6, 10, NULL, "1",
        "where the Huber function turns linear, in log loss"),
    KEY("fit.e", KEY_WORD, e, "free", 0, 0, "free|zero|shared", "1",
        "irreducible loss: free, 0, or shared by all arms"),
    KEY("fit.exponents", KEY_WORD, exponents, "free", 0, 0, "free|tied|shared", "1",
        "alpha and beta: free, equal to each other, or shared by all arms"),
    KEY("fit.starts", KEY_WORD, starts, "grid", 0, 0, "grid|few", "1",
        "the published grid of 4500 starts, or 36 of the size of the data"),
    KEY("fit.bootstraps", KEY_INT, bootstraps, "1000", 0, 1000000, NULL, "1", "resamples of each kind"),
    KEY("fit.intervals", KEY_WORD, intervals, "auto", 0, 0, "auto|residuals|scaled|cells", "1",
        "resamples that intervals come from; auto: residuals, or scaled ones where the noise is uneven"),
    KEY("fit.seed", KEY_INT, seed, "1", 0, 9e15, NULL, "1", "of the resamples"),
    KEY("fit.budgets", KEY_REALS, budgets[CURRENCY_NOMINAL], "", 1e-300, 1e300, NULL, "FLOP",
        "nominal budgets to allocate; empty: powers of ten in reach"),
    KEY("fit.budgets_executed", KEY_REALS, budgets[CURRENCY_EXECUTED], "", 1e-300, 1e300, NULL, "FLOP",
        "the same in executed FLOP"),
    KEY("fit.budgets_core_seconds", KEY_REALS, budgets[CURRENCY_CORE_SECONDS], "", 1e-300, 1e300, NULL, "core-seconds",
        "the same in core-seconds"),
    KEY("fit.isoflop_budgets", KEY_REALS, isoflop_budgets, "", 1e-300, 1e300, NULL, "FLOP",
        "nominal budgets of isoFLOP curves; empty: from the data"),
    KEY("fit.extrapolation", KEY_REAL, extrapolation, "10", 1, 1e300, NULL, "1",
        "largest factor in C beyond the data at which an allocation is given"),
    KEY("fit.extrapolate", KEY_BOOL, extrapolate, "false", 0, 0, NULL, "1", "give allocations beyond that factor too"),
    KEY("fit.surrogate", KEY_BOOL, surrogate, "true", 0, 0, NULL, "1", "Gaussian-process frontier beside the law"),
    KEY("fit.surrogate_points", KEY_INT, surrogate_points, "20000", 10, 46000, NULL, "points",
        "at most so many points enter the surrogate; 8 n^2 bytes over all ranks"),
    KEY("fit.surrogate_subset", KEY_INT, surrogate_subset, "1000", 10, 46000, NULL, "points",
        "at most so many of them decide its hyperparameters"),
    KEY("fit.arms", KEY_WORDS, arms, "", 0, 0, NULL, "1", "arms to fit; empty: all"),
    KEY("fit.c_min", KEY_REAL, c_min, "0", 0, 1e300, NULL, "FLOP", "least nominal C of a row; 0: none"),
    KEY("fit.c_max", KEY_REAL, c_max, "0", 0, 1e300, NULL, "FLOP", "rows have a nominal C below this; 0: no bound"),
    COLUMN("n", column_n, "N", "CSV column of N"),
    COLUMN("d", column_d, "D", "CSV column of D"),
    COLUMN("loss", column_loss, "loss", "CSV column of the loss"),
    COLUMN("weight", column_weight, "", "CSV column of weights; empty: 1"),
    COLUMN("keep", column_keep, "", "CSV column that is 0 in rows to leave out; empty: none"),
    COLUMN("arm", column_arm, "", "CSV column of the arm's name; empty: the file's name"),
    COLUMN("seed", column_seed, "", "CSV column of the seed; empty: none"),
    COLUMN("c", column_c[CURRENCY_NOMINAL], "", "CSV column of nominal C; empty: 6 N D"),
    COLUMN("executed", column_c[CURRENCY_EXECUTED], "", "CSV column of executed FLOP; empty: none"),
    COLUMN("core_seconds", column_c[CURRENCY_CORE_SECONDS], "", "CSV column of core-seconds; empty: none"),
    KEY("suggest", KEY_INT, suggest, "0", 0, 64, NULL, "cells", "propose so many cells to run next; 0: none"),
    KEY("suggest.budget", KEY_REAL, suggest_budget, "0", 0, 1e300, NULL, "FLOP",
        "nominal budget whose allocation they are to pin down; 0: the largest run's"),
    KEY("suggest.file", KEY_WORD, suggest_file, "suggest.yaml", 0, 0, NULL, "1", "study file to write; must not exist"),
    KEY("suggest.base", KEY_WORD, suggest_base, "", 0, 0, NULL, "1",
        "study file that gives all other keys; empty: none"),
    KEY("json", KEY_WORD, json, "", 0, 0, NULL, "1", "file for programs; empty: none"),
};
const int n_analysis_keys = sizeof analysis_keys / sizeof *analysis_keys;

const char *const coef_name[COEFS] = {"E", "A", "B", "alpha", "beta", "a", "b"};
const char *const spread_name[] = {"resampled cells", "resampled residuals",
                                   "resampled residuals, scaled as the noise"};

TableColumns analysis_columns(const FitOptions *o) {
    return (TableColumns){.n = o->column_n,
                          .d = o->column_d,
                          .loss = o->column_loss,
                          .weight = o->column_weight,
                          .keep = o->column_keep,
                          .arm = o->column_arm,
                          .seed = o->column_seed,
                          .c = {o->column_c[0], o->column_c[1], o->column_c[2]}};
}

TableFilter analysis_filter(const FitOptions *o) {
    return (TableFilter){.n_arms = o->arms.n, .arms = o->arms.at, .c_min = o->c_min, .c_max = o->c_max};
}

static LawSpec spec_of(const FitOptions *o) {
    return (LawSpec){
        .objective = o->objective[0] == 'h'         ? OBJECTIVE_HUBER
                     : !strcmp(o->objective, "log") ? OBJECTIVE_LOG
                                                    : OBJECTIVE_LOSS,
        .delta = o->delta,
        .e = o->e[0] == 'f'   ? LAW_E_FREE
             : o->e[0] == 'z' ? LAW_E_ZERO
                              : LAW_E_SHARED,
        .exponents = o->exponents[0] == 'f'   ? LAW_EXPONENTS_FREE
                     : o->exponents[0] == 't' ? LAW_EXPONENTS_TIED
                                              : LAW_EXPONENTS_SHARED,
    };
}

static const Cost six_nd = {.log_kappa = 1.791759469228055, .mu = 1, .nu = 1}; /* log 6: where C is not known */

/* ---- Numbers of one law, and their spread over resamples. ---- */

static void coefficients(double value[COEFS], const Law *law, const Cost *cost) {
    value[COEF_E] = exp(law->e), value[COEF_A] = exp(law->a), value[COEF_B] = exp(law->b);
    value[COEF_ALPHA] = law->alpha, value[COEF_BETA] = law->beta;
    cost_exponents(&value[COEF_N_EXPONENT], &value[COEF_D_EXPONENT], law, cost);
}

static const Law *resampled(const Ensemble *e, int64_t r, int index) {
    return &e->law[r * e->arms + index];
}

/* Degrees of freedom for percentiles. The pool that a Huber fit's residuals are drawn from makes up for them
 * (fit/bootstrap.h). */
static double freedom(const LawGroup *g) {
    return g->problem.spec.objective == OBJECTIVE_HUBER ? 0 : fmax((double)(g->fit.rows - g->problem.n), 1);
}

static Interval interval(double *v, int64_t n, const LawGroup *g) {
    return stats_interval(v, n, freedom(g));
}

static void spread_of_coefficients(ArmFit *arm, const Cost *cost) {
    const LawGroup *g = arm->group;
    int64_t n = g->spread.n;
    double *v = MEM_NEW(double, n + 1), value[COEFS];
    for (int k = 0; k < COEFS; k++) {
        for (int64_t r = 0; r < n; r++) {
            coefficients(value, resampled(&g->spread, r, arm->index), cost);
            v[r] = value[k];
        }
        arm->interval[k] = interval(v, n, g);
        for (int64_t r = 0; r < g->cells.n; r++) {
            coefficients(value, resampled(&g->cells, r, arm->index), cost);
            v[r] = value[k];
        }
        arm->se[k] = stats_sd(v, g->cells.n);
    }
    mem_free(v);
}

static void allocate(BudgetFit *out, const ArmFit *arm, const CurrencyFit *currency, double c, const FitOptions *o) {
    const LawGroup *g = arm->group;
    int64_t n = g->spread.n;
    double *v = MEM_NEW(double, 3 * n + 1);
    out->at = cost_allocate(&g->fit.law[arm->index], &currency->cost, c);
    for (int64_t r = 0; r < n; r++) {
        Allocation at = cost_allocate(resampled(&g->spread, r, arm->index), &currency->cost, c);
        v[r] = at.n, v[n + r] = at.d, v[2 * n + r] = at.loss;
    }
    out->n = interval(v, n, g);
    out->d = interval(v + n, n, g);
    out->loss = interval(v + 2 * n, n, g);
    mem_free(v);
    double beyond = fmax(c / currency->c_max, currency->c_min / c);
    if (!arm->identified) {
        snprintf(out->status, sizeof out->status, "refused: the law is not identifiable");
    } else if (!isfinite(out->at.n) || !(out->at.n > 0)) {
        snprintf(out->status, sizeof out->status, "no interior optimum");
    } else if (beyond > o->extrapolation * (1 + 1e-9) && !o->extrapolate) {
        snprintf(out->status, sizeof out->status, "refused: %.3g times beyond the data, limit %g (-fit_extrapolate)",
                 beyond, o->extrapolation);
    } else if (beyond > 1) {
        snprintf(out->status, sizeof out->status, "extrapolated %.3g times beyond the data", beyond);
    } else if (out->at.d / out->at.n < arm->ratio_lo || out->at.d / out->at.n > arm->ratio_hi) {
        bool few = out->at.d / out->at.n < arm->ratio_lo;
        snprintf(out->status, sizeof out->status, "one-sided: D/N is %.3g here, %s %.3g in every run",
                 out->at.d / out->at.n, few ? "at least" : "at most", few ? arm->ratio_lo : arm->ratio_hi);
    } else {
        snprintf(out->status, sizeof out->status, "within the data");
    }
    if (!strncmp(out->status, "refused", 7)) {
        out->at.n = out->at.d = out->at.loss = NAN;
        out->n = out->d = out->loss = (Interval){NAN, NAN};
    }
}

static void spread_of_exponents(CurrencyFit *currency, const ArmFit *arm) {
    const LawGroup *g = arm->group;
    int64_t n = g->spread.n;
    double *v = MEM_NEW(double, 2 * n + 1);
    for (int64_t r = 0; r < n; r++)
        cost_exponents(&v[r], &v[n + r], resampled(&g->spread, r, arm->index), &currency->cost);
    currency->a_interval = interval(v, n, g);
    currency->b_interval = interval(v + n, n, g);
    mem_free(v);
}

static void fit_currency(CurrencyFit *currency, const ArmFit *arm, const Table *table, int index, int which,
                         const FitOptions *o) {
    currency->known = table->has[which];
    if (!currency->known) return;
    currency->cost = cost_fit(table, index, which);
    cost_exponents(&currency->a, &currency->b, &arm->group->fit.law[arm->index], &currency->cost);
    spread_of_exponents(currency, arm);
    currency->c_min = INFINITY, currency->c_max = 0;
    for (int64_t i = 0; i < arm->rows->n; i++) {
        double c = table->at[arm->rows->point[i]].c[which];
        currency->c_min = fmin(currency->c_min, c), currency->c_max = fmax(currency->c_max, c);
    }
    const RealList *asked = &o->budgets[which];
    if (asked->n) {
        for (int i = 0; i < asked->n && currency->budgets < ANALYSIS_BUDGETS; i++)
            allocate(&currency->budget[currency->budgets++], arm, currency, asked->at[i], o);
    } else {
        int first = (int)ceil(log10(currency->c_min) - 1e-9);
        int last = (int)floor(log10(currency->c_max * fmin(o->extrapolation, 10)) + 1e-9);
        for (int e = first; e <= last && currency->budgets < ANALYSIS_BUDGETS; e++)
            allocate(&currency->budget[currency->budgets++], arm, currency, pow(10, e), o);
    }
    double lo = log(currency->c_min), hi = log(currency->c_max * fmin(o->extrapolation, 10));
    for (int i = 0; i < ANALYSIS_FRONTIER; i++)
        allocate(&currency->frontier[currency->frontiers++], arm, currency,
                 exp(lo + (hi - lo) * i / (ANALYSIS_FRONTIER - 1)), o);
    envelope_fit(&currency->envelope, table, index, which, 0);
    const RealList *iso = &o->isoflop_budgets;
    bool given = which == CURRENCY_NOMINAL && iso->n;
    isoflop_fit(&currency->isoflop, table, index, which, given ? iso->at : NULL, given ? iso->n : 0,
                isfinite(arm->seed_noise) ? arm->seed_noise : 0, 500, (uint64_t)o->seed);
}

/* Standard deviation of log loss among runs that differ in their seeds only. */
static void measure_noise(ArmFit *arm, const Table *table) {
    const LawRows *rows = arm->rows;
    double sum = 0;
    for (int64_t k = 0; k < rows->configs; k++) {
        double mean = 0, square = 0;
        int64_t n = 0;
        for (int64_t i = 0; i < rows->n; i++) {
            if (rows->config[i] != k) continue;
            double z = log(table->at[rows->point[i]].loss);
            n++;
            double step = z - mean;
            mean += step / (double)n;
            square += step * (z - mean);
        }
        sum += square;
        arm->seed_dof += n - 1;
    }
    arm->seed_noise = arm->seed_dof > 0 ? sqrt(sum / (double)arm->seed_dof) : NAN;
}

static void judge(ArmFit *arm) {
    law_status(arm->status, sizeof arm->status, &arm->group->fit, &arm->group->problem, arm->index);
    arm->identified = strncmp(arm->status, "not identifiable", 16);
    if (strcmp(arm->status, "converged")) return;
    for (int k = COEF_ALPHA; k <= COEF_BETA; k++) {
        Interval i = arm->interval[k];
        if (isfinite(i.lo) && (i.lo <= 1e-6 || i.hi >= 5 - 1e-6 || i.hi - i.lo > 2 * arm->value[k])) {
            snprintf(arm->status, sizeof arm->status, "not identifiable: interval of %s is [%.3g, %.3g]", coef_name[k],
                     i.lo, i.hi);
            return;
        }
    }
}

static void fit_group(LawGroup *group, const LawRows *rows, int arms, const Analysis *a, const Comm *comm) {
    const FitOptions *o = &a->options;
    double start = timer_now();
    group->problem = law_problem(rows, arms, &a->spec);
    law_fit(&group->fit, &group->problem, o->starts[0] == 'g' ? LAW_STARTS_GRID : LAW_STARTS_FEW, comm);
    uint64_t seed = (uint64_t)o->seed;
    group->seconds_fit = timer_now() - start;
    start = timer_now();
    LawFit *fit = &group->fit;
    if (fit->rows > group->problem.n) fit->varpro = law_varpro(fit->varpro_law, &group->problem, comm);
    group->seconds_varpro = timer_now() - start;
    group->uneven = 1;
    for (int m = 0; m < arms; m++)
        group->uneven = fmin(group->uneven, bootstrap_uneven(&group->problem, &group->fit, m));
    group->spread_kind = o->intervals[0] == 'r'   ? BOOTSTRAP_RESIDUALS
                         : o->intervals[0] == 's' ? BOOTSTRAP_SCALED
                         : o->intervals[0] == 'c' ? BOOTSTRAP_CELLS
                         : group->uneven < 0.01   ? BOOTSTRAP_SCALED
                                                  : BOOTSTRAP_RESIDUALS;
    start = timer_now();
    group->spread = bootstrap_laws(&group->problem, &group->fit, group->spread_kind, o->bootstraps, seed, comm);
    group->seconds_spread = timer_now() - start;
    start = timer_now();
    group->cells = bootstrap_laws(&group->problem, &group->fit, BOOTSTRAP_CELLS, o->bootstraps, seed, comm);
    group->seconds_cells = timer_now() - start;
}

static void fit_surrogate(Analysis *a, const Comm *comm) {
    const FitOptions *o = &a->options;
    uint64_t seed = (uint64_t)o->seed;
    a->surrogate = surrogate_new(a->table, o->surrogate_points, o->surrogate_subset, seed, comm);
    for (int m = 0; m < a->arms; m++) {
        Extent extent = extent_of(a->table, m);
        for (int c = 0; c < CURRENCIES; c++) {
            CurrencyFit *currency = &a->arm[m].currency[c];
            if (!currency->known) continue;
            double lo = log(currency->c_min), hi = log(currency->c_max);
            for (int i = 0; i < ANALYSIS_LAWFREE; i++)
                currency->lawfree[i].at.c = exp(lo + (hi - lo) * (i + 0.5) / ANALYSIS_LAWFREE);
            currency->lawfrees = ANALYSIS_LAWFREE;
            frontier_surrogate(currency->lawfree, ANALYSIS_LAWFREE, a->surrogate, m, &currency->cost, &extent, 400,
                               seed);
        }
    }
}

/* log N* of the surrogate against log C, where the minimum lies inside. */
static double lawfree_exponent(const CurrencyFit *c) {
    double x[2 * ANALYSIS_LAWFREE], y[ANALYSIS_LAWFREE], line[2];
    int n = 0;
    for (int i = 0; i < c->lawfrees; i++) {
        if (strcmp(c->lawfree[i].status, "within the data")) continue;
        x[2 * n] = 1, x[2 * n + 1] = log(c->lawfree[i].at.c), y[n++] = log(c->lawfree[i].at.n);
    }
    return n >= 3 && stats_lsq(line, NULL, NULL, x, y, NULL, n, 2) ? line[1] : NAN;
}

static void certify(const Analysis *a, ArmFit *arm, const Comm *comm) {
    const LawGroup *g = arm->group;
    double start = timer_now();
    const Cost *cost = a->reference_currency >= 0 ? &arm->currency[a->reference_currency].cost : &six_nd;
    certificate_make(&arm->certificate, &g->problem, &g->fit, arm->index, cost, a->reference, comm);
    arm->seconds_certificate = timer_now() - start;
    Sensitivity row = {.E = NAN, .alpha = NAN, .beta = NAN, .best_n = NAN, .rows = arm->rows->n};
    for (int c = 0; c < CURRENCIES; c++) {
        const CurrencyFit *k = &arm->currency[c];
        if (!k->known) continue;
        const struct {
            const char *what;
            double a, b;
        } found[] = {{"law", k->a, k->b},
                     {"isoFLOP", k->isoflop.n.exponent, k->isoflop.d.exponent},
                     {"envelope", k->envelope.n_exponent, k->envelope.d_exponent},
                     {"surrogate", lawfree_exponent(k), NAN}};
        for (int i = c == a->reference_currency; i < 4; i++) { /* there the law is the first row */
            snprintf(row.what, sizeof row.what, "%s, %s", found[i].what, currency_name[c]);
            row.a = found[i].a, row.b = found[i].b;
            if (isfinite(row.a)) certificate_add(&arm->certificate, &row);
        }
    }
}

/* Where arms are put beside each other. */
static void refer(Analysis *a) {
    double sum = 0;
    int c = 0;
    while (c < CURRENCIES && !a->table->has[c]) c++;
    a->reference_currency = c < CURRENCIES ? c : -1;
    for (int m = 0; m < a->arms; m++)
        sum += c < CURRENCIES ? 0.5 * log(a->arm[m].currency[c].c_min * a->arm[m].currency[c].c_max) : NAN;
    a->reference = exp(sum / a->arms);
    for (int m = 0; m < a->arms; m++) {
        ArmFit *arm = &a->arm[m];
        if (c < CURRENCIES)
            allocate(&arm->reference, arm, &arm->currency[c], a->reference, &a->options);
        else
            arm->reference = (BudgetFit){.at = {NAN, NAN, NAN, NAN}, .n = {NAN, NAN}, .status = "no compute known"};
        if (!strcmp(arm->status, "converged") && !strncmp(arm->reference.status, "one-sided", 9))
            snprintf(arm->status, sizeof arm->status, "%s", arm->reference.status);
    }
}

static CompareArm compare_arm(const Analysis *a, int m, int currency) {
    const ArmFit *arm = &a->arm[m];
    const CurrencyFit *c = &arm->currency[currency];
    return (CompareArm){.name = a->table->arm[m],
                        .law = &arm->group->fit.law[arm->index],
                        .spread = &arm->group->spread,
                        .index = arm->index,
                        .dof = freedom(arm->group),
                        .cost = c->cost,
                        .c_min = c->c_min,
                        .c_max = c->c_max};
}

static void compare(Analysis *a, const Comm *comm) {
    a->comparison = MEM_NEW(Comparison, a->arms * (a->arms - 1) / 2 + 1);
    for (int i = 0; i < a->arms; i++)
        for (int j = i + 1; j < a->arms; j++) {
            Comparison *pair = &a->comparison[a->comparisons++];
            pair->first = i, pair->second = j;
            LawRows rows[2] = {a->rows[i], a->rows[j]};
            compare_exponents(&pair->exponents, rows, &a->spec, comm);
            for (int c = 0; c < CURRENCIES; c++) {
                if (!a->table->has[c]) continue;
                CompareArm first = compare_arm(a, i, c), second = compare_arm(a, j, c);
                compare_arms(&pair->currency[c], &first, &second, a->options.extrapolation);
            }
        }
}

Analysis *analysis_new(const Table *table, const FitOptions *options, const Comm *comm) {
    Analysis *a = MEM_NEW(Analysis, 1);
    a->table = table, a->options = *options, a->spec = spec_of(options), a->arms = table->arms;
    a->arm = MEM_NEW(ArmFit, a->arms + 1);
    bool joint = a->arms > 1 && (a->spec.e == LAW_E_SHARED || a->spec.exponents == LAW_EXPONENTS_SHARED);
    a->groups = joint ? 1 : a->arms;
    a->group = MEM_NEW(LawGroup, a->groups + 1);
    a->rows = MEM_NEW(LawRows, a->arms + 1);
    for (int m = 0; m < a->arms; m++) a->rows[m] = law_rows(table, m);
    if (joint) fit_group(&a->group[0], a->rows, a->arms, a, comm);
    for (int m = 0; m < a->arms; m++) {
        ArmFit *arm = &a->arm[m];
        arm->rows = &a->rows[m];
        arm->group = &a->group[joint ? 0 : m];
        arm->index = joint ? m : 0;
        if (!joint) fit_group(&a->group[m], arm->rows, 1, a, comm);
        Cost cost = table->has[CURRENCY_NOMINAL] ? cost_fit(table, m, CURRENCY_NOMINAL) : six_nd;
        coefficients(arm->value, &arm->group->fit.law[arm->index], &cost);
        spread_of_coefficients(arm, &cost);
        measure_noise(arm, table);
        judge(arm);
        arm->ratio_lo = INFINITY;
        for (int64_t i = 0; i < arm->rows->n; i++) {
            const Point *p = &table->at[arm->rows->point[i]];
            arm->ratio_lo = fmin(arm->ratio_lo, p->d / p->n), arm->ratio_hi = fmax(arm->ratio_hi, p->d / p->n);
        }
        for (int c = 0; c < CURRENCIES; c++) fit_currency(&arm->currency[c], arm, table, m, c, options);
    }
    if (options->surrogate && table->n >= 10) fit_surrogate(a, comm);
    refer(a);
    for (int m = 0; m < a->arms; m++) certify(a, &a->arm[m], comm);
    compare(a, comm);
    return a;
}

void analysis_free(Analysis *a) {
    surrogate_free(a->surrogate);
    for (int m = 0; m < a->arms; m++) {
        law_rows_free(&a->rows[m]);
        certificate_free(&a->arm[m].certificate);
    }
    mem_free(a->comparison);
    for (int g = 0; g < a->groups; g++) {
        ensemble_free(&a->group[g].spread);
        ensemble_free(&a->group[g].cells);
    }
    mem_free(a->rows);
    mem_free(a->arm);
    mem_free(a->group);
    mem_free(a);
}
