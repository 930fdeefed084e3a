/** The learning-rate rule of each arm from a sweep (input/rates.yaml, docs/learning-rates.md):
 *      lr(N, S) = lr0 (N / 1e5)^-p min(1, (S / s0)^-q)          N parameters, S optimiser steps
 *
 *  A case is a shape, length and dataset of an arm, trained at several rates and seeds. In every case the validation
 *  loss is taken as  log loss = c + k (log lr - m)^2  near its best rate, with one curvature k per arm, since two seeds
 *  tell little about a case's own; m of all cases is the rule. With n = log(N / 1e5) and s = max(0, log(S / s0)) that is
 *  linear least squares on log^2 lr, log lr, n log lr and s log lr, an intercept for each case, and s0 is the length or
 *  mean of two lengths that leaves the least. A rate that loses to a case's best by more than a factor counts as beyond
 *  the parabola and is left out, as is one at which a cell diverged. */
#pragma once

#include "io/results.h"
#include "math/stats.h"

#include <stdbool.h>

enum { RATES_CASES = 256, RATES_ARMS = 16 };

/** One case. Losses are geometric means over seeds. */
typedef struct RateCase {
    int64_t parameters, steps, batch, dataset, width, depth, heads;
    double swept;      /* what its training procedure sweeps; NaN: nothing */
    int rates, seeds;  /* different rates; seeds of the best one */
    double best;       /* rate with the least loss */
    bool edge;         /* it is the lowest or highest of the sweep */
    double own, loss;  /* rate and loss at the bottom of this case's own parabola */
    double rule, cost; /* rate by the rule, and by how much log loss is higher there */
} RateCase;

typedef struct RateRule {
    char arm[RESULTS_NAME];
    bool found; /* the cells determine a rule; otherwise nothing below but the cases is known */
    int cases;
    RateCase at[RATES_CASES]; /* by N, then length */
    int edges;                /* cases whose best rate is at an edge */
    double lr, p, s0, q;
    double lr_se, p_se, q_se; /* standard errors; of lr: relative */
    double curvature, noise;  /* k; standard deviation of log loss about the parabolas */
    double cost_median, cost_most;
    double a_own,
        a_rule; /* exponent of N* ~ C^a from the losses at each case's own best rate, and at the rule's; NaN where
                           * the law L = A N^-alpha + B D^-beta cannot be fitted */
} RateRule;

/** A rule for each arm whose cases have at least two lengths, two sizes, and three rates each. Errors: no arm has them.
 *  Collective. */
Err rates_fit(RateRule rule[RATES_ARMS], int *rules, const Results *results, const Comm *comm);

/** Tables of cases, the rules, what they cost, and the keys to paste into a study file. On the root. */
void rates_print(const RateRule *rule, int rules);
