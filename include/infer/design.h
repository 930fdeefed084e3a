/** What a planned grid of runs will tell, before it is run: losses of an assumed law with noise are made up for its
 *  cells and fitted, many times over, and the spread of the exponents and of the allocation is what to expect.
 *
 *  The assumed law is given by its exponents, E and the loss in the middle of the grid (geometric means of N and D),
 *  where the two terms are taken to be equal. */
#pragma once

#include "fit/cost.h"
#include "par/options.h"

/** Keys design.*: see design_keys in design.c. */
typedef struct DesignOptions {
    double alpha, beta, e, loss, noise, budget;
    int64_t simulations, seed;
    Objective objective;
} DesignOptions;

extern const KeySpec design_keys[];
extern const int n_design_keys;

/** The planned cells of one arm. */
typedef struct DesignArm {
    const char *name;
    int64_t cells;
    const double *n, *d, *c; /* (cells) parameters, samples, compute in any one currency */
} DesignArm;

typedef struct DesignResult {
    double condition;     /* of J'J with its diagonal scaled to 1 */
    Interval alpha, beta; /* 95 % of the refits */
    Interval a, b;        /* exponents of N*(C), D*(C) */
    Interval best_n;      /* N* at the budget */
    double budget, best_n_assumed;
    double correlation; /* of alpha and beta over the refits */
    double failed;      /* share of refits that end at a bound */
    bool told_apart;
    char verdict[160]; /* in words */
} DesignResult;

/** Simulates one arm; refits spread over the ranks, the same for any number of them. Collective. */
Err design_arm(DesignResult *out, const DesignArm *arm, const DesignOptions *options, const Comm *comm);

/** Simulates every arm and prints a table. Errors: fewer cells than coefficients. Collective. */
Err design_report(const DesignArm *arm, int arms, const DesignOptions *options, const Comm *comm);
