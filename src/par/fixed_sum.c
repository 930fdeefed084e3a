#include "par/fixed_sum.h"

#include "base/arena.h"
#include "par/comm_mpi.h"

#include <limits.h>
#include <string.h>

#ifdef EQ_DOUBLE
#define MPI_REAL_TYPE MPI_DOUBLE
#else
#define MPI_REAL_TYPE MPI_FLOAT
#endif

enum { LEVELS = 40 }; /* of more units than a batch will ever have */

/* A node of the tree: units index * 2^level up to the next node's first. */
typedef struct Node {
    int level;
    int64_t index;
} Node;

/* Nodes that are complete and wait for their sibling, from left to right; the vector of node i is at[i]. Where the vectors
 * are NULL only the nodes are worked out. */
typedef struct Stack {
    int64_t units, length;
    int n, most;
    Node node[2 * LEVELS];
    real *at[2 * LEVELS];
} Stack;

struct FixedSum {
    const Comm *comm;
    int64_t first, count, next; /* units of this rank, and how many it has added */
    Stack mine, all;            /* of whole vectors; of this rank's part of the elements, over all ranks */
    Node **node;                /* (ranks) what each rank holds in the end, */
    int *nodes;                 /* and how many */
    int64_t *part;              /* (ranks + 1) first element of each rank's part */
    real *received;             /* nodes of all ranks, this rank's part of each */
    int *counts, *starts;       /* (ranks) of the parts, for MPI */
    MPI_Request *request;
};

int64_t fixed_sum_first(int64_t units, int r, int size) {
    return units * r / size;
}

/* ---- The tree. ---- */

static void add_to(real *restrict sum, const real *restrict x, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

/* A left child without a sibling is its parent. */
static Node promoted(Node node, int64_t units) {
    while (node.index % 2 == 0 && node.level < LEVELS - 2 && ((node.index + 1) << node.level) >= units &&
           node.index > 0) {
        node.level++;
        node.index /= 2;
    }
    return node;
}

static bool is_sibling(Node left, Node right) {
    return left.level == right.level && left.index + 1 == right.index && left.index % 2 == 0;
}

/* The next node to the right; x is added to its left sibling where that waits, and copied otherwise. */
static void push(Stack *s, Node node, const real *x) {
    node = promoted(node, s->units);
    bool held = false; /* the node is on top already */
    while (s->n > held && is_sibling(s->node[s->n - 1 - held], node)) {
        if (x) add_to(s->at[s->n - 1 - held], held ? s->at[s->n - 1] : x, s->length);
        s->n -= held;
        held = true;
        node = promoted((Node){node.level + 1, node.index / 2}, s->units);
        s->node[s->n - 1] = node;
    }
    if (held) return;
    if (x) memcpy(s->at[s->n], x, (size_t)s->length * sizeof *x);
    s->node[s->n++] = node;
    if (s->n > s->most) s->most = s->n;
}

/* The nodes that a rank with these units ends with. */
static Stack nodes_of(int64_t units, int64_t first, int64_t end) {
    Stack s = {.units = units};
    for (int64_t i = first; i < end; i++) push(&s, (Node){0, i}, NULL);
    return s;
}

/* ---- Memory. ---- */

/* What a rank of `size` needs: vectors of its own, parts of all nodes and vectors of such parts. Rank ANY: the most that one
 * of them needs, which is not always the first or the last: it depends on where in the tree its units stand. */
enum { ANY = -1 };
typedef struct Needs {
    int own, received, joined;
} Needs;

static Needs needs_of(int64_t units, int r, int size) {
    Needs n = {0};
    Stack joined = {.units = units};
    for (int k = 0; k < size; k++) {
        Stack s = nodes_of(units, fixed_sum_first(units, k, size), fixed_sum_first(units, k + 1, size));
        if (k == r || (r == ANY && s.most > n.own)) n.own = s.most;
        n.received += s.n;
        for (int i = 0; i < s.n; i++) push(&joined, s.node[i], NULL);
    }
    n.joined = joined.most;
    return n;
}

static int64_t part_first(int64_t length, int r, int size) {
    return length * r / size;
}

int64_t fixed_sum_bytes(int64_t units, int64_t length, int size) {
    int64_t part = (length + size - 1) / size;
    Needs n = needs_of(units, ANY, size);
    int64_t elements = n.own * length + (size > 1 ? (n.received + n.joined) * part : 0);
    return (int64_t)sizeof(FixedSum) + elements * (int64_t)sizeof(real);
}

static void stack_room(Stack *s, int vectors, int64_t length) {
    s->length = length;
    for (int i = 0; i < vectors; i++) s->at[i] = MEM_NEW(real, length);
}

FixedSum *fixed_sum_new(const Comm *comm, int64_t units, int64_t length) {
    int size = comm_size(comm), me = comm_rank(comm);
    FixedSum *s = MEM_NEW(FixedSum, 1);
    Needs needs = needs_of(units, me, size);
    *s = (FixedSum){.comm = comm, .first = fixed_sum_first(units, me, size), .mine.units = units, .all.units = units};
    s->count = fixed_sum_first(units, me + 1, size) - s->first;
    stack_room(&s->mine, needs.own, length);
    s->node = MEM_NEW(Node *, size);
    s->nodes = MEM_NEW(int, size);
    s->part = MEM_NEW(int64_t, size + 1);
    s->counts = MEM_NEW(int, size);
    s->starts = MEM_NEW(int, size);
    for (int r = 0; r < size; r++) {
        Stack held = nodes_of(units, fixed_sum_first(units, r, size), fixed_sum_first(units, r + 1, size));
        s->node[r] = MEM_NEW(Node, held.n);
        memcpy(s->node[r], held.node, (size_t)held.n * sizeof *held.node);
        s->nodes[r] = held.n;
        s->part[r + 1] = part_first(length, r + 1, size);
        CHECK(s->part[r + 1] <= INT_MAX, "%lld elements in one MPI call", (long long)s->part[r + 1]);
        s->starts[r] = (int)s->part[r];
        s->counts[r] = (int)(s->part[r + 1] - s->part[r]);
    }
    if (size == 1) return s;
    stack_room(&s->all, needs.joined, s->counts[me]);
    s->received = MEM_NEW(real, needs.received * s->counts[me]);
    s->request = MEM_NEW(MPI_Request, needs.received + needs.own * size);
    return s;
}

void fixed_sum_free(FixedSum *s) {
    if (!s) return;
    for (int i = 0; i < 2 * LEVELS; i++) {
        mem_free(s->mine.at[i]);
        mem_free(s->all.at[i]);
    }
    for (int r = 0; r < comm_size(s->comm); r++) mem_free(s->node[r]);
    mem_free(s->node);
    mem_free(s->nodes);
    mem_free(s->part);
    mem_free(s->counts);
    mem_free(s->starts);
    mem_free(s->received);
    mem_free(s->request);
    mem_free(s);
}

/* ---- Adding. ---- */

int64_t fixed_sum_add(FixedSum *s, const real *x) {
    CHECK(s->next < s->count, "more than %lld units on a rank", (long long)s->count);
    int64_t unit = s->first + s->next++;
    push(&s->mine, (Node){0, unit}, x);
    return unit;
}

/* Every rank's nodes, this rank's part of each, one after the other in s->received. */
static void exchange(FixedSum *s) {
    enum { TAG = 17 };
    int size = comm_size(s->comm), me = comm_rank(s->comm), n = 0;
    int64_t part = s->counts[me];
    MPI_Comm comm = comm_mpi(s->comm);
    real *to = s->received;
    for (int r = 0; r < size; r++) {
        int64_t elements = s->nodes[r] * part;
        CHECK(elements <= INT_MAX, "%lld elements in one MPI call", (long long)elements);
        for (int i = 0; r != me && i < s->nodes[r]; i++)
            MPI_CALL(MPI_Irecv(to + i * part, (int)part, MPI_REAL_TYPE, r, TAG + i, comm, &s->request[n++]));
        for (int i = 0; r == me && i < s->nodes[r]; i++)
            memcpy(to + i * part, s->mine.at[i] + s->part[me], (size_t)part * sizeof *to);
        to += elements;
    }
    for (int r = 0; r < size; r++)
        for (int i = 0; r != me && i < s->nodes[me]; i++)
            MPI_CALL(
                MPI_Isend(s->mine.at[i] + s->part[r], s->counts[r], MPI_REAL_TYPE, r, TAG + i, comm, &s->request[n++]));
    MPI_CALL(MPI_Waitall(n, s->request, MPI_STATUSES_IGNORE));
}

void fixed_sum_end(FixedSum *s, real *out) {
    int me = comm_rank(s->comm);
    CHECK(s->next == s->count, "%lld of %lld units", (long long)s->next, (long long)s->count);
    s->next = 0;
    if (comm_size(s->comm) == 1) {
        memcpy(out, s->mine.at[0], (size_t)s->mine.length * sizeof *out);
        s->mine.n = 0;
        return;
    }
    exchange(s);
    const real *x = s->received;
    for (int r = 0; r < comm_size(s->comm); r++)
        for (int i = 0; i < s->nodes[r]; i++, x += s->counts[me]) push(&s->all, s->node[r][i], x);
    CHECK(s->all.n == 1, "%d nodes are left of a tree", s->all.n);
    s->mine.n = s->all.n = 0;
    memcpy(out + s->part[me], s->all.at[0], (size_t)s->counts[me] * sizeof *out);
    MPI_CALL(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, out, s->counts, s->starts, MPI_REAL_TYPE,
                            comm_mpi(s->comm)));
}
