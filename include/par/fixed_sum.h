/** Sums over ranks whose bits do not depend on the ranks. n vectors, the units, are added in one binary tree: a unit is a
 *  leaf, and node k of level l is node 2k plus node 2k+1 of level l-1, or the former alone where the latter lies beyond the
 *  last unit. Rank r adds up the nodes that lie within its own units as these come, then every rank takes one part of the
 *  elements, is sent all nodes that the others hold of that part, finishes the tree on it, and all parts go to everybody.
 *
 *  So any number of ranks gives the bits of one. (The order of summation is fixed as in pairwise summation, Higham 1993,
 *  doi 10.1137/0914050, which also loses fewer digits than one running sum.) */
#pragma once

#include "par/comm.h"

typedef struct FixedSum FixedSum;

/** Units of rank r of `size`: first, and the next rank's first. Not collective. */
int64_t fixed_sum_first(int64_t units, int r, int size);

/** For sums of `units` vectors of `length` elements each over comm. Not collective. */
FixedSum *fixed_sum_new(const Comm *comm, int64_t units, int64_t length);
void fixed_sum_free(FixedSum *sum);

/** Bytes that fixed_sum_new takes, at most, on a rank of `size`: about log2 of its units vectors, and of others' nodes a
 *  vector or two. */
int64_t fixed_sum_bytes(int64_t units, int64_t length, int size);

/** The next unit of this rank; x (length) is copied. The unit's number is returned. Not collective. Cost: one or two
 *  passes of memory, on average, for each unit. */
int64_t fixed_sum_add(FixedSum *sum, const real *x);

/** The whole sum in out (length), once every rank has added all of its units; the next sum may start. Collective. Cost: each
 *  rank sends every node that it holds, one where its units are a node and at most 2 log2 of their number, and as much as
 *  an all-gather of the sum. */
void fixed_sum_end(FixedSum *sum, real *out);
