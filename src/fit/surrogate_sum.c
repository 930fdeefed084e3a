#include "surrogate_sum.h"

#include <math.h>

/* Matern 5/2 of distance r = |(u, v)|, and -dg/dr / r: the derivative to the log of a width is that times u^2 or v^2. */
static inline double matern(double u, double v, double *bend) {
    double r2 = 5 * (u * u + v * v), r = sqrt(r2), fall = exp(-r);
    *bend = 5.0 / 3 * (1 + r) * fall;
    return (1 + r + r2 / 3) * fall;
}

void gp_covariances(double *restrict k, const GpPoints *points, int64_t from, const GpPoint *at, const GpHyper *p) {
    const double *restrict x = points->x + from, *restrict y = points->y + from, *restrict arm = points->arm + from;
    const double *restrict cell = points->cell + from, *restrict unfinished = points->unfinished + from;
    const GpPoint o = *at;
    const GpHyper q = *p;
    for (int64_t i = 0; i < points->n - from; i++) {
        double bend, g = matern((x[i] - o.x) * q.wn, (y[i] - o.y) * q.wd, &bend);
        double couple = arm[i] == o.arm ? 1 : q.rho;
        double run = cell[i] == o.cell ? q.run : 0;
        k[i] = (q.f + q.h * unfinished[i] * o.unfinished) * couple * g + run;
    }
}

void gp_slopes(GpSlopes *sums, const double *restrict w, const GpPoints *points, int64_t from, const GpPoint *at,
               const GpHyper *p) {
    const double *restrict x = points->x + from, *restrict y = points->y + from, *restrict arm = points->arm + from;
    const double *restrict cell = points->cell + from, *restrict unfinished = points->unfinished + from;
    const GpPoint o = *at;
    const GpHyper q = *p;
    double f = 0, h = 0, run = 0, width_n = 0, width_d = 0, across = 0;
    for (int64_t i = 0; i < points->n - from; i++) {
        double u = (x[i] - o.x) * q.wn, v = (y[i] - o.y) * q.wd, bend, g = matern(u, v, &bend);
        double other = arm[i] == o.arm ? 0 : 1, couple = other > 0 ? q.rho : 1, both = unfinished[i] * o.unfinished;
        double size = (q.f + q.h * both) * w[i] * couple;
        f += w[i] * couple * g;
        h += w[i] * couple * g * both;
        run += cell[i] == o.cell ? w[i] : 0;
        width_n += size * bend * u * u;
        width_d += size * bend * v * v;
        across += other * size * g;
    }
    sums->f += f;
    sums->h += h;
    sums->run += run;
    sums->width_n += width_n;
    sums->width_d += width_d;
    sums->across += across;
}
