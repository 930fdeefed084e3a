/* Compiled with -ffast-math, so that the sums vectorise and exp and log come from libmvec; nothing here may see an
 * infinity or a NaN that matters. */
#include "fit/law_sum.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Hessian of the sum: curvature c of rho times d d', minus slope times that of the model, sum_k t_k u_k u_k' with
 * u_a = (1, -x) on (a, alpha), u_b likewise, u_e = 1 on e; log S adds its own -d d'. */
__attribute__((always_inline)) static inline double pass(const KernelRows *rows, double delta, const double *p,
                                                         double *restrict g, double *restrict h, const bool on_loss,
                                                         const bool second) {
    double f = 0, g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0;
    double h00 = 0, h01 = 0, h02 = 0, h03 = 0, h04 = 0, h11 = 0, h12 = 0, h13 = 0, h14 = 0, h22 = 0, h23 = 0, h24 = 0,
           h33 = 0, h34 = 0, h44 = 0;
    const double a = p[LAW_A], b = p[LAW_B], alpha = p[LAW_ALPHA], beta = p[LAW_BETA], e = exp(p[LAW_E]);
    const double *restrict x = rows->x, *restrict y = rows->y, *restrict z = rows->z, *restrict loss = rows->loss,
                           *restrict w = rows->w;
    for (int64_t i = 0; i < rows->n; i++) {
        double ta = exp(a - alpha * x[i]), tb = exp(b - beta * y[i]), s = ta + tb + e;
        double r, scale, own; /* residual; d r / d theta = -scale * t_k; own = 1 where the model is log S */
        if (on_loss) {
            r = loss[i] - s, scale = 1, own = 0;
        } else {
            r = z[i] - log(s), scale = 1 / s, own = 1;
        }
        double size = fabs(r), inside = size <= delta ? 1.0 : 0.0;
        double slope = fmin(fmax(r, -delta), delta);
        f += w[i] * (fabs(slope) * (size - 0.5 * fabs(slope)));
        double c0 = w[i] * slope, c1 = w[i] * inside + own * c0;
        double d0 = scale * ta, d1 = scale * tb, d2 = scale * e, d3 = -x[i] * d0, d4 = -y[i] * d1;
        g0 -= c0 * d0, g1 -= c0 * d1, g2 -= c0 * d2, g3 -= c0 * d3, g4 -= c0 * d4;
        if (second) {
            h00 += c1 * d0 * d0 - c0 * d0, h03 += c1 * d0 * d3 - c0 * d3, h33 += c1 * d3 * d3 + c0 * x[i] * d3;
            h11 += c1 * d1 * d1 - c0 * d1, h14 += c1 * d1 * d4 - c0 * d4, h44 += c1 * d4 * d4 + c0 * y[i] * d4;
            h22 += c1 * d2 * d2 - c0 * d2;
            h01 += c1 * d0 * d1, h02 += c1 * d0 * d2, h04 += c1 * d0 * d4, h12 += c1 * d1 * d2, h13 += c1 * d1 * d3;
            h23 += c1 * d2 * d3, h24 += c1 * d2 * d4, h34 += c1 * d3 * d4;
        }
    }
    const double grad[5] = {g0, g1, g2, g3, g4};
    for (int k = 0; g && k < 5; k++) g[k] += grad[k];
    const double upper[5][5] = {{h00, h01, h02, h03, h04},
                                {h01, h11, h12, h13, h14},
                                {h02, h12, h22, h23, h24},
                                {h03, h13, h23, h33, h34},
                                {h04, h14, h24, h34, h44}};
    for (int k = 0; h && k < 25; k++) h[k] += upper[k / 5][k % 5];
    return f;
}

double kernel_sum(const KernelRows *rows, Objective objective, double delta, const double *p, double *g, double *h) {
    if (objective != OBJECTIVE_HUBER) delta = 1e300;
    if (objective == OBJECTIVE_LOSS)
        return h ? pass(rows, delta, p, g, h, true, true) : pass(rows, delta, p, g, h, true, false);
    return h ? pass(rows, delta, p, g, h, false, true) : pass(rows, delta, p, g, h, false, false);
}

void kernel_predict(double *out, const KernelRows *rows, const double *p) {
    for (int64_t i = 0; i < rows->n; i++)
        out[i] = exp(p[LAW_A] - p[LAW_ALPHA] * rows->x[i]) + exp(p[LAW_B] - p[LAW_BETA] * rows->y[i]) + exp(p[LAW_E]);
}

/* Adds u b b' to G and v b to q, b = (a, b, 1). */
#define QUADRATIC(name)                                                                                                \
    double name##00 = 0, name##01 = 0, name##02 = 0, name##11 = 0, name##12 = 0, name##22 = 0, name##0 = 0,            \
           name##1 = 0, name##2 = 0
#define QUADRATIC_ADD(name, a, b, u, v)                                                                                \
    (name##00 += (u) * (a) * (a), name##01 += (u) * (a) * (b), name##02 += (u) * (a), name##11 += (u) * (b) * (b),     \
     name##12 += (u) * (b), name##22 += (u), name##0 += (v) * (a), name##1 += (v) * (b), name##2 += (v))
#define QUADRATIC_OF(name)                                                                                             \
    ((KernelQuadratic){{name##00, name##01, name##02, name##01, name##11, name##12, name##02, name##12, name##22},     \
                       {name##0, name##1, name##2}})

double kernel_linear(KernelQuadratic *taylor, KernelQuadratic *above, const KernelRows *rows, Objective objective,
                     double delta, const double *basis_a, const double *basis_b, const double c[3]) {
    double f = 0;
    QUADRATIC(t);
    QUADRATIC(m);
    const double *restrict a = basis_a, *restrict b = basis_b, *restrict z = rows->z, *restrict loss = rows->loss,
                           *restrict w = rows->w;
    const double c0 = c[0], c1 = c[1], c2 = c[2], zone = objective == OBJECTIVE_HUBER ? delta : 1e300;
    if (objective == OBJECTIVE_LOSS) {
        for (int64_t i = 0; i < rows->n; i++) {
            double gap = loss[i] - c0 * a[i] - c1 * b[i] - c2;
            f += 0.5 * w[i] * gap * gap;
            QUADRATIC_ADD(t, a[i], b[i], w[i], w[i] * loss[i]);
        }
        *taylor = *above = QUADRATIC_OF(t);
        return f;
    }
    for (int64_t i = 0; i < rows->n; i++) {
        double s = c0 * a[i] + c1 * b[i] + c2, r = z[i] - log(s), gap = fabs(loss[i] - s);
        double size = fabs(r), pull = fmin(size, zone), slope = r < 0 ? -pull : pull;
        /* Curvature in S times S^2: of rho(log L - log S), and of the parabola in S with its slope and vertex at L. */
        double unit = w[i] / (s * s), curved = (size <= zone ? 1.0 : 0.0) + slope;
        double wide = gap > 1e-12 * s ? pull * s / fmax(gap, 1e-12 * s) : 1.0;
        f += w[i] * pull * (size - 0.5 * pull);
        QUADRATIC_ADD(t, a[i], b[i], unit * curved, unit * s * (curved + slope));
        QUADRATIC_ADD(m, a[i], b[i], unit * wide, unit * s * (wide + slope));
    }
    *taylor = QUADRATIC_OF(t), *above = QUADRATIC_OF(m);
    return f;
}

void kernel_basis(double *basis_a, double *basis_b, const KernelRows *rows, double alpha, double beta) {
    for (int64_t i = 0; i < rows->n; i++) {
        basis_a[i] = exp(-alpha * rows->x[i]);
        basis_b[i] = exp(-beta * rows->y[i]);
    }
}
