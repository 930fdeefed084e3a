// TEST single n=1,2
/* How long a run will still take, of two kinds of cell that compare with their forecasts in different ways. */
#include "../src/study/outlook.h"
#include "base/timer.h"
#include "check.h"

enum { KINDS = 2, CELLS = 20 };

/* What all ranks find before any of them goes on. */
static double read_again(Outlook *o, double start) {
    comm_barrier(comm_world());
    o->read = 0;
    double left = outlook_left(o, start);
    comm_barrier(comm_world());
    return left;
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
    double start = timer_now();
    bool first = comm_rank(world) == 0;

    Outlook o = outlook_new(&grid, &plan, counters, 3);
    double left = read_again(&o, start);
    EXPECT(fabs(left - 10000) < 10, "%g s of a plan of 10000 s", left);

    /* One cell took a quarter: others of its kind will, the other kind is taken to, as far as 1000 s outweigh a twentieth of
     * the plan, which is as much. */
    if (first) outlook_add(&o, &cell[0], 250);
    left = read_again(&o, start);
    double whole = (10 * 250 + 10 * 625) / 2.0;
    EXPECT(fabs(left - whole) < 10, "%g s of %g s after one of them took a quarter", left, whole);

    /* Half of each kind is done: a quarter, and twice the plan. */
    for (int i = 1; i < CELLS / 2 && first; i++) outlook_add(&o, &cell[i], i % KINDS ? 2000 : 250);
    left = read_again(&o, start);
    whole = (10 * 250 + 10 * 2000) / 2.0;
    EXPECT(fabs(left - whole) < 10, "%g s of %g s before any time has passed", left, whole);
    left = outlook_left(&o, start - 4000);
    EXPECT(fabs(left - (whole - 4000)) < 10, "%g s after 4000 s", left);
    EXPECT(outlook_left(&o, start - 2 * whole) == 0, "never less than nothing");

    outlook_free(&o);
    counters_free(counters);
    mem_free(grid.kind);
    return test_end();
}
