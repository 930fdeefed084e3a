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

/* ---- What is shared by descents from many starts. ---- */

/* Most starts come to the same few points of the widest zone, and what follows from there is known then. Differences of
 * `same_place` in the variables, which are logarithms and exponents, are far below the narrowest zone's effect. In that
 * zone few rows tell as much as many: they only say where to begin. */
enum { PLACES = 64, COARSE = 400 };
static const double same_place = 1e-6;

typedef struct Descents {
    LawProblem coarse; /* the problem, of arms with many rows with COARSE of them */
    double *store;     /* of its columns; owned, as all arrays */
    int places, next;  /* next: the one to be forgotten */
    double *at, *end;  /* (PLACES, variables) after the widest zone, and where that led */
    MinOutcome out[PLACES];
} Descents;

/* Some rows of every configuration, as columns at `to` (5, COARSE). */
static LawColumns some_rows(double *to, const LawRows *source, const LawColumns *all) {
    double *x = to, *y = x + COARSE, *z = y + COARSE, *loss = z + COARSE, *w = loss + COARSE;
    for (int64_t k = 0; k < COARSE; k++) {
        int64_t i = source->member[(2 * k + 1) * source->n / (2 * COARSE)];
        x[k] = all->x[i];
        y[k] = all->y[i];
        z[k] = all->z[i];
        loss[k] = all->loss[i];
        w[k] = all->w[i];
    }
    return (LawColumns){.n = COARSE, .x = x, .y = y, .z = z, .loss = loss, .w = w};
}

static Descents descents_new(const LawProblem *p) {
    enum { COLUMNS = 5 };
    Descents d = {.coarse = *p, .at = MEM_NEW(double, 2 * PLACES * p->n)};
    d.end = d.at + PLACES * p->n;
    d.store = MEM_NEW(double, p->arms *COLUMNS *COARSE);
    d.coarse.sum_weight = 0;
    for (int m = 0; m < p->arms; m++) {
        LawColumns *rows = &d.coarse.rows[m];
        if (p->source[m]->n > COARSE) *rows = some_rows(d.store + m * COLUMNS * COARSE, p->source[m], &p->rows[m]);
        for (int64_t i = 0; i < rows->n; i++) d.coarse.sum_weight += rows->w[i];
    }
    return d;
}

static void descents_free(Descents *d) {
    mem_free(d->at);
    mem_free(d->store);
}

/* The index of the place x; -1: no descent was there. */
static int descents_find(const Descents *d, const double *x) {
    int n = d->coarse.n;
    for (int k = 0; k < d->places; k++) {
        double off = 0;
        for (int i = 0; i < n; i++) off = fmax(off, fabs(x[i] - d->at[k * n + i]));
        if (off < same_place) return k;
    }
    return -1;
}

static void descents_add(Descents *d, const double *at, const double *end, const MinOutcome *out) {
    int n = d->coarse.n;
    memcpy(d->at + d->next * n, at, (size_t)n * sizeof *at);
    memcpy(d->end + d->next * n, end, (size_t)n * sizeof *end);
    d->out[d->next] = *out;
    d->next = (d->next + 1) % PLACES;
    if (d->places < PLACES) d->places++;
}

/* ---- One descent. ---- */

/* Through Huber zones from `widest` down. tight: to the last digit, which costs steps that no longer lower the
 * objective; the winner of the starts gets it. */
static MinOutcome refine(double *x, const LawProblem *problem, Minimiser *solver, double widest, bool tight) {
    LawProblem p = *problem;
    const LawSpec *spec = &problem->spec;
    double narrowest = spec->objective == OBJECTIVE_HUBER ? spec->delta * 1.5 : 0.05;
    double tolerance = tolerance_of(spec, tight) * p.sum_weight;
    p.spec.objective = OBJECTIVE_HUBER;
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

/* One of many: through the widest zone with the coarse problem, on with all rows unless another came by there. */
static MinOutcome descend(double *x, const LawProblem *problem, Minimiser *solver, Descents *d) {
    double at[LAW_VARIABLES];
    LawProblem p = d->coarse;
    p.spec.objective = OBJECTIVE_HUBER;
    p.spec.delta = far;
    minimiser_renew(solver);
    minimise(solver, x, p.lo, p.hi, law_objective, &p, 1e-13 * p.sum_weight, 200);
    int known = descents_find(d, x);
    if (known >= 0) {
        memcpy(x, d->end + known * p.n, (size_t)p.n * sizeof *x);
        return d->out[known];
    }
    memcpy(at, x, (size_t)p.n * sizeof *x);
    MinOutcome out = refine(x, problem, solver, 0.1 * far, false);
    descents_add(d, at, x, &out);
    return out;
}

double law_zone(const LawProblem *problem, const LawFit *near) {
    const LawSpec *spec = &problem->spec;
    if (spec->objective != OBJECTIVE_HUBER) return 0;
    const double wide = 10 * spec->delta;
    if (!near) return wide;
    /* The mean residual, as if all were beyond delta, and how far the law goes when they are drawn anew. */
    double residual = near->objective / (spec->delta * problem->sum_weight) + 0.5 * spec->delta;
    double moves = residual * sqrt((double)problem->n / (double)problem->n_rows);
    const double much = 0.25; /* of the zone */
    return moves < much * spec->delta ? spec->delta : wide;
}

double law_refine(double *x, const LawProblem *problem, double zone, Minimiser *solver) {
    minimiser_renew(solver);
    return refine(x, problem, solver, zone, false).f;
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

/* Where starts come from: those of several arms, then the law's grid or a few. */
typedef struct Starts {
    const double *given; /* (separate, variables) */
    int separate;
    LawStarts kind;
} Starts;

static void set_start(double *x, const Starts *all, const LawProblem *p, int s) {
    if (s < all->separate)
        memcpy(x, all->given + s * p->n, (size_t)p->n * sizeof *x);
    else if (all->kind == LAW_STARTS_GRID)
        grid_start(x, p, s - all->separate);
    else
        few_start(x, p, s);
}

/* x: the best point, whose last bits depend on what its rank had seen before. In its stead the end of the first start
 * that has come as low, made once more by every rank, if it does come as low without what others have seen. */
static void refine_winner(double *x, const Starts *all, const LawProblem *p, const double *value, double least,
                          Descents *d, Minimiser *solver) {
    const double as_low = 1 + 1e-8;
    double again[LAW_VARIABLES];
    int first = 0;
    while (value[first] > least * as_low) first++;
    d->places = 0;
    set_start(again, all, p, first);
    if (descend(again, p, solver, d).f <= least * as_low) memcpy(x, again, (size_t)p->n * sizeof *x);
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
    Descents descents = descents_new(p);
    double *value = MEM_NEW(double, 2 * fit->starts);
    double *settled = value + fit->starts;
    const Starts all = {given, separate, starts};
    double best = INFINITY;
    for (int s = comm_rank(comm); s < fit->starts; s += comm_size(comm)) {
        double x[LAW_VARIABLES];
        log_progress(s, fit->starts, "starts");
        set_start(x, &all, p, s);
        MinOutcome out = descend(x, p, solver, &descents);
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
    double least = value[winner];
    count_ends(fit, value, settled, least, p->sum_weight);
    comm_bcast(comm, fit->x, sizeof fit->x, winner % comm_size(comm));
    refine_winner(fit->x, &all, p, value, least, &descents, solver);
    minimiser_renew(solver);
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
    descents_free(&descents);
    mem_free(value);
    mem_free(given);
}
