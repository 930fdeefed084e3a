// TEST single n=1
/* Schedules of nested blocks: the blocks of any number of ranks, known best cases, cells that run nowhere or on large blocks
 * only, the tail, and that every cell runs once on a block that is its own. */
#include "check.h"
#include "study/schedule.h"

/* One kind of cell a row: perfect speed-up up to `most` ranks, none beyond, not on fewer than `least`. */
typedef struct Kind {
    double seconds;
    int most, least;
} Kind;

static Pace *paces(const Blocks *b, const Kind *kind, int kinds) {
    Pace *pace = MEM_NEW(Pace, kinds * b->sizes);
    for (int k = 0; k < kinds; k++)
        for (int s = 0; s < b->sizes; s++) {
            int ranks = b->size[s] < kind[k].most ? b->size[s] : kind[k].most;
            pace[k * b->sizes + s].step = b->size[s] < kind[k].least ? INFINITY : kind[k].seconds / ranks;
        }
    return pace;
}

/* The blocks of every level cover the job; a split is between nodes where there are several. */
static void check_blocks(const Blocks *b, Block block) {
    Block half[2];
    EXPECT(blocks_size(b, block) >= 0, "size");
    if (!blocks_split(half, b, block)) {
        EXPECT(block.ranks == 1, "%d ranks stay together", block.ranks);
        return;
    }
    EXPECT(half[0].first == block.first && half[1].first == half[0].first + half[0].ranks &&
               half[0].ranks + half[1].ranks == block.ranks && half[0].ranks > 0 && half[1].ranks > 0,
           "%d+%d: %d+%d, %d+%d", block.first, block.ranks, half[0].first, half[0].ranks, half[1].first, half[1].ranks);
    bool several = false, between = false;
    for (int i = 1; i < b->nodes; i++) {
        several |= b->node[i] > block.first && b->node[i] < block.first + block.ranks;
        between |= b->node[i] == half[1].first;
    }
    EXPECT(several == between, "%d+%d splits at %d", block.first, block.ranks, half[1].first);
    check_blocks(b, half[0]);
    check_blocks(b, half[1]);
}

static void blocks(void) {
    static const int uneven[] = {0, 5, 6, 20, 31};
    Blocks b;
    for (int ranks = 1; ranks <= 70; ranks++) {
        blocks_init_even(&b, ranks, 1 + ranks % 13, 0);
        check_blocks(&b, (Block){0, ranks});
        for (int s = 1; s < b.sizes; s++) EXPECT(b.size[s] < b.size[s - 1], "sizes fall");
        blocks_free(&b);
    }
    blocks_init(&b, 4, uneven, 0);
    check_blocks(&b, (Block){0, 31});
    blocks_free(&b);
    blocks_init_even(&b, 12, 4, 3);
    Block block;
    EXPECT(blocks_start(NULL, &b, 0) == 4 && b.sizes == 1, "blocks of one size");
    blocks_start(&block, &b, 2);
    EXPECT(block.first == 6 && block.ranks == 3 && !blocks_split((Block[2]){{0}}, &b, block), "the third block");
    blocks_free(&b);
}

/* Between nodes at the border that is nearest to the middle, on whichever side of it. */
static void borders(void) {
    static const struct {
        int nodes, node[5], want;
    } job[] = {{3, {0, 10, 18, 20}, 10}, {4, {0, 9, 18, 19, 20}, 9}, {2, {0, 12, 16}, 12}, {4, {0, 5, 6, 20, 31}, 20}};
    for (int i = 0; i < (int)(sizeof job / sizeof *job); i++) {
        Blocks b;
        Block half[2], all = {0, job[i].node[job[i].nodes]};
        blocks_init(&b, job[i].nodes, job[i].node, 0);
        EXPECT(blocks_split(half, &b, all) && half[1].first == job[i].want, "%d ranks split at %d", all.ranks,
               half[1].first);
        blocks_free(&b);
    }
}

/* Sizes that are near each other share a queue: 7 | 4 3 | 2 | 1. */
static void queues(void) {
    static const int size[] = {7, 4, 3, 2, 1}, queue[] = {0, 1, 1, 2, 3};
    Blocks b;
    blocks_init_even(&b, 7, 7, 0);
    CHECK(b.sizes == 5 && b.queues == 4, "%d sizes, %d queues", b.sizes, b.queues);
    for (int i = 0; i < b.sizes; i++)
        EXPECT(b.size[i] == size[i] && b.queue[i] == queue[i], "size %d is in queue %d", b.size[i], b.queue[i]);
    blocks_free(&b);
}

/* Every task of a finite pace runs once, no rank is in two blocks at once, sums agree. */
static void check_schedule(const Schedule *s, const Blocks *b, const Work *w) {
    int *runs = MEM_NEW(int, w->n);
    double end = 0, busy = 0;
    for (int k = 0; k < s->first[b->queues]; k++) runs[s->order[k]]++;
    for (int i = 0; i < w->n; i++) {
        const Slot *x = &s->slot[i];
        EXPECT(runs[i] == (x->block.ranks > 0), "task %d is in %d queues", i, runs[i]);
        if (!x->block.ranks) continue;
        double seconds = work_seconds(w, i, b, blocks_size(b, x->block));
        EXPECT(fabs(x->end - x->start - seconds) < 1e-9 * x->end, "task %d takes %g s", i, x->end - x->start);
        end = fmax(end, x->end);
        busy += seconds * x->block.ranks;
        for (int k = 0; k < i; k++) {
            const Slot *y = &s->slot[k];
            bool ranks =
                x->block.first < y->block.first + y->block.ranks && y->block.first < x->block.first + x->block.ranks;
            bool time = x->start < y->end - 1e-9 && y->start < x->end - 1e-9;
            EXPECT(!(ranks && time), "tasks %d and %d at once", i, k);
        }
    }
    EXPECT(end == s->makespan && fabs(busy - s->busy) <= 1e-9 * busy, "%g s, busy %g", s->makespan, s->busy);
    mem_free(runs);
}

/* The makespan of n tasks of one kind. */
static double makespan(int ranks, int n, Kind kind) {
    Blocks b;
    Schedule s;
    Task *task = MEM_NEW(Task, n);
    for (int i = 0; i < n; i++) task[i].steps = 1;
    blocks_init_even(&b, ranks, ranks, 0);
    Pace *pace = paces(&b, &kind, 1);
    Work w = {n, task, pace};
    schedule_make(&s, &b, &w);
    check_schedule(&s, &b, &w);
    double seconds = s.makespan;
    schedule_free(&s);
    blocks_free(&b);
    mem_free(pace);
    mem_free(task);
    return seconds;
}

static void best_cases(void) {
    const Kind perfect = {8, 1 << 20, 1}, serial = {8, 1, 1};
    for (int ranks = 1; ranks <= 16; ranks *= 2) {
        EXPECT(fabs(makespan(ranks, 1, perfect) - 8.0 / ranks) < 1e-12, "one cell on %d ranks", ranks);
        EXPECT(fabs(makespan(ranks, 3 * ranks, serial) - 24) < 1e-12, "three cells a rank on %d", ranks);
        EXPECT(fabs(makespan(ranks, ranks + 1, serial) - 16) < 1e-12, "one cell too many on %d", ranks);
    }
    EXPECT(fabs(makespan(2, 3, perfect) - 12) < 1e-12, "the odd cell is shared: %g", makespan(2, 3, perfect));
    EXPECT(fabs(makespan(3, 3, perfect) - 8) < 1e-12, "a cell for each of 3 ranks");
    EXPECT(makespan(3, 1, perfect) < 8.0 / 3 + 1e-12, "one cell on all of 3 ranks");
    /* Two ranks each, and no gain from more. */
    const Kind pairs = {8, 2, 2};
    EXPECT(fabs(makespan(8, 16, pairs) - 16) < 1e-12, "16 cells of two ranks on 8: %g", makespan(8, 16, pairs));
    EXPECT(makespan(64, 65, perfect) < 1.1 * 65 * 8 / 64, "65 cells on 64 ranks: %g", makespan(64, 65, perfect));
}

/* What runs nowhere is left out, and what needs many ranks gets them. */
static void limits(void) {
    const Kind kind[] = {{8, 1 << 20, 1}, {8, 1 << 20, 4}, {8, 1 << 20, 99}};
    const Task task[] = {{0, 1, 0}, {1, 1, 0}, {2, 1, 0}, {0, 2, 0}};
    Blocks b;
    Schedule s;
    blocks_init_even(&b, 8, 8, 0);
    Pace *pace = paces(&b, kind, 3);
    Work w = {4, task, pace};
    schedule_make(&s, &b, &w);
    check_schedule(&s, &b, &w);
    EXPECT(s.slot[1].block.ranks >= 4, "on %d ranks", s.slot[1].block.ranks);
    EXPECT(s.slot[2].block.ranks == 0 && s.first[b.queues] == 3, "no block is large enough");
    EXPECT(s.makespan < 5 + 1e-9 && schedule_utilisation(&s, &b) > 0.8 - 1e-9, "%g s", s.makespan);
    schedule_free(&s);
    mem_free(pace);
    blocks_free(&b);
}

/* A queue takes what all of its blocks can run: of 7 ranks those of 4 and 3 share one, and here those of 4 take no cell. Half of
 * the time of all ranks goes by where one rank of two is at work. */
static void shared_queue(void) {
    enum { TASKS = 6 };
    Task task[TASKS];
    Blocks b;
    Schedule s;
    blocks_init_even(&b, 7, 7, 0);
    Pace *pace = MEM_NEW(Pace, b.sizes);
    for (int k = 0; k < b.sizes; k++) pace[k].step = b.size[k] == 4 ? INFINITY : 1.0 / b.size[k];
    for (int i = 0; i < TASKS; i++) task[i] = (Task){0, 1, 0};
    Work w = {TASKS, task, pace};
    schedule_make(&s, &b, &w);
    check_schedule(&s, &b, &w);
    EXPECT(isfinite(s.makespan) && s.first[2] == s.first[1], "%g s, %d cells on blocks of 4 and 3", s.makespan,
           s.first[2] - s.first[1]);
    schedule_free(&s);
    blocks_free(&b);
    blocks_init_even(&b, 2, 2, 0);
    for (int k = 0; k < b.sizes; k++) pace[k].step = b.size[k] == 1 ? 3 : INFINITY;
    w.n = 1;
    schedule_make(&s, &b, &w);
    EXPECT(s.makespan == 3 && schedule_utilisation(&s, &b) == 0.5, "busy %g", schedule_utilisation(&s, &b));
    schedule_free(&s);
    blocks_free(&b);
    mem_free(pace);
}

/* Start, steps and passes make the time of a cell; a move to a faster queue that does not help is taken back. */
static void moved_back(void) {
    const Task task[] = {{0, 2, 3}, {0, 2, 3}};
    const Pace pace[] = {{.start = 1, .step = 1, .pass = 1}, {.start = 1, .step = 2, .pass = 1}}; /* on 2 ranks, on 1 */
    Blocks b;
    Schedule s;
    blocks_init_even(&b, 2, 2, 0);
    schedule_make(&s, &b, &(Work){2, task, pace});
    EXPECT(s.makespan == 8 && s.busy == 16 && schedule_utilisation(&s, &b) == 1, "%g s, busy %g", s.makespan, s.busy);
    schedule_free(&s);
    blocks_free(&b);
}

/* Costs over four orders of magnitude, with a speed-up that falls: all ranks are busy but for the tail of a small cell. */
static void mixed(int ranks, int node_ranks) {
    enum { TASKS = 400 };
    Task task[TASKS];
    Blocks b;
    Schedule s;
    blocks_init_even(&b, ranks, node_ranks, 0);
    Pace *pace = MEM_NEW(Pace, b.sizes);
    for (int k = 0; k < b.sizes; k++)
        pace[k] = (Pace){0.01, 1e-3 / b.size[k] + 2e-6 * log2(b.size[k]), 1e-4 / b.size[k]};
    for (int i = 0; i < TASKS; i++) task[i] = (Task){0, pow(10, 2 + 4 * rng_uniform(1, 2, (uint64_t)i)), 1000};
    Work w = {TASKS, task, pace};
    schedule_make(&s, &b, &w);
    check_schedule(&s, &b, &w);
    EXPECT(schedule_utilisation(&s, &b) > 0.95, "%d ranks: busy %.3f", ranks, schedule_utilisation(&s, &b));
    double alone = 0;
    for (int i = 0; i < TASKS; i++) alone += 0.01 + 1e-3 * task[i].steps + 1e-4 * task[i].passes;
    EXPECT(s.makespan < 1.25 * alone / ranks, "%d ranks: %g s, all work shared evenly %g s", ranks, s.makespan,
           alone / ranks);
    schedule_free(&s);
    mem_free(pace);
    blocks_free(&b);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    blocks();
    borders();
    queues();
    best_cases();
    limits();
    shared_queue();
    moved_back();
    for (int ranks = 1; ranks <= 64; ranks = 2 * ranks + ranks % 3) mixed(ranks, 1 + ranks / 3);
    return test_end();
}
