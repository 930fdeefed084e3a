#include "infer/goodness.h"

#include "basis.h"
#include "serial.h"

#include "base/arena.h"
#include "fit/noise.h"
#include "math/stats.h"

#include <math.h>

const char *const shared_text[SHARED_KINDS] = {[SHARED_BY_SIZE] = "runs of one size share an error",
                                               [SHARED_BY_LENGTH] = "runs of one length share an error",
                                               [SHARED_BY_SEED] = "runs of one seed share an error",
                                               [SHARED_BY_BUDGET] = "runs of one budget share an error",
                                               [SHARED_BY_NEIGHBOURS] =
                                                   "neighbours in D share an error, as checkpoints of a run do"};
const char *const lack_name[] = {"untested", "runs that differ in their seeds", "curvature of the residuals"};

enum { LEAST_SEEDS = 4, LEAST_DOF = 5 }; /* LEAST_DOF: what the rows must still tell of their noise */
static const double digits = 1e-6;       /* rms of log loss below which rounding and the minimiser show, and no noise */

static double residual(const LawRows *rows, const Law *law, int64_t i) {
    return rows->k.z[i] - log(law_rows_loss(NULL, rows, law, i));
}

/* Squares about the means of runs that differ in their seeds only; w: weights of the rows, NULL: 1. */
static double pure_error(int *dof, const LawRows *rows, const double *w) {
    double sum = 0;
    *dof = 0;
    for (int64_t c = 0; c < rows->configs; c++) {
        int64_t first = rows->first[c];
        int64_t end = rows->first[c + 1];
        double mean = 0;
        double total = 0;
        for (int64_t k = first; k < end; k++) {
            double weight = w ? w[rows->member[k]] : 1;
            mean += weight * rows->k.z[rows->member[k]];
            total += weight;
        }
        mean /= total;
        for (int64_t k = first; k < end; k++)
            sum += (w ? w[rows->member[k]] : 1) * pow(rows->k.z[rows->member[k]] - mean, 2);
        *dof += (int)(end - first) - 1;
    }
    return sum;
}

double goodness_pure_error(int *dof, const LawRows *rows) {
    return pure_error(dof, rows, NULL);
}

static void f_test(Goodness *g, LackOfFit by, double explained, double left, int dof1, int dof2) {
    g->by = by;
    g->dof1 = dof1;
    g->dof2 = dof2;
    g->f = fmax(explained, 0) / dof1 / (left / dof2);
    g->p = stats_f_sf(g->f, dof1, dof2);
}

/* Do residuals bend with u = log N and v = log D, and are neighbours in D alike? Terms of more and more degrees beside the
 * law's own derivatives, as far as the rows carry them; the degree that finds most, with its p-value times the number of
 * degrees. Of neighbours: where residuals bend, beside as many degrees as take less than half of the rows. */
static void curvature(Goodness *g, const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    Basis b = basis_new(p, fit, arm, uneven);
    bool alone = p->spec.kind->axes == LAW_OF_N || p->spec.kind->of_optima; /* runs, none of which continues another */
    int of_law = b.count;
    double without = basis_dot(b.left, b.left, b.n);
    double serial = alone ? NAN : serial_test(&b);
    double beside = serial;
    int tried = 0;
    for (int degree = 2; degree <= BASIS_DEGREES; degree++) {
        Goodness found = *g;
        int before = b.count;
        basis_take_degree(&b, degree, law_splits(p->spec.kind));
        double with = basis_dot(b.left, b.left, b.n);
        if (b.n - b.count < LEAST_DOF) break;
        if (b.count == before || !(with > 0)) continue;
        if (!alone && 2 * b.count <= b.n) beside = serial_test(&b);
        f_test(&found, LACK_BY_CURVATURE, without - with, with, b.count - of_law, (int)b.n - b.count);
        if (!tried++ || found.p < g->p) *g = found;
    }
    if (tried) g->p = fmin(tried * g->p, 1);
    g->shared_p[SHARED_BY_NEIGHBOURS] = tried && g->p < LACK_LIMIT ? beside : serial;
    basis_free(&b);
}

/* Do runs of one key, such as a size or a seed, share an error? These as groups. */
static double shared_by(const double *key, const LawProblem *p, const LawFit *fit, int arm) {
    const LawRows *rows = p->source[arm];
    int64_t *order = law_rows_order(key, NULL, rows->n);
    int64_t *group = MEM_NEW(int64_t, rows->n + 1);
    int64_t groups = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        groups += i == 0 || key[order[i]] != key[order[i - 1]];
        group[order[i]] = groups - 1;
    }
    double value = groups > 1 && groups < rows->n ? noise_groups(p, fit, arm, group, groups).p : NAN;
    mem_free(group);
    mem_free(order);
    return value;
}

/* Of two tests, either of which may be wanting, the one that finds more. */
static Goodness worse_of(const Goodness *a, const Goodness *b) {
    if (a->by == LACK_UNTESTED) return *b;
    if (b->by == LACK_UNTESTED) return *a;
    Goodness worse = b->p < a->p ? *b : *a;
    worse.p = fmin(2 * worse.p, 1);
    return worse;
}

Goodness goodness_of(const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    double n = (double)rows->n, mean = 0, total = 0, left = 0, weighted = 0;
    double share = n / (double)p->n_rows; /* of the variables that arms share */
    double dof = fmax(n - share * p->n, 1);
    Goodness g = {.f = NAN, .p = NAN};
    for (int k = 0; k < SHARED_KINDS; k++) g.shared_p[k] = NAN;
    for (int64_t i = 0; i < rows->n; i++) mean += rows->k.z[i] / n;
    for (int64_t i = 0; i < rows->n; i++) {
        total += pow(rows->k.z[i] - mean, 2);
        double square = pow(residual(rows, &fit->law[arm], i), 2);
        left += square;
        weighted += rows->k.w[i] * square;
    }
    g.rms = sqrt(left / dof);
    g.r2 = 1 - left / total;
    if (!(n > share * p->n)) { /* as many coefficients as rows meet all of them */
        g.rms = NAN;
        g.r2 = NAN;
        return g;
    }
    if (rows->groups < rows->n || g.rms < digits) return g;
    if (rows->n > p->n && law_splits(p->spec.kind)) {
        g.shared_p[SHARED_BY_SIZE] = shared_by(rows->k.x, p, fit, arm);
        g.shared_p[SHARED_BY_LENGTH] = shared_by(rows->k.y, p, fit, arm);
        g.shared_p[SHARED_BY_SEED] = shared_by(rows->seed, p, fit, arm);
        g.shared_p[SHARED_BY_BUDGET] = shared_by(rows->budget, p, fit, arm);
    }
    Goodness by_curvature = g;
    curvature(&by_curvature, p, fit, arm, uneven);
    g.shared_p[SHARED_BY_NEIGHBOURS] = by_curvature.shared_p[SHARED_BY_NEIGHBOURS];
    Goodness by_seeds = g;
    int seeds;
    double pure = pure_error(&seeds, rows, rows->k.w);
    int lack = (int)dof - seeds;
    if (seeds >= LEAST_SEEDS && lack > 0 && pure > 0)
        f_test(&by_seeds, LACK_BY_SEEDS, weighted - pure, pure, lack, seeds);
    /* Where most rows are repeated, those of one (N, D) have more in common than their law, which is not curvature. */
    if (by_seeds.by != LACK_UNTESTED && 2 * seeds >= lack) return by_seeds;
    return worse_of(&by_seeds, &by_curvature);
}
