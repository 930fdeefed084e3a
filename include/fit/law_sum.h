/** The sum that every fit of a law minimises, with its gradient and Hessian: one pass over the rows, vectorised.
 *
 *      S_i = e^(p0 - p3 x_i) + e^(p1 - p4 y_i) + e^p2      p = (a, b, e, alpha, beta), Hoffmann et al. 2022, eq. 10
 *      f = sum_i w_i rho(r_i)                              x = log N - x0,  y = log D - y0
 *
 *  huber: r = log L - log S, rho(r) = r^2/2 for |r| <= delta, else delta (|r| - delta/2).  log: the same with
 *  delta = infinity.  loss: r = L - S, rho = r^2/2.  The centres x0, y0 make a and b the logarithms of the two terms in
 *  the middle of the data, which takes their correlation with the exponents away.  Not collective. */
#pragma once

#include <stdint.h>

enum { LAW_A, LAW_B, LAW_E, LAW_ALPHA, LAW_BETA, LAW_COEFFICIENTS };

typedef enum Objective { OBJECTIVE_HUBER, OBJECTIVE_LOG, OBJECTIVE_LOSS } Objective;

/** Columns of `n` rows, best a multiple of KERNEL_ROWS: the tail has weight 0, x = y = z = 0, loss = 1. */
enum { KERNEL_ROWS = 8 };
typedef struct KernelRows {
    int64_t n;
    const double *x, *y, *z, *loss, *w; /* log N - x0, log D - y0, log L, L, weight */
} KernelRows;

/** f; g (5) and h (5, 5) are added to where they are not NULL. */
double kernel_sum(const KernelRows *rows, Objective objective, double delta, const double *p, double *g, double *h);

/** S_i of every row. */
void kernel_predict(double *out, const KernelRows *rows, const double *p);

/** e^(-alpha x) and e^(-beta y) of every row. */
void kernel_basis(double *basis_a, double *basis_b, const KernelRows *rows, double alpha, double beta);

/** c'Gc/2 - q'c in c = (A, B, E). */
typedef struct KernelQuadratic {
    double g[9], q[3]; /* (3, 3), (3) */
} KernelQuadratic;

/** The sum as a function of c alone, S = A e^(-alpha x) + B e^(-beta y) + E: returns f(c), and two quadratic models of
 *  it with its gradient at c: its Taylor polynomial, and the weighted least squares of L on S. The first may be
 *  concave, the second lies above f but for what log S is curved. */
double kernel_linear(KernelQuadratic *taylor, KernelQuadratic *above, const KernelRows *rows, Objective objective,
                     double delta, const double *basis_a, const double *basis_b, const double c[3]);
