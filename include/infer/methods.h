/** Whether the ways to the exponent a of N* ~ C^a contradict each other: the law, isoFLOP curves and the surrogate, in one
 *  currency. They do where the 95 % intervals of two of them do not meet. The envelope has no part in it: it lies above the
 *  optimum where schedules had not ended, steps with the sizes, and takes of many rows those whose noise is least, so that
 *  with a true law, too, it contradicts what is known better the more rows there are. Not collective. */
#pragma once

#include "infer/analysis.h"

/** Fills `text` with the first two that disagree, empty: none; returns whether there are such. */
bool methods_disagree(char text[ANALYSIS_STATUS], const CurrencyFit *fit);
