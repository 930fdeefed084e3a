/** What a run costs, C = kappa N^mu D^nu, and how a budget is best split under a law.
 *
 *  kappa, mu, nu: least squares on log C over the runs of an arm, for each currency. Nominal FLOP of a transformer on
 *  tokens is 6 N D; measured core-seconds deviate. A law whose minimum along a budget is that of a sum of two powers,
 *  A N^-alpha + B D^-beta (LawKind.additive), has by Lagrange's rule
 *      alpha A N^-alpha / mu = beta B D^-beta / nu
 *      N* = [ (C/kappa) K^(-nu/beta) ]^a,   a = beta / (mu beta + nu alpha),  K = (beta B mu) / (alpha A nu)
 *      D* ~ C^b,  b = alpha / (mu beta + nu alpha)
 *  with mu = nu = 1 the exponents of Hoffmann et al. 2022, eq. 4. Of any other law of both the minimum is searched for along
 *  the budget, at 1e3 times the cost, and its exponents are those at the middle of the runs. A law of one axis splits nothing:
 *  N* and D* are NaN, the loss is there for one of C. Not collective. */
#pragma once

#include "fit/law_kind.h"
#include "fit/table.h"
#include "math/stats.h"

typedef struct Cost {
    double log_kappa, mu, nu;
    double rms;        /* of log C about the fit */
    double log_middle; /* mean of log C over the runs */
} Cost;

/** The final points of an arm; mu = nu = 1 where N or D does not vary enough to tell. */
Cost cost_fit(const Table *table, int arm, int currency);
double cost_of(const Cost *cost, double n, double d);

typedef struct Allocation {
    double c, n, d, loss;
} Allocation;

/** What may be said of an allocation; without a number (N*, D*, loss are NaN) up to BUDGET_NO_OPTIMUM. */
typedef enum BudgetVerdict {
    BUDGET_UNKNOWN,      /* nothing to find it from */
    BUDGET_REFUSED,      /* not identifiable, or too far beyond the budgets of the runs */
    BUDGET_NO_OPTIMUM,   /* the law has none */
    BUDGET_OUTSIDE,      /* N* or D* is outside what was sampled */
    BUDGET_ONE_SIDED,    /* D* over N* is outside what was sampled */
    BUDGET_EXTRAPOLATED, /* the budget is outside that of the runs */
    BUDGET_WITHIN        /* none of these */
} BudgetVerdict;

/** An allocation with what is known about it. */
enum { BUDGET_STATUS = 128 };
typedef struct BudgetFit {
    Allocation at; /* at.c: the budget in the currency's unit */
    Interval n, d, loss;
    BudgetVerdict verdict;
    char status[BUDGET_STATUS]; /* the verdict in words, with its numbers */
} BudgetFit;

/** One without numbers at budget c. */
BudgetFit budget_without(double c, BudgetVerdict verdict, const char *status);

/** Exponents a, b of N* ~ C^a and D* ~ C^b. */
void cost_exponents(double *a, double *b, const Law *law, const Cost *cost);

/** The split of budget c with the least loss; not finite where the law has no interior one. */
Allocation cost_allocate(const Law *law, const Cost *cost, double c);

/** The budget at which the law's best loss is `loss`; infinite at or below E. */
double cost_to_reach(const Law *law, const Cost *cost, double loss);
