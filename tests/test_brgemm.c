// TEST n=1
/* Sums of products against their definition at odd sizes; nothing behind the last column is read into a result or
 * written. */
#include "check.h"
#include "base/rng.h"
#include "la/brgemm.h"
#include "la/flops.h"
#include "la/simd.h"

enum { TERMS = 3, PLANES = 2, MOST = 65, ROW = 80, PLANE = MOST * ROW };
static const real untouched = 77;
static const int64_t sizes[] = {1, 2, 3, 5, 6, 7, 17, 65}; /* every height of a tile */
enum { SIZES = sizeof sizes / sizeof *sizes };

static real *random_array(int64_t n, uint64_t stream) {
    real *x = MEM_NEW(real, n);
    for (int64_t i = 0; i < n; i++) x[i] = (real)rng_normal(1, stream, (uint64_t)i);
    return x;
}

/* Largest difference of rows of n columns; what stands behind them must be as it was. */
static double difference(const real *c, const real *want, int64_t m, int64_t n, int64_t ld) {
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < ld; j++) {
            if (j < n)
                worst = fmax(worst, fabs((double)c[i * ld + j] - (double)want[i * ld + j]));
            else
                EXPECT(c[i * ld + j] == untouched, "row %lld column %lld written", (long long)i, (long long)j);
        }
    return worst;
}

static void compare(int64_t m, int64_t n, int64_t k, bool turned, real beta) {
    real *a = random_array(TERMS * MOST * MOST, 1), *b = random_array(TERMS * PLANES * PLANE + LANES, 2),
         *bias = random_array(MOST, 3), *c = MEM_NEW(real, PLANES * PLANE), *want = MEM_NEW(real, PLANES * PLANE);
    for (int64_t i = 0; i < PLANES * PLANE; i++) c[i] = want[i] = i % ROW < n ? (real)0.5 : untouched;
    for (int64_t i = 0; i < TERMS * PLANES * PLANE; i++)
        if (i % ROW >= n) b[i] = (real)NAN;
    BrTerm terms[TERMS];
    for (int t = 0; t < TERMS; t++)
        terms[t] = (BrTerm){.scale = t == 1 ? (real)0.5 : 1,
                            .a = a + t * MOST * MOST,
                            .row = turned ? 1 : MOST,
                            .col = turned ? MOST : 1,
                            .b = b + t * PLANES * PLANE,
                            .ldb = ROW,
                            .k = t == 2 ? 1 : k,
                            .stride = PLANE};
    const real *start = beta != 0 ? NULL : bias;
    int64_t before = flops_counted();
    brgemm(c, ROW, PLANE, PLANES, m, n, terms, TERMS, start, beta);
    EXPECT(flops_counted() - before == 2 * m * n * (2 * k + 1) * PLANES, "count");
    brgemm_ref(want, ROW, PLANE, PLANES, m, n, terms, TERMS, start, beta);
    double error = difference(c, want, PLANES * MOST, n, ROW);
    EXPECT(error < 200 * REAL_EPSILON, "%lld %lld %lld: %g", (long long)m, (long long)n, (long long)k, error);
    mem_free(a), mem_free(b), mem_free(bias), mem_free(c), mem_free(want);
}

static void compare_nt(int64_t m, int64_t k, int64_t n) {
    real *a = random_array(2 * MOST * ROW, 1), *b = random_array(2 * MOST * ROW, 2), *c = MEM_NEW(real, MOST * ROW),
         *want = MEM_NEW(real, MOST * ROW);
    for (int64_t i = 0; i < MOST * ROW; i++) c[i] = want[i] = i % ROW < k ? (real)0.5 : untouched;
    for (int64_t i = 0; i < 2 * MOST * ROW; i++)
        if (i % ROW >= n) a[i] = b[i] = (real)NAN;
    brgemm_nt(c, ROW, m, k, n, (real)0.5, a, ROW, MOST * ROW, b, ROW, MOST * ROW, 2);
    brgemm_nt_ref(want, ROW, m, k, n, (real)0.5, a, ROW, MOST * ROW, b, ROW, MOST * ROW, 2);
    double error = difference(c, want, m, k, ROW);
    EXPECT(error < 200 * REAL_EPSILON, "nt %lld %lld %lld: %g", (long long)m, (long long)k, (long long)n, error);
    mem_free(a), mem_free(b), mem_free(c), mem_free(want);
}

enum { BEFORE = 3 }; /* columns before the first that is meant */

/* Rows of A and C in an order of their own, with gaps. */
static void compare_rows(int64_t m, int64_t n, int64_t k, real beta) {
    real *a = random_array(MOST * ROW, 1), *b = random_array(MOST * ROW + LANES, 2), *c = MEM_NEW(real, MOST * ROW),
         *want = MEM_NEW(real, MOST * ROW), *to[MOST], *wanted[MOST], *from[MOST];
    for (int64_t i = 0; i < m; i++) {
        from[i] = a + (i * 7 % m) * ROW;
        to[i] = c + (m - 1 - i) * ROW - BEFORE;
        wanted[i] = want + (m - 1 - i) * ROW - BEFORE;
    }
    for (int64_t i = 0; i < MOST * ROW; i++) c[i] = want[i] = i % ROW < n ? (real)0.5 : untouched;
    for (int64_t i = 0; i < MOST * ROW; i++)
        if (i % ROW >= n) b[i] = (real)NAN;
    int64_t before = flops_counted();
    brgemm_rows(to, from, m, BEFORE, b, ROW, n, k, beta);
    EXPECT(flops_counted() - before == 2 * m * n * k, "count");
    brgemm_rows_ref(wanted, from, m, BEFORE, b, ROW, n, k, beta);
    double error = difference(c, want, m, n, ROW);
    EXPECT(error < 200 * REAL_EPSILON, "rows %lld %lld %lld: %g", (long long)m, (long long)n, (long long)k, error);
    mem_free(a), mem_free(b), mem_free(c), mem_free(want);
}

static void compare_outer(int64_t m, int64_t n, int64_t k) {
    real *a = random_array(MOST * ROW, 1), *b = random_array(MOST * ROW + LANES, 2), *c = MEM_NEW(real, MOST * ROW),
         *want = MEM_NEW(real, MOST * ROW), *left[MOST], *right[MOST];
    for (int64_t i = 0; i < k; i++) {
        left[i] = a + (i * 7 % k) * ROW;
        right[i] = b + (k - 1 - i) * ROW;
    }
    for (int64_t i = 0; i < MOST * ROW; i++) c[i] = want[i] = untouched;
    for (int64_t i = 0; i < MOST * ROW; i++)
        if (i % ROW >= BEFORE + n) b[i] = (real)NAN;
    int64_t before = flops_counted();
    brgemm_outer(c, ROW, m, n, left, right, BEFORE, k);
    EXPECT(flops_counted() - before == 2 * m * n * k, "count");
    brgemm_outer_ref(want, ROW, m, n, left, right, BEFORE, k);
    double error = difference(c, want, m, n, ROW);
    EXPECT(error < 200 * REAL_EPSILON, "outer %lld %lld %lld: %g", (long long)m, (long long)n, (long long)k, error);
    mem_free(a), mem_free(b), mem_free(c), mem_free(want);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    for (int i = 0; i < SIZES; i++)
        for (int j = 0; j < SIZES; j++)
            for (int k = 0; k < SIZES; k++) {
                compare(sizes[i], sizes[j], sizes[k], (i + j) % 2, k % 2 ? 1 : 0);
                compare_nt(sizes[i], sizes[j], sizes[k]);
                compare_rows(sizes[i], sizes[j], sizes[k], (j + k) % 2 ? 1 : 0);
                compare_outer(sizes[i], sizes[j], sizes[k]);
            }
    return test_end();
}
