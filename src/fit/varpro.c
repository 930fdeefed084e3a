/* Variable projection: TAO over (alpha, beta); for given exponents the law is linear in (A, B, E) >= 0. */
#include "fit/law.h"

#include "base/arena.h"
#include "fit/minimise.h"
#include "fit/stats.h"

#include <math.h>
#include <string.h>

typedef struct Projection {
    const LawProblem *p;
    double c[3];      /* A, B, E of the last exponents, in centred coordinates */
    double *basis[2]; /* (rows) e^(-alpha x), e^(-beta y) */
    bool tied;
} Projection;

/* min_c c'Gc/2 - q'c with c >= 0 in three variables: the best of the eight sets of variables at 0. */
static void nnls(double c[3], const double g[9], const double q[3], bool no_e) {
    double best = INFINITY, tried[3];
    memset(c, 0, 3 * sizeof *c);
    for (int set = no_e ? 4 : 0; set < 8; set++) {
        int free[3] = {0}, n = 0;
        double a[9], b[3], value = 0;
        for (int k = 0; k < 3; k++)
            if (!(set >> k & 1)) free[n++] = k;
        for (int i = 0; i < n * n; i++) a[i] = g[free[i / n] * 3 + free[i % n]];
        for (int i = 0; i < n; i++) b[i] = q[free[i]];
        if (n && !stats_solve(a, b, n)) continue;
        bool feasible = true;
        memset(tried, 0, sizeof tried);
        for (int i = 0; i < n; i++) tried[free[i]] = b[i], feasible &= b[i] >= 0;
        for (int i = 0; i < n; i++) value -= 0.5 * q[free[i]] * b[i];
        if (feasible && value < best) best = value, memcpy(c, tried, sizeof tried);
    }
}

/* One weighted linear fit of the losses; returns the objective at the c it started from. */
static double reweight(Projection *v, double c[3], bool first) {
    const LawProblem *p = v->p;
    const KernelRows *k = &p->rows[0];
    double g[9] = {0}, q[3] = {0}, f = 0, delta = p->spec.objective == OBJECTIVE_HUBER ? p->spec.delta : 1e300;
    for (int64_t i = 0; i < k->n; i++) {
        double b0 = v->basis[0][i], b1 = v->basis[1][i], s = c[0] * b0 + c[1] * b1 + c[2], w = k->w[i];
        if (p->spec.objective == OBJECTIVE_LOSS) {
            f += 0.5 * w * (k->loss[i] - s) * (k->loss[i] - s);
        } else if (first) {
            w /= k->loss[i] * k->loss[i];
        } else {
            /* slope of rho at log L - log S, as a weight on L - S with the same sign: psi / (S (L - S)). */
            double r = k->z[i] - log(s), size = fabs(r), pull = fmin(size, delta), gap = k->loss[i] - s;
            f += w * pull * (size - 0.5 * pull);
            w *= fabs(gap) > 1e-12 * s ? copysign(pull, r) / (s * gap) : 1 / (s * s);
        }
        g[0] += w * b0 * b0, g[1] += w * b0 * b1, g[2] += w * b0, g[4] += w * b1 * b1, g[5] += w * b1, g[8] += w;
        q[0] += w * k->loss[i] * b0, q[1] += w * k->loss[i] * b1, q[2] += w * k->loss[i];
    }
    g[3] = g[1], g[6] = g[2], g[7] = g[5];
    nnls(c, g, q, p->spec.e == LAW_E_ZERO);
    return f;
}

static void project(Projection *v, double alpha, double beta) {
    const KernelRows *k = &v->p->rows[0];
    for (int64_t i = 0; i < k->n; i++) v->basis[0][i] = exp(-alpha * k->x[i]), v->basis[1][i] = exp(-beta * k->y[i]);
    double c[3] = {1, 1, 1};
    reweight(v, c, true);
    if (v->p->spec.objective == OBJECTIVE_LOSS) {
        memcpy(v->c, c, sizeof c);
        return;
    }
    double last = INFINITY;
    for (int i = 0; i < 2000; i++) {
        memcpy(v->c, c, sizeof c);
        double f = reweight(v, c, false);
        if (last - f <= 1e-13 * f && i > 3) break;
        last = f;
    }
}

/* The reduced objective: at the best c the gradient in (alpha, beta) is the partial one. */
static double reduced(void *context, const double *x, double *g, double *h) {
    (void)h;
    Projection *v = context;
    double alpha = x[0], beta = x[v->tied ? 0 : 1], full[LAW_COEFFICIENTS] = {0};
    project(v, alpha, beta);
    double p[LAW_COEFFICIENTS] = {log(fmax(v->c[0], 1e-300)), log(fmax(v->c[1], 1e-300)), log(fmax(v->c[2], 1e-300)),
                                  alpha, beta};
    double f = kernel_sum(&v->p->rows[0], v->p->spec.objective, v->p->spec.delta, p, full, NULL);
    g[0] = full[LAW_ALPHA];
    g[v->tied ? 0 : 1] = full[LAW_BETA] + (v->tied ? full[LAW_ALPHA] : 0);
    return f;
}

double law_varpro(Law *law, const LawProblem *problem, const Comm *comm) {
    static const double exponent[] = {0.1, 0.3, 0.6, 1, 2};
    Projection v = {.p = problem, .tied = problem->spec.exponents == LAW_EXPONENTS_TIED};
    int64_t n = problem->rows[0].n;
    double *store = MEM_NEW(double, 2 * n), scale = problem->sum_weight;
    v.basis[0] = store, v.basis[1] = store + n;
    Minimiser *solver = minimiser_new(v.tied ? 1 : 2, false);
    const double lo[2] = {1e-3, 1e-3}, hi[2] = {5, 5};
    double value[25] = {0};
    Law end[25];
    memset(end, 0, sizeof end);
    for (int s = comm_rank(comm); s < 25; s += comm_size(comm)) {
        double x[2] = {exponent[s % 5], exponent[s / 5]};
        if (v.tied && s % 5 != s / 5) continue;
        MinOutcome out = minimise(solver, x, lo, hi, reduced, &v, 1e-12 * scale, 100);
        double beta = x[v.tied ? 0 : 1];
        value[s] = out.f;
        end[s] = (Law){.a = log(v.c[0]) + x[0] * problem->x0[0],
                       .b = log(v.c[1]) + beta * problem->y0[0],
                       .e = v.c[2] > 0 ? log(v.c[2]) : -INFINITY,
                       .alpha = x[0],
                       .beta = beta};
    }
    comm_sum_f64(comm, value, 25);
    int winner = 0;
    for (int s = 0; s < 25; s++)
        if ((!v.tied || s % 5 == s / 5) && value[s] < value[winner]) winner = s;
    comm_bcast(comm, &end[winner], sizeof *end, winner % comm_size(comm));
    *law = end[winner];
    minimiser_free(solver);
    mem_free(store);
    return value[winner];
}
