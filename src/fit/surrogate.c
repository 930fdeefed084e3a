#include "fit/surrogate.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/timer.h"
#include "math/minimise.h"
#include "math/stats.h"
#include "surrogate_sum.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const gp_name[GP_PARAMETERS] = {"scale", "width_N", "width_D", "rho", "unfinished", "run", "noise"};
enum { BLOCK = 128, ALONE = 1500 };

static GpHyper hyper(const double *theta) {
    return (GpHyper){.f = exp(2 * theta[GP_SCALE]),
                     .wn = exp(-theta[GP_WIDTH_N]),
                     .wd = exp(-theta[GP_WIDTH_D]),
                     .rho = 1 / (1 + exp(-theta[GP_RHO])),
                     .h = exp(2 * theta[GP_UNFINISHED]),
                     .run = exp(2 * theta[GP_RUN]),
                     .noise = exp(2 * theta[GP_NOISE])};
}

static GpPoint point_of(const Surrogate *s, int64_t i) {
    return (GpPoint){s->x[i], s->y[i], s->arm[i], (double)s->cell[i], s->unfinished[i]};
}

static GpPoints points_new(int64_t n) {
    GpPoints points = {.n = n, .x = MEM_NEW(double, 5 * n + 1)};
    points.y = points.x + n;
    points.arm = points.y + n;
    points.cell = points.arm + n;
    points.unfinished = points.cell + n;
    return points;
}

static void points_put(GpPoints *points, int64_t i, GpPoint at) {
    points->x[i] = at.x;
    points->y[i] = at.y;
    points->arm[i] = at.arm;
    points->cell[i] = at.cell;
    points->unfinished[i] = at.unfinished;
}

/* The points of a matrix's local rows, in their order, and the numbers of these rows. */
typedef struct SurrogateRows {
    GpPoints points;
    int64_t *global;
} Rows;

static Rows *rows_new(const DistMatrix *k, const Surrogate *s) {
    Rows *rows = MEM_NEW(Rows, 1);
    rows->points = points_new(k->local_rows);
    rows->global = MEM_NEW(int64_t, k->local_rows + 1);
    for (int64_t i = 0; i < k->local_rows; i++) {
        rows->global[i] = dist_row(k, i);
        points_put(&rows->points, i, point_of(s, rows->global[i]));
    }
    return rows;
}

static void rows_free(Rows *rows) {
    mem_free(rows->points.x);
    mem_free(rows->global);
    mem_free(rows);
}

/* The first local row at or below global row `row`, from a local row on that is above it or the one. */
static int64_t down_to(const Rows *rows, int64_t from, int64_t row) {
    while (from < rows->points.n && rows->global[from] < row) from++;
    return from;
}

/* The lower triangle of the kernel matrix of the first k->rows points. */
static void assemble(DistMatrix *k, const Rows *rows, const Surrogate *s, const double *theta) {
    GpHyper p = hyper(theta);
    int64_t n = k->local_rows, from = 0;
    for (int64_t j = 0; j < k->local_cols; j++) {
        int64_t col = dist_col(k, j);
        GpPoint at = point_of(s, col);
        double *column = k->a + j * n;
        from = down_to(rows, from, col);
        memset(column, 0, (size_t)from * sizeof *column);
        gp_covariances(column + from, &rows->points, from, &at, &p);
        if (from < n && rows->global[from] == col) column[from] += p.noise;
    }
}

/* ---- Hyperparameters. ---- */

SurrogateLikelihood surrogate_likelihood_new(const Surrogate *s, const Comm *comm) {
    SurrogateLikelihood m = {.s = s, .comm = comm, .grid = dist_grid_new(comm)};
    m.k = dist_new(m.grid, s->subset, s->subset, BLOCK / 2);
    m.b = dist_new(m.grid, s->subset, 1, BLOCK / 2);
    m.rows = rows_new(&m.k, s);
    return m;
}

void surrogate_likelihood_free(SurrogateLikelihood *m) {
    rows_free(m->rows);
    dist_free(&m->k);
    dist_free(&m->b);
    dist_grid_free(m->grid);
}

/* d f / d theta = 1/2 tr((K^-1 - a a') dK/dtheta), twice the strict lower triangle; the matrix holds K^-1 and is used up. */
static void gradient(double *g, SurrogateLikelihood *m, const double *a, const double *theta) {
    DistMatrix *k = &m->k;
    GpHyper p = hyper(theta);
    GpSlopes sums = {0};
    double noise = 0;
    int64_t n = k->local_rows, from = 0;
    for (int64_t j = 0; j < k->local_cols; j++) {
        int64_t col = dist_col(k, j);
        GpPoint at = point_of(m->s, col);
        double *w = k->a + j * n;
        from = down_to(m->rows, from, col);
        for (int64_t i = from; i < n; i++) w[i] -= a[m->rows->global[i]] * a[col];
        if (from < n && m->rows->global[from] == col) {
            w[from] *= 0.5;
            noise += w[from];
        }
        gp_slopes(&sums, w + from, &m->rows->points, from, &at, &p);
    }
    g[GP_SCALE] = 2 * p.f * sums.f;
    g[GP_UNFINISHED] = 2 * p.h * sums.h;
    g[GP_RUN] = 2 * p.run * sums.run;
    g[GP_NOISE] = 2 * p.noise * noise;
    g[GP_WIDTH_N] = sums.width_n;
    g[GP_WIDTH_D] = sums.width_d;
    g[GP_RHO] = (1 - p.rho) * sums.across;
    comm_sum_f64(m->comm, g, GP_PARAMETERS);
}

double surrogate_likelihood(void *context, const double *theta, double *g, double *hess) {
    (void)hess;
    SurrogateLikelihood *m = context;
    const Surrogate *s = m->s;
    int64_t n = s->subset;
    assemble(&m->k, m->rows, s, theta);
    memset(g, 0, GP_PARAMETERS * sizeof *g);
    if (!dist_cholesky(&m->k)) return 1e10;
    double f = 0.5 * dist_log_det(&m->k) + 0.5 * (double)n * log(2 * M_PI);
    double *a = MEM_NEW(double, n);
    dist_put(&m->b, s->r);
    dist_solve(&m->b, &m->k);
    dist_get(a, &m->b);
    for (int64_t i = 0; i < n; i++) f += 0.5 * a[i] * s->r[i];
    dist_invert(&m->k);
    gradient(g, m, a, theta);
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
    Rows *rows = rows_new(&s->l, s);
    assemble(&s->l, rows, s, s->theta);
    while (!dist_cholesky(&s->l)) {
        s->theta[GP_NOISE] += 0.5; /* more noise until the matrix is positive definite in floating point */
        assemble(&s->l, rows, s, s->theta);
    }
    rows_free(rows);
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
    GpHyper p = hyper(s->theta);
    return (p.run + p.noise) * s->scale * s->scale;
}

/* ---- Prediction. ---- */

void surrogate_predict(double *mean, double *cov, const Surrogate *s, const SurrogatePlace *place, int64_t m) {
    GpHyper p = hyper(s->theta), f = {.f = p.f, .wn = p.wn, .wd = p.wd, .rho = p.rho};
    DistMatrix k = dist_new(s->grid, s->n, m, BLOCK), gram = dist_new(s->grid, m, m, BLOCK);
    DistMatrix a = dist_new(s->grid, s->n, 1, BLOCK), projected = dist_new(s->grid, m, 1, BLOCK);
    Rows *rows = rows_new(&k, s);
    GpPoints places = points_new(m);
    GpPoint *at = MEM_NEW(GpPoint, m + 1);
    double *prior = MEM_NEW(double, m + 1);
    for (int64_t j = 0; j < m; j++) {
        at[j] = (GpPoint){.x = log(place[j].n) - s->x0, .y = log(place[j].d) - s->y0, .arm = place[j].arm};
        points_put(&places, j, at[j]);
    }
    for (int64_t j = 0; j < k.local_cols; j++)
        gp_covariances(k.a + j * k.local_rows, &rows->points, 0, &at[dist_col(&k, j)], &f);
    dist_put(&a, s->alpha);
    dist_multiply_tn(&projected, &k, &a);
    dist_get(mean, &projected);
    dist_solve_lower(&k, &s->l);
    dist_multiply_tn(&gram, &k, &k);
    dist_get(cov, &gram);
    for (int64_t i = 0; i < m; i++) {
        mean[i] = mean_of(s, place[i].arm, at[i].x, at[i].y, 0) + s->scale * mean[i];
        gp_covariances(prior, &places, 0, &at[i], &f);
        for (int64_t j = 0; j < m; j++) cov[i * m + j] = s->scale * s->scale * (prior[j] - cov[i * m + j]);
    }
    dist_free(&a);
    dist_free(&projected);
    dist_free(&k);
    dist_free(&gram);
    rows_free(rows);
    mem_free(places.x);
    mem_free(at);
    mem_free(prior);
}
