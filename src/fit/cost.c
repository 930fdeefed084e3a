#include "fit/cost.h"

#include "base/arena.h"
#include "math/stats.h"

#include <math.h>

Cost cost_fit(const Table *table, int arm, int currency) {
    int64_t n = 0;
    double *x = MEM_NEW(double, 6 * table->n + 1), *y = x + 3 * table->n, *w = y + table->n;
    double spread[2] = {0, 0}, first[2] = {0, 0};
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (p->arm != arm || !p->final || !(p->c[currency] > 0)) continue;
        x[3 * n] = 1, x[3 * n + 1] = log(p->n), x[3 * n + 2] = log(p->d);
        y[n] = log(p->c[currency]), w[n] = p->weight;
        for (int k = 0; k < 2; k++) {
            if (!n) first[k] = x[1 + k];
            spread[k] = fmax(spread[k], fabs(x[3 * n + 1 + k] - first[k]));
        }
        n++;
    }
    double c[3], variance;
    Cost cost = {.log_kappa = NAN, .mu = 1, .nu = 1, .rms = NAN};
    if (n && spread[0] > 0.1 && spread[1] > 0.1 && stats_lsq(c, NULL, &variance, x, y, w, n, 3) && c[1] > 0 &&
        c[2] > 0) {
        cost = (Cost){.log_kappa = c[0], .mu = c[1], .nu = c[2], .rms = sqrt(variance)};
    } else if (n) {
        double mean = 0, weight = 0;
        for (int64_t i = 0; i < n; i++) mean += w[i] * (y[i] - x[3 * i + 1] - x[3 * i + 2]), weight += w[i];
        cost.log_kappa = mean / weight;
    }
    mem_free(x);
    return cost;
}

double cost_of(const Cost *cost, double n, double d) {
    return exp(cost->log_kappa + cost->mu * log(n) + cost->nu * log(d));
}

void cost_exponents(double *a, double *b, const Law *law, const Cost *cost) {
    double sum = cost->mu * law->beta + cost->nu * law->alpha;
    *a = law->beta / sum, *b = law->alpha / sum;
}

Allocation cost_allocate(const Law *law, const Cost *cost, double c) {
    double a, b;
    cost_exponents(&a, &b, law, cost);
    double log_k = log(law->beta) + law->b + log(cost->mu) - log(law->alpha) - law->a - log(cost->nu);
    double log_n = (a / law->beta) * (law->beta * (log(c) - cost->log_kappa) - cost->nu * log_k);
    double log_d = (log(c) - cost->log_kappa - cost->mu * log_n) / cost->nu;
    return (Allocation){.c = c, .n = exp(log_n), .d = exp(log_d), .loss = law_loss(law, exp(log_n), exp(log_d))};
}

double cost_to_reach(const Law *law, const Cost *cost, double loss) {
    if (!(loss > exp(law->e))) return INFINITY;
    /* The reducible loss on the frontier is a power of C: N*^-alpha ~ C^(-a alpha), D*^-beta ~ C^(-b beta), equal. */
    double a, b;
    cost_exponents(&a, &b, law, cost);
    double at_one = cost_allocate(law, cost, 1).loss - exp(law->e);
    return exp((log(at_one) - log(loss - exp(law->e))) / (a * law->alpha));
}
