/* Variable projection: TAO over the coefficients in which the law is not linear, of all arms, and over E where arms share
 * it. For these the law is linear in what is left of (A, B, E) >= 0 of each arm, and the arms fall apart. */
#include "base/arena.h"
#include "base/log.h"
#include "fit/law.h"
#include "law_linear_sum.h"
#include "math/minimise.h"
#include "math/stats.h"

#include <math.h>
#include <string.h>

enum { LINEAR = 3 };                 /* A, B, E */
static const double vanished = -690; /* logarithm of a coefficient at 0 */
static const double lost = 1e300;    /* the objective of a start that ended nowhere, or was not wanted */

typedef struct Projection {
    LawProblem p;
    int n, outer[LAW_VARIABLES]; /* variables of the search */
    int place[LAW_VARIABLES];    /* among them; -1: found by least squares */
    double x[LAW_VARIABLES];     /* all variables, at the last point of the search */
    double *basis[2];            /* (rows of the largest arm) what A and B multiply; owned */
    double least;                /* logarithm of the least loss */
} Projection;

/* Solves for the variables that are neither held nor in the set of those at 0, and returns c'Gc/2 - q'c; infinite where
 * that has no solution >= 0. */
static double solve_set(double c[LINEAR], const double *g, const double *q, const bool *held, int zeros) {
    int free[LINEAR] = {0};
    int n = 0;
    for (int k = 0; k < LINEAR; k++) {
        bool zero = zeros >> k & 1;
        if (zero && held[k]) return INFINITY;
        if (zero) c[k] = 0;
        if (!zero && !held[k]) free[n++] = k;
    }
    double a[LINEAR * LINEAR], b[LINEAR], right[LINEAR];
    for (int i = 0; i < n; i++) {
        right[i] = q[free[i]];
        for (int k = 0; k < LINEAR; k++)
            if (held[k]) right[i] -= g[free[i] * LINEAR + k] * c[k];
        for (int j = 0; j < n; j++) a[i * n + j] = g[free[i] * LINEAR + free[j]];
        b[i] = right[i];
    }
    if (n && !stats_solve(a, b, n)) return INFINITY;
    double value = 0;
    for (int i = 0; i < n; i++) {
        if (!(b[i] >= 0)) return INFINITY;
        c[free[i]] = b[i];
        value -= 0.5 * right[i] * b[i];
    }
    return value;
}

/* min_c c'Gc/2 - q'c with c >= 0, some of the three variables held: the best of the eight sets of variables at 0. */
static void nnls(double c[LINEAR], const LawQuadratic *model, const bool held[LINEAR]) {
    double best = INFINITY, found[LINEAR];
    memcpy(found, c, sizeof found);
    for (int zeros = 0; zeros < 1 << LINEAR; zeros++) {
        double tried[LINEAR];
        memcpy(tried, c, sizeof tried);
        double value = solve_set(tried, model->g, model->q, held, zeros);
        if (!(value < best)) continue;
        best = value;
        memcpy(found, tried, sizeof found);
    }
    memcpy(c, found, sizeof found);
}

static LawQuadratic mix(const LawQuadratic *taylor, const LawQuadratic *above, double share) {
    LawQuadratic mixed;
    for (int j = 0; j < LINEAR * LINEAR; j++) mixed.g[j] = taylor->g[j] + share * (above->g[j] - taylor->g[j]);
    for (int j = 0; j < LINEAR; j++) mixed.q[j] = taylor->q[j] + share * (above->q[j] - taylor->q[j]);
    return mixed;
}

/* The best c of one arm for its basis. Reweighted least squares converge surely but slowly where most residuals lie
 * beyond delta, Newton's steps the other way round: their models are mixed, as by Levenberg and Marquardt, with less and
 * less of the first as long as the sum falls. */
static void project(double c[LINEAR], const Projection *v, int arm, const bool held[LINEAR]) {
    const LawColumns *k = &v->p.rows[arm];
    const Misfit misfit = law_misfit(&v->p.spec), on_loss = {.objective = OBJECTIVE_LOSS};
    LawQuadratic taylor, above;
    law_linear_sum(&taylor, &above, k, &on_loss, v->basis[0], v->basis[1], c);
    nnls(c, &taylor, held);
    if (misfit.objective == OBJECTIVE_LOSS) return;
    double f = law_linear_sum(&taylor, &above, k, &misfit, v->basis[0], v->basis[1], c);
    double share = 1;
    for (int i = 0; i < 100; i++) {
        LawQuadratic next_taylor, next_above;
        LawQuadratic mixed = mix(&taylor, &above, share);
        double tried[LINEAR];
        memcpy(tried, c, sizeof tried);
        nnls(tried, &mixed, held);
        double at = law_linear_sum(&next_taylor, &next_above, k, &misfit, v->basis[0], v->basis[1], tried);
        if (at < f) {
            bool last = share < 1e-3 && f - at <= 1e-15 * f;
            f = at;
            taylor = next_taylor;
            above = next_above;
            memcpy(c, tried, sizeof tried);
            if (last) break;
            share *= 0.1;
        } else {
            if (share == 1) break;
            share = fmin(share * 30, 1);
        }
    }
}

/* Takes variable k out of a Hessian (5, 5) whose gradient in it is 0: what is left is the Hessian of the minimum over
 * it. */
static void eliminate(double *h, int k) {
    double pivot = h[k * (LAW_COEFFICIENTS + 1)];
    double column[LAW_COEFFICIENTS];
    if (!(pivot > 0)) return;
    for (int i = 0; i < LAW_COEFFICIENTS; i++) column[i] = h[i * LAW_COEFFICIENTS + k];
    for (int i = 0; i < LAW_COEFFICIENTS; i++)
        for (int j = 0; j < LAW_COEFFICIENTS; j++) h[i * LAW_COEFFICIENTS + j] -= column[i] * column[j] / pivot;
}

/* The part of one arm in the reduced objective; g (5) and h (5, 5; or NULL) in all coefficients, of which those that are
 * projected are eliminated. */
static double reduced_arm(double *g, double *h, Projection *v, int m) {
    const LawProblem *p = &v->p;
    const LawKind *kind = p->spec.kind;
    const int *slot = p->slot[m];
    double at[LAW_COEFFICIENTS];
    double c[LINEAR] = {1, 1, 0};
    bool held[LINEAR];
    const Misfit misfit = law_misfit(&p->spec);
    law_coefficients(at, p, v->x, m);
    for (int k = 0; k < LINEAR; k++) {
        held[k] = slot[k] < 0 || v->place[slot[k]] >= 0;
        if (held[k] && kind->linear[k]) c[k] = exp(at[k]);
    }
    if (!kind->linear[LAW_B]) c[LAW_B] = 0;
    kind->sum->basis(v->basis[0], v->basis[1], &p->rows[m], at);
    project(c, v, m, held);
    for (int k = 0; k < LINEAR; k++) {
        if (held[k]) continue;
        at[k] = c[k] > 0 ? fmax(log(c[k]), vanished) : vanished;
        v->x[slot[k]] = at[k];
    }
    double f = kind->sum->objective(&p->rows[m], &misfit, at, g, h);
    for (int k = 0; h && k < LINEAR; k++)
        if (!held[k]) eliminate(h, k);
    return f;
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
        double gc[LAW_COEFFICIENTS] = {0};
        double hc[LAW_COEFFICIENTS * LAW_COEFFICIENTS] = {0};
        f += reduced_arm(gc, h ? hc : NULL, v, m);
        for (int k = 0; k < LAW_COEFFICIENTS; k++) {
            int i = p->slot[m][k] < 0 ? -1 : v->place[p->slot[m][k]];
            if (i < 0) continue;
            g[i] += gc[k];
            for (int l = 0; h && l < LAW_COEFFICIENTS; l++) {
                int j = p->slot[m][l] < 0 ? -1 : v->place[p->slot[m][l]];
                if (j >= 0) h[i * v->n + j] += hc[k * LAW_COEFFICIENTS + l];
            }
        }
    }
    return f;
}

/* The variables of the search: what the law is not linear in, and an E of several arms. */
static Projection projection_new(const LawProblem *problem) {
    Projection v = {.p = *problem, .least = INFINITY};
    int users[LAW_VARIABLES] = {0};
    int64_t rows = 0;
    for (int i = 0; i < problem->n; i++) v.place[i] = -1;
    for (int m = 0; m < problem->arms; m++) {
        const LawColumns *k = &problem->rows[m];
        if (k->n > rows) rows = k->n;
        for (int64_t i = 0; i < k->n; i++)
            if (k->w[i] > 0) v.least = fmin(v.least, k->z[i]);
        if (problem->slot[m][LAW_E] >= 0) users[problem->slot[m][LAW_E]]++;
    }
    for (int m = 0; m < problem->arms; m++)
        for (int c = 0; c < LAW_COEFFICIENTS; c++) {
            int s = problem->slot[m][c];
            if (s < 0 || v.place[s] >= 0) continue;
            bool several = c == LAW_E && users[s] > 1;
            if (c < LINEAR && problem->spec.kind->linear[c] && !several) continue;
            v.place[s] = v.n;
            v.outer[v.n] = s;
            v.n++;
        }
    v.basis[0] = MEM_NEW(double, 2 * rows + 1);
    v.basis[1] = v.basis[0] + rows;
    return v;
}

/* From one pair of exponents for all arms, through narrowing Huber zones as on the direct route. */
enum { EXPONENTS = 5, PAIRS = EXPONENTS * EXPONENTS };

static double descend(Projection *v, int s, const LawSpec *spec, Minimiser *solver) {
    static const double exponent[EXPONENTS] = {0.1, 0.3, 0.6, 1, 2};
    const double least_exponent = 1e-3; /* at 0 the term is one with E */
    const LawProblem *p = &v->p;
    const double start[LAW_COEFFICIENTS] = {[LAW_A] = v->least + log(0.5),
                                            [LAW_B] = v->least + log(0.5),
                                            [LAW_E] = v->least + log(s % 2 ? 0.4 : 0.8),
                                            [LAW_ALPHA] = exponent[s % EXPONENTS],
                                            [LAW_BETA] = exponent[s / EXPONENTS]};
    double outer[LAW_VARIABLES], lo[LAW_VARIABLES], hi[LAW_VARIABLES];
    for (int m = 0; m < p->arms; m++)
        for (int c = 0; c < LAW_COEFFICIENTS; c++) {
            int i = p->slot[m][c] < 0 ? -1 : v->place[p->slot[m][c]];
            if (i < 0) continue;
            bool is_exponent = c == LAW_ALPHA || c == LAW_BETA;
            lo[i] = p->lo[v->outer[i]];
            if (is_exponent && lo[i] >= 0) lo[i] = fmax(lo[i], least_exponent);
            hi[i] = p->hi[v->outer[i]];
            outer[i] = start[c];
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
    Projection v = projection_new(problem);
    Minimiser *solver = minimiser_new(v.n, true);
    bool tied = problem->spec.exponents == LAW_EXPONENTS_TIED;
    double value[PAIRS] = {0}, best = INFINITY, x[LAW_VARIABLES] = {0};
    for (int s = comm_rank(comm); s < PAIRS; s += comm_size(comm)) {
        log_progress(s, PAIRS, "pairs of exponents");
        bool wanted = !tied || s % EXPONENTS == s / EXPONENTS;
        if (!law_has(problem->spec.kind, LAW_BETA)) wanted = s < EXPONENTS;
        value[s] = wanted ? descend(&v, s, &problem->spec, solver) : lost;
        if (!isfinite(value[s])) value[s] = lost;
        if (value[s] < best) {
            best = value[s];
            memcpy(x, v.x, sizeof x);
        }
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
