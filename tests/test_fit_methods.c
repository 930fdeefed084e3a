// TEST single n=2 args=12 grid 6 6 0.01
// TEST single n=2 args=2 grid 30 30 0.005
// TEST single n=2 args=4 rows 3000 1 0.01
/* Methods disagree where their intervals say so, and hardly ever about runs of the fitted law. Whole analyses of made-up runs:
 *     test_fit_methods REPETITIONS grid|isoflop|rows ROWS COLUMNS NOISE
 * grid: sizes x lengths; isoflop: budgets x sizes about the optimum; rows: so many, of sizes and lengths drawn at random.
 * Prints in how many they were said to disagree; fails where that is more than SAID and what so few repetitions excuse. */
#include "base/rng.h"
#include "check.h"
#include "infer/methods.h"

#define SAID 0.05

static const Law truth = {.kind = &law_chinchilla, .a = 6.18, .b = 7.64, .e = 0.599, .alpha = 0.348, .beta = 0.366};
static const Cost six_nd = {.log_kappa = 1.791759469228055, .mu = 1, .nu = 1};

typedef enum Design { DESIGN_GRID, DESIGN_ISOFLOP, DESIGN_ROWS } Design;

typedef struct Plan {
    Design design;
    int rows, columns;
    double noise;
} Plan;

/* N and D of run k. */
static void place(double *n, double *d, const Plan *plan, int64_t repetition, int k) {
    double u = (double)(k / plan->columns) / (plan->rows - 1);
    double v = (double)(k % plan->columns) / fmax(plan->columns - 1, 1);
    if (plan->design == DESIGN_ROWS) {
        u = rng_uniform((uint64_t)repetition, 5, (uint64_t)k);
        v = rng_uniform((uint64_t)repetition, 6, (uint64_t)k);
    }
    *n = 1e7 * pow(1000, u);
    *d = 3e8 * pow(1000, v);
    if (plan->design == DESIGN_ISOFLOP) {
        double budget = 6e18 * pow(500, u);
        *n = cost_allocate(&truth, &six_nd, budget).n * pow(16, v - 0.5);
        *d = budget / (6 * *n);
    }
}

static Table runs(const Plan *plan, int64_t repetition) {
    Table t = table_new();
    table_arm(&t, "made up");
    for (int k = 0; k < plan->rows * plan->columns; k++) {
        double n, d;
        place(&n, &d, plan, repetition, k);
        double z = plan->noise * rng_normal((uint64_t)repetition, 7, (uint64_t)k);
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN, NAN, NAN},
                              .loss = law_loss(&truth, n, d) * exp(z),
                              .weight = 1,
                              .cell = k,
                              .final = true});
    }
    return t;
}

/* Does an analysis of the truth say that methods disagree? */
static bool said(const Plan *plan, int64_t repetition) {
    const FitOptions o = {.delta = 1e-3,
                          .extrapolation = 10,
                          .bootstraps = 200,
                          .seed = 1,
                          .starts = LAW_STARTS_FEW,
                          .surrogate = true,
                          .surrogate_points = 500,
                          .surrogate_subset = 200};
    Table t = runs(plan, repetition);
    Analysis *a = analysis_new(&t, &o, comm_self());
    bool disagree = a->arm[0].disagreement[0] != 0;
    if (disagree) printf("repetition %lld: %s\n", (long long)repetition, a->arm[0].disagreement);
    analysis_free(a);
    table_free(&t);
    return disagree;
}

/* Intervals apart, in touch, and those of an envelope. */
static void intervals(void) {
    char text[ANALYSIS_STATUS];
    CurrencyFit *c = MEM_NEW(CurrencyFit, 1);
    c->a_interval = (Interval){0.61, 0.90};
    c->isoflop.n.interval = (Interval){0.27, 0.57};
    EXPECT(methods_disagree(text, c) &&
               !strcmp(text, "methods disagree: a of the law [0.610, 0.900], of isoFLOP curves [0.270, 0.570]"),
           "%s", text);
    c->isoflop.n.interval.hi = 0.62;
    EXPECT(!methods_disagree(text, c) && !text[0], "%s", text);
    c->envelope.n_interval = (Interval){0.1, 0.2};
    EXPECT(!methods_disagree(text, c), "%s", text);
    c->isoflop.n.interval = (Interval){NAN, NAN};
    EXPECT(!methods_disagree(text, c), "%s", text);
    mem_free(c);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    if (argc < 6) {
        fprintf(stderr, "want REPETITIONS grid|isoflop|rows ROWS COLUMNS NOISE\n");
        comm_stop();
        return 2;
    }
    static const char *const word[] = {"grid", "isoflop", "rows"};
    Plan plan = {.rows = atoi(argv[3]), .columns = atoi(argv[4]), .noise = atof(argv[5])};
    for (int k = 0; k < 3; k++)
        if (!strcmp(word[k], argv[2])) plan.design = (Design)k;
    intervals();
    int64_t repetitions = atoll(argv[1]);
    const Comm *w = comm_world();
    double share = 0;
    for (int64_t r = comm_rank(w); r < repetitions; r += comm_size(w)) share += said(&plan, r);
    comm_sum_f64(w, &share, 1);
    share /= (double)repetitions;
    double excuse = 3 * sqrt(SAID * (1 - SAID) / (double)repetitions);
    EXPECT(share < SAID + excuse, "methods were said to disagree about the truth in %.3f", share);
    if (comm_rank(w) == 0)
        printf("measured: %s %s x %s, noise %s: said in %.3f\n", argv[2], argv[3], argv[4], argv[5], share);
    return test_end();
}
