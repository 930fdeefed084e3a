/** isoFLOP curves (Hoffmann et al. 2022, approach 2): at each budget, log loss against log N is a parabola; its vertex
 *  is the compute-optimal size, and power laws through the vertices give the exponents without a law of (N, D).
 *
 *  Runs of one size at several lengths are interpolated onto the budget (quadratic in log C through the three nearest,
 *  linear where two of them are so near to each other that one would count more than once; never extrapolated); a run
 *  that was made at the budget is taken as it is. The noise of log loss is the residual of the parabolas, or that between
 *  seeds if larger; it is propagated by refitting everything to perturbed losses. Not collective; the same on every
 *  rank. */
#pragma once

#include "fit/powers.h"
#include "fit/table.h"
#include "math/stats.h"

#include <stddef.h>

enum { ISO_BUDGETS = 32, ISO_POINTS = 64, ISO_STATUS = 96 };

typedef struct IsoCurve {
    double budget; /* in the currency's unit */
    int points;
    double n[ISO_POINTS], d[ISO_POINTS], loss[ISO_POINTS];
    double p0, p1, p2; /* log loss = p0 + p1 u + p2 u^2, u = log N - centre */
    double centre;
    double best_n, best_d, best_loss; /* the vertex; NaN unless ok */
    double se_log_n, se_log_loss;
    Interval best_n_interval;
    Interval one_percent;           /* N whose parabola is within 1 % of the least loss */
    double curvature, curvature_se; /* 2 p2: second derivative of log loss */
    double rms;                     /* residual of the parabola */
    bool ok;
    char status[ISO_STATUS]; /* in words */
} IsoCurve;

/** y = factor C^exponent through the vertices, weighted by their variances. */
typedef struct PowerLaw {
    double log_factor, exponent;
    Interval interval; /* of the exponent */
    double misfit;     /* p-value of vertices this far off the line or further, by chi2; NaN with two vertices */
} PowerLaw;

/** The exponent of N* over the lower and over the upper half of the vertices, of which one in the middle counts for both. */
typedef struct IsoHalves {
    int lower_end, upper_first;    /* curves: the lower half ends before the one, the upper one begins with the other */
    double c;                      /* budget where they meet; NaN with fewer than four vertices, as is what follows */
    Estimate lower, upper, change; /* change: upper less lower */
} IsoHalves;

typedef struct IsoFlop {
    int curves, ok;              /* ok: curves with a vertex */
    IsoCurve curve[ISO_BUDGETS]; /* ascending in budget */
    PowerLaw n, d, loss;         /* NaN with fewer than two vertices */
    IsoHalves halves;
    double noise; /* standard deviation of log loss of one run, as used */
    double seeds; /* runs averaged in a point, on average */
    double dof;   /* behind it */
    int refused;  /* curves without an accepted vertex */
    int draws;
    Powers *draw; /* (draws) of perturbed losses; owned */
    char status[ISO_STATUS];
} IsoFlop;

/** budgets: n_budgets of them, or 0: chosen from the data. seed_noise: standard deviation of log loss between seeds, 0
 *  if unknown. */
void isoflop_fit(IsoFlop *out, const Table *table, int arm, int currency, const double *budgets, int n_budgets,
                 double seed_noise, int resamples, uint64_t seed);
void isoflop_free(IsoFlop *iso);
