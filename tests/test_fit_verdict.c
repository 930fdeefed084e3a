// TEST single n=1,2,4
/* What is said of a law: not identifiable, outside what was sampled, rejected by its own points, drifting with compute. */
#include "infer/analysis.h"
#include "infer/drift.h"
#include "infer/goodness.h"
#include "law_surface.h"

static void unidentifiable(void) {
    struct {
        int sizes, lengths;
        const char *status;
    } design[] = {{2, 8, "not identifiable: 2 distinct N"}, {2, 2, "not identifiable: 4 rows"}};
    for (int i = 0; i < 2; i++) {
        Table t = surface(&truth, design[i].sizes, design[i].lengths, 0.001, 5);
        LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
        LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3};
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
        char status[128];
        law_status(status, sizeof status, &fit, &p, 0);
        EXPECT(!strncmp(status, design[i].status, strlen(design[i].status)), "%s", status);
        Goodness g = goodness_of(&p, &fit, 0, false);
        bool scatters = rows.n > LAW_COEFFICIENTS;
        EXPECT(isfinite(g.rms) == scatters && isfinite(g.r2) == scatters, "%lld rows: rms %g, R^2 %g",
               (long long)rows.n, g.rms, g.r2);
        law_rows_free(&rows);
        table_free(&t);
    }
}

static FitOptions few_starts(Objective objective) {
    return (FitOptions){
        .objective = objective, .delta = 1e-3, .starts = LAW_STARTS_FEW, .extrapolation = 10, .bootstraps = 40};
}

/* D = 20 N: which term is which cannot be told. Solves of a chain differ in what lies on bounds. */
static void proportional(uint64_t seed) {
    Table t = table_new();
    table_arm(&t, "synthetic");
    for (int i = 0; i < 12; i++) {
        double n = 1e8 * pow(100, i / 11.0), d = 20 * n;
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN},
                              .loss = law_loss(&truth, n, d) * exp(0.01 * rng_normal(seed, 1, (uint64_t)i)),
                              .weight = 1,
                              .cell = i,
                              .final = true});
    }
    FitOptions o = few_starts(OBJECTIVE_HUBER);
    Analysis *a = analysis_new(&t, &o, comm_world());
    EXPECT(!strcmp(a->arm[0].status, "not identifiable: D follows N^1.00 in all rows"), "%s", a->arm[0].status);
    for (int k = 0; k < COEFS; k++)
        EXPECT(isnan(a->arm[0].value[k]) && isnan(a->arm[0].interval[k].lo), "%s is given", coef_name[k]);
    const BudgetFit *budget = &a->arm[0].currency[0].budget[0];
    EXPECT(budget->verdict == BUDGET_REFUSED && isnan(budget->at.n), "%s: N* %g", budget->status, budget->at.n);
    analysis_free(a);
    table_free(&t);
}

/* Every run has twice the parameters of its budget's optimum or more. */
static void one_sided(void) {
    const Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    Table t = table_new();
    table_arm(&t, "synthetic");
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 7; j++) {
            double c = 1e19 * pow(100, i / 4.0), n = cost_allocate(&truth, &cost, c).n * 2 * pow(15, j / 6.0);
            double d = c / (6 * n), z = 0.001 * rng_normal(5, 1, (uint64_t)t.n);
            table_add(&t, (Point){.n = n,
                                  .d = d,
                                  .c = {c, NAN, NAN},
                                  .loss = law_loss(&truth, n, d) * exp(z),
                                  .weight = 1,
                                  .cell = t.n,
                                  .final = true});
        }
    FitOptions o = few_starts(OBJECTIVE_LOG);
    Analysis *a = analysis_new(&t, &o, comm_world());
    const ArmFit *arm = &a->arm[0];
    EXPECT(!strncmp(arm->status, "one-sided: D/N", 14), "%s", arm->status);
    EXPECT(!arm->currency[0].isoflop.ok &&
               strstr(arm->currency[0].isoflop.curve[0].status, "vertex outside the sampled range"),
           "%s", arm->currency[0].isoflop.curve[0].status);
    analysis_free(a);
    table_free(&t);
}

/* Budgets of the runs, but models too large for them: the optimum is smaller than any. */
static void outside(void) {
    const Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    Table large = table_new();
    table_arm(&large, "large models");
    double least = INFINITY;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            double n = 2e10 * pow(2, i), d = 1e9 * pow(2, j);
            double loss = law_loss(&truth, n, d) * exp(0.0005 * rng_normal(6, 1, (uint64_t)large.n));
            least = fmin(least, 6 * n * d);
            table_add(&large, (Point){.n = n,
                                      .d = d,
                                      .c = {6 * n * d, NAN, NAN},
                                      .loss = loss,
                                      .weight = 1,
                                      .cell = large.n,
                                      .final = true});
        }
    FitOptions o = few_starts(OBJECTIVE_LOG);
    o.budgets[0] = (RealList){.n = 1, .at = {4 * least}};
    Analysis *a = analysis_new(&large, &o, comm_world());
    const BudgetFit *b = &a->arm[0].currency[0].budget[0];
    double below = 2e10 / cost_allocate(&truth, &cost, 4 * least).n;
    double said = 0;
    sscanf(b->status, "outside the data: N* is %lg times smaller than the smallest model", &said);
    EXPECT(b->verdict == BUDGET_OUTSIDE && below > 2 && fabs(log(said / below)) < 0.4, "%s; truth %g", b->status,
           below);
    analysis_free(a);
    table_free(&large);
}

/* How many of `draws` tables of one law the fit of another calls a lack of fit at 5 %. seeds: runs of each (N, D). */
static int lacking(const LawKind *made, const LawKind *fitted, int seeds, int draws) {
    const Law law = of_kind(made);
    int count = 0;
    for (int k = 0; k < draws; k++) {
        Table t = table_new();
        for (int s = 0; s < seeds; s++) {
            Table one = surface(&law, 6, 6, 0.01, (uint64_t)(100 + 7 * k + s));
            table_arm(&t, "synthetic");
            for (int64_t i = 0; i < one.n; i++) {
                one.at[i].seed = s;
                one.at[i].cell = t.n;
                table_add(&t, one.at[i]);
            }
            table_free(&one);
        }
        LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
        LawSpec spec = {.kind = fitted, .objective = OBJECTIVE_LOG};
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
        Goodness g = goodness_of(&p, &fit, 0, false);
        EXPECT(g.by == (seeds > 1 ? LACK_BY_SEEDS : LACK_BY_CURVATURE), "%s", lack_name[g.by]);
        EXPECT(made != fitted || fabs(g.rms - 0.01) < 0.004, "rms %g", g.rms);
        count += g.p < 0.05;
        EXPECT(made != fitted || (g.shared_p[SHARED_BY_SIZE] > 1e-4 && g.shared_p[SHARED_BY_LENGTH] > 1e-4 &&
                                  g.shared_p[SHARED_BY_BUDGET] > 1e-4),
               "runs of one size, length or budget share an error: p = %g, %g, %g", g.shared_p[SHARED_BY_SIZE],
               g.shared_p[SHARED_BY_LENGTH], g.shared_p[SHARED_BY_BUDGET]);
        EXPECT(made != fitted || (seeds > 1 ? g.shared_p[SHARED_BY_SEED] > 1e-4 : isnan(g.shared_p[SHARED_BY_SEED])),
               "runs of one seed do: p = %g", g.shared_p[SHARED_BY_SEED]);
        law_rows_free(&rows);
        table_free(&t);
    }
    return count;
}

/* An offset of each size or length: found, and with groups named there is no talk of curvature. */
static void offsets(bool of_lengths) {
    Table t = surface(&truth, 8, 8, 0.004, 31);
    for (int64_t i = 0; i < t.n; i++)
        t.at[i].loss *= exp(0.015 * rng_normal(32, 1, (uint64_t)(of_lengths ? i % 8 : i / 8)));
    LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG};
    for (int named = 0; named < 2; named++) {
        for (int64_t i = 0; i < t.n; i++) t.at[i].group = !named ? 0 : 1 + (of_lengths ? i % 8 : i / 8);
        LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
        Goodness g = goodness_of(&p, &fit, 0, false);
        EXPECT(rows.groups == (named ? 8 : 64), "%lld groups", (long long)rows.groups);
        if (named)
            EXPECT(g.by == LACK_UNTESTED && isnan(g.shared_p[SHARED_BY_SIZE]) && isnan(g.shared_p[SHARED_BY_LENGTH]),
                   "tested by %s", lack_name[g.by]);
        else
            EXPECT((g.shared_p[SHARED_BY_SIZE] < 1e-3) == !of_lengths &&
                       (g.shared_p[SHARED_BY_LENGTH] < 1e-3) == of_lengths,
                   "p = %g of sizes, %g of lengths", g.shared_p[SHARED_BY_SIZE], g.shared_p[SHARED_BY_LENGTH]);
        law_rows_free(&rows);
    }
    table_free(&t);
}

static void lack_of_fit(void) {
    for (int seeds = 1; seeds <= 2; seeds++) {
        int own = lacking(&law_chinchilla, &law_chinchilla, seeds, 40);
        int other = lacking(&law_kaplan, &law_chinchilla, seeds, 10);
        EXPECT(own <= 7, "%d seeds: %d of 40 fits of the law that made the rows are rejected at 5 %%", seeds, own);
        EXPECT(other >= 9, "%d seeds: %d of 10 fits of another law are rejected", seeds, other);
    }
}

/* Of the law that made the table's only arm. */
static Goodness goodness_of_law(const Table *t) {
    LawRows rows = law_rows(t, 0, LAW_OF_N_AND_D);
    LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG};
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
    Goodness g = goodness_of(&p, &fit, 0, false);
    law_rows_free(&rows);
    return g;
}

/* An offset of each seed, and one of each budget, are found and told from each other. */
static void seeds_and_budgets(void) {
    for (int of_seeds = 0; of_seeds < 2; of_seeds++) {
        Table t = table_new();
        for (int s = 0; s < 3; s++) {
            Table one = surface(&truth, 8, 8, 0.004, (uint64_t)(81 + s));
            table_arm(&t, "synthetic");
            for (int64_t i = 0; i < one.n; i++) {
                Point *p = &one.at[i];
                int64_t budget = llround(20 * log(p->c[CURRENCY_NOMINAL]));
                p->loss *= exp(0.01 * rng_normal(91, 1, (uint64_t)(of_seeds ? s : budget)));
                p->seed = s + 1;
                p->cell = t.n;
                table_add(&t, *p);
            }
            table_free(&one);
        }
        Goodness g = goodness_of_law(&t);
        EXPECT((g.shared_p[SHARED_BY_SEED] < LACK_LIMIT) == of_seeds &&
                   (g.shared_p[SHARED_BY_BUDGET] < LACK_LIMIT) == !of_seeds,
               "p = %g of seeds, %g of budgets", g.shared_p[SHARED_BY_SEED], g.shared_p[SHARED_BY_BUDGET]);
        FitOptions o = few_starts(OBJECTIVE_LOG);
        Analysis *a = analysis_new(&t, &o, comm_world());
        const char *want = of_seeds ? "runs of one seed share an error" : "runs of one budget share an error";
        EXPECT(strstr(a->arm[0].status, want), "%s", a->arm[0].status);
        analysis_free(a);
        table_free(&t);
    }
}

/* A smooth deviation of 3 % of any low degree is a lack of fit where the rows carry it; exact rows have no noise to test by. */
static void bent(void) {
    static const struct {
        int u, v; /* powers of log N and log D, from -1 to 1 */
        double size, noise;
    } made[] = {{2, 1, 0.03, 0.003}, {1, 2, 0.03, 0.003}, {0, 3, 0.03, 0.003}, {3, 1, 0.03, 0.003},
                {2, 2, 0.03, 0.003}, {2, 1, 0, 0.003},    {2, 1, 0, 1e-9}};
    for (int k = 0; k < (int)(sizeof made / sizeof *made); k++) {
        Table t = surface(&truth, 7, 7, made[k].noise, 51);
        for (int64_t i = 0; i < t.n; i++) {
            double u = (double)(i / 7) / 3 - 1;
            double v = (double)(i % 7) / 3 - 1;
            t.at[i].loss *= exp(made[k].size * pow(u, made[k].u) * pow(v, made[k].v));
        }
        Goodness g = goodness_of_law(&t);
        bool lacks = g.p < LACK_LIMIT;
        EXPECT(lacks == (made[k].size > 0), "u^%d v^%d of %g: p = %g by %d terms", made[k].u, made[k].v, made[k].size,
               g.p, g.dof1);
        if (made[k].noise < 1e-6)
            EXPECT(g.by == LACK_UNTESTED && isnan(g.shared_p[SHARED_BY_SIZE]), "exact rows are tested by %s",
                   lack_name[g.by]);
        table_free(&t);
    }
}

/* p of neighbours in D that share nothing. rho: what a row has of the error of the one of next D; bend: of log N and log D. */
static Goodness neighbours(double rho, double bend, int seeds, uint64_t draw) {
    enum { SIZES = 8, LENGTHS = 12 };
    Table t = table_new();
    for (int s = 0; s < seeds; s++) {
        Table one = surface(&truth, SIZES, LENGTHS, 0, 1);
        table_arm(&t, "synthetic");
        double e = 0;
        for (int64_t i = 0; i < one.n; i++) {
            double z = 0.005 * rng_normal(draw, (uint64_t)(71 + s), (uint64_t)i);
            double u = 2.0 * (double)(i / LENGTHS) / (SIZES - 1) - 1;
            double v = 2.0 * (double)(i % LENGTHS) / (LENGTHS - 1) - 1;
            e = i % LENGTHS > 0 ? rho * e + sqrt(1 - rho * rho) * z : z;
            one.at[i].loss *= exp(e + bend * u * u * v);
            one.at[i].seed = s;
            one.at[i].cell = t.n;
            table_add(&t, one.at[i]);
        }
        table_free(&one);
    }
    Goodness g = goodness_of_law(&t);
    table_free(&t);
    return g;
}

/* Rows that continue each other are found, also where which continues which is not known; independent ones, and those that a law
 * bends otherwise than, are not taken for them. */
static void checkpoints(void) {
    enum { DRAWS = 40, FEW = 10 };
    int independent = 0;
    for (uint64_t k = 0; k < DRAWS; k++) {
        Goodness g = neighbours(0, 0, 1 + (int)(k % 2), 500 + k);
        EXPECT(g.shared_p[SHARED_BY_NEIGHBOURS] > 1e-4, "draw %llu of independent errors: p = %g",
               (unsigned long long)k, g.shared_p[SHARED_BY_NEIGHBOURS]);
        independent += g.shared_p[SHARED_BY_NEIGHBOURS] < 0.05;
    }
    EXPECT(independent <= 7, "%d of %d tables of independent errors have p < 0.05", independent, DRAWS);
    int found = 0;
    int bent = 0;
    for (uint64_t k = 0; k < FEW; k++) {
        found += neighbours(0.7, 0, 1 + (int)(k % 2), 600 + k).shared_p[SHARED_BY_NEIGHBOURS] < LACK_LIMIT;
        Goodness g = neighbours(0, 0.04, 1, 700 + k);
        bent += g.p < LACK_LIMIT && g.shared_p[SHARED_BY_NEIGHBOURS] > LACK_LIMIT;
    }
    EXPECT(found >= FEW - 1, "%d of %d tables of checkpoints are found", found, FEW);
    EXPECT(bent == FEW, "%d of %d bent surfaces are called bent and nothing else", bent, FEW);
}

/* What few groups share is hardly known, which is said; of no more groups than coefficients in N not at all. */
static void few_groups(void) {
    static const struct {
        int sizes;
        const char *said;
    } made[] = {{3, "not identifiable: "}, {6, "6 groups are few"}, {8, "converged"}};
    for (int k = 0; k < 3; k++) {
        Table t = surface(&truth, made[k].sizes, 8, 0.002, 61);
        for (int64_t i = 0; i < t.n; i++) {
            t.at[i].group = i / 8 + 1;
            t.at[i].loss *= exp(0.001 * rng_normal(62, 1, (uint64_t)(i / 8)));
        }
        FitOptions o = few_starts(OBJECTIVE_LOG);
        Analysis *a = analysis_new(&t, &o, comm_world());
        EXPECT(!strncmp(a->arm[0].status, made[k].said, strlen(made[k].said)), "%d groups: %s", made[k].sizes,
               a->arm[0].status);
        analysis_free(a);
        table_free(&t);
    }
}

/* Intervals of a quantile near the edge are as wide as few rows beyond it make them. */
static void quantiles(void) {
    Table t = surface(&truth, 8, 8, 0.005, 71);
    const struct { double quantile, dof; } made[] = {{0, 0}, {0.5, 0}, {0.1, 6.4}, {0.9, 6.4}};
    for (int k = 0; k < 4; k++) {
        FitOptions o = few_starts(OBJECTIVE_HUBER);
        o.quantile = made[k].quantile;
        Analysis *a = analysis_new(&t, &o, comm_world());
        EXPECT(fabs(a->group[0].dof - made[k].dof) < 1e-9, "quantile %g: %g degrees of freedom", o.quantile,
               a->group[0].dof);
        analysis_free(a);
    }
    table_free(&t);
}

/* Runs at six budgets, whose law has another a above the third: 1/3 and 2/3, or 1/3 all along; log_e: of the loss that is left. */
static Table two_ranges(bool drifts, double noise, double log_e) {
    const Law low = {.kind = &law_chinchilla, .a = 1, .b = 1, .e = log_e, .alpha = 0.5, .beta = 0.25};
    const Law high = {.kind = &law_chinchilla, .a = 0, .b = 0, .e = log_e, .alpha = 0.25, .beta = 0.5};
    const Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    Table t = table_new();
    table_arm(&t, "synthetic");
    for (int k = 0; k < 6 * 8; k++) {
        const Law *law = drifts && k / 8 > 2 ? &high : &low;
        double c = 1e11 * pow(4, k / 8);
        double n = cost_allocate(law, &cost, c).n * pow(1.7, k % 8 - 3.5);
        double z = noise * rng_normal(8, 1, (uint64_t)k);
        table_add(&t, (Point){.n = n,
                              .d = c / (6 * n),
                              .c = {c, NAN, NAN},
                              .loss = law_loss(law, n, c / (6 * n)) * exp(z),
                              .weight = 1,
                              .cell = k,
                              .final = true});
    }
    return t;
}

static void drift(void) {
    const struct {
        bool drifts;
        double noise;
        DriftVerdict want;
    } made[] = {{false, 0.003, DRIFT_STABLE}, {true, 0.003, DRIFT_DRIFTING}, {false, 0.2, DRIFT_UNDECIDED}};
    for (int i = 0; i < 3; i++) {
        Table t = two_ranges(made[i].drifts, made[i].noise, -INFINITY);
        FitOptions o = few_starts(OBJECTIVE_LOG);
        o.e = LAW_E_ZERO;
        Analysis *a = analysis_new(&t, &o, comm_world());
        const Drift *d = &a->arm[0].drift;
        bool known = a->arm[0].identified;
        EXPECT(d->verdict == made[i].want && !d->why[0] == (made[i].want != DRIFT_UNDECIDED), "%d: %s, %s", i,
               drift_word[d->verdict], d->why);
        EXPECT(!known || (d->c > 1.6e12 && d->c < 6.4e12), "cut at %g", d->c);
        /* By the vertices too, where enough budgets have one. */
        const IsoHalves *h = &a->arm[0].currency[CURRENCY_NOMINAL].isoflop.halves;
        DriftVerdict verdict = drift_verdict(h->change.interval);
        EXPECT(made[i].want == DRIFT_UNDECIDED ? verdict != DRIFT_STABLE : verdict == made[i].want,
               "%d: by vertices %s, a changes by %g [%g, %g]", i, drift_word[verdict], h->change.value,
               h->change.interval.lo, h->change.interval.hi);
        double upper = made[i].drifts ? 2.0 / 3 : 1.0 / 3;
        bool near = fabs(d->lower.value - 1.0 / 3) < 0.05 && fabs(d->upper.value - upper) < 0.05;
        EXPECT(made[i].want == DRIFT_UNDECIDED || near, "a %g, %g", d->lower.value, d->upper.value);
        const Estimate *e = &d->change;
        EXPECT(!known || (e->value == d->upper.value - d->lower.value && e->interval.lo < e->value &&
                          e->interval.hi > e->value),
               "a changes by %g [%g, %g]", e->value, e->interval.lo, e->interval.hi);
        analysis_free(a);
        table_free(&t);
    }
}

/* Halves have the E that all runs have: without it neither has the a of the law. */
static void drift_beside_e(void) {
    Table t = two_ranges(false, 1e-4, log(0.02));
    FitOptions o = few_starts(OBJECTIVE_LOG);
    Analysis *a = analysis_new(&t, &o, comm_world());
    const Drift *d = &a->arm[0].drift;
    EXPECT(fabs(d->lower.value - 1.0 / 3) < 0.01 && fabs(d->upper.value - 1.0 / 3) < 0.01, "a %g, %g: %s",
           d->lower.value, d->upper.value, d->why);
    analysis_free(a);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    unidentifiable();
    proportional(3);
    one_sided();
    outside();
    lack_of_fit();
    bent();
    offsets(false);
    offsets(true);
    seeds_and_budgets();
    checkpoints();
    quantiles();
    few_groups();
    proportional(4);
    drift();
    drift_beside_e();
    return test_end();
}
