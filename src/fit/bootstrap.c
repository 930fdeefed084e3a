#include "fit/bootstrap.h"

#include "base/arena.h"
#include "base/rng.h"
#include "fit/minimise.h"
#include "fit/stats.h"

#include <math.h>
#include <string.h>

/* Weights of one resample: configurations with replacement, then the seeds of each drawn configuration. */
static void draw_cells(double *w, const LawRows *rows, uint64_t seed, uint64_t stream) {
    uint64_t element = 0;
    memset(w, 0, (size_t)rows->k.n * sizeof *w);
    for (int64_t k = 0; k < rows->configs; k++) {
        int64_t config = rng_below(seed, stream, element++, rows->configs);
        int64_t first = rows->first[config], members = rows->first[config + 1] - first;
        for (int64_t j = 0; j < members; j++) {
            int64_t i = rows->member[first + (members > 1 ? rng_below(seed, stream, element++, members) : 0)];
            w[i] += rows->k.w[i];
        }
    }
}

/* Where the objective's pulls balance: the mean of least squares, nearly the median of Huber. */
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

/* Residuals of log loss (times root weight), made as large as errors are: divided by sqrt(1 - leverage), centred. */
static void inflate(double *r, const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    const Law *law = &fit->law[arm];
    int q = LAW_COEFFICIENTS;
    double h[25] = {0};
    double *j = MEM_NEW(double, rows->n *q);
    for (int64_t i = 0; i < rows->n; i++) {
        double ta = exp(law->a - law->alpha * (rows->k.x[i] + rows->x0)),
               tb = exp(law->b - law->beta * (rows->k.y[i] + rows->y0)), e = exp(law->e), s = ta + tb + e;
        double d[5] = {ta / s, tb / s, e / s, -rows->k.x[i] * ta / s, -rows->k.y[i] * tb / s};
        double root = sqrt(rows->k.w[i]);
        r[i] = root * (rows->k.z[i] - log(s));
        for (int k = 0; k < q; k++) j[i * q + k] = root * d[k];
        for (int k = 0; k < q * q; k++) h[k] += j[i * q + k / q] * j[i * q + k % q];
    }
    for (int k = 0; k < q; k++) h[k * q + k] *= 1 + 1e-10;
    bool regular = stats_invert(h, q);
    for (int64_t i = 0; i < rows->n; i++) {
        double leverage = 0;
        for (int k = 0; regular && k < q * q; k++) leverage += h[k] * j[i * q + k / q] * j[i * q + k % q];
        r[i] /= sqrt(fmax(1 - leverage, 0.05));
    }
    double middle = centre(r, rows->n, p->spec.objective == OBJECTIVE_HUBER ? p->spec.delta : INFINITY);
    for (int64_t i = 0; i < rows->n; i++) r[i] -= middle;
    mem_free(j);
}

/* The scale of the noise of each row, e^(c0 + c1 x + c2 y), from the sizes of the residuals by scoring of the gamma
 * model with a log link (variance as the square of the mean); all 1 where it is even or the model does not settle. */
static void noise_scale(double *scale, const double *r, const LawRows *rows, bool even) {
    int64_t n = rows->n;
    for (int64_t i = 0; i < n; i++) scale[i] = 1;
    double *x = MEM_NEW(double, 4 * n + 1), *y = x + 3 * n, c[3] = {0}, step[3], mean = 0;
    for (int64_t i = 0; i < n; i++) mean += fabs(r[i]) / (double)n;
    bool settled = false;
    for (int k = 0; k < 50 && !even && mean > 0 && !settled; k++) {
        for (int64_t i = 0; i < n; i++) {
            x[3 * i] = 1, x[3 * i + 1] = rows->k.x[i], x[3 * i + 2] = rows->k.y[i];
            y[i] = fabs(r[i]) / mean * exp(-c[0] - c[1] * x[3 * i + 1] - c[2] * x[3 * i + 2]) - 1;
        }
        if (!stats_lsq(step, NULL, NULL, x, y, NULL, n, 3)) break;
        double most = fmax(fabs(step[0]), fmax(fabs(step[1]), fabs(step[2]))), cut = fmin(1, 1 / most);
        for (int m = 0; m < 3; m++) c[m] += cut * step[m];
        settled = most < 1e-8;
    }
    for (int64_t i = 0; i < n && settled; i++) scale[i] = exp(c[1] * rows->k.x[i] + c[2] * rows->k.y[i]);
    mem_free(x);
}

typedef struct Draw {
    double *w[TABLE_ARMS], *z[TABLE_ARMS], *loss[TABLE_ARMS]; /* columns of a resample */
    double *r[TABLE_ARMS];                                    /* inflated residuals over their scale */
    double *scale[TABLE_ARMS];                                /* of the noise of each row */
    double *fitted[TABLE_ARMS];                               /* log loss of the fit */
    double *pool[TABLE_ARMS];                                 /* residuals to draw from */
    int64_t pools[TABLE_ARMS];
    double width[TABLE_ARMS], shrink[TABLE_ARMS]; /* smoothing of the residuals' distribution */
} Draw;

/* The kernel estimate of Silverman (1986, eq. 3.31), shrunk to keep the variance. */
static void smoothing(Draw *draw, int arm, int64_t n) {
    double *sorted = MEM_NEW(double, n + 1), variance = 0;
    memcpy(sorted, draw->r[arm], (size_t)n * sizeof *sorted);
    for (int64_t i = 0; i < n; i++) variance += sorted[i] * sorted[i] / (double)n;
    stats_sort(sorted, n);
    double quartiles = (stats_quantile(sorted, n, 0.75) - stats_quantile(sorted, n, 0.25)) / 1.349;
    double width = 0.9 * fmin(sqrt(variance), quartiles) * pow((double)n, -0.2);
    draw->width[arm] = width;
    draw->shrink[arm] = variance > 0 ? 1 / sqrt(1 + width * width / variance) : 1;
    mem_free(sorted);
}

/* What is drawn from: all residuals, or, of a Huber fit, all but the smallest ones, as many as there are coefficients:
 * a fit of nearly least absolute values passes through so many rows, and their zeros would make the errors look too
 * concentrated where its variance comes from. */
static int64_t fill_pool(double *pool, const double *r, int64_t n, int64_t without) {
    int64_t kept = 0;
    double *sorted = MEM_NEW(double, n + 1);
    for (int64_t i = 0; i < n; i++) sorted[i] = fabs(r[i]);
    stats_sort(sorted, n);
    double least = without > 0 && n > 2 * without ? sorted[without - 1] : -1;
    for (int64_t i = 0; i < n; i++)
        if (fabs(r[i]) > least) pool[kept++] = r[i];
    if (!kept) pool[kept++] = 0;
    mem_free(sorted);
    return kept;
}

static void draw_residuals(Draw *draw, const LawRows *rows, int arm, uint64_t seed, uint64_t stream) {
    for (int64_t i = 0; i < rows->n; i++) {
        uint64_t element = 2 * (uint64_t)i;
        double r = draw->pool[arm][rng_below(seed, stream, element, draw->pools[arm])];
        r = draw->shrink[arm] * draw->scale[arm][i] * (r + draw->width[arm] * rng_normal(seed, stream, element + 1));
        draw->z[arm][i] = draw->fitted[arm][i] + r / sqrt(rows->k.w[i]);
        draw->loss[arm][i] = exp(draw->z[arm][i]);
    }
}

double bootstrap_uneven(const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    int64_t n = rows->n, used = 0;
    double *r = MEM_NEW(double, 5 * n + 1), *x = r + n, *y = x + 3 * n, c[3], explained = 0, mean = 0, total = 0;
    inflate(r, p, fit, arm);
    double floor = 0;
    for (int64_t i = 0; i < n; i++) floor += 1e-3 * fabs(r[i]) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        if (!(floor > 0)) continue;
        x[3 * used] = 1, x[3 * used + 1] = rows->k.x[i], x[3 * used + 2] = rows->k.y[i];
        y[used] = sqrt(fabs(r[i]) + floor);
        mean += y[used++] / (double)n;
    }
    double p_value = 1;
    if (used > 8 && stats_lsq(c, NULL, NULL, x, y, NULL, used, 3)) {
        for (int64_t i = 0; i < used; i++) {
            double e = c[0] + c[1] * x[3 * i + 1] + c[2] * x[3 * i + 2] - mean;
            explained += e * e, total += (y[i] - mean) * (y[i] - mean);
        }
        double dof = (double)used - 3;
        p_value = stats_f_sf(explained / 2 / ((total - explained) / dof), 2, dof);
    }
    mem_free(r);
    return p_value;
}

Ensemble bootstrap_laws(const LawProblem *problem, const LawFit *fit, BootstrapKind kind, int64_t resamples,
                        uint64_t seed, const Comm *comm) {
    Ensemble out = {.n = resamples, .arms = problem->arms};
    out.law = MEM_NEW(Law, resamples * problem->arms + 1);
    LawProblem p = *problem;
    Draw draw = {0};
    for (int m = 0; m < p.arms; m++) {
        int64_t n = p.rows[m].n;
        draw.w[m] = MEM_NEW(double, 6 * n);
        draw.z[m] = draw.w[m] + n, draw.loss[m] = draw.z[m] + n, draw.r[m] = draw.loss[m] + n,
        draw.fitted[m] = draw.r[m] + n, draw.scale[m] = draw.fitted[m] + n;
        for (int64_t i = 0; i < n; i++) draw.loss[m][i] = 1;
        if (kind == BOOTSTRAP_CELLS) {
            p.rows[m].w = draw.w[m];
        } else {
            inflate(draw.r[m], problem, fit, m);
            noise_scale(draw.scale[m], draw.r[m], p.source[m], kind != BOOTSTRAP_SCALED);
            for (int64_t i = 0; i < p.source[m]->n; i++) draw.r[m][i] /= draw.scale[m][i];
            draw.pool[m] = MEM_NEW(double, p.source[m]->n + 1);
            draw.pools[m] = fill_pool(draw.pool[m], draw.r[m], p.source[m]->n,
                                      problem->spec.objective == OBJECTIVE_HUBER ? LAW_COEFFICIENTS : 0);
            smoothing(&draw, m, p.source[m]->n);
            for (int64_t i = 0; i < p.source[m]->n; i++)
                draw.fitted[m][i] =
                    log(law_loss(&fit->law[m], exp(p.rows[m].x[i] + p.x0[m]), exp(p.rows[m].y[i] + p.y0[m])));
            p.rows[m].z = draw.z[m], p.rows[m].loss = draw.loss[m];
        }
    }
    Minimiser *solver = minimiser_new(p.n, true);
    for (int64_t b = comm_rank(comm); b < resamples; b += comm_size(comm)) {
        double x[LAW_VARIABLES];
        memcpy(x, fit->x, sizeof x);
        for (int m = 0; m < p.arms; m++) {
            uint64_t stream = rng_stream("bootstrap", (uint64_t)b); /* the same for all arms: paired */
            if (kind == BOOTSTRAP_CELLS)
                draw_cells(draw.w[m], p.source[m], seed, stream);
            else
                draw_residuals(&draw, p.source[m], m, seed, stream);
        }
        law_refine(x, &p, solver);
        for (int m = 0; m < p.arms; m++) out.law[b * p.arms + m] = law_of(&p, x, m);
    }
    minimiser_free(solver);
    for (int m = 0; m < p.arms; m++) mem_free(draw.w[m]), mem_free(draw.pool[m]);
    comm_sum_f64(comm, (double *)out.law, resamples * p.arms * (int64_t)(sizeof(Law) / sizeof(double)));
    return out;
}

void ensemble_free(Ensemble *ensemble) {
    mem_free(ensemble->law);
    *ensemble = (Ensemble){0};
}
