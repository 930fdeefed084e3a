// TEST single n=2 args=20 grid 7 7 0.005 even huber
// TEST single n=2 args=20 isoflop 6 7 0.01 uneven log
// TEST single n=2 args=20 grid 8 8 0.005 shared log
// TEST single n=2 args=20 grid 6 4 0.005 runs huber
// TEST single n=2 args=20 grid 8 12 0.005 checkpoints.8 log
// TEST single n=2 args=20 grid 8 12 0.005 checkpoints.8 log 50 unnamed
/* Do 95 % intervals hold the truth in 95 of 100 repetitions? The whole analysis of made-up surfaces of a known law.
 *     test_fit_coverage REPETITIONS grid|isoflop ROWS COLUMNS NOISE even|uneven|heavy|shared|runs|checkpointsRHO \
 *         huber|log|loss [RESAMPLES [unnamed]]
 * grid: sizes x lengths, two decades each; isoflop: budgets x sizes, a factor of 16 in N about the optimum.
 * shared: as much noise again that all runs of one size have in common, which the rows name as their group; shared4: four
 * times as much. runs: CHECKPOINTS rows of each run, which it is the group of, with as much noise again that is the run's own.
 * checkpointsRHO: the sizes are runs, whose groups they are, with an offset as large as the noise, and the rows of one are its
 * checkpoints, each with RHO of the error of the one before it. RESAMPLES unnamed: no group is named.
 * uneven: the noise falls by 25 from the smallest to the largest runs; heavy: Student's t with 3 degrees of freedom.
 * Prints the share that holds each coefficient and the allocation, of those repetitions that have intervals; fails where
 * it is outside 0.93 to 0.97 by more than so few repetitions can excuse, or where more than UNTOLD of them say that the law is
 * not identifiable, or more than REJECTED that the law, which is the truth, is not that of its rows. Of rows that share an error
 * and have no group: where more than MISSED of the laws are called converged. */
#include "base/rng.h"
#include "check.h"
#include "infer/analysis.h"

static const Law truth = {.kind = &law_chinchilla, .a = 6.18, .b = 7.64, .e = 0.599, .alpha = 0.348, .beta = 0.366};
static const Cost cost = {.log_kappa = 1.791759469228055, .mu = 1, .nu = 1}; /* C = 6 N D */

enum { ALLOCATED = 3, COLUMNS = COEFS + ALLOCATED, CHECKPOINTS = 5 };
#define REJECTED 0.05
#define UNTOLD 0.1
#define MISSED 0.05
static const char *const column[COLUMNS] = {"E", "A", "B", "alpha", "beta", "a", "b", "N*", "D*", "loss*"};

typedef struct Plan {
    bool isoflop, uneven, heavy, shared, runs, checkpoints, unnamed;
    int rows, columns;
    double noise, offset; /* offset: of a group, in units of the noise */
    double rho;           /* what a checkpoint has of the error of the one before it; 1: all, and a step of its own */
} Plan;

static double draw(const Plan *plan, int64_t repetition, int64_t cell) {
    uint64_t r = (uint64_t)repetition, c = (uint64_t)cell;
    double z = rng_normal(r, 77, c), square = 0;
    if (!plan->heavy) return z;
    for (uint64_t k = 1; k <= 3; k++) square += rng_normal(r, 77 + k, c) * rng_normal(r, 77 + k, c);
    return z / sqrt(square); /* t(3) over its standard deviation */
}

/* What the rows of a group have in common. */
static double offset(const Plan *plan, int64_t repetition, int64_t group) {
    return group ? plan->offset * plan->noise * rng_normal((uint64_t)repetition, 91, (uint64_t)group) : 0;
}

/* The error of checkpoint j of run i: AR(1) of standard deviation noise, or a random walk with steps of it where rho is 1. */
static double carried(const Plan *plan, int64_t repetition, int i, int j) {
    double e = 0;
    double step = plan->rho < 1 ? sqrt(1 - plan->rho * plan->rho) : 1;
    for (int k = 0; k <= j; k++) {
        double z = rng_normal((uint64_t)repetition, 97, (uint64_t)(i * plan->columns + k));
        e = plan->rho * e + (k > 0 ? step : 1) * z;
    }
    return plan->noise * e;
}

static Table surface(const Plan *plan, int64_t repetition) {
    Table t = table_new();
    table_arm(&t, "synthetic");
    int checkpoints = plan->runs ? CHECKPOINTS : 1;
    for (int k = 0; k < plan->rows * plan->columns * checkpoints; k++) {
        int run = k / checkpoints;
        int i = run / plan->columns;
        double u = (double)i / (plan->rows - 1), v = (double)(run % plan->columns) / (plan->columns - 1);
        double n = 1e8 * pow(100, u), d = 2e9 * pow(100, v), budget = 6e18 * pow(500, u);
        if (plan->isoflop) n = cost_allocate(&truth, &cost, budget).n * pow(16, v - 0.5), d = budget / (6 * n);
        d *= (k % checkpoints + 1.0) / checkpoints;
        double part = plan->isoflop ? u : 0.5 * (u + v), scale = plan->uneven ? 2 * pow(25, -part) : 1;
        int64_t group = plan->shared || plan->checkpoints ? i + 1 : plan->runs ? run + 1 : 0;
        double own = plan->noise * scale * draw(plan, repetition, t.n);
        if (plan->checkpoints) own = carried(plan, repetition, i, run % plan->columns);
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN},
                              .loss = law_loss(&truth, n, d) * exp(offset(plan, repetition, group) + own),
                              .group = plan->unnamed ? 0 : group,
                              .weight = 1,
                              .cell = t.n,
                              .final = true});
    }
    return t;
}

static bool holds(Interval i, double value) {
    return i.lo <= value && value <= i.hi;
}

typedef struct Count {
    double held[COLUMNS]; /* intervals that hold the truth */
    double told;          /* repetitions with intervals */
    double converged;     /* repetitions, of all */
    double rejected;      /* of them, those whose law was called wrong */
} Count;
enum { COUNTS = sizeof(Count) / sizeof(double) };

static void repetition(Count *count, int64_t r, const Plan *plan, const FitOptions *o) {
    Table t = surface(plan, r);
    Analysis *a = analysis_new(&t, o, comm_self());
    const ArmFit *arm = &a->arm[0];
    double value[COLUMNS] = {exp(truth.e), exp(truth.a), exp(truth.b), truth.alpha, truth.beta};
    cost_exponents(&value[COEF_N_EXPONENT], &value[COEF_D_EXPONENT], &truth, &cost);
    Allocation want = cost_allocate(&truth, &cost, o->budgets[0].at[0]);
    const BudgetFit *got = &arm->currency[0].budget[0];
    for (int k = 0; k < COEFS; k++) count->held[k] += holds(arm->interval[k], value[k]);
    count->held[COEFS] += holds(got->n, want.n);
    count->held[COEFS + 1] += holds(got->d, want.d);
    count->held[COEFS + 2] += holds(got->loss, want.loss);
    count->told += arm->identified;
    count->rejected += arm->verdict == LAW_REJECTED;
    count->converged += arm->verdict == LAW_CONVERGED;
    analysis_free(a);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    if (argc < 8) {
        fprintf(stderr, "want REPETITIONS grid|isoflop ROWS COLUMNS NOISE even|uneven|heavy|shared|runs|checkpointsRHO "
                        "huber|log|loss [RESAMPLES [unnamed]]\n");
        comm_stop();
        return 2;
    }
    int64_t repetitions = atoll(argv[1]);
    Plan plan = {.isoflop = argv[2][0] == 'i',
                 .rows = atoi(argv[3]),
                 .columns = atoi(argv[4]),
                 .noise = atof(argv[5]),
                 .uneven = argv[6][0] == 'u',
                 .heavy = argv[6][0] == 'h',
                 .shared = argv[6][0] == 's',
                 .runs = argv[6][0] == 'r',
                 .checkpoints = argv[6][0] == 'c',
                 .unnamed = argc > 9};
    const char *factor = argv[6] + strcspn(argv[6], ".0123456789");
    plan.offset = *factor && !plan.checkpoints ? atof(factor) : 1;
    plan.rho = plan.checkpoints ? atof(factor) : 0;
    FitOptions o = {.delta = 1e-3,
                    .extrapolation = 10,
                    .bootstraps = argc > 8 ? atoll(argv[8]) : 200,
                    .seed = 1,
                    .starts = LAW_STARTS_FEW,
                    .budgets = {{.n = 1, .at = {1e21}}}};
    for (int k = 0; k < 3; k++) {
        char word[16];
        options_choice(word, sizeof word, FIT_OBJECTIVES, k);
        if (!strcmp(word, argv[7])) o.objective = k;
    }
    Count count = {0};
    const Comm *w = comm_world();
    for (int64_t r = comm_rank(w); r < repetitions; r += comm_size(w)) repetition(&count, r, &plan, &o);
    comm_sum_f64(w, (double *)&count, COUNTS);
    double excuse = 3 * sqrt(0.05 * 0.95 / (double)repetitions);
    for (int k = 0; k < COLUMNS; k++) {
        count.held[k] /= count.told;
        bool right = count.held[k] > 0.93 - excuse && count.held[k] < 0.97 + excuse;
        EXPECT(right || plan.unnamed, "%s: %.3f of the intervals hold the truth", column[k], count.held[k]);
    }
    double rejected = count.rejected / count.told;
    double untold = 1 - count.told / (double)repetitions;
    double converged = count.converged / (double)repetitions;
    EXPECT(plan.unnamed || rejected < REJECTED + excuse, "%.3f of the laws are rejected", rejected);
    EXPECT(!plan.unnamed || converged < MISSED + excuse, "%.3f of the laws converge on rows that share an error",
           converged);
    EXPECT(untold < UNTOLD + excuse, "%.3f of the laws are not identifiable", untold);
    if (comm_rank(w) == 0) {
        printf("measured: %s %s x %s, noise %s %s, %s, %lld repetitions, share that holds the truth:", argv[2], argv[3],
               argv[4], argv[5], argv[6], argv[7], (long long)repetitions);
        for (int k = 0; k < COLUMNS; k++) printf(" %s %.3f", column[k], count.held[k]);
        printf("; converged %.3f, rejected %.3f, without intervals %.3f\n", converged, rejected, untold);
    }
    return test_end();
}
