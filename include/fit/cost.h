/** What a run costs, C = kappa N^mu D^nu, and how a budget is best split under a law.
 *
 *  kappa, mu, nu: least squares on log C over the runs of an arm, for each currency. Nominal FLOP of a transformer on
 *  tokens is 6 N D; measured core-seconds deviate. A law whose minimum along a budget is that of a sum of two powers,
 *  A N^-alpha + B D^-beta (LawKind.additive), has by Lagrange's rule
 *      alpha A N^-alpha / mu = beta B D^-beta / nu
 *      N* = [ (C/kappa) K^(-nu/beta) ]^a,   a = beta / (mu beta + nu alpha),  K = (beta B mu) / (alpha A nu)
 *      D* ~ C^b,  b = alpha / (mu beta + nu alpha)
 *  with mu = nu = 1 the exponents of Hoffmann et al. 2022, eq. 4. Of any other law the minimum is searched for along the
 *  budget, at 1e3 times the cost, and its exponents are those at the middle of the runs. Not collective. */
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

/** An allocation with what is known about it. */
enum { BUDGET_STATUS = 128 };
typedef struct BudgetFit {
    Allocation at; /* at.c: the budget in the currency's unit */
    Interval n, d, loss;
    char status[BUDGET_STATUS];
} BudgetFit;

/** Exponents a, b of N* ~ C^a and D* ~ C^b. */
void cost_exponents(double *a, double *b, const Law *law, const Cost *cost);

/** The split of budget c with the least loss; not finite where the law has no interior one. */
Allocation cost_allocate(const Law *law, const Cost *cost, double c);

/** The budget at which the law's best loss is `loss`; infinite at or below E. */
double cost_to_reach(const Law *law, const Cost *cost, double loss);
