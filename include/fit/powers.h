/** What is compute-optimal as powers of compute, however it was found: N* = factor C^exponent, and so for D* and the
 *  best loss. Resamples and samples of a posterior are many of these. */
#pragma once

enum { OPTIMUM_N, OPTIMUM_D, OPTIMUM_LOSS, OPTIMUM_PARTS };

typedef struct Powers {
    double log_factor[OPTIMUM_PARTS], exponent[OPTIMUM_PARTS]; /* NaN: not found */
} Powers;
