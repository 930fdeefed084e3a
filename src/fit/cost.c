#include "fit/cost.h"

#include "base/arena.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>

/* ---- The cost of a run. ---- */

/* N or D must vary by this much, in its logarithm, for its exponent to be fitted. */
static const double least_spread = 0.1;

Cost cost_fit(const Table *table, int arm, int currency) {
    int64_t n = 0;
    double *x = MEM_NEW(double, 5 * table->n + 1); /* (n, 3) 1, log N, log D */
    double *y = x + 3 * table->n;
    double *w = y + table->n;
    double lo[2] = {INFINITY, INFINITY}, hi[2] = {-INFINITY, -INFINITY};
    double log_c = 0, log_nd = 0, weight = 0;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        bool complete = p->n > 0 && p->d > 0 && p->c[currency] > 0;
        if (!table_final(table, i, arm) || !complete) continue;
        double *row = x + 3 * n;
        row[0] = 1;
        row[1] = log(p->n);
        row[2] = log(p->d);
        y[n] = log(p->c[currency]);
        w[n] = p->weight;
        for (int k = 0; k < 2; k++) {
            lo[k] = fmin(lo[k], row[1 + k]);
            hi[k] = fmax(hi[k], row[1 + k]);
        }
        log_c += w[n] * y[n];
        log_nd += w[n] * (row[1] + row[2]);
        weight += w[n];
        n++;
    }
    double c[3], variance;
    Cost cost = {.log_kappa = NAN, .mu = 1, .nu = 1, .rms = NAN, .log_middle = NAN};
    if (n) {
        cost.log_kappa = (log_c - log_nd) / weight;
        cost.log_middle = log_c / weight;
    }
    bool varied = n && hi[0] - lo[0] > least_spread && hi[1] - lo[1] > least_spread;
    if (varied && stats_lsq(c, NULL, &variance, x, y, w, n, 3) && c[1] > 0 && c[2] > 0) {
        cost.log_kappa = c[0];
        cost.mu = c[1];
        cost.nu = c[2];
        cost.rms = sqrt(variance);
    }
    mem_free(x);
    return cost;
}

double cost_of(const Cost *cost, double n, double d) {
    return exp(cost->log_kappa + cost->mu * log(n) + cost->nu * log(d));
}

/* ---- The best split. ---- */

BudgetFit budget_without(double c, BudgetVerdict verdict, const char *status) {
    const Interval none = {NAN, NAN};
    BudgetFit out = {.at = {c, NAN, NAN, NAN}, .n = none, .d = none, .loss = none, .verdict = verdict};
    snprintf(out.status, sizeof out.status, "%s", status);
    return out;
}

static Allocation at_size(const Law *law, const Cost *cost, double c, double log_n) {
    double log_d = (log(c) - cost->log_kappa - cost->mu * log_n) / cost->nu;
    return (Allocation){.c = c, .n = exp(log_n), .d = exp(log_d), .loss = law_loss(law, exp(log_n), exp(log_d))};
}

/* By golden section over the sizes from N = 1 to D = 1; none where the least loss is at an end. */
static Allocation search(const Law *law, const Cost *cost, double c) {
    const double golden = 0.6180339887498949;
    const double close = 1e-10; /* in log N, relative to the range */
    double end = (log(c) - cost->log_kappa) / cost->mu;
    double lo = 0, hi = end;
    double left = hi - golden * (hi - lo), right = lo + golden * (hi - lo);
    double at_left = at_size(law, cost, c, left).loss, at_right = at_size(law, cost, c, right).loss;
    while (hi - lo > close * end) {
        if (at_left < at_right) {
            hi = right;
            right = left;
            at_right = at_left;
            left = hi - golden * (hi - lo);
            at_left = at_size(law, cost, c, left).loss;
        } else {
            lo = left;
            left = right;
            at_left = at_right;
            right = lo + golden * (hi - lo);
            at_right = at_size(law, cost, c, right).loss;
        }
    }
    bool inside = lo > 0 && hi < end;
    return inside ? at_size(law, cost, c, 0.5 * (lo + hi)) : (Allocation){c, NAN, NAN, NAN};
}

void cost_exponents(double *a, double *b, const Law *law, const Cost *cost) {
    if (!law_splits(law->kind)) {
        *a = law->kind->of_optima ? -law->alpha : NAN;
        *b = NAN;
    } else if (law->kind->additive) {
        Law sum = law->kind->additive(law);
        double below = cost->mu * sum.beta + cost->nu * sum.alpha;
        *a = sum.beta / below;
        *b = sum.alpha / below;
    } else {
        const double step = 0.5; /* in log C */
        Allocation less = search(law, cost, exp(cost->log_middle - step));
        Allocation more = search(law, cost, exp(cost->log_middle + step));
        *a = log(more.n / less.n) / (2 * step);
        *b = log(more.d / less.d) / (2 * step);
    }
}

Allocation cost_allocate(const Law *law, const Cost *cost, double c) {
    if (!law_splits(law->kind)) return (Allocation){c, NAN, NAN, law_loss_of_run(law, NAN, NAN, c)};
    if (!law->kind->additive) return search(law, cost, c);
    Law sum = law->kind->additive(law);
    double a, b;
    cost_exponents(&a, &b, law, cost);
    double log_k = log(sum.beta) + sum.b + log(cost->mu) - log(sum.alpha) - sum.a - log(cost->nu);
    double log_n = (a / sum.beta) * (sum.beta * (log(c) - cost->log_kappa) - cost->nu * log_k);
    return at_size(law, cost, c, log_n);
}

double cost_to_reach(const Law *law, const Cost *cost, double loss) {
    double e = exp(law->e);
    if (law->kind->axes == LAW_OF_N || law->kind->axes == LAW_OF_D) return NAN;
    if (!(loss > e)) return INFINITY;
    if (law->kind->axes == LAW_OF_C) return exp((law->a - log(loss - e)) / law->alpha);
    if (law->kind->additive) {
        /* The reducible loss on the frontier is a power of C: N*^-alpha ~ C^(-a alpha), and D*^-beta is in proportion. */
        double a, b;
        cost_exponents(&a, &b, law, cost);
        double at_one = cost_allocate(law, cost, 1).loss - e;
        return exp((log(at_one) - log(loss - e)) / (a * law->alpha));
    }
    double lo = cost->log_middle;
    double hi = lo;
    const double reach = 200; /* in log C: e^200 times more or less than any run */
    while (search(law, cost, exp(lo)).loss < loss && lo > cost->log_middle - reach) lo -= 1;
    while (search(law, cost, exp(hi)).loss > loss && hi < cost->log_middle + reach) hi += 1;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (lo + hi);
        if (search(law, cost, exp(middle)).loss > loss)
            lo = middle;
        else
            hi = middle;
    }
    return exp(0.5 * (lo + hi));
}
