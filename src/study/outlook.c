#include "outlook.h"

#include "base/arena.h"
#include "base/timer.h"

#include <math.h>

enum { EXPECTED, SPENT, EACH };

int outlook_counters(const Grid *grid) {
    return EACH * grid->kinds;
}

/* Rank-seconds that a cell is to take. */
static double expected(const Cell *cell) {
    return cell->seconds * cell->block;
}

Outlook outlook_new(const Grid *grid, const StudyPlan *plan, Counters *counters, int first) {
    double makespan = plan->schedule.makespan;
    Outlook o = {.grid = grid, .counters = counters, .first = first, .makespan = makespan, .total = makespan};
    o.planned = MEM_NEW(double, grid->kinds + 1);
    for (int i = 0; i < plan->n; i++) {
        const Cell *cell = &grid->cell[plan->cell[i]];
        o.planned[cell->kind] += expected(cell);
    }
    return o;
}

void outlook_free(Outlook *o) {
    mem_free(o->planned);
}

static const double counted = 1e6; /* in a second */

void outlook_add(const Outlook *o, const Cell *cell, double seconds) {
    int at = o->first + EACH * cell->kind;
    counter_add(o->counters, at + EXPECTED, (int64_t)(counted * expected(cell)));
    counter_add(o->counters, at + SPENT, (int64_t)(counted * seconds * cell->block));
}

/* Rank-seconds of finished cells. */
typedef struct Done {
    double expected, spent;
} Done;

static double ratio(Done d) {
    return d.expected > 0 ? d.spent / d.expected : 1;
}

/* Fills done (kinds); returns their sum. */
static Done read_counters(Done *done, const Outlook *o) {
    Done all = {0};
    for (int k = 0; k < o->grid->kinds; k++) {
        int at = o->first + EACH * k;
        done[k].expected = (double)counter_add(o->counters, at + EXPECTED, 0) / counted;
        done[k].spent = (double)counter_add(o->counters, at + SPENT, 0) / counted;
        all.expected += done[k].expected;
        all.spent += done[k].spent;
    }
    return all;
}

/* Seconds that the whole run takes, as it looks now. */
static double total(const Outlook *o) {
    const double share = 0.05; /* of the plan counts as if it had gone as planned: a kind tells little of others */
    double planned = 0, likely = 0;
    Done *done = MEM_NEW(Done, o->grid->kinds + 1), others = read_counters(done, o);
    for (int k = 0; k < o->grid->kinds; k++) planned += o->planned[k];
    others.expected += share * planned;
    others.spent += share * planned;
    for (int k = 0; k < o->grid->kinds; k++) {
        double left = fmax(o->planned[k] - done[k].expected, 0);
        likely += done[k].spent + left * ratio(done[k].expected > 0 ? done[k] : others);
    }
    mem_free(done);
    return planned > 0 ? o->makespan * likely / planned : 0;
}

double outlook_left(Outlook *o, double start) {
    const double pause = 0.2;
    double now = timer_now();
    if (now - o->read >= pause) {
        o->total = total(o);
        o->read = now;
    }
    return fmax(o->total - (now - start), 0);
}
