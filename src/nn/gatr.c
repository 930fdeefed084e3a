/* The Geometric Algebra Transformer, Brehmer et al. 2023, arXiv 2305.18415, as its reference implementation has it:
 *     x = linear_in(in);   per block  x += attention(norm(x)),  x += mlp(norm(x));   out = linear_out(x)
 *     mlp(y) = linear_2(gate(linear_out(geometric product | join of four maps of y)))
 *
 * Tokens are gathered in tiles of whole sequences, and all features of a tile run along tokens (nn/equi.h). A block is
 * three stages, each a loop over tiles, with a sum over the tensor-parallel ranks behind it:
 *     attention   heads are split; keys and values that heads share are computed by every rank
 *     products    the channels of the four maps are split; linear_out then makes the sum of all its outputs part by
 *                 part, of which each rank keeps its own
 *     gate        linear_2 takes those channels
 * What comes from scalars that are whole on every rank, and biases, is added by one rank only. */
#include "gatr_params.h"
#include "gatr_scene.h"
#include "gatr_tiles.h"

#include "la/simd.h"
#include "nn/activation.h"
#include "nn/equi_norm.h"

#include <string.h>

typedef struct Block {
    GatrMaps map;
    /* What forward finds: the block's own, or that of all where it is worked out anew. */
    Rows input, q, k, v, heads;               /* normalised input (and reinserted channels); attention */
    Rows middle, factors, products, mixed, s; /* mlp: left|right|join left|join right, their products, gate's input */
    real *input_stats, *middle_stats;         /* for the backward passes: of both norms, */
    real *query_distances, *key_distances, *weights; /* of the attention */
    real *gate, *gate_slope, *s_slope;               /* and of the gate */
} Block;

typedef struct State {
    int hidden, hidden_s, reinsert; /* H, S and reinserted channels */
    int split, mixed, mixed_s;      /* H/tp, and what this rank keeps of the 2H and 2S */
    EquiAttention heads;            /* of this rank */
    EquiLinear in, out;
    Block *block;
    int64_t columns; /* padded tokens of the largest batch */
    Tiles tiles;
    Rows x, dx, added, dnorm, input, dinput, ends; /* added, dnorm: what is summed over tp */
    real *kept;                   /* x at the start of each block, where what is inside is worked out anew */
    real *reference, *dreference; /* (columns) join reference by token */
    real *mix_parts;              /* all parts of linear_out's outputs, where tp > 1 */
    int64_t *counts;              /* (tp) elements of each part */
    real *kv_grad; /* by block, this rank's part of the gradients of shared keys and values, until the last piece */
    bool kv_begun; /* earlier pieces of the batch are in it */
    Rows dmixed;
    Rows gated, dproducts, dfactors, dq, dk, dv, dheads; /* one tile, as ends */
    real *work;                                          /* of the attention's backward pass */
} State;

/* ---- Memory. ---- */

static Block block_layout(const State *s, int64_t weights, Arena *arena) {
    const EquiAttention *a = &s->heads;
    int64_t n = s->columns;
    int q = a->heads * a->mv, q_s = a->heads * a->s, kv = a->kv_heads * a->mv, kv_s = a->kv_heads * a->s;
    return (Block){.input = rows_take(arena, s->hidden + s->reinsert, s->hidden_s, n),
                   .q = rows_take(arena, q, q_s, n),
                   .k = rows_take(arena, kv, kv_s, n),
                   .v = rows_take(arena, kv, kv_s, n),
                   .heads = rows_take(arena, q, q_s, n),
                   .middle = rows_take(arena, s->hidden, s->hidden_s, n),
                   .factors = rows_take(arena, 4 * s->split, 0, n),
                   .products = rows_take(arena, 2 * s->split, 0, n),
                   .mixed = rows_take(arena, s->mixed, s->mixed_s, n),
                   .s = rows_take(arena, 0, s->mixed_s, n),
                   .input_stats = ARENA_TAKE(arena, real, EQUI_NORM_STATS * n),
                   .middle_stats = ARENA_TAKE(arena, real, EQUI_NORM_STATS * n),
                   .query_distances = ARENA_TAKE(arena, real, EQUI_DISTANCES * q * n),
                   .key_distances = ARENA_TAKE(arena, real, EQUI_DISTANCES * kv * n),
                   .weights = ARENA_TAKE(arena, real, weights),
                   .gate = ARENA_TAKE(arena, real, s->mixed * n),
                   .gate_slope = ARENA_TAKE(arena, real, s->mixed * n),
                   .s_slope = ARENA_TAKE(arena, real, s->mixed_s * n)};
}

static void layout(Model *m, Arena *arena) {
    const ModelShape *shape = &m->shape;
    State counted, *s = ARENA_TAKE(arena, State, 1);
    Block *blocks = ARENA_TAKE(arena, Block, shape->depth);
    bool placing = s != NULL;
    if (!placing) s = &counted;
    int tp = m->table.tp;
    ParamTable again = param_table_new(tp, m->table.tp_rank); /* the maps, as params made them */
    *s = (State){.hidden = shape->width,
                 .hidden_s = shape->width_s,
                 .reinsert = shape->n_reinsert,
                 .split = shape->width / tp,
                 .mixed = 2 * shape->width / tp,
                 .mixed_s = 2 * shape->width_s / tp,
                 .heads = gatr_heads(shape),
                 .block = blocks};
    EquiAttention *a = &s->heads;
    a->heads /= tp;
    if (!shape->multi_query) a->kv_heads = a->heads;
    s->columns = tiles_max_columns(m->max_tokens, m->max_sequences);
    int64_t n = s->columns, one = tile_max_columns(m->max_length),
            weights = a->heads * m->max_tokens * vec_padded(m->max_length);
    s->in = gatr_in_map(&again, shape);
    int64_t kv_count = 0;
    Block block = {0};
    for (int b = 0; b < shape->depth; b++) {
        GatrMaps map = gatr_block_maps(&again, shape, b);
        if (b == 0 || !shape->recompute) block = block_layout(s, weights, arena);
        block.map = map;
        if (placing) blocks[b] = block;
        kv_count = map.kv_count;
    }
    s->out = gatr_out_map(&again, shape);
    param_table_free(&again);
    tiles_layout(&s->tiles, m->max_sequences, arena);
    Rows *hidden[] = {&s->x, &s->dx, &s->added};
    for (int i = 0; i < 3; i++) *hidden[i] = rows_take(arena, s->hidden, s->hidden_s, n);
    if (shape->recompute) s->kept = ARENA_TAKE(arena, real, shape->depth * field_rows(s->hidden, s->hidden_s) * n);
    s->dnorm = rows_take(arena, s->hidden + s->reinsert, s->hidden_s, n);
    s->input = rows_take(arena, shape->in_mv, shape->in_s, n);
    s->dinput = rows_take(arena, shape->in_mv, shape->in_s, n);
    s->ends = rows_take(arena, shape->out_mv, shape->out_s, one);
    s->reference = ARENA_TAKE(arena, real, n);
    s->dreference = ARENA_TAKE(arena, real, n);
    s->counts = ARENA_TAKE(arena, int64_t, tp);
    if (tp > 1) s->mix_parts = ARENA_TAKE(arena, real, tp * field_rows(s->mixed, s->mixed_s) * n);
    s->kv_grad = ARENA_TAKE(arena, real, shape->depth * kv_count);
    int q = a->heads * a->mv, q_s = a->heads * a->s, kv = a->kv_heads * a->mv, kv_s = a->kv_heads * a->s;
    s->gated = rows_take(arena, s->mixed, s->mixed_s, one);
    s->dmixed = rows_take(arena, s->mixed, s->mixed_s, n);
    s->dproducts = rows_take(arena, 2 * s->split, 0, one);
    s->dfactors = rows_take(arena, 4 * s->split, 0, one);
    s->dq = rows_take(arena, q, q_s, one);
    s->dk = rows_take(arena, kv, kv_s, one);
    s->dv = rows_take(arena, kv, kv_s, one);
    s->dheads = rows_take(arena, q, q_s, one);
    s->work = ARENA_TAKE(arena, real, equi_attention_work(a, m->max_length, one));
    ARENA_TAKE(arena, real, LANES); /* vectors at the end of the last row are read whole */
    m->state = placing ? s : NULL;
}

static void sum_rows(const Model *m, Rows r) {
    const State *s = m->state;
    comm_sum_real(m->tp, r.at, field_rows(r.mv, r.s) * tiles_columns(&s->tiles));
}

/* ---- Forward. ---- */

/* The same map without what another rank adds. */
static EquiLinear biased_once(const EquiLinear *map, int tp_rank) {
    EquiLinear one = *map;
    if (tp_rank) one.mv_bias = one.s_bias = -1;
    return one;
}

/* The map onto what rank `part` keeps of linear_out's outputs; `mine`: with the tensors of scalars and biases, of which
 * this rank has its own part only. */
static EquiLinear mix_part(const State *s, const EquiLinear *mix, int part, bool mine) {
    EquiLinear map = equi_linear_rows(mix, part * s->mixed, s->mixed, part * s->mixed_s, s->mixed_s);
    map.s2mv = mine ? mix->s2mv : -1;
    map.mv_bias = mine ? mix->mv_bias : -1;
    map.s2s = mine ? mix->s2s : -1;
    map.s_bias = mine ? mix->s_bias : -1;
    return map;
}

static Rows part_rows(const State *s, real *all, int part) {
    return (Rows){.at = all + part * field_rows(s->mixed, s->mixed_s) * tiles_columns(&s->tiles),
                  .mv = s->mixed,
                  .s = s->mixed_s};
}

static EquiAttentionState attention_state(const State *s, const Block *b, const Tile *t) {
    int64_t per_column = EQUI_DISTANCES * s->heads.mv;
    return (EquiAttentionState){.query_distances = b->query_distances + s->heads.heads * per_column * t->first,
                                .key_distances = b->key_distances + s->heads.kv_heads * per_column * t->first,
                                .weights = b->weights + t->weights};
}

static void attention_stage(Model *m, const Block *b, const Tile *t, bool first) {
    const State *s = m->state;
    const real *theta = m->theta;
    Field input = view(b->input, t), q = view(b->q, t), k = view(b->k, t), v = view(b->v, t), heads = view(b->heads, t);
    equi_norm_forward(input, b->input_stats + EQUI_NORM_STATS * t->first, rows_of(s->x, t),
                      first ? NULL : rows_of(s->added, t), s->hidden, s->hidden_s, t->at);
    Field raw = view(s->input, t);
    for (int p = 0; p < PGA; p++)
        for (int i = 0; i < s->reinsert; i++)
            memcpy(input.mv + p * input.plane + (s->hidden + i) * t->at.ld,
                   raw.mv + p * raw.plane + m->shape.reinsert[i] * t->at.ld, (size_t)t->at.ld * sizeof(real));
    equi_linear_forward(q, &b->map.q, theta, input, t->at, 0);
    equi_linear_forward(k, &b->map.k, theta, input, t->at, 0);
    equi_linear_forward(v, &b->map.v, theta, input, t->at, 0);
    EquiAttentionState state = attention_state(s, b, t);
    equi_attention_forward(heads, &state, q, k, v, theta + b->map.log_weights, &s->heads, &t->seqs, t->at.ld);
    EquiLinear out = biased_once(&b->map.out, m->table.tp_rank);
    equi_linear_forward(view(s->added, t), &out, theta, heads, t->at, 0);
}

static void product_stage(Model *m, const Block *b, const Tile *t, real *parts) {
    const State *s = m->state;
    Field middle = view(b->middle, t), f = view(b->factors, t), products = view(b->products, t);
    equi_norm_forward(middle, b->middle_stats + EQUI_NORM_STATS * t->first, rows_of(s->x, t), rows_of(s->added, t),
                      s->hidden, s->hidden_s, t->at);
    Field factor[4];
    for (int i = 0; i < 4; i++) {
        factor[i] = channels_from(f, i * s->split, t);
        equi_linear_forward(factor[i], &b->map.bilinear[i], m->theta, middle, t->at, 0);
    }
    pga_geometric(products.mv, products.plane, factor[0].mv, factor[1].mv, f.plane, s->split, t->at.ld, t->at.n);
    pga_join(channels_from(products, s->split, t).mv, products.plane, factor[2].mv, factor[3].mv, f.plane,
             s->reference + t->first, s->split, t->at.ld, t->at.n);
    products.s = middle.s;
    for (int i = 0; i < m->table.tp; i++) {
        EquiLinear map = mix_part(s, &b->map.mix, i, i == m->table.tp_rank);
        equi_linear_forward(view(part_rows(s, parts, i), t), &map, m->theta, products, t->at, 0);
    }
}

static Field gated(const State *s, const Block *b, const Tile *t) {
    Field z = scratch(s->gated, t);
    z.s = view(b->s, t).s;
    return z;
}

static Field gate_stage(Model *m, const Block *b, const Tile *t) {
    const State *s = m->state;
    Field x = view(b->mixed, t), z = gated(s, b, t);
    equi_gate_forward(z, b->gate + s->mixed * t->first, b->gate_slope + s->mixed * t->first, x, x.mv, s->mixed, t->at);
    gelu(z.s, b->s_slope + s->mixed_s * t->first, x.s, s->mixed_s * t->at.ld);
    return z;
}

static void last_map(Model *m, const Block *b, const Tile *t, Field z) {
    const State *s = m->state;
    EquiLinear last = biased_once(&b->map.last, m->table.tp_rank);
    equi_linear_forward(view(s->added, t), &last, m->theta, z, t->at, 0);
}

/* Mean e123 of the inputs of each sequence, which every one of its tokens has. */
static void join_reference(const Model *m, const Tile *t) {
    const State *s = m->state;
    Field x = view(s->input, t);
    for (int i = 0; i < t->seqs.n; i++) {
        int64_t from = t->seqs.start[i], to = t->seqs.start[i + 1];
        double sum = 0;
        for (int c = 0; c < m->shape.in_mv; c++)
            for (int64_t j = from; j < to; j++) sum += (double)x.mv[14 * x.plane + c * t->at.ld + j];
        real mean = (real)(sum / (double)((to - from) * m->shape.in_mv));
        if (m->join_reference) mean = m->join_reference[t->sequence + i];
        for (int64_t j = from; j < to; j++) s->reference[t->first + j] = mean;
    }
}

static int taps(Tap *tap, const ModelShape *shape) {
    return model_block_taps(tap, shape->depth, shape->width, shape->width_s);
}

/* x is whole once the norm has added what the last stage left. */
static void leave_at_tap(const Model *m, int i, int64_t tokens) {
    const State *s = m->state;
    if (!m->tap) return;
    EACH_TILE(t, &s->tiles) tile_to_tensors(m->tap[i], view(s->x, t), s->hidden, s->hidden_s, t, tokens);
}

/* From what the ranks add in the attention stage to what each keeps for the gate. */
static void products(Model *m, const Block *b) {
    State *s = m->state;
    real *parts = s->mix_parts ? s->mix_parts : b->mixed.at;
    sum_rows(m, s->added);
    EACH_TILE(t, &s->tiles) product_stage(m, b, t, parts);
    if (!s->mix_parts) return;
    for (int i = 0; i < m->table.tp; i++) s->counts[i] = field_rows(s->mixed, s->mixed_s) * tiles_columns(&s->tiles);
    comm_reduce_scatter_real(m->tp, b->mixed.at, parts, s->counts);
}

static int64_t stream_numbers(const State *s) {
    return field_rows(s->hidden, s->hidden_s) * tiles_columns(&s->tiles);
}

/* Keeps the stream at the start of block i, where what the block finds is not kept. */
static void keep(const Model *m, int i) {
    const State *s = m->state;
    int64_t n = stream_numbers(s);
    if (s->kept) memcpy(s->kept + i * n, s->x.at, (size_t)n * sizeof(real));
}

/* What block i finds, as forward had it. */
static void recompute(Model *m, int i) {
    const State *s = m->state;
    const Block *b = &s->block[i];
    int64_t n = stream_numbers(s);
    if (!s->kept) return;
    memcpy(s->x.at, s->kept + i * n, (size_t)n * sizeof(real));
    EACH_TILE(t, &s->tiles) attention_stage(m, b, t, true);
    products(m, b);
    EACH_TILE(t, &s->tiles) gate_stage(m, b, t);
}

static void forward(Model *m, Tensors out, Tensors in, const Packed *seqs) {
    State *s = m->state;
    int64_t tokens = seqs->start[seqs->n];
    tiles_cut(&s->tiles, seqs, &s->heads);
    EACH_TILE(t, &s->tiles) {
        tile_from_tensors(view(s->input, t), in, m->shape.in_mv, m->shape.in_s, t, tokens);
        join_reference(m, t);
        equi_linear_forward(view(s->x, t), &s->in, m->theta, view(s->input, t), t->at, 0);
    }
    for (int i = 0; i < m->shape.depth; i++) {
        const Block *b = &s->block[i];
        EACH_TILE(t, &s->tiles) attention_stage(m, b, t, i == 0);
        leave_at_tap(m, i, tokens);
        keep(m, i);
        products(m, b);
        EACH_TILE(t, &s->tiles) last_map(m, b, t, gate_stage(m, b, t));
        sum_rows(m, s->added);
    }
    EACH_TILE(t, &s->tiles) {
        real *x = rows_of(s->x, t), *u = rows_of(s->added, t);
        for (int64_t i = 0; i < field_rows(s->hidden, s->hidden_s) * t->at.ld; i++) x[i] += u[i];
        Field ends = scratch(s->ends, t);
        equi_linear_forward(ends, &s->out, m->theta, view(s->x, t), t->at, 0);
        tile_to_tensors(out, ends, m->shape.out_mv, m->shape.out_s, t, tokens);
    }
    leave_at_tap(m, m->shape.depth, tokens);
}

/* ---- Backward: the stages in reverse; dx is the gradient of x and whole on every rank. ---- */

static void gate_stage_backward(Model *m, const Block *b, const Tile *t) {
    const State *s = m->state;
    Field x = view(b->mixed, t), z = gated(s, b, t), dx = view(s->dx, t), dz = view(s->dmixed, t);
    const real *value = b->gate + s->mixed * t->first, *slope = b->s_slope + s->mixed_s * t->first;
    for (int p = 0; p < PGA; p++)
        for (int64_t i = 0; i < s->mixed * t->at.ld; i++) z.mv[p * z.plane + i] = x.mv[p * x.plane + i] * value[i];
    equi_linear_backward_weight(m->grad, &b->map.last, dx, z, t->at);
    equi_linear_backward_mv(dz, &b->map.last, &dx, 1, m->theta, t->at, 0);
    equi_linear_backward_s(dz.s, &b->map.last, &dx, 1, m->theta, t->at, 0);
    real *dgate = s->gated.at; /* z is done with */
    equi_gate_backward(dz, dgate, dz, x, value, b->gate_slope + s->mixed * t->first, s->mixed, t->at);
    for (int64_t i = 0; i < s->mixed * t->at.ld; i++) dz.mv[i] += dgate[i];
    for (int64_t i = 0; i < s->mixed_s * t->at.ld; i++) dz.s[i] *= slope[i];
}

static void product_stage_backward(Model *m, const Block *b, const Tile *t, real *parts, bool input_gradient) {
    const State *s = m->state;
    Field middle = view(b->middle, t), f = view(b->factors, t), products = view(b->products, t);
    Field dproducts = scratch(s->dproducts, t), df = scratch(s->dfactors, t), dmiddle = view(s->dnorm, t);
    products.s = middle.s;
    for (int i = 0; i < m->table.tp; i++) { /* this rank's own part first */
        int part = (m->table.tp_rank + i) % m->table.tp;
        EquiLinear map = mix_part(s, &b->map.mix, part, i == 0);
        Field d = view(part_rows(s, parts, part), t);
        equi_linear_backward_weight(m->grad, &map, d, products, t->at);
        equi_linear_backward_mv(dproducts, &map, &d, 1, m->theta, t->at, i > 0);
        if (i == 0) equi_linear_backward_s(dmiddle.s, &map, &d, 1, m->theta, t->at, 0);
    }
    Field factor[4], dfactor[4];
    for (int i = 0; i < 4; i++) {
        factor[i] = channels_from(f, i * s->split, t);
        dfactor[i] = channels_from(df, i * s->split, t);
    }
    pga_geometric_backward(dfactor[0].mv, dfactor[1].mv, dproducts.mv, dproducts.plane, factor[0].mv, factor[1].mv,
                           f.plane, s->split, t->at.ld, t->at.n);
    pga_join_backward(dfactor[2].mv, dfactor[3].mv, input_gradient ? s->dreference + t->first : NULL,
                      channels_from(dproducts, s->split, t).mv, dproducts.plane, factor[2].mv, factor[3].mv, f.plane,
                      s->reference + t->first, s->split, t->at.ld, t->at.n);
    for (int i = 0; i < 4; i++) equi_linear_backward_weight(m->grad, &b->map.bilinear[i], dfactor[i], middle, t->at);
    equi_linear_backward_mv(dmiddle, b->map.bilinear, dfactor, 4, m->theta, t->at, 0);
    equi_linear_backward_s(dmiddle.s, b->map.bilinear, dfactor, 4, m->theta, t->at, 1);
}

/* Gradients of tensors that every rank has whole, of which each computes a part. */
static EquiLinear moved(const EquiLinear *map, int64_t by) {
    EquiLinear to = *map;
    to.weight -= by, to.s2mv -= by, to.mv_bias -= by, to.mv2s -= by, to.s_bias -= by, to.s2s -= by;
    return to;
}

static void attention_stage_backward(Model *m, const Block *b, const Tile *t, real *kv_grad) {
    const State *s = m->state;
    const GatrMaps *map = &b->map;
    Field input = view(b->input, t), q = view(b->q, t), k = view(b->k, t), v = view(b->v, t), heads = view(b->heads, t);
    Field dx = view(s->dx, t), dinput = view(s->dnorm, t), dheads = scratch(s->dheads, t);
    Field d[3] = {scratch(s->dq, t), scratch(s->dk, t), scratch(s->dv, t)};
    equi_linear_backward_weight(m->grad, &map->out, dx, heads, t->at);
    equi_linear_backward_mv(dheads, &map->out, &dx, 1, m->theta, t->at, 0);
    equi_linear_backward_s(dheads.s, &map->out, &dx, 1, m->theta, t->at, 0);
    EquiAttentionState state = attention_state(s, b, t);
    equi_attention_backward(d[0], d[1], d[2], m->grad + map->log_weights, dheads, &state, q, k, v,
                            m->theta + map->log_weights, &s->heads, &t->seqs, t->at.ld, s->work);
    EquiLinear maps[3] = {map->q, map->k, map->v};
    equi_linear_backward_mv(dinput, maps, d, 3, m->theta, t->at, 0);
    equi_linear_backward_s(dinput.s, maps, d, 3, m->theta, t->at, 0);
    equi_linear_backward_weight(m->grad, &map->q, d[0], input, t->at);
    for (int i = 1; i < 3; i++) {
        EquiLinear part = moved(&maps[i], map->kv_count ? map->kv : 0);
        equi_linear_backward_weight(map->kv_count ? kv_grad : m->grad, &part, d[i], input, t->at);
    }
}

static void reinserted_backward(Model *m, const Tile *t) {
    const State *s = m->state;
    Field dnorm = view(s->dnorm, t), din = view(s->dinput, t);
    for (int p = 0; p < PGA; p++)
        for (int i = 0; i < s->reinsert; i++) {
            const real *d = dnorm.mv + p * dnorm.plane + (s->hidden + i) * t->at.ld;
            real *to = din.mv + p * din.plane + m->shape.reinsert[i] * t->at.ld;
            for (int64_t j = 0; j < t->at.ld; j++) to[j] += d[j];
        }
}

static void join_reference_backward(Model *m, const Tile *t) {
    const State *s = m->state;
    Field din = view(s->dinput, t);
    for (int i = 0; i < t->seqs.n; i++) {
        int64_t from = t->seqs.start[i], to = t->seqs.start[i + 1];
        real sum = 0;
        for (int64_t j = from; j < to; j++) sum += s->dreference[t->first + j];
        sum /= (real)((to - from) * m->shape.in_mv);
        for (int c = 0; c < m->shape.in_mv; c++)
            for (int64_t j = from; j < to; j++) din.mv[14 * din.plane + c * t->at.ld + j] += sum;
    }
}

static void block_backward(Model *m, const Block *b, bool input_gradient) {
    State *s = m->state;
    EACH_TILE(t, &s->tiles) gate_stage_backward(m, b, t);
    real *parts = s->dmixed.at;
    if (s->mix_parts) {
        parts = s->mix_parts;
        comm_gather_real(m->tp, parts, s->dmixed.at, field_rows(s->mixed, s->mixed_s) * tiles_columns(&s->tiles));
    }
    Rows dnorm = s->dnorm;
    s->dnorm.mv = s->hidden; /* no reinserted channels here */
    EACH_TILE(t, &s->tiles) product_stage_backward(m, b, t, parts, input_gradient);
    sum_rows(m, s->dnorm);
    EACH_TILE(t, &s->tiles)
        equi_norm_backward(rows_of(s->dx, t), view(s->dnorm, t), view(b->middle, t),
                           b->middle_stats + EQUI_NORM_STATS * t->first, s->hidden, s->hidden_s, t->at);
    s->dnorm = dnorm;
    const GatrMaps *map = &b->map;
    real *kv_grad = s->kv_grad + (b - s->block) * map->kv_count;
    if (!s->kv_begun) memset(kv_grad, 0, (size_t)map->kv_count * sizeof *kv_grad);
    EACH_TILE(t, &s->tiles) attention_stage_backward(m, b, t, kv_grad);
    sum_rows(m, s->dnorm);
    if (!m->more) {
        comm_sum_real(m->tp, kv_grad, map->kv_count);
        for (int64_t i = 0; i < map->kv_count; i++) m->grad[map->kv + i] += kv_grad[i];
    }
    EACH_TILE(t, &s->tiles) {
        equi_norm_backward(rows_of(s->dx, t), view(s->dnorm, t), view(b->input, t),
                           b->input_stats + EQUI_NORM_STATS * t->first, s->hidden, s->hidden_s, t->at);
        if (input_gradient) reinserted_backward(m, t);
    }
}

static void ready(const Model *m, int block) {
    if (m->block_ready && !m->more) m->block_ready(m->block_context, block);
}

static void backward(Model *m, Tensors din, Tensors dout, const Packed *seqs) {
    State *s = m->state;
    int64_t tokens = seqs->start[seqs->n], columns = tiles_columns(&s->tiles);
    bool input_gradient = din.mv || din.s;
    memset(s->dinput.at, 0, (size_t)(field_rows(s->dinput.mv, s->dinput.s) * columns) * sizeof(real));
    memset(s->dreference, 0, (size_t)columns * sizeof(real));
    EACH_TILE(t, &s->tiles) {
        Field ends = scratch(s->ends, t), dx = view(s->dx, t);
        tile_from_tensors(ends, dout, m->shape.out_mv, m->shape.out_s, t, tokens);
        equi_linear_backward_weight(m->grad, &s->out, ends, view(s->x, t), t->at);
        equi_linear_backward_mv(dx, &s->out, &ends, 1, m->theta, t->at, 0);
        equi_linear_backward_s(dx.s, &s->out, &ends, 1, m->theta, t->at, 0);
    }
    ready(m, m->shape.depth + 1);
    for (int i = m->shape.depth - 1; i >= 0; i--) {
        recompute(m, i);
        block_backward(m, &s->block[i], input_gradient);
        ready(m, i + 1);
    }
    EACH_TILE(t, &s->tiles) equi_linear_backward_weight(m->grad, &s->in, view(s->dx, t), view(s->input, t), t->at);
    ready(m, 0);
    s->kv_begun = m->more;
    if (!input_gradient) return;
    comm_sum_real(m->tp, s->dreference, columns);
    EACH_TILE(t, &s->tiles) {
        Field dinput = view(s->dinput, t), dx = view(s->dx, t);
        if (!m->join_reference) join_reference_backward(m, t);
        equi_linear_backward_mv(dinput, &s->in, &dx, 1, m->theta, t->at, 1);
        equi_linear_backward_s(dinput.s, &s->in, &dx, 1, m->theta, t->at, 1);
        tile_to_tensors(din, dinput, m->shape.in_mv, m->shape.in_s, t, tokens);
    }
}

static const KeySpec size_keys[] = {MODEL_SIZE_MULTIVECTORS, MODEL_SIZE_ATTENTION};

const ModelKind gatr_kind = {.name = "gatr",
                             .recomputes = true,
                             .size_keys = size_keys,
                             .n_size_keys = sizeof size_keys / sizeof *size_keys,
                             .rotations = true,
                             .piece = TILE,
                             .check = gatr_check,
                             .params = gatr_params,
                             .work = gatr_work,
                             .layout = layout,
                             .forward = forward,
                             .backward = backward,
                             .taps = taps,
                             .scene_shape = gatr_scene_shape,
                             .embed = gatr_embed,
                             .readout = gatr_readout,
                             .readout_backward = gatr_readout_backward};
