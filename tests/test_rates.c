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

    /* So is the highest. */
    t.shift = -2 * log(2);
    r = sweep("low", &t);
    f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->edges == SIZES * LENGTHS, "%d edges", f->edges);
    mem_free(f);
    results_free(&r);

    /* A rate that does not depend on length, one cell diverged at the highest rate, and one failed that had little loss. */
    t = (Truth){.lr = 5e-3, .p = 0.3, .s0 = 1, .q = 0, .curvature = 0.1, .noise = 0.01};
    r = sweep("flat", &t);
    r.cell[SEEDS * (RATES - 1)].outcome = OUTCOME_DIVERGED;
    r.cell[SEEDS * (RATES - 1)].validation_loss = NAN;
    r.cell[SEEDS].outcome = OUTCOME_FAILED;
    r.cell[SEEDS].validation_loss = 1e-9;
    f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->q < 0.08 && fabs(f->p - 0.3) < 0.06, "q %g p %g", f->q, f->p);
    EXPECT(fabs(f->at[0].best / r.cell[2 * SEEDS].lr - 1) < 1e-9, "best rate %g of a case with losses of failed cells",
           f->at[0].best);
    rates_print(f, rules);
    mem_free(f);
    results_free(&r);
}

/* Without noise the rule is met exactly: at lengths on both sides of the bend, and beside a cliff above the best rates. */
static void exactly(void) {
    const double far = 2, seeds_differ = 0.01;
    Truth t = {.lr = 3e-3, .p = 0.45, .s0 = 1500, .q = 0.6, .curvature = 0.05};
    Results r = sweep("exact", &t);
    for (int64_t i = 0; i < CELLS; i++) {
        CellRecord *c = &r.cell[i];
        bool cliff = i / SEEDS % RATES == RATES - 1;
        c->validation_loss *= exp((cliff ? far : 0) + (c->seed ? seeds_differ : -seeds_differ));
    }
    int rules;
    Err err;
    RateRule *f = fit(&r, &rules, &err);
    EXPECT(!err.code && fabs(f->lr / t.lr - 1) < 1e-6 && fabs(f->p - t.p) < 1e-6 && fabs(f->q - t.q) < 1e-6,
           "lr %g, p %g, q %g", f->lr, f->p, f->q);
    EXPECT(f->cost_most < 1e-9, "cost %g", f->cost_most);
    /* Four rates of each case are below the cliff; the rule has four coefficients, and every case one of its own. */
    const double rows = SIZES * LENGTHS * (RATES - 1) * SEEDS, left = rows - SIZES * LENGTHS - 4;
    EXPECT(fabs(f->noise / (seeds_differ * sqrt(rows / left)) - 1) < 1e-6, "noise %g", f->noise);
    const RateCase *first = &f->at[0], *last = &f->at[f->cases - 1];
    EXPECT(first->parameters == 3000 && first->steps == 500, "the first case has %lld steps", (long long)first->steps);
    EXPECT(last->parameters > 3000 && last->steps == 13500, "the last case has %lld steps", (long long)last->steps);
    mem_free(f);
    results_free(&r);
}

/* Leaves the cells that are marked. */
static void keep(Results *r, const bool *stays) {
    int64_t n = 0;
    for (int64_t i = 0; i < r->cells; i++)
        if (stays[i]) r->cell[n++] = r->cell[i];
    r->cells = n;
}

/* What is a case, and which of its rates is the best. */
static void cases(void) {
    Truth t = {.lr = 3e-3, .p = 0.45, .s0 = 1500, .q = 0.6, .curvature = 0.05};
    bool stays[CELLS];
    int rules;
    Err err;
    /* The best rate has one seed less than its neighbours: losses are means. */
    Results r = sweep("seeds", &t);
    for (int64_t i = 0; i < CELLS; i++) stays[i] = i != 2 * SEEDS;
    double best = r.cell[2 * SEEDS].lr;
    keep(&r, stays);
    RateRule *f = fit(&r, &rules, &err);
    EXPECT(!err.code && fabs(f->at[0].best / best - 1) < 1e-9 && f->at[0].seeds == SEEDS - 1, "best rate %g, not %g",
           f->at[0].best, best);
    mem_free(f);
    results_free(&r);

    /* Cells that differ in their batch are of two cases. */
    r = sweep("batch", &t);
    for (int64_t i = 0; i < RATES * SEEDS; i++) r.cell[i].batch = r.cell[i].seed ? 16 : 8;
    f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->cases == SIZES * LENGTHS + 1, "%d cases", f->cases);
    mem_free(f);
    results_free(&r);
}

/* Longer training never has a higher rate: such a sweep gets a rule without lengths, and no error of them. */
static void rising(void) {
    Truth t = {.lr = 3e-3, .p = 0.3, .s0 = 1e6, .q = -0.5, .curvature = 0.05};
    Results r = sweep("rising", &t);
    int rules;
    Err err;
    RateRule *f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->q == 0 && isnan(f->q_se), "q %g +- %g", f->q, f->q_se);
    mem_free(f);
    results_free(&r);
}

/* What the rule costs is in the losses of a_rule alone: here it misses the rates of the smallest models. */
static void allocation(void) {
    Truth t = {.lr = 3e-3, .p = 0.45, .s0 = 1500, .q = 0.6, .curvature = 0.3};
    Results r = sweep("costly", &t);
    int rules;
    Err err;
    for (int64_t i = 0; i < LENGTHS * RATES * SEEDS; i++) r.cell[i].lr *= 1.5;
    RateRule *f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->cost_most > 0.005, "cost %g", f->cost_most);
    EXPECT(fabs(f->a_own - 0.6 / 1.1) < 1e-3, "a %g at own rates", f->a_own);
    EXPECT(fabs(f->a_rule - f->a_own) > 2e-3, "a %g by the rule", f->a_rule);
    mem_free(f);
    /* Eight cases are too few for a law of four coefficients. */
    r.cells = 2 * LENGTHS * RATES * SEEDS;
    f = fit(&r, &rules, &err);
    EXPECT(!err.code && f->cases == 2 * LENGTHS && isnan(f->a_own) && isnan(f->a_rule), "a %g", f->a_own);
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

    /* One case at two rates. */
    bool stays[CELLS];
    r = sweep("two rates", &t);
    for (int64_t i = 0; i < CELLS; i++) stays[i] = i >= RATES * SEEDS || i / SEEDS < 2;
    keep(&r, stays);
    f = fit(&r, &rules, &err);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "three learning rates"), "%s", err.text);
    mem_free(f);
    results_free(&r);

    /* Losses that have no least one. */
    t = (Truth){.lr = 3e-3, .p = 0.45, .s0 = 1500, .q = 0.6, .curvature = -0.05, .shift = 0.3};
    r = sweep("concave", &t);
    f = fit(&r, &rules, &err);
    EXPECT(err.code == EXIT_USER, "a rule of losses that only rise, curvature %g", f->curvature);
    mem_free(f);
    results_free(&r);

    /* More cases than there is room for. */
    t.curvature = 0.05;
    r = sweep("many", &t);
    r.cell = mem_grow(r.cell, (RATES_CASES + 1) * sizeof *r.cell);
    for (; r.cells <= RATES_CASES; r.cells++) r.cell[r.cells] = r.cell[0];
    for (int64_t i = 0; i < r.cells; i++) r.cell[i].steps = 100 + i;
    f = fit(&r, &rules, &err);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "want fewer in a sweep"), "%s", err.text);
    mem_free(f);
    results_free(&r);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    found_again();
    exactly();
    cases();
    rising();
    allocation();
    refused();
    return test_end();
}
