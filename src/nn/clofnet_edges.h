/** Edges of a set of points with a frame each, as ClofNet has them (Du et al. 2022, arXiv 2110.14811, and its code):
 *      a = (p_i - p_j)/(|p_i - p_j| + 1),   b = (p_i x p_j)/(|p_i x p_j| + 1),   c = a x b
 *  at right angles, not of unit length. Where p_i and p_j lie nearly in line with the origin, |b| < 1e-3, b is made of
 *  (p_i - p_j) x u instead, u the direction of gravity [ours: the code has no guard]. Every frame turns with the scene; b is an
 *  axial vector, which no mirror image takes to its own: the model is equivariant under rotations alone.
 *
 *  Edges of a sequence: ordered pairs i != j, those of i together, in the order of j: all of them, or
 *  (`clofnet.neighbours`) those to all tokens of i's own body and to the nearest `neighbours` tokens of other bodies. How many these are depends on the
 *  sizes of bodies alone, not on where they are, so that work can be counted before. An edge counts in sums with its share: 1,
 *  but falling to 0 where the other end is about as far as the nearest that is no neighbour [ours], so that whoever of two
 *  at the same distance is taken adds nothing, and what a model says is continuous. Private to nn. Not collective. Errors:
 *  none. */
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

/** Tokens as the model is given them: (tokens, row) numbers, of which the last `slots` say which body. */
typedef struct EdgeTokens {
    const real *rows;
    int row, slots;
    const Packed *seqs;
} EdgeTokens;

/** The edges of a batch. */
typedef struct Edges {
    int64_t tokens;
    int64_t *first; /* (tokens + 1) of each token's edges; the last: how many there are */
    int32_t *other; /* (edges) the token at the other end */
    real *share;    /* (edges) */
    double *square; /* (max_length) scratch */
} Edges;

/** Room for edges of up to so many tokens in sequences of at most max_length. Called twice, to count and to place. */
void edges_layout(Edges *edges, int64_t max_tokens, int64_t max_length, Arena *arena);

/** All pairs where neighbours is 0. */
void edges_choose(Edges *edges, const EdgeTokens *tokens, int neighbours);

/** How many those are where tokens are of these bodies, 0 .. slots-1. */
double edges_count(const int32_t *body, int slots, int neighbours, const Packed *seqs);

/** frame (edges, EDGE_FRAME) and input (edges, EDGE_INPUTS) of all of them. */
void edges_fill(real *frame, real *input, const Edges *edges, const EdgeTokens *tokens);

/** The frames alone, of these points (tokens, 3). dx gains what dframe says of them. */
void edges_frames(real *frame, const Edges *edges, const EdgeTokens *tokens, const real *x);
void edges_frames_backward(real *dx, const real *dframe, const Edges *edges, const EdgeTokens *tokens, const real *x);

/** out (edges) = log(1 + |x_i - x_j|^2), a distance that stays moderate. dx gains what dout says of it. */
void edges_distance(real *out, const Edges *edges, const real *x);
void edges_distance_backward(real *dx, const real *dout, const Edges *edges, const real *x);
