/* What a run says of how far it is: one line for each finished cell; between them a live line on a terminal, or a line every
 * run.say seconds in a log file. */
#pragma once

#include "outlook.h"

/* Of a run, on every rank. Its counters are those of the run: what is done, what was said, and those of the outlook. */
typedef struct Progress {
    Outlook outlook;
    Counters *counters;
    int first;    /* of its counters */
    int cells;    /* that the run has to do */
    double say;   /* s between lines in a log file */
    double start; /* of the run (base/timer.h) */
    double shown; /* when this rank last drew the live line, or asked whether a line is due */
    int64_t told; /* times `say` that some rank has said a line about, as far as this one knows */
    double begun; /* when the first step of the cell at work was done; 0: none is */
    int64_t from; /* that step */
} Progress;

int progress_counters(const Grid *grid);

/* The run starts now. */
Progress progress_new(const Grid *grid, const StudyPlan *plan, Counters *counters, int first, int cells, double say);
void progress_free(Progress *progress);

/* A cell begins on this rank; a step of it is done at the time `now`, said where `says`. Not collective. */
void progress_begin(Progress *progress);
void progress_step(Progress *progress, const char *id, int64_t done, int64_t steps, double now, bool says);

/* A cell is finished: here, after so many seconds on its block, or by another run. On the leader of a block. */
void progress_finish(Progress *progress, const Cell *cell, double seconds);
void progress_skip(Progress *progress);

/* Cells that are finished. Not collective. */
int64_t progress_done(const Progress *progress);

/* `4 s`, `3 min 05 s`, `7 h 20 min`. */
enum { PROGRESS_TIME = 32 };
void progress_time(char text[PROGRESS_TIME], double seconds);
