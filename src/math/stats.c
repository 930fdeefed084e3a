#include "math/stats.h"

#include "base/arena.h"
#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void stats_eigen(double *value, double *vector, const double *a, int n) {
    double *m = MEM_NEW(double, 2 * n * n + 1);
    double *v = m + n * n;
    int *order = MEM_NEW(int, n + 1);
    memcpy(m, a, (size_t)(n * n) * sizeof *m);
    for (int i = 0; i < n * n; i++) v[i] = i / n == i % n;
    for (int sweep = 0; sweep < 60; sweep++) {
        double off = 0, on = 0;
        for (int i = 0; i < n * n; i++) *(i / n == i % n ? &on : &off) += m[i] * m[i];
        if (off <= 1e-32 * on) break;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                if (m[p * n + q] == 0) continue;
                double theta = (m[q * n + q] - m[p * n + p]) / (2 * m[p * n + q]);
                double t = copysign(1, theta) / (fabs(theta) + sqrt(theta * theta + 1));
                double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int k = 0; k < n; k++) {
                    double x = m[k * n + p], y = m[k * n + q];
                    m[k * n + p] = c * x - s * y;
                    m[k * n + q] = s * x + c * y;
                }
                for (int k = 0; k < n; k++) {
                    double x = m[p * n + k], y = m[q * n + k];
                    m[p * n + k] = c * x - s * y;
                    m[q * n + k] = s * x + c * y;
                    x = v[k * n + p];
                    y = v[k * n + q];
                    v[k * n + p] = c * x - s * y;
                    v[k * n + q] = s * x + c * y;
                }
            }
    }
    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0 && m[order[j - 1] * n + order[j - 1]] > m[i * n + i]; j--) order[j] = order[j - 1];
        order[j] = i;
    }
    for (int k = 0; k < n; k++) {
        value[k] = m[order[k] * n + order[k]];
        for (int i = 0; vector && i < n; i++) vector[i * n + k] = v[i * n + order[k]];
    }
    mem_free(m);
    mem_free(order);
}

bool stats_cholesky(double *a, int n) {
    for (int j = 0; j < n; j++) {
        double d = a[j * n + j], scale = fabs(d);
        for (int k = 0; k < j; k++) d -= a[j * n + k] * a[j * n + k];
        if (!(d > 1e-14 * scale)) return false;
        a[j * n + j] = sqrt(d);
        for (int i = j + 1; i < n; i++) {
            double s = a[i * n + j];
            for (int k = 0; k < j; k++) s -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = s / a[j * n + j];
        }
    }
    return true;
}

static void substitute(const double *l, double *b, int n) {
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++) b[i] -= l[i * n + k] * b[k];
        b[i] /= l[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++) b[i] -= l[k * n + i] * b[k];
        b[i] /= l[i * n + i];
    }
}

bool stats_solve(double *a, double *b, int n) {
    if (!stats_cholesky(a, n)) return false;
    substitute(a, b, n);
    return true;
}

bool stats_invert(double *a, int n) {
    if (!stats_cholesky(a, n)) return false;
    double *inverse = MEM_NEW(double, n *n + 1); /* a column a row: it is symmetric */
    for (int j = 0; j < n; j++) {
        inverse[j * n + j] = 1;
        substitute(a, inverse + j * n, n);
    }
    memcpy(a, inverse, (size_t)(n * n) * sizeof *a);
    mem_free(inverse);
    return true;
}

double stats_condition(const double *a, int n) {
    for (int i = 0; i < n; i++)
        if (!(a[i * n + i] > 0)) return INFINITY;
    double *scaled = MEM_NEW(double, n *(n + 1) + 1);
    double *value = scaled + n * n;
    for (int i = 0; i < n * n; i++) scaled[i] = a[i] / sqrt(a[i / n * (n + 1)] * a[i % n * (n + 1)]);
    stats_eigen(value, NULL, scaled, n);
    double condition = value[0] > 0 ? value[n - 1] / value[0] : INFINITY;
    mem_free(scaled);
    return condition;
}

bool stats_lsq(double *c, double *covariance, double *variance, const double *x, const double *y, const double *w,
               int64_t n, int p) {
    double a[STATS_COLUMNS * STATS_COLUMNS] = {0}, inverse[STATS_COLUMNS * STATS_COLUMNS], residual = 0;
    CHECK(p <= STATS_COLUMNS, "%d columns", p);
    memset(c, 0, (size_t)p * sizeof *c);
    for (int64_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1;
        for (int j = 0; j < p; j++) {
            c[j] += wi * x[i * p + j] * y[i];
            for (int k = 0; k < p; k++) a[j * p + k] += wi * x[i * p + j] * x[i * p + k];
        }
    }
    memcpy(inverse, a, sizeof a);
    if (n < p || !stats_solve(a, c, p)) return false;
    for (int64_t i = 0; i < n; i++) {
        double r = y[i];
        for (int j = 0; j < p; j++) r -= x[i * p + j] * c[j];
        residual += (w ? w[i] : 1) * r * r;
    }
    double s2 = residual / (double)(n > p ? n - p : 1);
    if (variance) *variance = s2;
    if (covariance) {
        if (!stats_invert(inverse, p)) return false;
        for (int i = 0; i < p * p; i++) covariance[i] = s2 * inverse[i];
    }
    return true;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void stats_sort(double *x, int64_t n) {
    qsort(x, (size_t)n, sizeof *x, ascending);
}

double stats_quantile(const double *sorted, int64_t n, double probability) {
    if (n == 0) return NAN;
    double at = fmin(fmax(probability, 0), 1) * (double)(n - 1);
    int64_t i = (int64_t)at;
    if (i >= n - 1) return sorted[n - 1];
    if (sorted[i] == sorted[i + 1]) return sorted[i]; /* both may be infinite */
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

double stats_median(double *x, int64_t n) {
    stats_sort(x, n);
    return stats_quantile(x, n, 0.5);
}

double stats_normal_cdf(double x) {
    return 0.5 * erfc(-x / sqrt(2));
}

/* Root of an increasing function on [lo, hi] by bisection: quantiles are needed a few times a fit only. */
static double invert(double (*f)(double x, double a, double b), double target, double a, double b, double lo,
                     double hi) {
    for (int i = 0; i < 200; i++) {
        double mid = 0.5 * (lo + hi);
        if (mid <= lo || mid >= hi) break;
        if (f(mid, a, b) < target)
            lo = mid;
        else
            hi = mid;
    }
    return 0.5 * (lo + hi);
}

/* Regularised incomplete beta function by its continued fraction (Lentz). */
static double incomplete_beta(double x, double a, double b) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(1 - x, b, a);
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a;
    double f = 1, c = 1, d = 0;
    for (int i = 0; i < 500; i++) {
        int m = i / 2;
        double t = 1;
        if (i > 0 && i % 2 == 0) t = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        if (i % 2 == 1) t = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + t * d;
        d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
        c = 1 + t / c;
        if (fabs(c) < 1e-300) c = 1e-300;
        f *= c * d;
        if (i && fabs(1 - c * d) < 1e-15) break;
    }
    return front * (f - 1);
}

static double t_cdf(double x, double dof, double unused) {
    (void)unused;
    double tail = 0.5 * incomplete_beta(dof / (dof + x * x), 0.5 * dof, 0.5);
    return x > 0 ? 1 - tail : tail;
}

double stats_t_quantile(double p, double dof) {
    return invert(t_cdf, p, dof, 0, -1e4, 1e4);
}

/* Upper regularised incomplete gamma function. */
static double upper_gamma(double a, double x) {
    if (x <= 0) return 1;
    double front = exp(a * log(x) - x - lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (int i = 1; i < 1000 && term > 1e-17 * sum; i++) sum += term *= x / (a + i);
        return 1 - front * sum;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, f = d;
    for (int i = 1; i < 1000; i++) {
        double an = -i * (i - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        f *= c * d;
        if (fabs(c * d - 1) < 1e-15) break;
    }
    return front * f;
}

double stats_chi2_sf(double x, double dof) {
    return upper_gamma(0.5 * dof, 0.5 * x);
}

static double chi2_cdf(double x, double dof, double unused) {
    (void)unused;
    return 1 - stats_chi2_sf(x, dof);
}

double stats_chi2_quantile(double p, double dof) {
    const double far = 50; /* standard deviations: beyond any p that a double holds */
    return invert(chi2_cdf, p, dof, 0, 0, dof + far * sqrt(2 * dof) + 10 * far);
}

double stats_f_sf(double x, double dof1, double dof2) {
    if (x <= 0) return 1;
    return incomplete_beta(dof2 / (dof2 + dof1 * x), 0.5 * dof2, 0.5 * dof1);
}

static double f_cdf(double x, double dof1, double dof2) {
    return 1 - stats_f_sf(x, dof1, dof2);
}

double stats_f_quantile(double p, double dof1, double dof2) {
    return invert(f_cdf, p, dof1, dof2, 0, 1e6);
}

/* The order statistic below which a further draw falls with `probability` (type 6): few resamples do not make intervals
 * narrower. */
static double exceeded(const double *sorted, int64_t n, double probability) {
    return stats_quantile(sorted, n, (probability * (double)(n + 1) - 1) / (double)(n - 1));
}

Interval stats_interval(double *values, int64_t n, double dof) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(values[i])) values[kept++] = values[i];
    if (kept < 2 || (double)kept < 0.95 * (double)n) return (Interval){NAN, NAN};
    double tail = dof > 0 ? stats_normal_cdf(stats_t_quantile(0.025, dof)) : 0.025;
    stats_sort(values, kept);
    return (Interval){exceeded(values, kept, tail), exceeded(values, kept, 1 - tail)};
}

double stats_sd(const double *values, int64_t n) {
    double mean = 0, sum = 0, kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(values[i])) {
            mean += values[i];
            kept++;
        }
    mean /= kept;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(values[i])) sum += (values[i] - mean) * (values[i] - mean);
    return kept > 1 ? sqrt(sum / (kept - 1)) : NAN;
}

double stats_correlation(const double *x, const double *y, int64_t n) {
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    /* From the first value on, so that what does not vary has deviations of exactly 0. */
    for (int64_t i = 0; i < n; i++) {
        mx += (x[i] - x[0]) / (double)n;
        my += (y[i] - y[0]) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double dx = x[i] - x[0] - mx, dy = y[i] - y[0] - my;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}
