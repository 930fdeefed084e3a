#include "fit/certificate.h"

#include "base/arena.h"
#include "fit/minimise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Profiles. ---- */

double certificate_unit(const LawProblem *p, const LawFit *fit) {
    double dof = fmax((double)p->n_rows - p->n, 1);
    if (p->spec.objective != OBJECTIVE_HUBER) return fit->objective / dof;
    double delta = p->spec.delta, square = 0, slope = 0;
    double *r = MEM_NEW(double, 2 * p->n_rows + 2 * KERNEL_ROWS * p->arms),
           *sorted = r + p->n_rows + KERNEL_ROWS * p->arms;
    int64_t n = 0;
    for (int m = 0; m < p->arms; m++) {
        const KernelRows *k = &p->rows[m];
        double c[LAW_COEFFICIENTS];
        for (int i = 0; i < LAW_COEFFICIENTS; i++) c[i] = p->slot[m][i] >= 0 ? fit->x[p->slot[m][i]] : -700;
        kernel_predict(sorted, k, c);
        for (int64_t i = 0; i < k->n; i++)
            if (k->w[i] > 0) r[n++] = (k->z[i] - log(sorted[i])) * sqrt((double)p->n_rows / dof);
    }
    memcpy(sorted, r, (size_t)n * sizeof *r);
    stats_sort(sorted, n);
    double quartiles = (stats_quantile(sorted, n, 0.75) - stats_quantile(sorted, n, 0.25)) / 1.349;
    double width = 0.9 * quartiles * pow((double)n, -0.2) + 1e-12;
    for (int64_t i = 0; i < n; i++) {
        double psi = fmin(fabs(r[i]), delta);
        square += psi * psi / (double)n;
        slope += (stats_normal_cdf((delta - r[i]) / width) - stats_normal_cdf((-delta - r[i]) / width)) / (double)n;
    }
    mem_free(r);
    return 0.5 * square / fmax(slope, 1e-12) * p->sum_weight / (double)p->n_rows;
}

typedef struct Profile {
    LawProblem p;
    Minimiser *solver;
    int v; /* the variable held */
    double allowed, floor;
} Profile;

/* Objective above the minimum with variable v held at `at`, minus what is allowed. */
static double excess(Profile *f, double *x, double at) {
    double lo = f->p.lo[f->v], hi = f->p.hi[f->v];
    f->p.lo[f->v] = f->p.hi[f->v] = x[f->v] = at;
    MinOutcome out = minimise(f->solver, x, f->p.lo, f->p.hi, law_objective, &f->p,
                              1e-9 * f->p.sum_weight * fmin(f->p.spec.delta, 1e-2), 200);
    f->p.lo[f->v] = lo, f->p.hi[f->v] = hi;
    return out.f - f->floor - f->allowed;
}

/* From the minimum outward: doubling steps until the objective has risen enough, then bisection. */
static double side(Profile *f, const double *best, double step) {
    double x[LAW_VARIABLES], kept[LAW_VARIABLES], inside = best[f->v], outside = inside;
    memcpy(x, best, sizeof x);
    for (int i = 0; i < 40; i++) {
        memcpy(kept, x, sizeof x);
        outside = fmin(fmax(inside + step, f->p.lo[f->v]), f->p.hi[f->v]);
        if (outside == inside) return outside;
        if (excess(f, x, outside) > 0) break;
        inside = outside, step *= 1.6;
    }
    for (int i = 0; i < 30 && fabs(outside - inside) > 1e-5 * (1e-3 + fabs(outside - best[f->v])); i++) {
        double mid = 0.5 * (inside + outside);
        memcpy(x, kept, sizeof x);
        *(excess(f, x, mid) > 0 ? &outside : &inside) = mid;
    }
    return 0.5 * (inside + outside);
}

Interval certificate_profile(const LawProblem *problem, const LawFit *fit, int c) {
    int v = problem->slot[0][c];
    if (v < 0) return (Interval){0, 0};
    Profile f = {.p = *problem, .v = v, .floor = fit->objective};
    f.allowed =
        certificate_unit(problem, fit) * stats_f_quantile(0.95, 1, fmax((double)problem->n_rows - problem->n, 1));
    double best[LAW_VARIABLES], *x = NULL;
    memcpy(best, fit->x, sizeof best);
    /* A and B are held at N = 1 and D = 1, not in the middle of the data: the rows move there. */
    if (c == LAW_A || c == LAW_B) {
        KernelRows *k = &f.p.rows[0];
        double shift = c == LAW_A ? f.p.x0[0] : f.p.y0[0];
        x = MEM_NEW(double, k->n);
        for (int64_t i = 0; i < k->n; i++) x[i] = (c == LAW_A ? k->x[i] : k->y[i]) + (k->w[i] > 0 ? shift : 0);
        best[v] = c == LAW_A ? fit->law[0].a : fit->law[0].b;
        f.p.lo[v] -= 200, f.p.hi[v] += 200;
        *(c == LAW_A ? &k->x : &k->y) = x;
        *(c == LAW_A ? &f.p.x0[0] : &f.p.y0[0]) = 0;
    }
    f.solver = minimiser_new(f.p.n, true);
    double step = c >= LAW_ALPHA ? 0.01 : c == LAW_E ? 0.01 : 0.1;
    Interval out = {side(&f, best, -step), side(&f, best, step)};
    minimiser_free(f.solver);
    if (c < LAW_ALPHA) {
        bool vanishes = c == LAW_E && out.lo <= f.p.lo[v] + 1e-9;
        out = (Interval){vanishes ? 0 : exp(out.lo), exp(out.hi)};
    }
    mem_free(x);
    return out;
}

/* ---- The pull of single rows. ---- */

enum { INFLUENCES = 2000 };

static void influences(Certificate *out, const LawProblem *problem, const LawFit *fit, const Cost *cost,
                       const Comm *comm) {
    LawProblem p = *problem;
    int64_t n = problem->source[0]->n;
    double a0, b0, *w = MEM_NEW(double, p.rows[0].n);
    memcpy(w, p.rows[0].w, (size_t)p.rows[0].n * sizeof *w);
    p.rows[0].w = w;
    cost_exponents(&a0, &b0, &fit->law[0], cost);
    out->rows = n;
    out->influence = MEM_NEW(double, n + 1);
    Minimiser *solver = minimiser_new(p.n, true);
    int64_t stride = (n + INFLUENCES - 1) / INFLUENCES; /* of very many rows, every so manieth */
    for (int64_t i = stride * comm_rank(comm); i < n; i += stride * comm_size(comm)) {
        double x[LAW_VARIABLES], kept = w[i], a, b;
        memcpy(x, fit->x, sizeof x);
        w[i] = 0;
        law_refine(x, &p, solver);
        w[i] = kept;
        Law law = law_of(&p, x, 0);
        cost_exponents(&a, &b, &law, cost);
        out->influence[i] = isfinite(a - a0) ? a - a0 : 1e300;
    }
    minimiser_free(solver);
    comm_sum_f64(comm, out->influence, n);
    for (int64_t i = 0; i < n; i++)
        if (i % stride) out->influence[i] = NAN;
    for (int64_t i = 0; i < n; i++)
        if (fabs(out->influence[i]) > fabs(out->influence[out->worst])) out->worst = i;
    mem_free(w);
}

/* ---- Other choices. ---- */

void certificate_add(Certificate *certificate, const Sensitivity *row) {
    if (certificate->n < CERTIFICATE_ROWS) certificate->row[certificate->n++] = *row;
}

static void add_law(Certificate *out, const char *what, const Law *law, const Cost *cost, int64_t rows) {
    Sensitivity s = {.E = exp(law->e), .alpha = law->alpha, .beta = law->beta, .rows = rows};
    cost_exponents(&s.a, &s.b, law, cost);
    s.best_n = cost_allocate(law, cost, out->budget).n;
    snprintf(s.what, sizeof s.what, "%s", what);
    certificate_add(out, &s);
}

static void refit(Certificate *out, const char *what, const LawProblem *p, const LawFit *fit, const Cost *cost,
                  int64_t rows, Minimiser *solver) {
    double x[LAW_VARIABLES];
    memcpy(x, fit->x, sizeof x);
    law_refine(x, p, solver);
    Law law = law_of(p, x, 0);
    add_law(out, what, &law, cost, rows);
}

typedef struct Ranked {
    double key;
    int64_t row;
} Ranked;

static int descending(const void *a, const void *b) {
    double x = ((const Ranked *)a)->key, y = ((const Ranked *)b)->key;
    return (x < y) - (x > y);
}

/* Without the k rows of the largest `key`. */
static void drop(Certificate *out, const char *what, Ranked *ranked, int64_t k, const LawProblem *problem,
                 const LawFit *fit, const Cost *cost, Minimiser *solver) {
    LawProblem p = *problem;
    int64_t n = problem->source[0]->n;
    if (n - k <= p.n) return;
    double *w = MEM_NEW(double, p.rows[0].n);
    memcpy(w, p.rows[0].w, (size_t)p.rows[0].n * sizeof *w);
    qsort(ranked, (size_t)n, sizeof *ranked, descending);
    for (int64_t i = 0; i < k; i++) w[ranked[i].row] = 0;
    p.rows[0].w = w;
    char text[64];
    snprintf(text, sizeof text, what, (long long)k);
    refit(out, text, &p, fit, cost, n - k, solver);
    mem_free(w);
}

static void choices(Certificate *out, const LawProblem *problem, const LawFit *fit, const Cost *cost) {
    static const double delta[] = {1e-4, 1e-3, 1e-2, 1e-1};
    const LawRows *rows = problem->source[0];
    Minimiser *solver = minimiser_new(problem->n, true);
    LawProblem p = *problem;
    add_law(out, "this fit", &fit->law[0], cost, rows->n);
    for (int i = 0; i < 4; i++) {
        char text[64];
        p.spec.objective = OBJECTIVE_HUBER, p.spec.delta = delta[i];
        snprintf(text, sizeof text, "Huber, delta %g", delta[i]);
        refit(out, text, &p, fit, cost, rows->n, solver);
    }
    p.spec.objective = OBJECTIVE_LOG;
    refit(out, "least squares on log loss", &p, fit, cost, rows->n, solver);
    p.spec.objective = OBJECTIVE_LOSS;
    refit(out, "least squares on loss", &p, fit, cost, rows->n, solver);

    Ranked *ranked = MEM_NEW(Ranked, rows->n + 1);
    int64_t few = rows->n / 50 > 1 ? rows->n / 50 : 1, some = rows->n / 10 > 2 ? rows->n / 10 : 2;
    for (int pass = 0; pass < 4; pass++) {
        for (int64_t i = 0; i < rows->n; i++) {
            double n = exp(rows->k.x[i] + rows->x0), d = exp(rows->k.y[i] + rows->y0);
            double residual = fabs(rows->k.z[i] - log(law_loss(&fit->law[0], n, d)));
            ranked[i] = (Ranked){pass == 0   ? residual
                                 : pass == 1 ? rows->k.loss[i]
                                 : pass == 2 ? -rows->k.x[i]
                                             : -rows->k.y[i],
                                 i};
        }
        static const char *const what[] = {"without the %lld largest residuals", "without the %lld largest losses",
                                           "without the %lld smallest N", "without the %lld smallest D"};
        drop(out, what[pass], ranked, pass < 2 ? few : some, problem, fit, cost, solver);
    }
    mem_free(ranked);
    minimiser_free(solver);
}

void certificate_make(Certificate *out, const LawProblem *problem, const LawFit *fit, const Cost *cost, double budget,
                      const Comm *comm) {
    *out = (Certificate){.budget = budget};
    for (int c = 0; c < LAW_COEFFICIENTS; c++) out->profile[c] = certificate_profile(problem, fit, c);
    influences(out, problem, fit, cost, comm);
    choices(out, problem, fit, cost);
    Law law;
    out->varpro = law_varpro(&law, problem, comm);
    out->varpro_gap = (out->varpro - fit->objective) / fmax(fit->objective, 1e-300);
    add_law(out, "variable projection", &law, cost, problem->source[0]->n);
}

void certificate_free(Certificate *certificate) {
    mem_free(certificate->influence);
    *certificate = (Certificate){0};
}
