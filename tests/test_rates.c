// TEST single n=1,2
/* Learning-rate rules: a known one is found again, edges are named, and what does not determine a rule is refused. */
#include "check.h"
#include "infer/rates.h"

enum { SIZES = 5, LENGTHS = 4, RATES = 5, SEEDS = 2, CELLS = SIZES * LENGTHS * RATES * SEEDS };

typedef struct Truth {
    double lr, p, s0, q, curvature, noise;
    double shift; /* of the sweep's middle from the truth, in log lr */
} Truth;

/* A sweep by factors of 2 along a rule that is nearly right. */
static Results sweep(const char *arm, const Truth *t) {
    Results r = {.cells = CELLS, .cell = MEM_NEW(CellRecord, CELLS)};
    int64_t k = 0;
    for (int i = 0; i < SIZES; i++)
        for (int j = 0; j < LENGTHS; j++)
            for (int l = 0; l < RATES; l++)
                for (int s = 0; s < SEEDS; s++, k++) {
                    CellRecord *c = &r.cell[k];
                    c->parameters = (int64_t)(3000 * pow(1.8, i));
                    c->steps = (int64_t)(500 * pow(3, j));
                    c->batch = 8;
                    c->dataset = 100;
                    c->seed = s;
                    c->width = 8 + i;
                    double n = (double)c->parameters, d = (double)(c->steps * c->batch);
                    double best = log(t->lr * pow(n / 1e5, -t->p) * fmin(1, pow((double)c->steps / t->s0, -t->q)));
                    double x = best + t->shift + (l - 2) * log(2);
                    c->lr = exp(x);
                    double loss = 20 * pow(n, -0.5) + 30 * pow(d, -0.6);
                    c->validation_loss = loss * exp(t->curvature * pow(x - best, 2) +
                                                    t->noise * rng_normal(1, rng_stream(arm, 0), (uint64_t)k));
                    snprintf(c->arm, sizeof c->arm, "%s", arm);
                }
    return r;
}

static RateRule *fit(const Results *r, int *rules, Err *err) {
    RateRule *rule = MEM_NEW(RateRule, RATES_ARMS);
    *err = rates_fit(rule, rules, r, comm_world());
    return rule;
}

static void found_again(void) {
    Truth t = {.lr = 3e-3, .p = 0.45, .s0 = 1500, .q = 0.6, .curvature = 0.05, .noise = 0.01, .shift = 0.3};
    Results r = sweep("falling", &t);
    int rules;
    Err err;
    RateRule *f = fit(&r, &rules, &err);
    EXPECT(!err.code && rules == 1 && f->found && f->cases == SIZES * LENGTHS, "%s", err.text);
    EXPECT(fabs(log(f->lr / t.lr)) < 3 * f->lr_se + 0.02 && f->lr_se < 0.2, "lr %g +- %g", f->lr, f->lr_se);
    EXPECT(fabs(f->p - t.p) < 3 * f->p_se && f->p_se < 0.1, "p %g +- %g", f->p, f->p_se);
    EXPECT(fabs(f->q - t.q) < 3 * f->q_se && f->q_se < 0.1, "q %g +- %g", f->q, f->q_se);
    EXPECT(f->s0 == 1500 && fabs(f->curvature / t.curvature - 1) < 0.2, "s0 %g, curvature %g", f->s0, f->curvature);
    EXPECT(f->noise > 0.008 && f->noise < 0.012 && f->edges == 0, "noise %g, %d edges", f->noise, f->edges);
    EXPECT(f->cost_median < 0.01 && f->cost_most < 0.03, "cost %g, %g", f->cost_median, f->cost_most);
    /* alpha = .5, beta = .6: a = beta / (alpha + beta) */
    EXPECT(fabs(f->a_own - 0.6 / 1.1) < 0.05 && fabs(f->a_rule - f->a_own) < 0.05, "a %g, %g", f->a_own, f->a_rule);
    mem_free(f);

    /* The best rate of every case is the lowest of the sweep: said so. */
    results_free(&r);
    t.shift = 2 * log(2);
    t.noise = 0;
    r = sweep("high", &t);
    f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->edges == SIZES * LENGTHS, "%d edges", f->edges);
    mem_free(f);
    results_free(&r);

    /* A rate that does not depend on length, one cell diverged and one that failed at the highest rate. */
    t = (Truth){.lr = 5e-3, .p = 0.3, .s0 = 1, .q = 0, .curvature = 0.1, .noise = 0.01};
    r = sweep("flat", &t);
    r.cell[SEEDS * (RATES - 1)].outcome = OUTCOME_DIVERGED;
    r.cell[SEEDS * (RATES - 1)].validation_loss = NAN;
    f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->q < 0.08 && fabs(f->p - 0.3) < 0.06, "q %g p %g", f->q, f->p);
    rates_print(f, rules);
    mem_free(f);
    results_free(&r);
}

static void refused(void) {
    Truth t = {.lr = 3e-3, .s0 = 1, .curvature = 0.05};
    Results r = sweep("one", &t);
    r.cells = LENGTHS * RATES * SEEDS; /* one size */
    int rules;
    Err err;
    RateRule *f = fit(&r, &rules, &err);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "two sizes and two lengths"), "%s", err.text);
    mem_free(f);
    results_free(&r);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    found_again();
    refused();
    return test_end();
}
