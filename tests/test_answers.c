/* The three questions: what smaller training sets cost, how two arms' best splits differ, and the words for it. */
// TEST single n=1,2
#include "base/rng.h"
#include "check.h"
#include "fit/data_curve.h"
#include "infer/answers.h"
#include "infer/fit_options.h"

#include <string.h>

static const double SETS[] = {10, 30, 100, 300, 1000, 3000};
enum { N_SETS = 6, SEEDS = 3 };

/* Loss with T trajectories: `best` times 1 + (knee / T)^1.5. */
static void add_limited(Table *t, const char *name, double best, double knee, double noise) {
    int arm = table_arm(t, name);
    uint64_t stream = rng_stream(name, 0);
    for (int k = 0; k < N_SETS; k++)
        for (int s = 0; s < SEEDS; s++) {
            double z = noise * rng_normal(1, stream, (uint64_t)(k * SEEDS + s));
            t->limited[t->n_limited++] = (Point){.n = 5000,
                                                 .d = 16000,
                                                 .dataset = (int64_t)SETS[k],
                                                 .epochs = 16000 / (22 * SETS[k]),
                                                 .loss = best * (1 + pow(knee / SETS[k], 1.5)) * exp(z),
                                                 .seed = s,
                                                 .arm = arm};
        }
}

static Table limited(double noise) {
    Table t = table_new();
    t.limited = mem_alloc(3 * N_SETS * SEEDS * sizeof(Point));
    add_limited(&t, "plain", 0.06, 240, noise);
    add_limited(&t, "equal", 0.05, 30, noise); /* eight times fewer, and a little better */
    add_limited(&t, "ahead", 0.005, 3, noise); /* better with its smallest set than the others with all */
    return t;
}

static void data(void) {
    Table t = limited(0.02);
    DataCurve *curve = mem_alloc(DATA_CURVES * sizeof *curve);
    int n = data_curves(curve, &t, 1);
    EXPECT(n == 3, "%d curves", n);
    const double knee[] = {240, 30, 3};
    for (int i = 0; i < 2; i++) {
        const DataCurve *c = &curve[i];
        double want = knee[i] * pow(0.1, -1 / 1.5); /* 1 + (knee / T)^1.5 = 1.1 */
        EXPECT(c->sets == N_SETS && c->dof == N_SETS * (SEEDS - 1), "%d sets, %lld", c->sets, (long long)c->dof);
        EXPECT(fabs(log(c->need.value / want)) < 0.5, "needs %g, want %g", c->need.value, want);
        EXPECT(c->need.interval.lo < c->need.value && c->need.value < c->need.interval.hi, "[%g, %g]",
               c->need.interval.lo, c->need.interval.hi);
        EXPECT(fabs(c->noise / 0.02 - 1) < 0.6, "noise %g", c->noise);
        EXPECT(c->penalty[0].value > 0 && c->penalty[N_SETS - 1].value == 0, "penalty %g", c->penalty[0].value);
    }
    DataRatio r = data_ratio(&curve[0], &curve[1]);
    EXPECT(r.ratio.value > 0.05 && r.ratio.value < 0.3, "ratio %g", r.ratio.value); /* 1/8, and a little better */
    EXPECT(r.ratio.interval.hi < 0.5 && isnan(r.bound), "ratio up to %g", r.ratio.interval.hi);
    r = data_ratio(&curve[0], &curve[2]);
    EXPECT(isnan(r.ratio.value) && fabs(r.bound - 10.0 / 3000) < 1e-12, "bound %g", r.bound);
    r = data_ratio(&curve[2], &curve[0]);
    EXPECT(fabs(r.bound - 3000.0 / 10) < 1e-9, "bound %g", r.bound);

    /* Ahead by less than seeds scatter: nothing is known. */
    DataCurve near = curve[2];
    double gap = curve[0].log_loss[N_SETS - 1] - 0.25 * curve[0].noise - curve[2].log_loss[0];
    double *draw = mem_alloc(DATA_DRAWS * N_SETS * sizeof *draw);
    for (int k = 0; k < N_SETS; k++) near.log_loss[k] += gap;
    for (int i = 0; i < DATA_DRAWS * N_SETS; i++) draw[i] = curve[2].draw[i] + gap;
    near.draw = draw;
    r = data_ratio(&curve[0], &near);
    EXPECT(isnan(r.ratio.value) && isnan(r.bound), "ahead by a quarter of the noise: %g, %g", r.ratio.value, r.bound);
    r = data_ratio(&near, &curve[0]);
    EXPECT(isnan(r.ratio.value) && isnan(r.bound), "behind by a quarter of the noise: %g", r.bound);
    near.draw = NULL;
    r = data_ratio(&curve[0], &near);
    EXPECT(isfinite(r.bound), "no seeds tell of noise, and no bound: %g", r.bound);
    mem_free(draw);

    DataCurve flat = curve[1]; /* shares no loss, and is ahead of nothing: within the range of the other */
    for (int k = 0; k < flat.sets; k++) flat.log_loss[k] = log(0.1);
    r = data_ratio(&curve[0], &flat);
    EXPECT(isnan(r.ratio.value) && isnan(r.bound), "a flat curve: %g, %g", r.ratio.value, r.bound);

    DataClosing closing = data_closing(&curve[0], &curve[1]);
    EXPECT(!closing.all && fabs(closing.need.value / 8 - 1) < 0.5, "%g times", closing.need.value);
    closing = data_closing(&curve[1], &curve[1]);
    EXPECT(closing.all && closing.trajectories == 10 && closing.excess.value == 0, "the same curve");
    for (int i = 0; i < n; i++) data_curve_free(&curve[i]);
    mem_free(curve);
    table_free(&t);
}

/* One seed for each set: there is nothing to judge noise by, and it says so. */
static void no_seeds(void) {
    Table t = limited(0);
    int64_t kept = 0;
    for (int64_t i = 0; i < t.n_limited; i++)
        if (t.limited[i].seed == 0) t.limited[kept++] = t.limited[i];
    t.n_limited = kept;
    DataCurve *curve = mem_alloc(DATA_CURVES * sizeof *curve);
    int n = data_curves(curve, &t, 1);
    EXPECT(n == 3 && strstr(curve[0].status, "no interval"), "%s", curve[0].status);
    EXPECT(isnan(curve[0].need.interval.lo) && curve[0].need.value > 0, "%g", curve[0].need.interval.lo);
    mem_free(curve);
    table_free(&t);
}

/* An isoFLOP design about the optimum of a law. */
static void add_grid(Table *t, const char *name, const Law *law, double noise) {
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    int arm = table_arm(t, name);
    uint64_t stream = rng_stream(name, 1);
    for (int b = 0; b < 5; b++)
        for (int i = 0; i < 7; i++)
            for (int s = 0; s < 2; s++) {
                double c = 1e11 * pow(3, b);
                double n = cost_allocate(law, &cost, c).n * pow(1.6, i - 3);
                double z = noise * rng_normal(1, stream, (uint64_t)(b * 14 + i * 2 + s));
                table_add(t, (Point){.n = n,
                                     .d = c / (6 * n),
                                     .c = {c, c, 1e-10 * c, NAN, NAN},
                                     .loss = law_loss(law, n, c / (6 * n)) * exp(z),
                                     .weight = 1,
                                     .seed = s,
                                     .cell = t->n,
                                     .arm = arm,
                                     .final = true});
            }
}

static const Law low = {.kind = &law_chinchilla, .a = 1, .b = 1, .e = -INFINITY, .alpha = 0.5, .beta = 0.25};
static const Law high = {.kind = &law_chinchilla, .a = 0, .b = 0, .e = -INFINITY, .alpha = 0.25, .beta = 0.5};

static FitOptions options(void) {
    return (FitOptions){.delta = 1e-3,
                        .extrapolation = 10,
                        .bootstraps = 200,
                        .seed = 1,
                        .e = LAW_E_ZERO,
                        .objective = OBJECTIVE_LOG,
                        .starts = LAW_STARTS_FEW,
                        .surrogate = true,
                        .surrogate_points = 1000,
                        .surrogate_subset = 300};
}

/* What is said of small sets: nothing without seeds that repeat, and no loss that the noise does not show. */
static void small_sets(void) {
    for (int seeds = 0; seeds < 2; seeds++) {
        Table t = limited(seeds ? 0.2 : 0.02);
        int64_t kept = 0;
        for (int64_t i = 0; i < t.n_limited; i++)
            if (seeds || t.limited[i].seed == 0) t.limited[kept++] = t.limited[i];
        t.n_limited = kept;
        add_grid(&t, "plain", &low, 0.003);
        add_grid(&t, "equal", &low, 0.003);
        add_grid(&t, "ahead", &low, 0.003);
        FitOptions o = options();
        o.surrogate = false;
        Analysis *a = analysis_new(&t, &o, comm_world());
        Answer *answer = mem_alloc(QUESTIONS * sizeof *answer);
        answers_of(answer, a);
        const Answer *said = &answer[QUESTION_DATA];
        const char *want = seeds ? "already with 1000 it may lose over 10 % more to the smaller set than ahead does"
                                 : "no seeds repeat that would tell whether small sets cost it more than ahead";
        EXPECT(said->lines == 3 && strstr(said->line[0], want), "%s", said->line[0]);
        mem_free(answer);
        analysis_free(a);
        table_free(&t);
    }
}

/* Arms whose exponents are 1/3, 1/3 and 2/3: two do not differ and the third does, whatever the method. */
static void allocation(void) {
    Table t = table_new();
    add_grid(&t, "one", &low, 0.003);
    add_grid(&t, "twin", &low, 0.003);
    add_grid(&t, "other", &high, 0.003);
    FitOptions o = options();
    Analysis *a = analysis_new(&t, &o, comm_world());
    EXPECT(a->reference_currency == CURRENCY_EXECUTED && a->comparisons == 3, "currency %d", a->reference_currency);
    for (int i = 0; i < a->comparisons; i++) {
        const Comparison *pair = &a->comparison[i];
        double want = pair->first == 0 && pair->second == 1 ? 0 : 1.0 / 3;
        for (int k = 0; k < METHODS; k++) {
            const Contrast *c = &pair->contrast[CURRENCY_EXECUTED][k];
            if (!c->known) continue;
            EXPECT(fabs(c->a.value - want) < 0.06, "%d by %s: a %+g, want %g", i, method_name[k], c->a.value, want);
            EXPECT(fabs(c->b.value + want) < 0.06, "%d by %s: b %+g", i, method_name[k], c->b.value);
            EXPECT(answer_split(c) == (want > 0 ? SPLIT_DIFFERS : SPLIT_SAME), "%d by %s: a %+g [%g, %g]", i,
                   method_name[k], c->a.value, c->a.interval.lo, c->a.interval.hi);
        }
        EXPECT(pair->contrast[CURRENCY_EXECUTED][METHOD_LAW].known, "no law");
        EXPECT(pair->contrast[CURRENCY_EXECUTED][METHOD_ISOFLOP].known, "%s",
               pair->contrast[CURRENCY_EXECUTED][METHOD_ISOFLOP].status);
    }
    double ratio = a->comparison[0].contrast[CURRENCY_EXECUTED][METHOD_LAW].n_ratio[1].value;
    EXPECT(fabs(log(ratio)) < 0.1, "N* of twins differ by %g", ratio);
    EXPECT(a->arm[0].currency[CURRENCY_EXECUTED].isoflop.loss.misfit > 1e-4, "the minima are no power law: p = %g",
           a->arm[0].currency[CURRENCY_EXECUTED].isoflop.loss.misfit);

    Answer *answer = mem_alloc(QUESTIONS * sizeof *answer);
    answers_of(answer, a);
    const char *split = answer[QUESTION_ALLOCATION].sentence;
    EXPECT(strstr(split, "one and twin: exponents a do not differ by more than"), "%s", split);
    EXPECT(strstr(split, "one and other: exponents a differ, +0.3"), "%s", split);
    EXPECT(!strstr(split, "not shown"), "%s", split);
    Comparison *other = &a->comparison[1];
    other->contrast[CURRENCY_EXECUTED][METHOD_ISOFLOP].a.interval.lo = -0.1;
    answers_of(answer, a);
    EXPECT(strstr(split, "by law; not shown by isoFLOP."), "%s", split);
    EXPECT(strstr(answer[QUESTION_DATA].sentence, "Not asked"), "%s", answer[QUESTION_DATA].sentence);
    EXPECT(strstr(answer[QUESTION_COMPUTE].sentence, "executed FLOP of one"), "%s", answer[QUESTION_COMPUTE].sentence);
    answers_limits(answer, a);
    EXPECT(answer->lines == 3 && strstr(answer->line[0], "5 of 5 isoFLOP curves"), "%s", answer->line[0]);
    mem_free(answer);
    analysis_free(a);
    table_free(&t);
}

/* Much noise: neither equal nor different, and what it would take. */
static void undecided(void) {
    Table t = table_new();
    add_grid(&t, "one", &low, 0.1);
    add_grid(&t, "twin", &low, 0.1);
    FitOptions o = options();
    o.surrogate = false;
    Analysis *a = analysis_new(&t, &o, comm_world());
    Answer *answer = mem_alloc(QUESTIONS * sizeof *answer);
    answers_of(answer, a);
    const char *split = answer[QUESTION_ALLOCATION].sentence;
    EXPECT(strstr(split, "not decided"), "%s", split);
    EXPECT(strstr(split, "more cells like these") || strstr(split, "no method gives an interval"), "%s", split);
    mem_free(answer);
    analysis_free(a);
    table_free(&t);
}

/* Two arms whose best losses hardly differ and hardly fall: no loss is shared, and one is ahead by `gap` of log loss, which
 * resamples scatter by 0.01. Returns the bound. */
static double bound_of(double gap, int draws) {
    ContrastPowers arm[2] = {{.name = "one", .c_min = 1e6, .c_max = 1e7},
                             {.name = "other", .c_min = 1e6, .c_max = 1e7}};
    Powers *draw[2];
    for (int m = 0; m < 2; m++) {
        arm[m].value.exponent[OPTIMUM_LOSS] = -1e-4;
        arm[m].value.log_factor[OPTIMUM_LOSS] = m * gap;
        draw[m] = mem_alloc((size_t)(draws + 1) * sizeof(Powers));
        for (int r = 0; r < draws; r++) {
            draw[m][r] = arm[m].value;
            draw[m][r].log_factor[OPTIMUM_LOSS] += 0.01 * rng_normal(3, rng_stream("bound", (uint64_t)m), (uint64_t)r);
        }
        arm[m].draw = draw[m];
        arm[m].draws = draws;
    }
    Contrast c;
    contrast_powers(&c, &arm[0], &arm[1]);
    EXPECT(isnan(c.multiplier.value), "a shared loss: %g", c.multiplier.value);
    for (int m = 0; m < 2; m++) mem_free(draw[m]);
    return c.bound;
}

static void bounds(void) {
    EXPECT(bound_of(-0.1, 200) == 0.1, "ahead by ten times the noise: %g", bound_of(-0.1, 200));
    EXPECT(bound_of(0.1, 200) == 10, "behind by ten times the noise: %g", bound_of(0.1, 200));
    EXPECT(isnan(bound_of(-0.005, 200)), "ahead by half the noise: %g", bound_of(-0.005, 200));
    EXPECT(isnan(bound_of(0.005, 200)), "behind by half the noise: %g", bound_of(0.005, 200));
    EXPECT(bound_of(-0.005, 0) == 0.1, "no resamples: %g", bound_of(-0.005, 0));
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    data();
    no_seeds();
    small_sets();
    allocation();
    undecided();
    bounds();
    return test_end();
}
