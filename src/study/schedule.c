#include "study/schedule.h"

#include "base/arena.h"
#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Blocks. ---- */

/* Index of a size in the list, or where it belongs. */
static int place_of(const Blocks *b, int ranks) {
    int low = 0, high = b->sizes;
    while (low < high) {
        int middle = (low + high) / 2;
        if (b->size[middle] > ranks)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Notes the sizes of a block and of all below it. */
static void note_sizes(Blocks *b, Block block) {
    int at = place_of(b, block.ranks);
    if (at == b->sizes || b->size[at] != block.ranks) {
        b->size = mem_grow(b->size, (size_t)(b->sizes + 1) * sizeof *b->size);
        memmove(b->size + at + 1, b->size + at, (size_t)(b->sizes - at) * sizeof *b->size);
        b->size[at] = block.ranks;
        b->sizes++;
    }
    Block half[2];
    if (!blocks_split(half, b, block)) return;
    note_sizes(b, half[0]);
    note_sizes(b, half[1]);
}

void blocks_init(Blocks *b, int nodes, const int *node, int fixed) {
    *b = (Blocks){.ranks = node[nodes], .nodes = nodes, .fixed = fixed};
    CHECK(!fixed || b->ranks % fixed == 0, "%d ranks in blocks of %d", b->ranks, fixed);
    b->node = MEM_NEW(int, nodes + 1);
    memcpy(b->node, node, (size_t)(nodes + 1) * sizeof *node);
    Block start;
    blocks_start(&start, b, 0);
    note_sizes(b, start);
    b->queue = MEM_NEW(int, b->sizes);
    b->queue_size = MEM_NEW(int, b->sizes + 1);
    for (int i = 0; i < b->sizes; i++) {
        bool near = i > 0 && b->size[i] >= QUEUE_NEAR * b->size[b->queue_size[b->queues - 1]];
        if (!near) b->queue_size[b->queues++] = i;
        b->queue[i] = b->queues - 1;
    }
    b->queue_size[b->queues] = b->sizes;
}

void blocks_init_even(Blocks *b, int ranks, int node_ranks, int fixed) {
    int nodes = (ranks + node_ranks - 1) / node_ranks, *node = MEM_NEW(int, nodes + 1);
    for (int i = 0; i < nodes; i++) node[i] = i * node_ranks;
    node[nodes] = ranks;
    blocks_init(b, nodes, node, fixed);
    mem_free(node);
}

void blocks_free(Blocks *b) {
    mem_free(b->node);
    mem_free(b->size);
    mem_free(b->queue);
    mem_free(b->queue_size);
    *b = (Blocks){0};
}

int blocks_start(Block *block, const Blocks *b, int i) {
    int ranks = b->fixed ? b->fixed : b->ranks;
    if (block) *block = (Block){i * ranks, ranks};
    return b->ranks / ranks;
}

/* The boundary of nodes inside the block that is nearest to its middle; its first rank where it has none inside. */
static int boundary(const Blocks *b, Block block) {
    int low = 0, high = b->nodes; /* the last node that starts at or before the middle */
    double middle = block.first + 0.5 * block.ranks;
    while (high - low > 1) {
        int half = (low + high) / 2;
        if (b->node[half] <= middle)
            low = half;
        else
            high = half;
    }
    int before = b->node[low], after = b->node[high], end = block.first + block.ranks;
    bool inside = after < end && (before <= block.first || after - middle < middle - before);
    if (inside) return after;
    return before > block.first ? before : block.first;
}

bool blocks_split(Block half[2], const Blocks *b, Block block) {
    if (b->fixed || block.ranks < 2) return false;
    int at = boundary(b, block);
    if (at == block.first) at = block.first + (block.ranks + 1) / 2;
    half[0] = (Block){block.first, at - block.first};
    half[1] = (Block){at, block.first + block.ranks - at};
    return true;
}

int blocks_size(const Blocks *b, Block block) {
    int at = place_of(b, block.ranks);
    CHECK(at < b->sizes && b->size[at] == block.ranks, "no block has %d ranks", block.ranks);
    return at;
}

/* ---- What is in the queues. ---- */

double work_seconds(const Work *w, int task, const Blocks *b, int size) {
    const Task *t = &w->task[task];
    const Pace *p = &w->pace[t->kind * b->sizes + size];
    return p->start + t->steps * p->step + t->passes * p->pass;
}

/* What is known of one schedule while it is sought. */
typedef struct Plan {
    const Blocks *blocks;
    const Work *work;
    bool simulated; /* with these queues */
    int *queue;     /* (tasks) -1: none */
    int *taken;     /* (queues) */
    Schedule s;
} Plan;

/* Seconds of a task in a queue: on its slowest block. */
static double queue_seconds(const Plan *p, int task, int queue, double *rank_seconds) {
    double seconds = 0;
    *rank_seconds = 0;
    for (int size = p->blocks->queue_size[queue]; size < p->blocks->queue_size[queue + 1]; size++) {
        double here = work_seconds(p->work, task, p->blocks, size);
        seconds = fmax(seconds, here);
        *rank_seconds = fmax(*rank_seconds, here * p->blocks->size[size]);
    }
    return seconds;
}

/* The queue of least rank-seconds where the task takes at most `most` seconds, else the fastest; -1: it runs nowhere. */
static int choose_queue(const Plan *p, int task, double most) {
    int cheapest = -1, fastest = -1;
    double least = INFINITY, soonest = INFINITY, rank_seconds;
    for (int q = 0; q < p->blocks->queues; q++) {
        double seconds = queue_seconds(p, task, q, &rank_seconds);
        if (seconds <= most && rank_seconds <= least) {
            cheapest = q;
            least = rank_seconds;
        }
        if (seconds < soonest) {
            fastest = q;
            soonest = seconds;
        }
    }
    return cheapest >= 0 ? cheapest : fastest;
}

typedef struct Entry {
    double seconds;
    int task, queue;
} Entry;

/* By queue, the longest first, else as they were given. */
static int by_queue(const void *x, const void *y) {
    const Entry *a = x, *b = y;
    if (a->queue != b->queue) return a->queue < b->queue ? -1 : 1;
    if (a->seconds != b->seconds) return a->seconds > b->seconds ? -1 : 1;
    return a->task < b->task ? -1 : a->task > b->task;
}

/* The queues from the choice of each task. */
static void sort_queues(Plan *p) {
    Entry *entry = MEM_NEW(Entry, p->work->n + 1);
    int n = 0;
    double unused;
    for (int i = 0; i < p->work->n; i++)
        if (p->queue[i] >= 0) entry[n++] = (Entry){queue_seconds(p, i, p->queue[i], &unused), i, p->queue[i]};
    qsort(entry, (size_t)n, sizeof *entry, by_queue);
    memset(p->s.first, 0, (size_t)(p->blocks->queues + 1) * sizeof *p->s.first);
    for (int i = 0; i < n; i++) {
        p->s.order[i] = entry[i].task;
        p->s.first[entry[i].queue + 1]++;
    }
    for (int q = 0; q < p->blocks->queues; q++) p->s.first[q + 1] += p->s.first[q];
    mem_free(entry);
}

/* ---- The simulation. ---- */

typedef struct Free {
    double time;
    Block block;
} Free;

/* Blocks by the time when they are free, the earliest first: a binary heap. */
typedef struct Heap {
    int n, room;
    Free *at;
} Heap;

static bool sooner(const Free *a, const Free *b) {
    if (a->time != b->time) return a->time < b->time;
    return a->block.first < b->block.first;
}

static void heap_push(Heap *h, Free free_block) {
    if (h->n == h->room) {
        h->room = 2 * h->room + 64;
        h->at = mem_grow(h->at, (size_t)h->room * sizeof *h->at);
    }
    int i = h->n++;
    for (int up; i > 0 && sooner(&free_block, &h->at[up = (i - 1) / 2]); i = up) h->at[i] = h->at[up];
    h->at[i] = free_block;
}

static Free heap_pop(Heap *h) {
    Free first = h->at[0], last = h->at[--h->n];
    int i = 0;
    for (int down; (down = 2 * i + 1) < h->n; i = down) {
        if (down + 1 < h->n && sooner(&h->at[down + 1], &h->at[down])) down++;
        if (!sooner(&h->at[down], &last)) break;
        h->at[i] = h->at[down];
    }
    h->at[i] = last;
    return first;
}

/* The block trains a task from now on. */
static void occupy(Plan *p, Heap *heap, Free now, int task, int size) {
    double end = now.time + work_seconds(p->work, task, p->blocks, size);
    p->s.slot[task] = (Slot){now.time, end, now.block};
    p->s.busy += (end - now.time) * now.block.ranks;
    if (p->s.critical < 0 || end > p->s.makespan) {
        p->s.makespan = end;
        p->s.critical = task;
    }
    heap_push(heap, (Free){end, now.block});
}

/* The queues as the blocks of the job work through them. */
static void simulate(Plan *p) {
    const Blocks *b = p->blocks;
    Heap heap = {0};
    Block start;
    int left = p->s.first[b->queues];
    memset(p->taken, 0, (size_t)b->queues * sizeof *p->taken);
    memset(p->s.slot, 0, (size_t)p->work->n * sizeof *p->s.slot);
    p->s.makespan = p->s.busy = 0;
    p->s.critical = -1;
    for (int i = 0; i < blocks_start(NULL, b, 0); i++) {
        blocks_start(&start, b, i);
        heap_push(&heap, (Free){0, start});
    }
    while (heap.n && left) {
        Free now = heap_pop(&heap);
        int size = blocks_size(b, now.block), q = b->queue[size], next = p->s.first[q] + p->taken[q];
        Block half[2];
        if (next < p->s.first[q + 1]) {
            p->taken[q]++;
            left--;
            occupy(p, &heap, now, p->s.order[next], size);
        } else if (blocks_split(half, b, now.block)) {
            heap_push(&heap, (Free){now.time, half[0]});
            heap_push(&heap, (Free){now.time, half[1]});
        }
    }
    mem_free(heap.at);
}

static void try_queues(Plan *p) {
    sort_queues(p);
    simulate(p);
    p->simulated = true;
}

/* ---- The choice. ---- */

/* No schedule is shorter: each task at its fastest, and all the work at its cheapest on all ranks. Fills share, the
 * rank-seconds of each task at its cheapest, over those of the largest. */
static double shortest(double *share, const Plan *p) {
    double longest = 0, work = 0, most = 0;
    for (int i = 0; i < p->work->n; i++) {
        double soonest = INFINITY, least = INFINITY, rank_seconds;
        for (int q = 0; q < p->blocks->queues; q++) {
            soonest = fmin(soonest, queue_seconds(p, i, q, &rank_seconds));
            least = fmin(least, rank_seconds);
        }
        share[i] = isinf(soonest) ? 0 : least;
        if (isinf(soonest)) continue;
        longest = fmax(longest, soonest);
        work += least;
        most = fmax(most, least);
    }
    for (int i = 0; i < p->work->n && most > 0; i++) share[i] /= most;
    return fmax(longest, work / p->blocks->ranks);
}

/* Each task within t times its share to some power. */
static void choose_all(Plan *p, const double *share, double t, double power) {
    for (int i = 0; i < p->work->n; i++) {
        int queue = choose_queue(p, i, t * pow(share[i], power));
        if (queue != p->queue[i]) p->simulated = false;
        p->queue[i] = queue;
    }
    if (!p->simulated) try_queues(p);
}

/* The choice of the best T and power, simulated. T is the shortest schedule, which the critical cell may set, and up to ten
 * times less or more. Less is worth a try: cells on small blocks begin late. */
static void seek_time(Plan *p) {
    static const double power[] = {0, 0.15, 0.3, 0.5};
    const int powers = sizeof power / sizeof *power;
    const int large = 20000; /* tasks and ranks: then each T takes a tenth of a second */
    bool many = p->work->n + p->blocks->ranks > large;
    const double stride = many ? 1.3 : 1.06;
    const int depth = (int)(log(10) / log(stride)); /* strides to either side */
    double *share = MEM_NEW(double, p->work->n + 1);
    double lower = shortest(share, p), best = INFINITY, best_time = lower, best_power = 0;
    for (int k = 0; k < powers; k += many ? 2 : 1)
        for (int i = -depth; i <= depth && lower > 0; i++) {
            double t = lower * pow(stride, i);
            if (t >= best) break;
            choose_all(p, share, t, power[k]);
            if (p->s.makespan >= best) continue;
            best = p->s.makespan;
            best_time = t;
            best_power = power[k];
        }
    choose_all(p, share, best_time, best_power);
    mem_free(share);
}

/* Moves the task that ends last to a faster queue where the whole then ends sooner; false: there is none. */
static bool move_critical(Plan *p) {
    int task = p->s.critical, was = p->queue[task];
    double before = p->s.makespan, now, rank_seconds;
    double seconds = queue_seconds(p, task, was, &rank_seconds);
    for (int q = 0; q < p->blocks->queues; q++) {
        now = queue_seconds(p, task, q, &rank_seconds);
        if (now >= seconds) continue;
        p->queue[task] = q;
        try_queues(p);
        if (p->s.makespan < before * (1 - 1e-6)) return true;
    }
    p->queue[task] = was;
    try_queues(p);
    return false;
}

void schedule_make(Schedule *schedule, const Blocks *blocks, const Work *work) {
    const int most = 100;        /* moves */
    const double patience = 5e6; /* tasks and ranks in all simulations of moves */
    Plan p = {.blocks = blocks, .work = work};
    p.queue = MEM_NEW(int, work->n + 1);
    p.taken = MEM_NEW(int, blocks->queues);
    p.s = (Schedule){.first = MEM_NEW(int, blocks->queues + 1),
                     .order = MEM_NEW(int, work->n + 1),
                     .slot = MEM_NEW(Slot, work->n + 1)};
    seek_time(&p);
    double size = (double)(work->n + blocks->ranks) * blocks->queues;
    for (int i = 0; i < most && i * size < patience && p.s.critical >= 0; i++)
        if (!move_critical(&p)) break;
    mem_free(p.queue);
    mem_free(p.taken);
    *schedule = p.s;
}

void schedule_free(Schedule *s) {
    mem_free(s->first);
    mem_free(s->order);
    mem_free(s->slot);
    *s = (Schedule){0};
}

double schedule_utilisation(const Schedule *s, const Blocks *blocks) {
    return s->makespan > 0 ? s->busy / (s->makespan * blocks->ranks) : 1;
}
