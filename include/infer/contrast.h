/** How the compute-optimal split of two arms differs, by each method and in one currency: exponents of N* ~ C^a and
 *  D* ~ C^b of the second less those of the first, N* of the second over that of the first at three budgets, and the
 *  compute that the second needs for the same loss over what the first needs.
 *
 *  Intervals are paired: resample r of one arm goes with resample r of the other, which by the law has drawn the same row
 *  numbers and by the surrogate comes from one posterior; the noise of isoFLOP curves is independent between arms. Not
 *  collective. */
#pragma once

#include "fit/powers.h"
#include "infer/compare.h"

typedef enum Method { METHOD_LAW, METHOD_ISOFLOP, METHOD_SURROGATE, METHODS } Method;
extern const char *const method_name[METHODS];

enum { CONTRAST_BUDGETS = 3, CONTRAST_STATUS = 160 };

typedef struct Contrast {
    bool known;
    char status[CONTRAST_STATUS]; /* why not */
    Estimate a, b;
    double budget[CONTRAST_BUDGETS]; /* the least that both arms have, the middle in log C, the largest */
    Estimate n_ratio[CONTRAST_BUDGETS];
    Estimate multiplier; /* geometric mean over the losses that both reach */
    double bound; /* where there are none: below 1 the second arm reaches with its least budget what the first does
                   * not with its largest, in resamples too, and needs less than this; above 1 the other way round; else
                   * NaN */
} Contrast;

/** What one method says of one arm as powers of compute. */
typedef struct ContrastPowers {
    const char *name; /* of the arm */
    const char *why;  /* it says nothing; NULL: it does */
    Powers value;
    const Powers *draw; /* (draws) */
    int draws;
    double dof; /* for percentiles (stats_interval) */
    double c_min, c_max;
} ContrastPowers;

void contrast_powers(Contrast *out, const ContrastPowers *first, const ContrastPowers *second);

/** By the law; `multiplier` is that of compare_arms. */
void contrast_laws(Contrast *out, const CompareArm *first, const CompareArm *second, const Multiplier *multiplier);
