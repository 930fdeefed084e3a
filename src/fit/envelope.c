#include "fit/envelope.h"

#include "math/stats.h"

#include <math.h>
#include <stdio.h>

enum { LEAST = 3 };               /* points inside that exponents are given for */
static const double edge = 1.001; /* this near, in N or D, is the same */

static void power_law(double *factor, double *exponent, double *se, const Envelope *e, bool of_d) {
    double x[2 * ENVELOPE_POINTS], y[ENVELOPE_POINTS], c[2], cov[4];
    int n = 0;
    for (int i = 0; i < e->points; i++) {
        const EnvelopePoint *p = &e->point[i];
        if (!p->inside) continue;
        x[2 * n] = 1;
        x[2 * n + 1] = log(p->c);
        y[n++] = log(of_d ? p->d : p->n);
    }
    bool fine = n >= LEAST && stats_lsq(c, cov, NULL, x, y, NULL, n, 2);
    *factor = fine ? exp(c[0]) : NAN;
    *exponent = fine ? c[1] : NAN;
    *se = fine ? sqrt(cov[3]) : NAN;
}

/* What the steps between the sizes of the points inside leave open of the exponent: each N* may lie half a step from its
 * point, and at worst they all lie so that the line tilts. */
static double tilt(const Envelope *e, const Table *table, int arm) {
    double step = 0, lo = INFINITY, hi = -INFINITY;
    for (int i = 0; i < e->points; i++) {
        const EnvelopePoint *p = &e->point[i];
        if (!p->inside) continue;
        lo = fmin(lo, log(p->c));
        hi = fmax(hi, log(p->c));
        double above = INFINITY; /* the next larger size */
        for (int64_t k = 0; k < table->n; k++) {
            const Point *q = &table->at[k];
            if (q->arm == arm && q->n > p->n * edge) above = fmin(above, q->n);
        }
        step = fmax(step, log(above / p->n));
    }
    return step / (hi - lo);
}

/* Marks the points inside what the arm's points, finished or not, span. */
static void look_inside(Envelope *e, const Table *table, int arm) {
    double n_lo = INFINITY, n_hi = 0, d_lo = INFINITY, d_hi = 0;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (p->arm != arm) continue;
        n_lo = fmin(n_lo, p->n);
        n_hi = fmax(n_hi, p->n);
        d_lo = fmin(d_lo, p->d);
        d_hi = fmax(d_hi, p->d);
    }
    for (int i = 0; i < e->points; i++) {
        EnvelopePoint *p = &e->point[i];
        p->inside = p->n > n_lo * edge && p->n * edge < n_hi && p->d > d_lo * edge && p->d * edge < d_hi;
        e->inside += p->inside;
    }
}

void envelope_fit(Envelope *out, const Table *table, int arm, int currency, int bins) {
    *out = (Envelope){0};
    double lo = INFINITY, hi = -INFINITY;
    int64_t n = 0;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (p->arm != arm || !(p->c[currency] > 0)) continue;
        lo = fmin(lo, log(p->c[currency]));
        hi = fmax(hi, log(p->c[currency]));
        n++;
    }
    if (!bins) bins = n < 120 ? (int)(n / 3) : 40;
    if (bins > ENVELOPE_POINTS) bins = ENVELOPE_POINTS;
    EnvelopePoint best[ENVELOPE_POINTS] = {{0}};
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (p->arm != arm || !(p->c[currency] > 0) || !bins) continue;
        int b = (int)((log(p->c[currency]) - lo) / (hi - lo + 1e-12) * bins);
        if (b >= bins) b = bins - 1;
        if (best[b].loss == 0 || p->loss < best[b].loss)
            best[b] = (EnvelopePoint){.c = p->c[currency], .n = p->n, .d = p->d, .loss = p->loss, .final = p->final};
    }
    double least = INFINITY;
    for (int b = 0; b < bins; b++) {
        if (best[b].loss == 0 || best[b].loss >= least) continue;
        least = best[b].loss;
        out->unfinished += !best[b].final;
        out->point[out->points++] = best[b];
    }
    look_inside(out, table, arm);
    power_law(&out->n_factor, &out->n_exponent, &out->n_se, out, false);
    power_law(&out->d_factor, &out->d_exponent, &out->d_se, out, true);
    out->n_interval = out->d_interval = (Interval){NAN, NAN};
    if (isfinite(out->n_exponent)) {
        /* C is about in proportion to N D, so what is open of N* is open of D*. */
        double t = stats_t_quantile(0.975, out->inside - 2), open = tilt(out, table, arm);
        double n_half = t * out->n_se + open, d_half = t * out->d_se + open;
        out->n_interval = (Interval){out->n_exponent - n_half, out->n_exponent + n_half};
        out->d_interval = (Interval){out->d_exponent - d_half, out->d_exponent + d_half};
    }
    if (out->inside < LEAST)
        snprintf(out->caveat, sizeof out->caveat,
                 "not identifiable: %d of %d points lie inside the sampled sizes and lengths, want at least %d",
                 out->inside, out->points, LEAST);
    else if (out->unfinished)
        snprintf(out->caveat, sizeof out->caveat,
                 "caution: %d of %d points are of schedules that had not ended; their losses are too high",
                 out->unfinished, out->points);
    else
        snprintf(out->caveat, sizeof out->caveat, "finished runs only");
}
