/* Hoffmann et al. 2022, Fig. 4, read off and fitted again by Besiroglu et al. 2024 (Epoch AI, arXiv 2404.10102) and
 * others. */
#include "verify/verify_case.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/timer.h"
#include "fit/bootstrap.h"
#include "fit/cost.h"

#include <math.h>

static const Law hoffmann = {6.0073404, 6.0179186, 0.5267228, 0.33917084, 0.2849083, &law_chinchilla};
static const LawSpec huber = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3};

static double exponent_a(const Law *law) {
    double a, b;
    const Cost flop = {.log_kappa = log(6), .mu = 1, .nu = 1};
    cost_exponents(&a, &b, law, &flop);
    return a;
}

/* ---- The Huber function as a likelihood with a scale: log p(r) = -rho(r/sigma) - log sigma - const. ---- */

/* The scale of greatest likelihood at a law: sum of x min(x, delta) over x = |r|/sigma is the number of rows. Sets the
 * negative log likelihood, without the constant. */
static double likely_scale(double *nll, const Case *c, const Law *law) {
    int64_t n = c->rows.n;
    double *r = MEM_NEW(double, n), low = -40, high = 5, delta = 1e-3;
    for (int64_t i = 0; i < n; i++) {
        const Point *p = &c->table.at[c->rows.point[i]];
        r[i] = fabs(log(p->loss) - log(law_loss(law, p->n, p->d)));
    }
    for (int k = 0; k < 100; k++) {
        double middle = 0.5 * (low + high), sum = 0;
        for (int64_t i = 0; i < n; i++) sum += r[i] / exp(middle) * fmin(r[i] / exp(middle), delta);
        *(sum > (double)n ? &low : &high) = middle;
    }
    *nll = (double)n * low;
    for (int64_t i = 0; i < n; i++) {
        double x = r[i] / exp(low), pull = fmin(x, delta);
        *nll += pull * (x - 0.5 * pull);
    }
    mem_free(r);
    return exp(low);
}

/* Law and scale of greatest likelihood, in turns: at a given scale it is the law of least Huber sum with
 * delta sigma for delta. */
static double likely_law(Case *c, const Comm *comm) {
    double nll, sigma = likely_scale(&nll, c, &c->law), last = 0;
    for (int k = 0; k < 10 && fabs(sigma - last) > 1e-9 * sigma; k++) {
        c->problem.spec.delta = 1e-3 * sigma;
        law_fit(&c->fit, &c->problem, LAW_STARTS_FEW, comm);
        c->law = c->fit.law[0];
        last = sigma;
        sigma = likely_scale(&nll, c, &c->law);
    }
    return nll;
}

/* The headline estimate of Besiroglu et al.: not the minimum of the sum of Huber functions but of this likelihood. */
static Err headline(Law *law, Verify *v, const char *path, const Comm *comm) {
    Case c;
    double other;
    verify_heading(v, "Epoch", "chinchilla, 240 rows, Huber as a likelihood with a free scale: the headline estimate");
    TRY(case_open(&c, &(CaseRows){.path = path, .keep = "keep"}, huber, LAW_STARTS_FEW, comm));
    double nll = likely_law(&c, comm);
    *law = c.law;
    verify_close(v, 482.00572, exp(law->a), 1e-3, "A");
    verify_close(v, 2085.43420, exp(law->b), 1e-3, "B");
    verify_close(v, 1.81686, exp(law->e), 1e-5, "E");
    verify_close(v, 0.34781, law->alpha, 1e-5, "alpha");
    verify_close(v, 0.36585, law->beta, 1e-5, "beta");
    verify_close(v, 0.513, exponent_a(law), 5e-4, "exponent a of N*");
    likely_scale(&other, &c, &hoffmann);
    verify_close(v, 84.00, 2 * (other - nll), 1e-2, "likelihood ratio against Hoffmann et al.");
    case_close(&c);
    return ERR_NONE;
}

/* ---- Bootstrap. ---- */

enum { RESAMPLES = 4000 };

/* Two sets of resamples agree within this: 3 standard deviations of the difference of two equal errors. */
static double monte_carlo(double error) {
    return 3 * sqrt(2) * error;
}

/* Monte Carlo error of a quantile: half the distance of the quantiles one standard error of p to either side. */
static double quantile_error(const double *sorted, double p) {
    double step = sqrt(p * (1 - p) / RESAMPLES);
    return 0.5 * (stats_quantile(sorted, RESAMPLES, p + step) - stats_quantile(sorted, RESAMPLES, p - step));
}

/* Wald: chi^2(5) = d' S^-1 d, d in (log A, log B, log E, alpha, beta), S of the resamples. The influence of resample r
 * on it is chi^2 - (d' S^-1 (x_r - mean))^2, from which its Monte Carlo error. */
static void wald(Verify *v, const Ensemble *e, const Law *law) {
    enum { N = 5 };
    double mean[N] = {0}, s[N * N] = {0}, u[N], d[N], chi2 = 0, *q = MEM_NEW(double, RESAMPLES);
    double *x = MEM_NEW(double, RESAMPLES *N), from[N], to[N];
    for (int r = 0; r < RESAMPLES; r++) law_centred(x + r * N, &e->law[r], 0, 0);
    law_centred(from, &hoffmann, 0, 0);
    law_centred(to, law, 0, 0);
    for (int r = 0; r < RESAMPLES; r++)
        for (int k = 0; k < N; k++) mean[k] += x[r * N + k] / RESAMPLES;
    for (int r = 0; r < RESAMPLES; r++)
        for (int k = 0; k < N * N; k++)
            s[k] += (x[r * N + k / N] - mean[k / N]) * (x[r * N + k % N] - mean[k % N]) / (RESAMPLES - 1);
    for (int k = 0; k < N; k++) u[k] = d[k] = from[k] - to[k];
    bool regular = stats_solve(s, u, N);
    for (int k = 0; k < N; k++) chi2 += u[k] * d[k];
    for (int r = 0; r < RESAMPLES; r++) {
        double sum = 0;
        for (int k = 0; k < N; k++) sum += u[k] * (x[r * N + k] - mean[k]);
        q[r] = sum * sum;
    }
    double tolerance = monte_carlo(stats_sd(q, RESAMPLES) / sqrt(RESAMPLES));
    if (!regular) chi2 = NAN;
    verify_close(v, 238.40, chi2, tolerance, "chi^2(5) of headline against Hoffmann et al.");
    verify_close(v, log10(1.69e-49), log10(stats_chi2_sf(chi2, N)), tolerance / (2 * log(10)), "log10 of its p");
    mem_free(q);
    mem_free(x);
}

static void bootstrap(Verify *v, const Case *c, const Law *law, const Comm *comm) {
    static const struct {
        const char *name;
        double se, lo, hi;
    } published[] = {{"A", 124.52232, 285.214, 743.626}, {"B", 1293.28410, 1042.357, 5810.344},
                     {"E", 0.02566, 1.769, 1.871},       {"alpha", 0.01540, 0.317, 0.373},
                     {"beta", 0.02060, 0.331, 0.415},    {"a", 0.020, NAN, NAN}};
    double start = timer_now(), *x = MEM_NEW(double, 6 * RESAMPLES);
    verify_heading(v, "Epoch", "chinchilla, 240 rows, %d resamples, other random numbers than the published ones",
                   RESAMPLES);
    Ensemble e = bootstrap_laws(&c->problem, &c->fit, BOOTSTRAP_CELLS, RESAMPLES, 1, comm);
    for (int r = 0; r < RESAMPLES; r++) {
        const Law *l = &e.law[r];
        const double value[] = {exp(l->a), exp(l->b), exp(l->e), l->alpha, l->beta, exponent_a(l)};
        for (int k = 0; k < 6; k++) x[k * RESAMPLES + r] = value[k];
    }
    for (int k = 0; k < 6; k++)
        verify_close(v, published[k].se, stats_sd(x + k * RESAMPLES, RESAMPLES), 0.05 * published[k].se,
                     "standard error of %s, 5 %%", published[k].name);
    for (int k = 0; k < 6; k++) {
        double *sorted = x + k * RESAMPLES;
        stats_sort(sorted, RESAMPLES);
        for (int side = 0; side < 2 && k < 5; side++) {
            double p = side ? 0.975 : 0.025;
            verify_close(v, side ? published[k].hi : published[k].lo, stats_quantile(sorted, RESAMPLES, p),
                         monte_carlo(quantile_error(sorted, p)), "95 %% interval of %s, %s end", published[k].name,
                         side ? "upper" : "lower");
        }
    }
    const double *a = x + 5 * RESAMPLES;
    double width = stats_quantile(a, RESAMPLES, 0.9) - stats_quantile(a, RESAMPLES, 0.1);
    double error = monte_carlo(hypot(quantile_error(a, 0.9), quantile_error(a, 0.1)));
    double runs = (double)c->rows.n * pow(width / 0.001, 2);
    verify_close(v, 0.051, width, error, "width of the 80 %% interval of a");
    verify_close(v, 634773, runs, 2 * runs * error / width, "runs for Hoffmann et al.'s width of 0.001");
    wald(v, &e, law);
    log_text("    resamples in %.2f s; tolerances but 5 %%: 3 standard deviations of the Monte Carlo difference",
             timer_now() - start);
    ensemble_free(&e);
    mem_free(x);
}

/* ---- The sum of Huber functions, and other objectives. ---- */

static Err huber_240(Verify *v, const char *path, const Law *law, const Comm *comm) {
    Case c;
    double start = timer_now();
    const Law rounded = {log(406.4), log(410.7), log(1.69), 0.34, 0.28, &law_chinchilla},
              grid = {log(477.84171253), log(2143.86378803), log(1.8172355),
                      0.34731265761,     0.36718261739,      &law_chinchilla};
    verify_heading(v, "SciPy", "chinchilla, 240 rows, sum of Huber on log loss, delta 1e-3");
    TRY(case_open(&c, &(CaseRows){.path = path, .keep = "keep"}, huber, LAW_STARTS_GRID, comm));
    start = timer_now() - start;
    verify_close(v, 240, (double)c.rows.n, 0, "rows");
    verify_at_most(v, 0.00101827403, c.fit.objective, "objective");
    verify_close(v, 0.34731, c.law.alpha, 5e-4, "alpha");
    verify_close(v, 0.36717, c.law.beta, 1e-3, "beta");
    verify_close(v, 1.81722, exp(c.law.e), 1e-3, "E");
    verify_close(v, 477.826, exp(c.law.a), 4.8, "A, 1 %% (a flat direction)");
    verify_close(v, 2143.417, exp(c.law.b), 21.4, "B, 1 %%");
    verify_close(v, 0.51390, exponent_a(&c.law), 1e-3, "exponent a of N*");
    verify_close(v, 0.00123116, case_objective(&c, &hoffmann), 1e-8, "objective at Hoffmann et al.'s coefficients");
    verify_close(v, 0.00412101, case_objective(&c, &rounded), 1e-8, "the same, rounded as printed in the paper");
    verify_close(v, 0.00101864, case_objective(&c, law), 1e-8, "objective at the headline estimate");
    log_text("    the headline estimate is the minimum of another objective (above): this one is %.2g %% lower",
             100 * (1 - c.fit.objective / case_objective(&c, law)));
    v->by = "Epoch";
    verify_close(v, 0.0010182740346, case_objective(&c, &grid), 1e-11, "objective at their best of 4500 starts");
    verify_at_most(v, 0.0010182740346, c.fit.objective, "minimum, lower by %.1e of it",
                   1 - c.fit.objective / 0.0010182740346);
    log_text("    %d starts in %.2f s, %d of them at the minimum", c.fit.starts, start, c.fit.reached);
    bootstrap(v, &c, law, comm);
    case_close(&c);
    return ERR_NONE;
}

static Err other_objectives(Verify *v, const char *path, const Comm *comm) {
    static const struct {
        const char *what;
        LawSpec spec;
        double alpha, beta;
    } other[] = {{"delta 1e-4", {.kind = &law_chinchilla, .delta = 1e-4}, 0.34741, 0.36538},
                 {"delta 1e-2", {.kind = &law_chinchilla, .delta = 1e-2}, 0.35442, 0.38154},
                 {"delta 1e-1", {.kind = &law_chinchilla, .delta = 1e-1}, 0.36025, 0.40588},
                 {"least squares on loss", {.kind = &law_chinchilla, .objective = OBJECTIVE_LOSS}, 0.35762, 0.42762}};
    Case c;
    verify_heading(v, "SciPy", "chinchilla, 240 rows, other objectives");
    for (int i = 0; i < 4; i++) {
        TRY(case_open(&c, &(CaseRows){.path = path, .keep = "keep"}, other[i].spec, LAW_STARTS_FEW, comm));
        verify_close(v, other[i].alpha, c.law.alpha, 1e-5, "alpha, %s", other[i].what);
        verify_close(v, other[i].beta, c.law.beta, 1e-5, "beta, %s", other[i].what);
        if (other[i].spec.objective == OBJECTIVE_LOSS) {
            verify_close(v, 1.88281, exp(c.law.e), 1e-5, "E, %s", other[i].what);
            verify_close(v, 0.5446, exponent_a(&c.law), 1e-4, "exponent a of N*, %s", other[i].what);
        }
        case_close(&c);
    }
    return ERR_NONE;
}

static Err huber_245(Verify *v, const char *path, const Comm *comm) {
    Case c;
    verify_heading(v, "SciPy", "chinchilla, all 245 rows, Huber: the 5 largest losses move beta by 0.086");
    TRY(case_open(&c, &(CaseRows){.path = path}, huber, LAW_STARTS_FEW, comm));
    verify_close(v, 245, (double)c.rows.n, 0, "rows");
    verify_close(v, 0.00182601, c.fit.objective, 1e-8, "objective");
    verify_close(v, 0.34931, c.law.alpha, 1e-5, "alpha");
    verify_close(v, 0.45305, c.law.beta, 1e-5, "beta");
    verify_close(v, 1.89134, exp(c.law.e), 1e-5, "E");
    verify_close(v, 495.73, exp(c.law.a), 5e-4 * 495.73, "A");
    verify_close(v, 12845.6, exp(c.law.b), 5e-4 * 12845.6, "B");
    case_close(&c);
    return ERR_NONE;
}

static Err squares_217(Verify *v, const char *path, const Comm *comm) {
    static const struct {
        const char *what;
        Objective objective;
        double alpha, beta, e, a, b;
    } squares[] = {{"loss", OBJECTIVE_LOSS, 0.3511, 0.4587, 1.9051, 4.0005, 1.0509},
                   {"log loss", OBJECTIVE_LOG, 0.3522, 0.4430, 1.8926, 4.0146, 1.0571}};
    for (int i = 0; i < 2; i++) {
        Case c;
        verify_heading(v, "Open-Athena", "chinchilla, 217 rows (C < 1e21), least squares on %s, N/1e6 and D/1e9",
                       squares[i].what);
        TRY(case_open(&c, &(CaseRows){.path = path, .keep = "keep", .c_max = 1e21},
                      (LawSpec){.kind = &law_chinchilla, .objective = squares[i].objective}, LAW_STARTS_FEW, comm));
        verify_close(v, 217, (double)c.rows.n, 0, "rows");
        verify_close(v, squares[i].alpha, c.law.alpha, 5e-5, "alpha");
        verify_close(v, squares[i].beta, c.law.beta, 5e-5, "beta");
        verify_close(v, squares[i].e, exp(c.law.e), 5e-5, "E");
        verify_close(v, squares[i].a, exp(c.law.a - c.law.alpha * log(1e6)), 5e-5, "A");
        verify_close(v, squares[i].b, exp(c.law.b - c.law.beta * log(1e9)), 5e-5, "B");
        if (squares[i].objective == OBJECTIVE_LOSS) {
            verify_close(v, 0.062414, 2 * c.fit.objective, 5e-7, "residual sum of squares");
            v->by = "SciPy";
            verify_close(v, 0.0624142929, 2 * c.fit.objective, 1e-9, "residual sum of squares");
            verify_close(v, 0.351058, c.law.alpha, 1e-6, "alpha");
            verify_close(v, 0.458742, c.law.beta, 1e-6, "beta");
            verify_close(v, 1.905092, exp(c.law.e), 1e-6, "E");
        }
        case_close(&c);
    }
    return ERR_NONE;
}

Err verify_chinchilla(Verify *v, const char *path, const Comm *comm) {
    Law law;
    TRY(headline(&law, v, path, comm));
    TRY(huber_240(v, path, &law, comm));
    TRY(other_objectives(v, path, comm));
    TRY(huber_245(v, path, comm));
    return squares_217(v, path, comm);
}
