#include "infer/drift.h"

#include "base/arena.h"
#include "base/rng.h"
#include "infer/answers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const drift_word[] = {"not decided", "stable", "drifting"};

/* log C between the lower and the upper budgets; NaN: no two. */
static double cut_of(const Table *table, const LawRows *rows, int currency) {
    int64_t n = rows->n;
    double *c = MEM_NEW(double, n + 1);
    for (int64_t i = 0; i < n; i++) c[i] = log(table->at[rows->point[i]].c[currency]);
    stats_sort(c, n);
    double widest = 0;
    double cut = NAN;
    for (int64_t i = n / 3; i < n - n / 3 && i + 1 < n; i++) {
        double gap = c[i + 1] - c[i];
        if (gap <= widest) continue;
        widest = gap;
        cut = 0.5 * (c[i] + c[i + 1]);
    }
    mem_free(c);
    return cut;
}

/* The rows of an arm on one side of the cut. */
static Table half_of(const Table *table, const LawRows *rows, int currency, double cut, bool upper) {
    Table half = table_new();
    table_arm(&half, "half");
    for (int64_t i = 0; i < rows->n; i++) {
        Point p = table->at[rows->point[i]];
        p.arm = 0;
        if ((log(p.c[currency]) > cut) == upper) table_add(&half, p);
    }
    return half;
}

/* The law's own spec with E held, as one arm is fitted. */
static LawSpec spec_of(const ArmFit *fit) {
    LawSpec spec = fit->group->problem.spec;
    double e = fit->value[COEF_E];
    if (spec.exponents == LAW_EXPONENTS_SHARED) spec.exponents = LAW_EXPONENTS_FREE;
    spec.e = e > 0 ? LAW_E_FIXED : LAW_E_ZERO;
    spec.e_value = e;
    return spec;
}

/* a of the rows of a half, and of DRIFT_RESAMPLES resamples; false, with `why`: they do not tell. */
static bool half_exponent(double *a, double *draw, char why[ANALYSIS_STATUS], const Table *half, const ArmFit *fit,
                          const Cost *cost, uint64_t seed, const Comm *comm) {
    LawSpec spec = spec_of(fit);
    LawRows rows = law_rows(half, 0, spec.kind->axes);
    LawProblem p = law_problem(&rows, 1, &spec);
    bool told = rows.n > p.n;
    if (!told) snprintf(why, ANALYSIS_STATUS, "%lld rows", (long long)rows.n);
    if (told) {
        LawFit own;
        double b;
        law_fit(&own, &p, LAW_STARTS_FEW, comm);
        told = law_status(why, ANALYSIS_STATUS, &own, &p, 0) != LAW_NOT_IDENTIFIABLE;
        cost_exponents(a, &b, &own.law[0], cost);
        if (told) {
            BootstrapKind kind = fit->group->spread_kind;
            Ensemble spread = bootstrap_laws(&p, &own, kind, DRIFT_RESAMPLES, seed, comm);
            for (int r = 0; r < DRIFT_RESAMPLES; r++) cost_exponents(&draw[r], &b, &spread.law[r], cost);
            ensemble_free(&spread);
        }
    }
    law_rows_free(&rows);
    return told;
}

DriftVerdict drift_verdict(Interval change) {
    if (change.lo > 0 || change.hi < 0) return DRIFT_DRIFTING;
    if (change.lo >= -ANSWER_SAME && change.hi <= ANSWER_SAME) return DRIFT_STABLE;
    return DRIFT_UNDECIDED;
}

Drift drift_of(const Table *table, int arm, const ArmFit *fit, int currency, const FitOptions *options,
               const Comm *comm) {
    const Estimate none = {NAN, {NAN, NAN}};
    Drift out = {.c = NAN, .lower = none, .upper = none, .change = none};
    const LawRows *rows = fit->rows;
    double cut = currency >= 0 ? cut_of(table, rows, currency) : NAN;
    if (!fit->identified || !isfinite(cut)) {
        snprintf(out.why, sizeof out.why, "%s",
                 fit->identified ? "the runs have no two budgets" : "the law is not identifiable");
        return out;
    }
    out.c = exp(cut);
    double *draw = MEM_NEW(double, 3 * DRIFT_RESAMPLES); /* lower, upper, change */
    double *change = draw + 2 * DRIFT_RESAMPLES;
    Estimate *part[2] = {&out.lower, &out.upper};
    double dof = fit->group->dof > 0 ? fmax((double)(rows->n / 2 - fit->group->problem.n), 1) : 0;
    bool told = true;
    for (int k = 0; k < 2; k++) {
        char why[ANALYSIS_STATUS];
        Table half = half_of(table, rows, currency, cut, k == 1);
        /* Every arm and half has noise of its own. */
        uint64_t seed = (uint64_t)options->seed + rng_stream(k ? "upper half" : "lower half", (uint64_t)arm);
        double *own = draw + k * DRIFT_RESAMPLES;
        if (half_exponent(&part[k]->value, own, why, &half, fit, &fit->currency[currency].cost, seed, comm)) {
            double *sorted = MEM_NEW(double, DRIFT_RESAMPLES);
            memcpy(sorted, own, DRIFT_RESAMPLES * sizeof *sorted);
            part[k]->interval = stats_interval(sorted, DRIFT_RESAMPLES, dof);
            mem_free(sorted);
        } else {
            part[k]->value = NAN;
            if (told) snprintf(out.why, sizeof out.why, "the %s half: %.100s", k ? "upper" : "lower", why);
            told = false;
        }
        table_free(&half);
    }
    if (told) {
        for (int r = 0; r < DRIFT_RESAMPLES; r++) change[r] = draw[DRIFT_RESAMPLES + r] - draw[r];
        out.change.value = out.upper.value - out.lower.value;
        out.change.interval = stats_interval(change, DRIFT_RESAMPLES, dof);
        out.verdict = drift_verdict(out.change.interval);
        if (out.verdict == DRIFT_UNDECIDED)
            snprintf(out.why, sizeof out.why, "the interval holds both 0 and a difference of %g", ANSWER_SAME);
    }
    mem_free(draw);
    return out;
}
