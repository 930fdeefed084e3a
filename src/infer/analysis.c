#include "infer/analysis.h"
#include "infer/drift.h"
#include "infer/methods.h"
#include "judge.h"
#include "pairs.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/timer.h"
#include "fit/frontier.h"
#include "fit/noise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const coef_name[COEFS] = {"E", "A", "B", "alpha", "beta", "a", "b"};
const char *const spread_name[] = {"resampled cells", "resampled residuals", "resampled residuals, scaled as the noise",
                                   "resampled residuals and offsets of groups"};

static const Cost six_nd = {.log_kappa = 1.791759469228055, .mu = 1, .nu = 1}; /* log 6: where C is not known */

/* ---- Numbers of one law, and their spread over resamples. ---- */

/* The E that a law reports: at its lower bound it has vanished beside the losses, which is an E of 0. */
static double reported_e(const ArmFit *arm, const Law *law) {
    const LawProblem *p = &arm->group->problem;
    int slot = p->slot[arm->index][LAW_E];
    if (!law_has(p->spec.kind, LAW_E)) return NAN;
    if (slot < 0) return exp(law->e);
    double slack = 1e-7 * (p->hi[slot] - p->lo[slot]); /* as law_fit has it */
    return law->e <= p->lo[slot] + slack ? 0 : exp(law->e);
}

static void coefficients(double value[COEFS], const ArmFit *arm, const Law *law, const Cost *cost) {
    law_factors(&value[COEF_A], &value[COEF_B], law);
    value[COEF_E] = reported_e(arm, law);
    value[COEF_ALPHA] = law->alpha;
    value[COEF_BETA] = law_has(law->kind, LAW_BETA) ? law->beta : NAN;
    if (!law_has(law->kind, LAW_B)) value[COEF_B] = NAN;
    cost_exponents(&value[COEF_N_EXPONENT], &value[COEF_D_EXPONENT], law, cost);
}

static const Law *resampled(const Ensemble *e, int64_t r, int index) {
    return &e->law[r * e->arms + index];
}

static Interval interval(double *v, int64_t n, const LawGroup *g) {
    return stats_interval(v, n, g->dof);
}

/* Intervals and standard errors from the same resamples. A and B spread over decades: theirs are of the logarithm. */
static void spread_of_coefficients(ArmFit *arm, const Cost *cost) {
    const LawGroup *g = arm->group;
    int64_t n = g->spread.n;
    double *v = MEM_NEW(double, n *COEFS + 1); /* (COEFS, n) */
    for (int64_t r = 0; r < n; r++) {
        double value[COEFS];
        coefficients(value, arm, resampled(&g->spread, r, arm->index), cost);
        for (int k = 0; k < COEFS; k++) v[k * n + r] = value[k];
    }
    for (int k = 0; k < COEFS; k++) {
        arm->interval[k] = interval(v + k * n, n, g);
        for (int64_t r = 0; r < n && (k == COEF_A || k == COEF_B); r++) v[k * n + r] = log(v[k * n + r]);
        arm->se[k] = stats_sd(v + k * n, n);
    }
    mem_free(v);
}

/* Where the rows do not tell the coefficients apart, there are none. */
static void forget(ArmFit *arm) {
    for (int k = 0; k < COEFS; k++) {
        arm->value[k] = NAN;
        arm->se[k] = NAN;
        arm->interval[k] = (Interval){NAN, NAN};
    }
}

static void allocate(BudgetFit *out, const ArmFit *arm, const CurrencyFit *currency, double c, const FitOptions *o) {
    const LawGroup *g = arm->group;
    int64_t n = g->spread.n;
    double *v = MEM_NEW(double, 3 * n + 1);
    out->at = cost_allocate(&g->fit.law[arm->index], &currency->cost, c);
    for (int64_t r = 0; r < n; r++) {
        Allocation at = cost_allocate(resampled(&g->spread, r, arm->index), &currency->cost, c);
        v[r] = at.n;
        v[n + r] = at.d;
        v[2 * n + r] = at.loss;
    }
    out->n = interval(v, n, g);
    out->d = interval(v + n, n, g);
    out->loss = interval(v + 2 * n, n, g);
    mem_free(v);
    judge_budget(out, arm, currency, o);
}

/* Exponent of the best loss in compute, where a is that of N*. */
static double gamma_of(const Law *law, double a) {
    if (law_splits(law->kind)) return a * law->alpha;
    bool of_loss = law->kind->axes == LAW_OF_C && !law->kind->of_optima;
    return of_loss ? law->alpha : NAN;
}

static void spread_of_exponents(CurrencyFit *currency, const ArmFit *arm) {
    const LawGroup *g = arm->group;
    currency->a = currency->b = currency->gamma = NAN;
    currency->a_interval = currency->b_interval = currency->gamma_interval = (Interval){NAN, NAN};
    if (!arm->identified) return;
    cost_exponents(&currency->a, &currency->b, &g->fit.law[arm->index], &currency->cost);
    currency->gamma = gamma_of(&g->fit.law[arm->index], currency->a);
    int64_t n = g->spread.n;
    double *v = MEM_NEW(double, 3 * n + 1);
    for (int64_t r = 0; r < n; r++) {
        const Law *law = resampled(&g->spread, r, arm->index);
        cost_exponents(&v[r], &v[n + r], law, &currency->cost);
        v[2 * n + r] = gamma_of(law, v[r]);
    }
    currency->a_interval = interval(v, n, g);
    currency->b_interval = interval(v + n, n, g);
    currency->gamma_interval = interval(v + 2 * n, n, g);
    mem_free(v);
}

/* Whether every run has N and D: what is not a law wants both. */
static bool sized(const Table *table, int arm) {
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (p->arm == arm && (!isfinite(p->n) || !isfinite(p->d))) return false;
    }
    return true;
}

static void fit_currency(CurrencyFit *currency, const ArmFit *arm, const Table *table, int index, int which,
                         const FitOptions *o) {
    currency->known = table->has[which];
    if (!currency->known) return;
    currency->cost = cost_fit(table, index, which);
    spread_of_exponents(currency, arm);
    currency->c_min = INFINITY;
    currency->c_max = 0;
    for (int64_t i = 0; i < arm->rows->n; i++) {
        double c = table->at[arm->rows->point[i]].c[which];
        currency->c_min = fmin(currency->c_min, c);
        currency->c_max = fmax(currency->c_max, c);
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
    currency->sized = sized(table, index);
    if (!currency->sized) return;
    envelope_fit(&currency->envelope, table, index, which, 0);
    const RealList *iso = &o->isoflop_budgets;
    bool given = which == CURRENCY_NOMINAL && iso->n;
    isoflop_fit(&currency->isoflop, table, index, which, given ? iso->at : NULL, given ? iso->n : 0,
                isfinite(arm->seed_noise) ? arm->seed_noise : 0, 500, (uint64_t)o->seed);
}

/* Standard deviation of log loss among runs that differ in their seeds only. */
static void measure_noise(ArmFit *arm) {
    const LawRows *rows = arm->rows;
    double sum = 0;
    for (int64_t k = 0; k < rows->configs; k++) {
        double mean = 0, square = 0;
        int64_t n = 0;
        for (int64_t member = rows->first[k]; member < rows->first[k + 1]; member++) {
            double z = rows->k.z[rows->member[member]];
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

static BootstrapKind spread_kind(FitIntervals asked, bool grouped, double uneven_p) {
    const double surely_uneven = 0.01; /* p-value */
    switch (asked) {
    case FIT_INTERVALS_RESIDUALS: return BOOTSTRAP_RESIDUALS;
    case FIT_INTERVALS_SCALED: return BOOTSTRAP_SCALED;
    case FIT_INTERVALS_CELLS: return BOOTSTRAP_CELLS;
    case FIT_INTERVALS_GROUPS: return BOOTSTRAP_GROUPS;
    case FIT_INTERVALS_AUTO: break;
    }
    if (grouped) return BOOTSTRAP_GROUPS;
    return uneven_p < surely_uneven ? BOOTSTRAP_SCALED : BOOTSTRAP_RESIDUALS;
}

/* What intervals are moved outward by; 0: nothing. Where a quantile other than the middle is nearly met row by row, how densely
 * errors lie there is known from the rows of its thinner side. */
static double degrees_of_freedom(const LawProblem *p, const LawFit *fit) {
    double quantile = p->spec.quantile;
    if (!noise_absolute(p, fit)) return fmax((double)(fit->rows - p->n), 1);
    if (!(quantile > 0) || quantile == 0.5) return 0;
    return fmax((double)fit->rows * fmin(quantile, 1 - quantile), 1);
}

static void fit_group(LawGroup *group, const LawRows *rows, int arms, const Analysis *a, const Comm *comm) {
    const FitOptions *o = &a->options;
    double start = timer_now();
    group->problem = law_problem(rows, arms, &a->spec);
    law_fit(&group->fit, &group->problem, o->starts, comm);
    uint64_t seed = (uint64_t)o->seed;
    group->seconds_fit = timer_now() - start;
    start = timer_now();
    LawFit *fit = &group->fit;
    if (fit->rows > group->problem.n) fit->varpro = law_varpro(fit->varpro_law, &group->problem, comm);
    group->seconds_varpro = timer_now() - start;
    group->dof = degrees_of_freedom(&group->problem, fit);
    group->uneven = 1;
    for (int m = 0; m < arms; m++)
        group->uneven = fmin(group->uneven, arms * noise_uneven(&group->problem, &group->fit, m));
    bool grouped = false;
    for (int m = 0; m < arms; m++) grouped |= rows[m].groups < rows[m].n;
    group->spread_kind = spread_kind(o->intervals, grouped, group->uneven);
    start = timer_now();
    group->spread = bootstrap_laws(&group->problem, &group->fit, group->spread_kind, o->bootstraps, seed, comm);
    group->seconds_spread = timer_now() - start;
}

/* The surrogate's frontiers as powers of compute, at the budgets that all arms have. */
static void fit_powers(Analysis *a, int c, uint64_t seed) {
    FrontierPowers out[TABLE_ARMS];
    Cost cost[TABLE_ARMS];
    Extent extent[TABLE_ARMS];
    double lo = 0, hi = INFINITY;
    for (int m = 0; m < a->arms; m++) {
        const CurrencyFit *k = &a->arm[m].currency[c];
        cost[m] = k->cost;
        extent[m] = a->arm[m].sampled;
        lo = fmax(lo, k->c_min);
        hi = fmin(hi, k->c_max);
    }
    frontier_powers(out, a->surrogate, cost, extent, lo, hi, LAWFREE_SAMPLES, seed);
    for (int m = 0; m < a->arms; m++) a->arm[m].currency[c].powers = out[m];
}

static void fit_surrogate(Analysis *a, const Comm *comm) {
    const FitOptions *o = &a->options;
    uint64_t seed = (uint64_t)o->seed;
    log_topic("surrogate");
    a->surrogate = surrogate_new(a->table, o->surrogate_points, o->surrogate_subset, seed, comm);
    for (int m = 0; m < a->arms; m++) {
        for (int c = 0; c < CURRENCIES; c++) {
            CurrencyFit *currency = &a->arm[m].currency[c];
            if (!currency->known) continue;
            double lo = log(currency->c_min), hi = log(currency->c_max);
            for (int i = 0; i < ANALYSIS_LAWFREE; i++)
                currency->lawfree[i].at.c = exp(lo + (hi - lo) * (i + 0.5) / ANALYSIS_LAWFREE);
            currency->lawfrees = ANALYSIS_LAWFREE;
            frontier_surrogate(currency->lawfree, ANALYSIS_LAWFREE, a->surrogate, m, &currency->cost,
                               &a->arm[m].sampled, LAWFREE_SAMPLES, seed);
        }
    }
    for (int c = 0; c < CURRENCIES; c++)
        if (a->table->has[c]) fit_powers(a, c, seed);
}

/* log N* of the surrogate against log C, where the minimum lies inside. */
static double lawfree_exponent(const CurrencyFit *c) {
    double x[2 * ANALYSIS_LAWFREE], y[ANALYSIS_LAWFREE], line[2];
    int n = 0;
    for (int i = 0; i < c->lawfrees; i++) {
        if (c->lawfree[i].verdict != BUDGET_WITHIN) continue;
        x[2 * n] = 1;
        x[2 * n + 1] = log(c->lawfree[i].at.c);
        y[n++] = log(c->lawfree[i].at.n);
    }
    return n >= 3 && stats_lsq(line, NULL, NULL, x, y, NULL, n, 2) ? line[1] : NAN;
}

static void certify(const Analysis *a, ArmFit *arm, const Comm *comm) {
    const LawGroup *g = arm->group;
    double start = timer_now();
    const Cost *cost = a->reference_currency >= 0 ? &arm->currency[a->reference_currency].cost : &six_nd;
    if (!arm->identified)
        certificate_empty(&arm->certificate, arm->rows->n, a->reference);
    else
        certificate_make(&arm->certificate, &g->problem, &g->fit, arm->index, cost, a->reference, comm);
    arm->seconds_certificate = timer_now() - start;
    Sensitivity row = {.E = NAN, .alpha = NAN, .beta = NAN, .best_n = NAN, .rows = arm->rows->n};
    for (int c = 0; c < CURRENCIES; c++) {
        const CurrencyFit *k = &arm->currency[c];
        if (!k->known || !k->sized) continue;
        const struct {
            const char *what;
            double a, b;
        } found[] = {{"law", k->a, k->b},
                     {"isoFLOP", k->isoflop.n.exponent, k->isoflop.d.exponent},
                     {"envelope", k->envelope.n_exponent, k->envelope.d_exponent},
                     {"surrogate", lawfree_exponent(k), NAN}};
        for (int i = c == a->reference_currency; i < 4; i++) { /* there the law is the first row */
            snprintf(row.what, sizeof row.what, "%s, %s", found[i].what, currencies[c].name);
            row.a = found[i].a;
            row.b = found[i].b;
            if (isfinite(row.a)) certificate_add(&arm->certificate, &row);
        }
    }
}

/* The budget in the currency in which arms are put beside each other. */
static void refer(Analysis *a) {
    double sum = 0;
    int c = a->reference_currency;
    for (int m = 0; m < a->arms; m++)
        sum += c >= 0 ? 0.5 * log(a->arm[m].currency[c].c_min * a->arm[m].currency[c].c_max) : NAN;
    a->reference = exp(sum / a->arms);
    for (int m = 0; m < a->arms; m++) {
        ArmFit *arm = &a->arm[m];
        if (c >= 0)
            allocate(&arm->reference, arm, &arm->currency[c], a->reference, &a->options);
        else
            arm->reference = budget_without(NAN, BUDGET_UNKNOWN, "no compute known");
        bool comparable = c >= 0 && arm->identified && law_splits(a->spec.kind);
        if (comparable) methods_disagree(arm->disagreement, &arm->currency[c]);
        judge_reference(arm);
    }
}

/* A size asked for, whose compute is what the runs' cost law says, or else 6 N D. */
static Prediction asked_prediction(const ArmFit *arm, int m, double n, double d) {
    const CurrencyFit *nominal = &arm->currency[CURRENCY_NOMINAL];
    bool own = nominal->known && isfinite(nominal->cost.log_kappa);
    return (Prediction){.arm = m, .n = n, .d = d, .c = cost_of(own ? &nominal->cost : &six_nd, n, d), .observed = NAN};
}

static void predict(Analysis *a) {
    const RealList *asked = &a->options.predict;
    const Table *t = a->table;
    a->prediction = MEM_NEW(Prediction, a->arms * asked->n / 2 + t->n_held + 1);
    for (int m = 0; m < a->arms; m++) {
        ArmFit *arm = &a->arm[m];
        const LawGroup *g = arm->group;
        int64_t first = a->predictions;
        for (int i = 0; i + 1 < asked->n; i += 2)
            a->prediction[a->predictions++] = asked_prediction(arm, m, asked->at[i], asked->at[i + 1]);
        for (int64_t i = 0; i < t->n_held; i++) {
            const Point *p = &t->held[i];
            if (p->arm == m)
                a->prediction[a->predictions++] = (Prediction){
                    .arm = m, .held = true, .n = p->n, .d = p->d, .c = p->c[CURRENCY_NOMINAL], .observed = p->loss};
        }
        for (int64_t i = first; i < a->predictions; i++) {
            Prediction *p = &a->prediction[i];
            p->loss = NAN; /* of a law that is not identifiable */
            p->interval = (Interval){NAN, NAN};
            if (arm->identified) predict_loss(p, &g->fit.law[arm->index], &g->spread, arm->index, g->dof);
            judge_prediction(p, arm);
        }
        arm->holdout = predict_score(a->prediction, a->predictions, m);
    }
}

Analysis *analysis_new(const Table *table, const FitOptions *options, const Comm *comm) {
    Analysis *a = MEM_NEW(Analysis, 1);
    a->table = table;
    a->options = *options;
    a->spec = fit_spec(options);
    a->arms = table->arms;
    a->arm = MEM_NEW(ArmFit, a->arms + 1);
    bool joint = a->arms > 1 && (a->spec.e == LAW_E_SHARED || a->spec.exponents == LAW_EXPONENTS_SHARED);
    a->groups = joint ? 1 : a->arms;
    a->group = MEM_NEW(LawGroup, a->groups + 1);
    a->rows = MEM_NEW(LawRows, a->arms + 1);
    a->data = MEM_NEW(DataCurve, DATA_CURVES);
    for (int m = 0; m < a->arms; m++) a->rows[m] = law_rows(table, m, a->spec.kind->axes);
    a->reference_currency = fit_reference_currency(options, table);
    log_topic("all arms together");
    if (joint) fit_group(&a->group[0], a->rows, a->arms, a, comm);
    for (int m = 0; m < a->arms; m++) {
        log_topic("arm %.50s", table->arm[m]);
        ArmFit *arm = &a->arm[m];
        arm->rows = &a->rows[m];
        arm->columns = table->text;
        arm->group = &a->group[joint ? 0 : m];
        arm->index = joint ? m : 0;
        if (!joint) fit_group(&a->group[m], arm->rows, 1, a, comm);
        Cost cost = a->reference_currency >= 0 ? cost_fit(table, m, a->reference_currency) : six_nd;
        coefficients(arm->value, arm, &arm->group->fit.law[arm->index], &cost);
        spread_of_coefficients(arm, &cost);
        measure_noise(arm);
        judge_law(arm);
        if (!arm->identified) forget(arm);
        arm->sampled = extent_of(a->table, m);
        arm->ratio_lo = INFINITY;
        for (int64_t i = 0; i < arm->rows->n; i++) {
            const Point *p = &table->at[arm->rows->point[i]];
            arm->ratio_lo = fmin(arm->ratio_lo, p->d / p->n);
            arm->ratio_hi = fmax(arm->ratio_hi, p->d / p->n);
        }
        for (int c = 0; c < CURRENCIES; c++) fit_currency(&arm->currency[c], arm, table, m, c, options);
        if (law_splits(a->spec.kind)) arm->drift = drift_of(table, m, arm, a->reference_currency, options, comm);
    }
    bool sizes = true;
    for (int m = 0; m < a->arms; m++) sizes &= sized(table, m);
    if (options->surrogate && sizes && table->n >= SURROGATE_ROWS) fit_surrogate(a, comm);
    refer(a);
    for (int m = 0; m < a->arms; m++) {
        log_topic("certificate of arm %.40s", table->arm[m]);
        certify(a, &a->arm[m], comm);
    }
    log_topic("arms beside each other");
    pairs_compare(a, comm);
    predict(a);
    a->data_curves = data_curves(a->data, table, (uint64_t)options->seed);
    return a;
}

void analysis_free(Analysis *a) {
    surrogate_free(a->surrogate);
    for (int i = 0; i < a->data_curves; i++) data_curve_free(&a->data[i]);
    mem_free(a->data);
    for (int m = 0; m < a->arms; m++) {
        for (int c = 0; c < CURRENCIES; c++) {
            isoflop_free(&a->arm[m].currency[c].isoflop);
            mem_free(a->arm[m].currency[c].powers.draw);
        }
        law_rows_free(&a->rows[m]);
        certificate_free(&a->arm[m].certificate);
    }
    mem_free(a->comparison);
    mem_free(a->prediction);
    for (int g = 0; g < a->groups; g++) {
        ensemble_free(&a->group[g].spread);
    }
    mem_free(a->rows);
    mem_free(a->arm);
    mem_free(a->group);
    mem_free(a);
}
