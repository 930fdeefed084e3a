#include "train/optim.h"

#include "base/arena.h"
#include "base/err.h"

#include <math.h>

struct Optim {
    const ParamTable *table;
    const Comm *tp;
    real *m, *v; /* moments, each table->local long */
    int64_t steps;
};

Optim *optim_new(const ParamTable *table, const Comm *tp) {
    Optim *o = MEM_NEW(Optim, 1);
    *o = (Optim){.table = table, .tp = tp};
    o->m = MEM_NEW(real, table->local);
    o->v = MEM_NEW(real, table->local);
    return o;
}

int64_t optim_bytes(const ParamTable *table) {
    return (int64_t)sizeof(Optim) + 2 * table->local * (int64_t)sizeof(real);
}

void optim_free(Optim *optim) {
    if (!optim) return;
    mem_free(optim->m);
    mem_free(optim->v);
    mem_free(optim);
}

void optim_moments(Optim *optim, real **first, real **second) {
    *first = optim->m;
    *second = optim->v;
}

void optim_resume(Optim *optim, int64_t steps) {
    optim->steps = steps;
}

/* Lanes are summed apart in `real` over short runs and joined in double: accurate and vectorised, in a fixed order. */
static double sum_of_squares(const real *x, int64_t n) {
    enum { RUN = 1024 };
    double sum = 0;
    for (int64_t at = 0; at < n; at += RUN) {
        int64_t end = at + RUN < n ? at + RUN : n;
        real part = 0;
#pragma omp simd reduction(+ : part)
        for (int64_t i = at; i < end; i++) part += x[i] * x[i];
        sum += (double)part;
    }
    return sum;
}

static double global_norm(const Optim *o, const real *grad) {
    double whole = 0, shard = 0;
    for (int t = 0; t < o->table->n; t++) {
        const Param *p = &o->table->at[t];
        *(param_split(p) ? &shard : &whole) += sum_of_squares(grad + p->offset, p->count);
    }
    comm_sum_f64(o->tp, &shard, 1);
    return sqrt(whole + shard);
}

double optim_step(Optim *optim, real *theta, const real *grad, double lr, const OptimSettings *settings) {
    double norm = global_norm(optim, grad);
    if (!isfinite(norm)) return norm;
    optim->steps++;
    double limit = settings->max_grad_norm / (norm + 1e-6), t = (double)optim->steps;
    const real clip = (real)fmin(1, limit), decay = (real)(1 - lr * settings->weight_decay);
    const real b1 = (real)settings->beta1, b2 = (real)settings->beta2, eps = (real)settings->epsilon;
    const real keep1 = (real)(1 - settings->beta1), keep2 = (real)(1 - settings->beta2);
    const real rate = (real)(lr / (1 - pow(settings->beta1, t)));
    const real unbias = (real)(1 / (1 - pow(settings->beta2, t)));
    real *restrict m = optim->m, *restrict v = optim->v, *restrict p = theta;
#pragma omp simd
    for (int64_t i = 0; i < optim->table->local; i++) {
        real g = grad[i] * clip;
        real mi = b1 * m[i] + keep1 * g, vi = b2 * v[i] + keep2 * g * g;
        m[i] = mi;
        v[i] = vi;
#ifdef EQ_DOUBLE
        p[i] = p[i] * decay - rate * mi / (sqrt(vi * unbias) + eps);
#else
        p[i] = p[i] * decay - rate * mi / (sqrtf(vi * unbias) + eps);
#endif
    }
    return norm;
}

double optim_schedule(int64_t step, int64_t steps, double warmup, double final) {
    double rise = warmup * (double)steps, at = (double)step;
    if (at + 1 < rise) return (at + 1) / rise;
    double left = fmax((double)steps - rise, 1), along = fmin(fmax((at + 1 - rise) / left, 0), 1);
    return final + (1 - final) * 0.5 * (1 + cos(M_PI * along));
}
