/** Rigid-body scenes for GATr, as multivectors of one token (a mesh vertex):
 *      0 its position, a point;  1 its velocity, a point at infinity;  2 the floor, a plane;  3 gravity, as 1
 *  and as scalars the physical parameters of its body, those of the world, and the one-hot slot of its body. The output is one trivector: its
 *  direction part minus its e123 weight times the token's own position is the displacement. That is linear and exactly
 *  equivariant under rotations and translations. A reflection takes the embedding of a point to minus that of the moved
 *  point, as in the reference, so mirrored scenes are not exact.
 *
 *  The functions are those of ModelKind (nn/model.h), which has units and shapes. Private to nn. Not collective.
 *  Errors: none. */
#pragma once

#include "nn/model.h"

void gatr_scene_shape(ModelShape *shape, int slots, int worlds);
void gatr_embed(Tensors in, const SceneBatch *batch, const ModelShape *shape);
void gatr_readout(real *displacement, Tensors out, const SceneBatch *batch, const ModelShape *shape);
void gatr_readout_backward(Tensors dout, const real *ddisplacement, const SceneBatch *batch, const ModelShape *shape);
