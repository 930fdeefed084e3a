/** The kernel of fit/surrogate.h between many points and one, and the sums that its derivatives are made of: in a file of its
 *  own, which vectorises. */
#pragma once

#include <stdint.h>

/** Hyperparameters as the kernel uses them: variances, inverse widths, correlation. */
typedef struct GpHyper {
    double f, wn, wd, rho, h, run, noise;
} GpHyper;

/** A point: centred log N and log D; arm and run by number, unfinished 0 or 1, as numbers that a vector compares. */
typedef struct GpPoint {
    double x, y, arm, cell, unfinished;
} GpPoint;

/** The same of n points, each array (n). */
typedef struct GpPoints {
    int64_t n;
    double *x, *y, *arm, *cell, *unfinished;
} GpPoints;

/** k[i] is the covariance, without noise, of point `at` and the point from + i, for all points from there on. */
void gp_covariances(double *restrict k, const GpPoints *points, int64_t from, const GpPoint *at, const GpHyper *p);

/** Adds to the sums what weights w[i] on those covariances make of: f, h, run over their variances, the derivatives to the
 *  logs of both widths and, of pairs across arms, f + h. */
typedef struct GpSlopes {
    double f, h, run, width_n, width_d, across;
} GpSlopes;
void gp_slopes(GpSlopes *sums, const double *restrict w, const GpPoints *points, int64_t from, const GpPoint *at,
               const GpHyper *p);
