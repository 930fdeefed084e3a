// TEST n=1,2
/* Designs: a grid tells the exponents apart, one line of equal D/N does not, and the spread is that of real fits. */
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

static void grid(void) {
    double n[36], d[36], c[36];
    for (int i = 0; i < 36; i++) n[i] = 1e4 * pow(4, i / 6), d[i] = 1e5 * pow(4, i % 6), c[i] = 6 * n[i] * d[i];
    DesignOptions o = options();
    DesignResult good, worse;
    EXPECT(!design_arm(&good, &(DesignArm){"grid", 36, n, d, c}, &o, comm_world()).code, "fits");
    EXPECT(good.told_apart && good.alpha.lo < 0.35 && 0.35 < good.alpha.hi && good.best_n.lo < good.best_n_assumed,
           "%s", good.verdict);
    o.noise = 0.01;
    EXPECT(!design_arm(&worse, &(DesignArm){"grid", 36, n, d, c}, &o, comm_world()).code, "fits");
    double ratio = (worse.alpha.hi - worse.alpha.lo) / (good.alpha.hi - good.alpha.lo);
    EXPECT(ratio > 1.6 && ratio < 2.4, "twice the noise, %g times the interval", ratio);
}

static void line(void) {
    double n[12], d[12], c[12];
    for (int i = 0; i < 12; i++) n[i] = 1e4 * pow(2, i), d[i] = 20 * n[i], c[i] = 6 * n[i] * d[i];
    DesignOptions o = options();
    DesignResult r;
    EXPECT(!design_arm(&r, &(DesignArm){"line", 12, n, d, c}, &o, comm_world()).code, "fits");
    EXPECT(!r.told_apart && strstr(r.verdict, "cannot be told apart"), "%s", r.verdict);
    EXPECT(!design_arm(&r, &(DesignArm){"few", 4, n, d, c}, &o, comm_world()).code, "fits");
    EXPECT(!r.told_apart && strstr(r.verdict, "4 cells"), "%s", r.verdict);
    o.e = 2;
    EXPECT(design_arm(&r, &(DesignArm){"line", 12, n, d, c}, &o, comm_world()).code == EXIT_USER, "E above the loss");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    grid();
    line();
    return test_end();
}
