// TEST n=1,2
/* Arms beside each other: known multiplier, crossover and exponents; the certificate of one fit; the envelope. */
#include "base/rng.h"
#include "check.h"
#include "fit/analysis.h"

static const Law first = {.a = 6.2, .b = 7.6, .e = 0.3, .alpha = 0.35, .beta = 0.37};

static Table two_arms(const Law *second, double noise) {
    Table t = table_new();
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++) {
                double n = 1e7 * pow(4, i), d = 1e9 * pow(4, j),
                       z = noise * rng_normal(3, (uint64_t)m, (uint64_t)(6 * i + j));
                table_add(&t, (Point){.n = n,
                                      .d = d,
                                      .c = {6 * n * d, 7 * n * d, 1e-9 * n * d},
                                      .weight = 1,
                                      .cell = t.n,
                                      .final = true,
                                      .arm = table_arm(&t, m ? "second" : "first"),
                                      .loss = law_loss(m ? second : &first, n, d) * exp(z)});
            }
    return t;
}

static FitOptions options(void) {
    FitOptions o = {.delta = 1e-3,
                    .extrapolation = 10,
                    .bootstraps = 100,
                    .seed = 1,
                    .objective = "log",
                    .e = "free",
                    .exponents = "free",
                    .starts = "few",
                    .intervals = "auto"};
    return o;
}

/* The same law with 3 times the compute: A 3^(alpha beta/(alpha+beta)) larger would do for both terms equally. */
static void multiplier(void) {
    Law second = first;
    double gamma = first.alpha * first.beta / (first.alpha + first.beta);
    second.a -= gamma * log(3), second.b -= gamma * log(3);
    Table t = two_arms(&second, 0.003);
    FitOptions o = options();
    Analysis *a = analysis_new(&t, &o, comm_world());
    EXPECT(a->comparisons == 1, "%d pairs", a->comparisons);
    for (int c = 0; c < CURRENCIES; c++) {
        const Difference *d = &a->comparison[0].currency[c];
        EXPECT(d->mean.interval.lo < 1 / 3.0 && 1 / 3.0 < d->mean.interval.hi && fabs(log(3 * d->mean.value)) < 0.2,
               "%s: multiplier %g [%g, %g]", currency_name[c], d->mean.value, d->mean.interval.lo, d->mean.interval.hi);
        EXPECT(!strcmp(d->status, "second needs less compute"), "%s", d->status);
    }
    EXPECT(a->comparison[0].exponents.p > 0.01, "equal exponents: p = %g", a->comparison[0].exponents.p);
    analysis_free(a);
    table_free(&t);
}

static void crossing(void) {
    Law second = {.a = 7.8, .b = 9.2, .e = 0.3, .alpha = 0.45, .beta = 0.45};
    Table t = two_arms(&second, 0.002);
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    double lo = log(1e15), hi = log(1e22);
    for (int i = 0; i < 60; i++) {
        double mid = 0.5 * (lo + hi);
        bool worse = cost_allocate(&second, &cost, exp(mid)).loss > cost_allocate(&first, &cost, exp(mid)).loss;
        *(worse ? &lo : &hi) = mid;
    }
    FitOptions o = options();
    Analysis *a = analysis_new(&t, &o, comm_world());
    const Difference *d = &a->comparison[0].currency[0];
    EXPECT(d->crossover_interval.lo < exp(lo) && exp(lo) < d->crossover_interval.hi,
           "crossover %g [%g, %g], want %g: %s", d->crossover, d->crossover_interval.lo, d->crossover_interval.hi,
           exp(lo), d->crossover_status);
    EXPECT(a->comparison[0].exponents.p < 1e-3, "unequal exponents: p = %g", a->comparison[0].exponents.p);
    const ArmFit *arm = &a->arm[0];
    const double want[] = {first.a, first.b, first.e, first.alpha, first.beta};
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        double value = c < LAW_ALPHA ? exp(want[c]) : want[c];
        EXPECT(arm->certificate.profile[c].lo < value * 1.1 && value < arm->certificate.profile[c].hi * 1.1 &&
                   arm->certificate.profile[c].lo < arm->certificate.profile[c].hi,
               "profile %d [%g, %g]", c, arm->certificate.profile[c].lo, arm->certificate.profile[c].hi);
    }
    /* Nearly quadratic here: profile and resampled intervals of alpha agree. */
    Interval p = arm->certificate.profile[LAW_ALPHA], q = arm->interval[COEF_ALPHA];
    EXPECT(fabs(log((p.hi - p.lo) / (q.hi - q.lo))) < 0.35, "profile [%g, %g], resampled [%g, %g]", p.lo, p.hi, q.lo,
           q.hi);
    EXPECT(fabs(arm->certificate.varpro_gap) < 1e-6, "gap %g", arm->certificate.varpro_gap);
    for (int b = 0; b < arm->currency[0].budgets; b++)
        EXPECT(strstr(arm->currency[0].budget[b].status, "data"), "%s", arm->currency[0].budget[b].status);
    analysis_free(a);

    o.budgets[0] = (RealList){.n = 1, .at = {1e30}};
    a = analysis_new(&t, &o, comm_world());
    EXPECT(strstr(a->arm[0].currency[0].budget[0].status, "refused") && isnan(a->arm[0].currency[0].budget[0].at.n),
           "refused");
    analysis_free(a);
    o.extrapolate = true;
    a = analysis_new(&t, &o, comm_world());
    EXPECT(strstr(a->arm[0].currency[0].budget[0].status, "extrapolated") && a->arm[0].currency[0].budget[0].at.n > 0,
           "told to");
    analysis_free(a);
    table_free(&t);
}

static void envelope(void) {
    Table t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < 12; i++)
        for (int k = 1; k <= 10; k++) {
            double n = 1e6 * pow(2, i), d = 20 * n * k / 5;
            table_add(&t, (Point){.n = n,
                                  .d = d,
                                  .c = {6 * n * d, NAN, NAN},
                                  .loss = law_loss(&first, n, d),
                                  .weight = 1,
                                  .cell = i,
                                  .final = k == 10});
        }
    Envelope e;
    envelope_fit(&e, &t, 0, 0, 0);
    EXPECT(e.points > 8 && e.unfinished > 0 && strstr(e.caveat, "had not ended"), "%s", e.caveat);
    EXPECT(fabs(e.n_exponent - 0.5) < 0.1, "exponent %g", e.n_exponent);
    for (int i = 1; i < e.points; i++)
        EXPECT(e.point[i].loss < e.point[i - 1].loss && e.point[i].c > e.point[i - 1].c, "descends");
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    multiplier();
    crossing();
    envelope();
    return test_end();
}
