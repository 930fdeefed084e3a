#include "par/watch.h"

#include "base/err.h"
#include "par/comm_mpi.h"
#include "watch_ranks.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_SECONDS 0.2  /* between two looks */
#define STOPPED_SECONDS 2 /* without a look of its own: a process that does not run */

/* One for each rank of the node, in memory that all of them see. */
typedef struct Slot {
    int rank, pid;      /* of the world; of the process */
    atomic_int leaving; /* on purpose */
    atomic_int told;    /* the line has been printed (in the first slot) */
    atomic_uint asked;  /* matters that a rank has asked about (in the first slot), a bit of each */
    atomic_llong looks; /* of its thread */
    atomic_llong steps; /* that it has made */
    atomic_llong limit; /* s without a step after which it hangs; 0: none */
    char what[96];      /* what it works on */
} Slot;

static Slot *slots;     /* (ranks) */
static long long *seen; /* (ranks) looks of each, a while ago */
static int ranks, mine;
static MPI_Win window;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `leaving` in the own slot, for the sake of the wait */
static pthread_cond_t wake;                              /* on a clock that nobody sets */

/* ---- What the thread does. ---- */

static bool is_gone(const Slot *slot) {
    return kill(slot->pid, 0) && errno == ESRCH;
}

/* The first rank of a node that finds something speaks; the others leave the last word to it. */
static void end_job(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void end_job(const char *fmt, ...) {
    char line[512] = "equiscale: ";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + strlen(line), sizeof line - strlen(line), fmt, ap);
    va_end(ap);
    if (!atomic_exchange(&slots[0].told, 1) && write(STDERR_FILENO, line, strlen(line)) < 0) _exit(EXIT_RESUME);
    _exit(EXIT_RESUME);
}

static void look_for_the_dead(const Slot *next) {
    if (next->leaving || !is_gone(next)) return;
    end_job(
        "rank %d is gone (process %d%s%s): the job ends; run the same command again: finished cells and checkpoints "
        "are kept\n",
        next->rank, next->pid, *next->what ? ", " : "", next->what);
}

/* The rank of the node whose own thread does not run, if there is one, or else the one that makes no step. */
static const Slot *who_stands(const Slot *next) {
    for (int r = 0; r < ranks; r++) seen[r] = slots[r].looks;
    sleep(STOPPED_SECONDS);
    for (int r = 0; r < ranks; r++)
        if (r != mine && slots[r].looks == seen[r] && !slots[r].leaving) return &slots[r];
    return next;
}

/* Unless it goes on, or this rank leaves, while that is found out. */
static void end_standing(const Slot *next, long long steps, long long waited) {
    const Slot *slot = who_stands(next);
    if (next->steps != steps || next->leaving || slots[mine].leaving) return;
    end_job("rank %d (process %d, %s): no step in %lld s: the job ends; run the same command again: finished cells and "
            "checkpoints are kept; if it stops there again, leave out that node, or raise run.watchdog\n",
            slot->rank, slot->pid, *slot->what ? slot->what : "between cells", waited);
}

/* Until the next look; false: there is none. */
static bool next_look(void) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(LOOK_SECONDS * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&lock);
    while (!slots[mine].leaving && pthread_cond_timedwait(&wake, &lock, &until) == 0) continue;
    pthread_mutex_unlock(&lock);
    return !slots[mine].leaving;
}

static void *watch(void *nothing) {
    (void)nothing;
    const Slot *next = &slots[(mine + 1) % ranks];
    bool same_machine = next->pid != slots[mine].pid && !is_gone(next); /* not from inside another container */
    long long last = 0;
    double stood =
        0; /* s that this thread has run for without a step: a job that is suspended as a whole does not hang */
    while (next_look()) {
        slots[mine].looks++;
        if (same_machine) look_for_the_dead(next);
        long long now = next->steps, most = next->limit;
        stood = now == last && most > 0 ? stood + LOOK_SECONDS : 0;
        last = now;
        if (stood > (double)most && !next->leaving) end_standing(next, now, most);
    }
    return NULL;
}

/* ---- What the program calls. ---- */

void watch_start(MPI_Comm node) {
    int world, size, unit;
    MPI_Aint bytes;
    MPI_CALL(MPI_Comm_rank(node, &mine));
    MPI_CALL(MPI_Comm_size(node, &ranks));
    MPI_CALL(MPI_Comm_rank(MPI_COMM_WORLD, &world));
    size = mine == 0 ? ranks * (int)sizeof *slots : 0;
    MPI_CALL(MPI_Win_allocate_shared(size, sizeof *slots, MPI_INFO_NULL, node, &slots, &window));
    MPI_CALL(MPI_Win_shared_query(window, 0, &bytes, &unit, &slots));
    memset(&slots[mine], 0, sizeof *slots);
    slots[mine].rank = world;
    slots[mine].pid = (int)getpid();
    MPI_CALL(MPI_Alloc_mem(ranks * (MPI_Aint)sizeof *seen, MPI_INFO_NULL, &seen)); /* for as long as MPI lives */
    memset(seen, 0, (size_t)ranks * sizeof *seen);
    pthread_condattr_t how;
    CHECK(!pthread_condattr_init(&how) && !pthread_condattr_setclock(&how, CLOCK_MONOTONIC) &&
              !pthread_cond_init(&wake, &how),
          "no clock to watch the ranks by");
    MPI_CALL(MPI_Barrier(node));
    CHECK(pthread_create(&thread, NULL, watch, NULL) == 0, "no thread to watch the ranks");
}

void watch_begin(const char *what, int64_t seconds) {
    if (!slots) return;
    snprintf(slots[mine].what, sizeof slots[mine].what, "%s", what);
    slots[mine].steps++;
    slots[mine].limit = seconds;
}

void watch_step(void) {
    if (slots) slots[mine].steps++;
}

void watch_end(void) {
    if (!slots) return;
    slots[mine].limit = 0;
    slots[mine].what[0] = 0;
}

bool watch_first(int matter) {
    unsigned bit = 1u << matter;
    return !slots || !(atomic_fetch_or(&slots[0].asked, bit) & bit);
}

void watch_stop(void) {
    if (!slots || slots[mine].pid != (int)getpid()) return; /* a child process leaves as it likes */
    pthread_mutex_lock(&lock);
    slots[mine].leaving = 1;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

void watch_free(void) {
    watch_stop();
    pthread_join(thread, NULL);
    MPI_CALL(MPI_Free_mem(seen));
    slots = NULL;
    MPI_CALL(MPI_Win_free(&window));
}
