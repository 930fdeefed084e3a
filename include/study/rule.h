/** The learning-rate rule of an arm, and how far its defaults are known to hold (docs/learning-rates.md). Not collective.
 *  Errors: none. */
#pragma once

#include "study/grid.h"

/** Peak learning rate for N parameters and a training of so many steps, by the rule in study/options.h; rate: which of
 *  several that are swept. */
double rule_peak(const RateOptions *rule, int rate, int64_t parameters, int64_t steps);

/** Says in one line how many cells have the rate of a default rule far above the sizes, lengths or the batch at which it was
 *  found; nothing where there are none. An arm of which the study file sweeps the rate or gives any part of the rule has its
 *  own. */
void rule_tell(const Grid *grid, const StudyOptions *options);
