#include "exchange.h"

#include "base/arena.h"
#include "base/copy.h"
#include "base/timer.h"
#include "par/comm_mpi.h"
#include "par/shared.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    MOST_RANKS = 4,                        /* each reads what all others wrote: of more ranks MPI's rings move less */
    PIECE = (1 << 18) / (int)sizeof(real), /* numbers; shorter ones wait more often for each other */
    PLACES = 2,                            /* of a rank, for its pieces in turn */
    LINE = 64 / (int)sizeof(real),         /* numbers of a line of the cache */
    SPINS = 2000,                          /* looks at a counter before MPI has a turn: some microseconds */
    TIMED_LEAST = 1024,                    /* numbers of a copy whose way is chosen; of fewer both are quick */
    ROUND = 64,                            /* copies until the ways are compared anew */
    TRIES = 2                              /* of them each way, first the one that is not in use */
};

/* How a rank writes what others read. Which of the two is faster depends on where the ranks run, and that may change while
 * they do: cores that share a cache pass lines on in it; of others each written line would first have to be taken away from
 * its reader, which takes ten times as long as to write past all caches. */
typedef enum Way { THROUGH_CACHE, PAST_CACHE, WAYS } Way;

typedef struct Ways {
    Way best;
    int copies;           /* of this round, which begins with those of the other way */
    double seconds[WAYS]; /* a number, the least of this round */
} Ways;

/* Alone in its line of the cache. */
typedef struct Counter {
    _Alignas(64) atomic_llong written;
} Counter;

struct Exchange {
    Shared *shared;
    MPI_Comm mpi;
    int rank, size;
    long long pieces; /* that have passed, the same on all ranks */
    Counter *counter; /* (size) */
    real *place;      /* (size, PLACES, PIECE) */
    Ways ways;
};

static void ways_begin(Ways *w) {
    w->copies = 0;
    for (int i = 0; i < WAYS; i++) w->seconds[i] = INFINITY;
}

/* Copies n numbers to where others read them, by the way that was faster of late. */
static void write_out(Ways *w, real *to, const real *from, int64_t n) {
    if (n < TIMED_LEAST) {
        memcpy(to, from, (size_t)n * sizeof *to);
        return;
    }
    Way way = w->copies < TRIES ? !w->best : w->best;
    double start = timer_now();
    if (way == THROUGH_CACHE)
        memcpy(to, from, (size_t)n * sizeof *to);
    else
        copy_past_cache(to, from, n);
    w->seconds[way] = fmin(w->seconds[way], (timer_now() - start) / (double)n);
    w->copies++;
    if (w->copies == 2 * TRIES)
        w->best = w->seconds[PAST_CACHE] < w->seconds[THROUGH_CACHE] ? PAST_CACHE : THROUGH_CACHE;
    if (w->copies == ROUND) ways_begin(w);
}

Exchange *exchange_new(const Comm *comm) {
    int size = comm_size(comm);
    if (size < 2 || size > MOST_RANKS) return NULL;
    int64_t numbers = size * PLACES * (int64_t)PIECE, bytes = numbers * (int64_t)sizeof(real);
    Shared *shared = shared_new(comm, bytes + size * (int64_t)sizeof(Counter), SHARED_SUMS);
    if (!shared) return NULL;
    if (shared_ranks(shared) < size) {
        shared_free(shared);
        return NULL;
    }
    Exchange *e = MEM_NEW(Exchange, 1);
    *e = (Exchange){.shared = shared, .mpi = comm_mpi(comm), .rank = comm_rank(comm), .size = size};
    ways_begin(&e->ways);
    e->place = shared_at(shared);
    void *behind = e->place + numbers;
    e->counter = behind;
    atomic_init(&e->counter[e->rank].written, 0);
    memset(e->place + (int64_t)e->rank * PLACES * PIECE, 0, (size_t)PLACES * PIECE * sizeof *e->place);
    shared_ready(shared);
    return e;
}

void exchange_free(Exchange *e) {
    if (!e) return;
    shared_free(e->shared);
    mem_free(e);
}

/* Where rank r writes the piece that comes next. */
static real *place_of(const Exchange *e, int r) {
    return e->place + (r * PLACES + e->pieces % PLACES) * PIECE;
}

/* What this rank has written in its place is there for all. */
static void publish(Exchange *e) {
    atomic_store_explicit(&e->counter[e->rank].written, e->pieces + 1, memory_order_release);
}

/* Until rank r has written its piece. */
static void wait_for(const Exchange *e, int r) {
    for (int spins = 0; atomic_load_explicit(&e->counter[r].written, memory_order_acquire) <= e->pieces; spins++) {
        int arrived;
        if (spins >= SPINS) MPI_CALL(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, e->mpi, &arrived, MPI_STATUS_IGNORE));
    }
}

static int64_t part(int64_t left, int64_t most) {
    return left < most ? left : most;
}

/* x = this rank's own numbers and what stands at `from` of the others' places, added up in the order of ranks. x may be own. */
static void add_up(const Exchange *e, real *x, const real *own, int64_t from, int64_t n) {
    const real *term[MOST_RANKS] = {0};
    for (int r = 0; r < e->size; r++) {
        term[r] = own;
        if (r == e->rank) continue;
        wait_for(e, r);
        term[r] = place_of(e, r) + from;
    }
    const real *a = term[0], *b = term[1], *c = term[2], *d = term[3];
    switch (e->size) {
    case 2:
#pragma omp simd
        for (int64_t i = 0; i < n; i++) x[i] = a[i] + b[i];
        break;
    case 3:
#pragma omp simd
        for (int64_t i = 0; i < n; i++) x[i] = a[i] + b[i] + c[i];
        break;
    case MOST_RANKS:
#pragma omp simd
        for (int64_t i = 0; i < n; i++) x[i] = a[i] + b[i] + c[i] + d[i];
        break;
    }
}

void exchange_sum(Exchange *e, real *x, int64_t n) {
    for (int64_t at = 0; at < n; at += PIECE, e->pieces++) {
        int64_t count = part(n - at, PIECE);
        write_out(&e->ways, place_of(e, e->rank), x + at, count);
        publish(e);
        add_up(e, x + at, x + at, 0, count);
    }
}

void exchange_reduce_scatter(Exchange *e, real *out, const real *x, const int64_t *counts) {
    int64_t share = PIECE / e->size / LINE * LINE, most = 0; /* a piece has as much for every rank */
    const real *own = x;
    for (int r = 0; r < e->rank; r++) own += counts[r];
    for (int r = 0; r < e->size; r++) most = counts[r] > most ? counts[r] : most;
    for (int64_t at = 0; at < most; at += share, e->pieces++) {
        const real *of = x;
        for (int r = 0; r < e->size; of += counts[r++])
            if (r != e->rank && at < counts[r])
                write_out(&e->ways, place_of(e, e->rank) + r * share, of + at, part(counts[r] - at, share));
        publish(e);
        add_up(e, out + at, own + at, e->rank * share, part(counts[e->rank] - at, share));
    }
}

void exchange_gather(Exchange *e, real *all, const real *mine, int64_t n) {
    for (int64_t at = 0; at < n; at += PIECE, e->pieces++) {
        int64_t count = part(n - at, PIECE);
        write_out(&e->ways, place_of(e, e->rank), mine + at, count);
        publish(e);
        for (int r = 0; r < e->size; r++) {
            const real *from = mine + at;
            if (r != e->rank) {
                wait_for(e, r);
                from = place_of(e, r);
            }
            memcpy(all + r * n + at, from, (size_t)count * sizeof *all);
        }
    }
}
