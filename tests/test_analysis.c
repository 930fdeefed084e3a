// TEST single n=1,2
/* What an analysis makes of its laws: numbers of an arm and their spread, each recomputed from the resamples that it keeps. */
#include "base/rng.h"
#include "check.h"
#include "fit/noise.h"
#include "infer/analysis.h"

static const Law truth = {.kind = &law_chinchilla, .a = 6.2, .b = 7.6, .e = 0.6, .alpha = 0.35, .beta = 0.37};
enum { SIZES = 6, LENGTHS = 6, SEEDS = 2, ARMS = 2 };
static const double seeds_differ = 0.002;

/* Two arms, of which the second has larger models; losses of two seeds lie on both sides of what the law and noise give. Executed
 * compute is 8 N D. */
static Table two_arms(double noise, bool with_e) {
    Table t = table_new();
    for (int m = 0; m < ARMS; m++) {
        Law law = truth;
        int arm = table_arm(&t, m ? "large" : "small");
        if (!with_e) law.e = -INFINITY;
        law.a += 0.3 * m;
        for (int i = 0; i < SIZES; i++)
            for (int j = 0; j < LENGTHS; j++)
                for (int s = 0; s < SEEDS; s++) {
                    double n = 1e7 * pow(3, m) * pow(1e3, 1 - i / (SIZES - 1.0));
                    double d = 1e9 * pow(1e3, j / (LENGTHS - 1.0));
                    double z = noise * rng_normal(5, (uint64_t)m, (uint64_t)(i * LENGTHS + j));
                    table_add(&t,
                              (Point){.n = n,
                                      .d = d,
                                      .c = {6 * n * d, 8 * n * d, NAN},
                                      .loss = law_loss(&law, n, d) * exp(z + ((i + j + s) % 2 ? 1 : -1) * seeds_differ),
                                      .weight = 1,
                                      .seed = s,
                                      .cell = t.n,
                                      .arm = arm,
                                      .final = true});
                }
    }
    return t;
}

static FitOptions options(void) {
    return (FitOptions){
        .delta = 1e-3, .objective = OBJECTIVE_LOG, .starts = LAW_STARTS_FEW, .bootstraps = 60, .extrapolation = 100};
}

static bool near(double x, double y) {
    return fabs(x - y) <= 1e-9 * fabs(y);
}

static bool same_interval(Interval a, Interval b) {
    return near(a.lo, b.lo) && near(a.hi, b.hi);
}

/* Coefficients, exponents and allocations of an arm against those of its resamples. */
static void spread(const ArmFit *arm) {
    const LawGroup *g = arm->group;
    const CurrencyFit *c = &arm->currency[CURRENCY_NOMINAL];
    int64_t n = g->spread.n;
    double *v = MEM_NEW(double, 4 * n), *of_a = v, *of_b = v + n, *gamma = v + 2 * n, *log_b = v + 3 * n;
    for (int64_t r = 0; r < n; r++) {
        const Law *law = &g->spread.law[r * g->spread.arms + arm->index];
        double factors[2];
        law_factors(&factors[0], &factors[1], law);
        cost_exponents(&of_a[r], &of_b[r], law, &c->cost);
        gamma[r] = of_a[r] * law->alpha;
        log_b[r] = log(factors[1]);
    }
    EXPECT(near(arm->se[COEF_B], stats_sd(log_b, n)), "se of log B %g, want %g", arm->se[COEF_B], stats_sd(log_b, n));
    EXPECT(same_interval(c->a_interval, stats_interval(of_a, n, g->dof)), "a [%g, %g]", c->a_interval.lo,
           c->a_interval.hi);
    EXPECT(same_interval(c->b_interval, stats_interval(of_b, n, g->dof)), "b [%g, %g]", c->b_interval.lo,
           c->b_interval.hi);
    EXPECT(same_interval(c->gamma_interval, stats_interval(gamma, n, g->dof)), "gamma [%g, %g]", c->gamma_interval.lo,
           c->gamma_interval.hi);
    for (int64_t r = 0; r < n; r++) {
        Allocation at = cost_allocate(&g->spread.law[r * g->spread.arms + arm->index], &c->cost, c->budget[0].at.c);
        of_a[r] = at.n;
        of_b[r] = at.d;
        gamma[r] = at.loss;
    }
    const BudgetFit *b = &c->budget[0];
    EXPECT(same_interval(b->n, stats_interval(of_a, n, g->dof)), "N* [%g, %g]", b->n.lo, b->n.hi);
    EXPECT(same_interval(b->d, stats_interval(of_b, n, g->dof)), "D* [%g, %g]", b->d.lo, b->d.hi);
    EXPECT(same_interval(b->loss, stats_interval(gamma, n, g->dof)), "loss [%g, %g]", b->loss.lo, b->loss.hi);
    mem_free(v);
}

/* What is said of the rows themselves. */
static void rows(const Analysis *a, int m) {
    const ArmFit *arm = &a->arm[m];
    const CurrencyFit *c = &arm->currency[CURRENCY_NOMINAL];
    double least = 1e7 * pow(3, m), largest = least * 1e3;
    EXPECT(arm->seed_dof == SIZES * LENGTHS && near(arm->seed_noise, seeds_differ * sqrt(2)), "noise %.12g of %lld",
           arm->seed_noise, (long long)arm->seed_dof);
    EXPECT(near(arm->ratio_lo, 1e9 / largest) && near(arm->ratio_hi, 1e12 / least), "D/N %g to %g", arm->ratio_lo,
           arm->ratio_hi);
    EXPECT(near(c->c_min, 6 * least * 1e9) && near(c->c_max, 6 * largest * 1e12), "C %g to %g", c->c_min, c->c_max);
    /* Powers of ten in reach, which is a factor of ten at most. */
    double last = c->budget[c->budgets - 1].at.c;
    EXPECT(c->budget[0].at.c >= c->c_min && c->budget[0].at.c < 10 * c->c_min, "first budget %g", c->budget[0].at.c);
    EXPECT(last <= 10 * c->c_max && last > c->c_max, "last budget %g", last);
}

static void certificates(const ArmFit *arm) {
    const Certificate *c = &arm->certificate;
    int first = 0, laws = 0;
    for (int i = 0; i < c->n; i++) {
        first += !strcmp(c->row[i].what, "this fit");
        laws += !strcmp(c->row[i].what, "law, nominal");
    }
    EXPECT(first == 1 && laws == 0, "%d first rows, and %d of the same", first, laws);
}

static void apart(void) {
    Table t = two_arms(0.003, true);
    FitOptions o = options();
    o.currency = 1 + CURRENCY_NOMINAL;
    o.isoflop_budgets = (RealList){.n = 2, .at = {1e18, 1e19}};
    o.predict = (RealList){.n = 2, .at = {1e8, 1e10}};
    Analysis *a = analysis_new(&t, &o, comm_world());
    EXPECT(a->groups == 2 && a->arms == 2, "%d groups", a->groups);
    double middle = 0;
    for (int m = 0; m < ARMS; m++) {
        const ArmFit *arm = &a->arm[m];
        EXPECT(arm->verdict == LAW_CONVERGED, "%s", arm->status);
        spread(arm);
        rows(a, m);
        certificates(arm);
        middle += 0.25 * log(arm->currency[CURRENCY_NOMINAL].c_min * arm->currency[CURRENCY_NOMINAL].c_max);
        /* Budgets that were asked for are those of nominal compute. */
        EXPECT(arm->currency[CURRENCY_NOMINAL].isoflop.curves == 2, "%d curves",
               arm->currency[CURRENCY_NOMINAL].isoflop.curves);
        EXPECT(arm->currency[CURRENCY_EXECUTED].isoflop.curves != 2, "budgets of another currency");
        double p = noise_uneven(&a->group[m].problem, &a->group[m].fit, 0);
        EXPECT(near(a->group[m].uneven, fmin(1, p)), "uneven p %g, want %g", a->group[m].uneven, p);
    }
    EXPECT(near(a->reference, exp(middle)), "reference %g, want %g", a->reference, exp(middle));
    EXPECT(a->predictions == 2 && near(a->prediction[0].c, 6e18), "C %g of a prediction", a->prediction[0].c);
    analysis_free(a);

    /* C that is not 6 N D is that of the arm's own cost law. */
    for (int64_t i = 0; i < t.n; i++) t.at[i].c[CURRENCY_NOMINAL] *= 2;
    a = analysis_new(&t, &o, comm_world());
    EXPECT(fabs(a->prediction[0].c / 12e18 - 1) < 1e-6, "C %g of a prediction", a->prediction[0].c);
    analysis_free(a);
    table_free(&t);
}

/* Arms that share exponents are one fit, whose evenness is tested for every arm; groups of either make its intervals. */
static void together(void) {
    Table t = two_arms(0.003, true);
    FitOptions o = options();
    o.exponents = LAW_EXPONENTS_SHARED;
    Analysis *a = analysis_new(&t, &o, comm_world());
    EXPECT(a->groups == 1 && a->arm[1].index == 1 && a->arm[0].value[COEF_ALPHA] == a->arm[1].value[COEF_ALPHA],
           "%d groups, alpha %g and %g", a->groups, a->arm[0].value[COEF_ALPHA], a->arm[1].value[COEF_ALPHA]);
    double p = 1;
    for (int m = 0; m < ARMS; m++) p = fmin(p, noise_uneven(&a->group[0].problem, &a->group[0].fit, m));
    EXPECT(near(a->group[0].uneven, fmin(1, ARMS * p)), "uneven p %g, of the arms %g", a->group[0].uneven, p);
    EXPECT(a->group[0].spread_kind != BOOTSTRAP_GROUPS, "intervals of groups without any");
    analysis_free(a);
    for (int64_t i = 0; i < t.n; i++)
        if (t.at[i].arm == 0) t.at[i].group = 1 + i / (LENGTHS * SEEDS);
    a = analysis_new(&t, &o, comm_world());
    EXPECT(a->group[0].spread_kind == BOOTSTRAP_GROUPS, "intervals not of the first arm's groups");
    analysis_free(a);
    table_free(&t);
}

/* An E that has vanished beside the losses is reported as 0, and so in its resamples. */
static void no_e(void) {
    Table t = two_arms(0.003, false);
    FitOptions o = options();
    Analysis *a = analysis_new(&t, &o, comm_world());
    int zero = 0;
    for (int m = 0; m < ARMS; m++) {
        double e = a->arm[m].value[COEF_E], lo = a->arm[m].interval[COEF_E].lo;
        bool bound = a->arm[m].verdict == LAW_AT_BOUND;
        EXPECT(!bound || (e == 0 && lo == 0), "E %g [%g, ]: %s", e, lo, a->arm[m].status);
        zero += bound;
    }
    EXPECT(zero > 0, "no arm has E at its bound: %s", a->arm[0].status);
    analysis_free(a);
    table_free(&t);
}

/* Where the rows do not tell, nothing is predicted. */
static void unidentified(void) {
    Table t = two_arms(0.003, true);
    FitOptions o = options();
    o.predict = (RealList){.n = 2, .at = {1e8, 1e10}};
    t.n = 4;
    for (int64_t i = 0; i < t.n; i++) t.at[i].cell = i;
    t.arms = 1;
    Analysis *a = analysis_new(&t, &o, comm_world());
    EXPECT(!a->arm[0].identified && a->predictions == 1 && isnan(a->prediction[0].loss), "loss %g: %s",
           a->prediction[0].loss, a->arm[0].status);
    for (int k = 0; k < COEFS; k++) EXPECT(isnan(a->arm[0].se[k]), "se of %s is given", coef_name[k]);
    analysis_free(a);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    apart();
    together();
    no_e();
    unidentified();
    return test_end();
}
