// TEST single n=2 args=20 7 7 0.005 huber
/* Do 95 % intervals hold the truth in 95 of 100 repetitions? The whole analysis of made-up surfaces of a known law.
 *     test_fit_coverage REPETITIONS SIZES LENGTHS NOISE OBJECTIVE [RESAMPLES]
 * prints the share that holds each coefficient and the allocation; fails below what so few repetitions can excuse. */
#include "base/rng.h"
#include "check.h"
#include "fit/analysis.h"

static const Law truth = {.a = 6.18, .b = 7.64, .e = 0.599, .alpha = 0.348, .beta = 0.366};

enum { ALLOCATED = 3, COLUMNS = COEFS + ALLOCATED };
static const char *const column[COLUMNS] = {"E", "A", "B", "alpha", "beta", "a", "b", "N*", "D*", "loss*"};

static bool holds(Interval i, double value) {
    return i.lo <= value && value <= i.hi;
}

static void repetition(double held[COLUMNS], int64_t r, int sizes, int lengths, double noise, const FitOptions *o,
                       const Comm *alone) {
    const Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    Table t = table_new();
    table_arm(&t, "synthetic");
    for (int i = 0; i < sizes; i++)
        for (int j = 0; j < lengths; j++) {
            double n = 1e8 * pow(100, (double)i / (sizes - 1)), d = 2e9 * pow(100, (double)j / (lengths - 1));
            double z = noise * rng_normal((uint64_t)r, 77, (uint64_t)(i * lengths + j));
            table_add(&t, (Point){.n = n,
                                  .d = d,
                                  .c = {6 * n * d, NAN, NAN},
                                  .loss = law_loss(&truth, n, d) * exp(z),
                                  .weight = 1,
                                  .cell = t.n,
                                  .final = true});
        }
    Analysis *a = analysis_new(&t, o, alone);
    const ArmFit *arm = &a->arm[0];
    double value[COLUMNS] = {exp(truth.e), exp(truth.a), exp(truth.b), truth.alpha, truth.beta};
    cost_exponents(&value[COEF_N_EXPONENT], &value[COEF_D_EXPONENT], &truth, &cost);
    Allocation want = cost_allocate(&truth, &cost, o->budgets[0].at[0]);
    const BudgetFit *got = &arm->currency[0].budget[0];
    for (int k = 0; k < COEFS; k++) held[k] += holds(arm->interval[k], value[k]);
    held[COEFS] += holds(got->n, want.n), held[COEFS + 1] += holds(got->d, want.d),
        held[COEFS + 2] += holds(got->loss, want.loss);
    analysis_free(a);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    if (argc < 6) {
        fprintf(stderr, "want REPETITIONS SIZES LENGTHS NOISE OBJECTIVE [RESAMPLES]\n");
        comm_stop();
        return 2;
    }
    int64_t repetitions = atoll(argv[1]);
    FitOptions o = {.delta = 1e-3,
                    .extrapolation = 10,
                    .bootstraps = argc > 6 ? atoll(argv[6]) : 200,
                    .seed = 1,
                    .e = "free",
                    .exponents = "free",
                    .starts = "few",
                    .intervals = "auto",
                    .budgets = {{.n = 1, .at = {1e21}}}};
    snprintf(o.objective, sizeof o.objective, "%s", argv[5]);
    double held[COLUMNS] = {0};
    const Comm *w = comm_world();
    for (int64_t r = comm_rank(w); r < repetitions; r += comm_size(w))
        repetition(held, r, atoi(argv[2]), atoi(argv[3]), atof(argv[4]), &o, comm_self());
    comm_sum_f64(w, held, COLUMNS);
    double excuse = 0.93 - 3 * sqrt(0.05 * 0.95 / (double)repetitions);
    for (int k = 0; k < COLUMNS; k++) {
        held[k] /= (double)repetitions;
        EXPECT(held[k] > excuse, "%s: %.3f of the intervals hold the truth", column[k], held[k]);
    }
    if (comm_rank(w) == 0) {
        printf("measured: %s x %s runs, noise %s, %s, %lld repetitions, share that holds the truth:", argv[2], argv[3],
               argv[4], argv[5], (long long)repetitions);
        for (int k = 0; k < COLUMNS; k++) printf(" %s %.3f", column[k], held[k]);
        printf("\n");
    }
    return test_end();
}
