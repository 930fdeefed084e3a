#include "fit/noise.h"

#include "base/arena.h"
#include "base/rng.h"
#include "fit/stats.h"

#include <math.h>
#include <string.h>

/* ---- Residuals and what the fit took from them. ---- */

/* H = J (J'J)^-1 J' over the coefficients that the fit was free to choose. */
typedef struct Hat {
    int q;
    double *j; /* (n, q) */
    double inverse[LAW_COEFFICIENTS * LAW_COEFFICIENTS];
    bool regular;
} Hat;

/* Residuals of log loss times root weight, and their hat matrix. */
static Hat residuals(double *r, const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    const Law *law = &fit->law[arm];
    Hat h = {.j = MEM_NEW(double, rows->n *LAW_COEFFICIENTS + 1)};
    int column[LAW_COEFFICIENTS];
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        int slot = p->slot[arm][c];
        bool tied = c == LAW_BETA && slot == p->slot[arm][LAW_ALPHA];
        column[c] = slot < 0 || fit->at_bound[slot] ? -1 : tied ? column[LAW_ALPHA] : h.q++;
    }
    for (int64_t i = 0; i < rows->n; i++) {
        double ta = exp(law->a - law->alpha * (rows->k.x[i] + rows->x0)),
               tb = exp(law->b - law->beta * (rows->k.y[i] + rows->y0)), e = exp(law->e), s = ta + tb + e;
        double d[LAW_COEFFICIENTS] = {ta / s, tb / s, e / s, -rows->k.x[i] * ta / s, -rows->k.y[i] * tb / s};
        double root = sqrt(rows->k.w[i]), *j = h.j + i * h.q;
        r[i] = root * (rows->k.z[i] - log(s));
        for (int c = 0; c < LAW_COEFFICIENTS; c++)
            if (column[c] >= 0) j[column[c]] += root * d[c];
        for (int k = 0; k < h.q * h.q; k++) h.inverse[k] += j[k / h.q] * j[k % h.q];
    }
    for (int k = 0; k < h.q; k++) h.inverse[k * h.q + k] *= 1 + 1e-10;
    h.regular = stats_invert(h.inverse, h.q);
    return h;
}

/* (I - H)_ij */
static double taken(const Hat *h, int64_t i, int64_t j) {
    double sum = 0;
    for (int k = 0; h->regular && k < h->q * h->q; k++)
        sum += h->inverse[k] * h->j[i * h->q + k / h->q] * h->j[j * h->q + k % h->q];
    return (i == j) - sum;
}

/* (I - H)_ij^2 (n, n), or only its share on the diagonal, 1 - H_ii (n). */
static double *squares(const Hat *h, int64_t n, bool full) {
    double *q = MEM_NEW(double, full ? n *n : n + 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = full ? 0 : i; j < (full ? n : i + 1); j++)
            q[full ? i * n + j : i] = full ? taken(h, i, j) * taken(h, i, j) : fmax(taken(h, i, i), 0.05);
    return q;
}

/* v_i = sum_j q_ij s_j^2, and the means of x and y with those weights: half the derivatives of log v_i. */
static void expected(double *v, double *mean, const double *q, const double *scale, const LawRows *rows, bool full) {
    for (int64_t i = 0; i < rows->n; i++) {
        double sum = 0, sx = 0, sy = 0;
        for (int64_t j = full ? 0 : i; j < (full ? rows->n : i + 1); j++) {
            double part = q[full ? i * rows->n + j : i] * scale[j] * scale[j];
            sum += part, sx += part * rows->k.x[j], sy += part * rows->k.y[j];
        }
        v[i] = fmax(sum, 1e-300);
        mean[3 * i] = 1, mean[3 * i + 1] = sx / v[i], mean[3 * i + 2] = sy / v[i];
    }
}

/* Fills scale and v (n); all scales 1 where the noise is even or the model does not settle. */
static void fit_scale(double *scale, double *v, const double *r, const double *q, const LawRows *rows, bool full,
                      bool uneven) {
    int64_t n = rows->n;
    double *x = MEM_NEW(double, 4 * n + 1), *y = x + 3 * n, c[3] = {0}, step[3], mean = 0;
    for (int64_t i = 0; i < n; i++) scale[i] = 1, mean += fabs(r[i]) / (double)n;
    expected(v, x, q, scale, rows, full);
    bool settled = !uneven || !(mean > 0);
    for (int k = 0; k < 100 && !settled; k++) {
        for (int64_t i = 0; i < n; i++) y[i] = fabs(r[i]) / (mean * exp(c[0]) * sqrt(v[i])) - 1;
        if (!stats_lsq(step, NULL, NULL, x, y, NULL, n, 3)) break;
        double most = fmax(fabs(step[0]), fmax(fabs(step[1]), fabs(step[2]))), cut = fmin(1, 1 / most);
        for (int m = 0; m < 3; m++) c[m] += cut * step[m];
        for (int64_t i = 0; i < n; i++) scale[i] = exp(c[1] * rows->k.x[i] + c[2] * rows->k.y[i]);
        expected(v, x, q, scale, rows, full);
        settled = most < 1e-6;
    }
    if (!settled) {
        for (int64_t i = 0; i < n; i++) scale[i] = 1;
        expected(v, x, q, scale, rows, full);
    }
    mem_free(x);
}

/* Where the objective's pulls balance. */
static double centre(const double *r, int64_t n, double delta) {
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) lo = fmin(lo, r[i]), hi = fmax(hi, r[i]);
    for (int step = 0; step < 60 && lo < hi; step++) {
        double mid = 0.5 * (lo + hi), pull = 0;
        for (int64_t i = 0; i < n; i++) pull += fmin(fmax(r[i] - mid, -delta), delta);
        *(pull > 0 ? &lo : &hi) = mid;
    }
    return n ? 0.5 * (lo + hi) : 0;
}

/* ---- The distribution to draw from. ---- */

/* The kernel estimate of Silverman (1986, eq. 3.31), shrunk to keep the variance. */
static void smoothing(Noise *noise) {
    int64_t n = noise->n;
    double *sorted = MEM_NEW(double, n + 1), variance = 0;
    memcpy(sorted, noise->unit, (size_t)n * sizeof *sorted);
    for (int64_t i = 0; i < n; i++) variance += sorted[i] * sorted[i] / (double)n;
    stats_sort(sorted, n);
    double quartiles = (stats_quantile(sorted, n, 0.75) - stats_quantile(sorted, n, 0.25)) / 1.349;
    noise->width = n ? 0.9 * fmin(sqrt(variance), quartiles) * pow((double)n, -0.2) : 0;
    noise->shrink = variance > 0 ? 1 / sqrt(1 + noise->width * noise->width / variance) : 1;
    mem_free(sorted);
}

static void fill_pool(Noise *noise, int64_t without) {
    int64_t n = noise->n;
    double *sorted = MEM_NEW(double, n + 1);
    noise->pool = MEM_NEW(double, n + 1);
    for (int64_t i = 0; i < n; i++) sorted[i] = fabs(noise->unit[i]);
    stats_sort(sorted, n);
    double least = without > 0 && n > 2 * without ? sorted[without - 1] : -1;
    for (int64_t i = 0; i < n; i++)
        if (fabs(noise->unit[i]) > least) noise->pool[noise->pools++] = noise->unit[i];
    if (!noise->pools) noise->pool[noise->pools++] = 0;
    mem_free(sorted);
}

Noise noise_of(const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    bool huber = p->spec.objective == OBJECTIVE_HUBER, full = uneven && !huber && rows->n <= NOISE_ROWS;
    Noise noise = {.n = rows->n, .fitted = MEM_NEW(double, 4 * rows->n + 1)};
    noise.scale = noise.fitted + rows->n, noise.unit = noise.scale + rows->n;
    double *v = noise.unit + rows->n;
    Hat hat = residuals(noise.unit, p, fit, arm);
    double *q = squares(&hat, rows->n, full);
    fit_scale(noise.scale, v, noise.unit, q, rows, full, uneven);
    for (int64_t i = 0; i < rows->n; i++) noise.unit[i] /= sqrt(v[i]);
    double middle = centre(noise.unit, rows->n, huber ? p->spec.delta : INFINITY);
    for (int64_t i = 0; i < rows->n; i++) {
        noise.unit[i] -= middle;
        noise.fitted[i] = log(law_loss(&fit->law[arm], exp(rows->k.x[i] + rows->x0), exp(rows->k.y[i] + rows->y0)));
    }
    fill_pool(&noise, huber ? hat.q : 0);
    smoothing(&noise);
    mem_free(q);
    mem_free(hat.j);
    return noise;
}

void noise_free(Noise *noise) {
    mem_free(noise->fitted);
    mem_free(noise->pool);
    *noise = (Noise){0};
}

void noise_draw(double *z, double *loss, const Noise *noise, const LawRows *rows, uint64_t seed, uint64_t stream) {
    for (int64_t i = 0; i < noise->n; i++) {
        uint64_t element = 2 * (uint64_t)i;
        double r = noise->pool[rng_below(seed, stream, element, noise->pools)];
        r = noise->shrink * noise->scale[i] * (r + noise->width * rng_normal(seed, stream, element + 1));
        z[i] = noise->fitted[i] + r / sqrt(rows->k.w[i]);
        loss[i] = exp(z[i]);
    }
}

double noise_uneven(const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    int64_t n = rows->n;
    Noise noise = noise_of(p, fit, arm, false);
    double *x = MEM_NEW(double, 4 * n + 1), *y = x + 3 * n, c[3], explained = 0, mean = 0, total = 0, floor = 0;
    for (int64_t i = 0; i < n; i++) floor += 1e-3 * fabs(noise.unit[i]) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        x[3 * i] = 1, x[3 * i + 1] = rows->k.x[i], x[3 * i + 2] = rows->k.y[i];
        y[i] = sqrt(fabs(noise.unit[i]) + floor);
        mean += y[i] / (double)n;
    }
    double p_value = 1;
    if (floor > 0 && n > 8 && stats_lsq(c, NULL, NULL, x, y, NULL, n, 3)) {
        for (int64_t i = 0; i < n; i++) {
            double e = c[0] + c[1] * x[3 * i + 1] + c[2] * x[3 * i + 2] - mean;
            explained += e * e, total += (y[i] - mean) * (y[i] - mean);
        }
        double dof = (double)n - 3;
        p_value = stats_f_sf(explained / 2 / ((total - explained) / dof), 2, dof);
    }
    mem_free(x);
    noise_free(&noise);
    return p_value;
}
