/* ClofNet: an equivariant graph network that projects vectors on a frame of each edge, Du et al. 2022, arXiv 2110.14811,
 * with its released code. SO(3), and neither mirror images nor, but by centring, shifts. Tokens are vertices, edges all ordered pairs of
 * a scene or those of near ones (clofnet_edges.h), MLPs have SiLU between layers and where (s) says so behind them:
 *     e_ij = MLP(s)(projections, distance, ...)        h_i = Linear(|v_i|, height, parameters, slot)
 *     m_ij = MLP(s)(h_i, h_j, log(1 + |x_i - x_j|^2), e_ij)        (c1, c2, c3)_ij = MLP(m_ij)
 *     x_i += mean_j (c1 a + c2 b + c3 c) + phi_v(h_i) v_i + phi_u(h_i) u + phi_n(h_i) n
 *     h_i  = LN(2 h_i + MLP(h_i, sum_j m_ij))
 * and the output is x_i - p_i. [paper]: that form. [ours]: gravity, floor and bodies as inputs and the terms in u and n; the
 * logarithm, since scenes are tens of units wide; frames are those of the first positions in every layer, or
 * (`clofnet.frames: every`) of those that the layer is given.
 *
 * The first layer of m is a sum of one product by token for h_i, one for h_j, and one by edge for e_ij, so that executed FLOP
 * are well below nominal ones, which count every weight at every edge. Every rank would hold all edges: there is no tensor
 * parallelism. There is no gradient by inputs either, since frames have none here. */
#include "clofnet_edges.h"

#include "la/gemm.h"
#include "la/pga.h"
#include "nn/activation.h"
#include "nn/layernorm.h"
#include "nn/linear.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EDGE = 32, SCALARS_BEFORE = 2, PIECE = 64 }; /* channels of e; |v| and height; tokens of a piece */
enum { E1 = 2 };                                    /* component e1 of a multivector (la/pga.h) */

/* What a SiLU leaves for both directions: (rows, n) each. */
typedef struct Active {
    real *y, *slope;
} Active;

typedef struct Block {
    Linear first, second, third, vectors, nodes, last; /* m twice, c's first layer, phi, the node's MLP */
    int64_t coordinate;                                /* (W, 3) c's last layer, without bias */
    real *h, *x, *distance;                            /* what came in: (tokens, W), (tokens, 3); (edges) */
    real *frame;                                       /* (edges, EDGE_FRAME) of x, or of the first positions */
    Active m1, m2, c1, n1;                             /* by edge (edges, W), the last by token */
    real *coefficient, *sum, *phi, *rstd;              /* (edges, 3), (tokens, W), (tokens, 3), (tokens) */
} Block;

typedef struct State {
    int width;
    Linear in, edge1, edge2;
    Block *block;
    Active e1, e2;      /* (edges, EDGE) */
    Edges edges;        /* of the batch that went through last */
    EdgeTokens given;   /* and its tokens */
    real *input;        /* (edges, EDGE_INPUTS) */
    real *dframe;       /* (edges, EDGE_FRAME), where frames are made anew */
    real *scalars;      /* (tokens, inputs of linear_in) */
    real *h, *x;        /* what the last block leaves */
    real *from, *to;    /* (tokens, W) a token's share of its edges, as their first and second end */
    real *wide, *wide2; /* scratch (edges, W) */
    real *de;           /* (edges, EDGE) */
    real *dh, *dx, *dnode, *dsum, *dedge,
        *dphi; /* (tokens, W), (tokens, 3), (tokens, W) twice, (edges, 3), (tokens, 3) */
} State;

static int scalars_of(const ModelShape *s) {
    return s->in_s - TOKEN_SCALARS + SCALARS_BEFORE;
}

static Err check(const ModelShape *s, int tp) {
    if (s->in_mv || s->out_mv || s->in_s <= TOKEN_SCALARS || s->out_s != 3)
        return err_user("clofnet: inputs %d + %d, outputs %d + %d: want scenes and displacements", s->in_mv, s->in_s,
                        s->out_mv, s->out_s);
    if (s->width < 1 || s->depth < 1)
        return err_user("clofnet: width %d, depth %d: want at least 1 of each", s->width, s->depth);
    if (tp == 1) return ERR_NONE;
    return err_user("clofnet: tp = %d: every rank would hold every edge: want layout.tp = 1, and samples divided by "
                    "layout.dp",
                    tp);
}

/* ---- Parameters. ---- */

static void params(ParamTable *table, const ModelShape *s) {
    static const int in_out[2] = {1, 0};
    static const double small = 1e-3; /* of Xavier's bound, as the released code starts: frames are long */
    Axis w = axis_plain(s->width), twice = axis_plain(2 * s->width), edge = axis_plain(EDGE), three = axis_plain(3);
    ParamInit coordinate = param_uniform(small * sqrt(6.0 / (s->width + 3)));
    linear_params(table, 0, w, axis_plain(scalars_of(s)), false, "linear_in");
    linear_params(table, 0, edge, axis_plain(EDGE_INPUTS), false, "edge.0");
    linear_params(table, 0, edge, edge, false, "edge.2");
    for (int b = 0; b < s->depth; b++) {
        linear_params(table, b + 1, w, axis_plain(2 * s->width + 1 + EDGE), false, "blocks.%d.message.0", b);
        linear_params(table, b + 1, w, w, false, "blocks.%d.message.2", b);
        linear_params(table, b + 1, w, w, false, "blocks.%d.coordinate.0", b);
        param_add(table, b + 1, (Axis[]){three, w}, 2, in_out, false, coordinate, "blocks.%d.coordinate.2.weight", b);
        linear_params(table, b + 1, three, w, false, "blocks.%d.vectors", b);
        linear_params(table, b + 1, w, twice, false, "blocks.%d.node.0", b);
        linear_params(table, b + 1, w, w, false, "blocks.%d.node.2", b);
    }
}

/* Rows from .. from+n-1 of a map's weights, without its bias. */
static Linear rows_of(const Linear *map, int from, int n) {
    return (Linear){.weight = map->weight + (int64_t)from * map->out, .bias = -1, .in = n, .out = map->out};
}

/* ---- Memory. ---- */

static Active active_take(Arena *arena, int64_t n) {
    return (Active){ARENA_TAKE(arena, real, n), ARENA_TAKE(arena, real, n)};
}

static Block block_layout(const Model *m, int b, int64_t edges, Arena *arena) {
    const ParamTable *t = &m->table;
    char name[PARAM_NAME];
    int64_t n = m->max_tokens, w = m->shape.width;
    snprintf(name, sizeof name, "blocks.%d.coordinate.2.weight", b);
    return (Block){.first = linear_find(t, "blocks.%d.message.0", b),
                   .second = linear_find(t, "blocks.%d.message.2", b),
                   .third = linear_find(t, "blocks.%d.coordinate.0", b),
                   .vectors = linear_find(t, "blocks.%d.vectors", b),
                   .nodes = linear_find(t, "blocks.%d.node.0", b),
                   .last = linear_find(t, "blocks.%d.node.2", b),
                   .coordinate = param_find(t, name)->offset,
                   .h = ARENA_TAKE(arena, real, n * w),
                   .x = ARENA_TAKE(arena, real, 3 * n),
                   .distance = ARENA_TAKE(arena, real, edges),
                   .frame =
                       b == 0 || m->shape.frames == FRAMES_EVERY ? ARENA_TAKE(arena, real, edges * EDGE_FRAME) : NULL,
                   .m1 = active_take(arena, edges * w),
                   .m2 = active_take(arena, edges * w),
                   .c1 = active_take(arena, edges * w),
                   .n1 = active_take(arena, n * w),
                   .coefficient = ARENA_TAKE(arena, real, 3 * edges),
                   .sum = ARENA_TAKE(arena, real, n * w),
                   .phi = ARENA_TAKE(arena, real, 3 * n),
                   .rstd = ARENA_TAKE(arena, real, n)};
}

static void layout(Model *m, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    Block *blocks = ARENA_TAKE(arena, Block, m->shape.depth);
    bool placing = s != NULL;
    if (!placing) s = &counted;
    int64_t n = m->max_tokens, w = m->shape.width, edges = n * (m->max_length > 1 ? m->max_length - 1 : 0);
    *s = (State){.width = m->shape.width, .block = blocks};
    s->in = linear_find(&m->table, "linear_in");
    s->edge1 = linear_find(&m->table, "edge.0");
    s->edge2 = linear_find(&m->table, "edge.2");
    for (int b = 0; b < m->shape.depth; b++) {
        Block block = block_layout(m, b, edges, arena);
        if (!placing) continue;
        if (!block.frame) block.frame = blocks[0].frame;
        blocks[b] = block;
    }
    s->e1 = active_take(arena, edges * EDGE);
    s->e2 = active_take(arena, edges * EDGE);
    edges_layout(&s->edges, n, m->max_length, arena);
    s->dframe = ARENA_TAKE(arena, real, m->shape.frames == FRAMES_EVERY ? edges * EDGE_FRAME : 0);
    s->input = ARENA_TAKE(arena, real, edges * EDGE_INPUTS);
    s->scalars = ARENA_TAKE(arena, real, n * scalars_of(&m->shape));
    s->de = ARENA_TAKE(arena, real, edges * EDGE);
    s->dedge = ARENA_TAKE(arena, real, 3 * edges);
    real **by_edge[] = {&s->wide, &s->wide2}, **by_token[] = {&s->h, &s->from, &s->to, &s->dh, &s->dnode, &s->dsum};
    real **vectors[] = {&s->x, &s->dx, &s->dphi};
    for (int i = 0; i < 2; i++) *by_edge[i] = ARENA_TAKE(arena, real, edges * w);
    for (int i = 0; i < 6; i++) *by_token[i] = ARENA_TAKE(arena, real, n * w);
    for (int i = 0; i < 3; i++) *vectors[i] = ARENA_TAKE(arena, real, 3 * n);
    m->state = placing ? s : NULL;
}

/* ---- Forward. ---- */

static void mlp_layer(Active a, real *scratch, const real *x, const real *theta, const Linear *map, int64_t rows) {
    linear_forward(scratch, map->out, x, theta, map, rows, 0);
    silu(a.y, a.slope, scratch, rows * map->out);
}

/* Invariants of a token: speed, height over the floor, and what is a scalar already. */
static void fill_scalars(real *to, const real *row, int inputs) {
    const real *v = row + TOKEN_VELOCITY, *p = row + TOKEN_POSITION, *n = row + TOKEN_NORMAL, *foot = row + TOKEN_FOOT;
    double speed = 0, height = 0;
    for (int k = 0; k < 3; k++) {
        speed += (double)v[k] * (double)v[k];
        height += (double)n[k] * ((double)p[k] - (double)foot[k]);
    }
    to[0] = (real)sqrt(speed);
    to[1] = (real)height;
    memcpy(to + SCALARS_BEFORE, row + TOKEN_SCALARS, (size_t)(inputs - TOKEN_SCALARS) * sizeof *to);
}

static void messages_forward(const Model *m, const Block *b) {
    State *s = m->state;
    const Edges *all = &s->edges;
    int64_t w = s->width, tokens = all->tokens, edges = all->first[tokens];
    const real *theta = m->theta;
    Linear from = rows_of(&b->first, 0, s->width), to = rows_of(&b->first, s->width, s->width);
    Linear of_edge = rows_of(&b->first, 2 * s->width + 1, EDGE);
    const real *by_distance = theta + b->first.weight + 2 * w * w, *bias = theta + b->first.bias;
    linear_forward(s->from, w, b->h, theta, &from, tokens, 0);
    linear_forward(s->to, w, b->h, theta, &to, tokens, 0);
    edges_distance(b->distance, all, b->x);
    for (int64_t i = 0; i < tokens; i++)
        for (int64_t e = all->first[i]; e < all->first[i + 1]; e++) {
            const real *to_other = s->to + all->other[e] * w;
            real *at = s->wide + e * w;
#pragma omp simd
            for (int64_t c = 0; c < w; c++)
                at[c] = s->from[i * w + c] + to_other[c] + b->distance[e] * by_distance[c] + bias[c];
        }
    linear_forward(s->wide, w, s->e2.y, theta, &of_edge, edges, 1);
    silu(b->m1.y, b->m1.slope, s->wide, edges * w);
    mlp_layer(b->m2, s->wide, b->m1.y, theta, &b->second, edges);
    mlp_layer(b->c1, s->wide, b->m2.y, theta, &b->third, edges);
    gemm_nn(b->coefficient, 3, b->c1.y, w, theta + b->coordinate, 3, edges, 3, w, 0);
}

/* Factor of a mean over the edges of a token. */
static real each_of(const Edges *edges, int64_t i) {
    int64_t others = edges->first[i + 1] - edges->first[i];
    return others > 0 ? 1 / (real)others : 0;
}

/* Positions move, and messages are summed. */
static void gather_forward(const Model *m, const Block *b, real *x) {
    const State *s = m->state;
    const Edges *all = &s->edges;
    int64_t w = s->width;
    int row = m->shape.in_s;
    static const int vector[3] = {TOKEN_VELOCITY, TOKEN_GRAVITY, TOKEN_NORMAL};
    for (int64_t i = 0; i < all->tokens; i++) {
        real *sum = b->sum + i * w, move[3] = {0}, each = each_of(all, i);
        memset(sum, 0, (size_t)w * sizeof *sum);
        for (int64_t e = all->first[i]; e < all->first[i + 1]; e++) {
            const real *message = b->m2.y + e * w, *f = b->frame + e * EDGE_FRAME, *c = b->coefficient + 3 * e;
            real share = all->share[e];
            for (int64_t k = 0; k < w; k++) sum[k] += share * message[k];
            for (int k = 0; k < 3; k++) move[k] += share * (c[0] * f[k] + c[1] * f[3 + k] + c[2] * f[6 + k]);
        }
        for (int k = 0; k < 3; k++) {
            x[3 * i + k] = b->x[3 * i + k] + each * move[k];
            for (int v = 0; v < 3; v++) x[3 * i + k] += b->phi[3 * i + v] * s->given.rows[i * row + vector[v] + k];
        }
    }
}

/* Positions, and scalars, which no rotation changes. A position is a vector channel e1, e2, e3, which a mirror image turns as it
 * turns the position; a point e0ij + e123 would change sign. */
static int taps(Tap *tap, const ModelShape *shape) {
    return model_block_taps(tap, shape->depth, 1, shape->width);
}

static void leave_at_tap(const Model *m, int i, const real *h, const real *x, int64_t tokens) {
    if (!m->tap) return;
    real *mv = m->tap[i].mv;
    memcpy(m->tap[i].s, h, (size_t)(tokens * m->shape.width) * sizeof *h);
    memset(mv, 0, (size_t)(PGA * tokens) * sizeof *mv);
    for (int64_t t = 0; t < tokens; t++)
        for (int k = 0; k < 3; k++) mv[(E1 + k) * tokens + t] = x[3 * t + k];
}

static void forward(Model *m, Tensors out, Tensors in, const Packed *seqs) {
    State *s = m->state;
    const real *theta = m->theta;
    int row = m->shape.in_s, depth = m->shape.depth;
    s->given = (EdgeTokens){in.s, row, m->shape.slots, seqs};
    edges_choose(&s->edges, &s->given, m->shape.neighbours);
    edges_fill(s->block[0].frame, s->input, &s->edges, &s->given);
    int64_t tokens = s->edges.tokens, edges = s->edges.first[tokens], w = s->width;
    mlp_layer(s->e1, s->de, s->input, theta, &s->edge1, edges);
    mlp_layer(s->e2, s->de, s->e1.y, theta, &s->edge2, edges);
    for (int64_t t = 0; t < tokens; t++) {
        fill_scalars(s->scalars + t * scalars_of(&m->shape), in.s + t * row, row);
        memcpy(s->block[0].x + 3 * t, in.s + t * row + TOKEN_POSITION, 3 * sizeof(real));
    }
    linear_forward(s->block[0].h, w, s->scalars, theta, &s->in, tokens, 0);
    for (int i = 0; i < depth; i++) {
        Block *b = &s->block[i];
        real *h = i + 1 < depth ? b[1].h : s->h, *x = i + 1 < depth ? b[1].x : s->x;
        Linear own = rows_of(&b->nodes, 0, s->width), summed = rows_of(&b->nodes, s->width, s->width);
        leave_at_tap(m, i, b->h, b->x, tokens);
        if (i > 0 && m->shape.frames == FRAMES_EVERY) edges_frames(b->frame, &s->edges, &s->given, b->x);
        messages_forward(m, b);
        linear_forward(b->phi, 3, b->h, theta, &b->vectors, tokens, 0);
        gather_forward(m, b, x);
        own.bias = b->nodes.bias;
        linear_forward(s->dnode, w, b->h, theta, &own, tokens, 0);
        linear_forward(s->dnode, w, b->sum, theta, &summed, tokens, 1);
        silu(b->n1.y, b->n1.slope, s->dnode, tokens * w);
        linear_forward(s->dnode, w, b->n1.y, theta, &b->last, tokens, 0);
        for (int64_t k = 0; k < tokens * w; k++) s->dh[k] = 2 * b->h[k];
        layernorm_add(h, b->rstd, s->dh, s->dnode, NULL, tokens, w);
    }
    leave_at_tap(m, depth, s->h, s->x, tokens);
    for (int64_t t = 0; t < tokens; t++)
        for (int k = 0; k < 3; k++) out.s[3 * t + k] = s->x[3 * t + k] - s->block[0].x[3 * t + k];
}

/* ---- Backward: dh and dx are the gradients of what a block leaves, then of what came in. ---- */

/* dy becomes the gradient of what the SiLU took; the map in front of it gains its weights' from x. */
static void mlp_layer_backward(real *dy, Active a, real *grad, const Linear *map, const real *x, int64_t rows) {
    for (int64_t i = 0; i < rows * map->out; i++) dy[i] *= a.slope[i];
    linear_backward_weight(grad, dy, map->out, x, map, rows, 1);
}

static void nodes_backward(Model *m, const Block *b, const real *h, int64_t tokens) {
    State *s = m->state;
    int64_t w = s->width;
    Linear own = rows_of(&b->nodes, 0, s->width), summed = rows_of(&b->nodes, s->width, s->width);
    real *dr = s->from; /* scratch here */
    memset(dr, 0, (size_t)(tokens * w) * sizeof *dr);
    layernorm_backward(dr, NULL, s->dh, h, b->rstd, tokens, w);
    for (int64_t k = 0; k < tokens * w; k++) s->dh[k] = 2 * dr[k];
    linear_backward_weight(m->grad, dr, w, b->n1.y, &b->last, tokens, 1);
    linear_backward_input(s->dnode, dr, w, m->theta, &b->last, tokens, 0);
    own.bias = b->nodes.bias;
    mlp_layer_backward(s->dnode, b->n1, m->grad, &own, b->h, tokens);
    linear_backward_weight(m->grad, s->dnode, w, b->sum, &summed, tokens, 1);
    linear_backward_input(s->dh, s->dnode, w, m->theta, &own, tokens, 1);
    linear_backward_input(s->dsum, s->dnode, w, m->theta, &summed, tokens, 0);
}

/* From dx to the coefficients of frames and of vectors. */
static void gather_backward(Model *m, const Block *b) {
    State *s = m->state;
    const Edges *all = &s->edges;
    static const int vector[3] = {TOKEN_VELOCITY, TOKEN_GRAVITY, TOKEN_NORMAL};
    int row = m->shape.in_s;
    for (int64_t i = 0; i < all->tokens; i++) {
        const real *d = s->dx + 3 * i;
        real others = (real)(all->first[i + 1] - all->first[i]);
        for (int v = 0; v < 3; v++) {
            const real *along = s->given.rows + i * row + vector[v];
            s->dphi[3 * i + v] = d[0] * along[0] + d[1] * along[1] + d[2] * along[2];
        }
        for (int64_t e = all->first[i]; e < all->first[i + 1]; e++)
            for (int v = 0; v < 3; v++) {
                const real *f = b->frame + e * EDGE_FRAME + 3 * v;
                s->dedge[3 * e + v] = all->share[e] * (d[0] * f[0] + d[1] * f[1] + d[2] * f[2]) / others;
            }
    }
}

/* The same to frames that are made of this block's positions, and so to these. */
static void frames_backward(Model *m, const Block *b) {
    State *s = m->state;
    const Edges *all = &s->edges;
    for (int64_t i = 0; i < all->tokens; i++) {
        real each = each_of(all, i);
        for (int64_t e = all->first[i]; e < all->first[i + 1]; e++)
            for (int k = 0; k < EDGE_FRAME; k++)
                s->dframe[e * EDGE_FRAME + k] =
                    all->share[e] * each * b->coefficient[3 * e + k / 3] * s->dx[3 * i + k % 3];
    }
    edges_frames_backward(s->dx, s->dframe, all, &s->given, b->x);
}

/* The gradient of what the first layer of messages took, by edge in wide, to its three parts. */
static void parts_backward(Model *m, const Block *b) {
    State *s = m->state;
    const Edges *all = &s->edges;
    int64_t w = s->width, tokens = all->tokens, edges = all->first[tokens];
    Linear from = rows_of(&b->first, 0, s->width), to = rows_of(&b->first, s->width, s->width);
    Linear of_edge = rows_of(&b->first, 2 * s->width + 1, EDGE);
    const real *by_distance = m->theta + b->first.weight + 2 * w * w;
    real *dby_distance = m->grad + b->first.weight + 2 * w * w, *ddistance = s->dedge;
    memset(s->from, 0, (size_t)(tokens * w) * sizeof(real));
    memset(s->to, 0, (size_t)(tokens * w) * sizeof(real));
    for (int64_t i = 0; i < tokens; i++)
        for (int64_t e = all->first[i]; e < all->first[i + 1]; e++) {
            const real *d = s->wide + e * w;
            real *to_other = s->to + all->other[e] * w, along = 0;
#pragma omp simd reduction(+ : along)
            for (int64_t c = 0; c < w; c++) {
                s->from[i * w + c] += d[c];
                to_other[c] += d[c];
                dby_distance[c] += b->distance[e] * d[c];
                along += by_distance[c] * d[c];
            }
            ddistance[e] = along;
        }
    edges_distance_backward(s->dx, ddistance, all, b->x);
    from.bias = b->first.bias;
    linear_backward_weight(m->grad, s->from, w, b->h, &from, tokens, 1);
    linear_backward_weight(m->grad, s->to, w, b->h, &to, tokens, 1);
    linear_backward_weight(m->grad, s->wide, w, s->e2.y, &of_edge, edges, 1);
    linear_backward_input(s->dh, s->from, w, m->theta, &from, tokens, 1);
    linear_backward_input(s->dh, s->to, w, m->theta, &to, tokens, 1);
    linear_backward_input(s->de, s->wide, w, m->theta, &of_edge, edges, 1);
}

static void messages_backward(Model *m, const Block *b) {
    State *s = m->state;
    const Edges *all = &s->edges;
    int64_t w = s->width, edges = all->first[all->tokens];
    gemm_tn(m->grad + b->coordinate, 3, b->c1.y, w, s->dedge, 3, w, 3, edges, 1);
    gemm_nt(s->wide, w, s->dedge, 3, m->theta + b->coordinate, 3, edges, w, 3, 0);
    mlp_layer_backward(s->wide, b->c1, m->grad, &b->third, b->m2.y, edges);
    linear_backward_input(s->wide2, s->wide, w, m->theta, &b->third, edges, 0);
    for (int64_t i = 0; i < all->tokens; i++)
        for (int64_t e = all->first[i]; e < all->first[i + 1]; e++)
            for (int64_t c = 0; c < w; c++) s->wide2[e * w + c] += all->share[e] * s->dsum[i * w + c];
    mlp_layer_backward(s->wide2, b->m2, m->grad, &b->second, b->m1.y, edges);
    linear_backward_input(s->wide, s->wide2, w, m->theta, &b->second, edges, 0);
    for (int64_t i = 0; i < edges * w; i++) s->wide[i] *= b->m1.slope[i];
    parts_backward(m, b);
}

static void ready(const Model *m, int block) {
    if (m->block_ready && !m->more) m->block_ready(m->block_context, block);
}

static void backward(Model *m, Tensors din, Tensors dout, const Packed *seqs) {
    State *s = m->state;
    int64_t tokens = s->edges.tokens, edges = s->edges.first[tokens], w = s->width;
    (void)seqs; /* the edges have them */
    CHECK(!din.s && !din.mv, "clofnet has no gradient by its inputs");
    memset(s->dh, 0, (size_t)(tokens * w) * sizeof(real));
    memset(s->de, 0, (size_t)(edges * EDGE) * sizeof(real));
    memcpy(s->dx, dout.s, (size_t)(3 * tokens) * sizeof(real));
    for (int i = m->shape.depth - 1; i >= 0; i--) {
        const Block *b = &s->block[i];
        gather_backward(m, b);
        if (i > 0 && m->shape.frames == FRAMES_EVERY) frames_backward(m, b);
        nodes_backward(m, b, i + 1 < m->shape.depth ? b[1].h : s->h, tokens);
        linear_backward_weight(m->grad, s->dphi, 3, b->h, &b->vectors, tokens, 1);
        linear_backward_input(s->dh, s->dphi, 3, m->theta, &b->vectors, tokens, 1);
        messages_backward(m, b);
        ready(m, i + 1);
    }
    mlp_layer_backward(s->de, s->e2, m->grad, &s->edge2, s->e1.y, edges);
    real *de1 = s->e2.y; /* done with */
    linear_backward_input(de1, s->de, EDGE, m->theta, &s->edge2, edges, 0);
    mlp_layer_backward(de1, s->e1, m->grad, &s->edge1, s->input, edges);
    linear_backward_weight(m->grad, s->dh, w, s->scalars, &s->in, tokens, 1);
    ready(m, 0);
}

/* ---- Work. ---- */

static ModelWork work(const ModelShape *s, int tp, bool input_gradient) {
    (void)tp;
    (void)input_gradient;
    double w = s->width, d = s->depth, in = scalars_of(s), message = w * (2 * w + 1 + EDGE) + w * w;
    double by_edge = d * (EDGE * w + 2 * w * w + 3 * w) + EDGE * EDGE; /* pairs of channels that products join */
    double by_token = d * (2 * w * w + 3 * w + 3 * w * w);
    double nominal_edge = 6 * (d * (message + w * w + 3 * w) + EDGE * EDGE + EDGE * EDGE_INPUTS);
    double nominal_token = 6 * (d * (3 * w + 3 * w * w) + w * in);
    /* Of what stands first only the weights have a gradient. */
    double executed_edge = 6 * by_edge + 4.0 * EDGE * EDGE_INPUTS, executed_token = 6 * by_token + 4 * w * in;
    ModelFlops of_token = {.nominal = nominal_token, .executed = executed_token};
    ModelFlops of_edge = {.nominal = nominal_edge, .executed = executed_edge};
    return (ModelWork){.token = of_token, .pair = of_edge};
}

static double pairs(const ModelShape *s, const int32_t *body, const Packed *seqs) {
    return edges_count(body, s->slots, s->neighbours, seqs);
}

/* ---- Rigid-body scenes. ---- */

static void scene_shape(ModelShape *shape, int slots, int worlds) {
    shape->in_mv = shape->out_mv = 0;
    shape->in_s = TOKEN_SCALARS + SCENE_BODY + worlds + slots;
    shape->out_s = 3;
    shape->slots = slots;
    shape->first_slot = shape->in_s - slots;
}

static void embed(Tensors in, const SceneBatch *batch, const ModelShape *shape) {
    for (int i = 0; i < batch->seqs.n; i++)
        for (int64_t t = batch->seqs.start[i]; t < batch->seqs.start[i + 1]; t++) {
            real *row = in.s + t * shape->in_s;
            const real *plane = batch->floor + 4 * i;
            memcpy(row + TOKEN_POSITION, batch->position + 3 * t, 3 * sizeof *row);
            memcpy(row + TOKEN_VELOCITY, batch->velocity + 3 * t, 3 * sizeof *row);
            memcpy(row + TOKEN_GRAVITY, batch->gravity + 3 * i, 3 * sizeof *row);
            memcpy(row + TOKEN_NORMAL, plane, 3 * sizeof *row);
            for (int k = 0; k < 3; k++) row[TOKEN_FOOT + k] = -plane[3] * plane[k];
            row += TOKEN_SCALARS;
            memcpy(row, batch->body + SCENE_BODY * t, SCENE_BODY * sizeof *row);
            row += SCENE_BODY;
            for (int j = 0; j < batch->worlds; j++) *row++ = batch->world[batch->worlds * i + j];
            memset(row, 0, (size_t)batch->slots * sizeof *row);
            row[batch->slot[t]] = 1;
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

static const KeySpec size_keys[] = {
    {"width", KEY_INTS, offsetof(ModelSizes, width), "", 1, 1 << 20, NULL, "channels",
     "hidden channels of each model size", NULL},
    {"depth", KEY_INTS, offsetof(ModelSizes, depth), "", 1, 1000, NULL, "blocks", "blocks of each model size", NULL},
    {"neighbours", KEY_INT, offsetof(ModelSizes, neighbours), "0", 0, 1 << 20, NULL, "vertices",
     "of other bodies, the nearest, that have an edge to a vertex beside all of its own body; 0: all", NULL},
    {"frames", KEY_CHOICE, offsetof(ModelSizes, frames), "first", 0, 0, "first|every", "1",
     "positions whose frames a layer uses: those of the scene, or those that the layer before left", NULL},
};

const ModelKind clofnet_kind = {.name = "clofnet",
                                .size_keys = size_keys,
                                .n_size_keys = sizeof size_keys / sizeof *size_keys,
                                .rotations = true,
                                .piece = PIECE,
                                .check = check,
                                .params = params,
                                .work = work,
                                .pairs = pairs,
                                .layout = layout,
                                .forward = forward,
                                .backward = backward,
                                .taps = taps,
                                .scene_shape = scene_shape,
                                .embed = embed,
                                .readout = readout,
                                .readout_backward = readout_backward};
