/** The compute-optimal frontier of the surrogate: at each budget the size of least predicted loss along C(N, D) =
 *  budget, within the sampled range of N and D. Intervals: minima of samples from the posterior. Collective. */
#pragma once

#include "fit/cost.h"
#include "fit/powers.h"
#include "fit/surrogate.h"

/** What the runs of an arm span. */
typedef struct Extent {
    double n_min, n_max, d_min, d_max;
} Extent;
Extent extent_of(const Table *table, int arm);

enum { FRONTIER_SIZES = 33 };

/** Places on a budget's line within the extent; returns how many (at most FRONTIER_SIZES). Not collective. */
int frontier_line(SurrogatePlace *place, const Cost *cost, double budget, const Extent *extent, int arm);

/** budget[k].at.c is given, the rest is found. */
void frontier_surrogate(BudgetFit *budget, int count, const Surrogate *s, int arm, const Cost *cost,
                        const Extent *extent, int samples, uint64_t seed);

/** Samples (samples, m) of a posterior given by mean and covariance. Not collective. */
void frontier_sample(double *out, const double *mean, const double *covariance, int m, int samples, uint64_t seed,
                     uint64_t stream);

/** log N and value of the minimum of values on ascending sizes, by the parabola through the least and its neighbours;
 *  -1, 1: at the lower, upper end; 0: inside. Not collective. */
int frontier_minimum(double *log_n, double *value, const SurrogatePlace *place, const double *f, int m);

/** The surrogate's frontier as powers of compute: N*, D* and least loss at budgets from c_lo to c_hi, with a line through
 *  those budgets where the minimum lies inside the sampled sizes, for the mean and for samples of the posterior of all
 *  arms together, so that sample s of one arm goes with sample s of another. */
typedef struct FrontierPowers {
    int inside; /* budgets with a minimum inside, of FRONTIER_BUDGETS; fewer than FRONTIER_LEAST: no powers */
    Powers mean;
    Powers *draw; /* (samples) owned */
} FrontierPowers;
enum { FRONTIER_BUDGETS = 5, FRONTIER_LEAST = 3 };

/** out, cost, extent: (arms) of the surrogate. */
void frontier_powers(FrontierPowers *out, const Surrogate *s, const Cost *cost, const Extent *extent, double c_lo,
                     double c_hi, int samples, uint64_t seed);
