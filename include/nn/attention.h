/** Softmax attention over packed sequences, for any number of heads, with shared keys and values where kv_heads == 1:
 *      out = softmax(scale q k^T) v     per sequence and head
 *  The features are given; projections, distances and the split of heads are the caller's (Vaswani et al. 2017, eq. 1).
 *  Head h of token t starts at q.at + t*q.token + h*q.head, so both [token][head][feature] and [head][token][feature]
 *  layouts, and slices of a wider product, do without copies.
 *
 *  Not collective. Errors: none. Cost forward: 2 heads sum_s T_s^2 (dq + dv) FLOP. */
#pragma once

#include "base/arena.h"
#include "nn/model.h"

typedef struct HeadView {
    real *at;
    int64_t token, head; /* strides in elements; features are contiguous */
} HeadView;

typedef struct AttentionShape {
    int heads, kv_heads; /* kv_heads: heads or 1 */
    int dq, dv;          /* features of queries and keys, and of values */
    real scale;
} AttentionShape;

/** What forward leaves for backward, and scratch; sized by the largest batch. */
typedef struct AttentionState {
    real *weight; /* softmax weights: per sequence (heads, T, T), rows padded to whole vectors;
                     of narrow heads as nn/attention_narrow.h has them */
    real *work;   /* their gradients, one sequence */
    real *turned; /* features by channel, of narrow heads (nn/attention_narrow.h), one sequence */
} AttentionState;

/** Takes memory for the softmax weights of the largest batch and scratch. */
void attention_layout(AttentionState *state, const AttentionShape *shape, int64_t max_tokens, int max_sequences,
                      int64_t max_length, Arena *arena);
void attention_forward(HeadView out, HeadView q, HeadView k, HeadView v, const Packed *seqs,
                       const AttentionShape *shape, AttentionState *state);
/** Writes dq, dk, dv (dk, dv summed over the heads that share them). */
void attention_backward(HeadView dq, HeadView dk, HeadView dv, HeadView dout, HeadView out, HeadView q, HeadView k,
                        HeadView v, const Packed *seqs, const AttentionShape *shape, AttentionState *state);

/** The same by plain loops, forward only: the definition that tests compare with. */
void attention_ref(HeadView out, HeadView q, HeadView k, HeadView v, const Packed *seqs, const AttentionShape *shape);

/** Executed FLOP of forward and backward together, as counted: 2 and 4 products, 6 T^2 (dq + dv) a head. */
int64_t attention_flops(const Packed *seqs, const AttentionShape *shape);
