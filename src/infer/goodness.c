#include "infer/goodness.h"

#include "base/arena.h"
#include "fit/noise.h"
#include "math/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const lack_name[] = {"untested", "runs that differ in their seeds", "curvature of the residuals"};

static const double clip = 2.5; /* standard deviations; of normal noise 1 % lie beyond */
enum { LEAST_SEEDS = 4, LEAST_ROWS = 5, BENDS = 3 };

static double residual(const LawRows *rows, const Law *law, int64_t i) {
    return rows->k.z[i] - log(law_rows_loss(NULL, rows, law, i));
}

double goodness_pure_error(int *dof, const LawRows *rows) {
    double sum = 0;
    *dof = 0;
    for (int64_t c = 0; c < rows->configs; c++) {
        int64_t first = rows->first[c], end = rows->first[c + 1];
        double mean = 0;
        for (int64_t k = first; k < end; k++) mean += rows->k.z[rows->member[k]] / (double)(end - first);
        for (int64_t k = first; k < end; k++) sum += pow(rows->k.z[rows->member[k]] - mean, 2);
        *dof += (int)(end - first) - 1;
    }
    return sum;
}

static void f_test(Goodness *g, LackOfFit by, double explained, double left, int dof1, int dof2) {
    g->by = by;
    g->dof1 = dof1;
    g->dof2 = dof2;
    g->f = fmax(explained, 0) / dof1 / (left / dof2);
    g->p = stats_f_sf(g->f, dof1, dof2);
}

/* How many terms a law of another shape would need: u^2, u v and v^2, or u^2 of one axis. */
static int bends_of(const LawProblem *p) {
    return law_splits(p->spec.kind) ? BENDS : 1;
}

/* The derivatives of log S to the coefficients that are free, then those terms. */
static void columns(double *x, const LawProblem *p, const Law *law, int arm, int64_t i) {
    const LawRows *rows = p->source[arm];
    double d[LAW_COEFFICIENTS];
    double u = rows->k.x[i];
    double v = rows->k.y[i];
    double s = law_rows_loss(d, rows, law, i);
    int n = 0;
    for (int c = 0; c < LAW_COEFFICIENTS; c++)
        if (p->slot[arm][c] >= 0) x[n++] = d[c] / s;
    const double bend[BENDS] = {u * u, u * v, v * v};
    memcpy(x + n, bend, (size_t)bends_of(p) * sizeof *bend);
}

/* What weighted least squares on the first `used` of `all` columns leaves; NaN where they are not independent. */
static double left_over(const double *x, const double *y, int64_t n, int all, int used) {
    double *part = MEM_NEW(double, n *used + 1), c[STATS_COLUMNS], variance;
    for (int64_t i = 0; i < n; i++) memcpy(part + i * used, x + i * all, (size_t)used * sizeof *x);
    bool fine = stats_lsq(c, NULL, &variance, part, y, NULL, n, used);
    mem_free(part);
    return fine ? variance * (double)(n - used) : NAN;
}

static void curvature(Goodness *g, const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    int64_t n = rows->n;
    Noise noise = noise_of(p, fit, arm, uneven);
    double *x = MEM_NEW(double, n *STATS_COLUMNS + 1), *y = MEM_NEW(double, n + 1), square = 0;
    for (int64_t i = 0; i < n; i++) square += noise.unit[i] * noise.unit[i] / (double)n;
    int free_columns = 0;
    for (int c = 0; c < LAW_COEFFICIENTS; c++) free_columns += p->slot[arm][c] >= 0;
    int bends = bends_of(p);
    int all = free_columns + bends;
    for (int64_t i = 0; i < n; i++) {
        double row[STATS_COLUMNS], bound = clip * sqrt(square);
        columns(row, p, &fit->law[arm], arm, i);
        for (int k = 0; k < all; k++) x[i * all + k] = row[k] / noise.scale[i];
        y[i] = fmin(fmax(noise.unit[i], -bound), bound);
    }
    double without = left_over(x, y, n, all, free_columns);
    double with = left_over(x, y, n, all, all);
    if (with > 0 && without > 0) f_test(g, LACK_BY_CURVATURE, without - with, with, bends, (int)n - all);
    mem_free(x);
    mem_free(y);
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

Goodness goodness_of(const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    double n = (double)rows->n, mean = 0, total = 0, left = 0;
    double share = n / (double)p->n_rows; /* of the variables that arms share */
    double dof = fmax(n - share * p->n, 1);
    Goodness g = {.f = NAN, .p = NAN, .size_p = NAN};
    for (int64_t i = 0; i < rows->n; i++) mean += rows->k.z[i] / n;
    for (int64_t i = 0; i < rows->n; i++) {
        total += pow(rows->k.z[i] - mean, 2);
        left += pow(residual(rows, &fit->law[arm], i), 2);
    }
    g.rms = sqrt(left / dof);
    g.r2 = 1 - left / total;
    if (rows->groups < rows->n) return g;
    g.size_p = rows->n > p->n && law_splits(p->spec.kind) ? shared_by_sizes(p, fit, arm) : NAN;
    int seeds;
    double pure = goodness_pure_error(&seeds, rows);
    int lack = (int)dof - seeds;
    if (seeds >= LEAST_SEEDS && lack > 0 && pure > 0)
        f_test(&g, LACK_BY_SEEDS, left - pure, pure, lack, seeds);
    else if (rows->n >= LAW_COEFFICIENTS + BENDS + LEAST_ROWS)
        curvature(&g, p, fit, arm, uneven);
    return g;
}
