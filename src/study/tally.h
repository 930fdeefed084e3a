/* What the ranks of a run did with their time: how much of it was in cells, beside what the plan had said. */
#pragma once

#include "study/options.h"
#include "study/plan.h"

/* On this rank. */
typedef struct Tally {
    int64_t cells;  /* that it led and that are finished: every cell is one rank's */
    int64_t parts;  /* that it led and that were stopped */
    double seconds; /* in them: from taking a cell to giving it back, training, evaluation and record */
    double reading; /* of these in waits for data that are read from the disk as they are used (io/dataset.h) */
    double last;    /* when it gave back its last one (base/timer.h) */
} Tally;

/* Says how long the run took, what share of it ranks were without a cell, from `start` until the last cell of all ends, and
 * what share of their time in cells they waited for data; writes that and what was planned into runs/NAME/run.json; nothing
 * where no rank had a cell. whole: the run trained all cells of its plan, so that the two compare. Errors: the file cannot be
 * written. Collective on the world. */
Err tally_tell(const Tally *tally, double start, const StudyOptions *options, const StudyPlan *plan, bool whole);
