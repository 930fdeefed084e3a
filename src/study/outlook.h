/* How long a run will still take: what the plan says of the cells that are left, corrected by what finished ones took. */
#pragma once

#include "par/comm.h"
#include "study/plan.h"

/* Of a run, on every rank. Its counters are those of the run, two for each kind of cell: what its finished cells were to take,
 * and took. */
typedef struct Outlook {
    const Grid *grid;
    Counters *counters;
    int first;       /* of its counters */
    double *planned; /* (kinds) s of a rank that all cells of the run are to take; owned */
    double makespan; /* s, as planned */
    double total;    /* s, as it looked when the counters were last read */
    double read;     /* when that was (base/timer.h) */
} Outlook;

int outlook_counters(const Grid *grid);
Outlook outlook_new(const Grid *grid, const StudyPlan *plan, Counters *counters, int first);
void outlook_free(Outlook *outlook);

/* A cell is finished after so many seconds on its block. On the leader of the block. */
void outlook_add(const Outlook *outlook, const Cell *cell, double seconds);

/* Seconds until the last cell ends of a run that began at `start` (base/timer.h). A kind of cell of which some are finished
 * goes on like those; the others like all that are finished, as far as these outweigh a part of the plan. Not collective.
 * Cost: reads two counters a kind, five times a second at most. */
double outlook_left(Outlook *outlook, double start);
