/** fit -suggest K: prints the cells to run next and writes them as a study file. Collective. */
#pragma once

#include "infer/analysis.h"

/** Whether that file can be written and the one it takes other keys from read, asked before the fit. Collective. */
Err suggest_check(const FitOptions *options);

Err suggest_study(const Analysis *analysis);
