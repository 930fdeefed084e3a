#include "fit/noise.h"

#include "base/arena.h"
#include "base/rng.h"
#include "math/stats.h"
#include "noise_sum.h"
#include "sequence.h"

#include <math.h>
#include <string.h>

/* ---- Residuals and what the fit took from them. ---- */

/* H = J (J'J)^-1 J' over the coefficients that the fit was free to choose, of the rows of one arm: the columns of J in
 * which the arm has a part, and their block of the inverse, which is that of all arms that share something. */
typedef struct Hat {
    int q;
    double *j; /* (n, q) */
    double inverse[LAW_COEFFICIENTS * LAW_COEFFICIENTS];
    double step[LAW_COEFFICIENTS]; /* (q) from the fit to the least squares of all arms: (J'J)^-1 J'r */
    bool regular;
} Hat;

/* Residual of log loss times root weight, and its derivatives to the coefficients. */
static double residual(double d[LAW_COEFFICIENTS], const LawRows *rows, const Law *law, int64_t i) {
    double root = sqrt(rows->k.w[i]);
    double s = law_rows_loss(d, rows, law, i);
    for (int c = 0; c < LAW_COEFFICIENTS; c++) d[c] *= root / s;
    return root * (rows->k.z[i] - log(s));
}

static Hat residuals(double *r, const LawProblem *p, const LawFit *fit, int arm) {
    Hat h = {.j = MEM_NEW(double, p->source[arm]->n *LAW_COEFFICIENTS + 1)};
    int column[LAW_VARIABLES] = {0}, all = 0, own[LAW_COEFFICIENTS] = {0};
    for (int v = 0; v < p->n; v++) column[v] = fit->at_bound[v] ? -1 : all++;
    double *gram = MEM_NEW(double, all *(all + 1) + 1), *pull = gram + all * all, d[LAW_COEFFICIENTS];
    for (int m = 0; m < p->arms; m++)
        for (int64_t i = 0; i < p->source[m]->n; i++) {
            double left = residual(d, p->source[m], &fit->law[m], i);
            for (int c = 0; c < LAW_COEFFICIENTS; c++) {
                int slot = p->slot[m][c];
                if (slot >= 0 && column[slot] >= 0) pull[column[slot]] += d[c] * left;
            }
            for (int k = 0; k < LAW_COEFFICIENTS * LAW_COEFFICIENTS; k++) {
                int a = p->slot[m][k / LAW_COEFFICIENTS], b = p->slot[m][k % LAW_COEFFICIENTS];
                if (a >= 0 && b >= 0 && column[a] >= 0 && column[b] >= 0)
                    gram[column[a] * all + column[b]] += d[k / LAW_COEFFICIENTS] * d[k % LAW_COEFFICIENTS];
            }
        }
    for (int k = 0; k < all; k++) gram[k * all + k] *= 1 + 1e-10;
    h.regular = stats_invert(gram, all);

    int of[LAW_COEFFICIENTS]; /* coefficient -> column of h.j */
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        int slot = p->slot[arm][c], at = slot < 0 ? -1 : column[slot];
        of[c] = -1;
        for (int k = 0; k < h.q && at >= 0; k++)
            if (own[k] == at) of[c] = k;
        if (at >= 0 && of[c] < 0) {
            own[h.q] = at;
            of[c] = h.q++;
        }
    }
    for (int k = 0; k < h.q * h.q; k++) h.inverse[k] = gram[own[k / h.q] * all + own[k % h.q]];
    for (int k = 0; k < h.q && h.regular; k++)
        for (int b = 0; b < all; b++) h.step[k] += gram[own[k] * all + b] * pull[b];
    for (int64_t i = 0; i < p->source[arm]->n; i++) {
        r[i] = residual(d, p->source[arm], &fit->law[arm], i);
        for (int c = 0; c < LAW_COEFFICIENTS; c++)
            if (of[c] >= 0) h.j[i * h.q + of[c]] += d[c];
    }
    mem_free(gram);
    return h;
}

/* (I - H) r: what least squares would leave. To first order it is (I - H) e of the errors e, whichever objective was
 * minimised, so that moments know what to expect of it. */
static Hat least_squares_residuals(double *r, const LawProblem *p, const LawFit *fit, int arm) {
    Hat h = residuals(r, p, fit, arm);
    for (int64_t i = 0; i < p->source[arm]->n; i++)
        for (int k = 0; k < h.q; k++) r[i] -= h.j[i * h.q + k] * h.step[k];
    return h;
}

/* (I - H)_ij */
static double taken(const Hat *h, int64_t i, int64_t j) {
    double sum = 0;
    for (int k = 0; h->regular && k < h->q * h->q; k++)
        sum += h->inverse[k] * h->j[i * h->q + k / h->q] * h->j[j * h->q + k % h->q];
    return (i == j) - sum;
}

/* full: (I - H)_ij^2 (n, n); else what that sums to over j, 1 - H_ii (n). */
static double *squares(const Hat *h, int64_t n, bool full) {
    double *q = MEM_NEW(double, full ? n *n : n + 1);
    for (int64_t i = 0; i < n; i++) {
        if (!full) {
            q[i] = taken(h, i, i);
            continue;
        }
        for (int64_t j = 0; j < n; j++) {
            double left = taken(h, i, j);
            q[i * n + j] = left * left;
        }
    }
    return q;
}

/* What log s is linear in: 1, x, y; of many rows x^2, xy, y^2 too; of one axis 1, x, x^2. */
enum { TERMS = 6, TERMS_FEW = 3, LINE_TERMS = 3, LINE_TERMS_FEW = 2, TERMS_ROWS = 100 };

static int term_count(const LawRows *rows) {
    bool few = rows->n < TERMS_ROWS;
    if (rows->axes == LAW_OF_N_AND_D) return few ? TERMS_FEW : TERMS;
    return few ? LINE_TERMS_FEW : LINE_TERMS;
}

static double term(const LawRows *rows, int64_t i, int t) {
    double x = rows->k.x[i];
    double y = rows->k.y[i];
    const double value[TERMS] = {1, x, y, x * x, x * y, y * y};
    const double of_line[LINE_TERMS] = {1, x, x * x};
    return rows->axes == LAW_OF_N_AND_D ? value[t] : of_line[t];
}

/* v_i = sum_j q_ij s_j^2, and the means of the terms with those weights: half the derivatives of log v_i. */
static void expected(double *v, double *mean, const double *q, const double *scale, const LawRows *rows, bool full) {
    int terms = term_count(rows);
    for (int64_t i = 0; i < rows->n; i++) {
        double sum = 0, of[TERMS] = {0};
        int64_t first = full ? 0 : i;
        int64_t end = full ? rows->n : i + 1;
        for (int64_t j = first; j < end; j++) {
            double square = full ? q[i * rows->n + j] : q[i];
            double part = square * scale[j] * scale[j];
            sum += part;
            for (int t = 0; t < terms; t++) of[t] += part * term(rows, j, t);
        }
        v[i] = fmax(sum, fmax(0.05 * scale[i] * scale[i], 1e-300));
        for (int t = 0; t < terms; t++) mean[i * terms + t] = of[t] / v[i];
    }
}

/* Fills scale and v (n); all scales 1 where the noise is even or the model does not settle. */
static void fit_scale(double *scale, double *v, const double *r, const double *q, const LawRows *rows, bool full,
                      bool uneven) {
    int64_t n = rows->n;
    int terms = term_count(rows);
    double *x = MEM_NEW(double, (TERMS + 1) * n + 1), *y = x + TERMS * n, c[TERMS] = {0}, step[TERMS], mean = 0;
    for (int64_t i = 0; i < n; i++) {
        scale[i] = 1;
        mean += fabs(r[i]) / (double)n;
    }
    expected(v, x, q, scale, rows, full);
    bool settled = !uneven || !(mean > 0);
    for (int k = 0; k < 100 && !settled; k++) {
        double most = 0;
        for (int64_t i = 0; i < n; i++) y[i] = fabs(r[i]) / (mean * exp(c[0]) * sqrt(v[i])) - 1;
        if (!stats_lsq(step, NULL, NULL, x, y, NULL, n, terms)) break;
        for (int t = 0; t < terms; t++) most = fmax(most, fabs(step[t]));
        for (int t = 0; t < terms; t++) c[t] += fmin(1, 1 / most) * step[t];
        for (int64_t i = 0; i < n; i++) {
            double log_scale = 0;
            for (int t = 1; t < terms; t++) log_scale += c[t] * term(rows, i, t);
            scale[i] = exp(log_scale);
        }
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
static double centre(const double *r, int64_t n, const Misfit *misfit) {
    double delta = misfit->objective == OBJECTIVE_HUBER ? misfit->delta : INFINITY;
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = fmin(lo, r[i]);
        hi = fmax(hi, r[i]);
    }
    for (int step = 0; step < 60 && lo < hi; step++) {
        double mid = 0.5 * (lo + hi), pull = 0;
        for (int64_t i = 0; i < n; i++) {
            double side = r[i] > mid ? misfit->above : misfit->below;
            pull += side * fmin(fmax(r[i] - mid, -delta), delta);
        }
        if (pull > 0)
            lo = mid;
        else
            hi = mid;
    }
    return n ? 0.5 * (lo + hi) : 0;
}

/* ---- The distribution to draw from. ---- */

/* A fit of nearly least absolute values passes through as many rows as it has coefficients, and their zeros would make
 * the errors look too concentrated where its variance comes from. */
static void leave_out(Noise *noise, int64_t smallest) {
    int64_t n = noise->n;
    double *sorted = MEM_NEW(double, n + 1);
    noise->drawn = MEM_NEW(bool, n + 1);
    for (int64_t i = 0; i < n; i++) sorted[i] = fabs(noise->unit[i]);
    stats_sort(sorted, n);
    double least = smallest > 0 && n > 2 * smallest ? sorted[smallest - 1] : -1;
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) kept += noise->drawn[i] = fabs(noise->unit[i]) > least;
    for (int64_t i = 0; i < n && !kept; i++) noise->drawn[i] = true; /* all of one size */
    mem_free(sorted);
}

/* The kernel estimate of Silverman (1986, eq. 3.31), shrunk to keep the variance. */
static void smoothing(Noise *noise) {
    int64_t n = noise->n;
    double *sorted = MEM_NEW(double, n + 1), variance = 0;
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (noise->drawn[i]) sorted[kept++] = noise->unit[i];
    for (int64_t i = 0; i < kept; i++) variance += sorted[i] * sorted[i] / (double)kept;
    stats_sort(sorted, kept);
    double quartiles = (stats_quantile(sorted, kept, 0.75) - stats_quantile(sorted, kept, 0.25)) / 1.349;
    noise->width = kept ? 0.9 * fmin(sqrt(variance), quartiles) * pow((double)n, -0.2) : 0;
    noise->shrink = variance > 0 ? 1 / sqrt(1 + noise->width * noise->width / variance) : 1;
    mem_free(sorted);
}

bool noise_absolute(const LawProblem *p, const LawFit *fit) {
    const int enough = 2; /* rows for each coefficient, so that as many are left as the fit passes through */
    return p->n_rows > enough * p->n && law_nearly_absolute(p, fit);
}

Noise noise_of(const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    bool huber = noise_absolute(p, fit), full = uneven && !huber && rows->n <= NOISE_ROWS;
    Noise noise = {.n = rows->n, .fitted = MEM_NEW(double, 4 * rows->n + 1)};
    noise.scale = noise.fitted + rows->n;
    noise.unit = noise.scale + rows->n;
    double *v = noise.unit + rows->n;
    Hat hat = huber ? residuals(noise.unit, p, fit, arm) : least_squares_residuals(noise.unit, p, fit, arm);
    double *q = squares(&hat, rows->n, full), fitted = 0;
    for (int64_t i = 0; i < rows->n; i++) fitted += 1 - taken(&hat, i, i);
    fit_scale(noise.scale, v, noise.unit, q, rows, full, uneven);
    for (int64_t i = 0; i < rows->n; i++) noise.unit[i] /= sqrt(v[i]);
    const Misfit misfit = law_misfit(&p->spec);
    double middle = centre(noise.unit, rows->n, &misfit);
    for (int64_t i = 0; i < rows->n; i++) {
        noise.unit[i] -= middle;
        noise.fitted[i] = log(law_rows_loss(NULL, rows, &fit->law[arm], i));
    }
    leave_out(&noise, huber ? lround(fitted) : 0);
    smoothing(&noise);
    mem_free(q);
    mem_free(hat.j);
    return noise;
}

/* ---- Groups. ---- */

/* Moments of residuals r: see GroupEffect. M = Z' (I - H) Z. */
static GroupEffect moments(const double *r, const Hat *h, int64_t n, const int64_t *group, int64_t groups) {
    int q = h->q;
    double *sum = MEM_NEW(double, groups *(2 * q + 2) + 1); /* (groups, q) of J; (groups, q) times the inverse */
    double *turned = sum + groups * q, *total = turned + groups * q, *size = total + groups;
    double all = 0, dof = 0, shared = 0, trace = 0, square = 0;
    double of_means = 0, means = 0; /* squares that the groups' means take, and of how many degrees of freedom */
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < q; k++) sum[group[i] * q + k] += h->j[i * q + k];
        total[group[i]] += r[i];
        size[group[i]] += 1;
        all += r[i] * r[i];
        dof += taken(h, i, i);
    }
    for (int64_t g = 0; g < groups && h->regular; g++)
        for (int k = 0; k < q * q; k++) turned[g * q + k / q] += h->inverse[k] * sum[g * q + k % q];
    /* M = diag(size) - turned sum', whose squares sum over all pairs of groups without a loop over pairs. */
    double of_turned[LAW_COEFFICIENTS * LAW_COEFFICIENTS] = {0}, of_sum[LAW_COEFFICIENTS * LAW_COEFFICIENTS] = {0};
    for (int64_t g = 0; g < groups; g++) {
        const double *t = turned + g * q, *s = sum + g * q;
        double own = 0;
        for (int k = 0; k < q; k++) own += t[k] * s[k];
        shared += total[g] * total[g];
        trace += size[g] - own;
        if (size[g] > 0) {
            of_means += total[g] * total[g] / size[g];
            means += 1 - own / size[g];
        }
        square += size[g] * (size[g] - 2 * own);
        for (int k = 0; k < q * q; k++) {
            of_turned[k] += t[k / q] * t[k % q];
            of_sum[k] += s[k / q] * s[k % q];
        }
    }
    for (int k = 0; k < q * q; k++) square += of_turned[k] * of_sum[k];
    mem_free(sum);
    GroupEffect e = {
        .square = shared / trace, .growth = square / trace, .dof = trace * trace / square, .left = means, .p = NAN};
    double determinant = dof * square - trace * trace;
    e.between = determinant > 0 ? fmax((shared * dof - all * trace) / determinant, 0) : 0;
    e.within = fmax((all - e.between * trace) / dof, 0);
    double left = all - of_means, left_dof = dof - means;
    if (left > 0 && left_dof > 1) e.p = stats_f_sf(e.square / (left / left_dof), e.dof, left_dof);
    return e;
}

GroupEffect noise_groups(const LawProblem *p, const LawFit *fit, int arm, const int64_t *group, int64_t groups) {
    int64_t n = p->source[arm]->n;
    double *r = MEM_NEW(double, n + 1);
    Hat hat = least_squares_residuals(r, p, fit, arm);
    GroupEffect e = moments(r, &hat, n, group, groups);
    mem_free(hat.j);
    mem_free(r);
    return e;
}

Noise noise_grouped(const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    int64_t n = rows->n;
    Noise noise = {.n = n, .fitted = MEM_NEW(double, 4 * n + 1)};
    noise.scale = noise.fitted + n;
    noise.unit = noise.scale + n;
    Hat hat = least_squares_residuals(noise.unit, p, fit, arm);
    GroupEffect e = moments(noise.unit, &hat, n, rows->group, rows->groups);
    noise.effect = e;
    /* What is left of the residuals without the means of their groups, made as large as `within`. */
    double *mean = MEM_NEW(double, 2 * rows->groups + 1), *size = mean + rows->groups, square = 0;
    for (int64_t i = 0; i < n; i++) size[rows->group[i]] += 1;
    for (int64_t i = 0; i < n; i++) mean[rows->group[i]] += noise.unit[i] / size[rows->group[i]];
    for (int64_t i = 0; i < n; i++) {
        if (size[rows->group[i]] > 1) noise.unit[i] -= mean[rows->group[i]];
        square += noise.unit[i] * noise.unit[i] / (double)n;
        noise.scale[i] = 1;
        noise.fitted[i] = log(law_rows_loss(NULL, rows, &fit->law[arm], i));
    }
    for (int64_t i = 0; i < n && square > 0; i++) noise.unit[i] *= sqrt(e.within / square);
    leave_out(&noise, 0);
    smoothing(&noise);
    noise.sequences = MEM_NEW(Sequences, 1);
    *noise.sequences = sequences_of(rows, noise.unit);
    mem_free(mean);
    mem_free(hat.j);
    return noise;
}

void noise_free(Noise *noise) {
    mem_free(noise->fitted);
    mem_free(noise->drawn);
    if (noise->sequences) sequences_free(noise->sequences);
    mem_free(noise->sequences);
    *noise = (Noise){0};
}

/* The standard deviation of what groups share, for one draw of all rows: as large as it may be, given that its estimate
 * has few degrees of freedom (generalised inference, Tsui and Weerahandi 1989). What hangs on the groups alone is then
 * spread as Student's t is, what does not hang on them as it was; and an estimate of 0 is not taken for certain. */
static double drawn_between(const GroupEffect *e, uint64_t seed, uint64_t stream) {
    if (!(e->growth > 0)) return 0;
    double chi2 = stats_chi2_quantile(rng_uniform(seed, stream, 0), e->dof);
    return sqrt(fmax(e->square * e->dof / chi2 - e->within, 0) / e->growth);
}

/* Rows whose noise is drawn together: their random numbers stay in the first-level cache. */
enum { TOGETHER = 256 };

typedef struct Draws {
    uint64_t first[TOGETHER], second[TOGETHER];
    int64_t from[TOGETHER];  /* whose residual a row takes */
    double normal[TOGETHER]; /* that smooths it */
} Draws;

/* Of rows at .. at + n - 1. A residual that is not among the drawn is drawn again, at elements that no row has. */
static void draw_rows(Draws *d, const Noise *noise, int64_t at, int64_t n, uint64_t seed, uint64_t rows_of,
                      uint64_t own) {
    rng_blocks(d->first, d->second, n, seed, rows_of, (uint64_t)at);
    for (int64_t i = 0; i < n; i++) {
        uint64_t element = (uint64_t)(at + i);
        d->from[i] = rng_scaled(d->first[i], noise->n);
        while (!noise->drawn[d->from[i]]) {
            element += (uint64_t)noise->n;
            d->from[i] = rng_below(seed, rows_of, element, noise->n);
        }
    }
    rng_blocks(d->first, d->second, n, seed, own, (uint64_t)at);
    noise_normals(d->normal, d->first, d->second, n);
}

void noise_draw(double *z, double *loss, const Noise *noise, const LawRows *rows, uint64_t seed, int64_t resample,
                int arm) {
    uint64_t rows_of = rng_stream("bootstrap", (uint64_t)resample);
    uint64_t of_arm = (uint64_t)(resample * TABLE_ARMS + arm);
    uint64_t own = rng_stream("smoothing", of_arm);
    uint64_t of_group = rng_stream("groups", of_arm);
    double between = drawn_between(&noise->effect, seed, rng_stream("groups' scale", of_arm));
    bool whole = noise->sequences && noise->sequences->n > 0;
    for (int64_t i = 0; whole && i < noise->n; i++) z[i] = NAN;
    if (whole) sequences_draw(z, noise->sequences, noise->unit, seed, rng_stream("sequences", (uint64_t)resample));
    Draws d;
    for (int64_t at = 0; at < noise->n; at += TOGETHER) {
        int64_t n = noise->n - at < TOGETHER ? noise->n - at : TOGETHER;
        draw_rows(&d, noise, at, n, seed, rows_of, own);
        for (int64_t k = 0; k < n; k++) {
            int64_t i = at + k;
            double r = noise->shrink * (noise->unit[d.from[k]] + noise->width * d.normal[k]);
            if (whole && !isnan(z[i])) r = z[i];
            double shared = between > 0 ? between * rng_normal(seed, of_group, (uint64_t)rows->group[i]) : 0;
            z[i] = noise->fitted[i] + (noise->scale[i] * r + shared) / sqrt(rows->k.w[i]);
        }
    }
    for (int64_t i = 0; loss && i < noise->n; i++) loss[i] = exp(z[i]);
}

double noise_uneven(const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    int64_t n = rows->n;
    int terms = term_count(rows);
    Noise noise = noise_of(p, fit, arm, false);
    double *x = MEM_NEW(double, (TERMS + 1) * n + 1), *y = x + TERMS * n, c[TERMS], explained = 0, mean = 0, total = 0,
           floor = 0;
    for (int64_t i = 0; i < n; i++) floor += 1e-3 * fabs(noise.unit[i]) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        for (int t = 0; t < terms; t++) x[i * terms + t] = term(rows, i, t);
        y[i] = sqrt(fabs(noise.unit[i]) + floor);
        mean += y[i] / (double)n;
    }
    double p_value = 1;
    if (floor > 0 && n > 8 && stats_lsq(c, NULL, NULL, x, y, NULL, n, terms)) {
        for (int64_t i = 0; i < n; i++) {
            double e = -mean;
            for (int t = 0; t < terms; t++) e += c[t] * x[i * terms + t];
            explained += e * e;
            total += (y[i] - mean) * (y[i] - mean);
        }
        double dof = (double)(n - terms);
        p_value = stats_f_sf(explained / (terms - 1) / ((total - explained) / dof), terms - 1, dof);
    }
    mem_free(x);
    noise_free(&noise);
    return p_value;
}
