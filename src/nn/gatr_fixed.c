/* GATr with k fixed inputs: T(x) ~ F(x, t_1 .. t_k), after approximately equivariant neural processes, Ashman et al. 2024,
 * arXiv 2406.13488. F is GATr, equivariant in scene and fixed inputs jointly, F(g x, g t) = g F(x, t); the t_j are
 * parameters, multivectors that do not turn with the scene. Where they are 0 the model is as equivariant as GATr; k grows
 * with how much symmetry the task lacks.
 *
 * t_j stands in channel in_mv + j of every token of a sequence, or (`gatr_fixed.place: tokens`) as a token of its own behind
 * them, in a channel that other tokens have 0 in, with 0 in all others; its output is not read. Either way it is multiplied by
 * the gate of its sequence (SceneBatch.gate), the last of the scalar inputs, read at the sequence's first token, so that gates
 * need no path of their own. Fixed scalars, `gatr_fixed.fixed_scalars` of them, stand in further scalar channels of every
 * token. They are a bias of linear_in that gates switch: they break no symmetry, but tell the network whether it may.
 *
 * A t_j has 16 numbers, or 3 of a direction, or 4 of a plane (normal, and minus its distance from the origin, of any
 * length). What GATr does is done by GATr, on the rest of this model's parameters; every tp rank has the fixed inputs whole,
 * and the gradient of GATr's inputs, from which theirs comes, is whole on every rank too. */
#include "gatr_params.h"
#include "gatr_scene.h"
#include "gatr_tiles.h"

#include "la/pga.h"

#include <string.h>

typedef struct State {
    Model gatr;            /* in the memory of this model */
    int64_t first;         /* element of theta where GATr's parameters begin; the fixed inputs stand before them, */
    int64_t scalars;       /* and of these the scalars last, from here on */
    int64_t *start;        /* (n+1) of GATr's sequences */
    Tensors input, dinput; /* of GATr */
    Tensors out, dout;     /* of GATr, where it has tokens more than this model */
    Tensors *tap;          /* the same */
    Tensors scene;         /* the inputs that went through last */
} State;

/* The component of a multivector that each number is, and its sign: pga_direction, pga_plane. */
typedef struct Numbers {
    int n, component[PGA];
    real sign[PGA];
} Numbers;

static const Numbers numbers[] = {
    [FIXED_FREE] = {16,
                    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
    [FIXED_DIRECTION] = {3, {13, 12, 11}, {-1, 1, -1}},
    [FIXED_PLANE] = {4, {2, 3, 4, 1}, {1, 1, 1, 1}},
};

/* What fixed inputs add to the channels of every token, and to the tokens of every sequence. */
static int more_channels(const ModelShape *s) {
    return s->fixed > 0 && s->fixed_place == FIXED_TOKENS ? 1 : s->fixed;
}

static int more_tokens(const ModelShape *s) {
    return s->fixed_place == FIXED_TOKENS ? s->fixed : 0;
}

static bool has_fixed(const ModelShape *s) {
    return s->fixed > 0 || s->fixed_scalars > 0;
}

/* GATr's own shape: wider by the fixed inputs, without the gate. */
static ModelShape gatr_shape(const ModelShape *s) {
    ModelShape g = *s;
    g.in_mv += more_channels(s);
    g.in_s += s->fixed_scalars - 1;
    return g;
}

static Err check(const ModelShape *s, int tp) {
    ModelShape g = gatr_shape(s);
    if (s->fixed < 0 || s->fixed > 1024) return err_user("gatr_fixed: %d fixed inputs: want 0 to 1024", s->fixed);
    return gatr_check(&g, tp);
}

static void params(ParamTable *table, const ModelShape *s) {
    static const double half = 0.25; /* 1 / sqrt(16) */
    ModelShape g = gatr_shape(s);
    Axis axes[2] = {axis_plain(s->fixed), axis_plain(numbers[s->fixed_kind].n)};
    if (s->fixed) param_add(table, 0, axes, 2, NULL, false, param_uniform(half), "fixed.mv");
    if (s->fixed_scalars) {
        Axis scalars = axis_plain(s->fixed_scalars);
        param_add(table, 0, &scalars, 1, NULL, false, param_uniform(half), "fixed.s");
    }
    gatr_params(table, &g);
}

static ModelFlops sum_of(ModelFlops a, double times, ModelFlops b) {
    return (ModelFlops){.nominal = a.nominal + times * b.nominal,
                        .executed = a.executed + times * b.executed,
                        .attention = a.attention + times * b.attention};
}

/* k tokens more make T + k of T and T^2 + 2 k T + k^2 of T^2. */
static ModelWork work(const ModelShape *s, int tp, bool input_gradient) {
    ModelShape g = gatr_shape(s);
    ModelWork w = gatr_work(&g, tp, input_gradient || has_fixed(s));
    double k = more_tokens(s);
    w.sequence = sum_of(w.sequence, k, w.token);
    w.sequence = sum_of(w.sequence, k * k, w.square);
    w.token = sum_of(w.token, 2 * k, w.square);
    return w;
}

static Tensors tensors_take(Arena *arena, int mv, int s, int64_t tokens) {
    return (Tensors){.mv = ARENA_TAKE(arena, real, PGA * tokens * mv), .s = ARENA_TAKE(arena, real, tokens * s)};
}

/* What only tokens of their own need. */
static void tokens_layout(State *s, Arena *arena) {
    const ModelShape *g = &s->gatr.shape;
    int taps = gatr_kind.taps(NULL, g);
    s->out = tensors_take(arena, g->out_mv, g->out_s, s->gatr.max_tokens);
    s->dout = tensors_take(arena, g->out_mv, g->out_s, s->gatr.max_tokens);
    s->tap = ARENA_TAKE(arena, Tensors, taps);
    for (int i = 0; i < taps; i++) {
        Tensors at = tensors_take(arena, g->width, g->width_s, s->gatr.max_tokens);
        if (s->tap) s->tap[i] = at;
    }
}

static void layout(Model *m, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    bool placing = s != NULL;
    if (!placing) s = &counted;
    int own = (m->shape.fixed > 0) + (m->shape.fixed_scalars > 0); /* tensors that stand first */
    *s = (State){.gatr = *m, .first = m->table.at[own].offset, .scalars = own ? m->table.at[own - 1].offset : 0};
    Model *gatr = &s->gatr;
    gatr->kind = &gatr_kind;
    gatr->shape = gatr_shape(&m->shape);
    gatr->max_tokens += (int64_t)more_tokens(&m->shape) * m->max_sequences;
    gatr->max_length += more_tokens(&m->shape);
    s->start = ARENA_TAKE(arena, int64_t, m->max_sequences + 1);
    s->input = tensors_take(arena, gatr->shape.in_mv, gatr->shape.in_s, gatr->max_tokens);
    s->dinput = tensors_take(arena, gatr->shape.in_mv, gatr->shape.in_s, gatr->max_tokens);
    if (more_tokens(&m->shape)) tokens_layout(s, arena);
    gatr_kind.layout(gatr, arena);
    m->state = placing ? s : NULL;
}

/* GATr as this model is now: its parameters, who taps and who listens. */
static Model *gatr_of(const Model *m) {
    State *s = m->state;
    Model before = s->gatr;
    s->gatr = *m;
    s->gatr.kind = before.kind;
    s->gatr.shape = before.shape;
    s->gatr.state = before.state;
    s->gatr.max_tokens = before.max_tokens;
    s->gatr.max_length = before.max_length;
    s->gatr.theta = m->theta + s->first;
    s->gatr.grad = m->grad + s->first;
    if (m->tap && s->tap) s->gatr.tap = s->tap;
    return &s->gatr;
}

/* The sequences as GATr has them, with fixed inputs at their ends where these are tokens. */
static Packed gatr_sequences(const Model *m, const Packed *seqs) {
    State *s = m->state;
    for (int q = 0; q <= seqs->n; q++) s->start[q] = seqs->start[q] + (int64_t)more_tokens(&m->shape) * q;
    return (Packed){.n = seqs->n, .start = s->start};
}

/* Rows of numbers by token, and whose tokens they are. */
typedef struct RowsOf {
    real *at;
    int width;
    const Packed *seqs;
} RowsOf;

/* The first n numbers of each token that both have, sequence by sequence; of all planes of multivectors. */
static void copy_rows(RowsOf to, RowsOf from, int n) {
    if (n == 0) return;
    for (int q = 0; q < to.seqs->n; q++) {
        int64_t a = to.seqs->start[q], b = from.seqs->start[q];
        int64_t rows = to.seqs->start[q + 1] - a, others = from.seqs->start[q + 1] - b;
        if (others < rows) rows = others;
        for (int64_t i = 0; i < rows; i++)
            memcpy(to.at + (a + i) * to.width, from.at + (b + i) * from.width, (size_t)n * sizeof *to.at);
    }
}

static void copy_planes(RowsOf to, RowsOf from, int n) {
    int64_t plane = to.seqs->start[to.seqs->n] * to.width, other = from.seqs->start[from.seqs->n] * from.width;
    for (int p = 0; p < PGA; p++) {
        copy_rows(to, from, n);
        to.at += plane;
        from.at += other;
    }
}

static int taps(Tap *tap, const ModelShape *shape) {
    return gatr_kind.taps(tap, shape);
}

/* Where fixed input j of sequence q stands in GATr's inputs: these tokens, this channel. */
typedef struct Place {
    int64_t from, to;
    int channel;
} Place;

static Place place_of(const ModelShape *s, const Packed *inside, int q, int j) {
    int64_t from = inside->start[q], to = inside->start[q + 1];
    if (s->fixed_place == FIXED_CHANNELS) return (Place){from, to, s->in_mv + j};
    from = to - s->fixed + j;
    return (Place){from, from + 1, s->in_mv};
}

/* The gate of a sequence in a model's inputs or their gradient. */
static real *gate_at(Tensors in, const ModelShape *s, const Packed *seqs, int q) {
    return in.s + seqs->start[q] * s->in_s + s->in_s - 1;
}

static void put_fixed(const Model *m, Tensors in, const Packed *seqs, const Packed *inside) {
    const State *s = m->state;
    const Numbers *z = &numbers[m->shape.fixed_kind];
    int64_t tokens = inside->start[inside->n];
    int all = s->gatr.shape.in_mv;
    for (int q = 0; q < seqs->n; q++)
        for (int j = 0; j < m->shape.fixed; j++) {
            Place at = place_of(&m->shape, inside, q, j);
            for (int i = 0; i < z->n; i++) {
                real value = *gate_at(in, &m->shape, seqs, q) * z->sign[i] * m->theta[j * z->n + i];
                real *plane = s->input.mv + z->component[i] * tokens * all + at.channel;
                for (int64_t t = at.from; t < at.to; t++) plane[t * all] = value;
            }
        }
}

/* The gate times the fixed scalars, behind the scene's own. */
static void put_scalars(const Model *m, Tensors in, const Packed *seqs, const Packed *inside) {
    const State *s = m->state;
    int all = s->gatr.shape.in_s, n = m->shape.fixed_scalars;
    for (int q = 0; n > 0 && q < seqs->n; q++)
        for (int64_t t = inside->start[q]; t < inside->start[q + 1]; t++)
            for (int j = 0; j < n; j++)
                s->input.s[(t + 1) * all - n + j] = *gate_at(in, &m->shape, seqs, q) * m->theta[s->scalars + j];
}

static void forward(Model *m, Tensors out, Tensors in, const Packed *seqs) {
    State *s = m->state;
    Model *gatr = gatr_of(m);
    Packed inside = gatr_sequences(m, seqs);
    const ModelShape *here = &m->shape, *there = &gatr->shape;
    int64_t tokens = inside.start[inside.n];
    s->scene = in;
    memset(s->input.mv, 0, (size_t)(PGA * tokens * there->in_mv) * sizeof(real));
    memset(s->input.s, 0, (size_t)(tokens * there->in_s) * sizeof(real));
    copy_planes((RowsOf){s->input.mv, there->in_mv, &inside}, (RowsOf){in.mv, here->in_mv, seqs}, here->in_mv);
    copy_rows((RowsOf){s->input.s, there->in_s, &inside}, (RowsOf){in.s, here->in_s, seqs}, here->in_s - 1);
    put_fixed(m, in, seqs, &inside);
    put_scalars(m, in, seqs, &inside);
    if (!more_tokens(here)) {
        gatr_kind.forward(gatr, out, s->input, seqs);
        return;
    }
    gatr_kind.forward(gatr, s->out, s->input, &inside);
    copy_planes((RowsOf){out.mv, here->out_mv, seqs}, (RowsOf){s->out.mv, here->out_mv, &inside}, here->out_mv);
    copy_rows((RowsOf){out.s, here->out_s, seqs}, (RowsOf){s->out.s, here->out_s, &inside}, here->out_s);
    for (int i = 0; m->tap && i < gatr_kind.taps(NULL, there); i++) {
        copy_planes((RowsOf){m->tap[i].mv, here->width, seqs}, (RowsOf){s->tap[i].mv, here->width, &inside},
                    here->width);
        copy_rows((RowsOf){m->tap[i].s, here->width_s, seqs}, (RowsOf){s->tap[i].s, here->width_s, &inside},
                  here->width_s);
    }
}

/* The first block is complete once the gradient of the fixed inputs is there too. */
static void ready(void *context, int block) {
    const Model *m = context;
    if (block > 0 && m->block_ready) m->block_ready(m->block_context, block);
}

/* Gradients of fixed inputs and, where din has scalars, of gates, from that of GATr's inputs. */
static void fixed_backward(Model *m, Tensors din, const Packed *seqs, const Packed *inside) {
    const State *s = m->state;
    const Numbers *z = &numbers[m->shape.fixed_kind];
    int64_t tokens = inside->start[inside->n];
    int all = s->gatr.shape.in_mv, scalars = m->shape.in_s;
    for (int64_t t = 0; din.s && t < seqs->start[seqs->n]; t++) din.s[t * scalars + scalars - 1] = 0;
    for (int q = 0; q < seqs->n; q++)
        for (int j = 0; j < m->shape.fixed; j++) {
            Place at = place_of(&m->shape, inside, q, j);
            for (int i = 0; i < z->n; i++) {
                const real *plane = s->dinput.mv + z->component[i] * tokens * all + at.channel;
                int64_t number = j * z->n + i;
                real sum = 0;
                for (int64_t t = at.from; t < at.to; t++) sum += plane[t * all];
                sum *= z->sign[i];
                m->grad[number] += *gate_at(s->scene, &m->shape, seqs, q) * sum;
                if (din.s) *gate_at(din, &m->shape, seqs, q) += m->theta[number] * sum;
            }
        }
}

static void scalars_backward(Model *m, Tensors din, const Packed *seqs, const Packed *inside) {
    const State *s = m->state;
    int all = s->gatr.shape.in_s, n = m->shape.fixed_scalars;
    for (int q = 0; q < seqs->n; q++)
        for (int j = 0; j < n; j++) {
            int64_t number = s->scalars + j;
            real sum = 0;
            for (int64_t t = inside->start[q]; t < inside->start[q + 1]; t++) sum += s->dinput.s[(t + 1) * all - n + j];
            m->grad[number] += *gate_at(s->scene, &m->shape, seqs, q) * sum;
            if (din.s) *gate_at(din, &m->shape, seqs, q) += m->theta[number] * sum;
        }
}

static void backward(Model *m, Tensors din, Tensors dout, const Packed *seqs) {
    State *s = m->state;
    Model *gatr = gatr_of(m);
    Packed inside = gatr_sequences(m, seqs);
    const ModelShape *here = &m->shape, *there = &gatr->shape;
    int64_t tokens = inside.start[inside.n];
    bool inputs = has_fixed(here) || din.mv || din.s;
    gatr->block_ready = ready;
    gatr->block_context = m;
    if (more_tokens(here)) {
        memset(s->dout.mv, 0, (size_t)(PGA * tokens * here->out_mv) * sizeof(real));
        memset(s->dout.s, 0, (size_t)(tokens * here->out_s) * sizeof(real));
        copy_planes((RowsOf){s->dout.mv, here->out_mv, &inside}, (RowsOf){dout.mv, here->out_mv, seqs}, here->out_mv);
        copy_rows((RowsOf){s->dout.s, here->out_s, &inside}, (RowsOf){dout.s, here->out_s, seqs}, here->out_s);
        dout = s->dout;
    }
    gatr_kind.backward(gatr, inputs ? s->dinput : (Tensors){0}, dout, &inside);
    if (din.mv)
        copy_planes((RowsOf){din.mv, here->in_mv, seqs}, (RowsOf){s->dinput.mv, there->in_mv, &inside}, here->in_mv);
    if (din.s)
        copy_rows((RowsOf){din.s, here->in_s, seqs}, (RowsOf){s->dinput.s, there->in_s, &inside}, here->in_s - 1);
    fixed_backward(m, din, seqs, &inside);
    scalars_backward(m, din, seqs, &inside);
    if (m->block_ready && !m->more) m->block_ready(m->block_context, 0);
}

static void scene_shape(ModelShape *shape, int slots, int worlds) {
    gatr_scene_shape(shape, slots, worlds);
    shape->in_s += 1; /* the gate */
}

static void embed(Tensors in, const SceneBatch *batch, const ModelShape *shape) {
    int gate = shape->in_s - 1;
    gatr_embed(in, batch, shape);
    for (int i = 0; i < batch->seqs.n; i++)
        for (int64_t t = batch->seqs.start[i]; t < batch->seqs.start[i + 1]; t++)
            in.s[t * shape->in_s + gate] = batch->gate ? batch->gate[i] : 1;
}

static const KeySpec size_keys[] = {
    MODEL_SIZE_MULTIVECTORS,
    {"fixed", KEY_INTS, offsetof(ModelSizes, fixed), "", 0, 1024, NULL, "1",
     "fixed inputs of each model size; empty: none", NULL},
    {"kind", KEY_CHOICE, offsetof(ModelSizes, fixed_kind), "free", 0, 0, "free|direction|plane", "1",
     "what a fixed input is: any multivector, a direction, a plane", NULL},
    {"place", KEY_CHOICE, offsetof(ModelSizes, fixed_place), "channels", 0, 0, "channels|tokens", "1",
     "where fixed inputs stand: in channels of every token, or as tokens of their own", NULL},
    {"fixed_scalars", KEY_INT, offsetof(ModelSizes, fixed_scalars), "0", 0, 1024, NULL, "1",
     "fixed inputs that are scalars, in channels of every token", NULL},
    MODEL_SIZE_ATTENTION};

const ModelKind gatr_fixed_kind = {.name = "gatr_fixed",
                                   .recomputes = true,
                                   .size_keys = size_keys,
                                   .n_size_keys = sizeof size_keys / sizeof *size_keys,
                                   .piece = TILE,
                                   .check = check,
                                   .params = params,
                                   .work = work,
                                   .layout = layout,
                                   .forward = forward,
                                   .backward = backward,
                                   .taps = taps,
                                   .scene_shape = scene_shape,
                                   .embed = embed,
                                   .readout = gatr_readout,
                                   .readout_backward = gatr_readout_backward};
