/** Attention of narrow heads: one pass over a head instead of four small products. Vectors run along queries, and features of
 *  keys are read as single numbers; logits and weights stand as (keys, queries), so that the softmax needs no sums across
 *  lanes. Private to nn. Not collective. Errors: none. FLOP are counted as nn/attention.h says. */
#pragma once

#include "nn/attention.h"

/** Whether heads of this shape are narrow enough, and one beside the other in a row of q, k and v. */
bool attention_narrow(const AttentionShape *shape, HeadView out, HeadView q, HeadView k, HeadView v);

/** Of a shape that may be narrow, what forward leaves of a sequence beside its weights: rows as long as the sequence, padded
 *  to whole vectors; and elements of all of it. */
int64_t attention_narrow_rows(const AttentionShape *shape);
int64_t attention_narrow_weights(const AttentionShape *shape, int64_t length);

/** Elements of scratch for sequences of up to `length`. */
int64_t attention_narrow_work(const AttentionShape *shape, int64_t length);

/** One sequence, tokens first .. first+length-1. e (heads, keys + 1, queries), rows padded to whole vectors: exp(logit - a
 *  number of the query's), the softmax weights times their sum over keys, and behind the rows of keys one over that sum; then,
 *  of the narrowest, queries and outputs of all heads by channel. */
void attention_narrow_forward(HeadView out, HeadView q, HeadView k, HeadView v, int64_t first, int64_t length,
                              const AttentionShape *shape, real *e, real *work);
/** Writes dq, dk and dv of the sequence; ds (keys, queries padded) is scratch. */
void attention_narrow_backward(HeadView dq, HeadView dk, HeadView dv, HeadView dout, HeadView q, HeadView k, HeadView v,
                               int64_t first, int64_t length, const AttentionShape *shape, const real *e, real *ds,
                               real *work);
