/* The direct route: descents from many starts. */
#include "base/arena.h"
#include "base/log.h"
#include "fit/law.h"
#include "math/minimise.h"

#include <math.h>
#include <string.h>

static const double far = 0.1;    /* where the descent from a start begins: most residuals are within */
static const double lost = 1e300; /* the objective of a start that ended nowhere */

/* The size of a residual's pull, for judging gradients: delta, or the root mean square. */
static double pull(const LawProblem *p, double f) {
    double rms = sqrt(2 * f / p->sum_weight);
    return p->spec.objective == OBJECTIVE_HUBER ? fmin(p->spec.delta, rms) : rms;
}

/* The tolerance on the gradient, per weight of 1. */
static double tolerance_of(const LawSpec *spec, bool tight) {
    if (tight) return 1e-14;
    return spec->objective == OBJECTIVE_HUBER ? 1e-8 * spec->delta : 1e-11;
}

/* Through Huber zones from `widest` down. tight: to the last digit, which costs steps that no longer lower the
 * objective; the winner of the starts gets it. */
static MinOutcome refine(double *x, const LawProblem *problem, Minimiser *solver, double widest, bool tight) {
    LawProblem p = *problem;
    const LawSpec *spec = &problem->spec;
    double narrowest = spec->objective == OBJECTIVE_HUBER ? spec->delta * 1.5 : 0.05;
    double tolerance = tolerance_of(spec, tight) * p.sum_weight;
    p.spec.objective = OBJECTIVE_HUBER;
    minimiser_renew(solver);
    for (double delta = widest; delta > narrowest; delta *= 0.1) {
        /* Tight while it is cheap: far starts crawl out of flat regions only so. */
        double enough = delta > 0.05 ? 1e-13 : 1e-4 * delta;
        p.spec.delta = delta;
        minimise(solver, x, p.lo, p.hi, law_objective, &p, enough * p.sum_weight, 200);
    }
    p.spec = *spec;
    MinOutcome out = minimise(solver, x, p.lo, p.hi, law_objective, &p, tolerance, tight ? 500 : 300);
    out.converged = out.gradient <= 1e-6 * p.sum_weight * pull(&p, out.f) + tolerance;
    return out;
}

double law_refine(double *x, const LawProblem *problem, Minimiser *solver) {
    double widest = problem->spec.objective == OBJECTIVE_HUBER ? 10 * problem->spec.delta : 0;
    return refine(x, problem, solver, widest, false).f;
}

/* ---- Starts. ---- */

static void grid_start(double *x, const LawProblem *p, int s) {
    Law law = {.kind = p->spec.kind};
    law.kind->start(&law, s);
    for (int m = 0; m < p->arms; m++) law_variables(x, p, m, &law);
}

/* Terms of the size of the data: exponents 0.2 to 1, E at 0.3 or 0.8 of the least loss, and 1/4 or 3/4 of what is left
 * of the mean loss in the term of N. */
enum { EXPONENTS = 3, FEW = EXPONENTS * EXPONENTS * 2 * 2 };

static void few_start(double *x, const LawProblem *p, int s) {
    static const double exponent[EXPONENTS] = {0.2, 0.5, 1};
    double of_least = s / (EXPONENTS * EXPONENTS) % 2 ? 0.8 : 0.3;
    double share = s / (EXPONENTS * EXPONENTS * 2) ? 0.75 : 0.25;
    for (int m = 0; m < p->arms; m++) {
        const LawColumns *rows = &p->rows[m];
        double low = INFINITY, mean = 0, weight = 0;
        for (int64_t i = 0; i < rows->n; i++) {
            if (rows->w[i] <= 0) continue;
            low = fmin(low, rows->loss[i]);
            mean += rows->w[i] * rows->loss[i];
            weight += rows->w[i];
        }
        mean /= weight;
        double e = of_least * low;
        const double value[LAW_COEFFICIENTS] = {[LAW_A] = log((mean - e) * share + 1e-9),
                                                [LAW_B] = log((mean - e) * (1 - share) + 1e-9),
                                                [LAW_E] = log(e),
                                                [LAW_ALPHA] = exponent[s % EXPONENTS],
                                                [LAW_BETA] = exponent[s / EXPONENTS % EXPONENTS]};
        for (int c = 0; c < LAW_COEFFICIENTS; c++)
            if (p->slot[m][c] >= 0) x[p->slot[m][c]] = value[c];
    }
}

/* Is this the exponent beta where it is one variable with alpha? */
static bool tied(const LawProblem *p, int arm, int c) {
    return c == LAW_BETA && p->slot[arm][c] == p->slot[arm][LAW_ALPHA];
}

/* Starts of several arms that share something: their separate minima, the shared variables those of one arm, or the
 * mean of all arms (the last start). */
static int shared_starts(double *starts, const LawProblem *p, const Comm *comm) {
    double separate[TABLE_ARMS][LAW_VARIABLES] = {{0}};
    LawSpec spec = p->spec;
    if (spec.e == LAW_E_SHARED) spec.e = LAW_E_FREE;
    if (spec.exponents == LAW_EXPONENTS_SHARED) spec.exponents = LAW_EXPONENTS_FREE;
    for (int m = 0; m < p->arms; m++) {
        LawProblem own = law_problem(p->source[m], 1, &spec);
        LawFit fit;
        law_fit(&fit, &own, LAW_STARTS_FEW, comm);
        law_variables(separate[m], p, m, &fit.law[0]);
    }
    int users[LAW_VARIABLES] = {0};
    for (int m = 0; m < p->arms; m++)
        for (int c = 0; c < LAW_COEFFICIENTS; c++)
            if (p->slot[m][c] >= 0 && !tied(p, m, c)) users[p->slot[m][c]]++;
    for (int s = 0; s <= p->arms; s++)
        for (int m = 0; m < p->arms; m++)
            for (int c = 0; c < LAW_COEFFICIENTS; c++) {
                int v = p->slot[m][c];
                if (v < 0 || tied(p, m, c)) continue;
                if (s == p->arms || users[v] == 1)
                    starts[s * p->n + v] += separate[m][v] / users[v];
                else if (s == m)
                    starts[s * p->n + v] = separate[m][v];
            }
    return p->arms + 1;
}

/* ---- The best of them. ---- */

/* How many starts ended at the least objective, and how many at rest elsewhere. */
static void count_ends(LawFit *fit, const double *value, const double *settled, double least, double sum_weight) {
    for (int s = 0; s < fit->starts; s++) {
        bool same = value[s] <= least * (1 + 1e-6) + 1e-16 * sum_weight;
        fit->reached += same;
        fit->others += !same && settled[s] > 0;
    }
}

void law_fit(LawFit *fit, const LawProblem *p, LawStarts starts, const Comm *comm) {
    int n = p->n;
    *fit = (LawFit){.arms = p->arms, .n = n, .rows = p->n_rows, .varpro = NAN};
    double *given = p->arms > 1 ? MEM_NEW(double, (p->arms + 1) * n) : NULL;
    int separate = given ? shared_starts(given, p, comm) : 0;
    fit->starts = separate;
    if (starts == LAW_STARTS_GRID)
        fit->starts += p->spec.kind->starts;
    else if (!given)
        fit->starts += FEW;

    Minimiser *solver = minimiser_new(n, true);
    double *value = MEM_NEW(double, 2 * fit->starts);
    double *settled = value + fit->starts;
    double best = INFINITY;
    for (int s = comm_rank(comm); s < fit->starts; s += comm_size(comm)) {
        double x[LAW_VARIABLES];
        log_progress(s, fit->starts, "starts");
        if (s < separate)
            memcpy(x, given + s * n, (size_t)n * sizeof *x);
        else if (starts == LAW_STARTS_GRID)
            grid_start(x, p, s - separate);
        else
            few_start(x, p, s);
        MinOutcome out = refine(x, p, solver, far, false);
        value[s] = isfinite(out.f) ? out.f : lost;
        settled[s] = out.converged;
        if (value[s] < best) {
            best = value[s];
            memcpy(fit->x, x, (size_t)n * sizeof *x);
        }
    }
    comm_sum_f64(comm, value, 2 * fit->starts);
    int winner = 0;
    for (int s = 1; s < fit->starts; s++)
        if (value[s] < value[winner]) winner = s;
    comm_bcast(comm, fit->x, sizeof fit->x, winner % comm_size(comm));
    count_ends(fit, value, settled, value[winner], p->sum_weight);

    MinOutcome last = refine(fit->x, p, solver, far, true);
    fit->objective = last.f;
    fit->gradient = last.gradient;
    fit->converged = last.converged;
    for (int i = 0; i < n; i++) {
        double slack = 1e-7 * (p->hi[i] - p->lo[i]);
        fit->at_bound[i] = fit->x[i] <= p->lo[i] + slack || fit->x[i] >= p->hi[i] - slack;
    }
    for (int m = 0; m < p->arms; m++) fit->law[m] = law_of(p, fit->x, m);
    fit->condition = law_condition(p, fit->x);
    minimiser_free(solver);
    mem_free(value);
    mem_free(given);
}
