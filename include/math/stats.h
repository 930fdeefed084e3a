/** Small dense linear algebra and the statistics that fits share. All double, row-major, not collective. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Eigenvalues (n, ascending) and, unless NULL, eigenvectors (n, n; column k belongs to value k) of a symmetric matrix,
 *  by Jacobi rotations. */
void stats_eigen(double *value, double *vector, const double *a, int n);

/** Solves a x = b for a symmetric positive definite matrix, in place of b; false when it is not. a is overwritten. */
bool stats_solve(double *a, double *b, int n);
/** The lower Cholesky factor in place of the lower triangle. */
bool stats_cholesky(double *a, int n);
/** Its inverse, in place; false when it is not positive definite. */
bool stats_invert(double *a, int n);

/** max/min eigenvalue after scaling the diagonal to 1; INFINITY when singular. */
double stats_condition(const double *a, int n);

/** Least squares y ~ X c with weights w: c (p), covariance (p, p; unless NULL) scaled by the residual variance, which
 *  divides by max(n - p, 1). Rows of X are p long. False when X has not full rank. p at most STATS_COLUMNS. */
enum { STATS_COLUMNS = 8 };
bool stats_lsq(double *c, double *covariance, double *variance, const double *x, const double *y, const double *w,
               int64_t n, int p);

/** 95 %. */
typedef struct Interval {
    double lo, hi;
} Interval;

/** A number with its interval; NaN where there is none. */
typedef struct Estimate {
    double value;
    Interval interval;
} Estimate;

/** Percentiles 2.5 and 97.5 of resampled values (sorted in place; those that are not numbers are dropped; where they
 *  are more than 5 %, or fewer than two are left, there is no interval), as order statistics of type 6, moved outward as
 *  far as Student's t with `dof` degrees of freedom exceeds the normal distribution (Hesterberg 2015, The American
 *  Statistician 69, section 4.3); dof = 0: not. Of fewer than 39 values it is from the least to the greatest. */
Interval stats_interval(double *values, int64_t n, double dof);
double stats_sd(const double *values, int64_t n);
/** Pearson's; NaN where x or y does not vary. */
double stats_correlation(const double *x, const double *y, int64_t n);

void stats_sort(double *x, int64_t n);
/** Quantile of sorted values, linear between order statistics (type 7); NaN for n = 0. */
double stats_quantile(const double *sorted, int64_t n, double probability);
double stats_median(double *x, int64_t n); /* sorts x */

double stats_normal_cdf(double x);
/** Student t, chi-square and F: tail probabilities and quantiles through the incomplete beta and gamma functions. */
double stats_t_quantile(double p, double dof);
double stats_chi2_sf(double x, double dof);
double stats_chi2_quantile(double p, double dof);
double stats_f_sf(double x, double dof1, double dof2);
double stats_f_quantile(double p, double dof1, double dof2);
