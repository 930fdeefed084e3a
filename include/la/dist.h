/** Dense double matrices spread block-cyclically over a two-dimensional grid of ranks, as ScaLAPACK wants them: entry
 *  (i, j) is on process row (i / block) mod P, column (j / block) mod Q.
 *
 *  Every function is collective on the grid's communicator unless it says otherwise. Results agree to rounding for
 *  different numbers of ranks, not to the bit: the order of sums follows the grid. */
#pragma once

#include "par/comm.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct DistGrid DistGrid;

/** P x Q = all ranks of comm, as square as they divide. */
DistGrid *dist_grid_new(const Comm *comm);
void dist_grid_free(DistGrid *grid);

typedef struct DistMatrix {
    const DistGrid *grid;
    int64_t rows, cols, block;
    int64_t local_rows, local_cols;
    double *a;   /* (local_cols, local_rows): column-major, leading dimension local_rows (at least 1); owned */
    int desc[9]; /* ScaLAPACK's descriptor */
} DistMatrix;

/** Zero-filled. Square blocks. */
DistMatrix dist_new(const DistGrid *grid, int64_t rows, int64_t cols, int64_t block);
void dist_free(DistMatrix *m);

/** Global index of local row i, column j. Not collective. */
int64_t dist_row(const DistMatrix *m, int64_t i);
int64_t dist_col(const DistMatrix *m, int64_t j);

/** Cholesky A = L L', in place in the lower triangle. False, on every rank, when A is not positive definite.
 *  Cost: rows^3/3 FLOP over all ranks. */
bool dist_cholesky(DistMatrix *a);

/** From the factor: log det A; B := A^-1 B; B := L^-1 B; and the lower triangle of A^-1 in place of L. Cost with n rows
 *  and m right-hand sides: n; 2 n^2 m; n^2 m; 2/3 n^3 FLOP. */
double dist_log_det(const DistMatrix *l);
void dist_solve(DistMatrix *b, const DistMatrix *l);
void dist_solve_lower(DistMatrix *b, const DistMatrix *l);
void dist_invert(DistMatrix *l);

/** C = A' B. */
void dist_multiply_tn(DistMatrix *c, const DistMatrix *a, const DistMatrix *b);

/** Between a distributed matrix and a row-major copy on every rank (rows, cols). put is not collective. */
void dist_put(DistMatrix *m, const double *full);
void dist_get(double *full, const DistMatrix *m);
