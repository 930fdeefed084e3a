#include "fit/frontier.h"

#include "base/arena.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

Extent extent_of(const Table *table, int arm) {
    Extent e = {INFINITY, 0, INFINITY, 0};
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (!table_final(table, i, arm)) continue;
        e.n_min = fmin(e.n_min, p->n);
        e.n_max = fmax(e.n_max, p->n);
        e.d_min = fmin(e.d_min, p->d);
        e.d_max = fmax(e.d_max, p->d);
    }
    return e;
}

int frontier_line(SurrogatePlace *place, const Cost *cost, double budget, const Extent *e, int arm) {
    double left = log(budget) - cost->log_kappa;
    double lo = fmax(log(e->n_min), (left - cost->nu * log(e->d_max)) / cost->mu);
    double hi = fmin(log(e->n_max), (left - cost->nu * log(e->d_min)) / cost->mu);
    if (!(hi - lo > 0.3)) return 0;
    for (int i = 0; i < FRONTIER_SIZES; i++) {
        double x = lo + (hi - lo) * i / (FRONTIER_SIZES - 1);
        place[i] = (SurrogatePlace){.n = exp(x), .d = exp((left - cost->mu * x) / cost->nu), .arm = arm};
    }
    return FRONTIER_SIZES;
}

void frontier_sample(double *out, const double *mean, const double *cov, int m, int samples, uint64_t seed,
                     uint64_t stream) {
    double jitter = 0;
    for (int i = 0; i < m; i++) jitter = fmax(jitter, 1e-9 * cov[i * m + i]);
    double *factor = MEM_NEW(double, m *m);
    do {
        memcpy(factor, cov, (size_t)(m * m) * sizeof *factor);
        for (int i = 0; i < m; i++) factor[i * m + i] += jitter;
        jitter = 10 * jitter + 1e-300;
    } while (!stats_cholesky(factor, m));
    for (int s = 0; s < samples; s++)
        for (int i = 0; i < m; i++) out[s * m + i] = mean[i];
    for (int s = 0; s < samples; s++)
        for (int j = 0; j < m; j++) {
            double z = rng_normal(seed, stream, (uint64_t)(s * m + j));
            for (int i = j; i < m; i++) out[s * m + i] += factor[i * m + j] * z;
        }
    mem_free(factor);
}

int frontier_minimum(double *log_n, double *value, const SurrogatePlace *place, const double *f, int m) {
    int k = 0;
    for (int i = 1; i < m; i++)
        if (f[i] < f[k]) k = i;
    *log_n = log(place[k].n);
    *value = f[k];
    if (k == 0) return -1;
    if (k == m - 1) return 1;
    double step = log(place[k + 1].n / place[k].n), bend = f[k - 1] - 2 * f[k] + f[k + 1];
    if (bend <= 0) return 0;
    double shift = 0.5 * (f[k - 1] - f[k + 1]) / bend;
    *log_n += shift * step;
    *value -= 0.5 * bend * shift * shift;
    return 0;
}

/* The allocation at one budget, from the posterior along its line. */
static void one(BudgetFit *out, const SurrogatePlace *place, const double *mean, double *cov, const Cost *cost,
                int samples, uint64_t seed, uint64_t stream) {
    int m = FRONTIER_SIZES, edges = 0;
    double *f = MEM_NEW(double, samples *(m + 3)), *n = f + samples * m, *d = n + samples, *loss = d + samples;
    double x, value, left = log(out->at.c) - cost->log_kappa;
    int edge = frontier_minimum(&x, &value, place, mean, m);
    out->at.n = exp(x);
    out->at.d = exp((left - cost->mu * x) / cost->nu);
    out->at.loss = exp(value);
    frontier_sample(f, mean, cov, m, samples, seed, stream);
    for (int s = 0; s < samples; s++) {
        edges += frontier_minimum(&x, &value, place, f + s * m, m) != 0;
        n[s] = exp(x);
        d[s] = exp((left - cost->mu * x) / cost->nu);
        loss[s] = exp(value);
    }
    out->n = stats_interval(n, samples, 0);
    out->d = stats_interval(d, samples, 0);
    out->loss = stats_interval(loss, samples, 0);
    out->verdict = edge || edges > samples / 40 ? BUDGET_OUTSIDE : BUDGET_WITHIN; /* 1/40: an end of the 95 % */
    if (edge)
        snprintf(out->status, sizeof out->status, "minimum at the %s end of the sampled sizes",
                 edge < 0 ? "lower" : "upper");
    else if (out->verdict == BUDGET_OUTSIDE)
        snprintf(out->status, sizeof out->status, "interval reaches the end of the sampled sizes");
    else
        snprintf(out->status, sizeof out->status, "within the data");
    mem_free(f);
}

void frontier_surrogate(BudgetFit *budget, int count, const Surrogate *s, int arm, const Cost *cost,
                        const Extent *extent, int samples, uint64_t seed) {
    SurrogatePlace *place = MEM_NEW(SurrogatePlace, count * FRONTIER_SIZES + 1);
    int *found = MEM_NEW(int, count + 1); /* places on the line of a budget */
    int64_t m = 0;
    for (int k = 0; k < count; k++) {
        double c = budget[k].at.c;
        found[k] = frontier_line(place + m, cost, c, extent, arm);
        budget[k] = budget_without(c, BUDGET_UNKNOWN, "too few sampled sizes at this budget");
        m += found[k];
    }
    if (m) {
        double *mean = MEM_NEW(double, m);
        double *cov = MEM_NEW(double, m *m);
        double *part = MEM_NEW(double, FRONTIER_SIZES *FRONTIER_SIZES);
        surrogate_predict(mean, cov, s, place, m);
        int64_t at = 0;
        for (int k = 0; k < count; k++) {
            if (!found[k]) continue;
            for (int i = 0; i < FRONTIER_SIZES; i++)
                memcpy(part + i * FRONTIER_SIZES, cov + (at + i) * m + at, FRONTIER_SIZES * sizeof *part);
            one(&budget[k], place + at, mean + at, part, cost, samples, seed,
                rng_stream("frontier", (uint64_t)(k * TABLE_ARMS + arm)));
            at += FRONTIER_SIZES;
        }
        mem_free(mean);
        mem_free(cov);
        mem_free(part);
    }
    mem_free(found);
    mem_free(place);
}

/* ---- As powers of compute. ---- */

enum {
    COARSE = 2,
    COARSE_SIZES = (FRONTIER_SIZES + 1) / COARSE
}; /* every second place of a line: covariances are squares */

/* The line of one arm at one budget among all places. */
typedef struct Line {
    int64_t first;
    int n;       /* places; 0: too few sampled sizes */
    bool inside; /* the minimum is, in the mean and in all but 1/40 of the samples */
} Line;

/* Least squares through the minima of one arm at its budgets inside. */
static Powers through(const Line line[FRONTIER_BUDGETS], const double log_c[FRONTIER_BUDGETS],
                      const SurrogatePlace *place, const double *f, const Cost *cost) {
    double x[2 * FRONTIER_BUDGETS], y[OPTIMUM_PARTS][FRONTIER_BUDGETS], fitted[2];
    int n = 0;
    for (int k = 0; k < FRONTIER_BUDGETS; k++) {
        if (!line[k].inside) continue;
        double log_n, value;
        frontier_minimum(&log_n, &value, place + line[k].first, f + line[k].first, line[k].n);
        x[2 * n] = 1;
        x[2 * n + 1] = log_c[k];
        y[OPTIMUM_N][n] = log_n;
        y[OPTIMUM_D][n] = (log_c[k] - cost->log_kappa - cost->mu * log_n) / cost->nu;
        y[OPTIMUM_LOSS][n++] = value;
    }
    Powers out;
    for (int part = 0; part < OPTIMUM_PARTS; part++) {
        bool fine = n >= FRONTIER_LEAST && stats_lsq(fitted, NULL, NULL, x, y[part], NULL, n, 2);
        out.log_factor[part] = fine ? fitted[0] : NAN;
        out.exponent[part] = fine ? fitted[1] : NAN;
    }
    return out;
}

/* Marks the lines whose minimum lies inside. */
static void look_inside(Line *line, const SurrogatePlace *place, const double *mean, const double *f, int64_t m,
                        int samples) {
    double log_n, value;
    if (!line->n) return;
    int edges = 0;
    for (int s = 0; s < samples; s++)
        edges += frontier_minimum(&log_n, &value, place + line->first, f + s * m + line->first, line->n) != 0;
    bool edge = frontier_minimum(&log_n, &value, place + line->first, mean + line->first, line->n) != 0;
    line->inside = !edge && edges <= samples / 40;
}

void frontier_powers(FrontierPowers *out, const Surrogate *s, const Cost *cost, const Extent *extent, double c_lo,
                     double c_hi, int samples, uint64_t seed) {
    Line line[TABLE_ARMS][FRONTIER_BUDGETS] = {0};
    double log_c[FRONTIER_BUDGETS];
    SurrogatePlace whole[FRONTIER_SIZES];
    SurrogatePlace *place = MEM_NEW(SurrogatePlace, s->arms * FRONTIER_BUDGETS * COARSE_SIZES + 1);
    int64_t m = 0;
    for (int arm = 0; arm < s->arms; arm++)
        for (int k = 0; k < FRONTIER_BUDGETS && c_lo < c_hi; k++) {
            log_c[k] = log(c_lo) + (log(c_hi) - log(c_lo)) * k / (FRONTIER_BUDGETS - 1);
            int n = frontier_line(whole, &cost[arm], exp(log_c[k]), &extent[arm], arm);
            line[arm][k].first = m;
            line[arm][k].n = n / COARSE + n % COARSE;
            for (int i = 0; i < n; i += COARSE) place[m++] = whole[i];
        }
    double *mean = MEM_NEW(double, m + 1);
    double *cov = MEM_NEW(double, m *m + 1);
    double *f = MEM_NEW(double, samples *m + 1);
    if (m) {
        surrogate_predict(mean, cov, s, place, m);
        frontier_sample(f, mean, cov, (int)m, samples, seed, rng_stream("frontier powers", 0));
    }
    for (int arm = 0; arm < s->arms; arm++) {
        FrontierPowers *p = &out[arm];
        *p = (FrontierPowers){.draw = MEM_NEW(Powers, samples + 1)};
        for (int k = 0; k < FRONTIER_BUDGETS; k++) {
            look_inside(&line[arm][k], place, mean, f, m, samples);
            p->inside += line[arm][k].inside;
        }
        p->mean = through(line[arm], log_c, place, mean, &cost[arm]);
        for (int i = 0; i < samples; i++) p->draw[i] = through(line[arm], log_c, place, f + i * m, &cost[arm]);
    }
    mem_free(f);
    mem_free(cov);
    mem_free(mean);
    mem_free(place);
}
