#include "par/shared.h"

#include "base/arena.h"
#include "base/log.h"
#include "par/comm_mpi.h"
#include "watch_ranks.h"

#include <math.h>
#include <sys/statvfs.h>

struct Shared {
    Comm *node;
    MPI_Win window;
    char *at;
};

enum { ALIGNMENT = 64, PAGE = 1 << 12 }; /* bytes; MPI keeps a page of its own beside it */

/* What it is for, and what is done without it. */
static const char *const use_text[] = {[SHARED_DATASET] = "the dataset: each rank holds it by itself",
                                       [SHARED_SUMS] = "sums of a few ranks: they are sent as messages"};

/* Whether the folder in which MPI libraries keep what processes share has so much left for each such group of ranks of the
 * node: they may all ask at once, and see the same room. A file in it that is longer than there is room ends the process that
 * touches it, so it is asked before. */
static bool has_room(int64_t bytes, int group, SharedUse use) {
    struct statvfs fs;
    if (statvfs("/dev/shm", &fs)) return true; /* the library has another place */
    double left = (double)fs.f_bavail * (double)fs.f_frsize;
    double wanted = ceil((double)comm_node_ranks() / group) * (double)(bytes + PAGE);
    if (left >= wanted) return true;
    if (watch_first(use)) /* every cell on several ranks asks */
        log_event("/dev/shm: %.0f KiB left, %.0f KiB wanted for %s", floor(left / 1024), ceil(wanted / 1024),
                  use_text[use]);
    return false;
}

Shared *shared_new(const Comm *comm, int64_t bytes, SharedUse use) {
    Comm *node = comm_split_node(comm);
    bool leader = comm_rank(node) == 0, room = comm_size(node) > 1;
    if (room) room = comm_all(node, !leader || has_room(bytes + ALIGNMENT, comm_size(node), use));
    if (!room) {
        comm_free(node);
        return NULL;
    }
    Shared *s = MEM_NEW(Shared, 1);
    s->node = node;
    MPI_Aint mine = leader ? (MPI_Aint)bytes + ALIGNMENT : 0, size;
    int unit;
    MPI_CALL(MPI_Win_allocate_shared(mine, 1, MPI_INFO_NULL, comm_mpi(node), &s->at, &s->window));
    MPI_CALL(MPI_Win_shared_query(s->window, 0, &size, &unit, &s->at));
    CHECK(size == (MPI_Aint)bytes + ALIGNMENT, "%lld bytes on the leader of the node, %lld here", (long long)size,
          (long long)bytes);
    s->at += (ALIGNMENT - (uintptr_t)s->at % ALIGNMENT) % ALIGNMENT;
    MPI_CALL(MPI_Win_lock_all(MPI_MODE_NOCHECK, s->window));
    return s;
}

void shared_free(Shared *s) {
    if (!s) return;
    MPI_CALL(MPI_Win_unlock_all(s->window));
    MPI_CALL(MPI_Win_free(&s->window));
    comm_free(s->node);
    mem_free(s);
}

void *shared_at(const Shared *s) {
    return s->at;
}

int shared_ranks(const Shared *s) {
    return comm_size(s->node);
}

const Comm *shared_node(const Shared *s) {
    return s->node;
}

void shared_ready(const Shared *s) {
    MPI_CALL(MPI_Win_sync(s->window));
    comm_barrier(s->node);
    MPI_CALL(MPI_Win_sync(s->window));
}
