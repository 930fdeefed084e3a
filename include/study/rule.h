/** The learning-rate rule of an arm, and how far its defaults are known to hold (docs/learning-rates.md). Not collective.
 *  Errors: none. */
#pragma once

#include "study/options.h"

typedef struct RuleReach {
    int64_t parameters, steps, batch;
} RuleReach;

/** Up to which sizes, lengths and with what batch the defaults were found. */
extern const RuleReach rule_found;

/** Peak learning rate for N parameters and a training of so many steps, by the rule in study/options.h; rate: which of
 *  several that are swept. */
double rule_peak(const RateOptions *rule, int rate, int64_t parameters, int64_t steps);

/** Whether a cell has its rate from the defaults of its arm, far above what they were found with. An arm of which the study
 *  file sweeps the rate or gives any part of the rule has its own. */
bool rule_far(const RateOptions *rule, const Arm *arm, const RuleReach *cell);
