/** The table of parameters of a model: sizes, offsets, shards, initialisation, gradients, checkpoints and optimiser
 *  state all come from it.
 *
 *  Each tensor has a reference layout (the names, shapes and channel orders of the reference implementation, in which
 *  weights are exchanged) and a local one (what this tensor-parallel rank stores, in the order its kernels like). They
 *  are tied by axes: an axis of length parts*groups*inner has element (part, group, inner) at
 *      reference  part*groups*inner + group*inner + inner         (or + inner*groups + group where group_fastest)
 *      local      part*(groups/tp)*inner + (group - first)*inner + inner
 *  Heads, channels of a head, and q, k, v stacked in one matrix are groups, inner and parts. Storage order of the axes
 *  may differ too (`order`).
 *
 *  Not collective. */
#pragma once

#include "base/arena.h"
#include "base/real.h"

#include <stdbool.h>
#include <stdint.h>

enum { PARAM_NAME = 96, PARAM_AXES = 3, PARAM_BASIS = 9 };

typedef struct Axis {
    int parts, groups, inner;
    bool group_fastest; /* reference order within a part */
    bool split;         /* groups are divided over the tensor-parallel ranks */
} Axis;

Axis axis_plain(int n); /* whole on every rank */
Axis axis_split(int n); /* n channels divided over tp */
Axis axis_heads(int parts, int heads, int inner, bool group_fastest, bool split);
int axis_size(const Axis *axis, int tp); /* local length; tp = 1: the full one */

typedef struct Param {
    char name[PARAM_NAME]; /* the reference's */
    int axes;              /* 1 to 3 */
    Axis axis[PARAM_AXES]; /* in reference order, e.g. (out, in, basis) */
    int order[PARAM_AXES]; /* storage: order[0] is the slowest axis; {0,1,2} is the reference's order */
    int block;             /* its gradient is complete when backward reports this block: see model_backward */
    bool partial;          /* replicated tensor of which each tp rank computes a part of the gradient */
    double centre, half[PARAM_BASIS]; /* initialised uniformly in centre +- half[index on the last axis if axes == 3] */
    int64_t offset, count;            /* in the local vector, in elements */
} Param;

typedef struct ParamTable {
    int n, capacity;
    int tp, tp_rank;
    Param *at;
    int64_t local;  /* elements of the local vector; tensors are padded to 16 elements, padding stays 0 */
    int64_t global; /* trainable parameters of the whole model: N */
    int blocks;     /* number of gradient blocks */
} ParamTable;

ParamTable param_table_new(int tp, int tp_rank);
void param_table_free(ParamTable *table);

/** Appends a tensor and returns its offset in the local vector. Tensors of one block must be appended together, so that
 *  a block is one run of the local vector. name: a format. */
typedef struct ParamInit {
    double centre, half[PARAM_BASIS];
} ParamInit;
int64_t param_add(ParamTable *table, int block, const Axis *axis, int axes, const int *order, bool partial,
                  ParamInit init, const char *name, ...) __attribute__((format(printf, 8, 9)));
ParamInit param_uniform(double half); /* centre 0, the same half everywhere */

/** First element and length of a gradient block in the local vector. */
int64_t param_block(const ParamTable *table, int block, int64_t *offset);

/** The tensor of that name; NULL when there is none. */
const Param *param_find(const ParamTable *table, const char *name);

/** A name that two tensors have, who would share initialisation and place in a checkpoint; NULL: there is none. */
const char *param_twice(const ParamTable *table);

int64_t param_size(const Param *param); /* elements of the full tensor */
bool param_split(const Param *param);   /* whether an axis is divided over tp; else the tensor is whole on every rank */

/** Index in the full tensor, reference layout, of local element `i`. */
int64_t param_global(const ParamTable *table, const Param *param, int64_t i);

/** Fills the local vector: element g of tensor t is a function of (seed, name of t, g), whatever tp is. */
void param_init(real *theta, const ParamTable *table, uint64_t seed);

/** Local part of a full tensor in reference layout, and back: scatter adds each rank's part into `full`, which holds
 *  zeros elsewhere; replicated elements are written by tp_rank 0 only, so that a sum over tp gives the full tensor. */
void param_take(real *theta, const ParamTable *table, const Param *param, const double *full);
void param_give(double *full, const ParamTable *table, const Param *param, const real *theta);

/** The same of a rank that has elements first .. first+count-1 of the local vector only, at `run`: the others are left. */
typedef struct ParamRun {
    int64_t first, count;
    real *run;
} ParamRun;
void param_take_run(ParamRun to, const ParamTable *table, const Param *param, const double *full);
void param_give_run(double *full, const ParamTable *table, const Param *param, ParamRun from);
