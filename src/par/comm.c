#include "par/comm.h"

#include "base/arena.h"
#include "base/log.h"
#include "par/comm_mpi.h"
#include "par/watch.h"
#include "exchange.h"
#include "watch_ranks.h"

#include <glob.h>
#include <limits.h>
#include <petscsys.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(PETSC_USE_COMPLEX) || !defined(PETSC_USE_REAL_DOUBLE)
#error                                                                                                                 \
    "PETSc has complex or single-precision scalars: want one with real scalars in double precision (32 or 64-bit indices)"
#endif

struct Comm {
    MPI_Comm mpi;
    int rank, size;
    Exchange *exchange; /* NULL: everything goes through MPI */
};

static Comm world, self;
static int node_ranks, node_cores, node_leader; /* of this rank's node; the leader: its first rank in the world */

#ifdef EQ_DOUBLE
#define MPI_REAL_TYPE MPI_DOUBLE
#else
#define MPI_REAL_TYPE MPI_FLOAT
#endif

void comm_mpi_fail(const char *file, int line, const char *func, const char *call, int rc) {
    char text[MPI_MAX_ERROR_STRING];
    int len;
    MPI_Error_string(rc, text, &len);
    err_abort(file, line, func, call, "%s", text);
}

static void abort_job(int code) {
    watch_stop();
    MPI_Abort(MPI_COMM_WORLD, code);
}

static Comm comm_of(MPI_Comm mpi) {
    Comm c = {.mpi = mpi};
    MPI_CALL(MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN));
    MPI_CALL(MPI_Comm_rank(mpi, &c.rank));
    MPI_CALL(MPI_Comm_size(mpi, &c.size));
    return c;
}

/* PETSc without what would steer it unseen: neither the environment nor a .petscrc in the home or the working folder,
 * and nothing of the command line, which options_load reads after the study file. */
static void start_petsc(char *program) {
    char *arguments[] = {program, "-skip_petscrc", "-no_signal_handler", NULL}, **args = arguments;
    int n = 3;
    unsetenv("PETSC_OPTIONS");
    unsetenv("PETSC_OPTIONS_YAML");
    CHECK(PetscInitialize(&n, &args, NULL, NULL) == 0, "PETSc does not start");
    CHECK(PetscOptionsClear(NULL) == 0, "PETSc has options");
}

/* Open MPI 4.1.4: its way to share a file pointer by a lock file overruns a buffer on paths of 220 letters, and nothing here
 * shares one. */
static void avoid_lockedfile(void) {
    setenv("OMPI_MCA_sharedfp", "^lockedfile", 0);
}

/* Open MPI 4.1 takes one-sided messages between nodes by UCX wherever that is installed, and windows of it cannot be made where
 * none of the devices is there by which its messages go (Mellanox's): then another way is left to it. */
static void avoid_ucx(void) {
    glob_t devices;
    if (glob("/sys/class/infiniband/mlx*", 0, NULL, &devices))
        setenv("OMPI_MCA_osc", "^ucx", 0);
    else
        globfree(&devices);
}

int comm_launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *ranks = getenv(names[i]);
        if (ranks && *ranks) return atoi(ranks);
    }
    return 1;
}

/* Ranks, processors and leader of this rank's node. */
static void look_at_node(MPI_Comm node) {
    cpu_set_t mine;
    unsigned char bits[sizeof mine];
    MPI_CALL(MPI_Comm_size(node, &node_ranks));
    node_leader = world.rank;
    MPI_CALL(MPI_Bcast(&node_leader, 1, MPI_INT, 0, node));
    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof mine, &mine)) CPU_SET(world.rank % CPU_SETSIZE, &mine); /* one each, then */
    memcpy(bits, &mine, sizeof mine);
    MPI_CALL(MPI_Allreduce(MPI_IN_PLACE, bits, (int)sizeof bits, MPI_UNSIGNED_CHAR, MPI_BOR, node));
    memcpy(&mine, bits, sizeof mine);
    node_cores = CPU_COUNT(&mine);
}

void comm_start(int *argc, char ***argv) {
    int provided;
    avoid_lockedfile();
    avoid_ucx();
    MPI_CALL(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
    world = comm_of(MPI_COMM_WORLD);
    self = comm_of(MPI_COMM_SELF);
    MPI_Comm node;
    MPI_CALL(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
    look_at_node(node);
    watch_start(node);
    MPI_CALL(MPI_Comm_free(&node));
    err_on_abort(abort_job, world.rank);
    log_init(world.rank == 0);
    start_petsc((*argv)[0]);
}

void comm_stop(void) {
    watch_free();
    PetscOptionsSetValue(NULL, "-options_left", "0");
    PetscFinalize();
    MPI_Finalize();
}

const Comm *comm_world(void) {
    return &world;
}

const Comm *comm_self(void) {
    return &self;
}

int comm_node_ranks(void) {
    return node_ranks;
}

int comm_node_cores(void) {
    return node_cores;
}

Comm *comm_by_node(int *nodes, int **node) {
    MPI_Comm ordered;
    MPI_CALL(MPI_Comm_split(world.mpi, 0, node_leader, &ordered));
    Comm *c = MEM_NEW(Comm, 1);
    *c = comm_of(ordered);
    int *leader = MEM_NEW(int, c->size);
    MPI_CALL(MPI_Allgather(&node_leader, 1, MPI_INT, leader, 1, MPI_INT, ordered));
    *node = MEM_NEW(int, c->size + 1);
    *nodes = 0;
    for (int r = 0; r < c->size; r++)
        if (r == 0 || leader[r] != leader[r - 1]) (*node)[(*nodes)++] = r;
    (*node)[*nodes] = c->size;
    mem_free(leader);
    return c;
}

void comm_library(char *text, size_t size) {
    char version[MPI_MAX_LIBRARY_VERSION_STRING], petsc[256];
    int len;
    MPI_CALL(MPI_Get_library_version(version, &len));
    version[strcspn(version, ",\n")] = 0;
    PetscGetVersion(petsc, sizeof petsc);
    petsc[strcspn(petsc, ",\n")] = 0;
    snprintf(text, size, "%s; %s", version, petsc);
}

MPI_Comm comm_mpi(const Comm *comm) {
    return comm->mpi;
}

Comm *comm_split(const Comm *comm, int color) {
    MPI_Comm part;
    MPI_CALL(MPI_Comm_split(comm->mpi, color < 0 ? MPI_UNDEFINED : color, comm->rank, &part));
    if (part == MPI_COMM_NULL) return NULL;
    Comm *c = MEM_NEW(Comm, 1);
    *c = comm_of(part);
    return c;
}

Comm *comm_split_node(const Comm *comm) {
    MPI_Comm part;
    MPI_CALL(MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &part));
    Comm *c = MEM_NEW(Comm, 1);
    *c = comm_of(part);
    return c;
}

void comm_near(Comm *comm) {
    comm->exchange = exchange_new(comm);
}

void comm_free(Comm *comm) {
    if (!comm) return;
    exchange_free(comm->exchange);
    MPI_CALL(MPI_Comm_free(&comm->mpi));
    mem_free(comm);
}

int comm_rank(const Comm *comm) {
    return comm->rank;
}

int comm_size(const Comm *comm) {
    return comm->size;
}

void comm_barrier(const Comm *comm) {
    MPI_CALL(MPI_Barrier(comm->mpi));
}

static int checked_int(int64_t n) {
    CHECK(n >= 0 && n <= INT_MAX, "%lld elements in one MPI call", (long long)n);
    return (int)n;
}

void comm_bcast(const Comm *comm, void *buf, size_t bytes, int root) {
    if (comm->size == 1) return;
    for (size_t at = 0; at < bytes; at += 1u << 30) {
        size_t n = bytes - at < 1u << 30 ? bytes - at : 1u << 30;
        MPI_CALL(MPI_Bcast((char *)buf + at, (int)n, MPI_BYTE, root, comm->mpi));
    }
}

static void reduce(const Comm *comm, void *x, int64_t n, MPI_Datatype type, MPI_Op op) {
    if (comm->size == 1 || n == 0) return;
    MPI_CALL(MPI_Allreduce(MPI_IN_PLACE, x, checked_int(n), type, op, comm->mpi));
}

void comm_sum_real(const Comm *comm, real *x, int64_t n) {
    if (comm->exchange)
        exchange_sum(comm->exchange, x, n);
    else
        reduce(comm, x, n, MPI_REAL_TYPE, MPI_SUM);
}

void comm_sum_f64(const Comm *comm, double *x, int64_t n) {
    reduce(comm, x, n, MPI_DOUBLE, MPI_SUM);
}

void comm_sum_i64(const Comm *comm, int64_t *x, int64_t n) {
    reduce(comm, x, n, MPI_INT64_T, MPI_SUM);
}

void comm_max_f64(const Comm *comm, double *x, int64_t n) {
    reduce(comm, x, n, MPI_DOUBLE, MPI_MAX);
}

void comm_max_i64(const Comm *comm, int64_t *x, int64_t n) {
    reduce(comm, x, n, MPI_INT64_T, MPI_MAX);
}

bool comm_all(const Comm *comm, bool yes) {
    int all = yes;
    if (comm->size > 1) MPI_CALL(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_LAND, comm->mpi));
    return all;
}

bool comm_same(const Comm *comm, const void *buf, size_t bytes) {
    enum { PIECE = 1 << 16 };
    char piece[PIECE];
    bool same = true;
    for (size_t at = 0; at < bytes && comm_size(comm) > 1; at += PIECE) {
        size_t part = bytes - at < PIECE ? bytes - at : PIECE;
        memcpy(piece, (const char *)buf + at, part);
        comm_bcast(comm, piece, part, 0);
        same = same && !memcmp(piece, (const char *)buf + at, part);
    }
    return comm_all(comm, same);
}

void comm_reduce_scatter_real(const Comm *comm, real *out, const real *x, const int64_t *counts) {
    if (comm->size == 1) {
        memcpy(out, x, (size_t)counts[0] * sizeof *x);
        return;
    }
    if (comm->exchange) {
        exchange_reduce_scatter(comm->exchange, out, x, counts);
        return;
    }
    int *n = MEM_NEW(int, comm->size);
    for (int r = 0; r < comm->size; r++) n[r] = checked_int(counts[r]);
    MPI_CALL(MPI_Reduce_scatter(x, out, n, MPI_REAL_TYPE, MPI_SUM, comm->mpi));
    mem_free(n);
}

void comm_gather_real(const Comm *comm, real *all, const real *mine, int64_t n) {
    if (comm->exchange)
        exchange_gather(comm->exchange, all, mine, n);
    else
        MPI_CALL(MPI_Allgather(mine, checked_int(n), MPI_REAL_TYPE, all, checked_int(n), MPI_REAL_TYPE, comm->mpi));
}

void comm_join_real(const Comm *comm, real *x, const int64_t *first) {
    if (comm->size == 1) return;
    int *n = MEM_NEW(int, comm->size), *at = MEM_NEW(int, comm->size);
    for (int r = 0; r < comm->size; r++) {
        at[r] = checked_int(first[r]);
        n[r] = checked_int(first[r + 1] - first[r]);
    }
    MPI_CALL(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_REAL_TYPE, x, n, at, MPI_REAL_TYPE, comm->mpi));
    mem_free(n);
    mem_free(at);
}

size_t comm_allgather(const Comm *comm, void *all, size_t *counts, const void *mine, size_t bytes) {
    int *n = MEM_NEW(int, comm->size), *at = MEM_NEW(int, comm->size), my = checked_int((int64_t)bytes);
    MPI_CALL(MPI_Allgather(&my, 1, MPI_INT, n, 1, MPI_INT, comm->mpi));
    int64_t total = 0;
    for (int r = 0; r < comm->size; r++) {
        at[r] = checked_int(total);
        total += n[r];
        if (counts) counts[r] = (size_t)n[r];
    }
    if (all) MPI_CALL(MPI_Allgatherv(mine, my, MPI_BYTE, all, n, at, MPI_BYTE, comm->mpi));
    mem_free(n);
    mem_free(at);
    return (size_t)total;
}

CommRequest comm_sum_real_start(const Comm *comm, real *x, int64_t n) {
    CommRequest r = {.comm = comm, .x = x, .n = n};
    if (comm->size == 1 || n == 0 || comm->exchange) return r;
    MPI_Request q;
    MPI_CALL(MPI_Iallreduce(MPI_IN_PLACE, x, checked_int(n), MPI_REAL_TYPE, MPI_SUM, comm->mpi, &q));
    memcpy(&r.handle, &q, sizeof q);
    return r;
}

void comm_wait(CommRequest *request) {
    _Static_assert(sizeof(MPI_Request) <= sizeof request->handle, "a request fits a pointer");
    if (request->comm && request->comm->exchange) comm_sum_real(request->comm, request->x, request->n);
    request->comm = NULL;
    if (!request->handle) return;
    MPI_Request q;
    memcpy(&q, &request->handle, sizeof q);
    MPI_CALL(MPI_Wait(&q, MPI_STATUS_IGNORE));
    request->handle = NULL;
}

Err comm_agree(const Comm *comm, Err err) {
    if (comm->size < 2) return err; /* alone, or before comm_start */
    int first = err.code ? comm->rank : comm->size;
    MPI_CALL(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm->mpi));
    if (first == comm->size) return ERR_NONE;
    comm_bcast(comm, &err, sizeof err, first);
    return err;
}

ProcGrid procgrid_new(const Comm *cell, int dp, int tp) {
    CHECK(dp * tp == cell->size, "a %d x %d grid on %d ranks", dp, tp, cell->size);
    ProcGrid grid = {.cell = cell, .dp = comm_split(cell, cell->rank % tp), .tp = comm_split(cell, cell->rank / tp)};
    comm_near(grid.dp);
    comm_near(grid.tp);
    return grid;
}

void procgrid_free(ProcGrid *grid) {
    comm_free(grid->dp);
    comm_free(grid->tp);
    *grid = (ProcGrid){0};
}

struct Counters {
    MPI_Win win;
    int64_t *at; /* window memory on rank 0 */
};

Counters *counters_new(const Comm *comm, int n) {
    Counters *c = MEM_NEW(Counters, 1);
    MPI_Aint bytes = comm->rank == 0 ? n * (MPI_Aint)sizeof(int64_t) : 0;
    MPI_CALL(MPI_Win_allocate(bytes, sizeof(int64_t), MPI_INFO_NULL, comm->mpi, &c->at, &c->win));
    if (comm->rank == 0) memset(c->at, 0, (size_t)bytes);
    MPI_CALL(MPI_Win_lock_all(0, c->win));
    MPI_CALL(MPI_Win_sync(c->win));
    MPI_CALL(MPI_Barrier(comm->mpi));
    return c;
}

int64_t counter_add(Counters *counters, int i, int64_t amount) {
    int64_t before;
    MPI_CALL(MPI_Fetch_and_op(&amount, &before, MPI_INT64_T, 0, i, MPI_SUM, counters->win));
    MPI_CALL(MPI_Win_flush(0, counters->win));
    return before;
}

void counters_free(Counters *counters) {
    MPI_CALL(MPI_Win_unlock_all(counters->win));
    MPI_CALL(MPI_Win_free(&counters->win));
    mem_free(counters);
}

void comm_answer(void) {
    int there;
    MPI_CALL(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, self.mpi, &there, MPI_STATUS_IGNORE));
}
