#include "judge.h"

#include "fit/noise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Degrees of freedom that a law must leave to the means of groups: for intervals at all, and for 93 to 97 % of them to hold the
 * truth (tests/test_fit_coverage.c: 4 to 6 sizes, of which a law takes 3). */
static const double least_left = 0.5;
static const double few_left = 3.5;

/* A coefficient held at its bound is off where the rows would have it, which is in the p-values too: of 69 laws whose true E
 * is 0, fitted at that bound, two have p of a shared error below 1e-3, and none below 1e-4. */
static const double bound_limit = 1e-6;

/* Whether a factor beyond the data is more than a number of three digits shows. */
static bool is_beyond(double factor) {
    return factor > 1.005;
}

/* "D* is 3.1 times the longest run": how far N or D lies outside what the arm's runs have sampled; false: it does not, or neither
 * is known. `star`: what stands behind their letters. */
static bool outside(char *text, size_t size, double n, double d, const char *star, const Extent *sampled) {
    const struct {
        double factor; /* above 1: outside */
        const char *what;
    } side[] = {{n / sampled->n_max, "N%s is %.3g times the largest model"},
                {sampled->n_min / n, "N%s is %.3g times smaller than the smallest model"},
                {d / sampled->d_max, "D%s is %.3g times the longest run"},
                {sampled->d_min / d, "D%s is %.3g times shorter than the shortest run"}};
    double most = 1;
    int worst = 0;
    for (int k = 0; k < 4; k++) {
        if (!(side[k].factor > most)) continue;
        most = side[k].factor;
        worst = k;
    }
    if (!is_beyond(most)) return false;
    snprintf(text, size, side[worst].what, star, most);
    return true;
}

void judge_prediction(Prediction *at, const ArmFit *arm) {
    const CurrencyFit *nominal = &arm->currency[CURRENCY_NOMINAL];
    LawAxes axes = arm->group->problem.spec.kind->axes;
    double n = axes == LAW_OF_N_AND_D || axes == LAW_OF_N ? at->n : NAN;
    double d = axes == LAW_OF_N_AND_D || axes == LAW_OF_D ? at->d : NAN;
    double beyond = axes == LAW_OF_C ? fmax(at->c / nominal->c_max, nominal->c_min / at->c) : 1;
    char text[PREDICTION_STATUS];
    at->within = false;
    if (!arm->identified) {
        snprintf(at->status, sizeof at->status, "refused: the law is not identifiable");
    } else if (outside(text, sizeof text, n, d, "", &arm->sampled)) {
        snprintf(at->status, sizeof at->status, "outside the data: %.60s", text);
    } else if (is_beyond(beyond)) {
        snprintf(at->status, sizeof at->status, "extrapolated %.3g times beyond the data", beyond);
    } else {
        at->within = true;
        snprintf(at->status, sizeof at->status, "within the data");
    }
}

/* Whether a law has what was asked of it at a budget: a split, or a loss alone. */
static bool has_answer(const LawKind *kind, const Allocation *at) {
    if (law_splits(kind)) return isfinite(at->n) && at->n > 0;
    return isfinite(at->loss);
}

void judge_budget(BudgetFit *out, const ArmFit *arm, const CurrencyFit *currency, const FitOptions *o) {
    double c = out->at.c;
    double beyond = fmax(c / currency->c_max, currency->c_min / c);
    double ratio = out->at.d / out->at.n;
    const LawKind *kind = arm->group->problem.spec.kind;
    char text[BUDGET_STATUS];
    if (!arm->identified) {
        *out = budget_without(c, BUDGET_REFUSED, "refused: the law is not identifiable");
    } else if (!has_answer(kind, &out->at)) {
        *out = budget_without(c, BUDGET_NO_OPTIMUM,
                              law_splits(kind) ? "no interior optimum" : "the law says nothing of compute");
    } else if (beyond > o->extrapolation * (1 + 1e-9) && !o->extrapolate) {
        snprintf(text, sizeof text, "refused: %.3g times beyond the data, limit %g (-fit_extrapolate)", beyond,
                 o->extrapolation);
        *out = budget_without(c, BUDGET_REFUSED, text);
    } else if (law_splits(kind) && outside(text, sizeof text, out->at.n, out->at.d, "*", &arm->sampled)) {
        out->verdict = BUDGET_OUTSIDE;
        int n = snprintf(out->status, sizeof out->status, "outside the data: %.60s", text);
        if (is_beyond(beyond))
            snprintf(out->status + n, sizeof out->status - (size_t)n, "; C extrapolated %.3g times", beyond);
    } else if (is_beyond(beyond)) {
        out->verdict = BUDGET_EXTRAPOLATED;
        snprintf(out->status, sizeof out->status, "extrapolated %.3g times beyond the data", beyond);
    } else if (ratio < arm->ratio_lo) {
        out->verdict = BUDGET_ONE_SIDED;
        snprintf(out->status, sizeof out->status, "one-sided: D/N is %.3g here, at least %.3g in every run", ratio,
                 arm->ratio_lo);
    } else if (ratio > arm->ratio_hi) {
        out->verdict = BUDGET_ONE_SIDED;
        snprintf(out->status, sizeof out->status, "one-sided: D/N is %.3g here, at most %.3g in every run", ratio,
                 arm->ratio_hi);
    } else {
        out->verdict = BUDGET_WITHIN;
        snprintf(out->status, sizeof out->status, "within the data");
    }
}

static void judge_minimum(ArmFit *arm) {
    arm->verdict = law_status(arm->status, sizeof arm->status, &arm->group->fit, &arm->group->problem, arm->index);
    arm->identified = arm->verdict != LAW_NOT_IDENTIFIABLE;
}

/* An exponent whose interval says nothing. */
static void judge_intervals(ArmFit *arm) {
    bool fitted = arm->verdict == LAW_CONVERGED || arm->verdict == LAW_AT_BOUND;
    if (!fitted || arm->group->problem.spec.kind->of_optima) return; /* a slope may be 0 */
    const LawCoefficient *bound = arm->group->problem.spec.kind->coefficient;
    for (int k = COEF_ALPHA; k <= COEF_BETA; k++) {
        const LawCoefficient *b = &bound[k == COEF_ALPHA ? LAW_ALPHA : LAW_BETA];
        Interval i = arm->interval[k];
        if (isfinite(i.lo) && (i.lo <= b->lo + 1e-6 || i.hi >= b->hi - 1e-6 || i.hi - i.lo > 2 * fabs(arm->value[k]))) {
            snprintf(arm->status, sizeof arm->status, "not identifiable: interval of %s is [%.3g, %.3g]", coef_name[k],
                     i.lo, i.hi);
            arm->verdict = LAW_NOT_IDENTIFIABLE;
            arm->identified = false;
            return;
        }
    }
}

/* Offsets that nearly as many coefficients as there are groups can take up are not known at all. */
static void judge_groups(ArmFit *arm) {
    const LawGroup *g = arm->group;
    const LawRows *rows = arm->rows;
    arm->groups_left = INFINITY;
    if (!arm->identified || g->spread_kind != BOOTSTRAP_GROUPS || rows->groups == rows->n) return;
    arm->groups_left = noise_groups(&g->problem, &g->fit, arm->index, rows->group, rows->groups).left;
    if (arm->groups_left >= least_left) return;
    if (rows->groups == 1)
        snprintf(arm->status, sizeof arm->status, "not identifiable: all rows are of one group, want more of them");
    else
        snprintf(arm->status, sizeof arm->status,
                 "not identifiable: what %lld groups share is not told from the law, want more of them",
                 (long long)rows->groups);
    arm->verdict = LAW_NOT_IDENTIFIABLE;
    arm->identified = false;
}

/* What must be known of intervals beside any other verdict. */
static void judge_few_groups(ArmFit *arm) {
    if (!arm->identified || arm->groups_left >= few_left) return;
    const char *what = "groups are few: their intervals may be too narrow";
    char before[ANALYSIS_STATUS];
    snprintf(before, sizeof before, "%s", arm->status);
    bool plain = arm->verdict == LAW_CONVERGED && !strcmp(before, "converged");
    snprintf(arm->status, sizeof arm->status, "%.120s%s%lld %s", plain ? "" : before, plain ? "" : "; ",
             (long long)arm->rows->groups, what);
}

/* What contradicts a law, in words; the one of less p comes first. */
typedef struct Charge {
    double p;
    char text[96];
} Charge;

/* Errors that rows share. Offsets of sizes make neighbours alike too, and what neighbours share makes offsets: what is found
 * with the least p is said, since the remedy is the same. */
static Charge shared_error(const ArmFit *arm) {
    const double *p = arm->goodness.shared_p;
    int worst = 0;
    for (int k = 1; k < SHARED_KINDS; k++)
        if (isnan(p[worst]) || p[k] < p[worst]) worst = k;
    Charge c = {.p = p[worst]};
    snprintf(c.text, sizeof c.text, "%s, p = %.1e%s", shared_text[worst], c.p,
             arm->columns ? " (-fit_columns_group)" : "");
    return c;
}

/* At a minimum, and yet not the law of these rows. */
static void judge_fit(ArmFit *arm) {
    const LawGroup *g = arm->group;
    arm->goodness = goodness_of(&g->problem, &g->fit, arm->index, g->spread_kind == BOOTSTRAP_SCALED);
    const Goodness *found = &arm->goodness;
    bool bound = arm->verdict == LAW_AT_BOUND;
    double limit = bound ? bound_limit : LACK_LIMIT;
    Charge shared = shared_error(arm);
    Charge lack = {.p = found->p};
    snprintf(lack.text, sizeof lack.text, "lack of fit, p = %.1e by %s", lack.p, lack_name[found->by]);
    bool both = shared.p < limit && lack.p < limit;
    const Charge *first = shared.p < limit && !(lack.p < shared.p) ? &shared : &lack;
    const Charge *second = first == &shared ? &lack : &shared;
    if ((arm->verdict != LAW_CONVERGED && !bound) || !(first->p < limit)) return;
    arm->verdict = LAW_REJECTED;
    char before[32] = "";
    if (bound) snprintf(before, sizeof before, "; %.29s", arm->status);
    snprintf(arm->status, sizeof arm->status, "rejected by its own points: %s%s%s%s", first->text, both ? ", or " : "",
             both ? second->text : "", before);
}

void judge_law(ArmFit *arm) {
    judge_minimum(arm);
    judge_groups(arm);
    judge_intervals(arm);
    judge_fit(arm);
}

void judge_reference(ArmFit *arm) {
    if (arm->verdict == LAW_CONVERGED && arm->disagreement[0]) {
        arm->verdict = LAW_REJECTED;
        snprintf(arm->status, sizeof arm->status, "%s", arm->disagreement);
    }
    bool off = arm->reference.verdict == BUDGET_ONE_SIDED || arm->reference.verdict == BUDGET_OUTSIDE;
    if (arm->verdict == LAW_CONVERGED && off) snprintf(arm->status, sizeof arm->status, "%s", arm->reference.status);
    judge_few_groups(arm);
}
