// TEST single n=1
/* isoFLOP curves: vertices and exponents of a known law, interpolation, and the designs that are refused. */
#include "check.h"
#include "fit/cost.h"
#include "fit/law.h"
#include "fit/isoflop.h"

static const Law truth = {.kind = &law_chinchilla, .a = 6.2, .b = 7.6, .e = 0.6, .alpha = 0.36, .beta = 0.36};

static void add(Table *t, double n, double d, double loss) {
    table_add(
        t, (Point){.n = n, .d = d, .c = {6 * n * d, NAN, NAN}, .loss = loss, .weight = 1, .cell = t->n, .final = true});
}

/* Runs at the budgets themselves, sizes within a factor 2.3 about the optimum. */
static void at_levels(void) {
    Table t = table_new();
    table_arm(&t, "x");
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    for (int b = 0; b < 4; b++)
        for (int i = 0; i < 7; i++) {
            double c = 1e18 * pow(10, b), n = cost_allocate(&truth, &cost, c).n * pow(2, (i - 3) / 2.5),
                   d = c / (6 * n);
            add(&t, n, d, law_loss(&truth, n, d));
        }
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    isoflop_fit(iso, &t, 0, 0, NULL, 0, 0, 100, 1);
    EXPECT(iso->curves == 4 && iso->ok == 4, "%s", iso->status);
    EXPECT(fabs(iso->n.exponent - 0.5) < 0.01 && fabs(iso->d.exponent - 0.5) < 0.01, "exponents %g %g", iso->n.exponent,
           iso->d.exponent);
    for (int k = 0; k < iso->ok; k++) {
        const IsoCurve *c = &iso->curve[k];
        double want = cost_allocate(&truth, &cost, c->budget).n;
        EXPECT(fabs(log(c->best_n / want)) < 0.05, "N* %g, want %g", c->best_n, want);
        EXPECT(c->one_percent.lo < want && want < c->one_percent.hi && c->curvature > 0, "one percent");
        double edge = law_loss(&truth, c->one_percent.hi, c->budget / (6 * c->one_percent.hi)) / c->best_loss;
        if (c->one_percent.hi < c->n[c->points - 1])
            EXPECT(fabs(edge - 1.01) < 2e-3, "loss at the edge is %g of the least", edge);
    }
    isoflop_free(iso);
    mem_free(iso);
    table_free(&t);
}

/* A grid of sizes and lengths: runs are interpolated onto budgets. */
static void interpolated(void) {
    Table t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 7; j++) {
            double n = 1e7 * pow(2, i), d = 1e9 * pow(2, j);
            add(&t, n, d, law_loss(&truth, n, d));
        }
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    double budget[] = {1e18, 3e18, 1e19};
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    isoflop_fit(iso, &t, 0, 0, budget, 3, 0, 100, 1);
    EXPECT(iso->curves == 3, "%d curves", iso->curves);
    for (int k = 0; k < iso->curves; k++) {
        const IsoCurve *c = &iso->curve[k];
        for (int i = 0; i < c->points; i++)
            EXPECT(fabs(c->loss[i] / law_loss(&truth, c->n[i], c->d[i]) - 1) < 2e-4, "interpolated loss off by %g",
                   c->loss[i] / law_loss(&truth, c->n[i], c->d[i]) - 1);
        double want = cost_allocate(&truth, &cost, c->budget).n;
        EXPECT(c->ok && fabs(log(c->best_n / want)) < 0.2, "%s: N* %g, want %g", c->status, c->best_n, want);
    }
    isoflop_free(iso);
    mem_free(iso);
    table_free(&t);
}

/* Two runs near each other in C, of which one is noisy, do not bend what is read between them and a third far off. */
static void uneven(void) {
    Table t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < 5; i++) {
        double n = 1e7 * pow(2, i);
        add(&t, n, 1e18 / (6 * n), 1);
        add(&t, n, 1.05e18 / (6 * n), 1.1);
        add(&t, n, 1e20 / (6 * n), 0.5);
    }
    double budget = 1e19;
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    isoflop_fit(iso, &t, 0, 0, &budget, 1, 0, 10, 1);
    EXPECT(iso->curve[0].points == 5, "%d points", iso->curve[0].points);
    for (int i = 0; i < iso->curve[0].points; i++)
        EXPECT(iso->curve[0].loss[i] > 0.5 && iso->curve[0].loss[i] < 1.1, "loss %g between 1.1 and 0.5",
               iso->curve[0].loss[i]);
    isoflop_free(iso);
    mem_free(iso);
    table_free(&t);
}

static void refused(void) {
    const struct {
        double p1, p2;
        const char *status;
    } shape[] = {{0, -0.02, "concave"},
                 {0.1, 0.005, "vertex outside the sampled range: below"},
                 {-0.1, 0.005, "vertex outside the sampled range: above"}};
    for (int s = 0; s < 3; s++) {
        Table t = table_new();
        table_arm(&t, "x");
        for (int i = 0; i < 6; i++) {
            double u = i - 2.5, n = 1e8 * exp(u);
            add(&t, n, 1e18 / (6 * n), exp(1 + shape[s].p1 * u + shape[s].p2 * u * u));
        }
        double budget = 1e18;
        IsoFlop *iso = MEM_NEW(IsoFlop, 1);
        isoflop_fit(iso, &t, 0, 0, &budget, 1, 0, 10, 1);
        EXPECT(!iso->curve[0].ok && !strncmp(iso->curve[0].status, shape[s].status, strlen(shape[s].status)) &&
                   isnan(iso->curve[0].best_n),
               "%s", iso->curve[0].status);
        EXPECT(!strncmp(iso->status, "not identifiable", 16), "%s", iso->status);
        isoflop_free(iso);
        mem_free(iso);
        table_free(&t);
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    at_levels();
    interpolated();
    uneven();
    refused();
    return test_end();
}
