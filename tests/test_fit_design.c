// TEST single n=1,2
/* Designs: a grid tells the exponents apart, one line of equal D/N does not, and the spread is that of real fits. */
#include "base/rng.h"
#include "check.h"
#include "infer/design.h"

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

/* A table of two arms, 6 x 6 cells with two seeds: the seeds differ by `seeds`, places are off the law by `lack`. */
static void write_table(const char *path, double seeds, double lack) {
    FILE *f = fopen(path, "w");
    fprintf(f, "arm,N,D,seed,loss\n");
    for (int i = 0; i < 144; i++) {
        int place = i / 2;
        double n = 1e4 * pow(3, place % 36 / 6);
        double d = 1e5 * pow(3, place % 6);
        double z = seeds * rng_normal(6, 1, (uint64_t)i) + lack * rng_normal(6, 2, (uint64_t)place);
        double loss = exp(z) * (30 / pow(n, 0.4) + 40 / pow(d, 0.35));
        fprintf(f, "%s,%.9g,%.9g,%d,%.12g\n", place < 36 ? "first" : "second", n, d, i % 2, loss);
    }
    fclose(f);
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
    if (comm_rank(comm_world()) == 0) write_table(o.from, 0.01, 0.02);
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
