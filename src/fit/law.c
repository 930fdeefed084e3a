#include "fit/law.h"

#include "base/arena.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double nothing = -700; /* logarithm of 0: e^-700 vanishes beside any loss, and is finite */

Misfit law_misfit(const LawSpec *spec) {
    double quantile = spec->quantile > 0 ? spec->quantile : 0.5;
    return (Misfit){
        .objective = spec->objective, .delta = spec->delta, .above = 2 * quantile, .below = 2 * (1 - quantile)};
}

/* ---- Problems. ---- */

/* Gives each coefficient of arm m its variable; `shared` holds those that an arm before has made for all. */
static void give_slots(LawProblem *p, int m, int shared[LAW_COEFFICIENTS]) {
    const LawSpec *spec = &p->spec;
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        bool exponent = c == LAW_ALPHA || c == LAW_BETA;
        bool share_e = c == LAW_E && spec->e == LAW_E_SHARED;
        bool share = share_e || (exponent && spec->exponents == LAW_EXPONENTS_SHARED);
        bool fixed = c == LAW_E && (spec->e == LAW_E_ZERO || spec->e == LAW_E_FIXED);
        if (fixed || !law_has(spec->kind, c))
            p->slot[m][c] = -1;
        else if (c == LAW_BETA && spec->exponents == LAW_EXPONENTS_TIED)
            p->slot[m][c] = p->slot[m][LAW_ALPHA];
        else if (share && shared[c] >= 0)
            p->slot[m][c] = shared[c];
        else
            p->slot[m][c] = shared[c] = p->n++;
    }
}

/* low, high: logs of the least and the largest loss. Two coefficients that are one variable keep to both bounds. */
static void set_bounds(LawProblem *p, double low, double high) {
    for (int v = 0; v < p->n; v++) {
        p->lo[v] = -INFINITY;
        p->hi[v] = INFINITY;
    }
    for (int m = 0; m < p->arms; m++)
        for (int c = 0; c < LAW_COEFFICIENTS; c++) {
            const LawCoefficient *k = &p->spec.kind->coefficient[c];
            int v = p->slot[m][c];
            if (v < 0) continue;
            p->lo[v] = fmax(p->lo[v], k->of_loss ? low + k->lo : k->lo);
            p->hi[v] = fmin(p->hi[v], k->of_loss ? high + k->hi : k->hi);
        }
}

LawProblem law_problem(const LawRows *rows, int arms, const LawSpec *spec) {
    LawProblem p = {.spec = *spec, .arms = arms};
    double low = INFINITY;
    double high = -INFINITY;
    int shared[LAW_COEFFICIENTS] = {-1, -1, -1, -1, -1};
    for (int m = 0; m < arms; m++) {
        const LawColumns *k = &rows[m].k;
        p.source[m] = &rows[m];
        p.rows[m] = *k;
        p.x0[m] = rows[m].x0;
        p.y0[m] = rows[m].y0;
        p.n_rows += rows[m].n;
        for (int64_t i = 0; i < rows[m].n; i++) {
            p.sum_weight += k->w[i];
            low = fmin(low, k->z[i]);
            high = fmax(high, k->z[i]);
        }
        give_slots(&p, m, shared);
    }
    set_bounds(&p, low, high);
    return p;
}

/* What a coefficient is that is no variable. */
static double fixed_at(const LawSpec *spec, int c) {
    if (c == LAW_ALPHA || c == LAW_BETA) return 0;
    bool given = c == LAW_E && spec->e == LAW_E_FIXED && law_has(spec->kind, LAW_E);
    return given ? log(spec->e_value) : nothing;
}

void law_coefficients(double *c, const LawProblem *p, const double *x, int arm) {
    for (int k = 0; k < LAW_COEFFICIENTS; k++) {
        int slot = p->slot[arm][k];
        c[k] = slot >= 0 ? x[slot] : fixed_at(&p->spec, k);
    }
}

/* The logarithm of a coefficient, -INFINITY of one that is fixed at 0. */
static double log_or_none(double c) {
    return c > nothing ? c : -INFINITY;
}

Law law_of(const LawProblem *p, const double *x, int arm) {
    double c[LAW_COEFFICIENTS];
    law_coefficients(c, p, x, arm);
    Law law = {.alpha = c[LAW_ALPHA], .beta = c[LAW_BETA], .kind = p->spec.kind};
    law.a = c[LAW_A] + law.alpha * p->x0[arm];
    law.b = log_or_none(c[LAW_B] + law.beta * p->y0[arm]);
    law.e = log_or_none(c[LAW_E]);
    return law;
}

void law_variables(double *x, const LawProblem *p, int arm, const Law *law) {
    double c[LAW_COEFFICIENTS];
    law_centred(c, law, p->x0[arm], p->y0[arm]);
    for (int k = LAW_COEFFICIENTS - 1; k >= 0; k--) /* alpha last: tied exponents start from it */
        if (p->slot[arm][k] >= 0) x[p->slot[arm][k]] = c[k];
}

double law_objective(void *context, const double *x, double *g, double *h) {
    const LawProblem *p = context;
    const LawSpec *spec = &p->spec;
    const Misfit misfit = law_misfit(spec);
    double f = 0;
    memset(g, 0, (size_t)p->n * sizeof *g);
    if (h) memset(h, 0, (size_t)(p->n * p->n) * sizeof *h);
    for (int m = 0; m < p->arms; m++) {
        double c[LAW_COEFFICIENTS];
        double gc[LAW_COEFFICIENTS] = {0};
        double hc[LAW_COEFFICIENTS * LAW_COEFFICIENTS] = {0};
        law_coefficients(c, p, x, m);
        f += spec->kind->sum->objective(&p->rows[m], &misfit, c, gc, h ? hc : NULL);
        for (int k = 0; k < LAW_COEFFICIENTS; k++) {
            int s = p->slot[m][k];
            if (s < 0) continue;
            g[s] += gc[k];
            for (int l = 0; h && l < LAW_COEFFICIENTS; l++) {
                int t = p->slot[m][l];
                if (t >= 0) h[s * p->n + t] += hc[k * LAW_COEFFICIENTS + l];
            }
        }
    }
    return f;
}

/* ---- How well a fit is determined. ---- */

double law_condition(const LawProblem *problem, const double *x) {
    LawProblem p = *problem;
    /* At loss = S the residuals vanish and the Hessian of least squares is J'J. */
    for (int m = 0; m < p.arms; m++) {
        double c[LAW_COEFFICIENTS];
        double *z = MEM_NEW(double, 2 * p.rows[m].n + 1);
        double *loss = z + p.rows[m].n;
        law_coefficients(c, &p, x, m);
        law_predict(loss, p.spec.kind, &p.rows[m], c);
        for (int64_t i = 0; i < p.rows[m].n; i++) z[i] = log(loss[i]);
        p.rows[m].z = z;
        p.rows[m].loss = loss;
    }
    if (p.spec.objective == OBJECTIVE_HUBER) p.spec.objective = OBJECTIVE_LOG;
    double g[LAW_VARIABLES];
    double *h = MEM_NEW(double, p.n *p.n + 1);
    law_objective(&p, x, g, h);
    double condition = stats_condition(h, p.n);
    for (int m = 0; m < p.arms; m++) mem_free((void *)p.rows[m].z);
    mem_free(h);
    return condition;
}

bool law_nearly_absolute(const LawProblem *p, const LawFit *fit) {
    if (p->spec.objective != OBJECTIVE_HUBER) return false;
    int64_t beyond = 0;
    int64_t rows = 0;
    for (int m = 0; m < p->arms; m++) {
        const LawColumns *k = &p->rows[m];
        double c[LAW_COEFFICIENTS];
        double *s = MEM_NEW(double, k->n + 1);
        law_coefficients(c, p, fit->x, m);
        law_predict(s, p->spec.kind, k, c);
        for (int64_t i = 0; i < k->n; i++) {
            if (k->w[i] <= 0) continue;
            rows++;
            beyond += fabs(k->z[i] - log(s[i])) > p->spec.delta;
        }
        mem_free(s);
    }
    return 2 * beyond > rows;
}

/* ---- Status. ---- */

enum { DISTINCT_WANTED = 3 };              /* sizes, and lengths, below which a power of them cannot be told from E */
enum { SPARE_ROWS = 3 };                   /* beyond the coefficients: what fewer leave says nothing of their errors */
static const double apart = 1e-3;          /* in log N or log D: less is the same size or length */
static const double line_rms = 0.02;       /* of log D about a line in log N */
static const double condition_limit = 1e9; /* of J'J: beyond it half the digits of a coefficient are noise */

/* How many distinct values: exact up to DISTINCT_WANTED, which is where it stops. */
static int distinct(const LawColumns *k, const double *v) {
    double seen[DISTINCT_WANTED];
    int n = 0;
    for (int64_t i = 0; i < k->n && n < DISTINCT_WANTED; i++) {
        bool new_value = k->w[i] > 0;
        for (int j = 0; j < n && new_value; j++) new_value = fabs(seen[j] - v[i]) > apart;
        if (new_value) seen[n++] = v[i];
    }
    return n;
}

/* D = constant N^exponent in all rows, the exponent positive: which term is which then cannot be told. */
static bool follows(double *exponent, const LawColumns *k) {
    double w = 0, mx = 0, my = 0;
    for (int64_t i = 0; i < k->n; i++) {
        w += k->w[i];
        mx += k->w[i] * k->x[i];
        my += k->w[i] * k->y[i];
    }
    mx /= w;
    my /= w;
    double xx = 0, xy = 0, yy = 0;
    for (int64_t i = 0; i < k->n; i++) {
        double u = k->x[i] - mx;
        double v = k->y[i] - my;
        xx += k->w[i] * u * u;
        xy += k->w[i] * u * v;
        yy += k->w[i] * v * v;
    }
    *exponent = xy / xx;
    double residual = (yy - xy * xy / xx) / w;
    return xy > 0 && residual < line_rms * line_rms;
}

LawVerdict law_status(char *text, size_t size, const LawFit *fit, const LawProblem *p, int arm) {
    const LawColumns *k = &p->rows[arm];
    bool own = p->arms == 1 || p->spec.exponents != LAW_EXPONENTS_SHARED; /* exponents, not those of other arms */
    static const char *const axis[] = {[LAW_OF_N_AND_D] = "N", [LAW_OF_N] = "N", [LAW_OF_D] = "D", [LAW_OF_C] = "C"};
    bool two = law_splits(p->spec.kind); /* axes */
    int sizes = distinct(k, k->x);
    int lengths = distinct(k, k->y);
    double exponent;
    int wanted = p->n + (two ? SPARE_ROWS : 1);
    if (fit->rows < wanted) {
        snprintf(text, size, "not identifiable: %lld row%s for %d coefficients, want at least %d", (long long)fit->rows,
                 fit->rows == 1 ? "" : "s", p->n, wanted);
        return LAW_NOT_IDENTIFIABLE;
    }
    if (own && sizes < DISTINCT_WANTED) {
        snprintf(text, size, "not identifiable: %d distinct %s, want at least %d", sizes, axis[p->spec.kind->axes],
                 DISTINCT_WANTED);
        return LAW_NOT_IDENTIFIABLE;
    }
    if (own && two && lengths < DISTINCT_WANTED) {
        snprintf(text, size, "not identifiable: %d distinct D, want at least %d", lengths, DISTINCT_WANTED);
        return LAW_NOT_IDENTIFIABLE;
    }
    if (own && two && follows(&exponent, k)) {
        snprintf(text, size, "not identifiable: D follows N^%.2f in all rows", exponent);
        return LAW_NOT_IDENTIFIABLE;
    }
    if (fit->condition > condition_limit) {
        snprintf(text, size, "not identifiable: rows do not tell coefficients apart, condition number %.1e",
                 fit->condition);
        return LAW_NOT_IDENTIFIABLE;
    }
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        int s = p->slot[arm][c];
        if (s < 0 || !fit->at_bound[s]) continue;
        if (two && (c == LAW_A || c == LAW_B)) { /* the optimum has nothing to weigh */
            snprintf(text, size, "not identifiable: %s vanishes", p->spec.kind->coefficient[c].name);
            return LAW_NOT_IDENTIFIABLE;
        }
        snprintf(text, size, "at a bound: %s", p->spec.kind->coefficient[c].name);
        return LAW_AT_BOUND;
    }
    if (!fit->converged) {
        snprintf(text, size, "not converged: gradient %.1e", fit->gradient);
        return LAW_NOT_CONVERGED;
    }
    snprintf(text, size, "converged");
    return LAW_CONVERGED;
}
