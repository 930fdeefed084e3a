#include "infer/design.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/rng.h"
#include "fit/law.h"
#include "infer/fit_options.h"
#include "math/minimise.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KEY(name, type, member, fallback, lo, hi, choices, unit, help)                                                 \
    { "design." name, type, offsetof(DesignOptions, member), fallback, lo, hi, choices, unit, help }

const KeySpec design_keys[] = {
    KEY("alpha", KEY_REAL, alpha, "0.5", 0.01, 3, NULL, "1", "assumed exponent of N"),
    KEY("beta", KEY_REAL, beta, "0.5", 0.01, 3, NULL, "1", "assumed exponent of D"),
    KEY("e", KEY_REAL, e, "0.02", 0, 1e6, NULL, "loss", "assumed irreducible loss"),
    KEY("loss", KEY_REAL, loss, "0.2", 1e-9, 1e6, NULL, "loss", "assumed loss in the middle of the grid"),
    KEY("noise", KEY_REAL, noise, "0.02", 0, 1, NULL, "1", "assumed standard deviation of log loss between seeds"),
    KEY("budget", KEY_REAL, budget, "0", 0, 1e300, NULL, "FLOP", "budget to allocate; 0: the largest cell's"),
    KEY("simulations", KEY_INT, simulations, "200", 20, 100000, NULL, "1", "simulated refits"),
    KEY("seed", KEY_INT, seed, "1", 0, 9e15, NULL, "1", "of the simulated noise"),
    KEY("objective", KEY_CHOICE, objective, "huber", 0, 0, FIT_OBJECTIVES, "1", "as fit.objective"),
};
const int n_design_keys = sizeof design_keys / sizeof *design_keys;

static Law assumed(const DesignArm *arm, const DesignOptions *o) {
    double x = 0, y = 0, term = log(0.5 * (o->loss - o->e));
    for (int64_t i = 0; i < arm->cells; i++) {
        x += log(arm->n[i]) / (double)arm->cells;
        y += log(arm->d[i]) / (double)arm->cells;
    }
    return (Law){.kind = &law_chinchilla,
                 .a = term + o->alpha * x,
                 .b = term + o->beta * y,
                 .e = o->e > 0 ? log(o->e) : -INFINITY,
                 .alpha = o->alpha,
                 .beta = o->beta};
}

static LawSpec spec_of(const DesignOptions *o) {
    return (LawSpec){
        .kind = &law_chinchilla, .objective = o->objective, .delta = 1e-3, .e = o->e > 0 ? LAW_E_FREE : LAW_E_ZERO};
}

static Table noisy(const DesignArm *arm, const Law *law, double noise, uint64_t seed, int64_t simulation) {
    Table t = table_new();
    table_arm(&t, arm->name);
    uint64_t stream = rng_stream("design", (uint64_t)simulation);
    for (int64_t i = 0; i < arm->cells; i++) {
        double z = noise > 0 ? noise * rng_normal(seed, stream, (uint64_t)i) : 0;
        table_add(&t, (Point){.n = arm->n[i],
                              .d = arm->d[i],
                              .c = {arm->c[i], NAN, NAN},
                              .weight = 1,
                              .seed = i,
                              .cell = i,
                              .loss = law_loss(law, arm->n[i], arm->d[i]) * exp(z),
                              .final = true});
    }
    return t;
}

enum { COLUMN_ALPHA, COLUMN_BETA, COLUMN_A, COLUMN_B, COLUMN_N, COLUMNS };

static void judge(DesignResult *r, const DesignOptions *o) {
    double relative_alpha = (r->alpha.hi - r->alpha.lo) / (2 * o->alpha),
           relative_beta = (r->beta.hi - r->beta.lo) / (2 * o->beta);
    r->told_apart = r->condition < 1e9 && relative_alpha < 0.5 && relative_beta < 0.5;
    if (r->told_apart)
        snprintf(r->verdict, sizeof r->verdict, "alpha and beta can be told apart: +- %.0f %% and +- %.0f %%",
                 100 * relative_alpha, 100 * relative_beta);
    else
        snprintf(r->verdict, sizeof r->verdict,
                 "alpha and beta cannot be told apart: +- %.0f %% and +- %.0f %%, correlation %.2f, condition %.1e",
                 100 * relative_alpha, 100 * relative_beta, r->correlation, r->condition);
}

static double correlation(const double *x, const double *y, int64_t n) {
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

Err design_arm(DesignResult *out, const DesignArm *arm, const DesignOptions *o, const Comm *comm) {
    if (o->e >= o->loss) return err_user("design.e = %g: want less than design.loss = %g", o->e, o->loss);
    LawSpec spec = spec_of(o);
    Law law = assumed(arm, o);
    Table t = noisy(arm, &law, 0, 0, 0);
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    LawProblem p = law_problem(&rows, 1, &spec);
    *out = (DesignResult){.budget = o->budget};
    for (int64_t i = 0; i < arm->cells && o->budget <= 0; i++) out->budget = fmax(out->budget, arm->c[i]);
    Cost cost = cost_fit(&t, 0, CURRENCY_NOMINAL);
    out->best_n_assumed = cost_allocate(&law, &cost, out->budget).n;
    if (arm->cells <= p.n) {
        out->condition = INFINITY;
        snprintf(out->verdict, sizeof out->verdict,
                 "alpha and beta cannot be told apart: %lld cells for %d coefficients", (long long)arm->cells, p.n);
        law_rows_free(&rows);
        table_free(&t);
        return ERR_NONE;
    }
    double x0[LAW_VARIABLES];
    law_variables(x0, &p, 0, &law);
    out->condition = law_condition(&p, x0);

    int64_t n = o->simulations;
    double *v = MEM_NEW(double, (COLUMNS + 1) * n);
    Minimiser *solver = minimiser_new(p.n, true);
    for (int64_t s = comm_rank(comm); s < n; s += comm_size(comm)) {
        Table made = noisy(arm, &law, o->noise, (uint64_t)o->seed, s + 1);
        LawRows some = law_rows(&made, 0, LAW_OF_N_AND_D);
        LawProblem problem = law_problem(&some, 1, &spec);
        double x[LAW_VARIABLES];
        memcpy(x, x0, sizeof x);
        law_refine(x, &problem, solver);
        Law fit = law_of(&problem, x, 0);
        v[COLUMN_ALPHA * n + s] = fit.alpha;
        v[COLUMN_BETA * n + s] = fit.beta;
        cost_exponents(&v[COLUMN_A * n + s], &v[COLUMN_B * n + s], &fit, &cost);
        v[COLUMN_N * n + s] = cost_allocate(&fit, &cost, out->budget).n;
        for (int k = 0; k < problem.n; k++)
            if (x[k] <= problem.lo[k] + 1e-6 || x[k] >= problem.hi[k] - 1e-6) v[COLUMNS * n + s] = 1;
        law_rows_free(&some);
        table_free(&made);
    }
    minimiser_free(solver);
    for (int64_t i = 0; i < COLUMNS * n; i++)
        if (!isfinite(v[i])) v[i] = 1e300;
    comm_sum_f64(comm, v, (COLUMNS + 1) * n);
    for (int64_t s = 0; s < n; s++) out->failed += v[COLUMNS * n + s] / (double)n;
    out->correlation = correlation(v, v + n, n);
    Interval *interval[COLUMNS] = {&out->alpha, &out->beta, &out->a, &out->b, &out->best_n};
    for (int k = 0; k < COLUMNS; k++) *interval[k] = stats_interval(v + k * n, n, 0);
    judge(out, o);
    mem_free(v);
    law_rows_free(&rows);
    table_free(&t);
    return ERR_NONE;
}

Err design_report(const DesignArm *arm, int arms, const DesignOptions *o, const Comm *comm) {
    log_text("design: %lld simulated refits of L = %g + A/N^%g + B/D^%g, loss %g in the middle of the grid, noise %g "
             "of log loss",
             (long long)o->simulations, o->e, o->alpha, o->beta, o->loss, o->noise);
    for (int m = 0; m < arms; m++) {
        DesignResult r;
        TRY(design_arm(&r, &arm[m], o, comm));
        log_text("%s: %lld cells, condition %.1e", arm[m].name, (long long)arm[m].cells, r.condition);
        if (isfinite(r.condition)) {
            log_text("  to be expected (95 %%): alpha [%.3f, %.3f], beta [%.3f, %.3f], N* ~ C^[%.3f, %.3f], D* ~ "
                     "C^[%.3f, %.3f]",
                     r.alpha.lo, r.alpha.hi, r.beta.lo, r.beta.hi, r.a.lo, r.a.hi, r.b.lo, r.b.hi);
            log_text("  N* at C = %.3g: [%.3g, %.3g], assumed %.3g; %.0f %% of refits end at a bound", r.budget,
                     r.best_n.lo, r.best_n.hi, r.best_n_assumed, 100 * r.failed);
        }
        log_text("  %s", r.verdict);
    }
    return ERR_NONE;
}
