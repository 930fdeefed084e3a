/** GATr's sizes, its table of parameters and the equivariant maps behind it, and the work they make. Private to nn.
 *
 *  The maps of a block hold offsets into the local vector of parameters, the same for the same table and sizes: whoever
 *  needs them adds the tensors to a table of his own, in the order linear_in, blocks, linear_out. Not collective. */
#pragma once

#include "nn/equi_attention.h"
#include "nn/equi_linear.h"
#include "nn/model.h"

/** The maps of a block; names of tensors are the reference's. */
typedef struct GatrMaps {
    EquiLinear q, k, v, out;           /* attention */
    EquiLinear bilinear[4], mix, last; /* mlp: left, right, join left, join right; linear_out; linear_2 */
    int64_t log_weights;               /* (heads, channels of a head), of the distances in the attention */
    int64_t kv, kv_count;              /* the run of key and value tensors that heads share; 0 where they do not */
} GatrMaps;

/** ModelKind's check, params and work (nn/model.h). */
Err gatr_check(const ModelShape *shape, int tp);
void gatr_params(ParamTable *table, const ModelShape *shape);
ModelWork gatr_work(const ModelShape *shape, int tp, bool input_gradient);

/** Appends the tensors of linear_in, of block b (0 ..) and of linear_out. */
EquiLinear gatr_in_map(ParamTable *table, const ModelShape *shape);
GatrMaps gatr_block_maps(ParamTable *table, const ModelShape *shape, int b);
EquiLinear gatr_out_map(ParamTable *table, const ModelShape *shape);

/** Heads of the whole model, and channels of one. */
EquiAttention gatr_heads(const ModelShape *shape);
