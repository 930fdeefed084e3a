/** Measurements of a study: from keys to what is measured, and from what was found to a few words. Not collective. */
#pragma once

#include "study/options.h"

/** Fills `chosen` from study.measures, measure.* and the keys of the measurements. Errors: one that is listed twice. */
Err study_measures(StudyOptions *options);

/** `  equivariance so3 0.0312 mirror 0.411` for the last step of a cell's rows, at the output: of each measurement its
 *  headline. Empty without rows. */
void study_measure_text(char *text, size_t size, const MeasureRow *rows, int64_t n);

/** `measured NAME = [unit] description` lines of the chosen ones, for provenance. */
void study_measure_provenance(char *text, size_t size, const StudyOptions *options);
