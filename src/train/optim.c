#include "train/optim.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/subnormal.h"

#include <math.h>

/* Squares are summed in `real` over runs of a tensor, with lanes apart, and these in double: accurate and vectorised, in an
 * order that neither lengths of vectors nor shards change. A shard is made of whole runs. */
enum { RUN = 1024 };

struct Optim {
    const ParamTable *table;
    const Comm *tp;
    const Comm *dp;       /* whose ranks have a shard each; NULL: every rank has all */
    int64_t *shard;       /* (ranks of dp + 1) first element of each, then the length of the local vector */
    int64_t first, count; /* this rank's */
    real *m, *v;          /* its moments */
    double *square;       /* (runs) sum of squares of each */
    int64_t steps;
};

static int64_t runs_of(const Param *p) {
    return (p->count + RUN - 1) / RUN;
}

static int64_t runs_in(const ParamTable *table) {
    int64_t n = 0;
    for (int t = 0; t < table->n; t++) n += runs_of(&table->at[t]);
    return n;
}

/* First element of the shard of rank r of dp: the first run that starts at or behind an equal share. */
static int64_t shard_start(const ParamTable *table, int r, int dp) {
    int64_t share = table->local * r / dp;
    for (int t = 0; t < table->n; t++) {
        const Param *p = &table->at[t];
        if (p->offset >= share) return p->offset;
        int64_t run = (share - p->offset + RUN - 1) / RUN;
        if (run < runs_of(p)) return p->offset + run * RUN;
    }
    return table->local;
}

static int64_t largest_shard(const ParamTable *table, int dp) {
    int64_t most = 0;
    for (int r = 0; r < dp; r++) {
        int64_t n = shard_start(table, r + 1, dp) - shard_start(table, r, dp);
        if (n > most) most = n;
    }
    return most;
}

Optim *optim_new(const ParamTable *table, const ProcGrid *grid, bool sharded) {
    int dp = sharded ? comm_size(grid->dp) : 1, rank = sharded ? comm_rank(grid->dp) : 0;
    Optim *o = MEM_NEW(Optim, 1);
    *o = (Optim){.table = table, .tp = grid->tp, .dp = dp > 1 ? grid->dp : NULL, .shard = MEM_NEW(int64_t, dp + 1)};
    for (int r = 0; r <= dp; r++) o->shard[r] = shard_start(table, r, dp);
    o->first = o->shard[rank];
    o->count = o->shard[rank + 1] - o->first;
    o->m = MEM_NEW(real, o->count);
    o->v = MEM_NEW(real, o->count);
    o->square = MEM_NEW(double, runs_in(table));
    return o;
}

int64_t optim_bytes(const ParamTable *table, int shards) {
    return (int64_t)(sizeof(Optim) + 2 * (size_t)largest_shard(table, shards) * sizeof(real) +
                     (size_t)(shards + 1) * sizeof(int64_t) + (size_t)runs_in(table) * sizeof(double));
}

void optim_free(Optim *optim) {
    if (!optim) return;
    mem_free(optim->shard);
    mem_free(optim->m);
    mem_free(optim->v);
    mem_free(optim->square);
    mem_free(optim);
}

OptimMoments optim_moments(Optim *o) {
    return (OptimMoments){.first = o->first, .count = o->count, .sharded = o->dp != NULL, .m = o->m, .v = o->v};
}

void optim_resume(Optim *optim, int64_t steps) {
    optim->steps = steps;
}

static double sum_of_squares(const real *x, int64_t n) {
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return (double)sum;
}

/* Of the runs in this rank's shard; 0 of the others. */
static void square_runs(Optim *o, const real *grad) {
    double *square = o->square;
    for (int t = 0; t < o->table->n; t++) {
        const Param *p = &o->table->at[t];
        for (int64_t at = 0; at < p->count; at += RUN) {
            int64_t first = p->offset + at, n = at + RUN < p->count ? RUN : p->count - at;
            bool mine = first >= o->first && first < o->first + o->count;
            *square++ = mine ? sum_of_squares(grad + first, n) : 0;
        }
    }
}

static double global_norm(Optim *o, const real *grad) {
    double whole = 0, split = 0;
    square_runs(o, grad);
    if (o->dp) comm_sum_f64(o->dp, o->square, runs_in(o->table));
    const double *square = o->square;
    for (int t = 0; t < o->table->n; t++) {
        const Param *p = &o->table->at[t];
        double sum = 0;
        for (int64_t i = runs_of(p); i > 0; i--) sum += *square++;
        *(param_split(p) ? &split : &whole) += sum;
    }
    comm_sum_f64(o->tp, &split, 1);
    return sqrt(whole + split);
}

/* AdamW on this rank's parameters, after a step whose gradient has this norm. */
static void update(Optim *optim, real *theta, const real *grad, double lr, double norm, const OptimSettings *settings) {
    double limit = settings->max_grad_norm / (norm + 1e-6), t = (double)optim->steps;
    const real clip = (real)fmin(1, limit), decay = (real)(1 - lr * settings->weight_decay);
    const real b1 = (real)settings->beta1, b2 = (real)settings->beta2, eps = (real)settings->epsilon;
    const real keep1 = (real)(1 - settings->beta1), keep2 = (real)(1 - settings->beta2);
    const real rate = (real)(lr / (1 - pow(settings->beta1, t)));
    const real unbias = (real)(1 / (1 - pow(settings->beta2, t)));
    real *restrict m = optim->m, *restrict v = optim->v, *restrict p = theta + optim->first;
    grad += optim->first;
#pragma omp simd
    for (int64_t i = 0; i < optim->count; i++) {
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
}

double optim_step(Optim *optim, real *theta, const real *grad, double lr, const OptimSettings *settings) {
    double norm = global_norm(optim, grad);
    if (!isfinite(norm)) return norm;
    optim->steps++;
    Subnormals before = subnormals_as_zeros(); /* moments of parameters without gradients decay for ever */
    update(optim, theta, grad, lr, norm, settings);
    subnormals_back(before);
    if (optim->dp) comm_join_real(optim->dp, theta, optim->shard);
    return norm;
}

double optim_schedule(int64_t step, int64_t steps, double warmup, double final) {
    double rise = warmup * (double)steps, at = (double)step;
    if (at + 1 < rise) return (at + 1) / rise;
    double left = fmax((double)steps - rise, 1), along = fmin(fmax((at + 1 - rise) / left, 0), 1);
    return final + (1 - final) * 0.5 * (1 + cos(M_PI * along));
}
