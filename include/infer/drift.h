/** Whether the exponent a of N* ~ C^a is the same over sub-ranges of compute, by the law: it is fitted to the runs of the lower
 *  and to those of the upper budgets, with E as the fit of all runs has it (half a range does not tell E from the rest), and
 *  the two a are compared. The runs are cut between budgets: where, in the middle third of them, log C has its widest gap.
 *  Both halves have C of one cost law, that of all runs. Intervals: DRIFT_RESAMPLES of each half, independent of each other. */
#pragma once

#include "infer/analysis.h"

enum { DRIFT_RESAMPLES = 200 };

/** Of the interval of a change in an exponent: drifting without 0, stable within ANSWER_SAME of it. */
DriftVerdict drift_verdict(Interval change);

/** Of an arm in a currency that all its rows have. Collective. */
Drift drift_of(const Table *table, int arm, const ArmFit *fit, int currency, const FitOptions *options,
               const Comm *comm);
