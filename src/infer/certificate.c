#include "infer/certificate.h"

#include "base/arena.h"
#include "base/log.h"
#include "math/minimise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Profiles. ---- */

double certificate_unit(const LawProblem *p, const LawFit *fit) {
    double dof = fmax((double)p->n_rows - p->n, 1);
    if (p->spec.objective != OBJECTIVE_HUBER) return fit->objective / dof;
    const Misfit misfit = law_misfit(&p->spec);
    double delta = p->spec.delta, square = 0, slope = 0;
    double *r = MEM_NEW(double, 2 * p->n_rows + 2 * LAW_PAD * p->arms), *sorted = r + p->n_rows + LAW_PAD * p->arms;
    int64_t n = 0;
    for (int m = 0; m < p->arms; m++) {
        const LawColumns *k = &p->rows[m];
        double c[LAW_COEFFICIENTS];
        law_coefficients(c, p, fit->x, m);
        law_predict(sorted, p->spec.kind, k, c);
        for (int64_t i = 0; i < k->n; i++)
            if (k->w[i] > 0) r[n++] = (k->z[i] - log(sorted[i])) * sqrt((double)p->n_rows / dof);
    }
    memcpy(sorted, r, (size_t)n * sizeof *r);
    stats_sort(sorted, n);
    double quartiles = (stats_quantile(sorted, n, 0.75) - stats_quantile(sorted, n, 0.25)) / 1.349;
    double width = 0.9 * quartiles * pow((double)n, -0.2) + 1e-12;
    for (int64_t i = 0; i < n; i++) {
        double psi = fmin(fabs(r[i]), delta) * (r[i] > 0 ? misfit.above : misfit.below);
        double below = stats_normal_cdf((-delta - r[i]) / width);
        double middle = stats_normal_cdf(-r[i] / width);
        double above = stats_normal_cdf((delta - r[i]) / width);
        square += psi * psi / (double)n;
        slope += (misfit.below * (middle - below) + misfit.above * (above - middle)) / (double)n;
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
    f->p.lo[f->v] = lo;
    f->p.hi[f->v] = hi;
    return out.f - f->floor - f->allowed;
}

/* From the minimum outward: growing steps until the objective has risen enough, then bisection. */
static double side(Profile *f, const double *best, double step) {
    double x[LAW_VARIABLES], kept[LAW_VARIABLES], inside = best[f->v], outside = inside;
    memcpy(x, best, sizeof x);
    for (int i = 0; i < 40; i++) {
        memcpy(kept, x, sizeof x);
        outside = fmin(fmax(inside + step, f->p.lo[f->v]), f->p.hi[f->v]);
        if (outside == inside) return outside;
        if (excess(f, x, outside) > 0) break;
        inside = outside;
        step *= 1.6;
    }
    for (int i = 0; i < 30 && fabs(outside - inside) > 1e-5 * (1e-3 + fabs(outside - best[f->v])); i++) {
        double mid = 0.5 * (inside + outside);
        memcpy(x, kept, sizeof x);
        if (excess(f, x, mid) > 0)
            outside = mid;
        else
            inside = mid;
    }
    return 0.5 * (inside + outside);
}

/* Where the profile of coefficient c of an arm ends, below (direction -1) or above (1). */
static double profile_end(const LawProblem *problem, const LawFit *fit, int arm, int c, int direction) {
    int v = problem->slot[arm][c];
    if (!law_has(problem->spec.kind, c)) return NAN;
    if (v < 0) return exp(fit->law[arm].e);                                     /* E is fixed */
    if (problem->spec.kind->factors && c != LAW_E && c < LAW_ALPHA) return NAN; /* no variable of the search */
    Profile f = {.p = *problem, .v = v, .floor = fit->objective};
    f.allowed =
        certificate_unit(problem, fit) * stats_f_quantile(0.95, 1, fmax((double)problem->n_rows - problem->n, 1));
    double best[LAW_VARIABLES], *x = NULL;
    memcpy(best, fit->x, sizeof best);
    /* A and B are held at N = 1 and D = 1, not in the middle of the data: the rows of the arm move there. */
    if (c == LAW_A || c == LAW_B) {
        LawColumns *k = &f.p.rows[arm];
        double shift = c == LAW_A ? f.p.x0[arm] : f.p.y0[arm];
        x = MEM_NEW(double, k->n);
        const double *centred = c == LAW_A ? k->x : k->y;
        for (int64_t i = 0; i < k->n; i++) x[i] = k->w[i] > 0 ? centred[i] + shift : centred[i];
        best[v] = c == LAW_A ? fit->law[arm].a : fit->law[arm].b;
        f.p.lo[v] -= 200;
        f.p.hi[v] += 200;
        if (c == LAW_A) {
            k->x = x;
            f.p.x0[arm] = 0;
        } else {
            k->y = x;
            f.p.y0[arm] = 0;
        }
    }
    f.solver = minimiser_new(f.p.n, true);
    double end = side(&f, best, direction * (c >= LAW_E ? 0.01 : 0.1));
    minimiser_free(f.solver);
    mem_free(x);
    if (c >= LAW_ALPHA) return end;
    return c == LAW_E && end <= f.p.lo[v] + 1e-9 ? 0 : exp(end);
}

static void profiles(Certificate *out, const LawProblem *problem, const LawFit *fit, int arm, const Comm *comm) {
    enum { ENDS = 2 * LAW_COEFFICIENTS };
    double end[ENDS] = {0};
    for (int i = comm_rank(comm); i < ENDS; i += comm_size(comm))
        end[i] = profile_end(problem, fit, arm, i / 2, i % 2 ? 1 : -1);
    comm_sum_f64(comm, end, ENDS);
    for (int c = 0; c < LAW_COEFFICIENTS; c++) out->profile[c] = (Interval){end[2 * c], end[2 * c + 1]};
}

/* ---- The pull of single rows. ---- */

typedef struct Ranked {
    double key;
    int64_t row;
} Ranked;

static int descending(const void *a, const void *b) {
    double x = ((const Ranked *)a)->key, y = ((const Ranked *)b)->key;
    return (x < y) - (x > y);
}

/* The exponent that a row's pull is judged by: a of N* ~ C^a, of a law that splits nothing alpha. */
static double exponent_of(const Law *law, const Cost *cost) {
    double a, b;
    if (!law_splits(law->kind)) return law->alpha;
    cost_exponents(&a, &b, law, cost);
    return a;
}

/* How it changes with the variables, by central differences. */
static void slope_of_exponent(double *slope, const LawProblem *p, const double *x, int arm, const Cost *cost) {
    const double step = 1e-6; /* of coefficients of order 1: half the digits */
    for (int v = 0; v < p->n; v++) {
        double moved[LAW_VARIABLES], a[2];
        memcpy(moved, x, sizeof moved);
        for (int side = 0; side < 2; side++) {
            moved[v] = x[v] + (side ? step : -step);
            Law law = law_of(p, moved, arm);
            a[side] = exponent_of(&law, cost);
        }
        slope[v] = isfinite(a[1] - a[0]) ? (a[1] - a[0]) / (2 * step) : 0;
    }
}

/* The rows of an arm by what leaving them out should do to a: to first order the variables move by H^-1 times the
 * gradient of the row. H is that of least squares, from which Huber's differs by a factor at most. */
static void pulls(Ranked *out, const LawProblem *problem, const LawFit *fit, int arm, const Cost *cost) {
    LawProblem p = *problem;
    const int n = p.n, *slot = p.slot[arm];
    double g[LAW_VARIABLES], own[LAW_COEFFICIENTS], along[LAW_VARIABLES] = {0};
    double *h = MEM_NEW(double, n *n);
    slope_of_exponent(along, problem, fit->x, arm, cost);
    if (p.spec.objective == OBJECTIVE_HUBER) p.spec.objective = OBJECTIVE_LOG;
    law_objective(&p, fit->x, g, h);
    for (int i = 0; i < n; i++) {
        h[i * (n + 1)] *= 1 + 1e-9;
        if (!fit->at_bound[i]) continue;
        for (int j = 0; j < n; j++) h[i * n + j] = h[j * n + i] = i == j;
        along[i] = 0;
    }
    stats_solve(h, along, n); /* of a singular one the gradient itself is left */
    law_coefficients(own, problem, fit->x, arm);
    const Misfit misfit = law_misfit(&problem->spec);
    for (int64_t i = 0; i < problem->source[arm]->n; i++) {
        const LawColumns *k = &problem->rows[arm];
        LawColumns row = {.n = 1, .x = k->x + i, .y = k->y + i, .z = k->z + i, .loss = k->loss + i, .w = k->w + i};
        double gc[LAW_COEFFICIENTS] = {0}, change = 0;
        problem->spec.kind->sum->objective(&row, &misfit, own, gc, NULL);
        for (int c = 0; c < LAW_COEFFICIENTS; c++)
            if (slot[c] >= 0) change += gc[c] * along[slot[c]];
        out[i] = (Ranked){fabs(change), i};
    }
    mem_free(h);
}

/* A problem that differs from another in the weights of one arm's rows, which *w receives to write to. */
static LawProblem reweighted(double **w, const LawProblem *problem, int arm) {
    LawProblem p = *problem;
    *w = MEM_NEW(double, p.rows[arm].n);
    memcpy(*w, p.rows[arm].w, (size_t)p.rows[arm].n * sizeof **w);
    p.rows[arm].w = *w;
    return p;
}

/* Refits without each of those rows that should matter most, at most CERTIFICATE_REFITS over all arms. */
static void influences(Certificate *out, const LawProblem *problem, const LawFit *fit, int arm, const Cost *cost,
                       const Comm *comm) {
    int64_t n = problem->source[arm]->n, tried = CERTIFICATE_REFITS / problem->arms;
    double *w;
    LawProblem p = reweighted(&w, problem, arm);
    if (tried > n) tried = n;
    Ranked *ranked = MEM_NEW(Ranked, n + 1);
    pulls(ranked, problem, fit, arm, cost);
    qsort(ranked, (size_t)n, sizeof *ranked, descending);
    double a0 = exponent_of(&fit->law[arm], cost);
    double zone = law_zone(problem, fit);
    Minimiser *solver = minimiser_new(p.n, true);
    for (int64_t k = comm_rank(comm); k < tried; k += comm_size(comm)) {
        int64_t i = ranked[k].row;
        log_progress(k, tried, "rows left out");
        double x[LAW_VARIABLES], kept = w[i];
        memcpy(x, fit->x, sizeof x);
        w[i] = 0;
        law_refine(x, &p, zone, solver);
        w[i] = kept;
        Law law = law_of(&p, x, arm);
        double a = exponent_of(&law, cost);
        out->influence[i] = isfinite(a - a0) ? a - a0 : INFINITY;
    }
    comm_sum_f64(comm, out->influence, n);
    for (int64_t k = tried; k < n; k++) out->influence[ranked[k].row] = NAN;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(out->influence[i]) && !(fabs(out->influence[i]) <= fabs(out->influence[out->worst])))
            out->worst = i;
    minimiser_free(solver);
    mem_free(ranked);
    mem_free(w);
}

/* ---- Other choices. ---- */

void certificate_add(Certificate *certificate, const Sensitivity *row) {
    if (certificate->n < CERTIFICATE_ROWS) certificate->row[certificate->n++] = *row;
}

static void add_law(Certificate *out, const char *what, const Law *law, const Cost *cost, int64_t rows) {
    double beta = law_has(law->kind, LAW_BETA) ? law->beta : NAN;
    Sensitivity s = {.E = exp(law->e), .alpha = law->alpha, .beta = beta, .rows = rows};
    cost_exponents(&s.a, &s.b, law, cost);
    s.best_n = cost_allocate(law, cost, out->budget).n;
    snprintf(s.what, sizeof s.what, "%s", what);
    certificate_add(out, &s);
}

static void refit(Certificate *out, const char *what, const LawProblem *p, const LawFit *fit, int arm, const Cost *cost,
                  int64_t rows, Minimiser *solver) {
    double x[LAW_VARIABLES];
    memcpy(x, fit->x, sizeof x);
    law_refine(x, p, law_zone(p, NULL), solver);
    Law law = law_of(p, x, arm);
    add_law(out, what, &law, cost, rows);
}

/* Without the k rows of the arm that have the largest `key`. */
static void drop(Certificate *out, const char *what, Ranked *ranked, int64_t k, const LawProblem *problem,
                 const LawFit *fit, int arm, const Cost *cost, Minimiser *solver) {
    int64_t n = problem->source[arm]->n;
    if (n - k <= LAW_COEFFICIENTS || problem->n_rows - k <= problem->n) return;
    double *w;
    LawProblem p = reweighted(&w, problem, arm);
    qsort(ranked, (size_t)n, sizeof *ranked, descending);
    for (int64_t i = 0; i < k; i++) w[ranked[i].row] = 0;
    char text[64];
    snprintf(text, sizeof text, what, (long long)k);
    refit(out, text, &p, fit, arm, cost, n - k, solver);
    mem_free(w);
}

enum { DROP_RESIDUAL, DROP_LOSS, DROP_N, DROP_D, DROPS };

/* Rows of the largest key are left out first. */
static double drop_key(int by, const LawRows *rows, const Law *law, int64_t i) {
    switch (by) {
    case DROP_RESIDUAL: return fabs(rows->k.z[i] - log(law_rows_loss(NULL, rows, law, i)));
    case DROP_LOSS: return rows->k.loss[i];
    case DROP_N: return -rows->k.x[i];
    default: return -rows->k.y[i];
    }
}

static void choices(Certificate *out, const LawProblem *problem, const LawFit *fit, int arm, const Cost *cost) {
    static const double delta[] = {1e-4, 1e-3, 1e-2, 1e-1};
    const LawSpec *spec = &problem->spec;
    const LawRows *rows = problem->source[arm];
    Minimiser *solver = minimiser_new(problem->n, true);
    LawProblem p = *problem;
    for (int i = 0; i < 4; i++) {
        char text[64];
        p.spec.objective = OBJECTIVE_HUBER;
        p.spec.delta = delta[i];
        if (spec->objective == OBJECTIVE_HUBER && fabs(log(spec->delta / delta[i])) < 1e-6) continue;
        snprintf(text, sizeof text, "Huber, delta %g", delta[i]);
        refit(out, text, &p, fit, arm, cost, rows->n, solver);
    }
    p.spec.objective = OBJECTIVE_LOG;
    p.spec.quantile = 0;
    if (spec->objective != OBJECTIVE_LOG) refit(out, "least squares on log loss", &p, fit, arm, cost, rows->n, solver);
    p.spec.objective = OBJECTIVE_LOSS;
    if (spec->objective != OBJECTIVE_LOSS && !spec->kind->of_optima)
        refit(out, "least squares on loss", &p, fit, arm, cost, rows->n, solver);

    Ranked *ranked = MEM_NEW(Ranked, rows->n + 1);
    int64_t few = rows->n < 2 * 50 ? 1 : rows->n / 50;
    int64_t some = rows->n < 3 * 10 ? 2 : rows->n / 10;
    static const char *const smallest[] = {[LAW_OF_N_AND_D] = "rows of smallest N left out: %lld",
                                           [LAW_OF_N] = "rows of smallest N left out: %lld",
                                           [LAW_OF_D] = "rows of smallest D left out: %lld",
                                           [LAW_OF_C] = "rows of smallest C left out: %lld"};
    const char *const what[DROPS] = {"rows of largest residual left out: %lld", "rows of largest loss left out: %lld",
                                     smallest[rows->axes], "rows of smallest D left out: %lld"};
    int drops = law_splits(spec->kind) ? DROPS : DROP_D;
    for (int by = 0; by < drops; by++) {
        for (int64_t i = 0; i < rows->n; i++)
            ranked[i] = (Ranked){.key = drop_key(by, rows, &fit->law[arm], i), .row = i};
        int64_t count = by == DROP_RESIDUAL || by == DROP_LOSS ? few : some;
        drop(out, what[by], ranked, count, problem, fit, arm, cost, solver);
    }
    mem_free(ranked);
    minimiser_free(solver);
}

void certificate_empty(Certificate *out, int64_t rows, double budget) {
    *out = (Certificate){.budget = budget, .rows = rows, .varpro_gap = NAN};
    out->influence = MEM_NEW(double, rows + 1);
    for (int c = 0; c < LAW_COEFFICIENTS; c++) out->profile[c] = (Interval){NAN, NAN};
    for (int64_t i = 0; i < rows; i++) out->influence[i] = NAN;
}

void certificate_make(Certificate *out, const LawProblem *problem, const LawFit *fit, int arm, const Cost *cost,
                      double budget, const Comm *comm) {
    int64_t n = problem->source[arm]->n;
    certificate_empty(out, n, budget);
    for (int64_t i = 0; i < n; i++) out->influence[i] = 0; /* summed over the ranks */
    add_law(out, "this fit", &fit->law[arm], cost, n);
    profiles(out, problem, fit, arm, comm);
    influences(out, problem, fit, arm, cost, comm);
    choices(out, problem, fit, arm, cost);
    if (!isfinite(fit->varpro)) return;
    out->varpro_gap = (fit->varpro - fit->objective) / fmax(fit->objective, 1e-300);
    add_law(out, "variable projection", &fit->varpro_law[arm], cost, n);
}

void certificate_free(Certificate *certificate) {
    mem_free(certificate->influence);
    *certificate = (Certificate){0};
}
