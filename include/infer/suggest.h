/** Which cells to run next: those that shrink the interval of the allocation at a target budget most per core-second.
 *
 *  The surrogate's posterior is sampled jointly along the line C(N, D) = budget of every arm and at the candidates: sizes
 *  that were run and one beyond each end of them, at lengths from the shortest to four times the longest that were not run, or to
 *  the number of samples where no run sees one twice.
 *  The line, too, reaches beyond the sampled sizes and lengths, so that an optimum outside them is seen as such. What a run
 *  at a candidate would take from the variance of log N* is cov(log N*, f)^2 / (var f + noise), where the correlation is
 *  more than its Monte Carlo error; the best per core-second is taken, the samples are conditioned on it (Matheron's rule),
 *  and so on. A candidate that does not make the spread smaller by more than Monte Carlo error is passed over. */
#pragma once

#include "fit/cost.h"
#include "fit/surrogate.h"

typedef struct Suggestion {
    int arm;
    double n, d;
    int width, depth, heads;    /* of the runs of this size; 0 from a CSV, and of a size that no run has */
    int scalars, fixed;         /* likewise; 0 of a model that has none */
    bool unseen;                /* no run has this size */
    double core_seconds;        /* expected; nominal FLOP where core-seconds are not known */
    double sd_before, sd_after; /* of log10 N* at the budget, root mean square over the arms */
} Suggestion;

/** What the posterior says of N* at the budget before any new run. */
typedef enum SuggestView {
    SUGGEST_OUT_OF_REACH, /* no size and length near the sampled ones has that budget */
    SUGGEST_LARGER,       /* in most samples N* of some arm is beyond its largest model */
    SUGGEST_SMALLER,      /* in most samples N* of some arm is below its smallest model */
    SUGGEST_INSIDE
} SuggestView;

typedef struct SuggestOutlook {
    double budget; /* nominal: what was asked for, or the middle one */
    SuggestView view;
    int arm;      /* of SUGGEST_LARGER and SUGGEST_SMALLER, as what follows */
    double n;     /* its largest or smallest model */
    double share; /* of samples whose N* is beyond it */
    double sd;    /* of log10 N* before any run */
} SuggestOutlook;

/** Fills `out` with at most k, best first; returns how many: 0 where none helps, and *outlook says why. budget: nominal;
 *  0: the middle one, the mean over the arms of the middle, in log C, of their runs. Collective. */
int suggest_cells(Suggestion *out, int k, SuggestOutlook *outlook, double budget, const Surrogate *s,
                  const Table *table, uint64_t seed);
