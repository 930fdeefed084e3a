#include "law_linear_sum.h"

#include "law_sum.h"

/* Sums of u b b' (upper triangle) and v b over rows, b = (a, b, 1). */
typedef struct Sums {
    double aa, ab, a1, bb, b1, one, a, b, c;
} Sums;

LAW_INLINE void add(Sums *s, double a, double b, double u, double v) {
    s->aa += u * a * a;
    s->ab += u * a * b;
    s->a1 += u * a;
    s->bb += u * b * b;
    s->b1 += u * b;
    s->one += u;
    s->a += v * a;
    s->b += v * b;
    s->c += v;
}

static LawQuadratic quadratic(const Sums *s) {
    return (LawQuadratic){.g = {s->aa, s->ab, s->a1, s->ab, s->bb, s->b1, s->a1, s->b1, s->one},
                          .q = {s->a, s->b, s->c}};
}

/* Least squares of the loss, alike on both sides: f is quadratic itself. */
static double of_loss(LawQuadratic *out, const LawColumns *rows, const double *restrict a, const double *restrict b,
                      const double c[3]) {
    const double *restrict loss = rows->loss, *restrict w = rows->w;
    double f = 0;
    Sums sums = {0};
    for (int64_t i = 0; i < rows->n; i++) {
        double gap = loss[i] - c[0] * a[i] - c[1] * b[i] - c[2];
        f += 0.5 * w[i] * gap * gap;
        add(&sums, a[i], b[i], w[i], w[i] * loss[i]);
    }
    *out = quadratic(&sums);
    return f;
}

double law_linear_sum(LawQuadratic *taylor, LawQuadratic *above, const LawColumns *rows, const Misfit *misfit,
                      const double *basis_a, const double *basis_b, const double c[3]) {
    if (misfit->objective == OBJECTIVE_LOSS) {
        double f = of_loss(taylor, rows, basis_a, basis_b, c);
        *above = *taylor;
        return f;
    }
    const double least_gap = 1e-12; /* of S: below it L and S are one */
    const double zone = misfit->objective == OBJECTIVE_HUBER ? misfit->delta : LAW_NO_DELTA;
    const double w_above = misfit->above, w_below = misfit->below;
    const double *restrict a = basis_a, *restrict b = basis_b, *restrict z = rows->z, *restrict loss = rows->loss;
    const double *restrict w = rows->w;
    const double c0 = c[0], c1 = c[1], c2 = c[2];
    double f = 0;
    Sums t = {0};
    Sums m = {0};
    for (int64_t i = 0; i < rows->n; i++) {
        double s = c0 * a[i] + c1 * b[i] + c2;
        double r = z[i] - log(s);
        double gap = fabs(loss[i] - s);
        double size = fabs(r);
        double pull = fmin(size, zone);
        double slope = r < 0 ? -pull : pull;
        /* Curvature in S times S^2: of rho(log L - log S), and of the parabola in S with its slope and vertex at L. */
        double weight = w[i] * (r > 0 ? w_above : w_below);
        double unit = weight / (s * s);
        double curved = (size <= zone ? 1.0 : 0.0) + slope;
        double wide = gap > least_gap * s ? pull * s / fmax(gap, least_gap * s) : 1.0;
        f += weight * pull * (size - 0.5 * pull);
        add(&t, a[i], b[i], unit * curved, unit * s * (curved + slope));
        add(&m, a[i], b[i], unit * wide, unit * s * (wide + slope));
    }
    *taylor = quadratic(&t);
    *above = quadratic(&m);
    return f;
}
