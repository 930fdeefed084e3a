/* GATr with k fixed inputs: T(x) ~ F(x, t_1 .. t_k), after approximately equivariant neural processes, Ashman et al. 2024,
 * arXiv 2406.13488. F is GATr, equivariant in scene and fixed inputs jointly, F(g x, g t) = g F(x, t); the t_j are
 * parameters, multivectors that do not turn with the scene. Where they are 0 the model is as equivariant as GATr; k grows
 * with how much symmetry the task lacks.
 *
 * t_j stands in channel in_mv + j of every token, times the gate of its sequence (SceneBatch.gate), the last of the scalar
 * inputs, so that gates need no path of their own. A fixed scalar would be a second bias of linear_in: there is none.
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
    int64_t first;         /* element of theta where GATr's parameters begin; the fixed inputs stand before them */
    Tensors input, dinput; /* of GATr */
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

/* GATr's own shape: wider by the fixed inputs, without the gate. */
static ModelShape gatr_shape(const ModelShape *s) {
    ModelShape g = *s;
    g.in_mv += s->fixed;
    g.in_s -= 1;
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
    gatr_params(table, &g);
}

static ModelWork work(const ModelShape *s, int tp, bool input_gradient) {
    ModelShape g = gatr_shape(s);
    return gatr_work(&g, tp, input_gradient || s->fixed > 0);
}

static void layout(Model *m, Arena *arena) {
    State counted, *s = ARENA_TAKE(arena, State, 1);
    bool placing = s != NULL;
    if (!placing) s = &counted;
    *s = (State){.gatr = *m,
                 .first = m->shape.fixed ? m->table.at[1].offset : 0}; /* fixed inputs are the first tensor */
    s->gatr.kind = &gatr_kind;
    s->gatr.shape = gatr_shape(&m->shape);
    const ModelShape *g = &s->gatr.shape;
    Tensors *buffer[] = {&s->input, &s->dinput};
    for (int i = 0; i < 2; i++) {
        buffer[i]->mv = ARENA_TAKE(arena, real, PGA * m->max_tokens * g->in_mv);
        buffer[i]->s = ARENA_TAKE(arena, real, m->max_tokens * g->in_s);
    }
    gatr_kind.layout(&s->gatr, arena);
    m->state = placing ? s : NULL;
}

/* GATr as this model is now: its parameters, who taps and who listens. */
static Model *gatr_of(const Model *m) {
    State *s = m->state;
    void *state = s->gatr.state;
    ModelShape shape = s->gatr.shape;
    s->gatr = *m;
    s->gatr.kind = &gatr_kind;
    s->gatr.shape = shape;
    s->gatr.state = state;
    s->gatr.theta = m->theta + s->first;
    s->gatr.grad = m->grad + s->first;
    return &s->gatr;
}

/* Rows of GATr's channels from rows of this model's, or back. */
static void copy_rows(real *to, int to_row, const real *from, int from_row, int n, int64_t rows) {
    for (int64_t i = 0; i < rows; i++) memcpy(to + i * to_row, from + i * from_row, (size_t)n * sizeof *to);
}

static int taps(Tap *tap, const ModelShape *shape) {
    return gatr_kind.taps(tap, shape);
}

static void forward(Model *m, Tensors out, Tensors in, const Packed *seqs) {
    State *s = m->state;
    Model *gatr = gatr_of(m);
    const Numbers *z = &numbers[m->shape.fixed_kind];
    int scene = m->shape.in_mv, all = gatr->shape.in_mv, scalars = m->shape.in_s;
    int64_t tokens = seqs->start[seqs->n];
    s->scene = in;
    copy_rows(s->input.mv, all, in.mv, scene, scene, PGA * tokens);
    copy_rows(s->input.s, scalars - 1, in.s, scalars, scalars - 1, tokens);
    for (int p = 0; p < PGA; p++)
        for (int64_t t = 0; t < tokens; t++)
            for (int j = scene; j < all; j++) s->input.mv[(p * tokens + t) * all + j] = 0;
    for (int j = 0; j < m->shape.fixed; j++)
        for (int i = 0; i < z->n; i++) {
            real value = z->sign[i] * m->theta[j * z->n + i];
            for (int64_t t = 0; t < tokens; t++) {
                real gate = in.s[t * scalars + scalars - 1];
                s->input.mv[(z->component[i] * tokens + t) * all + scene + j] = gate * value;
            }
        }
    gatr_kind.forward(gatr, out, s->input, seqs);
}

/* The first block is complete once the gradient of the fixed inputs is there too. */
static void ready(void *context, int block) {
    const Model *m = context;
    if (block > 0 && m->block_ready) m->block_ready(m->block_context, block);
}

/* Gradients of fixed inputs and gates, from that of GATr's inputs. dgate (tokens) with a stride, or NULL. */
static void fixed_backward(Model *m, real *dgate, int stride, int64_t tokens) {
    const State *s = m->state;
    const Numbers *z = &numbers[m->shape.fixed_kind];
    int scene = m->shape.in_mv, all = scene + m->shape.fixed, scalars = m->shape.in_s;
    for (int64_t t = 0; dgate && t < tokens; t++) dgate[t * stride] = 0;
    for (int j = 0; j < m->shape.fixed; j++)
        for (int i = 0; i < z->n; i++) {
            int64_t at = j * z->n + i;
            const real *d = s->dinput.mv + z->component[i] * tokens * all + scene + j;
            real sum = 0;
            for (int64_t t = 0; t < tokens; t++) {
                sum += s->scene.s[t * scalars + scalars - 1] * d[t * all];
                if (dgate) dgate[t * stride] += z->sign[i] * m->theta[at] * d[t * all];
            }
            m->grad[at] += z->sign[i] * sum;
        }
}

static void backward(Model *m, Tensors din, Tensors dout, const Packed *seqs) {
    State *s = m->state;
    Model *gatr = gatr_of(m);
    int scene = m->shape.in_mv, all = gatr->shape.in_mv, scalars = m->shape.in_s;
    int64_t tokens = seqs->start[seqs->n];
    bool inputs = m->shape.fixed > 0 || din.mv || din.s;
    gatr->block_ready = ready;
    gatr->block_context = m;
    gatr_kind.backward(gatr, inputs ? s->dinput : (Tensors){0}, dout, seqs);
    if (din.mv) copy_rows(din.mv, scene, s->dinput.mv, all, scene, PGA * tokens);
    if (din.s) copy_rows(din.s, scalars, s->dinput.s, scalars - 1, scalars - 1, tokens);
    fixed_backward(m, din.s ? din.s + scalars - 1 : NULL, scalars, tokens);
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

static const KeySpec size_keys[] = {MODEL_SIZE_MULTIVECTORS,
                                    {"fixed", KEY_INTS, offsetof(ModelSizes, fixed), "", 0, 1024, NULL, "1",
                                     "fixed inputs of each model size; empty: none", NULL},
                                    {"kind", KEY_CHOICE, offsetof(ModelSizes, fixed_kind), "free", 0, 0,
                                     "free|direction|plane", "1",
                                     "what a fixed input is: any multivector, a direction, a plane", NULL},
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
