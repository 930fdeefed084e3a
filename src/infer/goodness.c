#include "infer/goodness.h"

#include "base/arena.h"
#include "fit/noise.h"
#include "math/stats.h"

#include <math.h>
#include <stdlib.h>

const char *const lack_name[] = {"untested", "runs that differ in their seeds", "curvature of the residuals"};

static const double clip = 2.5; /* standard deviations; of normal noise 1 % lie beyond */
/* DEGREES: of smooth deviations that are looked for; LEAST_DOF: what the rows must still tell of their noise. */
enum { LEAST_SEEDS = 4, LEAST_DOF = 5, DEGREES = 4, TERMS = (DEGREES + 1) * (DEGREES + 2) / 2 };
static const double digits = 1e-6;      /* rms of log loss below which rounding and the minimiser show, and no noise */
static const double independent = 1e-4; /* of its length: what a term must have that others before it have not */

static double residual(const LawRows *rows, const Law *law, int64_t i) {
    return rows->k.z[i] - log(law_rows_loss(NULL, rows, law, i));
}

/* Squares about the means of runs that differ in their seeds only; w: weights of the rows, NULL: 1. */
static double pure_error(int *dof, const LawRows *rows, const double *w) {
    double sum = 0;
    *dof = 0;
    for (int64_t c = 0; c < rows->configs; c++) {
        int64_t first = rows->first[c];
        int64_t end = rows->first[c + 1];
        double mean = 0;
        double total = 0;
        for (int64_t k = first; k < end; k++) {
            double weight = w ? w[rows->member[k]] : 1;
            mean += weight * rows->k.z[rows->member[k]];
            total += weight;
        }
        mean /= total;
        for (int64_t k = first; k < end; k++)
            sum += (w ? w[rows->member[k]] : 1) * pow(rows->k.z[rows->member[k]] - mean, 2);
        *dof += (int)(end - first) - 1;
    }
    return sum;
}

double goodness_pure_error(int *dof, const LawRows *rows) {
    return pure_error(dof, rows, NULL);
}

static void f_test(Goodness *g, LackOfFit by, double explained, double left, int dof1, int dof2) {
    g->by = by;
    g->dof1 = dof1;
    g->dof2 = dof2;
    g->f = fmax(explained, 0) / dof1 / (left / dof2);
    g->p = stats_f_sf(g->f, dof1, dof2);
}

/* Orthonormal columns (count, n), and what they leave of the residuals. */
typedef struct Basis {
    double *column, *left;
    int64_t n;
    int count;
} Basis;

static double dot(const double *x, const double *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void subtract(double *x, double factor, const double *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] -= factor * y[i];
}

/* Takes the column at column[count] into the basis, unless the rows do not tell it from those before it. */
static void take(Basis *b) {
    double *new = b->column + b->count * b->n;
    double before = sqrt(dot(new, new, b->n));
    for (int twice = 0; twice < 2; twice++) /* once more for what rounding leaves */
        for (int k = 0; k < b->count; k++)
            subtract(new, dot(new, b->column + k * b->n, b->n), b->column + k * b->n, b->n);
    double length = sqrt(dot(new, new, b->n));
    if (!(length > independent * before)) return;
    for (int64_t i = 0; i < b->n; i++) new[i] /= length;
    subtract(b->left, dot(b->left, new, b->n), new, b->n);
    b->count++;
}

/* Where each of x lies between the least and the largest, from -1 to 1. */
static void place_between(double *place, const double *x, int64_t n) {
    double lo = INFINITY;
    double hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = fmin(lo, x[i]);
        hi = fmax(hi, x[i]);
    }
    for (int64_t i = 0; i < n; i++) place[i] = hi > lo ? 2 * (x[i] - lo) / (hi - lo) - 1 : 0;
}

/* The derivatives of log S to the coefficients that are free. unit: what turns a change of log loss into one of the noise. */
static void take_law(Basis *b, const LawProblem *p, const Law *law, int arm, const double *unit) {
    const LawRows *rows = p->source[arm];
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        if (p->slot[arm][c] < 0) continue;
        for (int64_t i = 0; i < b->n; i++) {
            double d[LAW_COEFFICIENTS];
            double s = law_rows_loss(d, rows, law, i);
            b->column[b->count * b->n + i] = unit[i] * d[c] / s;
        }
        take(b);
    }
}

/* All terms of a degree: u^2, u v, v^2, say; of a law of one axis u^2. place: u and v (2, n). */
static void take_degree(Basis *b, int degree, bool both, const double *place, const double *unit) {
    for (int k = 0; k <= (both ? degree : 0); k++) {
        for (int64_t i = 0; i < b->n; i++)
            b->column[b->count * b->n + i] = unit[i] * pow(place[i], degree - k) * pow(place[b->n + i], k);
        take(b);
    }
}

/* Do residuals bend with u = log N and v = log D? Terms of more and more degrees beside the law's own derivatives, as far as
 * the rows carry them; the degree that finds most, with its p-value times the number of degrees. */
static void curvature(Goodness *g, const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    int64_t n = rows->n;
    Noise noise = noise_of(p, fit, arm, uneven);
    double *unit = MEM_NEW(double, n *(LAW_COEFFICIENTS + TERMS + 4) + 1);
    double *place = unit + n;
    Basis b = {.left = place + 2 * n, .column = place + 3 * n, .n = n};
    double bound = clip * sqrt(dot(noise.unit, noise.unit, n) / (double)n);
    for (int64_t i = 0; i < n; i++) {
        unit[i] = sqrt(rows->k.w[i]) / noise.scale[i];
        b.left[i] = fmin(fmax(noise.unit[i], -bound), bound);
    }
    place_between(place, rows->k.x, n);
    place_between(place + n, rows->k.y, n);
    take_law(&b, p, &fit->law[arm], arm, unit);
    int of_law = b.count;
    double without = dot(b.left, b.left, n);
    int tried = 0;
    for (int degree = 2; degree <= DEGREES; degree++) {
        Goodness found = *g;
        int before = b.count;
        take_degree(&b, degree, law_splits(p->spec.kind), place, unit);
        double with = dot(b.left, b.left, n);
        if (n - b.count < LEAST_DOF) break;
        if (b.count == before || !(with > 0)) continue;
        f_test(&found, LACK_BY_CURVATURE, without - with, with, b.count - of_law, (int)n - b.count);
        if (!tried++ || found.p < g->p) *g = found;
    }
    if (tried) g->p = fmin(tried * g->p, 1);
    mem_free(unit);
    noise_free(&noise);
}

typedef struct Sized {
    double x;
    int64_t row;
} Sized;

static int by_size(const void *one, const void *other) {
    const Sized *p = one;
    const Sized *q = other;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    return p->row < q->row ? -1 : 1;
}

/* Do runs of one size share an error? Their sizes as groups. */
static double shared_by_sizes(const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    Sized *sorted = MEM_NEW(Sized, rows->n + 1);
    int64_t *group = MEM_NEW(int64_t, rows->n + 1);
    int64_t groups = 0;
    for (int64_t i = 0; i < rows->n; i++) sorted[i] = (Sized){rows->k.x[i], i};
    qsort(sorted, (size_t)rows->n, sizeof *sorted, by_size);
    for (int64_t i = 0; i < rows->n; i++) {
        groups += i == 0 || sorted[i].x != sorted[i - 1].x;
        group[sorted[i].row] = groups - 1;
    }
    double value = groups < rows->n ? noise_groups(p, fit, arm, group, groups).p : NAN;
    mem_free(group);
    mem_free(sorted);
    return value;
}

/* Of two tests, either of which may be wanting, the one that finds more. */
static Goodness worse_of(const Goodness *a, const Goodness *b) {
    if (a->by == LACK_UNTESTED) return *b;
    if (b->by == LACK_UNTESTED) return *a;
    Goodness worse = b->p < a->p ? *b : *a;
    worse.p = fmin(2 * worse.p, 1);
    return worse;
}

Goodness goodness_of(const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    double n = (double)rows->n, mean = 0, total = 0, left = 0, weighted = 0;
    double share = n / (double)p->n_rows; /* of the variables that arms share */
    double dof = fmax(n - share * p->n, 1);
    Goodness g = {.f = NAN, .p = NAN, .size_p = NAN};
    for (int64_t i = 0; i < rows->n; i++) mean += rows->k.z[i] / n;
    for (int64_t i = 0; i < rows->n; i++) {
        total += pow(rows->k.z[i] - mean, 2);
        double square = pow(residual(rows, &fit->law[arm], i), 2);
        left += square;
        weighted += rows->k.w[i] * square;
    }
    g.rms = sqrt(left / dof);
    g.r2 = 1 - left / total;
    if (!(n > share * p->n)) { /* as many coefficients as rows meet all of them */
        g.rms = NAN;
        g.r2 = NAN;
        return g;
    }
    if (rows->groups < rows->n || g.rms < digits) return g;
    g.size_p = rows->n > p->n && law_splits(p->spec.kind) ? shared_by_sizes(p, fit, arm) : NAN;
    Goodness by_seeds = g;
    Goodness by_curvature = g;
    int seeds;
    double pure = pure_error(&seeds, rows, rows->k.w);
    int lack = (int)dof - seeds;
    if (seeds >= LEAST_SEEDS && lack > 0 && pure > 0)
        f_test(&by_seeds, LACK_BY_SEEDS, weighted - pure, pure, lack, seeds);
    /* Where most rows are repeated, those of one (N, D) have more in common than their law, which is not curvature. */
    if (by_seeds.by == LACK_UNTESTED || 2 * seeds < lack) curvature(&by_curvature, p, fit, arm, uneven);
    return worse_of(&by_seeds, &by_curvature);
}
