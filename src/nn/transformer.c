/* Pre-norm transformer encoder without positional encoding (tokens are a set):
 *     x = in W_in + b;   per block  x += attention(LN(x)),  x += W_2 GELU(W_1 LN(x));   out = x W_out + b
 * Vaswani et al. 2017, arXiv 1706.03762; pre-norm: Xiong et al. 2020, arXiv 2002.04745. Multi-query: Shazeer 2019.
 *
 * Tensor parallelism is Megatron's (Shoeybi et al. 2019, arXiv 1909.08053): W_qkv and W_1 are split by columns (heads,
 * hidden channels), W_o and W_2 by rows, x is whole on every rank; one sum over tp per attention and per MLP in each
 * direction. Shared keys and values are computed by every rank; the gradients of their weights are partial and travel
 * in the same sum as the gradient of the attention's input.
 *
 * Rows are tokens; weights are stored (in, out), so that forward products need no transpose. q, k and v are slices of
 * one row [q heads][k heads][v heads], one product where they are one tensor. Biases of W_o and W_2 are added by the
 * layer norm that follows. */
#include "nn/attention.h"
#include "nn/layernorm.h"
#include "nn/linear.h"
#include "nn/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Sizes {
    int width, hidden, heads, kv_heads, head; /* hidden, heads, kv_heads: of this rank; head: channels of one */
    int qkv, maps;                            /* row length of q, k, v together; products that make it */
} Sizes;

typedef struct Activations {
    AttentionState attention;
    real *y1, *rstd1, *qkv_row, *head_out; /* (tokens, D), (tokens), (tokens, qkv), (tokens, heads*head) */
    real *y2, *rstd2, *slope, *act;        /* (tokens, D), (tokens), (tokens, hidden) twice */
} Activations;

typedef struct Block {
    Linear qkv[3], out, mlp0, mlp2;
    int64_t out_bias, mlp2_bias;
    AttentionShape shape;
    Activations at; /* its own, or those of all where they are recomputed */
} Block;

typedef struct State {
    Sizes size;
    Linear in, out;
    Block *block;
    int64_t partial; /* elements of a block that hold shared key and value weights, where tp > 1 */
    Tensors input;
    real *x, *dx;       /* (tokens, D) */
    real *kept;         /* (depth, tokens, D) stream at the start of each block, where they are recomputed */
    real *sum;          /* (tokens, D) and behind it partial: what a sum over tp takes */
    real *wide, *heads; /* scratch (tokens, max(hidden, qkv)), (tokens, heads*head) */
} State;

static Sizes sizes_of(const ModelShape *s, int tp) {
    Sizes z = {.width = s->width, .hidden = 2 * s->width / tp, .heads = s->heads / tp};
    z.head = s->width / s->heads * s->increase;
    z.kv_heads = s->multi_query ? 1 : z.heads;
    z.maps = s->multi_query ? 3 : 1;
    z.qkv = (z.heads + 2 * z.kv_heads) * z.head;
    return z;
}

static Err check(const ModelShape *s, int tp) {
    if (s->in_mv || s->out_mv) return err_user("transformer: multivectors: want scalar inputs and outputs only");
    if (s->in_s < 1 || s->out_s < 1 || s->depth < 1 || s->increase < 1)
        return err_user("transformer: inputs %d, outputs %d, depth %d, increase %d: want at least 1 of each", s->in_s,
                        s->out_s, s->depth, s->increase);
    if (s->heads < 1 || s->width < s->heads)
        return err_user("transformer: width %d with %d heads: want at least one channel a head", s->width, s->heads);
    if (tp >= 1 && s->heads % tp == 0 && 2 * s->width % tp == 0) return ERR_NONE;
    char list[256] = "";
    for (int t = 1, used = 0; t <= s->heads && used < 240; t++)
        if (s->heads % t == 0 && 2 * s->width % t == 0)
            used += snprintf(list + used, sizeof list - (size_t)used, "%s%d", used ? ", " : "", t);
    return err_user("transformer: tp = %d does not divide %d heads and %d hidden channels: want one of %s", tp,
                    s->heads, 2 * s->width, list);
}

/* ---- Parameters. ---- */

static void params(ParamTable *table, const ModelShape *s) {
    Sizes z = sizes_of(s, 1);
    Axis width = axis_plain(z.width), hidden = axis_split(z.hidden);
    linear_params(table, 0, width, axis_plain(s->in_s), false, "linear_in");
    for (int b = 0; b < s->depth; b++) {
        char p[64];
        snprintf(p, sizeof p, "blocks.%d.", b);
        Axis q = axis_heads(1, z.heads, z.head, true, true);
        if (s->multi_query) {
            linear_params(table, b + 1, q, width, false, "%sattention.qkv_linear.q_linear", p);
            linear_params(table, b + 1, axis_plain(z.head), width, true, "%sattention.qkv_linear.k_linear", p);
            linear_params(table, b + 1, axis_plain(z.head), width, true, "%sattention.qkv_linear.v_linear", p);
        } else {
            Axis qkv = axis_heads(3, z.heads, z.head, true, true);
            linear_params(table, b + 1, qkv, width, false, "%sattention.qkv_linear.linear", p);
        }
        Axis heads = axis_heads(1, z.heads, z.head, false, true);
        linear_params(table, b + 1, width, heads, false, "%sattention.out_linear", p);
        linear_params(table, b + 1, hidden, width, false, "%smlp.0", p);
        linear_params(table, b + 1, width, hidden, false, "%smlp.2", p);
    }
    linear_params(table, s->depth + 1, axis_plain(s->out_s), width, false, "linear_out");
}

/* ---- Memory. ---- */

static Block block_maps(const ParamTable *t, const Sizes *z, int b) {
    Block k = {.out = linear_find(t, "blocks.%d.attention.out_linear", b),
               .mlp0 = linear_find(t, "blocks.%d.mlp.0", b),
               .mlp2 = linear_find(t, "blocks.%d.mlp.2", b),
               .shape = {.heads = z->heads, .kv_heads = z->kv_heads, .dq = z->head, .dv = z->head}};
    static const char *name[] = {"q_linear", "k_linear", "v_linear"};
    for (int i = 0; i < z->maps; i++)
        k.qkv[i] = linear_find(t, "blocks.%d.attention.qkv_linear.%s", b, z->maps == 1 ? "linear" : name[i]);
    /* Added by the layer norm that follows. */
    k.out_bias = k.out.bias;
    k.mlp2_bias = k.mlp2.bias;
    k.out.bias = k.mlp2.bias = -1;
    k.shape.scale = 1 / (real)sqrt(z->head);
    return k;
}

/* What forward finds inside a block. */
static Activations activations_layout(const Model *m, const Sizes *z, const AttentionShape *shape, Arena *arena) {
    int64_t n = m->max_tokens;
    Activations a = {.y1 = ARENA_TAKE(arena, real, n * z->width),
                     .rstd1 = ARENA_TAKE(arena, real, n),
                     .qkv_row = ARENA_TAKE(arena, real, n * z->qkv),
                     .head_out = ARENA_TAKE(arena, real, n * z->heads * z->head),
                     .y2 = ARENA_TAKE(arena, real, n * z->width),
                     .rstd2 = ARENA_TAKE(arena, real, n),
                     .slope = ARENA_TAKE(arena, real, n * z->hidden),
                     .act = ARENA_TAKE(arena, real, n * z->hidden)};
    attention_layout(&a.attention, shape, m->max_tokens, m->max_sequences, m->max_length, arena);
    return a;
}

static int64_t padded(int64_t n) {
    return (n + 15) / 16 * 16;
}

static void layout(Model *m, Arena *arena) {
    State counted = {0}, *s = ARENA_TAKE(arena, State, 1);
    Block *blocks = ARENA_TAKE(arena, Block, m->shape.depth);
    if (!s) s = &counted;
    *s = (State){.size = sizes_of(&m->shape, m->table.tp), .block = blocks};
    s->in = linear_find(&m->table, "linear_in");
    s->out = linear_find(&m->table, "linear_out");
    Activations last = {0};
    for (int b = 0; b < m->shape.depth; b++) {
        Block k = block_maps(&m->table, &s->size, b);
        if (b == 0 || !m->shape.recompute) last = activations_layout(m, &s->size, &k.shape, arena);
        k.at = last;
        if (blocks) blocks[b] = k;
        if (s->size.maps == 3 && m->table.tp > 1) s->partial = k.out.weight - k.qkv[1].weight;
    }
    int64_t n = m->max_tokens, wide = s->size.hidden > s->size.qkv ? s->size.hidden : s->size.qkv;
    s->x = ARENA_TAKE(arena, real, n * s->size.width);
    s->dx = ARENA_TAKE(arena, real, n * s->size.width);
    if (m->shape.recompute) s->kept = ARENA_TAKE(arena, real, m->shape.depth * n * s->size.width);
    s->sum = ARENA_TAKE(arena, real, padded(n * s->size.width) + s->partial);
    s->wide = ARENA_TAKE(arena, real, n * wide);
    s->heads = ARENA_TAKE(arena, real, n * s->size.heads * s->size.head);
    m->state = s == &counted ? NULL : s;
}

/* ---- Forward and backward. ---- */

static HeadView view(real *rows, int64_t row, int64_t first_head, const Sizes *z) {
    return (HeadView){.at = rows + first_head * z->head, .token = row, .head = z->head};
}

/* x += a W for a map with split inputs: in place on one rank, or left in s->sum for the layer norm to add. */
static const real *reduce_forward(const Model *m, const Linear *map, const real *a, int64_t tokens) {
    State *s = m->state;
    bool alone = m->table.tp == 1;
    linear_forward(alone ? s->x : s->sum, s->size.width, a, m->theta, map, tokens, alone);
    if (!alone) comm_sum_real(m->tp, s->sum, tokens * s->size.width);
    return alone ? NULL : s->sum;
}

static int taps(Tap *tap, const ModelShape *shape) {
    return model_block_taps(tap, shape->depth, 0, shape->width);
}

/* x is whole once the layer norm has added what the last map left. */
static void leave_at_tap(const Model *m, int i, int64_t tokens) {
    const State *s = m->state;
    if (m->tap) memcpy(m->tap[i].s, s->x, (size_t)(tokens * s->size.width) * sizeof *s->x);
}

/* What a block adds to the stream, up to its last map. x is the stream at its start, whose norm is y1, and becomes that
 * between its halves. */
static void block_forward(Model *m, Block *b, const Packed *seqs) {
    State *s = m->state;
    const Sizes *z = &s->size;
    Activations *a = &b->at;
    int64_t n = seqs->start[seqs->n];
    for (int p = 0, at = 0; p < z->maps; at += b->qkv[p++].out)
        linear_forward(a->qkv_row + at, z->qkv, a->y1, m->theta, &b->qkv[p], n, 0);
    attention_forward(view(a->head_out, z->heads * z->head, 0, z), view(a->qkv_row, z->qkv, 0, z),
                      view(a->qkv_row, z->qkv, z->heads, z), view(a->qkv_row, z->qkv, z->heads + z->kv_heads, z), seqs,
                      &b->shape, &a->attention);
    const real *added = reduce_forward(m, &b->out, a->head_out, n);
    layernorm_add(a->y2, a->rstd2, s->x, added, m->theta + b->out_bias, n, z->width);
    linear_forward_gelu(a->act, a->slope, a->y2, m->theta, &b->mlp0, n);
}

static void forward(Model *m, Tensors out, Tensors in, const Packed *seqs) {
    State *s = m->state;
    int64_t n = seqs->start[seqs->n], width = s->size.width;
    const real *theta = m->theta, *added = NULL, *bias = NULL;
    s->input = in;
    linear_forward(s->x, width, in.s, theta, &s->in, n, 0);
    for (int i = 0; i < m->shape.depth; i++) {
        Block *b = &s->block[i];
        layernorm_add(b->at.y1, b->at.rstd1, s->x, added, bias, n, width);
        leave_at_tap(m, i, n);
        if (s->kept) memcpy(s->kept + i * n * width, s->x, (size_t)(n * width) * sizeof *s->x);
        block_forward(m, b, seqs);
        added = reduce_forward(m, &b->mlp2, b->at.act, n);
        bias = theta + b->mlp2_bias;
    }
    layernorm_add(NULL, NULL, s->x, added, bias, n, width);
    leave_at_tap(m, m->shape.depth, n);
    linear_forward(out.s, m->shape.out_s, s->x, theta, &s->out, n, 0);
}

/* The activations of block i as forward had them. */
static void recompute(Model *m, int i, const Packed *seqs) {
    State *s = m->state;
    Activations *a = &s->block[i].at;
    int64_t n = seqs->start[seqs->n], width = s->size.width;
    if (!s->kept) return;
    memcpy(s->x, s->kept + i * n * width, (size_t)(n * width) * sizeof *s->x);
    layernorm_add(a->y1, a->rstd1, s->x, NULL, NULL, n, width);
    block_forward(m, &s->block[i], seqs);
}

static void mlp_backward(Model *m, Block *b, int64_t n) {
    State *s = m->state;
    const Sizes *z = &s->size;
    Linear first = b->mlp0;
    first.bias = -1; /* its gradient comes with the GELU's */
    linear_backward_weight(m->grad, s->dx, z->width, b->at.act, &b->mlp2, n, 1);
    linear_backward_gelu(s->wide, m->grad + b->mlp0.bias, b->at.slope, s->dx, z->width, m->theta, &b->mlp2, n);
    linear_backward_weight(m->grad, s->wide, z->hidden, b->at.y2, &first, n, 1);
    linear_backward_input(s->sum, s->wide, z->hidden, m->theta, &b->mlp0, n, 0);
    comm_sum_real(m->tp, s->sum, n * z->width);
    layernorm_backward(s->dx, m->grad + b->out_bias, s->sum, b->at.y2, b->at.rstd2, n, z->width);
}

static void attention_half_backward(Model *m, Block *b, real *dbias, const Packed *seqs) {
    State *s = m->state;
    const Sizes *z = &s->size;
    int64_t n = seqs->start[seqs->n], row = z->heads * z->head, first = b->qkv[1].weight;
    real *behind = s->sum + padded(n * z->width); /* partial gradients travel behind the input's */
    linear_backward_weight(m->grad, s->dx, z->width, b->at.head_out, &b->out, n, 1);
    linear_backward_input(s->heads, s->dx, z->width, m->theta, &b->out, n, 0);
    attention_backward(view(s->wide, z->qkv, 0, z), view(s->wide, z->qkv, z->heads, z),
                       view(s->wide, z->qkv, z->heads + z->kv_heads, z), view(s->heads, row, 0, z),
                       view(b->at.head_out, row, 0, z), view(b->at.qkv_row, z->qkv, 0, z),
                       view(b->at.qkv_row, z->qkv, z->heads, z), view(b->at.qkv_row, z->qkv, z->heads + z->kv_heads, z),
                       seqs, &b->shape, &b->at.attention);
    int64_t travel = s->partial ? behind - s->sum + s->partial : n * z->width;
    memset(s->sum + n * z->width, 0, (size_t)(travel - n * z->width) * sizeof *behind);
    for (int p = 0, at = 0; p < z->maps; at += b->qkv[p++].out) {
        bool part = p > 0 && s->partial;
        linear_backward_weight(part ? behind - first : m->grad, s->wide + at, z->qkv, b->at.y1, &b->qkv[p], n, !part);
        linear_backward_input(s->sum, s->wide + at, z->qkv, m->theta, &b->qkv[p], n, p > 0);
    }
    comm_sum_real(m->tp, s->sum, travel);
    for (int64_t i = 0; i < s->partial; i++) m->grad[first + i] += behind[i];
    layernorm_backward(s->dx, dbias, s->sum, b->at.y1, b->at.rstd1, n, z->width);
}

static void ready(const Model *m, int block) {
    if (m->block_ready && !m->more) m->block_ready(m->block_context, block);
}

static void backward(Model *m, Tensors din, Tensors dout, const Packed *seqs) {
    State *s = m->state;
    int64_t n = seqs->start[seqs->n];
    int depth = m->shape.depth, width = s->size.width;
    linear_backward_weight(m->grad, dout.s, m->shape.out_s, s->x, &s->out, n, 1);
    linear_backward_input(s->dx, dout.s, m->shape.out_s, m->theta, &s->out, n, 0);
    linear_column_sums(m->grad + s->block[depth - 1].mlp2_bias, s->dx, width, n, width);
    ready(m, depth + 1);
    for (int i = depth - 1; i >= 0; i--) {
        recompute(m, i, seqs);
        mlp_backward(m, &s->block[i], n);
        real *dbias = m->grad + (i ? s->block[i - 1].mlp2_bias : s->in.bias); /* of what the block's input came from */
        attention_half_backward(m, &s->block[i], dbias, seqs);
        ready(m, i + 1);
    }
    Linear first = s->in;
    first.bias = -1;
    linear_backward_weight(m->grad, s->dx, width, s->input.s, &first, n, 1);
    linear_backward_input(din.s, s->dx, width, m->theta, &s->in, n, 0);
    ready(m, 0);
}

/* Pairs of channels that products of a block join, of one token on one rank; and those of its last map. */
static double block_pairs(const Sizes *z) {
    return (double)z->width * (z->qkv + z->heads * z->head + 2 * z->hidden);
}

static double last_pairs(const Sizes *z) {
    return (double)z->width * z->hidden;
}

static double channel_pairs(const ModelShape *shape, const Sizes *z) {
    return (double)z->width * (shape->in_s + shape->out_s) + shape->depth * block_pairs(z);
}

static ModelWork work(const ModelShape *shape, int tp, bool input_gradient) {
    Sizes z = sizes_of(shape, tp), whole = sizes_of(shape, 1);
    AttentionShape a = {.heads = z.heads, .kv_heads = z.kv_heads, .dq = z.head, .dv = z.head};
    static const int64_t one_token[] = {0, 1};
    ModelWork w = {.token = {.nominal = 6 * channel_pairs(shape, &whole), .executed = 6 * channel_pairs(shape, &z)}};
    if (!input_gradient) w.token.executed -= 2.0 * z.width * shape->in_s;
    if (shape->recompute) w.token.executed += 2 * shape->depth * (block_pairs(&z) - last_pairs(&z));
    w.token.executed *= tp;
    double attention = (double)attention_flops(&(Packed){.n = 1, .start = one_token}, &a);
    if (shape->recompute) attention += attention / 3; /* the forward part */
    w.square.executed = tp * shape->depth * attention;
    w.square.attention = w.square.executed;
    return w;
}

/* ---- Rigid-body scenes: everything a token knows, in one row. ---- */

enum { BEFORE_SLOTS = 6, AFTER_SLOTS = SCENE_BODY + 7 };

static void scene_shape(ModelShape *shape, int slots, int worlds) {
    shape->in_mv = shape->out_mv = 0;
    shape->in_s = BEFORE_SLOTS + slots + AFTER_SLOTS + worlds;
    shape->out_s = 3;
    shape->slots = slots;
    shape->first_slot = BEFORE_SLOTS;
    const int normal = BEFORE_SLOTS + slots + SCENE_BODY;
    const int vector[MODEL_VECTORS] = {0, 3, normal, normal + 4};
    memcpy(shape->vector, vector, sizeof vector);
}

static void embed(Tensors in, const SceneBatch *batch, const ModelShape *shape) {
    for (int i = 0; i < batch->seqs.n; i++)
        for (int64_t t = batch->seqs.start[i]; t < batch->seqs.start[i + 1]; t++) {
            real *row = in.s + t * shape->in_s;
            memset(row, 0, (size_t)shape->in_s * sizeof *row);
            memcpy(row, batch->position + 3 * t, 3 * sizeof *row);
            memcpy(row + 3, batch->velocity + 3 * t, 3 * sizeof *row);
            row[BEFORE_SLOTS + batch->slot[t]] = 1;
            row += BEFORE_SLOTS + batch->slots;
            memcpy(row, batch->body + SCENE_BODY * t, SCENE_BODY * sizeof *row);
            memcpy(row + SCENE_BODY, batch->floor + 4 * i, 4 * sizeof *row);
            memcpy(row + SCENE_BODY + 4, batch->gravity + 3 * i, 3 * sizeof *row);
            for (int j = 0; j < batch->worlds; j++) row[AFTER_SLOTS + j] = batch->world[batch->worlds * i + j];
        }
}

static void embed_backward(SceneGradient dscenes, Tensors din, const SceneBatch *batch, const ModelShape *shape) {
    memset(dscenes.floor, 0, (size_t)(4 * batch->seqs.n) * sizeof *dscenes.floor);
    memset(dscenes.gravity, 0, (size_t)(3 * batch->seqs.n) * sizeof *dscenes.gravity);
    for (int i = 0; i < batch->seqs.n; i++)
        for (int64_t t = batch->seqs.start[i]; t < batch->seqs.start[i + 1]; t++) {
            const real *row = din.s + t * shape->in_s;
            memcpy(dscenes.position + 3 * t, row, 3 * sizeof *row);
            memcpy(dscenes.velocity + 3 * t, row + 3, 3 * sizeof *row);
            row += BEFORE_SLOTS + batch->slots + SCENE_BODY;
            for (int j = 0; j < 4; j++) dscenes.floor[4 * i + j] += row[j];
            for (int j = 0; j < 3; j++) dscenes.gravity[3 * i + j] += row[4 + j];
        }
}

static void readout(real *displacement, Tensors out, const SceneBatch *batch, const ModelShape *shape) {
    (void)shape;
    memcpy(displacement, out.s, (size_t)(3 * batch->seqs.start[batch->seqs.n]) * sizeof *displacement);
}

static void readout_backward(Tensors dout, const real *ddisplacement, const SceneBatch *batch,
                             const ModelShape *shape) {
    (void)shape;
    memcpy(dout.s, ddisplacement, (size_t)(3 * batch->seqs.start[batch->seqs.n]) * sizeof *ddisplacement);
}

static const KeySpec size_keys[] = {{"width", KEY_INTS, offsetof(ModelSizes, width), "", 1, 1 << 20, NULL, "channels",
                                     "hidden channels of each model size", NULL},
                                    MODEL_SIZE_ATTENTION};

const ModelKind transformer_kind = {.name = "transformer",
                                    .recomputes = true,
                                    .size_keys = size_keys,
                                    .n_size_keys = sizeof size_keys / sizeof *size_keys,
                                    .check = check,
                                    .params = params,
                                    .work = work,
                                    .layout = layout,
                                    .forward = forward,
                                    .backward = backward,
                                    .taps = taps,
                                    .scene_shape = scene_shape,
                                    .embed = embed,
                                    .embed_backward = embed_backward,
                                    .readout = readout,
                                    .readout_backward = readout_backward};
