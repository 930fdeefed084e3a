#include "fit/law.h"

#include "base/arena.h"
#include "base/err.h"
#include "math/minimise.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double no_e = -700; /* log E of E = 0: e^-700 vanishes beside any loss */

double law_loss(const Law *law, double n, double d) {
    return exp(law->e) + exp(law->a - law->alpha * log(n)) + exp(law->b - law->beta * log(d));
}

/* ---- Rows and problems. ---- */

LawRows law_rows(const Table *table, int arm) {
    LawRows r = {0};
    for (int64_t i = 0; i < table->n; i++) r.n += table->at[i].arm == arm && table->at[i].final;
    int64_t n = (r.n + KERNEL_ROWS - 1) / KERNEL_ROWS * KERNEL_ROWS;
    r.store = MEM_NEW(double, 5 * n + 1);
    r.point = MEM_NEW(int64_t, r.n + 1);
    double *x = r.store, *y = x + n, *z = y + n, *loss = z + n, *w = loss + n;
    int64_t k = 0;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (p->arm != arm || !p->final) continue;
        r.point[k] = i;
        x[k] = log(p->n), y[k] = log(p->d), z[k] = log(p->loss), loss[k] = p->loss, w[k] = p->weight;
        r.x0 += x[k] / (double)r.n, r.y0 += y[k] / (double)r.n;
        k++;
    }
    for (k = 0; k < r.n; k++) x[k] -= r.x0, y[k] -= r.y0;
    for (; k < n; k++) loss[k] = 1;
    r.config = MEM_NEW(int64_t, r.n + 1);
    for (k = 0; k < r.n; k++) {
        const Point *p = &table->at[r.point[k]];
        r.config[k] = -1;
        for (int64_t j = 0; j < k && r.config[k] < 0; j++) {
            const Point *q = &table->at[r.point[j]];
            if (p->n == q->n && p->d == q->d && p->dataset == q->dataset && p->seed != q->seed)
                r.config[k] = r.config[j];
        }
        if (r.config[k] < 0) r.config[k] = r.configs++;
    }
    r.first = MEM_NEW(int64_t, r.configs + 2);
    r.member = MEM_NEW(int64_t, r.n + 1);
    for (k = 0; k < r.n; k++) r.first[r.config[k] + 2]++;
    for (k = 0; k < r.configs; k++) r.first[k + 2] += r.first[k + 1];
    for (k = 0; k < r.n; k++) r.member[r.first[r.config[k] + 1]++] = k;
    r.k = (KernelRows){.n = n, .x = x, .y = y, .z = z, .loss = loss, .w = w};
    return r;
}

void law_rows_free(LawRows *rows) {
    mem_free(rows->store);
    mem_free(rows->point);
    mem_free(rows->config);
    mem_free(rows->first);
    mem_free(rows->member);
    *rows = (LawRows){0};
}

/* Exponents up to 5; a term may vanish to e^-25 of the loss, or E to e^-12 of it: such ends are reported as bounds. */
LawProblem law_problem(const LawRows *rows, int arms, const LawSpec *spec) {
    LawProblem p = {.spec = *spec, .arms = arms};
    double low = INFINITY, high = -INFINITY;
    int shared[LAW_COEFFICIENTS] = {-1, -1, -1, -1, -1};
    for (int m = 0; m < arms; m++) {
        const KernelRows *k = &rows[m].k;
        p.source[m] = &rows[m];
        p.rows[m] = *k, p.x0[m] = rows[m].x0, p.y0[m] = rows[m].y0, p.n_rows += rows[m].n;
        for (int64_t i = 0; i < rows[m].n; i++) {
            p.sum_weight += k->w[i];
            low = fmin(low, k->z[i]), high = fmax(high, k->z[i]);
        }
        for (int c = 0; c < LAW_COEFFICIENTS; c++) {
            bool exponent = c >= LAW_ALPHA;
            bool share = c == LAW_E ? spec->e == LAW_E_SHARED : exponent && spec->exponents == LAW_EXPONENTS_SHARED;
            if (c == LAW_E && spec->e == LAW_E_ZERO)
                p.slot[m][c] = -1;
            else if (c == LAW_BETA && spec->exponents == LAW_EXPONENTS_TIED)
                p.slot[m][c] = p.slot[m][LAW_ALPHA];
            else if (share && shared[c] >= 0)
                p.slot[m][c] = shared[c];
            else
                p.slot[m][c] = shared[c] = p.n++;
        }
    }
    for (int m = 0; m < arms; m++)
        for (int c = 0; c < LAW_COEFFICIENTS; c++) {
            int s = p.slot[m][c];
            if (s < 0) continue;
            p.lo[s] = c >= LAW_ALPHA ? 0 : c == LAW_E ? low - 12 : low - 25;
            p.hi[s] = c >= LAW_ALPHA ? 5 : c == LAW_E ? high : high + 40;
        }
    return p;
}

static double coefficient(const LawProblem *p, const double *x, int arm, int c) {
    return p->slot[arm][c] >= 0 ? x[p->slot[arm][c]] : no_e;
}

Law law_of(const LawProblem *p, const double *x, int arm) {
    Law law = {.alpha = coefficient(p, x, arm, LAW_ALPHA), .beta = coefficient(p, x, arm, LAW_BETA)};
    law.a = coefficient(p, x, arm, LAW_A) + law.alpha * p->x0[arm];
    law.b = coefficient(p, x, arm, LAW_B) + law.beta * p->y0[arm];
    law.e = p->slot[arm][LAW_E] < 0 ? -INFINITY : x[p->slot[arm][LAW_E]];
    return law;
}

void law_variables(double *x, const LawProblem *p, int arm, const Law *law) {
    double value[LAW_COEFFICIENTS] = {law->a - law->alpha * p->x0[arm], law->b - law->beta * p->y0[arm], law->e,
                                      law->alpha, law->beta};
    for (int c = LAW_COEFFICIENTS - 1; c >= 0; c--)
        if (p->slot[arm][c] >= 0) x[p->slot[arm][c]] = value[c];
}

double law_objective(void *context, const double *x, double *g, double *h) {
    const LawProblem *p = context;
    double f = 0;
    memset(g, 0, (size_t)p->n * sizeof *g);
    if (h) memset(h, 0, (size_t)(p->n * p->n) * sizeof *h);
    for (int m = 0; m < p->arms; m++) {
        double c[LAW_COEFFICIENTS], gc[LAW_COEFFICIENTS] = {0}, hc[LAW_COEFFICIENTS * LAW_COEFFICIENTS] = {0};
        for (int k = 0; k < LAW_COEFFICIENTS; k++) c[k] = coefficient(p, x, m, k);
        f += kernel_sum(&p->rows[m], p->spec.objective, p->spec.delta, c, gc, h ? hc : NULL);
        for (int k = 0; k < LAW_COEFFICIENTS; k++) {
            int s = p->slot[m][k];
            if (s < 0) continue;
            g[s] += gc[k];
            for (int l = 0; h && l < LAW_COEFFICIENTS; l++)
                if (p->slot[m][l] >= 0) h[s * p->n + p->slot[m][l]] += hc[k * LAW_COEFFICIENTS + l];
        }
    }
    return f;
}

/* ---- The direct route. ---- */

static const double far = 0.1; /* where the descent from a start begins: most residuals are within */

/* The size of a residual's pull, for judging gradients: delta, or the root mean square. */
static double pull(const LawProblem *p, double f) {
    double rms = sqrt(2 * f / p->sum_weight);
    return p->spec.objective == OBJECTIVE_HUBER ? fmin(p->spec.delta, rms) : rms;
}

/* Through Huber zones from `widest` down. tight: to the last digit, which costs steps that no longer lower the
 * objective; the winner of the starts gets it. */
static MinOutcome refine(double *x, const LawProblem *problem, Minimiser *solver, double widest, bool tight) {
    LawProblem p = *problem;
    double final_delta = problem->spec.delta;
    bool huber = problem->spec.objective == OBJECTIVE_HUBER;
    double tolerance = (tight ? 1e-14 : huber ? 1e-8 * final_delta : 1e-11) * p.sum_weight;
    p.spec.objective = OBJECTIVE_HUBER;
    minimiser_renew(solver);
    for (double delta = widest; delta > (huber ? final_delta * 1.5 : 0.05); delta *= 0.1) {
        p.spec.delta = delta;
        /* Tight while it is cheap: far starts crawl out of flat regions only so. */
        minimise(solver, x, p.lo, p.hi, law_objective, &p,
                 delta > 0.05 ? 1e-13 * p.sum_weight : 1e-4 * delta * p.sum_weight, 200);
    }
    p.spec = problem->spec;
    MinOutcome out = minimise(solver, x, p.lo, p.hi, law_objective, &p, tolerance, tight ? 500 : 300);
    out.converged = out.gradient <= 1e-6 * p.sum_weight * pull(&p, out.f) + tolerance;
    return out;
}

double law_refine(double *x, const LawProblem *problem, Minimiser *solver) {
    return refine(x, problem, solver, problem->spec.objective == OBJECTIVE_HUBER ? 10 * problem->spec.delta : 0, false)
        .f;
}

/* Start s of the published grid, as a law in the units of the table. */
enum { GRID = 4500, GRID_FEW = 36 };
static Law grid_start(int s) {
    int alpha = s % 5, beta = s / 5 % 5, e = s / 25 % 5, a = s / 125 % 6, b = s / 750;
    return (Law){.a = 5 * a, .b = 5 * b, .e = 0.5 * e - 1, .alpha = 0.5 * alpha, .beta = 0.5 * beta};
}

/* Starts whose terms have the size of the data: exponents 0.2 to 1, E at 0.3 or 0.8 of the least loss. */
static void few_start(double *x, const LawProblem *p, int s) {
    static const double exponent[] = {0.2, 0.5, 1};
    for (int m = 0; m < p->arms; m++) {
        double low = INFINITY, mean = 0, weight = 0;
        for (int64_t i = 0; i < p->rows[m].n; i++) {
            if (p->rows[m].w[i] <= 0) continue;
            low = fmin(low, p->rows[m].loss[i]);
            mean += p->rows[m].w[i] * p->rows[m].loss[i], weight += p->rows[m].w[i];
        }
        mean /= weight;
        double e = (s / 9 % 2 ? 0.8 : 0.3) * low, share = s / 18 ? 0.75 : 0.25;
        double value[] = {log((mean - e) * share + 1e-9), log((mean - e) * (1 - share) + 1e-9), log(e), exponent[s % 3],
                          exponent[s / 3 % 3]};
        for (int c = 0; c < LAW_COEFFICIENTS; c++)
            if (p->slot[m][c] >= 0) x[p->slot[m][c]] = value[c];
    }
}

double law_condition(const LawProblem *problem, const double *x) {
    LawProblem p = *problem;
    static double h[LAW_VARIABLES * LAW_VARIABLES];
    double g[LAW_VARIABLES];
    /* At loss = S the residuals vanish and the Hessian of least squares is J'J. */
    for (int m = 0; m < p.arms; m++) {
        double c[LAW_COEFFICIENTS];
        for (int k = 0; k < LAW_COEFFICIENTS; k++) c[k] = coefficient(&p, x, m, k);
        double *z = MEM_NEW(double, 2 * p.rows[m].n), *loss = z + p.rows[m].n;
        kernel_predict(loss, &p.rows[m], c);
        for (int64_t i = 0; i < p.rows[m].n; i++) z[i] = log(loss[i]);
        p.rows[m].z = z, p.rows[m].loss = loss;
    }
    if (p.spec.objective == OBJECTIVE_HUBER) p.spec.objective = OBJECTIVE_LOG;
    law_objective(&p, x, g, h);
    for (int m = 0; m < p.arms; m++) mem_free((void *)p.rows[m].z);
    return p.n <= STATS_MAX ? stats_condition(h, p.n) : NAN;
}

static bool tied(const LawProblem *p, int arm, int c) {
    return c == LAW_BETA && p->slot[arm][c] == p->slot[arm][LAW_ALPHA];
}

/* Starts of several arms that share something: their separate minima, the shared variables the mean of all arms or
 * those of one arm. */
static int shared_starts(double *starts, const LawProblem *p, const Comm *comm) {
    double separate[TABLE_ARMS][LAW_VARIABLES] = {{0}};
    for (int m = 0; m < p->arms; m++) {
        LawRows rows = *p->source[m];
        LawSpec spec = p->spec;
        if (spec.e == LAW_E_SHARED) spec.e = LAW_E_FREE;
        if (spec.exponents == LAW_EXPONENTS_SHARED) spec.exponents = LAW_EXPONENTS_FREE;
        LawProblem own = law_problem(&rows, 1, &spec);
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

void law_fit(LawFit *fit, const LawProblem *p, LawStarts starts, const Comm *comm) {
    int n = p->n, rank = comm_rank(comm), size = comm_size(comm);
    *fit = (LawFit){.arms = p->arms, .n = n, .rows = p->n_rows, .varpro = NAN};
    double *given = p->arms > 1 ? MEM_NEW(double, (p->arms + 1) * n) : NULL;
    int separate = given ? shared_starts(given, p, comm) : 0;
    fit->starts = separate + (starts == LAW_STARTS_GRID ? GRID : given ? 0 : GRID_FEW);

    Minimiser *solver = minimiser_new(n, true);
    double *value = MEM_NEW(double, 2 * fit->starts), *settled = value + fit->starts;
    double best = INFINITY, x[LAW_VARIABLES];
    for (int s = rank; s < fit->starts; s += size) {
        if (s < separate) {
            memcpy(x, given + s * n, (size_t)n * sizeof *x);
        } else if (starts == LAW_STARTS_GRID) {
            Law law = grid_start(s - separate);
            for (int m = 0; m < p->arms; m++) law_variables(x, p, m, &law);
        } else {
            few_start(x, p, s);
        }
        MinOutcome out = refine(x, p, solver, far, false);
        value[s] = isfinite(out.f) ? out.f : 1e300;
        settled[s] = out.converged;
        if (value[s] < best) best = value[s], memcpy(fit->x, x, (size_t)n * sizeof *x);
    }
    comm_sum_f64(comm, value, 2 * fit->starts);
    int winner = 0;
    for (int s = 1; s < fit->starts; s++)
        if (value[s] < value[winner]) winner = s;
    comm_bcast(comm, fit->x, sizeof fit->x, winner % size);
    for (int s = 0; s < fit->starts; s++) {
        bool same = value[s] <= value[winner] * (1 + 1e-6) + 1e-16 * p->sum_weight;
        fit->reached += same;
        fit->others += !same && settled[s] > 0;
    }

    MinOutcome last = refine(fit->x, p, solver, far, true);
    fit->objective = last.f, fit->gradient = last.gradient, fit->converged = last.converged;
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

/* D = constant N^exponent in all rows (to 2 % rms), the exponent positive: which term is which then cannot be told. */
static bool follows(double *exponent, const KernelRows *k) {
    double w = 0, mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
    for (int64_t i = 0; i < k->n; i++) w += k->w[i], mx += k->w[i] * k->x[i], my += k->w[i] * k->y[i];
    mx /= w, my /= w;
    for (int64_t i = 0; i < k->n; i++) {
        double u = k->x[i] - mx, v = k->y[i] - my;
        xx += k->w[i] * u * u, xy += k->w[i] * u * v, yy += k->w[i] * v * v;
    }
    *exponent = xy / xx;
    return xy > 0 && (yy - xy * xy / xx) / w < 0.02 * 0.02;
}

bool law_nearly_absolute(const LawProblem *p, const LawFit *fit) {
    double beyond = 0, rows = 0;
    for (int m = 0; m < p->arms && p->spec.objective == OBJECTIVE_HUBER; m++) {
        const KernelRows *k = &p->rows[m];
        double c[LAW_COEFFICIENTS], *s = MEM_NEW(double, k->n + 1);
        for (int i = 0; i < LAW_COEFFICIENTS; i++) c[i] = coefficient(p, fit->x, m, i);
        kernel_predict(s, k, c);
        for (int64_t i = 0; i < k->n; i++)
            if (k->w[i] > 0) rows++, beyond += fabs(k->z[i] - log(s[i])) > p->spec.delta;
        mem_free(s);
    }
    return beyond > 0.5 * rows;
}

void law_status(char *text, size_t size, const LawFit *fit, const LawProblem *p, int arm) {
    static const char *const name[LAW_COEFFICIENTS] = {"A", "B", "E", "alpha", "beta"};
    int distinct[2] = {0, 0};
    double exponent;
    const KernelRows *k = &p->rows[arm];
    for (int axis = 0; axis < 2; axis++)
        for (int64_t i = 0; i < k->n; i++) {
            const double *v = axis ? k->y : k->x;
            bool first = k->w[i] > 0;
            for (int64_t j = 0; j < i && first; j++) first = k->w[j] <= 0 || fabs(v[j] - v[i]) > 1e-3;
            distinct[axis] += first;
        }
    bool own = p->arms == 1 || p->spec.exponents != LAW_EXPONENTS_SHARED; /* exponents, not those of other arms */
    if (fit->rows <= p->n) {
        snprintf(text, size, "not identifiable: %lld rows for %d coefficients", (long long)fit->rows, p->n);
    } else if (own && (distinct[0] < 3 || distinct[1] < 3)) {
        snprintf(text, size, "not identifiable: %d distinct %s, want at least 3", distinct[distinct[0] < 3 ? 0 : 1],
                 distinct[0] < 3 ? "N" : "D");
    } else if (own && follows(&exponent, k)) {
        snprintf(text, size, "not identifiable: D follows N^%.2f in all rows", exponent);
    } else if (fit->condition > 1e9) {
        snprintf(text, size, "not identifiable: condition number %.1e", fit->condition);
    } else {
        for (int c = 0; c < LAW_COEFFICIENTS; c++) {
            int s = p->slot[arm][c];
            if (s >= 0 && fit->at_bound[s]) {
                snprintf(text, size, "at a bound: %s", name[c]);
                return;
            }
        }
        snprintf(text, size, fit->converged ? "converged" : "not converged: gradient %.1e", fit->gradient);
    }
}
