/** fit -suggest K: prints the cells to run next and writes them as a study file. Collective. */
#pragma once

#include "infer/analysis.h"

Err suggest_study(const Analysis *analysis);
