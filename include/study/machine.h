/** The machine that a study runs on, or would run on: its ranks and nodes, and what a sum over them costs.
 *
 *  Here it is measured on the job's own ranks. A described one is a file of keys machine.* (input/machines/), whose figures
 *  are its vendor's or assumed, as the file says. A sum over p ranks of a node, m nodes:
 *      ceil(log2 p) latency + 2 (p-1)/p bytes / bandwidth      within a node, bandwidth of a rank
 *    + ceil(log2 m) latency + 2 (m-1)/m bytes / bandwidth      between nodes, bandwidth of a node, shared by its groups
 *  recursive doubling for the latency, reduce-scatter and allgather for the bytes (Rabenseifner 2004).
 *  Seconds, bytes, FLOP/s. */
#pragma once

#include "par/options.h"
#include "study/calibration.h"

/** How a figure is known, the least certain last. */
typedef enum Known {
    KNOWN_MEASURED,     /* here, at the size that is asked for */
    KNOWN_SCALED,       /* here, on a part of it: scaled by FLOP */
    KNOWN_EXTRAPOLATED, /* from something else that was measured here */
    KNOWN_DESCRIBED,    /* as the machine's file says */
    KNOWN_WAYS
} Known;
const char *known_name(Known known);

typedef struct Link {
    double latency, bandwidth;
    Known known;
} Link;

typedef struct Machine {
    char name[OPTION_TEXT];
    int ranks, nodes, *node; /* as par/comm.h, comm_by_node; owned */
    int node_ranks;          /* the most ranks on a node */
    double cores;            /* of a rank: less than 1 where ranks share cores */
    double node_bytes;       /* memory of a node */
    Link near, far;          /* within a node, between nodes */
    double rate;             /* described: FLOP/s of a rank in training; 0: to be measured */
    double stream;           /* described: bytes/s of memory that a rank has */
} Machine;

/** This one, with the ranks of the job. memory: MiB of a node; 0: what it has.
 *  Collective on the world. Cost: some milliseconds where sums are not in the calibration yet. */
void machine_here(Machine *machine, Calibration *calibration, int64_t memory);

/** The same with another number of ranks, on nodes like those of the job: as many to a node as it has cores, or as the job has there
 *  if these are more. Collective on the world. */
void machine_resize(Machine *machine, int ranks);

/** The one that a file describes, with `ranks` ranks. memory: MiB of a node; 0: what the file says. Errors: unknown keys, figures
 *  out of range, more ranks than it has. Collective on the world. */
Err machine_read(Machine *machine, const char *path, int ranks, int64_t memory);
void machine_free(Machine *machine);

/** Seconds of a sum of `bytes` bytes over `ranks` ranks that stand `stride` apart, while those between them do the same. */
double machine_sum_seconds(const Machine *machine, int ranks, int stride, double bytes);

extern const KeySpec machine_keys[];
extern const int n_machine_keys;
