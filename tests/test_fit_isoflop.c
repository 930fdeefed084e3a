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

/* ---- Numbers of one curve, from losses that are a parabola and what a cubic adds that no parabola takes up. ---- */

enum { SHAPED = 7 };
static const double cubic[SHAPED] = {-1, 1, 1, 0, -1, -1, 1}; /* at u = -3 to 3; its squares add up to 6 */
static const double bend = 0.02;                              /* log loss = 1 + bend u^2 + off cubic */

/* Sizes exp(u) about `middle` at one budget, each `seeds` times: losses of two seeds lie on both sides of their mean. */
static void shaped(Table *t, double budget, double middle, double off, int seeds) {
    for (int i = 0; i < SHAPED; i++)
        for (int s = 0; s < seeds; s++) {
            double u = i - 3;
            double n = middle * exp(u);
            double side = seeds == 1 ? 0 : 0.05 * (s ? 1 : -1);
            add(t, n, budget / (6 * n), exp(1 + bend * u * u + off * cubic[i] + side));
        }
}

static void numbers(void) {
    const double off = 1e-3, shift[] = {0.1, -0.1, -0.1, 0.1};
    const double budget[] = {1e18, 1e19, 1e20, 1e21};
    const double rms = off * sqrt(6 / 4.0); /* of seven points and three coefficients */
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    for (int seeds = 1; seeds <= 2; seeds++) {
        Table t = table_new();
        table_arm(&t, "x");
        for (int b = 0; b < 4; b++) shaped(&t, budget[b], exp(18 + 1.3 * b + shift[b]), off, seeds);
        isoflop_fit(iso, &t, 0, 0, NULL, 0, 0, 2000, 1);
        EXPECT(iso->curves == 4 && iso->ok == 4 && fabs(iso->seeds - seeds) < 1e-9, "%s, %g seeds", iso->status,
               iso->seeds);
        EXPECT(iso->dof == 16 && fabs(iso->noise / (rms * sqrt(seeds)) - 1) < 1e-6, "noise %g, %g degrees of freedom",
               iso->noise, iso->dof);
        const IsoCurve *c = &iso->curve[0];
        double half = sqrt(log(1.01) / bend), se = rms / (2 * bend * sqrt(28)); /* 28: of squares of u */
        EXPECT(fabs(log(c->best_n) - 18.1) < 1e-6 && fabs(c->rms / rms - 1) < 1e-6, "N* %g, rms %g", c->best_n, c->rms);
        EXPECT(fabs(log(c->one_percent.hi / c->best_n) - half) < 1e-6, "one percent to %g", c->one_percent.hi);
        EXPECT(fabs(c->se_log_n / se - 1) < 1e-6 && !strcmp(c->status, "ok"), "se %g, want %g: %s", c->se_log_n, se,
               c->status);
        /* What resamples find is what the parabola's covariance says. */
        double t_half = stats_t_quantile(0.975, 16) * se;
        double found = 0.5 * log(c->best_n_interval.hi / c->best_n_interval.lo);
        EXPECT(fabs(found / t_half - 1) < 0.1, "half an interval %g, want %g", found, t_half);
        /* Vertices off their line by as much as this, with the noise of a run as their floor. */
        double chi2 = 4 * 0.1 * 0.1 / (se * se + iso->noise * iso->noise);
        double p = stats_f_sf(chi2 / 2, 2, 16);
        EXPECT(fabs(iso->n.misfit / p - 1) < 1e-4, "misfit %g, want %g", iso->n.misfit, p);
        /* Two vertices each: their halves' lines pass them. */
        const IsoHalves *h = &iso->halves;
        EXPECT(fabs(log(h->c / sqrt(1e39))) < 1e-9 && fabs(h->lower.value - 1.1 / log(10)) < 1e-6 &&
                   fabs(h->upper.value - 1.5 / log(10)) < 1e-6,
               "exponents %g and %g about %g", h->lower.value, h->upper.value, h->c);
        double wide = 2 * t_half / log(10), have = 0.5 * (h->change.interval.hi - h->change.interval.lo);
        EXPECT(fabs(h->change.value - 0.4 / log(10)) < 1e-6 && fabs(have / wide - 1) < 0.1,
               "change %g, half its interval %g, want %g", h->change.value, have, wide);
        isoflop_free(iso);
        table_free(&t);
    }
    mem_free(iso);
}

/* A vertex in the middle is of both halves; budgets may come in any order. */
static void halves(void) {
    Table t = table_new();
    table_arm(&t, "x");
    const double place[] = {0, 1, 3, 4, 6};
    const double budget[] = {1e22, 1e18, 1e20, 1e19, 1e21};
    for (int b = 0; b < 5; b++) shaped(&t, 1e18 * pow(10, b), exp(18 + place[b]), 1e-4, 1);
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    isoflop_fit(iso, &t, 0, 0, budget, 5, 0, 100, 1);
    const IsoHalves *h = &iso->halves;
    EXPECT(iso->ok == 5 && h->lower_end == 3 && h->upper_first == 2 && fabs(h->c / 1e20 - 1) < 1e-9, "cut at %g", h->c);
    EXPECT(fabs(h->lower.value - 1.5 / log(10)) < 1e-3 && fabs(h->upper.value - 1.5 / log(10)) < 1e-3,
           "exponents %g and %g", h->lower.value, h->upper.value);
    isoflop_free(iso);
    isoflop_fit(iso, &t, 0, 0, budget, 4, 0, 100, 1);
    EXPECT(iso->ok == 4 && h->lower_end == 2 && h->upper_first == 2 && fabs(h->lower.value - 1 / log(10)) < 1e-3,
           "of four %g, cut at %g", h->lower.value, h->c);
    isoflop_free(iso);
    isoflop_fit(iso, &t, 0, 0, budget, 3, 0, 100, 1);
    EXPECT(isnan(h->c) && isnan(h->change.value) && isnan(h->change.interval.lo), "three vertices have no halves");
    isoflop_free(iso);
    mem_free(iso);
    table_free(&t);
}

/* Sizes that do not lie evenly about the vertex: resamples and the covariance still agree. Noise between seeds is taken where it
 * is the larger. */
static void uneven_sizes(void) {
    static const double u[SHAPED] = {-3, -2.6, -2.1, -1.5, -0.8, 0.5, 2};
    Table t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < SHAPED; i++) {
        double n = 1e8 * exp(u[i]);
        add(&t, n, 1e18 / (6 * n), exp(1 + bend * u[i] * u[i] + 1e-4 * cubic[i]));
    }
    double budget = 1e18;
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    isoflop_fit(iso, &t, 0, 0, &budget, 1, 1e-3, 2000, 1);
    const IsoCurve *c = &iso->curve[0];
    double half = stats_t_quantile(0.975, iso->dof) * c->se_log_n;
    double found = 0.5 * log(c->best_n_interval.hi / c->best_n_interval.lo);
    EXPECT(c->ok && iso->noise == 1e-3, "noise %g: %s", iso->noise, c->status);
    EXPECT(fabs(found / half - 1) < 0.1, "half an interval %g, want %g", found, half);
    isoflop_free(iso);
    mem_free(iso);
    table_free(&t);
}

/* Two arms of the same runs have noise of their own, since their difference is judged by it. */
static void arms(void) {
    Table t = table_new();
    table_arm(&t, "x");
    for (int b = 0; b < 3; b++) shaped(&t, 1e18 * pow(10, b), 1e8 * pow(3, b), 1e-2, 1);
    int64_t n = t.n;
    int second = table_arm(&t, "y");
    for (int64_t i = 0; i < n; i++) {
        Point p = t.at[i];
        p.arm = second;
        table_add(&t, p);
    }
    IsoFlop *iso = MEM_NEW(IsoFlop, 2);
    for (int m = 0; m < 2; m++) isoflop_fit(&iso[m], &t, m, 0, NULL, 0, 0, 50, 1);
    EXPECT(iso[0].n.exponent == iso[1].n.exponent, "%g and %g", iso[0].n.exponent, iso[1].n.exponent);
    int same = 0;
    for (int r = 0; r < 50; r++) same += iso[0].draw[r].exponent[OPTIMUM_N] == iso[1].draw[r].exponent[OPTIMUM_N];
    EXPECT(same == 0, "%d of 50 resamples are the same", same);
    for (int m = 0; m < 2; m++) isoflop_free(&iso[m]);
    mem_free(iso);
    table_free(&t);
}

/* ---- Which runs make a curve. ---- */

/* Levels of C are those of four runs or more, that hold half of the runs; a run within a level is at its budget. */
static void levels(void) {
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    Table t = table_new();
    table_arm(&t, "x");
    shaped(&t, 1e18, 1e8, 0, 1);
    shaped(&t, 1e19, 3e8, 0, 1);
    for (int i = 0; i < 3; i++) add(&t, 1e8 * (1 + i), 1e21 / (6e8 * (1 + i)), 2);
    isoflop_fit(iso, &t, 0, 0, NULL, 0, 0, 10, 1);
    EXPECT(iso->curves == 2, "%d curves of two levels and three runs", iso->curves);
    isoflop_free(iso);
    for (int i = 0; i < 30; i++) add(&t, 1e8, 1e21 * pow(1.3, i) / 6e8, 2);
    isoflop_fit(iso, &t, 0, 0, NULL, 0, 0, 10, 1);
    EXPECT(iso->curves == 9, "%d curves of runs that mostly lie on no level", iso->curves);
    isoflop_free(iso);
    table_free(&t);

    t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < SHAPED; i++) {
        double n = 1e8 * exp(i - 3);
        double near = exp(0.06 * (i % 3 - 1));
        add(&t, n, 1e18 * near / (6 * n), exp(1 + bend * (i - 3) * (i - 3)));
    }
    double budget = 1e18;
    isoflop_fit(iso, &t, 0, 0, &budget, 1, 0, 10, 1);
    EXPECT(iso->curve[0].points == SHAPED, "%d points at a level", iso->curve[0].points);
    isoflop_free(iso);
    mem_free(iso);
    table_free(&t);
}

/* Between budgets a size is read from the three nearest runs; sizes that differ by half a percent are one. */
static void nearest(void) {
    static const double at[] = {0, 1, 2, 10}; /* log C over the first */
    Table t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            double n = 1e7 * pow(2, i) * (1 + 0.005 * (j % 2));
            double z = j < 3 ? 2 - 0.3 * at[j] + 0.05 * at[j] * at[j] : 3;
            add(&t, n, 1e17 * exp(at[j]) / (6 * n), exp(z));
        }
    double budget = 1e17 * exp(1.5);
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    isoflop_fit(iso, &t, 0, 0, &budget, 1, 0, 10, 1);
    const IsoCurve *c = &iso->curve[0];
    double want = 2 - 0.3 * 1.5 + 0.05 * 1.5 * 1.5;
    EXPECT(c->points == 4, "%d points of four sizes", c->points);
    for (int i = 0; i < c->points; i++)
        EXPECT(fabs(log(c->loss[i]) - want) < 1e-9, "log loss %g, want %g", log(c->loss[i]), want);
    isoflop_free(iso);
    mem_free(iso);
    table_free(&t);
}

/* Three sizes are met by every parabola, and one whose bend is noise is said to be. */
static void doubtful(void) {
    IsoFlop *iso = MEM_NEW(IsoFlop, 1);
    double budget = 1e18;
    Table t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < 3; i++) {
        double n = 1e8 * exp(i - 1);
        add(&t, n, budget / (6 * n), exp(1 + bend * (i - 1) * (i - 1)));
    }
    isoflop_fit(iso, &t, 0, 0, &budget, 1, 0, 10, 1);
    EXPECT(!iso->curve[0].ok && strstr(iso->curve[0].status, "too few sizes"), "%s", iso->curve[0].status);
    isoflop_free(iso);
    table_free(&t);

    t = table_new();
    table_arm(&t, "x");
    shaped(&t, budget, 1e8, 0.2, 1);
    isoflop_fit(iso, &t, 0, 0, &budget, 1, 0, 10, 1);
    EXPECT(iso->curve[0].ok && strstr(iso->curve[0].status, "within 2 standard errors"), "%s", iso->curve[0].status);
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
    numbers();
    halves();
    uneven_sizes();
    arms();
    levels();
    nearest();
    doubtful();
    refused();
    return test_end();
}
