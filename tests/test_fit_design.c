// TEST single n=1,2
/* Designs: a grid tells the exponents apart, one line of equal D/N does not, and the spread is that of real fits. */
#include "base/rng.h"
#include "check.h"
#include "infer/analysis.h"
#include "infer/design.h"
#include "infer/report.h"

static DesignOptions options(void) {
    return (DesignOptions){.alpha = 0.35,
                           .beta = 0.37,
                           .e = 0.1,
                           .loss = 1,
                           .noise = 0.005,
                           .simulations = 60,
                           .seed = 2,
                           .objective = OBJECTIVE_LOG};
}

static Err one_arm(DesignResult *out, const DesignArm *arm, const DesignOptions *o) {
    DesignModel model = design_assumed(arm, o);
    return design_arm(out, (DesignDraws){NULL, NULL}, arm, &model, o, comm_world());
}

static void grid(void) {
    double n[36], d[36], c[36];
    for (int i = 0; i < 36; i++) n[i] = 1e4 * pow(4, i / 6), d[i] = 1e5 * pow(4, i % 6), c[i] = 6 * n[i] * d[i];
    DesignOptions o = options();
    DesignResult good, worse;
    EXPECT(!one_arm(&good, &(DesignArm){"grid", 36, n, d, c}, &o).code, "fits");
    EXPECT(good.told_apart && good.alpha.lo < 0.35 && 0.35 < good.alpha.hi && good.best_n.lo < good.best_n_assumed,
           "%s", good.verdict);
    o.noise = 0.01;
    EXPECT(!one_arm(&worse, &(DesignArm){"grid", 36, n, d, c}, &o).code, "fits");
    double ratio = (worse.alpha.hi - worse.alpha.lo) / (good.alpha.hi - good.alpha.lo);
    EXPECT(ratio > 1.6 && ratio < 2.4, "twice the noise, %g times the interval", ratio);
}

static void line(void) {
    double n[12], d[12], c[12];
    for (int i = 0; i < 12; i++) n[i] = 1e4 * pow(2, i), d[i] = 20 * n[i], c[i] = 6 * n[i] * d[i];
    DesignOptions o = options();
    DesignResult r;
    EXPECT(!one_arm(&r, &(DesignArm){"line", 12, n, d, c}, &o).code, "fits");
    EXPECT(!r.told_apart && strstr(r.verdict, "cannot be told apart"), "%s", r.verdict);
    EXPECT(!one_arm(&r, &(DesignArm){"few", 4, n, d, c}, &o).code, "fits");
    EXPECT(!r.told_apart && strstr(r.verdict, "4 cells"), "%s", r.verdict);
    o.e = 2;
    EXPECT(one_arm(&r, &(DesignArm){"line", 12, n, d, c}, &o).code == EXIT_USER, "E above the loss");
}

static const double SEEDS = 0.01, LACK = 0.02; /* of made-up studies */
enum { PLACES = 36 };                          /* of an arm, 6 x 6 */

/* Run i of study number `study`: two arms with two seeds at every place; seeds differ by SEEDS, places are off the law by
 * LACK. */
static Point run_of(uint64_t study, int i) {
    int place = i / 2;
    double n = 1e4 * pow(3, place % PLACES / 6);
    double d = 1e5 * pow(3, place % 6);
    double z = SEEDS * rng_normal(study, 1, (uint64_t)i) + LACK * rng_normal(study, 2, (uint64_t)place);
    return (Point){.n = n,
                   .d = d,
                   .c = {6 * n * d, NAN, NAN, NAN, NAN},
                   .loss = exp(z) * (30 / pow(n, 0.4) + 40 / pow(d, 0.35)),
                   .weight = 1,
                   .seed = i % 2,
                   .cell = i,
                   .arm = place / PLACES,
                   .final = true};
}

static void write_table(const char *path) {
    FILE *f = fopen(path, "w");
    fprintf(f, "arm,N,D,seed,loss\n");
    for (int i = 0; i < 4 * PLACES; i++) {
        Point p = run_of(6, i);
        fprintf(f, "%s,%.17g,%.17g,%lld,%.17g\n", p.arm ? "second" : "first", p.n, p.d, (long long)p.seed, p.loss);
    }
    fclose(f);
}

static Analysis *fit_of(Table *t, uint64_t study, const Comm *comm) {
    const FitOptions o = {.delta = 1e-3,
                          .extrapolation = 10,
                          .bootstraps = 60,
                          .seed = 1,
                          .quantile = 0.5,
                          .e = LAW_E_ZERO,
                          .objective = OBJECTIVE_LOG,
                          .starts = LAW_STARTS_FEW};
    *t = table_new();
    table_arm(t, "first");
    table_arm(t, "second");
    for (int i = 0; i < 4 * PLACES; i++) table_add(t, run_of(study, i));
    return analysis_new(t, &o, comm);
}

/* A fit of the runs says what they do themselves. */
static void from_fit(const DesignModel by_runs[2], const DesignArm *arm, const DesignOptions *options) {
    DesignOptions o = *options;
    DesignModel model[2];
    Table t;
    Analysis *a = fit_of(&t, 6, comm_world());
    Symmetry none = symmetry_of((Results){0});
    const FitSource source = {.version = "0", .compiler = "none"};
    snprintf(o.from, sizeof o.from, "%s/design-fit.json", test_folder);
    EXPECT(!report_json(a, &none, &source, o.from, comm_world()).code, "writes");
    comm_barrier(comm_world());
    EXPECT(!design_measured(model, arm, 2, &o, comm_world()).code, "reads a fit");
    for (int m = 0; m < 2; m++) {
        const DesignModel *p = &model[m], *q = &by_runs[m];
        EXPECT(fabs(p->law.alpha - q->law.alpha) < 1e-6 && fabs(p->law.a - q->law.a) < 1e-5 && p->e == LAW_E_ZERO,
               "alpha %g, by the runs %g", p->law.alpha, q->law.alpha);
        EXPECT(fabs(p->seeds - q->seeds) < 1e-9 && fabs(p->lack - q->lack) < 1e-6, "seeds %g %g, lack %g %g", p->seeds,
               q->seeds, p->lack, q->lack);
    }
    symmetry_free(&none);
    analysis_free(a);
    table_free(&t);
    DesignArm other = {.name = "third"};
    Err err = design_measured(model, &other, 1, &o, comm_world());
    EXPECT(err.code == EXIT_USER && strstr(err.text, "no arm third"), "%s", err.text);
}

/* What was promised of a and of a2 - a1 against studies of that noise: within a factor of WITHIN. */
static void kept(double promised_a, double promised_difference) {
    enum { STUDIES = 48 };
    const double WITHIN = 1.5;
    double a[2 * STUDIES + 2] = {0}, *difference = a + STUDIES;
    const Comm *w = comm_world();
    for (int s = comm_rank(w); s < STUDIES; s += comm_size(w)) {
        Table t;
        Analysis *fit = fit_of(&t, (uint64_t)(100 + s), comm_self());
        a[s] = fit->arm[0].currency[0].a;
        difference[s] = fit->arm[1].currency[0].a - a[s];
        analysis_free(fit);
        table_free(&t);
    }
    comm_sum_f64(w, a, 2 * STUDIES);
    double half_a = 1.96 * stats_sd(a, STUDIES);
    double half_difference = 1.96 * stats_sd(difference, STUDIES);
    EXPECT(fabs(log(half_a / promised_a)) < log(WITHIN), "a: promised +- %g, came to +- %g", promised_a, half_a);
    EXPECT(fabs(log(half_difference / promised_difference)) < log(WITHIN), "a2 - a1: promised +- %g, came to +- %g",
           promised_difference, half_difference);
    if (comm_rank(w) == 0)
        printf("measured: a promised +- %.4f, came to +- %.4f; a2 - a1 +- %.4f, +- %.4f\n", promised_a, half_a,
               promised_difference, half_difference);
}

/* Law, noise and lack of fit come from runs; the promised difference is that of two independent arms. */
static void from_runs(void) {
    double n[36], d[36], c[36];
    for (int i = 0; i < 36; i++) {
        n[i] = 1e4 * pow(3, i / 6);
        d[i] = 1e5 * pow(3, i % 6);
        c[i] = 6 * n[i] * d[i];
    }
    DesignArm arm[2] = {{"first", 36, n, d, c}, {"second", 36, n, d, c}};
    DesignOptions o = options();
    DesignModel model[2];
    DesignResult r[2];
    o.e = 0;
    o.simulations = 200;
    test_folder_new();
    snprintf(o.from, sizeof o.from, "%s/design-runs.csv", test_folder);
    if (comm_rank(comm_world()) == 0) write_table(o.from);
    comm_barrier(comm_world());
    EXPECT(!design_measured(model, arm, 2, &o, comm_world()).code, "reads");
    EXPECT(fabs(model[0].law.alpha - 0.4) < 0.1 && fabs(model[0].seeds - 0.01) < 0.003 &&
               fabs(model[0].lack - 0.02) < 0.006,
           "alpha %g, seeds %g, lack %g", model[0].law.alpha, model[0].seeds, model[0].lack);
    double store[4][200];
    DesignDraws draws[2] = {{store[0], store[1]}, {store[2], store[3]}};
    for (int m = 0; m < 2; m++) {
        model[m].middle = 1e10;
        EXPECT(!design_arm(&r[m], draws[m], &arm[m], &model[m], &o, comm_world()).code, "fits");
    }
    DesignContrast both = design_contrast(draws[0], draws[1], 200);
    double half = 0.5 * (both.a.hi - both.a.lo);
    double alone = 0.5 * hypot(r[0].a.hi - r[0].a.lo, r[1].a.hi - r[1].a.lo);
    EXPECT(half > 0.8 * alone && half < 1.25 * alone, "difference +- %g, arms alone %g", half, alone);
    EXPECT(both.found > half && both.found < 2 * half, "found %g, half-width %g", both.found, half);
    kept(0.5 * (r[0].a.hi - r[0].a.lo), half);
    from_fit(model, arm, &o);
    EXPECT(both.n_ratio.lo < 1 && 1 < both.n_ratio.hi, "N2*/N1* [%g, %g]", both.n_ratio.lo, both.n_ratio.hi);
    arm[1].name = "third";
    Err err = design_measured(model, arm, 2, &o, comm_world());
    EXPECT(err.code == EXIT_USER && strstr(err.text, "no arm third"), "%s", err.text);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    grid();
    line();
    from_runs();
    return test_end();
}
