// TEST single n=1,2,4
/* Gaussian process: the kernel against its plain twin, gradient of the likelihood, prediction within its bars, the frontier
 * of a known law. */
#include "../src/fit/surrogate_sum.h"
#include "base/rng.h"
#include "check.h"
#include "fit/frontier.h"
#include "fit/law.h"
#include "infer/suggest.h"
#include "study/suggest_study.h"

static const Law truth = {.kind = &law_chinchilla, .a = 3.9, .b = 4.2, .e = -1.5, .alpha = 0.5, .beta = 0.5};

/* Two arms, 8 x 8 runs with curves of four earlier points that lie above what a finished run would reach. */
static Table runs(bool curves, double noise) {
    Table t = table_new();
    for (int arm = 0; arm < 2; arm++)
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 8; j++) {
                Law law = truth;
                law.a += 0.2 * arm;
                int64_t cell = (arm * 8 + i) * 8 + j;
                double n = 1e4 * pow(100, i / 7.0), d = 2e3 * pow(200, j / 7.0),
                       run = noise * rng_normal(5, 1, (uint64_t)cell);
                for (int k = curves ? 0 : 4; k <= 4; k++) {
                    double at = d * (k + 1) / 5, excess = k < 4 ? 0.05 : 0;
                    double white = 0.3 * noise * rng_normal(5, 2, (uint64_t)(cell * 5 + k));
                    int a = table_arm(&t, arm ? "second" : "first");
                    table_add(&t, (Point){.n = n,
                                          .d = at,
                                          .c = {6 * n * at, NAN, NAN},
                                          .loss = law_loss(&law, n, at) * exp(excess + run + white),
                                          .weight = 1,
                                          .cell = cell,
                                          .arm = a,
                                          .final = k == 4});
                }
            }
    return t;
}

/* ---- Kernel: Matern 5/2 of two points, by the book. ---- */

static double distance(GpPoint a, GpPoint b, const GpHyper *p) {
    return sqrt(5) * hypot((a.x - b.x) * p->wn, (a.y - b.y) * p->wd);
}

static double variance(GpPoint a, GpPoint b, const GpHyper *p) {
    double both = a.unfinished != 0 && b.unfinished != 0 ? p->f + p->h : p->f;
    return a.arm == b.arm ? both : p->rho * both;
}

static double covariance(GpPoint a, GpPoint b, const GpHyper *p) {
    double r = distance(a, b, p);
    double k = variance(a, b, p) * (1 + r + r * r / 3) * exp(-r);
    return a.cell == b.cell ? k + p->run : k;
}

/* d k / d log of a width, along which the points are this far apart in widths: -r k'(r) times its share of r^2. */
static double widening(GpPoint a, GpPoint b, const GpHyper *p, double along) {
    double r = distance(a, b, p);
    return variance(a, b, p) * 5.0 / 3 * (1 + r) * exp(-r) * along * along;
}

static void kernel(void) {
    enum { POINTS = 37, FROM = 5 };
    const GpHyper p = {.f = 1.7, .wn = 0.8, .wd = 1.3, .rho = 0.6, .h = 0.4, .run = 0.09, .noise = 0.01};
    const GpHyper alone = {.f = 1, .wn = p.wn, .wd = p.wd, .rho = p.rho};
    const GpHyper early = {.h = 1, .wn = p.wn, .wd = p.wd, .rho = p.rho};
    double x[POINTS], y[POINTS], arm[POINTS], cell[POINTS], unfinished[POINTS], w[POINTS], k[POINTS];
    for (int i = 0; i < POINTS; i++) {
        x[i] = rng_normal(2, 1, (uint64_t)i);
        y[i] = rng_normal(2, 2, (uint64_t)i);
        w[i] = rng_normal(2, 3, (uint64_t)i);
        arm[i] = i % 2;
        cell[i] = i / 4;
        unfinished[i] = i % 3 == 0;
    }
    const GpPoints points = {.n = POINTS, .x = x, .y = y, .arm = arm, .cell = cell, .unfinished = unfinished};
    for (int o = 0; o < POINTS; o++) {
        const GpPoint at = {x[o], y[o], arm[o], cell[o], unfinished[o]};
        GpSlopes want = {0}, got = {0};
        double off = 0;
        gp_covariances(k, &points, FROM, &at, &p);
        gp_slopes(&got, w, &points, FROM, &at, &p);
        for (int i = FROM; i < POINTS; i++) {
            const GpPoint q = {x[i], y[i], arm[i], cell[i], unfinished[i]};
            double weight = w[i - FROM];
            const double pair = covariance(q, at, &p) - (q.cell == at.cell ? p.run : 0);
            off = fmax(off, fabs(k[i - FROM] - covariance(q, at, &p)));
            want.f += weight * covariance(q, at, &alone);
            want.h += weight * covariance(q, at, &early);
            want.run += q.cell == at.cell ? weight : 0;
            want.width_n += weight * widening(q, at, &p, (q.x - at.x) * p.wn);
            want.width_d += weight * widening(q, at, &p, (q.y - at.y) * p.wd);
            want.across += q.arm == at.arm ? 0 : weight * pair;
        }
        double slopes = fabs(got.f - want.f) + fabs(got.h - want.h) + fabs(got.run - want.run) +
                        fabs(got.width_n - want.width_n) + fabs(got.width_d - want.width_d) +
                        fabs(got.across - want.across);
        EXPECT(off < 1e-13 && slopes < 1e-12, "point %d: covariances off by %g, sums by %g", o, off, slopes);
    }
}

/* ---- Likelihood. ---- */

static void gradient(void) {
    Table t = runs(true, 0.01);
    Surrogate *s = surrogate_new(&t, 200, 90, 1, comm_world());
    SurrogateLikelihood likelihood = surrogate_likelihood_new(s, comm_world());
    double theta[GP_PARAMETERS] = {0.1, 0.7, 0.9, 0.5, -1, -1.5, -2}, g[GP_PARAMETERS], none[GP_PARAMETERS];
    surrogate_likelihood(&likelihood, theta, g, NULL);
    for (int k = 0; k < GP_PARAMETERS; k++) {
        double at = theta[k], step = 1e-5;
        theta[k] = at + step;
        double up = surrogate_likelihood(&likelihood, theta, none, NULL);
        theta[k] = at - step;
        double down = surrogate_likelihood(&likelihood, theta, none, NULL);
        theta[k] = at;
        double difference = (up - down) / (2 * step);
        EXPECT(fabs(difference - g[k]) < 1e-4 * (1 + fabs(g[k])), "%s: %g, difference %g", gp_name[k], g[k],
               difference);
    }
    surrogate_likelihood_free(&likelihood);
    surrogate_free(s);
    table_free(&t);
}

static void prediction(bool curves) {
    Table t = runs(curves, 0.01);
    Surrogate *s = surrogate_new(&t, 20000, 300, 1, comm_world());
    enum { M = 40 };
    SurrogatePlace place[M];
    double mean[M], cov[M * M], z2 = 0, worst = 0;
    for (int i = 0; i < M; i++)
        place[i] = (SurrogatePlace){.n = 2e4 * pow(25, rng_uniform(1, 1, (uint64_t)i)),
                                    .d = 5e3 * pow(40, rng_uniform(1, 2, (uint64_t)i)),
                                    .arm = i % 2};
    surrogate_predict(mean, cov, s, place, M);
    for (int i = 0; i < M; i++) {
        Law law = truth;
        law.a += 0.2 * place[i].arm;
        double off = mean[i] - log(law_loss(&law, place[i].n, place[i].d));
        worst = fmax(worst, fabs(off)), z2 += off * off / cov[i * M + i] / M;
    }
    EXPECT(worst < 0.02 && z2 < 4, "off by %g, squared z %g (%s)", worst, z2, s->status);
    Extent extent = extent_of(&t, 0);
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    BudgetFit budget[3] = {{.at = {.c = 6e9}}, {.at = {.c = 3e10}}, {.at = {.c = 1e30}}};
    frontier_surrogate(budget, 3, s, 0, &cost, &extent, 200, 7);
    for (int k = 0; k < 2; k++) {
        Allocation want = cost_allocate(&truth, &cost, budget[k].at.c);
        EXPECT(budget[k].n.lo < want.n && want.n < budget[k].n.hi && fabs(log(budget[k].at.n / want.n)) < 0.4,
               "N* %g [%g, %g], want %g: %s", budget[k].at.n, budget[k].n.lo, budget[k].n.hi, want.n, budget[k].status);
    }
    EXPECT(isnan(budget[2].at.n) && !strcmp(budget[2].status, "too few sampled sizes at this budget"), "%s",
           budget[2].status);
    surrogate_free(s);
    table_free(&t);
}

/* The geometric mean over the arms of the middle of their budgets. */
static double middle_of_runs(const Table *t) {
    double sum = 0;
    for (int m = 0; m < t->arms; m++) {
        double lo = INFINITY;
        double hi = 0;
        for (int64_t i = 0; i < t->n; i++) {
            if (!table_final(t, i, m)) continue;
            lo = fmin(lo, t->at[i].c[CURRENCY_NOMINAL]);
            hi = fmax(hi, t->at[i].c[CURRENCY_NOMINAL]);
        }
        sum += 0.5 * log(lo * hi) / t->arms;
    }
    return exp(sum);
}

/* No pick makes things worse, and none is without effect. */
static void expect_progress(const Suggestion *out, int n) {
    for (int i = 0; i < n; i++) {
        EXPECT(out[i].sd_after < out[i].sd_before && out[i].core_seconds > 0 && out[i].d > 0, "pick %d: %g -> %g", i,
               out[i].sd_before, out[i].sd_after);
        if (i > 0) EXPECT(out[i].sd_before == out[i - 1].sd_after, "pick %d begins where the one before ended", i);
    }
}

/* A table of one arm: sizes from n_min, each half as large again, times six lengths. */
static Table made_up(double n_min, int sizes, double noise) {
    Table t = table_new();
    table_arm(&t, "arm");
    for (int i = 0; i < sizes * 6; i++) {
        double n = n_min * pow(1.5, i / 6);
        double d = 1e4 * pow(2, i % 6);
        double loss = law_loss(&truth, n, d) * exp(noise * rng_normal(3, 4, (uint64_t)i));
        table_add(
            &t,
            (Point){.n = n, .d = d, .c = {6 * n * d, NAN, NAN}, .weight = 1, .loss = loss, .cell = i, .final = true});
    }
    t.has[CURRENCY_NOMINAL] = true;
    return t;
}

/* A full grid, at its middle and at its corner; sizes that end far below the best one, which no run among them finds. */
static void grids(void) {
    Suggestion out[4];
    SuggestOutlook look;
    Table t = made_up(1e4, 9, 0.003);
    Surrogate *s = surrogate_new(&t, 20000, 300, 1, comm_world());
    expect_progress(out, suggest_cells(out, 4, &look, 0, s, &t, 1));
    double corner = 6 * 1e4 * pow(1.5, 8) * 1e4 * 32;
    expect_progress(out, suggest_cells(out, 4, &look, corner, s, &t, 1));
    surrogate_free(s);
    table_free(&t);
    t = made_up(200, 5, 0.003);
    s = surrogate_new(&t, 20000, 300, 1, comm_world());
    int n = suggest_cells(out, 4, &look, 0, s, &t, 1);
    EXPECT(n == 0 && look.view == SUGGEST_LARGER && look.n == 200 * pow(1.5, 4), "%d, view %d, largest %g", n,
           look.view, look.n);
    surrogate_free(s);
    table_free(&t);
}

/* Runs that see no sample twice are not followed by one that does. */
static void fresh(void) {
    Suggestion out[4];
    SuggestOutlook look;
    const double samples = 1.5 * 1e4 * 32; /* half as many again as the longest runs see */
    Table t = made_up(1e4, 9, 0.003);
    for (int64_t i = 0; i < t.n; i++) t.at[i].epochs = t.at[i].d / samples;
    Surrogate *s = surrogate_new(&t, 20000, 300, 1, comm_world());
    int n = suggest_cells(out, 4, &look, 6 * 1e4 * pow(1.5, 8) * 1e4 * 32, s, &t, 1);
    EXPECT(n > 0, "no suggestions");
    for (int i = 0; i < n; i++) EXPECT(out[i].d <= samples * (1 + 1e-9), "D %g of %g samples", out[i].d, samples);
    surrogate_free(s);
    table_free(&t);
}

/* Suggested cells shrink the spread of N*, each at a reasonable place, the same whoever asks. */
static void suggestions(void) {
    Table t = runs(true, 0.01);
    for (int64_t i = 0; i < t.n; i++)
        t.at[i].c[CURRENCY_CORE_SECONDS] = 1e-8 * t.at[i].n * t.at[i].d, t.at[i].c[CURRENCY_EXECUTED] = t.at[i].c[0];
    for (int c = 0; c < CURRENCIES; c++) t.has[c] = true;
    Surrogate *s = surrogate_new(&t, 20000, 300, 1, comm_world());
    Suggestion out[3];
    SuggestOutlook look;
    int n = suggest_cells(out, 3, &look, 0, s, &t, 1);
    EXPECT(n >= 1 && look.view == SUGGEST_INSIDE, "%d suggestions, view %d", n, look.view);
    double middle = middle_of_runs(&t);
    EXPECT(fabs(log(look.budget / middle)) < 1e-9, "budget %g, the middle is %g", look.budget, middle);
    expect_progress(out, n);
    EXPECT(suggest_cells(out, 3, &look, 1e30, s, &t, 1) == 0 && look.view == SUGGEST_OUT_OF_REACH, "out of reach");
    surrogate_free(s);
    table_free(&t);
}

/* ---- The frontier. ---- */

/* Places of sizes in steps of exp(1/2), with values of a parabola about `vertex`. */
static void on_parabola(SurrogatePlace place[9], double f[9], double vertex) {
    for (int i = 0; i < 9; i++) {
        place[i] = (SurrogatePlace){.n = exp(10 + 0.5 * i)};
        f[i] = 2 + 0.3 * pow(10 + 0.5 * i - vertex, 2);
    }
}

static void minimum(void) {
    SurrogatePlace place[9];
    double f[9], log_n, value;
    on_parabola(place, f, 12.1);
    int end = frontier_minimum(&log_n, &value, place, f, 9);
    EXPECT(end == 0 && fabs(log_n - 12.1) < 1e-9 && fabs(value - 2) < 1e-9, "%d: %g at %g", end, value, log_n);
    on_parabola(place, f, 9);
    end = frontier_minimum(&log_n, &value, place, f, 9);
    EXPECT(end == -1 && fabs(log_n - 10) < 1e-9 && value == f[0], "%d: %g at %g", end, value, log_n);
    on_parabola(place, f, 15);
    end = frontier_minimum(&log_n, &value, place, f, 9);
    EXPECT(end == 1 && fabs(log_n - 14) < 1e-9 && value == f[8], "%d: %g at %g", end, value, log_n);
}

/* A budget's line keeps to what finished runs span, in N and in D. */
static void line(void) {
    Table t = runs(true, 0.01); /* finished runs from D = 2000 on, points of their curves from 400 on */
    Extent e = extent_of(&t, 0);
    EXPECT(fabs(e.d_min - 2e3) < 1e-6 && fabs(e.d_max - 4e5) < 1e-3 && e.n_min == 1e4 && fabs(e.n_max - 1e6) < 1e-3,
           "N %g to %g, D %g to %g", e.n_min, e.n_max, e.d_min, e.d_max);
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    const double budget[] = {6 * 1e5 * 2e3, 6 * 1e5 * 4e5}; /* reached by small models only, and by large ones only */
    SurrogatePlace place[FRONTIER_SIZES];
    for (int k = 0; k < 2; k++) {
        int n = frontier_line(place, &cost, budget[k], &e, 0);
        EXPECT(n == FRONTIER_SIZES, "%d places", n);
        for (int i = 0; i < n; i++)
            EXPECT(place[i].n > e.n_min * 0.999 && place[i].n < e.n_max * 1.001 && place[i].d > e.d_min * 0.999 &&
                       place[i].d < e.d_max * 1.001 && fabs(6 * place[i].n * place[i].d / budget[k] - 1) < 1e-9,
                   "N %g, D %g", place[i].n, place[i].d);
    }
    table_free(&t);
}

/* What is said of a budget does not depend on the others that are asked for; N*, D* and C go together. */
static void budgets(const Surrogate *s, const Cost *cost, const Extent *extent) {
    BudgetFit budget[2] = {{.at = {.c = 6e9}}, {.at = {.c = 3e10}}}, alone = {.at = {.c = 3e10}};
    frontier_surrogate(budget, 2, s, 0, cost, extent, 400, 7);
    frontier_surrogate(&alone, 1, s, 0, cost, extent, 400, 7);
    EXPECT(fabs(budget[1].at.n / alone.at.n - 1) < 1e-9, "N* %g, alone %g", budget[1].at.n, alone.at.n);
    double beside = log(budget[1].n.hi / budget[1].n.lo), width = log(alone.n.hi / alone.n.lo);
    EXPECT(fabs(beside / width - 1) < 0.25, "an interval of %g beside another budget, of %g alone", beside, width);
    EXPECT(fabs(6 * alone.at.n * alone.at.d / 3e10 - 1) < 1e-9 && alone.d.lo < alone.at.d && alone.at.d < alone.d.hi,
           "D* %g [%g, %g]", alone.at.d, alone.d.lo, alone.d.hi);
    BudgetFit least = {.at = {.c = 1.25e9}};
    frontier_surrogate(&least, 1, s, 0, cost, extent, 400, 7);
    EXPECT(least.verdict == BUDGET_OUTSIDE && strstr(least.status, "interval reaches the end"), "%s", least.status);
    EXPECT(fabs(log(alone.d.hi / alone.d.lo) / width - 1) < 0.05, "D* is C / 6 N*");
}

/* The line of powers goes through the budgets inside alone, of which it wants three. */
static void powers(const Surrogate *s, const Cost *cost, const Extent *extent) {
    FrontierPowers out[2];
    const Cost costs[2] = {*cost, *cost};
    const Extent extents[2] = {*extent, *extent};
    const struct {
        double lo, hi;
        int inside; /* budgets of the first arm that its runs reach with the minimum and its interval inside */
    } range[] = {{2e9, 1e11, 5}, {1.4e9, 1e11, 4}, {2e8, 3e11, 3}, {1e7, 3e10, 2}};
    for (int k = 0; k < 4; k++) {
        frontier_powers(out, s, costs, extents, range[k].lo, range[k].hi, 200, 7);
        EXPECT(out[0].inside == range[k].inside, "%d budgets inside, want %d", out[0].inside, range[k].inside);
        for (int m = 0; m < 2; m++) {
            double a = out[m].mean.exponent[OPTIMUM_N], b = out[m].mean.exponent[OPTIMUM_D];
            if (out[m].inside < FRONTIER_LEAST)
                EXPECT(isnan(a) && isnan(out[m].draw[0].exponent[OPTIMUM_N]), "a %g of %d budgets", a, out[m].inside);
            else
                EXPECT(fabs(a - 0.5) < 0.03 && fabs(a + b - 1) < 1e-9, "a %g, b %g", a, b);
            mem_free(out[m].draw);
        }
    }
}

static void frontier(void) {
    Table t = runs(false, 0.01);
    Surrogate *s = surrogate_new(&t, 20000, 300, 1, comm_world());
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    Extent extent = extent_of(&t, 0);
    budgets(s, &cost, &extent);
    powers(s, &cost, &extent);
    surrogate_free(s);
    table_free(&t);
}

/* Cells of two models, one of which has two sizes of one width, as the study file of a grid has them. */
static void grid_of_cells(void) {
    Table t = table_new();
    int gatr = table_arm(&t, "gatr"), plain = table_arm(&t, "transformer");
    table_add(&t, (Point){.n = 1, .d = 1, .dataset = 50});
    table_add(&t, (Point){.n = 1, .d = 1, .dataset = 700});
    const Suggestion s[] = {{.arm = gatr, .d = 80, .width = 2, .depth = 3, .heads = 1, .scalars = 4},
                            {.arm = plain, .d = 163, .width = 8, .depth = 2, .heads = 4},
                            {.arm = gatr, .d = 160, .width = 2, .depth = 3, .heads = 1, .scalars = 1},
                            {.arm = gatr, .d = 1, .width = 2, .depth = 3, .heads = 1, .scalars = 4}};
    StudyOptions *o = MEM_NEW(StudyOptions, 1);
    *o = (StudyOptions){.train.batch = 8, .data_size = 3, .datasets = {2, {50, 700}}, .steps = {1, {99}}};
    o->budget.budgets = (RealList){2, {1e9, 2e9}};
    o->budget.seeds = (IntList){2, {3, 1}};
    o->sizes[0].width = (IntList){1, {64}};
    suggest_options(o, s, 4, &t);
    const ModelSizes *of_gatr = study_options_sizes(o, &gatr_kind),
                     *of_plain = study_options_sizes(o, &transformer_kind);
    EXPECT(o->arms.n == 2 && !strcmp(o->arms.at[0], "gatr") && !strcmp(o->arms.at[1], "transformer"), "%d arms",
           o->arms.n);
    EXPECT(o->steps.n == 3 && o->steps.at[0] == 10 && o->steps.at[1] == 20 && o->steps.at[2] == 1, "%d lengths",
           o->steps.n);
    EXPECT(of_gatr->width.n == 2 && of_gatr->depth.n == 2 && of_gatr->heads.n == 2 && of_gatr->scalars.n == 2 &&
               of_gatr->scalars.at[0] == 4 && of_gatr->scalars.at[1] == 1 && of_gatr->width.at[1] == 2,
           "%d sizes of gatr", of_gatr->width.n);
    EXPECT(of_plain->width.n == 1 && of_plain->width.at[0] == 8 && of_plain->heads.at[0] == 4 && !of_plain->scalars.n,
           "%d sizes of transformer", of_plain->width.n);
    EXPECT(!o->budget.budgets.n && o->budget.seeds.n == 1 && o->datasets.n == 1 && o->datasets.at[0] == 700 &&
               o->data_size == 0,
           "other cells than those are left");
    mem_free(o);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    kernel();
    gradient();
    prediction(false);
    prediction(true);
    minimum();
    line();
    frontier();
    suggestions();
    grids();
    fresh();
    grid_of_cells();
    return test_end();
}
