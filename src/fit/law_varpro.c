/* Variable projection: TAO over the exponents of all arms, and over E where arms share it; for these the law is linear
 * in what is left of (A, B, E) >= 0 of each arm, and the arms fall apart. */
#include "fit/law.h"

#include "base/arena.h"
#include "math/minimise.h"
#include "math/stats.h"

#include <math.h>
#include <string.h>

static const double vanished = -690; /* logarithm of a coefficient at 0 */

typedef struct Projection {
    LawProblem p;
    int n, outer[LAW_VARIABLES]; /* variables of the search */
    int place[LAW_VARIABLES];    /* among them; -1: found by least squares */
    double x[LAW_VARIABLES];     /* all variables, at the last point of the search */
    double *basis[2];            /* (rows of the largest arm) e^(-alpha x), e^(-beta y) */
    double least;                /* logarithm of the least loss */
} Projection;

/* min_c c'Gc/2 - q'c with c >= 0, some of the three variables held: the best of the eight sets of variables at 0. */
static void nnls(double c[3], const double g[9], const double q[3], const bool held[3]) {
    double best = INFINITY, found[3], tried[3];
    memcpy(found, c, sizeof found);
    for (int set = 0; set < 8; set++) {
        int free[3] = {0}, n = 0;
        bool feasible = true;
        double a[9], b[3], right[3], value = 0;
        for (int k = 0; k < 3; k++) {
            tried[k] = held[k] ? c[k] : 0;
            if (set >> k & 1)
                feasible &= !held[k];
            else if (!held[k])
                free[n++] = k;
        }
        if (!feasible) continue;
        for (int i = 0; i < n; i++) {
            right[i] = q[free[i]];
            for (int k = 0; k < 3; k++) right[i] -= held[k] ? g[free[i] * 3 + k] * c[k] : 0;
            for (int j = 0; j < n; j++) a[i * n + j] = g[free[i] * 3 + free[j]];
            b[i] = right[i];
        }
        if (n && !stats_solve(a, b, n)) continue;
        for (int i = 0; i < n; i++) tried[free[i]] = b[i], feasible &= b[i] >= 0, value -= 0.5 * right[i] * b[i];
        if (feasible && value < best) best = value, memcpy(found, tried, sizeof found);
    }
    memcpy(c, found, sizeof found);
}

/* The best c of one arm for the exponents in its basis. Reweighted least squares converge surely but slowly where most
 * residuals lie beyond delta, Newton's steps the other way round: their models are mixed, as by Levenberg and
 * Marquardt, with less and less of the first as long as the sum falls. */
static void project(double c[3], const Projection *v, int arm, const bool held[3]) {
    const KernelRows *k = &v->p.rows[arm];
    const LawSpec *spec = &v->p.spec;
    KernelQuadratic taylor, above, next[2], mixed;
    double tried[3], share = 1;
    kernel_linear(&taylor, &above, k, OBJECTIVE_LOSS, 0, v->basis[0], v->basis[1], c);
    nnls(c, taylor.g, taylor.q, held);
    if (spec->objective == OBJECTIVE_LOSS) return;
    double f = kernel_linear(&taylor, &above, k, spec->objective, spec->delta, v->basis[0], v->basis[1], c);
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < 9; j++) mixed.g[j] = taylor.g[j] + share * (above.g[j] - taylor.g[j]);
        for (int j = 0; j < 3; j++) mixed.q[j] = taylor.q[j] + share * (above.q[j] - taylor.q[j]);
        memcpy(tried, c, sizeof tried);
        nnls(tried, mixed.g, mixed.q, held);
        double at = kernel_linear(&next[0], &next[1], k, spec->objective, spec->delta, v->basis[0], v->basis[1], tried);
        if (at < f) {
            bool last = share < 1e-3 && f - at <= 1e-15 * f;
            f = at, taylor = next[0], above = next[1], memcpy(c, tried, sizeof tried);
            if (last) break;
            share *= 0.1;
        } else {
            if (share == 1) break;
            share = fmin(share * 30, 1);
        }
    }
}

/* The reduced objective. At the best c the gradient in the outer variables is the partial one, and the Hessian what is
 * left when the inner ones are eliminated. */
static double reduced(void *context, const double *outer, double *g, double *h) {
    Projection *v = context;
    const LawProblem *p = &v->p;
    double f = 0;
    memset(g, 0, (size_t)v->n * sizeof *g);
    if (h) memset(h, 0, (size_t)(v->n * v->n) * sizeof *h);
    for (int i = 0; i < v->n; i++) v->x[v->outer[i]] = outer[i];
    for (int m = 0; m < p->arms; m++) {
        const int *slot = p->slot[m];
        double c[3] = {1, 1, 0}, at[LAW_COEFFICIENTS], gc[LAW_COEFFICIENTS] = {0},
               hc[LAW_COEFFICIENTS * LAW_COEFFICIENTS] = {0};
        bool held[3] = {false, false, slot[LAW_E] < 0 || v->place[slot[LAW_E]] >= 0};
        if (held[LAW_E] && slot[LAW_E] >= 0) c[LAW_E] = exp(v->x[slot[LAW_E]]);
        kernel_basis(v->basis[0], v->basis[1], &p->rows[m], v->x[slot[LAW_ALPHA]], v->x[slot[LAW_BETA]]);
        project(c, v, m, held);
        for (int k = LAW_A; k <= LAW_E; k++)
            if (!held[k]) v->x[slot[k]] = c[k] > 0 ? fmax(log(c[k]), vanished) : vanished;
        for (int k = 0; k < LAW_COEFFICIENTS; k++) at[k] = slot[k] >= 0 ? v->x[slot[k]] : vanished;
        f += kernel_sum(&p->rows[m], p->spec.objective, p->spec.delta, at, gc, h ? hc : NULL);
        for (int k = LAW_A; h && k <= LAW_E; k++) {
            double pivot = hc[k * (LAW_COEFFICIENTS + 1)], column[LAW_COEFFICIENTS];
            if (held[k] || !(pivot > 0)) continue;
            for (int i = 0; i < LAW_COEFFICIENTS; i++) column[i] = hc[i * LAW_COEFFICIENTS + k];
            for (int i = 0; i < LAW_COEFFICIENTS * LAW_COEFFICIENTS; i++)
                hc[i] -= column[i / LAW_COEFFICIENTS] * column[i % LAW_COEFFICIENTS] / pivot;
        }
        for (int k = LAW_E; k < LAW_COEFFICIENTS; k++) {
            int i = slot[k] < 0 ? -1 : v->place[slot[k]];
            if (i < 0) continue;
            g[i] += gc[k];
            for (int l = LAW_E; h && l < LAW_COEFFICIENTS; l++) {
                int j = slot[l] < 0 ? -1 : v->place[slot[l]];
                if (j >= 0) h[i * v->n + j] += hc[k * LAW_COEFFICIENTS + l];
            }
        }
    }
    return f;
}

/* The variables of the search: exponents, and an E of several arms. */
static Projection projection_new(const LawProblem *problem) {
    Projection v = {.p = *problem, .least = INFINITY};
    int users[LAW_VARIABLES] = {0};
    int64_t rows = 0;
    for (int i = 0; i < problem->n; i++) v.place[i] = -1;
    for (int m = 0; m < problem->arms; m++) {
        const KernelRows *k = &problem->rows[m];
        if (k->n > rows) rows = k->n;
        for (int64_t i = 0; i < k->n; i++)
            if (k->w[i] > 0) v.least = fmin(v.least, k->z[i]);
        if (problem->slot[m][LAW_E] >= 0) users[problem->slot[m][LAW_E]]++;
    }
    for (int m = 0; m < problem->arms; m++)
        for (int c = LAW_E; c < LAW_COEFFICIENTS; c++) {
            int s = problem->slot[m][c];
            if (s < 0 || v.place[s] >= 0 || (c == LAW_E && users[s] == 1)) continue;
            v.place[s] = v.n, v.outer[v.n++] = s;
        }
    v.basis[0] = MEM_NEW(double, 2 * rows);
    v.basis[1] = v.basis[0] + rows;
    return v;
}

/* From one pair of exponents for all arms, through narrowing Huber zones as on the direct route. */
static double descend(Projection *v, int s, const LawSpec *spec, Minimiser *solver) {
    static const double exponent[] = {0.1, 0.3, 0.6, 1, 2};
    const LawProblem *p = &v->p;
    double outer[LAW_VARIABLES], lo[LAW_VARIABLES], hi[LAW_VARIABLES];
    for (int i = 0; i < v->n; i++) {
        lo[i] = p->lo[v->outer[i]], hi[i] = p->hi[v->outer[i]];
        outer[i] = v->least + log(s % 2 ? 0.4 : 0.8); /* E */
    }
    for (int m = 0; m < p->arms; m++)
        for (int c = LAW_ALPHA; c <= LAW_BETA; c++) {
            int i = v->place[p->slot[m][c]];
            lo[i] = 1e-3, outer[i] = exponent[c == LAW_ALPHA ? s % 5 : s / 5];
        }
    double last = spec->objective == OBJECTIVE_HUBER ? spec->delta : 1;
    v->p.spec = *spec;
    minimiser_renew(solver);
    for (double delta = fmax(0.1, last); delta > 1.5 * last; delta *= 0.1) {
        v->p.spec.delta = delta;
        minimise(solver, outer, lo, hi, reduced, v, 1e-4 * delta * p->sum_weight, 100);
    }
    v->p.spec.delta = spec->delta;
    return minimise(solver, outer, lo, hi, reduced, v, 1e-14 * p->sum_weight, 100).f;
}

double law_varpro(Law *law, const LawProblem *problem, const Comm *comm) {
    enum { PAIRS = 25 };
    Projection v = projection_new(problem);
    Minimiser *solver = minimiser_new(v.n, true);
    bool tied = problem->spec.exponents == LAW_EXPONENTS_TIED;
    double value[PAIRS] = {0}, best = INFINITY, x[LAW_VARIABLES] = {0};
    for (int s = comm_rank(comm); s < PAIRS; s += comm_size(comm)) {
        value[s] = tied && s % 5 != s / 5 ? 1e300 : descend(&v, s, &problem->spec, solver);
        if (!isfinite(value[s])) value[s] = 1e300;
        if (value[s] < best) best = value[s], memcpy(x, v.x, sizeof x);
    }
    comm_sum_f64(comm, value, PAIRS);
    int winner = 0;
    for (int s = 1; s < PAIRS; s++)
        if (value[s] < value[winner]) winner = s;
    comm_bcast(comm, x, sizeof x, winner % comm_size(comm));
    for (int m = 0; m < problem->arms; m++) {
        law[m] = law_of(problem, x, m);
        if (law[m].e <= vanished) law[m].e = -INFINITY;
    }
    minimiser_free(solver);
    mem_free(v.basis[0]);
    return value[winner];
}
