/** Which cells to run next: those that shrink the interval of the allocation at a target budget most per core-second.
 *
 *  The surrogate's posterior is sampled jointly along the line C(N, D) = budget of every arm and at the candidates: the
 *  sizes that were run, at lengths from the shortest to four times the longest that were not. What a run at a candidate
 *  would take from the variance of log N* is cov(log N*, f)^2 / (var f + noise); the best per core-second is taken, the
 *  samples are conditioned on it (Matheron's rule), and so on. */
#pragma once

#include "fit/cost.h"
#include "fit/surrogate.h"

typedef struct Suggestion {
    int arm;
    double n, d;
    int width, depth, heads; /* of the runs of this size; 0 from a CSV */
    int64_t batch;
    double core_seconds;        /* expected; nominal FLOP where core-seconds are not known */
    double sd_before, sd_after; /* of log10 N* at the budget, root mean square over the arms */
} Suggestion;

/** Fills `out` with at most k, best first; returns how many: 0 where the budget's line is not within reach. budget:
 *  nominal, 0: the largest run's. *budget_used: what was taken. Collective. */
int suggest_cells(Suggestion *out, int k, double budget, double *budget_used, const Surrogate *s, const Table *table,
                  uint64_t seed);
