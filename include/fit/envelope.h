/** The lower envelope of learning curves (Hoffmann et al. 2022, approach 1): in each interval of log C the run of least
 *  loss, finished or not, and power laws of its N and D. A run that has not ended its schedule lies above the loss that
 *  a schedule of that length would have reached, so the envelope is too high and its N biased; `caveat` says how much
 *  of it is such points. A point of the smallest or largest size, or of the shortest or longest training of all, may be
 *  the best only because nothing beyond was tried: it is in no power law. Not collective. */
#pragma once

#include "fit/table.h"
#include "math/stats.h"

#include <stdbool.h>

enum { ENVELOPE_POINTS = 64 };

typedef struct EnvelopePoint {
    double c, n, d, loss;
    bool final;
    bool inside; /* of the sampled sizes and lengths */
} EnvelopePoint;

typedef struct Envelope {
    int points;
    EnvelopePoint point[ENVELOPE_POINTS];      /* ascending C, descending loss */
    int inside;                                /* how many of them are */
    double n_exponent, n_se, d_exponent, d_se; /* N ~ C^x, D ~ C^y by least squares; NaN with fewer than 3 inside */
    double n_factor, d_factor;
    /* 95 % of the exponents by Student's t, and as much more as steps between sizes may tilt them. */
    Interval n_interval, d_interval;
    int unfinished; /* how many points are of unfinished schedules */
    char caveat[160];
} Envelope;

/** bins: intervals of log C; 0: by the number of points, at most 40. */
void envelope_fit(Envelope *out, const Table *table, int arm, int currency, int bins);
