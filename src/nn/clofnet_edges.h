/** Edges of a set of points with a frame each, as ClofNet has them (Du et al. 2022, arXiv 2110.14811, and its code):
 *      a = (p_i - p_j)/(|p_i - p_j| + 1),   b = (p_i x p_j)/(|p_i x p_j| + 1),   c = a x b
 *  at right angles, not of unit length. Where p_i and p_j lie nearly in line with the origin, |b| < 1e-3, b is made of
 *  (p_i - p_j) x u instead, u the direction of gravity [ours: the code has no guard]. Every frame turns with the scene; b is an
 *  axial vector, which no mirror image takes to its own: the model is equivariant under rotations alone.
 *
 *  Edges of a sequence: all ordered pairs i != j, those of i together, in the order of j. Private to nn. Not collective.
 *  Errors: none. */
#pragma once

#include "nn/model.h"

enum {
    EDGE_FRAME = 9,   /* a, b, c */
    EDGE_VECTORS = 6, /* that are projected: p_i, p_j, v_i, v_j, u, the foot of the origin on the floor */
    EDGE_INPUTS = 3 * EDGE_VECTORS + 2 + 2 * SCENE_BODY /* projections, distance, same body, both bodies' parameters */
};

/** A token of the inputs: vectors, then what turns with nothing. */
enum {
    TOKEN_POSITION = 0,
    TOKEN_VELOCITY = 3,
    TOKEN_GRAVITY = 6,
    TOKEN_FOOT = 9,
    TOKEN_NORMAL = 12,
    TOKEN_SCALARS = 15
};

/** Edges of T tokens. */
static inline int64_t edges_of(int64_t tokens) {
    return tokens * (tokens - 1);
}

/** frame (edges, EDGE_FRAME) and input (edges, EDGE_INPUTS) of all sequences. rows (tokens, row): inputs of the model, of which
 *  the last `slots` say which body. */
void edges_fill(real *frame, real *input, const real *rows, int row, int slots, const Packed *seqs);

/** out (edges) = log(1 + |x_i - x_j|^2), a distance that stays moderate. dx gains what dout says of it. */
void edges_distance(real *out, const real *x, const Packed *seqs);
void edges_distance_backward(real *dx, const real *dout, const real *x, const Packed *seqs);
