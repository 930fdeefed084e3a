/** The difference between two arms under their laws, in each currency.
 *
 *  Compute multiplier at equal loss: C_second(loss) / C_first(loss) along both compute-optimal frontiers, over the
 *  losses that both reach within their data; below 1 the second arm needs less. Paired: resample r draws the same row
 *  numbers in both arms, so what matched cells share cancels. Crossover: the budget at which the frontiers meet.
 *  Exponents: F test of alpha and beta shared against free (likelihood ratio; for Huber the robust one of
 *  certificate_unit). */
#pragma once

#include "fit/bootstrap.h"
#include "fit/cost.h"

enum { COMPARE_LOSSES = 5 };

typedef struct Multiplier {
    double loss, value;
    Interval interval;
} Multiplier;

typedef struct Difference {
    double loss_lo, loss_hi;       /* common range; lo > hi where there is none */
    Multiplier at[COMPARE_LOSSES]; /* evenly spaced in log loss over the range */
    Multiplier mean;               /* geometric mean over the range */
    double crossover;              /* budget; NaN: none within reach */
    Interval crossover_interval;
    double crossover_share; /* share of resamples with one */
    char status[128], crossover_status[128];
} Difference;

typedef struct ExponentTest {
    double f, p; /* F statistic and its tail probability */
    int dof1, dof2;
    double alpha, beta; /* shared */
    bool valid;
    char why[128]; /* why it is not */
} ExponentTest;

/** One arm of a comparison. */
typedef struct CompareArm {
    const char *name;
    const Law *law;
    const Ensemble *spread;
    int index;       /* in the ensemble */
    double dof;      /* for its percentiles (stats_interval) */
    bool identified; /* without it nothing is compared */
    Cost cost;
    double c_min, c_max;
} CompareArm;

/** reach: how far beyond the data, as a factor in C, a crossover is looked for. Not collective. */
void compare_arms(Difference *out, const CompareArm *first, const CompareArm *second, double reach);

/** rows: of the two arms, whose laws must be identifiable. Collective. */
void compare_exponents(ExponentTest *out, const LawRows rows[2], const LawSpec *spec, const Comm *comm);
