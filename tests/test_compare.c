// TEST single n=1,2
/* Two arms under laws that are given: compute multipliers, the crossover and the words for them; and the test of equal exponents. */
#include "infer/compare.h"

#include "law_surface.h"

enum { DRAWS = 100 };
static const Cost six = {.log_kappa = 1.791759469228055, .mu = 1, .nu = 1};

typedef struct Made {
    Law law[2], draw[2][DRAWS];
    Ensemble spread[2];
    CompareArm arm[2];
} Made;

/* Two arms whose factors are a and b, and whose draws lie about them by `noise` in the logarithm. */
static void make(Made *made, double alpha, double shift, double noise) {
    for (int m = 0; m < 2; m++) {
        made->law[m] = truth;
        made->law[m].e = -INFINITY;
        if (m) made->law[m].alpha = made->law[m].beta = alpha;
        if (m) made->law[m].a += shift;
        for (int r = 0; r < DRAWS; r++) {
            double move = noise * rng_normal(1, (uint64_t)m, (uint64_t)r);
            made->draw[m][r] = made->law[m];
            made->draw[m][r].a += move;
            made->draw[m][r].b += move;
        }
        made->spread[m] = (Ensemble){.n = DRAWS, .arms = 1, .law = made->draw[m]};
        made->arm[m] = (CompareArm){.name = m ? "second" : "first",
                                    .law = &made->law[m],
                                    .spread = &made->spread[m],
                                    .dof = 10,
                                    .identified = true,
                                    .cost = six,
                                    .c_min = m ? 1e17 : 1e16,
                                    .c_max = m ? 1e21 : 1e20};
    }
}

static double least(const Law *law, double c) {
    return cost_allocate(law, &six, c).loss;
}

static bool near(double x, double y) {
    return fabs(x - y) <= 1e-9 * fabs(y);
}

/* Same exponents: the multiplier is the same at every loss. */
static void multiplier(Made *made) {
    make(made, truth.alpha, 0.5, 1e-3);
    made->law[0].beta = truth.alpha;
    for (int r = 0; r < DRAWS; r++) made->draw[0][r].beta = truth.alpha;
    Difference d;
    compare_arms(&d, &made->arm[0], &made->arm[1], 100);
    double hi = fmin(least(&made->law[0], 1e16), least(&made->law[1], 1e17));
    double lo = fmax(least(&made->law[0], 1e20), least(&made->law[1], 1e21));
    EXPECT(near(d.loss_hi, hi) && near(d.loss_lo, lo), "losses %g to %g, want %g to %g", d.loss_lo, d.loss_hi, lo, hi);
    double want = cost_to_reach(&made->law[1], &six, d.mean.loss) / cost_to_reach(&made->law[0], &six, d.mean.loss);
    EXPECT(want > 1.5 && fabs(d.mean.value / want - 1) < 1e-6 && near(d.mean.loss, sqrt(lo * hi)), "x %g, want %g",
           d.mean.value, want);
    for (int i = 0; i < COMPARE_LOSSES; i++)
        EXPECT(fabs(d.at[i].value / want - 1) < 1e-6 && d.at[i].loss > lo && d.at[i].loss < hi, "x %g at %g",
               d.at[i].value, d.at[i].loss);
    EXPECT(d.mean.interval.lo < want && want < d.mean.interval.hi && d.mean.interval.lo > 1, "[%g, %g]",
           d.mean.interval.lo, d.mean.interval.hi);
    EXPECT(!strcmp(d.status, "second needs more compute") && isnan(d.crossover), "%s, crossover %g", d.status,
           d.crossover);
    EXPECT(strstr(d.crossover_status, "first is better throughout"), "%s", d.crossover_status);
    compare_arms(&d, &made->arm[1], &made->arm[0], 100);
    EXPECT(near(d.mean.value, 1 / want) || fabs(d.mean.value * want - 1) < 1e-6, "x %g the other way round",
           d.mean.value);
    EXPECT(!strcmp(d.status, "first needs less compute"), "%s", d.status);
    made->arm[0].identified = false;
    compare_arms(&d, &made->arm[0], &made->arm[1], 100);
    EXPECT(isnan(d.mean.value) && isnan(d.mean.interval.lo) && strstr(d.status, "law of first is not identifiable"),
           "%s", d.status);
    made->arm[0].identified = true;
    made->arm[1].c_min = 1e30;
    made->arm[1].c_max = 1e31;
    compare_arms(&d, &made->arm[0], &made->arm[1], 100);
    EXPECT(isnan(d.mean.value) && strstr(d.status, "no loss that both arms reach"), "%s", d.status);
}

/* Draws on both sides of no difference. */
static void none(Made *made) {
    make(made, truth.alpha, 0, 0.05);
    made->law[0].beta = truth.alpha;
    for (int r = 0; r < DRAWS; r++) made->draw[0][r].beta = truth.alpha;
    Difference d;
    compare_arms(&d, &made->arm[0], &made->arm[1], 100);
    EXPECT(near(d.mean.value, 1) && d.mean.interval.lo < 1 && d.mean.interval.hi > 1, "x %g [%g, %g]", d.mean.value,
           d.mean.interval.lo, d.mean.interval.hi);
    EXPECT(!strcmp(d.status, "no difference shown: the interval holds 1"), "%s", d.status);
}

/* The second falls faster, and is better from some budget on; where that is so in half of the draws, it is uncertain. */
static void crossover(Made *made) {
    double lo = 1e16;
    double hi = 1e21;
    make(made, 0.39, 0, 1e-4);
    made->law[1].a += 0.6;
    made->law[1].b += 0.6;
    for (int r = 0; r < DRAWS; r++) {
        made->draw[1][r].a += 0.6;
        made->draw[1][r].b += 0.6;
    }
    for (int i = 0; i < 100; i++) {
        double middle = sqrt(lo * hi);
        if (least(&made->law[1], middle) > least(&made->law[0], middle))
            lo = middle;
        else
            hi = middle;
    }
    Difference d;
    compare_arms(&d, &made->arm[0], &made->arm[1], 100);
    EXPECT(lo > 2e16 && hi < 5e20 && fabs(d.crossover / lo - 1) < 1e-6, "meet at %g, want %g", d.crossover, lo);
    EXPECT(d.crossover_share == 1 && d.crossover_interval.lo < lo && d.crossover_interval.hi > lo, "[%g, %g]",
           d.crossover_interval.lo, d.crossover_interval.hi);
    EXPECT(!strcmp(d.crossover_status, "second is better above"), "%s", d.crossover_status);
    for (int r = 0; r < DRAWS / 2; r++) made->draw[1][r].a -= 3, made->draw[1][r].b -= 3;
    compare_arms(&d, &made->arm[0], &made->arm[1], 100);
    EXPECT(fabs(d.crossover_share - 0.5) < 1e-12 && isnan(d.crossover_interval.lo), "in %g of the draws, [%g, ]",
           d.crossover_share, d.crossover_interval.lo);
    EXPECT(!strcmp(d.crossover_status, "uncertain: in 50 % of the resamples only"), "%s", d.crossover_status);
}

static ExponentTest tested(const Law *law, int sizes, int lengths, double noise, LawE e) {
    Table t[2];
    LawRows rows[2];
    const LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG, .delta = 1e-3, .e = e};
    for (int m = 0; m < 2; m++) {
        t[m] = surface(m ? law : &truth, sizes, lengths, noise, (uint64_t)(20 + m));
        rows[m] = law_rows(&t[m], 0, LAW_OF_N_AND_D);
    }
    ExponentTest out;
    compare_exponents(&out, rows, &spec, comm_world());
    for (int m = 0; m < 2; m++) {
        law_rows_free(&rows[m]);
        table_free(&t[m]);
    }
    return out;
}

static void exponents(void) {
    Law other = truth;
    other.alpha += 0.05;
    /* Whatever else arms share when they are fitted, what is tested is their exponents. */
    for (int shared = 0; shared < 2; shared++) {
        ExponentTest x = tested(&truth, 7, 7, 0.01, shared ? LAW_E_SHARED : LAW_E_FREE);
        EXPECT(x.valid && x.dof1 == 2 && x.dof2 == 2 * 49 - 10 && x.p > 1e-3, "F(%d, %d) = %g, p = %g: %s", x.dof1,
               x.dof2, x.f, x.p, x.why);
    }
    ExponentTest x = tested(&other, 7, 7, 0.003, LAW_E_FREE);
    EXPECT(x.valid && x.p < 1e-6, "p = %g of other exponents", x.p);
    x = tested(&truth, 5, 1, 0.01, LAW_E_FREE);
    EXPECT(!x.valid && !strcmp(x.why, "5 rows for 5 coefficients"), "%s", x.why);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    Made *made = MEM_NEW(Made, 1);
    multiplier(made);
    none(made);
    crossover(made);
    mem_free(made);
    exponents();
    return test_end();
}
