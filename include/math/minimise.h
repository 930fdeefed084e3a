/** Minimisation of a function of few variables within bounds, by PETSc TAO on this rank alone.
 *
 *  With a Hessian: BNLS, an active-set Newton method (conjugate gradients truncated at negative curvature, More-Thuente
 *  line search). Without: BLMVM, limited-memory variable metric. One Minimiser is made for a number of variables and
 *  used for any number of solves. Not collective. */
#pragma once

#include <stdbool.h>

/** f(x); fills g (n) and, unless h is NULL, the Hessian h (n, n). A value that is not finite is a point to step back
 *  from. */
typedef double MinFunction(void *context, const double *x, double *g, double *h);

typedef struct MinOutcome {
    double f;
    double gradient; /* largest entry of the gradient, those that press on a bound left out */
    int iterations;
    bool converged; /* gradient below the tolerance, or no further decrease possible in floating point */
} MinOutcome;

typedef struct Minimiser Minimiser;

Minimiser *minimiser_new(int n, bool hessian);

/** Forgets earlier solves: TAO's methods keep scalings and sizes from one to the next, and results would depend on
 *  which solves a rank has done before. Call it before each piece of work that is to be the same on any rank; its cost
 *  is that of making TAO's objects, more than a small fit. */
void minimiser_renew(Minimiser *m);
void minimiser_free(Minimiser *m);

/** x: start in, minimum out; lo, hi (n) bounds. tolerance: on the projected gradient. */
MinOutcome minimise(Minimiser *m, double *x, const double *lo, const double *hi, MinFunction *function, void *context,
                    double tolerance, int max_iterations);
