#include "verify/repeat.h"

#include "math/minimise.h"

#include <math.h>

/* U (1 + R* (1 - e^(-R/R*))) and its derivative to R*. */
static double effective(double unique, double r, double star, double *slope) {
    double fall = exp(-r / star);
    *slope = unique * (1 - fall - r / star * fall);
    return unique * (1 + star * (1 - fall));
}

static double predict(const RepeatRows *rows, const Law *base, int64_t i, double rd, double rn, double d[2]) {
    double u = rows->unique[i], size = rows->size[i];
    /* N_opt(U): where a budget's optimum has D = U, alpha A N^-alpha = beta B U^-beta. */
    double log_opt = (log(base->alpha) + base->a - log(base->beta) - base->b + base->beta * log(u)) / base->alpha;
    double un = fmin(size, exp(log_opt)), dn, dd;
    double n = effective(un, fmax(size / un - 1, 0), rn, &dn),
           t = effective(u, fmax(rows->tokens[i] / u - 1, 0), rd, &dd);
    double ta = exp(base->a - base->alpha * log(n)), tb = exp(base->b - base->beta * log(t));
    d[0] = -base->beta * tb / t * dd;
    d[1] = -base->alpha * ta / n * dn;
    return exp(base->e) + ta + tb;
}

double repeat_objective(const RepeatRows *rows, const Law *base, double delta, double rd, double rn, double *g) {
    double f = 0;
    if (g) g[0] = g[1] = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        double d[2], s = predict(rows, base, i, rd, rn, d), r = log(rows->loss[i]) - log(s);
        double slope = fmin(fmax(r, -delta), delta);
        f += fabs(slope) * (fabs(r) - 0.5 * fabs(slope));
        for (int k = 0; g && k < 2; k++) g[k] -= slope * d[k] / s;
    }
    return f;
}

typedef struct Repeat {
    const RepeatRows *rows;
    const Law *base;
    double delta;
} Repeat;

/* Over the logs of both, which are positive. */
static double in_logs(void *context, const double *x, double *g, double *h) {
    const Repeat *p = context;
    for (int k = 0; h && k < 2; k++) { /* differences of the gradient will do for a Hessian of two variables */
        double up[2] = {x[0], x[1]}, down[2] = {x[0], x[1]}, gu[2], gd[2], step = 1e-5;
        up[k] += step;
        down[k] -= step;
        in_logs(context, up, gu, NULL);
        in_logs(context, down, gd, NULL);
        for (int i = 0; i < 2; i++) h[2 * i + k] = (gu[i] - gd[i]) / (2 * step);
    }
    if (h) h[1] = h[2] = 0.5 * (h[1] + h[2]);
    double f = repeat_objective(p->rows, p->base, p->delta, exp(x[0]), exp(x[1]), g);
    g[0] *= exp(x[0]);
    g[1] *= exp(x[1]);
    return f;
}

double repeat_fit(double x[2], const RepeatRows *rows, const Law *base, double delta) {
    const double lo[2] = {-5, -5}, hi[2] = {7, 7};
    double at[2] = {log(fmax(x[0], 0.01)), log(fmax(x[1], 0.01))};
    Minimiser *solver = minimiser_new(2, true);
    Repeat p = {rows, base, delta};
    double f = minimise(solver, at, lo, hi, in_logs, &p, 1e-12, 300).f;
    minimiser_free(solver);
    x[0] = exp(at[0]);
    x[1] = exp(at[1]);
    return f;
}

double repeat_r2(const RepeatRows *rows, const Law *base, double rd, double rn) {
    double mean = 0, off = 0, all = 0;
    for (int64_t i = 0; i < rows->n; i++) mean += rows->loss[i] / (double)rows->n;
    for (int64_t i = 0; i < rows->n; i++) {
        double d[2], s = rd > 0 ? predict(rows, base, i, rd, rn, d) : law_loss(base, rows->size[i], rows->tokens[i]);
        off += (rows->loss[i] - s) * (rows->loss[i] - s);
        all += (rows->loss[i] - mean) * (rows->loss[i] - mean);
    }
    return 1 - off / all;
}
