// TEST single n=1,2
/* How long a run will still take, of two kinds of cell that compare with their forecasts in different ways. */
#include "../src/study/outlook.h"
#include "base/timer.h"
#include "check.h"

enum { KINDS = 2, CELLS = 20 };

/* What all ranks find before any of them goes on, of a run that has begun now: `whole` seconds, less what passed while they looked. */
static void expect_left(Outlook *o, double whole, const char *when) {
    comm_barrier(comm_world());
    o->read = 0;
    double start = timer_now(), left = outlook_left(o, start), passed = timer_now() - start;
    EXPECT(left < whole + 10 && left > whole - passed - 10, "%g s of %g s %s", left, whole, when);
    comm_barrier(comm_world());
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    const Comm *world = comm_world();
    Cell cell[CELLS] = {0};
    int order[CELLS];
    for (int i = 0; i < CELLS; i++) {
        cell[i] = (Cell){.kind = i % KINDS, .seconds = 1000, .block = 1};
        order[i] = i;
    }
    Grid grid = {.n = CELLS, .cell = cell, .kinds = KINDS, .kind = MEM_NEW(GridKind, KINDS)};
    StudyPlan plan = {.n = CELLS, .cell = order, .schedule = {.makespan = 10000}}; /* on two ranks */
    Counters *counters = counters_new(world, 3 + outlook_counters(&grid));
    bool first = comm_rank(world) == 0;

    Outlook o = outlook_new(&grid, &plan, counters, 3);
    expect_left(&o, 10000, "by the plan");

    /* One cell took a quarter: others of its kind will, the other kind is taken to, as far as 1000 s outweigh a twentieth of
     * the plan, which is as much. */
    if (first) outlook_add(&o, &cell[0], 250);
    expect_left(&o, (10 * 250 + 10 * 625) / 2.0, "after one of them took a quarter");

    /* Half of each kind is done: a quarter, and twice the plan. */
    for (int i = 1; i < CELLS / 2 && first; i++) outlook_add(&o, &cell[i], i % KINDS ? 2000 : 250);
    double whole = (10 * 250 + 10 * 2000) / 2.0;
    expect_left(&o, whole, "before any time has passed");
    double start = timer_now() - 4000, left = outlook_left(&o, start), passed = timer_now() - start;
    EXPECT(left < whole - 4000 + 10 && left > whole - passed - 10, "%g s after 4000 s", left);
    EXPECT(outlook_left(&o, start - 2 * whole) == 0, "never less than nothing");

    outlook_free(&o);
    counters_free(counters);
    mem_free(grid.kind);
    return test_end();
}
