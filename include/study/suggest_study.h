/** fit -suggest K: prints the cells to run next and writes them as a study file. Collective. */
#pragma once

#include "infer/analysis.h"
#include "infer/suggest.h"
#include "study/options.h"

/** Whether that file can be written, asked before the fit. Collective. */
Err suggest_check(const FitOptions *options);

/** record: that of the results file, whose keys are the file's but for those that make the grid; on the root. */
Err suggest_study(const Analysis *analysis, const char *record);

/** Makes the study one whose grid is the smallest that holds these cells, of rows of the table. Not collective. */
void suggest_options(StudyOptions *study, const Suggestion *s, int n, const Table *table);
