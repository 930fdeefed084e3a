// TEST n=1
/* Sharing of parameters: distances of partitions, all of them, gradients of the two-level objective, its solvers, and the errors of
 * tasks whose answers are known. */
#include "base/rng.h"
#include "check.h"
#include "train/discover.h"

static void partitions(void) {
    static const int bell[] = {2, 5, 15, 52, 203};
    for (int k = 2; k <= 6; k++) {
        int label[SHARING_MOST] = {0}, n = 1;
        while (sharing_next(label, k)) n++;
        EXPECT(n == bell[k - 2], "%d partitions of %d, want %d", n, k, bell[k - 2]);
    }
    const int one[4] = {0, 0, 0, 0}, two[4] = {0, 1, 0, 1}, swapped[4] = {1, 0, 1, 0}, all[4] = {0, 1, 2, 3};
    EXPECT(sharing_distance(one, one, 4) == 0 && sharing_distance(two, swapped, 4) == 0, "the same, by any name");
    EXPECT(sharing_distance(one, two, 4) == 2 && sharing_distance(one, all, 4) == 3, "others");
    /* Against all ways to match the classes of 5 parameters. */
    for (int trial = 0; trial < 50; trial++) {
        enum { K = 5 };
        int a[K], b[K], most = 0;
        for (int i = 0; i < K; i++) {
            a[i] = (int)rng_below(1, 1, (uint64_t)(2 * (K * trial + i)), K);
            b[i] = (int)rng_below(1, 1, (uint64_t)(2 * (K * trial + i) + 1), K);
        }
        for (int code = 0; code < K * K * K * K * K; code++) {
            int map[K], used = 0, agree = 0;
            for (int i = 0, c = code; i < K; i++, c /= K) used |= 1 << (map[i] = c % K);
            if (used != (1 << K) - 1) continue;
            for (int i = 0; i < K; i++) agree += map[a[i]] == b[i];
            if (agree > most) most = agree;
        }
        EXPECT(sharing_distance(a, b, K) == K - most, "distance %d, want %d", sharing_distance(a, b, K), K - most);
    }
}

static SharingTask some_task(int k) {
    SharingTask t = {.k = k, .penalty = {.lambda = 0.05, .entropy = 0.5, .mean = true}};
    Quadratic *q[2] = {&t.train, &t.validation};
    for (int set = 0; set < 2; set++)
        for (int m = 0; m < 3 * k; m++) {
            double x[SHARING_MOST], y = rng_normal(2, (uint64_t)set, (uint64_t)(100 * m));
            for (int i = 0; i < k; i++) x[i] = rng_normal(2, (uint64_t)set, (uint64_t)(100 * m + 1 + i));
            for (int i = 0; i < k; i++) {
                for (int j = 0; j < k; j++) q[set]->s[i * k + j] += x[i] * x[j] / k;
                q[set]->b[i] += x[i] * y / k;
            }
        }
    return t;
}

static double objective(const SharingTask *t, const double *z) {
    double a[SHARING_MOST * SHARING_MOST], psi[SHARING_MOST];
    sharing_softmax(a, z, t->k);
    return sharing_objective(NULL, psi, t, a, SHARING_EXACT, 0);
}

static void gradients(void) {
    enum { K = 5 };
    const double h = 1e-5;
    SharingTask t = some_task(K);
    double z[K * K], a[K * K], da[K * K] = {0}, dz[K * K], psi[K], worst = 0, size = 0;
    for (int i = 0; i < K * K; i++) z[i] = rng_normal(3, 3, (uint64_t)i);
    sharing_softmax(a, z, K);
    sharing_objective(da, psi, &t, a, SHARING_EXACT, 0);
    sharing_softmax_backward(dz, da, a, K);
    for (int i = 0; i < K * K; i++) {
        double at = z[i];
        z[i] = at + h;
        double above = objective(&t, z);
        z[i] = at - h;
        double want = (above - objective(&t, z)) / (2 * h);
        z[i] = at;
        worst = fmax(worst, fabs(dz[i] - want));
        size = fmax(size, fabs(want));
    }
    EXPECT(worst < 1e-6 * size, "hypergradient is off by %g of %g", worst, size);
}

/* Rows that prefer nothing are drawn nowhere: not to a column of their own, nor to one that stands for no parameter. */
static void no_favourite(void) {
    enum { ROWS = 4, K = 5 };
    const SharingPenalty penalty = {.lambda = 0.05, .entropy = 0.5, .mean = true};
    double a[ROWS * K], da[ROWS * K] = {0}, spread = 0;
    for (int i = 0; i < ROWS * K; i++) a[i] = 1.0 / K;
    double value = sharing_penalty(da, a, ROWS, K, &penalty);
    for (int i = 0; i < ROWS * K; i++) spread = fmax(spread, fabs(da[i] - da[0]));
    EXPECT(spread < 1e-16, "slopes of columns differ by %g", spread);
    double want = 0.05 * (K * sqrt(ROWS) / K / ROWS + 0.5 * log(K));
    EXPECT(fabs(value / want - 1) < 1e-12, "penalty %g, want %g", value, want);
}

static void solvers(void) {
    enum { K = 5 };
    SharingTask t = some_task(K);
    double b[K], exact[K], cg[K], neumann[K];
    for (int i = 0; i < K; i++) {
        b[i] = rng_normal(4, 4, (uint64_t)i);
        t.train.s[i * K + i] += 1; /* a condition number that 2000 terms meet */
    }
    sharing_solve(exact, t.train.s, b, K, SHARING_EXACT, 0);
    sharing_solve(cg, t.train.s, b, K, SHARING_CG, 0);
    sharing_solve(neumann, t.train.s, b, K, SHARING_NEUMANN, 2000);
    for (int i = 0; i < K; i++) /* what is exact has a ridge of 1e-6 */
        for (int j = 0; j < K; j++) t.train.s[i * K + j] += i == j ? 1e-6 : 0;
    double ridged[K];
    sharing_solve(ridged, t.train.s, b, K, SHARING_NEUMANN, 2000);
    EXPECT(test_error(ridged, exact, K) < 1e-8, "Neumann's series is off by %g", test_error(ridged, exact, K));
    EXPECT(test_error(cg, neumann, K) < 1e-3, "conjugate gradients are off by %g", test_error(cg, neumann, K));
}

/* Mean errors of Gaussian tasks: K/N without sharing, rank/N with the truth, and what is found is near the truth. */
static void gaussian(int64_t rank) {
    enum { TRIALS = 150 };
    DiscoverOptions o = {.kind = DISCOVER_GAUSSIAN, .parameters = 4, .rank = rank, .trials = TRIALS, .seed = 1};
    double error[DISCOVER_WAYS] = {0}, distance[DISCOVER_WAYS] = {0};
    for (int64_t i = 0; i < TRIALS; i++) {
        DiscoverTrial t;
        discover_trial(&t, &o, i);
        for (int w = 0; w < DISCOVER_WAYS; w++) {
            error[w] += t.error[w] / TRIALS;
            distance[w] += t.distance[w] / (double)TRIALS;
        }
    }
    /* Errors are chi-square over N: standard errors of the means are sqrt(2K)/N/sqrt(TRIALS). */
    double none = sqrt(8) / 100 / sqrt(TRIALS), oracle = sqrt(2.0 * (double)rank) / 100 / sqrt(TRIALS);
    EXPECT(fabs(error[DISCOVER_NONE] - 0.04) < 4 * none, "no sharing: %g", error[DISCOVER_NONE]);
    EXPECT(fabs(error[DISCOVER_ORACLE] - 0.01 * (double)rank) < 4 * oracle, "truth given: %g", error[DISCOVER_ORACLE]);
    EXPECT(error[DISCOVER_BRUTE_FORCE] < 0.9 * error[DISCOVER_NONE], "brute force: %g", error[DISCOVER_BRUTE_FORCE]);
    EXPECT(distance[DISCOVER_ORACLE] == 0 && distance[DISCOVER_LEARNED] < 0.8, "distance %g",
           distance[DISCOVER_LEARNED]);
    EXPECT(error[DISCOVER_LEARNED] >= error[DISCOVER_ORACLE], "learned: %g", error[DISCOVER_LEARNED]);
    EXPECT(error[DISCOVER_LEARNED] < (rank == 1 ? 0.7 : 0.9) * error[DISCOVER_NONE], "learned: %g",
           error[DISCOVER_LEARNED]);
    /* The search is as good as looking at every partition. */
    EXPECT(error[DISCOVER_LEARNED] < 1.1 * error[DISCOVER_BRUTE_FORCE], "learned: %g, brute force %g",
           error[DISCOVER_LEARNED], error[DISCOVER_BRUTE_FORCE]);
    printf("measured rank %lld: none %.4f, learned %.4f (%.2f), brute force %.4f (%.2f), truth %.4f\n", (long long)rank,
           error[DISCOVER_NONE], error[DISCOVER_LEARNED], distance[DISCOVER_LEARNED], error[DISCOVER_BRUTE_FORCE],
           distance[DISCOVER_BRUTE_FORCE], error[DISCOVER_ORACLE]);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    partitions();
    gradients();
    no_favourite();
    solvers();
    gaussian(1);
    gaussian(2);
    return test_end();
}
