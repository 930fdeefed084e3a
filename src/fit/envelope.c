#include "fit/envelope.h"

#include "math/stats.h"

#include <math.h>
#include <stdio.h>

static void power_law(double *factor, double *exponent, double *se, const Envelope *e, bool of_d) {
    double x[2 * ENVELOPE_POINTS], y[ENVELOPE_POINTS], c[2], cov[4];
    for (int i = 0; i < e->points; i++) {
        x[2 * i] = 1;
        x[2 * i + 1] = log(e->point[i].c);
        y[i] = log(of_d ? e->point[i].d : e->point[i].n);
    }
    bool fine = e->points >= 3 && stats_lsq(c, cov, NULL, x, y, NULL, e->points, 2);
    *factor = fine ? exp(c[0]) : NAN;
    *exponent = fine ? c[1] : NAN;
    *se = fine ? sqrt(cov[3]) : NAN;
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
    power_law(&out->n_factor, &out->n_exponent, &out->n_se, out, false);
    power_law(&out->d_factor, &out->d_exponent, &out->d_se, out, true);
    if (out->points < 3)
        snprintf(out->caveat, sizeof out->caveat, "not identifiable: %d points, want at least 3", out->points);
    else if (out->unfinished)
        snprintf(out->caveat, sizeof out->caveat,
                 "caution: %d of %d points are of schedules that had not ended; their losses are too high",
                 out->unfinished, out->points);
    else
        snprintf(out->caveat, sizeof out->caveat, "finished runs only");
}
