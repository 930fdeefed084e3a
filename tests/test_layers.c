// TEST n=1
/* GELU, layer norm and affine maps: against their definitions at odd sizes, and their backward passes as adjoints. */
#include "base/rng.h"
#include "check.h"
#include "nn/activation.h"
#include "nn/layernorm.h"
#include "nn/linear.h"

static const int64_t sizes[] = {1, 3, 17, 65};
static const double eps = (double)REAL_EPSILON;

static double dot(const real *a, const real *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void activations(void) {
    enum { N = 3001 };
    real *x = MEM_NEW(real, N), *y = MEM_NEW(real, N), *slope = MEM_NEW(real, N), *alone = MEM_NEW(real, N);
    for (int i = 0; i < N; i++) x[i] = (real)((i - N / 2) * 0.01);
    x[0] = (real)-1e4, x[1] = (real)1e4;
    double bound = sizeof(real) == 8 ? 1e-13 : 1e-6;
    for (int form = 0; form < 2; form++) {
        (form ? gelu_tanh : gelu)(y, slope, x, N);
        (form ? gelu_tanh : gelu)(alone, NULL, x, N);
        for (int i = 0; i < N; i++) {
            double want, want_slope, h = 1e-6, up, down, unused, at = (double)x[i];
            (form ? gelu_tanh_ref : gelu_ref)(&want, &want_slope, at);
            (form ? gelu_tanh_ref : gelu_ref)(&up, &unused, at + h);
            (form ? gelu_tanh_ref : gelu_ref)(&down, &unused, at - h);
            EXPECT(fabs((double)y[i] - want) <= bound * fmax(1, fabs(want)) && y[i] == alone[i], "gelu %d (%g) = %g",
                   form, at, (double)y[i]);
            EXPECT(fabs((double)slope[i] - want_slope) <= bound, "gelu' %d (%g) = %g, not %g", form, at,
                   (double)slope[i], want_slope);
            EXPECT(fabs(at) > 20 || fabs((up - down) / (2 * h) - want_slope) < 1e-8, "slope at %g", at);
        }
    }
    mem_free(x), mem_free(y), mem_free(slope), mem_free(alone);
}

static void activation_rows(int64_t rows, int64_t n) {
    real *x = test_normal(rows * n, 1), *b = test_normal(n, 2), *y = MEM_NEW(real, rows * n),
         *slope = MEM_NEW(real, rows * n);
    real *dy = test_normal(rows * n, 3), *db = test_normal(n, 4);
    real *dx = MEM_NEW(real, rows * n);
    memcpy(dx, dy, (size_t)(rows * n) * sizeof *dx);
    gelu_bias(y, slope, x, b, rows, n);
    double *want = MEM_NEW(double, n);
    for (int64_t i = 0; i < n; i++) want[i] = (double)db[i];
    gelu_bias_backward(dx, db, slope, rows, n);
    for (int64_t i = 0; i < rows * n; i++) {
        double value, d;
        gelu_ref(&value, &d, (double)x[i] + (double)b[i % n]);
        double want_dx = (double)dy[i] * d;
        EXPECT(fabs((double)y[i] - value) < 20 * eps * fmax(1, fabs(value)), "GELU %g, not %g", (double)y[i], value);
        EXPECT(fabs((double)dx[i] - want_dx) < 20 * eps * fmax(1, fabs((double)dy[i])), "its gradient %g, not %g",
               (double)dx[i], want_dx);
        want[i % n] += (double)dx[i];
    }
    for (int64_t i = 0; i < n; i++)
        EXPECT(fabs((double)db[i] - want[i]) < 10 * eps * (double)rows, "bias gradient %g, not %g", (double)db[i],
               want[i]);
    mem_free(want);
    mem_free(x), mem_free(b), mem_free(y), mem_free(slope), mem_free(dy), mem_free(db), mem_free(dx);
}

/* <dy, J v> by central difference of the definition, in double, against <J^T dy, v>. */
static void norm(int64_t rows, int64_t n) {
    real *x = test_normal(rows * n, 1), *t = test_normal(rows * n, 2), *b = test_normal(n, 3),
         *y = MEM_NEW(real, rows * n);
    real *rstd = MEM_NEW(real, rows), *dy = test_normal(rows * n, 4), *v = test_normal(rows * n, 5),
         *dx = test_normal(rows * n, 6);
    real *dx0 = MEM_NEW(real, rows * n), *db = test_normal(n, 7), *db0 = MEM_NEW(real, n),
         *sum = MEM_NEW(real, rows * n);
    memcpy(dx0, dx, (size_t)(rows * n) * sizeof *dx);
    memcpy(db0, db, (size_t)n * sizeof *db);
    for (int64_t i = 0; i < rows * n; i++) sum[i] = x[i] + t[i] + b[i % n];
    layernorm_add(y, rstd, x, t, b, rows, n);
    layernorm_backward(dx, db, dy, y, rstd, rows, n);
    double *in = MEM_NEW(double, n), *out = MEM_NEW(double, n), slope = 0, scale, h = 1e-5;
    for (int64_t r = 0; r < rows; r++)
        for (int sign = 0; sign <= 2; sign++) {
            double step = h * (sign - 1);
            for (int64_t i = 0; i < n; i++) in[i] = (double)sum[r * n + i] + step * (double)v[r * n + i];
            layernorm_ref(out, &scale, in, n);
            for (int64_t i = 0; i < n; i++) {
                slope += (sign - 1) * (double)dy[r * n + i] * out[i] / (2 * h);
                if (sign == 1)
                    EXPECT(fabs((double)y[r * n + i] - out[i]) < 200 * eps &&
                               fabs((double)x[r * n + i] - in[i]) < 10 * eps,
                           "norm %g, not %g", (double)y[r * n + i], out[i]);
            }
        }
    double adjoint = dot(dx, v, rows * n) - dot(dx0, v, rows * n);
    EXPECT(fabs(slope - adjoint) < (sizeof(real) == 8 ? 1e-8 : 1e-4) * (double)(rows + n), "%lld x %lld: %g and %g",
           (long long)rows, (long long)n, slope, adjoint);
    for (int64_t i = 0; i < n; i++) {
        double want = (double)db0[i];
        for (int64_t r = 0; r < rows; r++) want += (double)dx[r * n + i];
        EXPECT(fabs((double)db[i] - want) < 100 * eps * (double)(rows + 1), "sum of column %lld", (long long)i);
    }
    mem_free(x), mem_free(t), mem_free(b), mem_free(y), mem_free(rstd), mem_free(dy), mem_free(v), mem_free(dx);
    mem_free(dx0), mem_free(db), mem_free(db0), mem_free(sum), mem_free(in), mem_free(out);
}

/* y = x W + b is linear in each of x, W and b: adjoints are exact. gap: numbers between two rows of y. */
static void affine(int64_t tokens, int in, int out, int gap) {
    int64_t ld = out + gap, weights = (int64_t)in * out;
    Linear map = {.weight = 0, .bias = weights, .in = in, .out = out};
    real *theta = test_normal(weights + out, 1), *x = test_normal(tokens * in, 2), *y = test_normal(tokens * ld, 3);
    real *dy = test_normal(tokens * ld, 4), *dx = MEM_NEW(real, tokens * in), *grad = MEM_NEW(real, weights + out);
    real *keep = MEM_NEW(real, tokens * ld);
    memcpy(keep, y, (size_t)(tokens * ld) * sizeof *y);
    linear_forward(y, ld, x, theta, &map, tokens, 0);
    linear_backward_input(dx, dy, ld, theta, &map, tokens, 0);
    linear_backward_weight(grad, dy, ld, x, &map, tokens, 1);
    linear_backward_input(NULL, dy, ld, theta, &map, tokens, 0);
    double product = 0, bias = 0;
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t i = 0; i < ld; i++) {
            if (i >= out) {
                EXPECT(y[t * ld + i] == keep[t * ld + i], "writes beside its columns");
                continue;
            }
            double want = (double)theta[map.bias + i];
            for (int j = 0; j < in; j++) want += (double)x[t * in + j] * (double)theta[(int64_t)j * out + i];
            EXPECT(fabs((double)y[t * ld + i] - want) < 20 * eps * (in + 1), "affine");
            product += (double)dy[t * ld + i] * (double)y[t * ld + i];
            bias += (double)dy[t * ld + i] * (double)theta[map.bias + i];
        }
    double bound = 20 * eps * (double)(tokens + in) * (double)(tokens + out);
    EXPECT(fabs(dot(dx, x, tokens * in) - (product - bias)) < bound, "adjoint of x");
    EXPECT(fabs(dot(grad, theta, weights) - (product - bias)) < bound, "adjoint of W");
    EXPECT(fabs(dot(grad + weights, theta + weights, out) - bias) < bound, "adjoint of b");
    mem_free(theta), mem_free(x), mem_free(y), mem_free(dy), mem_free(dx), mem_free(grad), mem_free(keep);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    activations();
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            activation_rows(sizes[i], sizes[j]);
            norm(sizes[i], sizes[j]);
            for (int k = 0; k < 4; k++)
                for (int gap = 0; gap <= 3; gap += 3) affine(sizes[i], (int)sizes[j], (int)sizes[k], gap);
        }
    static const int64_t widths[] = {8, 12, 24, 40, 48, 60}; /* rows of one to four vectors, whole and not */
    for (int i = 0; i < 6; i++) {
        activation_rows(65, widths[i]);
        norm(65, widths[i]);
        for (int gap = 0; gap <= 3; gap += 3) affine(65, 5, (int)widths[i], gap);
    }
    affine(700, 65, 17, 3); /* more than one run of rows */
    return test_end();
}
