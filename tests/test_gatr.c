// TEST n=1,2,4
/* Whole networks on packed sequences of different lengths, all ranks tensor-parallel: equivariance under every versor
 * acting on multivectors and under every proper motion of a scene, executed FLOP against the counter, the derivative of
 * the whole chain, order of gradient blocks, refusals; no step allocates. */
#include "check.h"
#include "base/log.h"
#include "base/rng.h"
#include "la/flops.h"
#include "la/pga.h"
#include "nn/equi_attention.h"
#include "nn/equi_linear.h"
#include "nn/model.h"

enum { SEQUENCES = 5, SLOTS = 3 };
static const int64_t start[SEQUENCES + 1] = {0, 1, 24, 65, 68, 201};
static const Packed seqs = {.n = SEQUENCES, .start = start};
static const int64_t tokens = 201, longest = 133;
static const double bound = sizeof(real) == 8 ? 1e-10 : 1e-4;

static uint64_t draws;
static double draw(void) {
    return rng_normal(5, 0, draws++);
}

static void fill(real *x, int64_t n, double scale) {
    for (int64_t i = 0; i < n; i++) x[i] = (real)(scale * draw());
}

static Model *network(ModelShape shape) {
    Err err = gatr_kind.check(&shape, comm_size(comm_world()));
    CHECK(!err.code, "%s", err.text);
    Model *m = model_new(&gatr_kind, &shape, comm_world(), tokens, SEQUENCES, longest);
    param_init(m->theta, &m->table, 1);
    for (int i = 0; i < m->table.n; i++) { /* not trivial anywhere */
        const Param *p = &m->table.at[i];
        for (int64_t j = 0; j < p->count; j++)
            m->theta[p->offset + j] +=
                (real)(0.1 * rng_normal(6, rng_stream(p->name, 0), (uint64_t)param_global(&m->table, p, j)));
    }
    return m;
}

static Tensors tensors_new(int mv, int s) {
    return (Tensors){.mv = MEM_NEW(real, PGA * tokens * mv), .s = MEM_NEW(real, tokens * s)};
}
static void tensors_free(Tensors x) {
    mem_free(x.mv), mem_free(x.s);
}

/* ---- The Pin action. ---- */

/* A product of n reflections in random planes near the origin. */
static void random_versor(double *u, int n) {
    double next[PGA], normal[3], position[3], product[PGA];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 3; j++) normal[j] = draw(), position[j] = 0.5 * draw();
        pga_plane(next, normal, position);
        double norm = sqrt(pga_inner(next, next));
        for (int j = 0; j < PGA; j++) next[j] /= norm;
        if (i) pga_geometric_ref(product, next, u);
        memcpy(u, i ? product : next, sizeof product);
    }
}

static void act(Tensors to, Tensors from, int channels, double u[SEQUENCES][PGA], const int *reflections) {
    for (int i = 0; i < SEQUENCES; i++)
        for (int64_t t = start[i]; t < start[i + 1]; t++)
            for (int c = 0; c < channels; c++) {
                double x[PGA], y[PGA];
                for (int p = 0; p < PGA; p++) x[p] = (double)from.mv[(p * tokens + t) * channels + c];
                pga_versor(y, u[i], reflections[i] % 2, x);
                for (int p = 0; p < PGA; p++) to.mv[(p * tokens + t) * channels + c] = (real)y[p];
            }
}

static void pin_equivariance(ModelShape shape) {
    Model *m = network(shape);
    Tensors in = tensors_new(shape.in_mv, shape.in_s), moved_in = tensors_new(shape.in_mv, shape.in_s),
            out = tensors_new(shape.out_mv, shape.out_s), moved_out = tensors_new(shape.out_mv, shape.out_s),
            want = tensors_new(shape.out_mv, shape.out_s);
    fill(in.mv, PGA * tokens * shape.in_mv, 1);
    fill(in.s, tokens * shape.in_s, 1);
    memcpy(moved_in.s, in.s, (size_t)(tokens * shape.in_s) * sizeof(real));
    model_forward(m, out, in, &seqs);
    int reflections[SEQUENCES] = {1, 2, 3, 4, 1};
    double u[SEQUENCES][PGA];
    for (int i = 0; i < SEQUENCES; i++) random_versor(u[i], reflections[i]);
    act(moved_in, in, shape.in_mv, u, reflections);
    act(want, out, shape.out_mv, u, reflections);
    model_forward(m, moved_out, moved_in, &seqs);
    double mv = test_error_real(moved_out.mv, want.mv, PGA * tokens * shape.out_mv),
           s = test_error_real(moved_out.s, out.s, tokens * shape.out_s);
    EXPECT(mv < bound && s < bound, "versors: multivectors %g, scalars %g", mv, s);
    log_text("measured equivariance under versors: %.1e", fmax(mv, s));
    tensors_free(in), tensors_free(moved_in), tensors_free(out), tensors_free(moved_out), tensors_free(want);
    model_free(m);
}

/* ---- Scenes. ---- */

typedef struct Scene {
    real position[201 * 3], velocity[201 * 3], body[201 * SCENE_BODY], floor[SEQUENCES * 4], gravity[SEQUENCES * 3];
    real world[SEQUENCES * SCENE_WORLD];
    int32_t slot[201];
} Scene;

static SceneBatch batch_of(const Scene *s) {
    return (SceneBatch){.seqs = seqs,
                        .slots = SLOTS,
                        .position = s->position,
                        .velocity = s->velocity,
                        .slot = s->slot,
                        .body = s->body,
                        .floor = s->floor,
                        .gravity = s->gravity,
                        .world = s->world,
                        .worlds = SCENE_WORLD};
}

static void unit(real *x) {
    double norm = 0;
    for (int i = 0; i < 3; i++) norm += (double)x[i] * (double)x[i];
    for (int i = 0; i < 3; i++) x[i] = (real)((double)x[i] / sqrt(norm));
}

static Scene *random_scene(void) {
    Scene *s = MEM_NEW(Scene, 1);
    fill(s->position, tokens * 3, 1), fill(s->velocity, tokens * 3, 1), fill(s->body, tokens * SCENE_BODY, 1);
    fill(s->floor, SEQUENCES * 4, 1), fill(s->gravity, SEQUENCES * 3, 1);
    for (int i = 0; i < SEQUENCES; i++) unit(s->floor + 4 * i), unit(s->gravity + 3 * i);
    for (int64_t t = 0; t < tokens; t++) s->slot[t] = (int32_t)(t % SLOTS);
    return s;
}

static void turn(real *to, const real *from, const double *r, const double *shift) {
    for (int i = 0; i < 3; i++) {
        double x = shift ? shift[i] : 0;
        for (int j = 0; j < 3; j++) x += r[3 * i + j] * (double)from[j];
        to[i] = (real)x;
    }
}

/* Every sequence by x -> r x + shift. */
static void move(Scene *to, const Scene *from, const double *r, const double *shift) {
    *to = *from;
    for (int64_t t = 0; t < tokens; t++) {
        turn(to->position + 3 * t, from->position + 3 * t, r, shift);
        turn(to->velocity + 3 * t, from->velocity + 3 * t, r, NULL);
    }
    for (int i = 0; i < SEQUENCES; i++) {
        real *floor = to->floor + 4 * i;
        turn(floor, from->floor + 4 * i, r, NULL);
        for (int j = 0; j < 3; j++) floor[3] -= (real)((double)floor[j] * shift[j]); /* of the origin above it */
        turn(to->gravity + 3 * i, from->gravity + 3 * i, r, NULL);
    }
}

static void displacements(real *d, Model *m, Tensors out, Tensors in, const Scene *scene) {
    SceneBatch batch = batch_of(scene);
    gatr_kind.embed(in, &batch, &m->shape);
    model_forward(m, out, in, &seqs);
    gatr_kind.readout(d, out, &batch, &m->shape);
}

static double scene_error(Model *m, Tensors out, Tensors in, const Scene *scene, bool mirrored) {
    real *d = MEM_NEW(real, tokens * 3), *moved_d = MEM_NEW(real, tokens * 3), *want = MEM_NEW(real, tokens * 3);
    Scene *moved = MEM_NEW(Scene, 1);
    double r[9], shift[3] = {0.7, -1.1, 0.4};
    rng_rotation(r, 7, 0, draws++);
    for (int i = 0; mirrored && i < 9; i++) r[i] = -r[i];
    move(moved, scene, r, shift);
    displacements(d, m, out, in, scene);
    displacements(moved_d, m, out, in, moved);
    for (int64_t t = 0; t < tokens; t++) turn(want + 3 * t, d + 3 * t, r, NULL);
    double error = test_error_real(moved_d, want, tokens * 3), square = 0;
    for (int64_t i = 0; i < tokens * 3; i++) square += (double)d[i] * (double)d[i] / (double)tokens;
    if (!mirrored) log_text("measured displacement of a fresh network: mean square %.2g", square);
    mem_free(d), mem_free(moved_d), mem_free(want), mem_free(moved);
    return error;
}

/* <cotangent, displacements> against its gradient along a random direction of the parameters. */
static void chain(Model *m, Tensors out, Tensors in, const Scene *scene) {
    SceneBatch batch = batch_of(scene);
    real *d = MEM_NEW(real, tokens * 3), *dd = MEM_NEW(real, tokens * 3), *along = MEM_NEW(real, m->table.local);
    Tensors dout = tensors_new(m->shape.out_mv, m->shape.out_s);
    fill(dd, tokens * 3, 1);
    param_init(along, &m->table, 9);
    memset(m->grad, 0, (size_t)m->table.local * sizeof(real));
    displacements(d, m, out, in, scene);
    gatr_kind.readout_backward(dout, dd, &batch, &m->shape);
    model_backward(m, (Tensors){0}, dout, &seqs);
    double analytic = 0, h = 1e-5, side[2] = {0};
    for (int i = 0; i < m->table.n; i++) { /* replicated tensors count once */
        const Param *p = &m->table.at[i];
        bool split = false;
        for (int a = 0; a < p->axes; a++) split |= p->axis[a].split;
        for (int64_t j = p->offset; (split || !m->table.tp_rank) && j < p->offset + p->count; j++)
            analytic += (double)m->grad[j] * (double)along[j];
    }
    comm_sum_f64(comm_world(), &analytic, 1);
    for (int sign = 0; sign < 2; sign++) {
        for (int64_t i = 0; i < m->table.local; i++) m->theta[i] += (real)(sign ? -2 * h : h) * along[i];
        displacements(d, m, out, in, scene);
        for (int64_t i = 0; i < tokens * 3; i++) side[sign] += (double)d[i] * (double)dd[i];
    }
    double slope = (side[0] - side[1]) / (2 * h);
    if (sizeof(real) == 8)
        EXPECT(fabs(slope - analytic) < 1e-6 * fabs(slope), "chain %g, by differences %g", analytic, slope);
    mem_free(d), mem_free(dd), mem_free(along);
    tensors_free(dout);
}

static void scenes(void) {
    ModelShape shape = {.width = 8, .width_s = 10, .depth = 2, .heads = 4, .multi_query = true, .increase = 2};
    gatr_kind.scene_shape(&shape, SLOTS, SCENE_WORLD);
    Model *m = network(shape);
    Tensors in = tensors_new(shape.in_mv, shape.in_s), out = tensors_new(shape.out_mv, shape.out_s);
    Scene *scene = random_scene();
    double proper = scene_error(m, out, in, scene, false), mirrored = scene_error(m, out, in, scene, true);
    EXPECT(proper < bound, "moved scene: %g", proper);
    log_text("measured equivariance of scenes under motions: %.1e, mirrored: %.1e", proper, mirrored);
    size_t live = mem_live();
    chain(m, out, in, scene);
    EXPECT(mem_live() == live, "a step allocates");
    mem_free(scene);
    tensors_free(in), tensors_free(out);
    model_free(m);
}

/* ---- Counts, order, refusals. ---- */

static int blocks_seen;
static void block_ready(void *context, int block) {
    EXPECT(block == *(int *)context - 1 - blocks_seen, "block %d", block);
    blocks_seen++;
}

static void counts(ModelShape shape) {
    Model *m = network(shape);
    Tensors in = tensors_new(shape.in_mv, shape.in_s), out = tensors_new(shape.out_mv, shape.out_s);
    fill(in.mv, PGA * tokens * shape.in_mv, 1);
    for (int input_gradient = 0; input_gradient < 2; input_gradient++) {
        Tensors din = input_gradient ? tensors_new(shape.in_mv, shape.in_s) : (Tensors){0};
        int64_t counted = -flops_counted();
        blocks_seen = 0;
        m->block_ready = block_ready;
        m->block_context = &m->table.blocks;
        model_forward(m, out, in, &seqs);
        model_backward(m, din, out, &seqs);
        counted += flops_counted();
        comm_sum_i64(comm_world(), &counted, 1);
        ModelWork work = gatr_kind.work(&shape, comm_size(comm_world()), input_gradient);
        ModelFlops f = model_flops(&work, &seqs);
        EXPECT((double)counted == f.executed, "counted %lld, analytic %.0f", (long long)counted, f.executed);
        EXPECT(blocks_seen == m->table.blocks, "%d blocks", blocks_seen);
        tensors_free(din);
    }
    tensors_free(in), tensors_free(out);
    model_free(m);
}

/* Activations that are worked out anew are those that were kept, in less memory. */
static void recomputed(ModelShape shape) {
    Model *kept = network(shape);
    shape.recompute = true;
    Model *again = network(shape), *both[] = {kept, again};
    Tensors in = tensors_new(shape.in_mv, shape.in_s), out = tensors_new(shape.out_mv, shape.out_s);
    size_t bytes = (size_t)kept->table.local * sizeof(real);
    fill(in.mv, PGA * tokens * shape.in_mv, 1);
    memcpy(again->theta, kept->theta, bytes);
    for (int i = 0; i < 2; i++) {
        model_forward(both[i], out, in, &seqs);
        model_backward(both[i], (Tensors){0}, out, &seqs);
    }
    EXPECT(!memcmp(again->grad, kept->grad, bytes), "gradients of recomputed activations");
    EXPECT(again->token_bytes < kept->token_bytes, "%lld bytes a token, %lld where they are kept",
           (long long)again->token_bytes, (long long)kept->token_bytes);
    tensors_free(in), tensors_free(out);
    model_free(kept);
    model_free(again);
    counts(shape);
}

static void refuse(ModelShape shape, int tp, const char *want) {
    Err err = gatr_kind.check(&shape, tp);
    EXPECT(err.code == EXIT_USER && strstr(err.text, want), "%s", err.text);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    ModelShape shape = {.in_mv = 3,
                        .in_s = 2,
                        .out_mv = 2,
                        .out_s = 1,
                        .width = 8,
                        .width_s = 6,
                        .depth = 2,
                        .heads = 4,
                        .multi_query = true,
                        .increase = 2,
                        .n_reinsert = 2,
                        .reinsert = {2, 0}};
    pin_equivariance(shape);
    counts(shape);
    recomputed(shape);
    shape.multi_query = false;
    shape.increase = 1;
    pin_equivariance(shape);
    counts(shape);
    scenes();
    EXPECT(equi_linear_nominal(16, 128, 16, 128) == 516096, "nominal %g", equi_linear_nominal(16, 128, 16, 128));
    refuse(shape, 3, "want one of 1, 2, 4");
    refuse((ModelShape){.in_s = 1, .out_mv = 1}, 1, "want multivectors");
    ModelShape wide = {.in_mv = 1,
                       .in_s = 1,
                       .out_mv = 1,
                       .width = EQUI_HEAD_ROWS / PGA,
                       .width_s = 1,
                       .depth = 1,
                       .heads = 1,
                       .increase = 1};
    refuse(wide, 1, "want more heads");
    shape.reinsert[0] = 3;
    refuse(shape, 1, "reinserted channel 3: want 0 to 2");
    return test_end();
}
