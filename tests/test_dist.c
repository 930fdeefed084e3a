// TEST n=1,2,3,4
/* Block-cyclic Cholesky, solves, inverse and products against what they are defined by, at odd sizes and blocks. */
#include "check.h"
#include "la/dist.h"

static double entry(int64_t i, int64_t j) {
    return exp(-0.02 * (double)((i - j) * (i - j))) + (i == j ? 0.3 : 0);
}

static void one(const DistGrid *grid, int64_t n, int64_t block) {
    DistMatrix a = dist_new(grid, n, n, block), b = dist_new(grid, n, 3, block), c = dist_new(grid, 3, 3, block);
    double *full = MEM_NEW(double, n *n), *rhs = MEM_NEW(double, 3 * n), *x = MEM_NEW(double, 3 * n), worst = 0;
    for (int64_t i = 0; i < n * n; i++) full[i] = entry(i / n, i % n);
    for (int64_t i = 0; i < 3 * n; i++) rhs[i] = sin((double)i);
    dist_put(&a, full);
    dist_put(&b, rhs);
    EXPECT(dist_cholesky(&a), "positive definite, n %lld", (long long)n);
    double log_det = dist_log_det(&a);

    dist_solve(&b, &a);
    dist_get(x, &b);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) {
            double sum = -rhs[3 * i + k];
            for (int64_t j = 0; j < n; j++) sum += full[i * n + j] * x[3 * j + k];
            worst = fmax(worst, fabs(sum));
        }
    EXPECT(worst < 1e-10, "residual %g, n %lld", worst, (long long)n);

    /* |L^-1 b|^2 = b' A^-1 b. */
    double gram[9];
    dist_put(&b, rhs);
    dist_solve_lower(&b, &a);
    dist_multiply_tn(&c, &b, &b);
    dist_get(gram, &c);
    worst = 0;
    for (int k = 0; k < 9; k++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += rhs[3 * i + k / 3] * x[3 * i + k % 3];
        worst = fmax(worst, fabs(sum - gram[k]));
    }
    EXPECT(worst < 1e-10, "quadratic form off by %g", worst);

    dist_invert(&a);
    double *inverse = MEM_NEW(double, n *n);
    dist_get(inverse, &a);
    worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) {
            double sum = -x[3 * i + k];
            for (int64_t j = 0; j < n; j++) sum += inverse[i >= j ? i * n + j : j * n + i] * rhs[3 * j + k];
            worst = fmax(worst, fabs(sum));
        }
    EXPECT(worst < 1e-10, "inverse off by %g", worst);

    /* log det through elimination of the full matrix. */
    double expected = 0;
    for (int64_t k = 0; k < n; k++) {
        expected += log(full[k * n + k]);
        for (int64_t i = k + 1; i < n; i++)
            for (int64_t j = n - 1; j >= k; j--) full[i * n + j] -= full[i * n + k] / full[k * n + k] * full[k * n + j];
    }
    EXPECT(fabs(log_det - expected) < 1e-9, "log det %g, want %g", log_det, expected);
    mem_free(inverse);
    mem_free(full);
    mem_free(rhs);
    mem_free(x);
    dist_free(&a);
    dist_free(&b);
    dist_free(&c);
}

static void indefinite(const DistGrid *grid) {
    DistMatrix a = dist_new(grid, 4, 4, 2);
    double full[16] = {1, 2, 0, 0, 2, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    dist_put(&a, full);
    EXPECT(!dist_cholesky(&a), "an indefinite matrix is named as such");
    dist_free(&a);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    DistGrid *grid = dist_grid_new(comm_world());
    one(grid, 1, 4);
    one(grid, 17, 4);
    one(grid, 65, 8);
    one(grid, 129, 64);
    indefinite(grid);
    dist_grid_free(grid);
    return test_end();
}
