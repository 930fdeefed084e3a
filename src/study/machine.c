#include "study/machine.h"

#include "base/arena.h"
#include "base/memory.h"
#include "base/real.h"
#include "base/timer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *known_name(Known known) {
    static const char *const name[KNOWN_WAYS] = {"measured", "scaled", "extrapolated", "described"};
    return name[known];
}

/* ---- What a sum costs. ---- */

static double stages(double ranks) {
    return ranks > 1 ? ceil(log2(ranks)) : 0;
}

/* Bytes that a sum moves, of those that it is of. */
static double moved(double ranks) {
    return 2 * (ranks - 1) / ranks;
}

double machine_sum_seconds(const Machine *m, int ranks, int stride, double bytes) {
    if (ranks < 2) return 0;
    int here = m->node_ranks / stride; /* of the group on a node */
    if (here < 1) here = 1;
    if (here > ranks) here = ranks;
    int nodes = (ranks + here - 1) / here, groups = stride < m->node_ranks ? stride : m->node_ranks;
    double seconds = stages(here) * m->near.latency + moved(here) * bytes / m->near.bandwidth;
    if (nodes == 1) return seconds;
    return seconds + stages(nodes) * m->far.latency + groups * moved(nodes) * bytes / m->far.bandwidth;
}

/* ---- This machine. ---- */

enum { SUM_WORDS = 1 << 18, SMALL_SUMS = 30, LARGE_SUMS = 5, ROWS_OF_SUMS = 3 };

/* Seconds of a sum of n numbers over a communicator: the average of some in a row, the least of a few rows. A single one says little:
 * the rank that comes last finds all others waiting, and where ranks share a core each comes last now and then. */
static double time_sums(const Comm *comm, real *x, int64_t n, int sums) {
    double least = INFINITY;
    for (int row = 0; row < ROWS_OF_SUMS; row++) {
        comm_sum_real(comm, x, n);
        double start = timer_now();
        for (int i = 0; i < sums; i++) comm_sum_real(comm, x, n);
        double average = (timer_now() - start) / sums;
        comm_max_f64(comm, &average, 1);
        least = fmin(least, average);
    }
    return least;
}

/* Latency and bandwidth from sums of one number and of many; `below` is what their part within nodes takes. */
static Link link_of(const double seconds[2], const double below[2], double ranks) {
    const double least = 1e-9, bytes = SUM_WORDS * sizeof(real);
    double small = fmax(seconds[0] - below[0], least), large = fmax(seconds[1] - below[1] - small, least);
    return (Link){.latency = small / stages(ranks), .bandwidth = moved(ranks) * bytes / large};
}

/* Collective on the world. */
static void measure_links(Machine *m, const Comm *all, int my_node) {
    real *x = MEM_NEW(real, SUM_WORDS);
    const double none[2] = {0};
    Comm *node = comm_split(all, my_node);
    comm_near(node); /* as procgrid_new does */
    double seconds[2] = {0}, within[2];
    if (comm_size(node) > 1) {
        seconds[0] = time_sums(node, x, 1, SMALL_SUMS);
        seconds[1] = time_sums(node, x, SUM_WORDS, LARGE_SUMS);
    }
    comm_max_f64(all, seconds, 2);
    if (m->node_ranks > 1) m->near = link_of(seconds, none, m->node_ranks);
    if (m->nodes > 1) {
        memcpy(within, seconds, sizeof within);
        seconds[0] = time_sums(all, x, 1, SMALL_SUMS);
        seconds[1] = time_sums(all, x, SUM_WORDS, LARGE_SUMS);
        comm_max_f64(all, seconds, 2);
        m->far = link_of(seconds, within, m->nodes);
    }
    comm_free(node);
    mem_free(x);
}

/* `ranks` on nodes of node_ranks each, but for the last. */
static void set_nodes(Machine *m, int ranks, int node_ranks) {
    m->ranks = ranks;
    m->nodes = (ranks + node_ranks - 1) / node_ranks;
    m->node_ranks = ranks < node_ranks ? ranks : node_ranks;
    mem_free(m->node);
    m->node = MEM_NEW(int, m->nodes + 1);
    for (int i = 0; i < m->nodes; i++) m->node[i] = i * node_ranks;
    m->node[m->nodes] = ranks;
}

/* Links from the calibration, or measured into it. */
static void find_links(Machine *m, Calibration *c, const Comm *all) {
    char name[CALIBRATION_NAME];
    int my_node = 0;
    snprintf(name, sizeof name, "sums %d ranks %d nodes %.3f cores", m->ranks, m->nodes, m->cores);
    const double *kept = calibration_get(c, name);
    while (m->node[my_node + 1] <= comm_rank(all)) my_node++;
    if (kept) {
        m->near = (Link){.latency = kept[0], .bandwidth = kept[1]};
        m->far = (Link){.latency = kept[2], .bandwidth = kept[3]};
        return;
    }
    measure_links(m, all, my_node);
    const double found[CALIBRATION_NUMBERS] = {m->near.latency, m->near.bandwidth, m->far.latency, m->far.bandwidth};
    if (m->ranks > 1) calibration_put(c, name, found);
}

/* What no sum was measured for: within a node as a copy of memory and a wake-up, between nodes as within one. */
static void guess_links(Machine *m) {
    const Link usual = {.latency = 1e-6, .bandwidth = 5e9, .known = KNOWN_EXTRAPOLATED};
    if (m->near.bandwidth <= 0) m->near = usual;
    if (m->far.bandwidth <= 0) {
        m->far = m->near;
        m->far.known = KNOWN_EXTRAPOLATED;
    }
}

void machine_here(Machine *m, Calibration *calibration, int64_t memory) {
    const Comm *world = comm_world();
    *m = (Machine){.node_bytes = (double)(memory ? memory << 20 : memory_bytes())};
    double most[2] = {comm_node_ranks(), -(double)comm_node_cores() / comm_node_ranks()};
    comm_max_f64(world, most, 2);
    comm_max_f64(world, &m->node_bytes, 1);
    Comm *all = comm_by_node(&m->nodes, &m->node);
    m->ranks = comm_size(all);
    m->node_ranks = (int)most[0];
    m->cores = fmin(1, -most[1]);
    snprintf(m->name, sizeof m->name, "this machine");
    find_links(m, calibration, all);
    guess_links(m);
    comm_free(all);
}

void machine_resize(Machine *m, int ranks) {
    if (ranks == m->ranks) return;
    double fewest = -(double)comm_node_cores();
    comm_max_f64(comm_world(), &fewest, 1);
    int cores = -(int)fewest;
    m->near.known = m->far.known = KNOWN_EXTRAPOLATED;
    set_nodes(m, ranks, cores > m->node_ranks ? cores : m->node_ranks);
    m->cores = fmin(1, (double)cores / m->node_ranks);
}

void machine_free(Machine *m) {
    mem_free(m->node);
    *m = (Machine){0};
}

/* ---- A described one. ---- */

typedef struct Description {
    char name[OPTION_TEXT];
    int64_t nodes, node_ranks;
    double memory, peak, share, stream;
    double near_latency, near_bandwidth, far_latency, far_bandwidth;
} Description;

#define AT(member) offsetof(Description, member)
const KeySpec machine_keys[] = {
    {"machine.name", KEY_WORD, AT(name), NULL, 0, 0, NULL, "1", "its name"},
    {"machine.nodes", KEY_INT, AT(nodes), NULL, 1, 1 << 24, NULL, "nodes", "how many it has"},
    {"machine.node_ranks", KEY_INT, AT(node_ranks), NULL, 1, 4096, NULL, "ranks", "cores of a node, one rank each"},
    {"machine.memory", KEY_REAL, AT(memory), NULL, 1, 1e6, NULL, "GiB", "memory of a node"},
    {"machine.peak", KEY_REAL, AT(peak), NULL, 1e6, 1e16, NULL, "FLOP/s", "peak of a core in single precision"},
    {"machine.share", KEY_REAL, AT(share), NULL, 1e-4, 1, NULL, "1", "of that peak that training reaches: assumed"},
    {"machine.stream", KEY_REAL, AT(stream), NULL, 1e6, 1e15, NULL, "bytes/s",
     "memory bandwidth of a core, all at work"},
    {"machine.latency_node", KEY_REAL, AT(near_latency), NULL, 1e-9, 1, NULL, "s", "of a message within a node"},
    {"machine.bandwidth_node", KEY_REAL, AT(near_bandwidth), NULL, 1e6, 1e15, NULL, "bytes/s",
     "between ranks of a node, of each rank"},
    {"machine.latency_network", KEY_REAL, AT(far_latency), NULL, 1e-9, 1, NULL, "s", "of a message between nodes"},
    {"machine.bandwidth_network", KEY_REAL, AT(far_bandwidth), NULL, 1e6, 1e15, NULL, "bytes/s", "of a node, one way"},
};
#undef AT
const int n_machine_keys = sizeof machine_keys / sizeof *machine_keys;

Err machine_read(Machine *m, const char *path, int ranks, int64_t memory) {
    Description d;
    *m = (Machine){0};
    char *nothing[] = {NULL};
    TRY(options_load(path, 1, nothing));
    TRY(options_only("machine"));
    TRY(options_read(&d, machine_keys, n_machine_keys));
    TRY(options_unknown());
    if (ranks > d.nodes * d.node_ranks)
        return err_user("%s: %s has %lld nodes of %lld ranks: want -ranks of at most %lld", options_source(), d.name,
                        (long long)d.nodes, (long long)d.node_ranks, (long long)(d.nodes * d.node_ranks));
    set_nodes(m, ranks, (int)d.node_ranks);
    snprintf(m->name, sizeof m->name, "%s", d.name);
    m->cores = 1;
    m->node_bytes = memory ? (double)(memory << 20) : d.memory * (1 << 30);
    m->near = (Link){d.near_latency, d.near_bandwidth, KNOWN_DESCRIBED};
    m->far = (Link){d.far_latency, d.far_bandwidth, KNOWN_DESCRIBED};
    m->rate = d.peak * d.share;
    m->stream = d.stream;
    return ERR_NONE;
}
