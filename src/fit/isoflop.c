#include "fit/isoflop.h"

#include "base/arena.h"
#include "base/rng.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double same_size = 0.01; /* runs whose log N differ by less are of one size */
static const double at_budget = 0.03; /* a run this near in log C was made at the budget ... */
static const double at_level = 0.10;  /* ... or this near, when the runs themselves lie on levels of C */
static const double most_share = 1; /* of one run in a reading: beyond it two runs that are near in C, and their noise,
                                         bend the parabola */

typedef struct Run {
    double x, y, c, z; /* log N, log D, log C, log loss */
    double seeds;      /* averaged */
    int group;
} Run;

static int by_size_then_cost(const void *a, const void *b) {
    const Run *p = a, *q = b;
    if (p->group != q->group) return p->group - q->group;
    return (p->c > q->c) - (p->c < q->c);
}

static int by_size(const void *a, const void *b) {
    const Run *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

/* Seeds of one configuration are averaged: they are one point of a curve. */
static int64_t collect(Run *run, const Table *table, int arm, int currency) {
    int64_t n = 0;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (!table_final(table, i, arm) || !(p->c[currency] > 0)) continue;
        run[n++] = (Run){.x = log(p->n), .y = log(p->d), .c = log(p->c[currency]), .z = log(p->loss)};
    }
    qsort(run, (size_t)n, sizeof *run, by_size);
    for (int64_t i = 1; i < n; i++) run[i].group = run[i - 1].group + (run[i].x - run[i - 1].x > same_size);
    qsort(run, (size_t)n, sizeof *run, by_size_then_cost);
    int64_t kept = 0;
    for (int64_t i = 0, members; i < n; i += members) {
        Run mean = run[i];
        members = 1;
        while (i + members < n && run[i + members].group == run[i].group && run[i + members].y == run[i].y) {
            mean.z += run[i + members].z;
            mean.c += run[i + members].c;
            members++;
        }
        mean.z /= (double)members;
        mean.c /= (double)members;
        mean.seeds = (double)members;
        run[kept++] = mean;
    }
    return kept;
}

/* ---- Budgets. ---- */

static int levels_of(double *budget, const Run *run, int64_t n) {
    double *c = MEM_NEW(double, n + 1);
    for (int64_t i = 0; i < n; i++) c[i] = run[i].c;
    stats_sort(c, n);
    int levels = 0;
    int64_t inside = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        double sum = 0;
        for (end = i; end < n && c[end] - c[i] < 2 * at_level && (end == i || c[end] - c[end - 1] < at_level); end++)
            sum += c[end];
        if (end - i < 4) continue;
        inside += end - i;
        if (levels < ISO_BUDGETS) budget[levels++] = exp(sum / (double)(end - i));
    }
    mem_free(c);
    return inside == n || (2 * inside >= n && levels >= 2) ? levels : 0;
}

static int spread_budgets(double *budget, const Run *run, int64_t n) {
    enum { BUDGETS = 9 };
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = fmin(lo, run[i].c);
        hi = fmax(hi, run[i].c);
    }
    for (int i = 0; i < BUDGETS; i++) budget[i] = exp(lo + (hi - lo) * (i + 0.5) / BUDGETS);
    return BUDGETS;
}

/* ---- One curve. ---- */

/* How the ordinates at three abscissae x make up that of their parabola at c. */
static void lagrange(double share[3], double c, const double x[3]) {
    share[0] = (c - x[1]) * (c - x[2]) / ((x[0] - x[1]) * (x[0] - x[2]));
    share[1] = (c - x[0]) * (c - x[2]) / ((x[1] - x[0]) * (x[1] - x[2]));
    share[2] = (c - x[0]) * (c - x[1]) / ((x[2] - x[0]) * (x[2] - x[1]));
}

/* Noise of one resample: of run i a function of (seed, stream, i). */
typedef struct Disturbance {
    double noise; /* standard deviation of one run's log loss; 0: none */
    uint64_t seed, stream;
} Disturbance;

static double log_loss_of(const Disturbance *d, const Run *run, int64_t i) {
    if (d->noise == 0) return run[i].z;
    return run[i].z + d->noise / sqrt(run[i].seeds) * rng_normal(d->seed, d->stream, (uint64_t)i);
}

/* What a size's runs say at a budget: a mean of some of them. */
typedef struct Reading {
    int64_t run[3];
    double share[3]; /* of their log losses */
    int runs;
    double y; /* log D */
} Reading;

/* From the runs of one size, first to end - 1, ascending in c, at log budget c. */
static bool read_size(Reading *out, const Run *run, int64_t first, int64_t end, double c, double tolerance) {
    int64_t nearest = first;
    for (int64_t i = first + 1; i < end; i++)
        if (fabs(run[i].c - c) < fabs(run[nearest].c - c)) nearest = i;
    if (fabs(run[nearest].c - c) <= tolerance) {
        *out = (Reading){.run = {nearest}, .share = {1}, .runs = 1, .y = run[nearest].y};
        return true;
    }
    if (c < run[first].c || c > run[end - 1].c || end - first < 2) return false;
    int64_t right = first + 1;
    while (run[right].c < c) right++;
    int64_t left = right - 1;
    double t = (c - run[left].c) / (run[right].c - run[left].c);
    *out = (Reading){.run = {left, right}, .share = {1 - t, t}, .runs = 2};
    out->y = run[left].y + t * (run[right].y - run[left].y);
    if (end - first < 3) return true;
    bool before = left > first && (right + 1 == end || c - run[left - 1].c < run[right + 1].c - c);
    int64_t three = before ? left - 1 : left;
    double x[3] = {run[three].c, run[three + 1].c, run[three + 2].c};
    double share[3];
    if (x[1] == x[0] || x[2] == x[1]) return true;
    lagrange(share, c, x);
    for (int k = 0; k < 3; k++)
        if (fabs(share[k]) > most_share) return true;
    out->runs = 3;
    for (int k = 0; k < 3; k++) {
        out->run[k] = three + k;
        out->share[k] = share[k];
    }
    return true;
}

/* The points of a curve: reading (ISO_POINTS) says what each is made of. */
static void gather(IsoCurve *curve, Reading *reading, const Run *run, int64_t n, double tolerance) {
    double log_budget = log(curve->budget);
    curve->points = 0;
    for (int64_t i = 0, end; i < n && curve->points < ISO_POINTS; i = end) {
        Reading *r = &reading[curve->points];
        for (end = i; end < n && run[end].group == run[i].group; end++) {
        }
        if (!read_size(r, run, i, end, log_budget, tolerance)) continue;
        curve->n[curve->points] = exp(run[i].x);
        curve->d[curve->points] = exp(r->y);
        curve->points++;
    }
}

static void read_losses(IsoCurve *curve, const Reading *reading, const Run *run, const Disturbance *d) {
    for (int k = 0; k < curve->points; k++) {
        const Reading *r = &reading[k];
        double z = 0;
        for (int j = 0; j < r->runs; j++) z += r->share[j] * log_loss_of(d, run, r->run[j]);
        curve->loss[k] = exp(z);
    }
}

static void refuse(IsoCurve *curve, const char *status) {
    curve->ok = false;
    curve->best_n = curve->best_d = curve->best_loss = NAN;
    curve->se_log_n = curve->se_log_loss = NAN;
    curve->best_n_interval = curve->one_percent = (Interval){NAN, NAN};
    snprintf(curve->status, sizeof curve->status, "%s", status);
}

/* noise: of log loss, 0: what this parabola leaves. */
static void parabola(IsoCurve *curve, double noise) {
    int n = curve->points;
    double x[3 * ISO_POINTS], z[ISO_POINTS], v[ISO_POINTS], c[3], cov[9], s2, low = INFINITY, high = -INFINITY;
    if (n < 4) {
        curve->p0 = curve->p1 = curve->p2 = curve->curvature = curve->curvature_se = curve->rms = NAN;
        refuse(curve, "too few sizes at this budget: want at least 4");
        return;
    }
    curve->centre = 0;
    for (int i = 0; i < n; i++) curve->centre += log(curve->n[i]) / n;
    for (int i = 0; i < n; i++) {
        double u = log(curve->n[i]) - curve->centre;
        x[3 * i] = 1;
        x[3 * i + 1] = u;
        x[3 * i + 2] = u * u;
        z[i] = log(curve->loss[i]);
        v[i] = log(curve->d[i]);
        low = fmin(low, u);
        high = fmax(high, u);
    }
    if (!stats_lsq(c, cov, &s2, x, z, NULL, n, 3)) {
        curve->p0 = curve->p1 = curve->p2 = curve->curvature = curve->curvature_se = curve->rms = NAN;
        refuse(curve, "sizes too close to tell a parabola");
        return;
    }
    curve->p0 = c[0];
    curve->p1 = c[1];
    curve->p2 = c[2];
    curve->rms = sqrt(s2);
    for (int i = 0; i < 9 && noise > 0 && s2 > 0; i++) cov[i] *= noise * noise / s2;
    curve->curvature = 2 * c[2];
    curve->curvature_se = 2 * sqrt(cov[8]);
    if (c[2] <= 0) {
        refuse(curve, "concave: no minimum");
        return;
    }
    double u = -c[1] / (2 * c[2]);
    if (u < low || u > high) {
        refuse(curve, u < low ? "vertex outside the sampled range: below the smallest size"
                              : "vertex outside the sampled range: above the largest size");
        return;
    }
    /* d u / d (p1, p2) = (-1 / 2 p2, p1 / 2 p2^2). */
    double g1 = -1 / (2 * c[2]), g2 = c[1] / (2 * c[2] * c[2]);
    curve->se_log_n = sqrt(g1 * g1 * cov[4] + 2 * g1 * g2 * cov[5] + g2 * g2 * cov[8]);
    const double row[3] = {1, u, u * u}; /* at the vertex its height does not move with u */
    double height = 0;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) height += row[i] * row[k] * cov[3 * i + k];
    curve->se_log_loss = sqrt(height);
    curve->best_n = exp(curve->centre + u);
    curve->best_loss = exp(c[0] + c[1] * u + c[2] * u * u);
    double dc[2], line[2 * ISO_POINTS];
    for (int i = 0; i < n; i++) {
        line[2 * i] = 1;
        line[2 * i + 1] = x[3 * i + 1];
    }
    curve->best_d = stats_lsq(dc, NULL, NULL, line, v, NULL, n, 2) ? exp(dc[0] + dc[1] * u) : NAN;
    double half = sqrt(log(1.01) / c[2]);
    curve->one_percent = (Interval){curve->best_n * exp(-half), curve->best_n * exp(half)};
    curve->ok = true;
    snprintf(curve->status, sizeof curve->status, "%s",
             curve->curvature < 2 * curve->curvature_se ? "ok, but the curvature is within 2 standard errors of 0"
                                                        : "ok");
}

/* ---- All curves. ---- */

/* A power law in C through one part of the vertices of curves first to end - 1. */
static void power_law(PowerLaw *law, const IsoFlop *iso, int what, int first, int end) {
    double x[2 * ISO_BUDGETS], y[ISO_BUDGETS], w[ISO_BUDGETS], c[2];
    int n = 0;
    for (int i = first; i < end; i++) {
        const IsoCurve *k = &iso->curve[i];
        if (!k->ok) continue;
        x[2 * n] = 1;
        x[2 * n + 1] = log(k->budget);
        const double best[OPTIMUM_PARTS] = {k->best_n, k->best_d, k->best_loss};
        y[n] = log(best[what]);
        /* The place of a vertex has the noise of a run as a floor. */
        double noise = iso->noise > 0 ? iso->noise : 1e-9;
        double floor = what == OPTIMUM_LOSS ? 0 : noise;
        double se = what == OPTIMUM_LOSS ? fmax(k->se_log_loss, 1e-12) : k->se_log_n;
        w[n] = 1 / (se * se + floor * floor);
        n++;
    }
    bool fine = n >= 2 && stats_lsq(c, NULL, NULL, x, y, w, n, 2);
    *law = (PowerLaw){.log_factor = NAN, .exponent = NAN, .interval = {NAN, NAN}, .misfit = NAN};
    if (!fine) return;
    law->log_factor = c[0];
    law->exponent = c[1];
    double chi2 = 0;
    for (int i = 0; i < n; i++) {
        double e = y[i] - c[0] - c[1] * x[2 * i + 1];
        chi2 += w[i] * e * e;
    }
    /* The noise is an estimate itself: an F test where its degrees of freedom are known. */
    if (n > 2) law->misfit = iso->dof > 0 ? stats_f_sf(chi2 / (n - 2), n - 2, iso->dof) : stats_chi2_sf(chi2, n - 2);
}

/* Which curves are whose half: each has as many vertices. */
static void cut_halves(IsoFlop *iso) {
    enum { LEAST = 4 }; /* vertices, so that both halves have a line of their own */
    IsoHalves *h = &iso->halves;
    int met = 0;
    double below = NAN, above = NAN; /* log budgets of the vertices next to the cut */
    h->c = NAN;
    h->lower_end = 0;
    h->upper_first = iso->curves;
    for (int i = 0; i < iso->curves && iso->ok >= LEAST; i++) {
        if (!iso->curve[i].ok) continue;
        met++;
        if (met == (iso->ok + 1) / 2) {
            h->lower_end = i + 1;
            below = log(iso->curve[i].budget);
        }
        if (met == iso->ok / 2 + 1) {
            h->upper_first = i;
            above = log(iso->curve[i].budget);
        }
    }
    h->c = exp(0.5 * (below + above));
}

static void fit_halves(IsoFlop *iso) {
    IsoHalves *h = &iso->halves;
    PowerLaw lower, upper;
    power_law(&lower, iso, OPTIMUM_N, 0, h->lower_end);
    power_law(&upper, iso, OPTIMUM_N, h->upper_first, iso->curves);
    h->lower.value = lower.exponent;
    h->upper.value = upper.exponent;
    h->change.value = upper.exponent - lower.exponent;
}

/* reading (curves, ISO_POINTS): of gather. */
static void fit_all(IsoFlop *iso, const Reading *reading, const Run *run, const Disturbance *d) {
    iso->ok = iso->refused = 0;
    for (int i = 0; i < iso->curves; i++) {
        read_losses(&iso->curve[i], reading + i * ISO_POINTS, run, d);
        parabola(&iso->curve[i], iso->noise > 0 ? iso->noise / sqrt(iso->seeds) : 0);
        iso->ok += iso->curve[i].ok;
        iso->refused += !iso->curve[i].ok;
    }
    power_law(&iso->n, iso, OPTIMUM_N, 0, iso->curves);
    power_law(&iso->d, iso, OPTIMUM_D, 0, iso->curves);
    power_law(&iso->loss, iso, OPTIMUM_LOSS, 0, iso->curves);
    fit_halves(iso);
}

/* What the parabolas leave, pooled over their degrees of freedom. */
static double pooled(double *dof_out, const IsoFlop *iso) {
    double sum = 0, dof = 0;
    for (int i = 0; i < iso->curves; i++) {
        const IsoCurve *k = &iso->curve[i];
        if (!isfinite(k->rms)) continue;
        sum += k->rms * k->rms * (k->points - 3);
        dof += k->points - 3;
    }
    *dof_out = fmax(dof, 1);
    return dof > 0 ? sqrt(sum / dof) : 0;
}

/* The power laws through the vertices, as numbers. */
static Powers powers_of(const IsoFlop *iso) {
    const PowerLaw *law[OPTIMUM_PARTS] = {&iso->n, &iso->d, &iso->loss};
    Powers out;
    for (int k = 0; k < OPTIMUM_PARTS; k++) {
        out.log_factor[k] = law[k]->log_factor;
        out.exponent[k] = law[k]->exponent;
    }
    return out;
}

static void propagate(IsoFlop *iso, const Reading *reading, const Run *run, int resamples, uint64_t seed, int arm) {
    enum { HALVES = 3, OF_CURVES = OPTIMUM_PARTS + HALVES };
    IsoFlop *trial = MEM_NEW(IsoFlop, 1);
    int columns = OF_CURVES + iso->curves;
    double *v = MEM_NEW(double, columns *resamples + 1);
    Interval *interval[OF_CURVES] = {&iso->n.interval,
                                     &iso->d.interval,
                                     &iso->loss.interval,
                                     &iso->halves.lower.interval,
                                     &iso->halves.upper.interval,
                                     &iso->halves.change.interval};
    iso->draws = resamples;
    iso->draw = MEM_NEW(Powers, resamples + 1);
    for (int r = 0; r < resamples; r++) {
        *trial = *iso;
        Disturbance d = {iso->noise, seed, rng_stream("isoflop", (uint64_t)(r * TABLE_ARMS + arm))};
        fit_all(trial, reading, run, &d);
        iso->draw[r] = powers_of(trial);
        const IsoHalves *h = &trial->halves;
        const double *exponent = iso->draw[r].exponent;
        const double of_all[OF_CURVES] = {exponent[OPTIMUM_N], exponent[OPTIMUM_D], exponent[OPTIMUM_LOSS],
                                          h->lower.value,      h->upper.value,      h->change.value};
        for (int k = 0; k < columns; k++) {
            double x = k < OF_CURVES ? of_all[k] : trial->curve[k - OF_CURVES].best_n;
            v[k * resamples + r] = isfinite(x) ? x : NAN;
        }
    }
    for (int k = 0; k < columns; k++) {
        Interval i = stats_interval(v + k * resamples, resamples, iso->dof);
        if (k < OF_CURVES)
            *interval[k] = i;
        else if (iso->curve[k - OF_CURVES].ok)
            iso->curve[k - OF_CURVES].best_n_interval = i;
    }
    mem_free(v);
    mem_free(trial);
}

void isoflop_fit(IsoFlop *out, const Table *table, int arm, int currency, const double *budgets, int n_budgets,
                 double seed_noise, int resamples, uint64_t seed) {
    *out = (IsoFlop){0};
    Run *run = MEM_NEW(Run, table->n + 1);
    int64_t n = collect(run, table, arm, currency);
    double chosen[ISO_BUDGETS], tolerance = at_budget;
    if (n_budgets) {
        for (int i = 0; i < n_budgets && i < ISO_BUDGETS; i++) chosen[out->curves++] = budgets[i];
        stats_sort(chosen, out->curves);
        if (levels_of((double[ISO_BUDGETS]){0}, run, n)) tolerance = at_level;
    } else if (n) {
        out->curves = levels_of(chosen, run, n);
        if (out->curves)
            tolerance = at_level;
        else
            out->curves = spread_budgets(chosen, run, n);
    }
    Reading *reading = MEM_NEW(Reading, ISO_BUDGETS * ISO_POINTS);
    for (int i = 0; i < out->curves; i++) {
        out->curve[i].budget = chosen[i];
        gather(&out->curve[i], reading + i * ISO_POINTS, run, n, tolerance);
    }
    const Disturbance none = {0};
    fit_all(out, reading, run, &none);
    double spread = pooled(&out->dof, out);
    out->seeds = 0;
    for (int64_t i = 0; i < n; i++) out->seeds += run[i].seeds / (double)n;
    out->noise = fmax(spread * sqrt(out->seeds), seed_noise);
    cut_halves(out);
    fit_all(out, reading, run, &none);
    propagate(out, reading, run, resamples, seed, arm);
    if (out->ok >= 3)
        snprintf(out->status, sizeof out->status, "%d of %d budgets have a vertex", out->ok, out->curves);
    else
        snprintf(out->status, sizeof out->status, "not identifiable: %d of %d budgets have a vertex, want 3", out->ok,
                 out->curves);
    mem_free(reading);
    mem_free(run);
}

void isoflop_free(IsoFlop *iso) {
    mem_free(iso->draw);
    iso->draw = NULL;
    iso->draws = 0;
}
