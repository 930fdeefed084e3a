// TEST single n=1
/* Two arms beside each other, from power laws and laws that are given: differences, ratios, multipliers and their intervals. */
#include "infer/contrast.h"

#include "base/rng.h"
#include "check.h"
#include "math/stats.h"

enum { DRAWS = 100 };

static bool near(double x, double y) {
    return fabs(x - y) <= 1e-9 * fabs(y);
}

static bool same(Estimate e, double value, double *draw, double dof) {
    Interval want = stats_interval(draw, DRAWS, dof);
    return near(e.value, value) && near(e.interval.lo, want.lo) && near(e.interval.hi, want.hi);
}

static double power(const Powers *p, int part, double c) {
    return exp(p->log_factor[part] + p->exponent[part] * log(c));
}

/* Draws of an arm lie about its value by a part in a thousand. */
static void scatter(Powers draw[DRAWS], const Powers *value, uint64_t stream) {
    for (int r = 0; r < DRAWS; r++)
        for (int k = 0; k < OPTIMUM_PARTS; k++) {
            uint64_t at = (uint64_t)(r * OPTIMUM_PARTS + k);
            draw[r].log_factor[k] = value->log_factor[k];
            draw[r].exponent[k] = value->exponent[k] * (1 + 1e-3 * rng_normal(1, stream, at));
        }
}

/* What the second arm needs for the loss that lies in the middle of those that both reach. */
static double multiplier(const Powers *p, const Powers *q, double log_loss) {
    double first = (log_loss - p->log_factor[OPTIMUM_LOSS]) / p->exponent[OPTIMUM_LOSS];
    double second = (log_loss - q->log_factor[OPTIMUM_LOSS]) / q->exponent[OPTIMUM_LOSS];
    return exp(second - first);
}

static void powers(void) {
    ContrastPowers arm[2] = {{.name = "first",
                              .value = {{1, -3, 3}, {0.5, 0.45, -0.10}},
                              .draws = DRAWS,
                              .dof = 4,
                              .c_min = 1e12,
                              .c_max = 1e16},
                             {.name = "second",
                              .value = {{2, -4, 2.7}, {0.4, 0.55, -0.11}},
                              .draws = DRAWS,
                              .dof = 9,
                              .c_min = 1e13,
                              .c_max = 1e17}};
    Powers draw[2][DRAWS];
    for (int m = 0; m < 2; m++) {
        scatter(draw[m], &arm[m].value, (uint64_t)m);
        arm[m].draw = draw[m];
    }
    const Powers *p = &arm[0].value, *q = &arm[1].value;
    Contrast c;
    contrast_powers(&c, &arm[0], &arm[1]);
    EXPECT(c.known && near(c.budget[0], 1e13) && near(c.budget[2], 1e16) && near(c.budget[1], sqrt(1e29)),
           "budgets %g, %g, %g: %s", c.budget[0], c.budget[1], c.budget[2], c.status);
    double a[DRAWS], b[DRAWS], ratio[DRAWS], compute[DRAWS];
    double best = fmax(log(power(p, OPTIMUM_LOSS, 1e16)), log(power(q, OPTIMUM_LOSS, 1e17)));
    double worst = fmin(log(power(p, OPTIMUM_LOSS, 1e12)), log(power(q, OPTIMUM_LOSS, 1e13)));
    EXPECT(best < worst, "the arms share losses from %g to %g", best, worst);
    for (int r = 0; r < DRAWS; r++) {
        const Powers *x = &draw[0][r], *y = &draw[1][r];
        a[r] = y->exponent[OPTIMUM_N] - x->exponent[OPTIMUM_N];
        b[r] = y->exponent[OPTIMUM_D] - x->exponent[OPTIMUM_D];
        ratio[r] = power(y, OPTIMUM_N, 1e16) / power(x, OPTIMUM_N, 1e16);
        compute[r] = multiplier(x, y, 0.5 * (best + worst));
    }
    /* The fewer degrees of freedom of the two make the wider interval. */
    EXPECT(same(c.a, 0.4 - 0.5, a, 4), "a %g [%g, %g]", c.a.value, c.a.interval.lo, c.a.interval.hi);
    EXPECT(same(c.b, 0.55 - 0.45, b, 4), "b %g [%g, %g]", c.b.value, c.b.interval.lo, c.b.interval.hi);
    EXPECT(same(c.n_ratio[2], power(q, OPTIMUM_N, 1e16) / power(p, OPTIMUM_N, 1e16), ratio, 4), "N* x %g [%g, %g]",
           c.n_ratio[2].value, c.n_ratio[2].interval.lo, c.n_ratio[2].interval.hi);
    EXPECT(same(c.multiplier, multiplier(p, q, 0.5 * (best + worst)), compute, 4), "compute x %g [%g, %g]",
           c.multiplier.value, c.multiplier.interval.lo, c.multiplier.interval.hi);
    EXPECT(isnan(c.bound), "a bound of %g beside a multiplier", c.bound);

    arm[1].c_min = 2e16;
    contrast_powers(&c, &arm[0], &arm[1]);
    EXPECT(!c.known && isnan(c.a.value) && strstr(c.status, "first and second have no budgets in common"), "%s",
           c.status);
    arm[1].c_min = 1e13;
    arm[1].why = "no vertex";
    contrast_powers(&c, &arm[0], &arm[1]);
    EXPECT(!c.known && isnan(c.a.value) && strstr(c.status, "second") && strstr(c.status, "no vertex"), "%s", c.status);
}

static void laws(void) {
    Law law[2] = {{.kind = &law_chinchilla, .a = 6.2, .b = 7.6, .e = 0.6, .alpha = 0.35, .beta = 0.40},
                  {.kind = &law_chinchilla, .a = 6.5, .b = 7.6, .e = 0.6, .alpha = 0.35, .beta = 0.30}};
    const Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    Ensemble spread[2];
    CompareArm arm[2];
    for (int m = 0; m < 2; m++) {
        spread[m] = (Ensemble){.n = DRAWS, .arms = 1, .law = MEM_NEW(Law, DRAWS)};
        for (int r = 0; r < DRAWS; r++) {
            spread[m].law[r] = law[m];
            spread[m].law[r].alpha += 1e-3 * rng_normal(2, (uint64_t)m, (uint64_t)r);
        }
        arm[m] = (CompareArm){.name = m ? "second" : "first",
                              .law = &law[m],
                              .spread = &spread[m],
                              .dof = 5,
                              .identified = true,
                              .cost = cost,
                              .c_min = 1e16,
                              .c_max = 1e20};
    }
    const Multiplier found = {.value = 2, .interval = {1.5, 2.5}};
    Contrast c;
    contrast_laws(&c, &arm[0], &arm[1], &found);
    double a[2], b[2];
    for (int m = 0; m < 2; m++) cost_exponents(&a[m], &b[m], &law[m], &cost);
    double ratio = cost_allocate(&law[1], &cost, 1e16).n / cost_allocate(&law[0], &cost, 1e16).n;
    EXPECT(c.known && near(c.a.value, a[1] - a[0]) && near(c.b.value, b[1] - b[0]), "a %g, b %g: %s", c.a.value,
           c.b.value, c.status);
    EXPECT(c.a.interval.lo < c.a.value && c.a.value < c.a.interval.hi && near(c.n_ratio[0].value, ratio), "N* x %g",
           c.n_ratio[0].value);
    EXPECT(c.multiplier.value == 2 && c.multiplier.interval.hi == 2.5 && isnan(c.bound), "compute x %g",
           c.multiplier.value);
    for (int m = 0; m < 2; m++) {
        arm[m].identified = false;
        contrast_laws(&c, &arm[0], &arm[1], &found);
        EXPECT(!c.known && isnan(c.a.value) && strstr(c.status, arm[m].name), "%s", c.status);
        arm[m].identified = true;
    }
    for (int m = 0; m < 2; m++) ensemble_free(&spread[m]);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    powers();
    laws();
    return test_end();
}
