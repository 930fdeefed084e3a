#include "infer/compare.h"

#include "base/arena.h"
#include "infer/certificate.h"

#include <math.h>
#include <stdio.h>

static double best_loss(const Law *law, const Cost *cost, double log_c) {
    return cost_allocate(law, cost, exp(log_c)).loss;
}

/* log C at which the frontiers meet, the largest one within the range; NaN: none. */
static double meet(const Law *p, const Cost *cp, const Law *q, const Cost *cq, double lo, double hi) {
    enum { STEPS = 60 };
    double found = NAN, last = best_loss(p, cp, lo) - best_loss(q, cq, lo);
    for (int i = 1; i <= STEPS; i++) {
        double at = lo + (hi - lo) * i / STEPS, gap = best_loss(p, cp, at) - best_loss(q, cq, at);
        if (last * gap < 0) {
            double left = at - (hi - lo) / STEPS, right = at, sign = last;
            for (int k = 0; k < 50; k++) {
                double mid = 0.5 * (left + right), g = best_loss(p, cp, mid) - best_loss(q, cq, mid);
                if (g * sign > 0)
                    left = mid;
                else
                    right = mid;
            }
            found = 0.5 * (left + right);
        }
        last = gap;
    }
    return found;
}

static double ratio(const Law *p, const Cost *cp, const Law *q, const Cost *cq, double loss) {
    return cost_to_reach(q, cq, loss) / cost_to_reach(p, cp, loss);
}

static void multipliers(double value[COMPARE_LOSSES + 1], const Law *p, const Cost *cp, const Law *q, const Cost *cq,
                        const Difference *d) {
    double sum = 0;
    for (int i = 0; i < COMPARE_LOSSES; i++) {
        value[i] = ratio(p, cp, q, cq, d->at[i].loss);
        sum += log(value[i]) / COMPARE_LOSSES;
    }
    value[COMPARE_LOSSES] = exp(sum);
}

void compare_arms(Difference *out, const CompareArm *a, const CompareArm *b, double reach) {
    *out = (Difference){.crossover = NAN, .crossover_interval = {NAN, NAN}, .mean = {NAN, NAN, {NAN, NAN}}};
    int64_t n = a->spread->n < b->spread->n ? a->spread->n : b->spread->n;
    out->loss_hi = fmin(best_loss(a->law, &a->cost, log(a->c_min)), best_loss(b->law, &b->cost, log(b->c_min)));
    out->loss_lo = fmax(best_loss(a->law, &a->cost, log(a->c_max)), best_loss(b->law, &b->cost, log(b->c_max)));
    bool falls = a->law->kind->axes == LAW_OF_N_AND_D || a->law->kind->axes == LAW_OF_C;
    bool known = falls && a->identified && b->identified, common = known && out->loss_lo < out->loss_hi;
    double dof = fmin(a->dof, b->dof), *v = MEM_NEW(double, (COMPARE_LOSSES + 2) * n + 1), value[COMPARE_LOSSES + 1];
    for (int i = 0; i < COMPARE_LOSSES; i++)
        out->at[i].loss =
            common ? exp(log(out->loss_lo) + (log(out->loss_hi) - log(out->loss_lo)) * (i + 0.5) / COMPARE_LOSSES)
                   : NAN;
    out->mean.loss = sqrt(out->loss_lo * out->loss_hi);
    multipliers(value, a->law, &a->cost, b->law, &b->cost, out);

    double lo = log(fmin(a->c_min, b->c_min) / reach), hi = log(fmax(a->c_max, b->c_max) * reach);
    double at = !known ? NAN : meet(a->law, &a->cost, b->law, &b->cost, lo, hi);
    out->crossover = exp(at);
    double *cross = v + (COMPARE_LOSSES + 1) * n;
    int64_t crossings = 0;
    for (int64_t r = 0; r < n; r++) {
        const Law *p = &a->spread->law[r * a->spread->arms + a->index],
                  *q = &b->spread->law[r * b->spread->arms + b->index];
        double resampled[COMPARE_LOSSES + 1], c = meet(p, &a->cost, q, &b->cost, lo, hi);
        multipliers(resampled, p, &a->cost, q, &b->cost, out);
        for (int i = 0; i <= COMPARE_LOSSES; i++) v[i * n + r] = resampled[i];
        if (isfinite(c)) cross[crossings++] = exp(c);
    }
    for (int i = 0; i <= COMPARE_LOSSES; i++) {
        Multiplier *m = i < COMPARE_LOSSES ? &out->at[i] : &out->mean;
        m->value = common ? value[i] : NAN;
        m->interval = common ? stats_interval(v + i * n, n, dof) : (Interval){NAN, NAN};
    }
    out->crossover_share = n ? (double)crossings / (double)n : NAN;
    if (isfinite(at) && (double)crossings >= 0.95 * (double)n)
        out->crossover_interval = stats_interval(cross, crossings, dof);
    mem_free(v);

    const Multiplier *m = &out->mean;
    if (!falls) {
        snprintf(out->status, sizeof out->status, "the law says nothing of compute");
        snprintf(out->crossover_status, sizeof out->crossover_status, "%s", out->status);
        return;
    }
    if (!known) {
        snprintf(out->status, sizeof out->status, "refused: the law of %s is not identifiable",
                 a->identified ? b->name : a->name);
        snprintf(out->crossover_status, sizeof out->crossover_status, "%s", out->status);
        return;
    }
    if (!common)
        snprintf(out->status, sizeof out->status, "no loss that both arms reach within their data");
    else if (isnan(m->interval.lo) || isnan(m->interval.hi))
        snprintf(out->status, sizeof out->status, "no interval");
    else if (m->interval.lo <= 1 && m->interval.hi >= 1)
        snprintf(out->status, sizeof out->status, "no difference shown: the interval holds 1");
    else
        snprintf(out->status, sizeof out->status, "%s needs %s compute", b->name, m->value < 1 ? "less" : "more");
    bool first_better = best_loss(a->law, &a->cost, hi) < best_loss(b->law, &b->cost, hi);
    char but[48] = "";
    if (out->crossover_share > 0)
        snprintf(but, sizeof but, ", but in %.2g %% of the resamples", 100 * out->crossover_share);
    if (!isfinite(at))
        snprintf(out->crossover_status, sizeof out->crossover_status,
                 "none within a factor %g of the data: %s is better throughout%s", reach,
                 first_better ? a->name : b->name, but);
    else if (!(out->crossover_share >= 0.95))
        snprintf(out->crossover_status, sizeof out->crossover_status, "uncertain: in %.0f %% of the resamples only",
                 100 * fmax(out->crossover_share, 0));
    else
        snprintf(out->crossover_status, sizeof out->crossover_status, "%s is better above",
                 first_better ? a->name : b->name);
}

void compare_exponents(ExponentTest *out, const LawRows rows[2], const LawSpec *given, const Comm *comm) {
    LawSpec spec = *given;
    LawFit shared, own[2];
    double free_sum = 0, unit = 0, variables = 0, total = 0;
    if (spec.exponents == LAW_EXPONENTS_SHARED) spec.exponents = LAW_EXPONENTS_FREE;
    if (spec.e == LAW_E_SHARED) spec.e = LAW_E_FREE;
    *out = (ExponentTest){0};
    if (spec.exponents == LAW_EXPONENTS_TIED) {
        snprintf(out->why, sizeof out->why, "alpha and beta are tied");
        return;
    }
    for (int m = 0; m < 2; m++) {
        LawProblem p = law_problem(&rows[m], 1, &spec);
        if (rows[m].n <= p.n) {
            snprintf(out->why, sizeof out->why, "%lld rows for %d coefficients", (long long)rows[m].n, p.n);
            return;
        }
        law_fit(&own[m], &p, LAW_STARTS_FEW, comm);
        free_sum += own[m].objective;
        variables += p.n;
        total += (double)rows[m].n;
        unit += certificate_unit(&p, &own[m]) * (double)(rows[m].n - p.n);
    }
    out->dof2 = (int)(total - variables);
    unit /= out->dof2;
    if (!(unit > 0)) {
        snprintf(out->why, sizeof out->why, "the laws leave no noise");
        return;
    }
    spec.exponents = LAW_EXPONENTS_SHARED;
    LawProblem joint = law_problem(rows, 2, &spec);
    law_fit(&shared, &joint, LAW_STARTS_FEW, comm);
    out->dof1 = (int)variables - joint.n;
    out->f = fmax(shared.objective - free_sum, 0) / out->dof1 / unit;
    out->p = stats_f_sf(out->f, out->dof1, out->dof2);
    out->alpha = shared.law[0].alpha;
    out->beta = law_has(spec.kind, LAW_BETA) ? shared.law[0].beta : NAN;
    out->valid = true;
}
