/** A model: what an architecture must say and do. One file an architecture fills a ModelKind (nn/transformer.c,
 *  nn/gatr.c); nothing else switches on the architecture.
 *
 *  Batches are packed: sequences of different length stand one after the other on one token axis and no padding exists.
 *  Multivectors are kept by component plane, mv[16][tokens][channels], scalars s[tokens][channels]. A model without
 *  multivectors has in_mv = out_mv = 0 and uses s only. */
#pragma once

#include "base/err.h"
#include "nn/model_sizes.h"
#include "nn/param.h"
#include "par/comm.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Packed {
    int n;                /* sequences */
    const int64_t *start; /* (n+1) first token of each; start[n] is the number of tokens */
} Packed;

typedef struct Tensors {
    real *mv; /* (16, tokens, mv channels) */
    real *s;  /* (tokens, scalar channels) */
} Tensors;

enum { MODEL_REINSERT = 8, MODEL_VECTORS = 4, SCENE_BODY = 4, SCENE_WORLD = 3 };

typedef struct ModelShape {
    int in_mv, in_s, out_mv, out_s;
    int width;   /* hidden channels: of the transformer, or GATr's multivectors */
    int width_s; /* GATr's hidden scalars; 0 otherwise */
    int depth;   /* blocks */
    int heads;
    bool multi_query;
    int slots, first_slot;     /* scalar inputs that say which body, and the first of them */
    int vector[MODEL_VECTORS]; /* transformer: the first of the scalar inputs that are position, velocity, floor normal,
                                  gravity */
    int fixed;                 /* gatr_fixed: inputs that do not turn with the scene */
    FixedKind fixed_kind;
    FixedPlace fixed_place;
    int fixed_scalars;
    int neighbours; /* clofnet: tokens of other bodies, the nearest, with an edge to a token; 0: all */
    EdgeFrames frames;
    int increase; /* increase_hidden_channels of the attention */
    bool
        recompute; /* backward works out anew what forward found inside a block, of which only the stream at its start is
                       kept: memory of one block instead of all, for a third more FLOP (Chen et al. 2016, arXiv
                       1604.06174) */
    bool upright;  /* scenes are turned so that gravity is along -z (train/pass.h) */
    int n_reinsert, reinsert[MODEL_REINSERT]; /* GATr: raw input channels seen again by every attention */
} ModelShape;

/** Rigid-body scenes as a packed batch. All lengths are in units of the rms displacement of a vertex in one frame.
 *  Positions are relative to the mean vertex of the scene at the present frame; velocities are what they would do in a
 *  frame: those of the moment, or displacements since the frame before (train/batch.h). */
typedef struct SceneBatch {
    Packed seqs;
    int slots;            /* one-hot width for the identity of bodies */
    int worlds;           /* columns of `world`: SCENE_WORLD, or 0 where models are not told */
    const real *position; /* (tokens, 3) */
    const real *velocity; /* (tokens, 3) */
    const int32_t *slot;  /* (tokens) which body, 0 .. slots-1 */
    const real *body;     /* (tokens, SCENE_BODY) log mass, friction, restitution, log radius; about unit variance */
    const real *floor;    /* (n, 4) unit normal, and signed distance of the origin above the floor */
    const real *gravity;  /* (n, 3) unit vector */
    const real *gate;     /* (n) factor on fixed inputs, of models that have them; NULL: 1 */
    const real *world;    /* (n, worlds) friction and restitution of the floor, size of gravity; as body */
} SceneBatch;

/** The gradient by what moves of a batch of scenes; shapes as there. */
typedef struct SceneGradient {
    real *position, *velocity, *floor, *gravity;
} SceneGradient;

/** Work of forward plus backward over one batch. */
typedef struct ModelFlops {
    double nominal;   /* 6 per weight and token; 6*256 per multivector channel pair (weights only, no attention) */
    double executed;  /* what the kernels do, as flops_counted counts it, summed over the tp ranks */
    double attention; /* of them in attention: scores and weighted sums, which nominal leaves out */
} ModelFlops;

/** The same for n sequences of any lengths T_s, without counting anew: sequence * n + token * sum T_s + square * sum T_s^2
 *  + pair * pairs of tokens that the kind says it joins. */
typedef struct ModelWork {
    ModelFlops sequence, token, square, pair;
} ModelWork;

/** A point on the residual stream, where what a model has worked out so far can be read. */
enum { MODEL_TAPS = 1024 }; /* of the deepest model that a study file may ask for, 1000 blocks */
typedef struct Tap {
    char name[32]; /* of the part that ends there, as parameters are named: linear_in, blocks.0 */
    int mv, s;     /* channels: multivectors, scalars */
    bool acts;     /* how motions act there is known: multivectors as such, scalars stay */
} Tap;

typedef struct Model Model;

typedef struct ModelKind {
    const char *name;
    const KeySpec *size_keys; /* what a study file says of its sizes, into ModelSizes; `<name>.` goes before each key */
    int n_size_keys;
    bool rotations;  /* what it says turns exactly with the scene */
    bool recomputes; /* it can do without the activations of all blocks but one: shape.recompute */
    int64_t piece;   /* tokens that are worth a pass of their own where a batch leaves the caches; 0: none are */

    /** Refuses impossible sizes (width and heads that do not divide) and tp; the text lists the tp that would do. */
    Err (*check)(const ModelShape *shape, int tp);
    /** Appends every tensor of this rank's shard. */
    void (*params)(ParamTable *table, const ModelShape *shape);
    /** Work by sequence, token and squared length; with input_gradient as model_backward would do with din. */
    ModelWork (*work)(const ModelShape *shape, int tp, bool input_gradient);
    /** Pairs of tokens that it joins in sequences whose tokens are of these bodies, 0 .. slots-1. NULL: no work goes by
     *  them. */
    double (*pairs)(const ModelShape *shape, const int32_t *body, const Packed *seqs);

    /** Private state beside the Model, and the buffers of the largest batch: called twice, to count and to place. */
    void (*layout)(Model *model, Arena *arena);
    void (*forward)(Model *model, Tensors out, Tensors in, const Packed *seqs);
    void (*backward)(Model *model, Tensors din, Tensors dout, const Packed *seqs);

    /** The points on the residual stream, in order of depth; returns how many. tap may be NULL. */
    int (*taps)(Tap *tap, const ModelShape *shape);

    /** Scenes to inputs and outputs to displacements (tokens, 3), with the adjoints. */
    void (*scene_shape)(ModelShape *shape, int slots, int worlds); /* sets in_mv, in_s, out_mv, out_s */
    void (*embed)(Tensors in, const SceneBatch *batch, const ModelShape *shape);
    /** The gradient by scenes from that of inputs; NULL: the model has none to offer. */
    void (*embed_backward)(SceneGradient dscenes, Tensors din, const SceneBatch *batch, const ModelShape *shape);
    void (*readout)(real *displacement, Tensors out, const SceneBatch *batch, const ModelShape *shape);
    void (*readout_backward)(Tensors dout, const real *ddisplacement, const SceneBatch *batch, const ModelShape *shape);
} ModelKind;

extern const ModelKind transformer_kind, gatr_kind, gatr_fixed_kind, clofnet_kind;
extern const ModelKind *const model_kinds[]; /* every one of them: nn/model.c */
extern const int n_model_kinds;
const ModelKind *model_kind(const char *name); /* NULL when there is none of that name */

/** Whether a key of sizes, without `<name>.`, is the kind's. Not collective. */
bool model_has_key(const ModelKind *kind, const char *key);

/** The first member without which no study can train the kind, of those that are NULL; NULL: it has all. `pairs` and
 *  `embed_backward` may be NULL. Not collective. */
const char *model_kind_lacks(const ModelKind *kind);

/** The shape of entry `size` of the lists, without inputs and outputs, which scene_shape adds. A new key of sizes is a member of
 *  ModelSizes, one of ModelShape and a line here. Not collective. */
ModelShape model_shape(const ModelSizes *sizes, int size);

/** Work over a batch, of a kind whose work does not go by pairs; exact. Not collective. */
ModelFlops model_flops(const ModelWork *work, const Packed *seqs);

/** The same where all that is known are the number of sequences, the sums of lengths and of their squares, and pairs; and these
 *  of a batch whose tokens are of these bodies, added. Not collective. */
typedef struct PackedLengths {
    double sequences, tokens, squares, pairs;
} PackedLengths;
ModelFlops model_flops_of(const ModelWork *work, PackedLengths lengths);
void packed_lengths_add(PackedLengths *lengths, const ModelKind *kind, const ModelShape *shape, const int32_t *body,
                        const Packed *seqs);

/** A model on the tensor-parallel ranks of `tp`, with room for batches up to the given size: max_tokens in all, in at
 *  most max_sequences of at most max_length each. */
struct Model {
    const ModelKind *kind;
    ModelShape shape;
    const Comm *tp;
    ParamTable table;
    real *theta, *grad; /* local vectors of table.local elements; owned */
    int64_t max_tokens, max_length;
    int max_sequences;
    /** Where forward leaves the residual stream, (taps) tensors of the caller; NULL: nowhere. What it leaves is whole on
     *  every tp rank. Cost: one copy of the stream at each point. */
    const Tensors *tap;
    int64_t token_bytes, cache_bytes; /* activations of a token, and what the caches hold of them: for model_piece */
    bool more;                        /* another piece of the batch follows: backward completes no gradients yet */
    const real *join_reference; /* tests only: (n) e123 component per sequence instead of the mean of the inputs */
    /** Called by backward of the last piece as soon as all gradients of a block are complete on this rank (after the sum over tp of
     *  partial ones), blocks in descending order; NULL: nobody listens. */
    void (*block_ready)(void *context, int block);
    void *block_context;
    Arena arena;
    void *state; /* the kind's own, placed by layout */
};

/** What `taps` of a kind says whose stream has one width: after linear_in and after each block. Of a stream with
 *  multivectors it says that it is known how motions act on it. */
int model_block_taps(Tap *tap, int depth, int mv, int s);

/** Collective on tp. The parameters are zero until param_init or param_take. */
Model *model_new(const ModelKind *kind, const ModelShape *shape, const Comm *tp, int64_t max_tokens, int max_sequences,
                 int64_t max_length);
void model_free(Model *model);
int64_t model_bytes(const ModelKind *kind, const ModelShape *shape, int tp, int64_t max_tokens, int max_sequences,
                    int64_t max_length); /* what model_new will hold on one rank */

/** A batch may go through forward and backward in pieces whose gradients add up, so that what forward leaves for backward
 *  is still in the caches: sequences of the piece that starts with sequence `first`, all that are left where the whole
 *  batch fits, or where the residual stream is tapped; at least 1 where there are any. The piece itself has its own
 *  starts, which go to `start` (n+1). The same on all ranks of tp. Not collective. */
int model_piece(const Model *model, const Packed *batch, int first);
Packed packed_part(int64_t *start, const Packed *batch, int first, int n);

/** out = model(in). Inputs and outputs are whole and the same on every tp rank. Collective on tp. Keeps `in` and its
 *  own activations for backward; `in` must stay untouched until then. */
void model_forward(Model *model, Tensors out, Tensors in, const Packed *seqs);

/** Adds to model->grad. din receives the gradient of the inputs where its pointers are not NULL (clofnet has none to
 *  offer). Collective on tp. */
void model_backward(Model *model, Tensors din, Tensors dout, const Packed *seqs);
