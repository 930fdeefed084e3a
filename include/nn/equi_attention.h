/** Geometric attention over the sequences of a tile, Brehmer et al. 2023, arXiv 2305.18415, section 3 and appendix:
 *      out = softmax((inner products + distance features + scalars) / sqrt(12 C + S)) v
 *  A key and a query channel whose trivectors are points add minus their squared distance, weighted per head and
 *  channel by exp(log_weights); features with the weight w of a point at infinity fade out as w/(w^2 + 0.001).
 *
 *  Queries and outputs have heads*C multivector and heads*S scalar channels, the head the slower index; keys and values
 *  kv_heads*C and kv_heads*S, kv_heads being heads or 1 (multi-query). Not collective. Errors: none. */
#pragma once

#include "nn/equi.h"

/** Components of queries and keys that attention reads: what the linear maps before it need not write. */
enum { EQUI_QUERY_PLANES = 0x7f1d, EQUI_DISTANCES = 5 };
/** Rows of a head, 16 C + S, at most. */
enum { EQUI_HEAD_ROWS = 4096 };

typedef struct EquiAttention {
    int heads, kv_heads;
    int mv, s; /* channels per head, C and S */
} EquiAttention;

/** The sequences of a tile, by first column; n+1 entries. */
typedef struct Sequences {
    int n;
    const int64_t *start;
} Sequences;

/** What forward leaves for backward. `weights` are the softmax weights: per sequence and head (keys, queries), rows
 *  padded; equi_attention_weights elements. */
typedef struct EquiAttentionState {
    real *query_distances; /* (heads, EQUI_DISTANCES, C, ld) */
    real *key_distances;   /* (kv_heads, EQUI_DISTANCES, C, ld) */
    real *weights;
} EquiAttentionState;

int64_t equi_attention_weights(const EquiAttention *shape, int64_t length);              /* elements for one sequence */
int64_t equi_attention_work(const EquiAttention *shape, int64_t max_length, int64_t ld); /* scratch of backward */

void equi_attention_forward(Field out, EquiAttentionState *state, Field q, Field k, Field v, const real *log_weights,
                            const EquiAttention *shape, const Sequences *seqs, int64_t ld);

/** Writes dq, dk (the planes of EQUI_QUERY_PLANES) and dv, and adds to dlog_weights (heads, C). */
void equi_attention_backward(Field dq, Field dk, Field dv, real *dlog_weights, Field dout,
                             const EquiAttentionState *state, Field q, Field k, Field v, const real *log_weights,
                             const EquiAttention *shape, const Sequences *seqs, int64_t ld, real *work);

/** Executed FLOP of forward and backward together: 6 T^2 (12 C + S + 16 C + S) a head. */
int64_t equi_attention_flops(const EquiAttention *shape, int64_t length);

/** Forward by the definition, in double and per sequence: q (heads, T, C, 16) and (heads, T, S), the others alike. */
void equi_attention_ref(double *out_mv, double *out_s, const double *q_mv, const double *q_s, const double *k_mv,
                        const double *k_s, const double *v_mv, const double *v_s, const double *log_weights,
                        const EquiAttention *shape, int64_t length);
