/** Resampled fits, spread over the ranks; resample r is a function of (seed, r) and the same for any number of ranks.
 *
 *  cells: configurations (N, D, dataset) are drawn with replacement, and within each its seeds; the standard errors
 *  published for such fits are of this kind.
 *  residuals: the fitted losses stay and the residuals of log loss, divided by sqrt(1 - leverage), centred and
 * smoothed, are drawn anew, so that few rows stay as well spread over (N, D) as they were. Of a Huber fit the smallest
 * ones are not drawn, as many as there are coefficients: it passes through so many rows. scaled: the same where the
 * noise differs over (N, D): residuals are divided by the scale e^(c0 + c1 log N + c2 log D) of the noise, fitted to
 * their sizes, before they are drawn and multiplied by that of the row they go to. */
#pragma once

#include "fit/law.h"
#include "par/comm.h"

typedef enum BootstrapKind { BOOTSTRAP_CELLS, BOOTSTRAP_RESIDUALS, BOOTSTRAP_SCALED } BootstrapKind;

typedef struct Ensemble {
    int64_t n; /* resamples */
    int arms;
    Law *law; /* (n, arms); owned */
} Ensemble;

/** Collective. Cost: about 0.2 ms a resample of 240 rows. */
Ensemble bootstrap_laws(const LawProblem *problem, const LawFit *fit, BootstrapKind kind, int64_t resamples,
                        uint64_t seed, const Comm *comm);
/** Is the noise uneven? p-value of no dependence of sqrt |residual| on (log N, log D), Glejser's test. Not collective.
 */
double bootstrap_uneven(const LawProblem *problem, const LawFit *fit, int arm);

void ensemble_free(Ensemble *ensemble);
