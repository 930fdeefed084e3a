#include "infer/rates.h"

#include "base/arena.h"
#include "fit/cost.h"
#include "fit/law.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A parabola holds for rates within these factors below and above a case's best: too high a rate is a cliff. */
static const double BELOW = 4.5, ABOVE = 2.5;
static const double REFERENCE_N = 1e5; /* parameters at which lr0 is given */
enum { RATES = 64, TERMS = 4 };        /* TERMS: log^2 lr, log lr, n log lr, s log lr */
enum { LEAST_CASES = 9 };              /* that a law of four coefficients is fitted to */

/* A cell as the fit sees it. */
typedef struct Sweep {
    int in;      /* case */
    double x, y; /* log rate, log validation loss; infinite when it diverged */
    double n, s; /* log(N / 1e5), log S */
} Sweep;

/* ---- Cases. ---- */

static bool same_case(const RateCase *c, const CellRecord *r) {
    return c->parameters == r->parameters && c->steps == r->steps && c->batch == r->batch && c->dataset == r->dataset &&
           c->width == r->width && c->depth == r->depth && c->heads == r->heads &&
           (c->swept == r->swept || (isnan(c->swept) && isnan(r->swept)));
}

static int by_size_and_length(const void *a, const void *b) {
    const RateCase *x = a, *y = b;
    if (x->parameters != y->parameters) return x->parameters < y->parameters ? -1 : 1;
    return (x->steps > y->steps) - (x->steps < y->steps);
}

static Err find_cases(RateRule *rule, const Results *results) {
    for (int64_t i = 0; i < results->cells; i++) {
        const CellRecord *r = &results->cell[i];
        bool known = strcmp(r->arm, rule->arm) != 0;
        for (int k = 0; k < rule->cases && !known; k++) known = same_case(&rule->at[k], r);
        if (known) continue;
        if (rule->cases == RATES_CASES)
            return err_user("arm %s: more than %d sizes and lengths: want fewer in a sweep", rule->arm, RATES_CASES);
        rule->at[rule->cases++] = (RateCase){.parameters = r->parameters,
                                             .steps = r->steps,
                                             .batch = r->batch,
                                             .dataset = r->dataset,
                                             .width = r->width,
                                             .depth = r->depth,
                                             .heads = r->heads,
                                             .swept = r->swept};
    }
    qsort(rule->at, (size_t)rule->cases, sizeof *rule->at, by_size_and_length);
    return ERR_NONE;
}

static int64_t collect(Sweep *sweep, const RateRule *rule, const Results *results) {
    int64_t n = 0;
    for (int64_t i = 0; i < results->cells; i++) {
        const CellRecord *r = &results->cell[i];
        if (strcmp(r->arm, rule->arm)) continue;
        Sweep *s = &sweep[n++];
        for (s->in = 0; !same_case(&rule->at[s->in], r);) s->in++;
        bool done = r->outcome == OUTCOME_DONE && r->validation_loss > 0;
        *s = (Sweep){.in = s->in,
                     .x = log(r->lr),
                     .y = done ? log(r->validation_loss) : INFINITY,
                     .n = log((double)r->parameters / REFERENCE_N),
                     .s = log((double)r->steps)};
    }
    return n;
}

static bool same_rate(double x, double y) {
    return fabs(x - y) < 1e-6;
}

/* The best rate of each case, and whether anything lies beyond it. */
static void find_best(RateRule *rule, const Sweep *sweep, int64_t n) {
    for (int k = 0; k < rule->cases; k++) {
        RateCase *c = &rule->at[k];
        double x[RATES] = {0}, sum[RATES] = {0}, low = INFINITY, high = -INFINITY;
        int seeds[RATES] = {0}, best = 0;
        for (int64_t i = 0; i < n; i++) {
            if (sweep[i].in != k) continue;
            int r = 0;
            while (r < c->rates && !same_rate(x[r], sweep[i].x)) r++;
            if (r == RATES) continue;
            if (r == c->rates) x[c->rates++] = sweep[i].x;
            sum[r] += sweep[i].y;
            seeds[r]++;
            low = fmin(low, sweep[i].x);
            high = fmax(high, sweep[i].x);
        }
        for (int r = 1; r < c->rates; r++)
            if (sum[r] / seeds[r] < sum[best] / seeds[best]) best = r;
        c->best = exp(x[best]);
        c->seeds = seeds[best];
        c->edge = same_rate(x[best], low) || same_rate(x[best], high);
        rule->edges += c->edge;
    }
}

/* ---- Least squares. ---- */

/* Leaves the rows near their case's best rate; returns how many, or 0 where too few cases vary. */
static int64_t keep_near(Sweep *sweep, int64_t n, const RateRule *rule) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        double off = sweep[i].x - log(rule->at[sweep[i].in].best);
        if (isfinite(sweep[i].y) && off > -log(BELOW) && off < log(ABOVE)) sweep[kept++] = sweep[i];
    }
    return kept;
}

/* Each column less its mean over the case. */
static void take_means(double *column, int stride, const Sweep *sweep, int64_t n, int cases) {
    double mean[RATES_CASES] = {0}, rows[RATES_CASES] = {0};
    for (int64_t i = 0; i < n; i++) {
        mean[sweep[i].in] += column[i * stride];
        rows[sweep[i].in]++;
    }
    for (int k = 0; k < cases; k++) mean[k] /= fmax(rows[k], 1);
    for (int64_t i = 0; i < n; i++) column[i * stride] -= mean[sweep[i].in];
}

/* Coefficients of the first `terms` terms for this s0, and the sum of squares that they leave; false where the rows do
 * not determine them. */
static bool solve(double c[TERMS], double covariance[TERMS * TERMS], double *left, const Sweep *sweep, int64_t n,
                  int cases, double s0, int terms) {
    double *x = MEM_NEW(double, n *terms), *y = MEM_NEW(double, n), *w = MEM_NEW(double, n), variance;
    for (int64_t i = 0; i < n; i++) {
        const Sweep *s = &sweep[i];
        const double term[TERMS] = {s->x * s->x, s->x, s->n * s->x, fmax(0, s->s - log(s0)) * s->x};
        memcpy(x + i * terms, term, (size_t)terms * sizeof *x);
        y[i] = s->y;
        w[i] = 1;
    }
    for (int t = 0; t < terms; t++) take_means(x + t, terms, sweep, n, cases);
    take_means(y, 1, sweep, n, cases);
    bool good = stats_lsq(c, covariance, &variance, x, y, w, n, terms);
    *left = 0;
    for (int64_t i = 0; i < n && good; i++) {
        double e = y[i];
        for (int t = 0; t < terms; t++) e -= c[t] * x[i * terms + t];
        *left += e * e;
    }
    mem_free(x);
    mem_free(y);
    mem_free(w);
    return good;
}

static double rule_at(const RateRule *r, double n, double s) {
    return log(r->lr) - r->p * n - r->q * fmax(0, s - log(r->s0));
}

/* From coefficients to the rule: the bottom of k x^2 + b x is at -b / 2k. Standard errors by the delta method. */
static void read_rule(RateRule *rule, const double c[TERMS], const double *covariance, int terms, double s0) {
    double k = c[0], se[TERMS] = {0};
    for (int t = 1; t < terms; t++) {
        double at = -c[t] / (2 * k), dk = c[t] / (2 * k * k), db = -1 / (2 * k);
        double v = dk * dk * covariance[0] + db * db * covariance[t * terms + t] + 2 * dk * db * covariance[t];
        se[t] = sqrt(fmax(v, 0));
        if (t == 1) rule->lr = exp(at);
        if (t == 2) rule->p = -at;
        if (t == 3) rule->q = -at;
    }
    rule->curvature = k;
    rule->s0 = s0;
    rule->lr_se = se[1];
    rule->p_se = se[2];
    rule->q_se = terms == TERMS ? se[3] : NAN;
    if (terms < TERMS) rule->q = 0;
}

/* Tries every bend s0 at and between the lengths of the sweep; a rule whose rate would rise with length has none. */
static bool fit_rule(RateRule *rule, const Sweep *sweep, int64_t n) {
    double c[TERMS], covariance[TERMS * TERMS], left, least = INFINITY, length[RATES_CASES];
    int lengths = 0, terms = TERMS;
    for (int k = 0; k < rule->cases; k++) length[lengths++] = (double)rule->at[k].steps;
    stats_sort(length, lengths);
    for (int k = 0; k + 1 < lengths; k++)
        for (int half = 0; half < 2; half++) {
            double s0 = half ? sqrt(length[k] * length[k + 1]) : length[k];
            if (length[k] == length[k + 1] || !solve(c, covariance, &left, sweep, n, rule->cases, s0, terms)) continue;
            if (left >= least || c[0] <= 0) continue;
            least = left;
            read_rule(rule, c, covariance, terms, s0);
        }
    if (!isfinite(least) || rule->q <= 0) {
        terms = TERMS - 1;
        if (!solve(c, covariance, &least, sweep, n, rule->cases, 1, terms) || c[0] <= 0) return false;
        read_rule(rule, c, covariance, terms, length[0]);
    }
    int cases = 0; /* that still have rows */
    for (int k = 0; k < rule->cases; k++)
        for (int64_t i = 0; i < n; i++)
            if (sweep[i].in == k) {
                cases++;
                break;
            }
    int64_t free_rows = n - cases - terms;
    rule->noise = free_rows > 0 ? sqrt(least / (double)free_rows) : NAN;
    return true;
}

/* Each case's own parabola, of the arm's curvature, and what the rule costs in it. */
static void judge(RateRule *rule, const Sweep *sweep, int64_t n) {
    double cost[RATES_CASES];
    int judged = 0;
    for (int k = 0; k < rule->cases; k++) {
        RateCase *c = &rule->at[k];
        double rows = 0, x = 0, z = 0, xx = 0, xz = 0; /* z: log loss less the quadratic term */
        for (int64_t i = 0; i < n; i++) {
            if (sweep[i].in != k) continue;
            double square = sweep[i].y - rule->curvature * sweep[i].x * sweep[i].x;
            rows++;
            x += sweep[i].x;
            z += square;
            xx += sweep[i].x * sweep[i].x;
            xz += sweep[i].x * square;
        }
        double spread = xx - x * x / rows;
        double slope = spread > 1e-6 ? (xz - x * z / rows) / spread : NAN, own = -slope / (2 * rule->curvature);
        c->own = exp(own);
        c->loss = exp((z - slope * x) / rows - rule->curvature * own * own);
        c->rule = exp(rule_at(rule, log((double)c->parameters / REFERENCE_N), log((double)c->steps)));
        c->cost = rule->curvature * pow(log(c->rule) - own, 2);
        if (isfinite(c->cost)) cost[judged++] = c->cost;
        rule->cost_most = fmax(rule->cost_most, c->cost);
    }
    rule->cost_median = stats_median(cost, judged);
}

/* ---- What the rule does to the allocation. ---- */

static double allocation_exponent(const RateRule *rule, bool with_cost, const Comm *comm) {
    Table table = table_new();
    int arm = table_arm(&table, rule->arm);
    for (int k = 0; k < rule->cases; k++) {
        const RateCase *c = &rule->at[k];
        if (!isfinite(c->loss) || !isfinite(c->cost)) continue;
        double n = (double)c->parameters, d = (double)(c->steps * c->batch);
        Point p = {
            .n = n, .d = d, .loss = c->loss * exp(with_cost ? c->cost : 0), .weight = 1, .arm = arm, .final = true};
        for (int u = 0; u < CURRENCIES; u++) p.c[u] = u == CURRENCY_NOMINAL ? 6 * n * d : NAN;
        p.cell = k;
        table_add(&table, p);
    }
    if (table.n < LEAST_CASES) {
        table_free(&table);
        return NAN;
    }
    LawRows rows = law_rows(&table, arm, LAW_OF_N_AND_D);
    LawSpec spec = {.kind = &law_chinchilla,
                    .objective = OBJECTIVE_LOG,
                    .delta = 1e-3,
                    .e = LAW_E_ZERO,
                    .exponents = LAW_EXPONENTS_FREE};
    LawProblem problem = law_problem(&rows, 1, &spec);
    LawFit fit;
    double a = NAN, b;
    law_fit(&fit, &problem, LAW_STARTS_FEW, comm);
    Cost cost = cost_fit(&table, arm, CURRENCY_NOMINAL);
    if (fit.converged) cost_exponents(&a, &b, &fit.law[0], &cost);
    law_rows_free(&rows);
    table_free(&table);
    return a;
}

/* ---- All arms. ---- */

static bool enough(const RateRule *rule) {
    bool sizes = false, lengths = false;
    int swept = 0;
    for (int k = 0; k < rule->cases; k++) {
        sizes |= rule->at[k].parameters != rule->at[0].parameters;
        lengths |= rule->at[k].steps != rule->at[0].steps;
        swept += rule->at[k].rates >= 3;
    }
    return sizes && lengths && swept == rule->cases;
}

Err rates_fit(RateRule rule[RATES_ARMS], int *rules, const Results *results, const Comm *comm) {
    bool found = false;
    *rules = 0;
    for (int64_t i = 0; i < results->cells; i++) {
        const char *arm = results->cell[i].arm;
        bool known = *rules == RATES_ARMS;
        for (int64_t k = 0; k < i && !known; k++) known = !strcmp(results->cell[k].arm, arm);
        if (known) continue;
        RateRule *r = &rule[*rules];
        *r = (RateRule){0};
        memcpy(r->arm, arm, sizeof r->arm);
        TRY(find_cases(r, results));
        Sweep *sweep = MEM_NEW(Sweep, results->cells);
        int64_t n = collect(sweep, r, results);
        find_best(r, sweep, n);
        n = keep_near(sweep, n, r);
        r->found = enough(r) && fit_rule(r, sweep, n);
        if (r->found) judge(r, sweep, n);
        mem_free(sweep);
        ++*rules;
        if (!r->found) continue;
        found = true;
        r->a_own = allocation_exponent(r, false, comm);
        r->a_rule = allocation_exponent(r, true, comm);
    }
    if (found) return ERR_NONE;
    return err_user("want finished cells of at least two sizes and two lengths of an arm, each at three learning rates "
                    "or more, a factor of 2 apart");
}
