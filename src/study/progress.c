#include "progress.h"

#include "base/log.h"
#include "base/timer.h"

#include <math.h>
#include <stdio.h>

/* DONE: cells; SAID: times Progress.say that a log file has a line for. */
enum { DONE, SAID, COUNTERS };

int progress_counters(const Grid *grid) {
    return COUNTERS + outlook_counters(grid);
}

Progress progress_new(const Grid *grid, const StudyPlan *plan, Counters *counters, int first, int cells, double say) {
    return (Progress){.outlook = outlook_new(grid, plan, counters, first + COUNTERS),
                      .counters = counters,
                      .first = first,
                      .cells = cells,
                      .say = say,
                      .start = timer_now()};
}

void progress_free(Progress *p) {
    outlook_free(&p->outlook);
}

/* Returns the value before. */
static int64_t count(const Progress *p, int counter, int64_t amount) {
    return counter_add(p->counters, p->first + counter, amount);
}

int64_t progress_done(const Progress *p) {
    return count(p, DONE, 0);
}

void progress_skip(Progress *p) {
    count(p, DONE, 1);
}

void progress_time(char text[PROGRESS_TIME], double seconds) {
    int s = (int)(seconds + 0.5);
    if (s < 60)
        snprintf(text, PROGRESS_TIME, "%d s", s);
    else if (s < 3600)
        snprintf(text, PROGRESS_TIME, "%d min %02d s", s / 60, s % 60);
    else
        snprintf(text, PROGRESS_TIME, "%d h %02d min", s / 3600, s / 60 % 60);
}

/* Whether the run has gone on for another `say` that no rank has written a line about; true for one of those that ask. Every
 * leader asks once in that time: thousands that asked at each step would keep the rank that has the counters from its own cell. */
static bool time_to_say(Progress *p, double now) {
    int64_t passed = (int64_t)((now - p->start) / p->say);
    if (p->told >= passed) return false;
    int64_t told = count(p, SAID, 0);
    p->told = passed;
    if (told >= passed) return false;
    bool first = count(p, SAID, passed - told) == told;
    if (!first) count(p, SAID, told - passed);
    return first;
}

/* Seconds that the cell at work takes at its pace up to now: more than was planned where the machine has other work too. */
static double pace_left(const Progress *p, int64_t done, int64_t steps, double now) {
    return done > p->from ? (now - p->begun) / (double)(done - p->from) * (double)(steps - done) : 0;
}

void progress_begin(Progress *p) {
    p->begun = 0;
}

void progress_step(Progress *p, const char *id, int64_t done, int64_t steps, double now, bool says) {
    const double pause = 0.2;
    if (!p->begun) {
        p->begun = now;
        p->from = done;
    }
    if (!says || now - p->shown < pause) return;
    p->shown = now;
    if (!log_is_live() && !time_to_say(p, now)) return;
    char left[PROGRESS_TIME];
    progress_time(left, fmax(outlook_left(&p->outlook, p->start), pace_left(p, done, steps, now)));
    void (*say)(const char *, ...) = log_is_live() ? log_live : log_event;
    say("%lld of %d cells done; %s step %lld of %lld; about %s left", (long long)progress_done(p), p->cells, id,
        (long long)done, (long long)steps, left);
}

void progress_finish(Progress *p, const Cell *cell, double seconds) {
    const CellRecord *r = &cell->record;
    outlook_add(&p->outlook, cell, seconds);
    int64_t done = count(p, DONE, 1) + 1;
    char left[PROGRESS_TIME], loss[32], layout[48] = "";
    if (r->dp * r->tp > 1) snprintf(layout, sizeof layout, "  on %lld x %lld", (long long)r->dp, (long long)r->tp);
    progress_time(left, done == p->cells ? 0 : outlook_left(&p->outlook, p->start));
    snprintf(loss, sizeof loss, r->outcome == OUTCOME_DONE ? "loss %.5f" : "diverged", r->loss);
    log_event("%3lld/%d  %-46s %-12s  %6.1f GFLOP/s  %6.1f s%s  left %s%s", (long long)done, p->cells, r->id, loss,
              r->compute[CURRENCY_EXECUTED] / r->seconds / 1e9, seconds, layout, left, cell->measured);
}
