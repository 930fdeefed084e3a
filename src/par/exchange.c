#include "exchange.h"

#include "base/arena.h"
#include "par/comm_mpi.h"
#include "par/shared.h"

#include <stdatomic.h>
#include <string.h>

enum {
    MOST_RANKS = 4,                        /* each reads what all others wrote: of more ranks MPI's rings move less */
    PIECE = (1 << 18) / (int)sizeof(real), /* numbers; shorter ones wait more often for each other */
    SPINS = 2000                           /* looks at a counter before MPI has a turn: some microseconds */
};

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
    real *place;      /* (size, 2, PIECE) */
};

Exchange *exchange_new(const Comm *comm) {
    int size = comm_size(comm);
    if (size < 2 || size > MOST_RANKS) return NULL;
    int64_t numbers = 2 * size * (int64_t)PIECE, bytes = numbers * (int64_t)sizeof(real);
    Shared *shared = shared_new(comm, bytes + size * (int64_t)sizeof(Counter), SHARED_SUMS);
    if (!shared) return NULL;
    if (shared_ranks(shared) < size) {
        shared_free(shared);
        return NULL;
    }
    Exchange *e = MEM_NEW(Exchange, 1);
    *e = (Exchange){.shared = shared, .mpi = comm_mpi(comm), .rank = comm_rank(comm), .size = size};
    e->place = shared_at(shared);
    void *behind = e->place + numbers;
    e->counter = behind;
    atomic_init(&e->counter[e->rank].written, 0);
    memset(e->place + 2 * e->rank * PIECE, 0, 2 * PIECE * sizeof *e->place);
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
    return e->place + (2 * r + e->pieces % 2) * PIECE;
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

/* x = what stands at `from` of every rank's place, added up in the order of ranks. */
static void add_up(const Exchange *e, real *x, int64_t from, int64_t n) {
    for (int r = 0; r < e->size; r++) wait_for(e, r);
    const real *a = place_of(e, 0) + from, *b = place_of(e, 1) + from;
    for (int64_t i = 0; i < n; i++) x[i] = a[i] + b[i];
    for (int r = 2; r < e->size; r++) {
        const real *c = place_of(e, r) + from;
        for (int64_t i = 0; i < n; i++) x[i] += c[i];
    }
}

static int64_t part(int64_t left, int64_t most) {
    return left < most ? left : most;
}

static void copy(real *to, const real *from, int64_t n) {
    memcpy(to, from, (size_t)n * sizeof *to);
}

void exchange_sum(Exchange *e, real *x, int64_t n) {
    for (int64_t at = 0; at < n; at += PIECE, e->pieces++) {
        int64_t count = part(n - at, PIECE);
        copy(place_of(e, e->rank), x + at, count);
        publish(e);
        add_up(e, x + at, 0, count);
    }
}

void exchange_reduce_scatter(Exchange *e, real *out, const real *x, const int64_t *counts) {
    int64_t share = PIECE / e->size, most = 0; /* a piece has as much for every rank */
    for (int r = 0; r < e->size; r++) most = counts[r] > most ? counts[r] : most;
    for (int64_t at = 0; at < most; at += share, e->pieces++) {
        const real *of = x;
        for (int r = 0; r < e->size; of += counts[r++])
            if (at < counts[r]) copy(place_of(e, e->rank) + r * share, of + at, part(counts[r] - at, share));
        publish(e);
        add_up(e, out + at, e->rank * share, part(counts[e->rank] - at, share));
    }
}

void exchange_gather(Exchange *e, real *all, const real *mine, int64_t n) {
    for (int64_t at = 0; at < n; at += PIECE, e->pieces++) {
        int64_t count = part(n - at, PIECE);
        copy(place_of(e, e->rank), mine + at, count);
        publish(e);
        for (int r = 0; r < e->size; r++) {
            wait_for(e, r);
            copy(all + r * n + at, place_of(e, r), count);
        }
    }
}
