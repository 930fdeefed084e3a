#include "fit/surrogate.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/timer.h"
#include "math/minimise.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const gp_name[GP_PARAMETERS] = {"scale", "width_N", "width_D", "rho", "unfinished", "run", "noise"};
enum { BLOCK = 128, ALONE = 1500 };

/* Hyperparameters as the kernel uses them: variances, inverse widths, correlation. */
typedef struct Hyper {
    double f, wn, wd, rho, h, run, noise;
} Hyper;

static Hyper hyper(const double *theta) {
    return (Hyper){.f = exp(2 * theta[GP_SCALE]),
                   .wn = exp(-theta[GP_WIDTH_N]),
                   .wd = exp(-theta[GP_WIDTH_D]),
                   .rho = 1 / (1 + exp(-theta[GP_RHO])),
                   .h = exp(2 * theta[GP_UNFINISHED]),
                   .run = exp(2 * theta[GP_RUN]),
                   .noise = exp(2 * theta[GP_NOISE])};
}

/* Matern 5/2 of distance r = |(u, v)|, and -dg/dr / r: the derivative to the log of a width is that times u^2 or v^2.
 */
static inline double matern(double u, double v, double *bend) {
    double r2 = 5 * (u * u + v * v), r = sqrt(r2), fall = exp(-r);
    *bend = 5.0 / 3 * (1 + r) * fall;
    return (1 + r + r2 / 3) * fall;
}

static inline double covariance(const Surrogate *s, const Hyper *p, int64_t i, int64_t j, double d[GP_PARAMETERS]) {
    double u = (s->x[i] - s->x[j]) * p->wn, v = (s->y[i] - s->y[j]) * p->wd, bend;
    double g = matern(u, v, &bend);
    bool across = s->arm[i] != s->arm[j], both = s->unfinished[i] && s->unfinished[j];
    double couple = across ? p->rho : 1;
    double f = p->f * g * couple;
    double h = both ? p->h * g * couple : 0;
    double run = s->cell[i] == s->cell[j] ? p->run : 0;
    double noise = i == j ? p->noise : 0;
    if (d) {
        d[GP_SCALE] = 2 * f;
        d[GP_UNFINISHED] = 2 * h;
        d[GP_RUN] = 2 * run;
        d[GP_NOISE] = 2 * noise;
        double slope = (p->f + (both ? p->h : 0)) * couple * bend;
        d[GP_WIDTH_N] = slope * u * u;
        d[GP_WIDTH_D] = slope * v * v;
        d[GP_RHO] = across ? (f + h) * (1 - p->rho) : 0;
    }
    return f + h + run + noise;
}

/* The lower triangle of the kernel matrix of the first k->rows points. */
static void assemble(DistMatrix *k, const Surrogate *s, const double *theta) {
    Hyper p = hyper(theta);
    for (int64_t j = 0; j < k->local_cols; j++)
        for (int64_t i = 0; i < k->local_rows; i++) {
            int64_t row = dist_row(k, i), col = dist_col(k, j);
            k->a[j * k->local_rows + i] = row >= col ? covariance(s, &p, row, col, NULL) : 0;
        }
}

/* ---- Hyperparameters. ---- */

SurrogateLikelihood surrogate_likelihood_new(const Surrogate *s, const Comm *comm) {
    SurrogateLikelihood m = {.s = s, .comm = comm, .grid = dist_grid_new(comm)};
    m.k = dist_new(m.grid, s->subset, s->subset, BLOCK / 2);
    m.b = dist_new(m.grid, s->subset, 1, BLOCK / 2);
    return m;
}

void surrogate_likelihood_free(SurrogateLikelihood *m) {
    dist_free(&m->k);
    dist_free(&m->b);
    dist_grid_free(m->grid);
}

double surrogate_likelihood(void *context, const double *theta, double *g, double *hess) {
    (void)hess;
    SurrogateLikelihood *m = context;
    const Surrogate *s = m->s;
    int64_t n = s->subset;
    assemble(&m->k, s, theta);
    memset(g, 0, GP_PARAMETERS * sizeof *g);
    if (!dist_cholesky(&m->k)) return 1e10;
    double f = 0.5 * dist_log_det(&m->k) + 0.5 * (double)n * log(2 * M_PI);
    double *a = MEM_NEW(double, n);
    dist_put(&m->b, s->r);
    dist_solve(&m->b, &m->k);
    dist_get(a, &m->b);
    for (int64_t i = 0; i < n; i++) f += 0.5 * a[i] * s->r[i];

    /* d f / d theta = 1/2 tr((K^-1 - a a') dK/dtheta), twice the strict lower triangle. */
    dist_invert(&m->k);
    Hyper p = hyper(theta);
    for (int64_t j = 0; j < m->k.local_cols; j++)
        for (int64_t i = 0; i < m->k.local_rows; i++) {
            int64_t row = dist_row(&m->k, i), col = dist_col(&m->k, j);
            if (row < col) continue;
            double d[GP_PARAMETERS], w = (m->k.a[j * m->k.local_rows + i] - a[row] * a[col]) * (row == col ? 0.5 : 1);
            covariance(s, &p, row, col, d);
            for (int k = 0; k < GP_PARAMETERS; k++) g[k] += w * d[k];
        }
    comm_sum_f64(m->comm, g, GP_PARAMETERS);
    mem_free(a);
    return f;
}

/* The root minimises; the others help it to evaluate until it says that it is done. Were each to minimise for itself, a
 * difference in the last bit could send them different ways. */
typedef struct Call {
    double theta[GP_PARAMETERS];
    int done;
} Call;

static double call_all(void *context, const double *theta, double *g, double *h) {
    SurrogateLikelihood *m = context;
    Call call = {.done = 0};
    memcpy(call.theta, theta, sizeof call.theta);
    comm_bcast(m->comm, &call, sizeof call, 0);
    return surrogate_likelihood(m, theta, g, h);
}

static MinOutcome maximise(Surrogate *s, const double *lo, const double *hi, const Comm *comm) {
    SurrogateLikelihood m = surrogate_likelihood_new(s, comm);
    MinOutcome out = {0};
    Call call = {.done = 1};
    if (comm_rank(comm) == 0) {
        Minimiser *solver = minimiser_new(GP_PARAMETERS, false);
        out = minimise(solver, s->theta, lo, hi, call_all, &m, 1e-4 * (double)s->subset, 60);
        minimiser_free(solver);
        comm_bcast(comm, &call, sizeof call, 0);
    } else {
        double g[GP_PARAMETERS];
        for (comm_bcast(comm, &call, sizeof call, 0); !call.done; comm_bcast(comm, &call, sizeof call, 0))
            surrogate_likelihood(&m, call.theta, g, NULL);
    }
    surrogate_likelihood_free(&m);
    return out;
}

static void fit_hyperparameters(Surrogate *s, bool curves, const Comm *comm) {
    double start = timer_now();
    double spread_x = 0, spread_y = 0;
    for (int64_t i = 0; i < s->n; i++) {
        spread_x = fmax(spread_x, fabs(s->x[i]));
        spread_y = fmax(spread_y, fabs(s->y[i]));
    }
    double wide[2] = {log(spread_x + 1e-3), log(spread_y + 1e-3)};
    double init[GP_PARAMETERS] = {0, wide[0], wide[1], 2, -1, -2, -2};
    double lo[GP_PARAMETERS] = {-5, wide[0] - 3, wide[1] - 3, -4, -6, -7, -7};
    double hi[GP_PARAMETERS] = {5, wide[0] + 2.5, wide[1] + 2.5, 7, 4, 1, 1};
    if (s->arms < 2) lo[GP_RHO] = hi[GP_RHO] = init[GP_RHO];
    /* Without curves each run is one point: what it shares with itself is noise, and nothing is unfinished. */
    if (!curves) {
        lo[GP_RUN] = hi[GP_RUN] = init[GP_RUN] = -20;
        lo[GP_UNFINISHED] = hi[GP_UNFINISHED] = init[GP_UNFINISHED] = -20;
    }
    memcpy(s->theta, init, sizeof init);
    /* Few points: each rank for itself, since messages would cost more than they save. */
    MinOutcome out = maximise(s, lo, hi, s->subset <= ALONE ? comm_self() : comm);
    comm_bcast(comm, s->theta, sizeof s->theta, 0);
    comm_bcast(comm, &out, sizeof out, 0);
    s->log_likelihood = -out.f;
    s->iterations = out.iterations;
    int bound = -1;
    for (int k = 0; k < GP_PARAMETERS; k++)
        if (hi[k] > lo[k] && (s->theta[k] <= lo[k] + 1e-9 || s->theta[k] >= hi[k] - 1e-9)) bound = k;
    if (bound >= 0)
        snprintf(s->status, sizeof s->status, "at a bound: %s", gp_name[bound]);
    else
        snprintf(s->status, sizeof s->status, out.converged ? "converged" : "not converged: gradient %.1e",
                 out.gradient);
    s->seconds_fit = timer_now() - start;
}

/* ---- Points. ---- */

static void fit_plane(Surrogate *s, int arm) {
    double *x = MEM_NEW(double, 5 * s->n + 1), *y = x + 4 * s->n;
    int64_t m = 0, unfinished = 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (s->arm[i] != arm) continue;
        double row[4] = {1, s->x[i], s->y[i], s->unfinished[i]};
        memcpy(x + 4 * m, row, sizeof row);
        y[m++] = s->r[i];
        unfinished += s->unfinished[i];
    }
    double *plane = s->plane[arm];
    memset(plane, 0, sizeof s->plane[arm]);
    bool full = unfinished > 0 && unfinished < m && stats_lsq(plane, NULL, NULL, x, y, NULL, m, 4);
    if (!full) {
        for (int64_t i = 0; i < m; i++) memmove(x + 3 * i, x + 4 * i, 3 * sizeof *x);
        plane[3] = 0;
        if (!stats_lsq(plane, NULL, NULL, x, y, NULL, m, 3)) {
            plane[0] = plane[1] = plane[2] = 0;
            for (int64_t i = 0; i < m; i++) plane[0] += y[i] / (double)m;
        }
    }
    mem_free(x);
}

static double mean_of(const Surrogate *s, int arm, double x, double y, double unfinished) {
    const double *p = s->plane[arm];
    return p[0] + p[1] * x + p[2] * y + p[3] * unfinished;
}

/* Final points first, then curve points in random order, up to max_points. */
static void take_points(Surrogate *s, const Table *table, int64_t max_points, uint64_t seed) {
    int64_t *order = MEM_NEW(int64_t, table->n + 1), *curve = MEM_NEW(int64_t, table->n + 1), n = 0, curves = 0;
    for (int64_t i = 0; i < table->n; i++) {
        if (table->at[i].final)
            order[n++] = i;
        else
            curve[curves++] = i;
    }
    for (int64_t i = curves - 1; i > 0; i--) {
        int64_t j = rng_below(seed, rng_stream("surrogate points", 0), (uint64_t)i, i + 1), swap = curve[i];
        curve[i] = curve[j];
        curve[j] = swap;
    }
    for (int64_t i = 0; i < curves; i++) order[n++] = curve[i];
    s->n = n < max_points ? n : max_points;
    s->x = MEM_NEW(double, s->n);
    s->y = MEM_NEW(double, s->n);
    s->r = MEM_NEW(double, s->n);
    s->arm = MEM_NEW(int, s->n);
    s->unfinished = MEM_NEW(bool, s->n);
    s->cell = MEM_NEW(int64_t, s->n);
    for (int64_t i = 0; i < s->n; i++) {
        const Point *p = &table->at[order[i]];
        s->x[i] = log(p->n);
        s->y[i] = log(p->d);
        s->r[i] = log(p->loss);
        s->arm[i] = p->arm;
        s->unfinished[i] = !p->final;
        s->cell[i] = p->cell;
        s->x0 += s->x[i] / (double)s->n;
        s->y0 += s->y[i] / (double)s->n;
    }
    mem_free(order);
    mem_free(curve);
    double square = 0;
    for (int64_t i = 0; i < s->n; i++) {
        s->x[i] -= s->x0;
        s->y[i] -= s->y0;
    }
    for (int m = 0; m < s->arms; m++) fit_plane(s, m);
    for (int64_t i = 0; i < s->n; i++) {
        s->r[i] -= mean_of(s, s->arm[i], s->x[i], s->y[i], s->unfinished[i]);
        square += s->r[i] * s->r[i] / (double)s->n;
    }
    s->scale = square > 0 ? sqrt(square) : 1;
    for (int64_t i = 0; i < s->n; i++) s->r[i] /= s->scale;
}

/* The likelihood sees the same share of final and of curve points: every (n/subset)-th one, moved to the front. */
static void spread_subset(Surrogate *s, int64_t subset) {
    s->subset = subset < s->n ? subset : s->n;
    for (int64_t k = 0; k < s->subset; k++) {
        int64_t i = (int64_t)((double)k * (double)s->n / (double)s->subset);
        double x = s->x[k], y = s->y[k], r = s->r[k];
        int arm = s->arm[k];
        bool unfinished = s->unfinished[k];
        int64_t cell = s->cell[k];
        s->x[k] = s->x[i];
        s->y[k] = s->y[i];
        s->r[k] = s->r[i];
        s->arm[k] = s->arm[i];
        s->unfinished[k] = s->unfinished[i];
        s->cell[k] = s->cell[i];
        s->x[i] = x;
        s->y[i] = y;
        s->r[i] = r;
        s->arm[i] = arm;
        s->unfinished[i] = unfinished;
        s->cell[i] = cell;
    }
}

enum { LONG_WORK = 1500 }; /* points, from which on a surrogate takes seconds */

Surrogate *surrogate_new(const Table *table, int64_t max_points, int64_t subset, uint64_t seed, const Comm *comm) {
    Surrogate *s = MEM_NEW(Surrogate, 1);
    s->arms = table->arms;
    s->grid = dist_grid_new(comm);
    take_points(s, table, max_points, seed);
    bool curves = false;
    for (int64_t i = 0; i < s->n; i++) curves |= s->unfinished[i];
    spread_subset(s, subset);
    if (s->n > LONG_WORK) log_live("surrogate of %lld points", (long long)s->n);
    fit_hyperparameters(s, curves, comm);

    double start = timer_now();
    s->l = dist_new(s->grid, s->n, s->n, BLOCK);
    s->alpha = MEM_NEW(double, s->n);
    assemble(&s->l, s, s->theta);
    while (!dist_cholesky(&s->l)) {
        s->theta[GP_NOISE] += 0.5; /* more noise until the matrix is positive definite in floating point */
        assemble(&s->l, s, s->theta);
    }
    DistMatrix b = dist_new(s->grid, s->n, 1, BLOCK);
    dist_put(&b, s->r);
    dist_solve(&b, &s->l);
    dist_get(s->alpha, &b);
    dist_free(&b);
    s->seconds_factor = timer_now() - start;
    return s;
}

void surrogate_free(Surrogate *s) {
    if (!s) return;
    dist_free(&s->l);
    dist_grid_free(s->grid);
    mem_free(s->x);
    mem_free(s->y);
    mem_free(s->r);
    mem_free(s->arm);
    mem_free(s->unfinished);
    mem_free(s->cell);
    mem_free(s->alpha);
    mem_free(s);
}

double surrogate_noise(const Surrogate *s) {
    Hyper p = hyper(s->theta);
    return (p.run + p.noise) * s->scale * s->scale;
}

/* ---- Prediction. ---- */

static double f_covariance(const Hyper *p, double dx, double dy, bool across) {
    double bend;
    return p->f * matern(dx * p->wn, dy * p->wd, &bend) * (across ? p->rho : 1);
}

void surrogate_predict(double *mean, double *cov, const Surrogate *s, const SurrogatePlace *place, int64_t m) {
    Hyper p = hyper(s->theta);
    DistMatrix k = dist_new(s->grid, s->n, m, BLOCK), gram = dist_new(s->grid, m, m, BLOCK);
    double *x = MEM_NEW(double, 2 * m), *y = x + m;
    DistMatrix a = dist_new(s->grid, s->n, 1, BLOCK), projected = dist_new(s->grid, m, 1, BLOCK);
    for (int64_t j = 0; j < m; j++) {
        x[j] = log(place[j].n) - s->x0;
        y[j] = log(place[j].d) - s->y0;
    }
    for (int64_t j = 0; j < k.local_cols; j++)
        for (int64_t i = 0; i < k.local_rows; i++) {
            int64_t row = dist_row(&k, i), col = dist_col(&k, j);
            k.a[j * k.local_rows + i] =
                f_covariance(&p, s->x[row] - x[col], s->y[row] - y[col], s->arm[row] != place[col].arm);
        }
    dist_put(&a, s->alpha);
    dist_multiply_tn(&projected, &k, &a);
    dist_get(mean, &projected);
    dist_solve_lower(&k, &s->l);
    dist_multiply_tn(&gram, &k, &k);
    dist_get(cov, &gram);
    for (int64_t i = 0; i < m; i++) {
        mean[i] = mean_of(s, place[i].arm, x[i], y[i], 0) + s->scale * mean[i];
        for (int64_t j = 0; j < m; j++) {
            double prior = f_covariance(&p, x[i] - x[j], y[i] - y[j], place[i].arm != place[j].arm);
            cov[i * m + j] = s->scale * s->scale * (prior - cov[i * m + j]);
        }
    }
    dist_free(&a);
    dist_free(&projected);
    dist_free(&k);
    dist_free(&gram);
    mem_free(x);
}
