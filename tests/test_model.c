// TEST double n=1,2,4
// TEST single n=2
/* What every kind of model in the list must do, none of them named here: it has all its members; each key of its sizes changes
 * its shape; inputs are whole; what a step executes and takes is what was promised; blocks are reported once each, the last one
 * first, by the last piece alone; what a model says, and its gradients by parameters, by inputs and by scenes, which equal central
 * differences, do not depend on tensor parallelism or pieces. */
#include "fixture.h"

#include "la/flops.h"

enum { SAMPLES = 3 };
static const SampleStream samples = {SAMPLES_TRAIN, FIXTURE_TRAIN, 5};

static bool in_double(void) {
    return REAL_EPSILON < 1e-10;
}

/* ---- The list. ---- */

static void members(void) {
    for (int k = 0; k < n_model_kinds; k++) {
        const char *lacks = model_kind_lacks(model_kinds[k]);
        EXPECT(!lacks, "kind %d (%s) lacks %s", k, model_kinds[k]->name ? model_kinds[k]->name : "", lacks);
        EXPECT(lacks || model_kind(model_kinds[k]->name) == model_kinds[k], "%s twice", model_kinds[k]->name);
    }
    ModelKind less = *model_kinds[0];
    less.embed_backward = NULL;
    less.pairs = NULL;
    EXPECT(!model_kind_lacks(&less), "it needs neither");
    less.readout_backward = NULL;
    EXPECT(!strcmp(model_kind_lacks(&less), "readout_backward"), "%s", model_kind_lacks(&less));
    less.embed = NULL;
    EXPECT(!strcmp(model_kind_lacks(&less), "embed"), "%s", model_kind_lacks(&less));
}

/* A key of another value gives another shape. */
static void keys(const ModelKind *kind) {
    ModelSizes sizes = fixture_sizes(kind);
    ModelShape plain = model_shape(&sizes, 0);
    bool width = false, depth = false;
    for (int i = 0; i < kind->n_size_keys; i++) {
        const KeySpec *key = &kind->size_keys[i];
        char value[64];
        width |= key->offset == offsetof(ModelSizes, width);
        depth |= key->offset == offsetof(ModelSizes, depth);
        snprintf(value, sizeof value, "%.0f", fmin(key->hi, 7));
        if (key->type == KEY_BOOL) strcpy(value, strcmp(key->fallback, "true") ? "true" : "false");
        if (key->type == KEY_CHOICE) snprintf(value, sizeof value, "%s", strrchr(key->choices, '|') + 1);
        ModelSizes other = sizes;
        Err err = options_put(&other, key, value, kind->name);
        CHECK(!err.code, "%s", err.text);
        ModelShape shape = model_shape(&other, 0);
        EXPECT(memcmp(&shape, &plain, sizeof shape), "%s.%s = %s changes no shape: see model_shape", kind->name,
               key->key, value);
    }
    EXPECT(width && depth, "%s: a study file gives every kind width and depth", kind->name);
}

/* ---- A model and what goes through it. ---- */

typedef struct Side {
    Model *model;
    int blocks; /* reported by the last backward pass */
} Side;

static void listen(void *context, int block) {
    Side *side = context;
    int want = side->model->table.blocks - 1 - side->blocks++;
    EXPECT(block == want, "%s reports block %d: want %d", side->model->kind->name, block, want);
}

static int64_t elements(const Model *m, const Packed *seqs, bool of_inputs, bool of_multivectors) {
    const ModelShape *s = &m->shape;
    int64_t tokens = seqs->start[seqs->n];
    if (of_multivectors) return 16 * tokens * (of_inputs ? s->in_mv : s->out_mv);
    return tokens * (of_inputs ? s->in_s : s->out_s);
}

/* Room for inputs or outputs, which holds no number yet. */
static Tensors room_new(const Model *m, const Packed *seqs, bool of_inputs) {
    int64_t mv = elements(m, seqs, of_inputs, true), s = elements(m, seqs, of_inputs, false);
    Tensors t = {.mv = mv ? MEM_NEW(real, mv) : NULL, .s = s ? MEM_NEW(real, s) : NULL};
    for (int64_t i = 0; i < mv; i++) t.mv[i] = (real)NAN;
    for (int64_t i = 0; i < s; i++) t.s[i] = (real)NAN;
    return t;
}

static void room_free(Tensors *t) {
    mem_free(t->mv);
    mem_free(t->s);
}

static double dot(const real *a, const real *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double tensors_dot(Tensors a, Tensors b, const Model *m, const Packed *seqs, bool of_inputs) {
    return dot(a.mv, b.mv, elements(m, seqs, of_inputs, true)) + dot(a.s, b.s, elements(m, seqs, of_inputs, false));
}

/* One kind on the ranks of tp, and a batch of scenes. */
typedef struct Case {
    const ModelKind *kind;
    const SceneBatch *scenes;
    Side side;
    Tensors in, out, dout, din; /* din: NULL where the kind offers none */
    bool offers;
} Case;

static Case case_new(const ModelKind *kind, const ModelShape *shape, const SceneBatch *scenes, const Comm *tp) {
    const Packed *seqs = &scenes->seqs;
    int64_t tokens = seqs->start[seqs->n];
    Case c = {.kind = kind, .scenes = scenes, .offers = kind->embed_backward != NULL};
    size_t before = mem_live();
    c.side.model = model_new(kind, shape, tp, tokens, seqs->n, tokens);
    int64_t took = (int64_t)(mem_live() - before),
            said = model_bytes(kind, shape, comm_size(tp), tokens, seqs->n, tokens);
    EXPECT(took == said, "%s takes %lld bytes, forecast %lld", kind->name, (long long)took, (long long)said);
    Model *m = c.side.model;
    param_init(m->theta, &m->table, 9);
    c.in = room_new(m, seqs, true);
    c.out = room_new(m, seqs, false);
    c.dout = room_new(m, seqs, false);
    if (c.offers) c.din = room_new(m, seqs, true);
    real *dsaid = test_normal(3 * tokens, 2);
    kind->embed(c.in, scenes, shape);
    kind->readout_backward(c.dout, dsaid, scenes, shape);
    mem_free(dsaid);
    EXPECT(isfinite(tensors_dot(c.in, c.in, m, seqs, true)), "%s: embed leaves inputs that it does not write",
           kind->name);
    EXPECT(isfinite(tensors_dot(c.dout, c.dout, m, seqs, false)),
           "%s: readout_backward leaves gradients that it does not write", kind->name);
    return c;
}

static void case_free(Case *c) {
    model_free(c->side.model);
    room_free(&c->in);
    room_free(&c->out);
    room_free(&c->dout);
    room_free(&c->din);
}

static void step(Case *c, Tensors din, Tensors in, Tensors out, Tensors dout, const Packed *seqs) {
    c->side.model->block_ready = listen;
    c->side.model->block_context = &c->side;
    c->side.blocks = 0;
    model_forward(c->side.model, out, in, seqs);
    model_backward(c->side.model, din, dout, seqs);
}

static void clear(Model *m) {
    memset(m->grad, 0, (size_t)m->table.local * sizeof *m->grad);
}

/* A step twice: what it executes, takes and reports, and that it leaves its inputs. */
static void steps(Case *c) {
    Model *m = c->side.model;
    const Packed *seqs = &c->scenes->seqs;
    size_t live = mem_live();
    double before = tensors_dot(c->in, c->in, m, seqs, true);
    for (int twice = 0; twice < 2; twice++) {
        bool gradient = c->offers && twice;
        PackedLengths lengths = {0};
        ModelWork work = c->kind->work(&m->shape, comm_size(m->tp), gradient);
        int64_t counted = -flops_counted();
        clear(m);
        step(c, gradient ? c->din : (Tensors){0}, c->in, c->out, c->dout, seqs);
        counted += flops_counted();
        comm_sum_i64(m->tp, &counted, 1);
        packed_lengths_add(&lengths, c->kind, &m->shape, c->scenes->slot, seqs);
        double said = model_flops_of(&work, lengths).executed;
        EXPECT((double)counted == said, "%s%s: %lld FLOP counted, %.0f promised%s", c->kind->name,
               m->shape.recompute ? ", recomputed" : "", (long long)counted, said,
               gradient ? " with the gradient of inputs" : "");
        EXPECT(c->side.blocks == m->table.blocks, "%s reports %d blocks of %d", c->kind->name, c->side.blocks,
               m->table.blocks);
    }
    EXPECT(mem_live() == live, "%s: a step takes no memory", c->kind->name);
    EXPECT(tensors_dot(c->in, c->in, m, seqs, true) == before, "%s changes its inputs", c->kind->name);
    EXPECT(isfinite(tensors_dot(c->out, c->out, m, seqs, false)), "%s leaves outputs that it does not write",
           c->kind->name);
}

/* The whole gradient of a tensor. Collective on tp. */
static double *whole(const Model *m, const Param *p) {
    double *full = MEM_NEW(double, param_size(p));
    param_give(full, &m->table, p, m->grad);
    comm_sum_f64(m->tp, full, param_size(p));
    return full;
}

/* ---- Gradients. ---- */

static double said(Case *c, Tensors in) {
    model_forward(c->side.model, c->out, in, &c->scenes->seqs);
    return tensors_dot(c->out, c->dout, c->side.model, &c->scenes->seqs, false);
}

static void expect_slope(double slope, double gradient, const char *kind, const char *by) {
    EXPECT(fabs(slope - gradient) < 1e-6 * (1 + fabs(slope)), "%s by %s: difference %.9g, gradient %.9g", kind, by,
           slope, gradient);
}

/* Each tensor along a direction of its own, the same on all ranks. */
static void by_parameters(Case *c) {
    const double h = 1e-4;
    Model *m = c->side.model;
    real *theta = MEM_NEW(real, m->table.local), *along = MEM_NEW(real, m->table.local);
    memcpy(theta, m->theta, (size_t)m->table.local * sizeof *theta);
    for (int t = 0; t < m->table.n; t++) {
        const Param *p = &m->table.at[t];
        int64_t n = param_size(p);
        double *direction = MEM_NEW(double, n), *gradient = whole(m, p), slope = 0, want = 0;
        for (int64_t i = 0; i < n; i++) {
            direction[i] = 0.1 * rng_normal(3, (uint64_t)t, (uint64_t)i);
            want += gradient[i] * direction[i];
        }
        memset(along, 0, (size_t)m->table.local * sizeof *along);
        param_take(along, &m->table, p, direction);
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int64_t i = 0; i < m->table.local; i++) m->theta[i] = theta[i] + (real)(sign * h) * along[i];
            slope += sign * said(c, c->in) / (2 * h);
        }
        expect_slope(slope, want, c->kind->name, p->name);
        mem_free(direction);
        mem_free(gradient);
    }
    memcpy(m->theta, theta, (size_t)m->table.local * sizeof *theta);
    mem_free(theta);
    mem_free(along);
}

/* By position, velocity, floor and gravity of scenes, through embed, the model and its inputs. */
static void by_scenes(Case *c) {
    const double h = 1e-5;
    const SceneBatch *s = c->scenes;
    int64_t tokens = s->seqs.start[s->seqs.n];
    const int64_t size[] = {3 * tokens, 3 * tokens, 4 * s->seqs.n, 3 * s->seqs.n};
    static const char *const name[] = {"positions", "velocities", "floors", "gravity"};
    real *gradient[4];
    if (!c->offers) return;
    for (int k = 0; k < 4; k++) gradient[k] = MEM_NEW(real, size[k]);
    c->kind->embed_backward((SceneGradient){gradient[0], gradient[1], gradient[2], gradient[3]}, c->din, s,
                            &c->side.model->shape);
    Tensors in = room_new(c->side.model, &s->seqs, true);
    for (int k = 0; k < 4; k++) {
        const real *from = ((const real *const[]){s->position, s->velocity, s->floor, s->gravity})[k];
        real *direction = test_normal(size[k], (uint64_t)(30 + k)), *moved = MEM_NEW(real, size[k]);
        double slope = 0;
        SceneBatch other = *s;
        *((const real **[]){&other.position, &other.velocity, &other.floor, &other.gravity})[k] = moved;
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int64_t i = 0; i < size[k]; i++) moved[i] = from[i] + (real)(sign * h) * direction[i];
            c->kind->embed(in, &other, &c->side.model->shape);
            slope += sign * said(c, in) / (2 * h);
        }
        expect_slope(slope, dot(gradient[k], direction, size[k]), c->kind->name, name[k]);
        mem_free(direction);
        mem_free(moved);
    }
    room_free(&in);
    for (int k = 0; k < 4; k++) mem_free(gradient[k]);
}

/* ---- The same, another way. ---- */

/* How far two models' gradients are apart, of the largest entry of all. Collective on either's tp. */
static double apart(const Model *a, const Model *b) {
    double worst = 0, largest = 0;
    for (int t = 0; t < a->table.n; t++) {
        double *x = whole(a, &a->table.at[t]), *y = whole(b, &b->table.at[t]);
        for (int64_t i = 0; i < param_size(&a->table.at[t]); i++) {
            worst = fmax(worst, fabs(x[i] - y[i]));
            largest = fmax(largest, fabs(x[i]));
        }
        mem_free(x);
        mem_free(y);
    }
    return worst / largest;
}

static double rounding(void) {
    return in_double() ? 1e-12 : 1e-4;
}

/* Sequences one by one, whose gradients add up; none at all, which dp of more ranks than samples come to; and blocks of the last
 * piece alone are reported. */
static void pieces(Case *whole_case, const ModelShape *shape) {
    const SceneBatch *s = whole_case->scenes;
    Case c = case_new(whole_case->kind, shape, s, whole_case->side.model->tp);
    Model *m = c.side.model;
    static const int64_t none[] = {0};
    for (int q = 0; q <= s->seqs.n; q++) {
        int64_t token = q < s->seqs.n ? s->seqs.start[q] : 0, n = q < s->seqs.n ? s->seqs.start[q + 1] - token : 0;
        int64_t start[] = {0, n};
        SceneBatch part = {.seqs = {.n = 1, .start = start},
                           .slots = s->slots,
                           .worlds = s->worlds,
                           .position = s->position + 3 * token,
                           .velocity = s->velocity + 3 * token,
                           .slot = s->slot + token,
                           .body = s->body + SCENE_BODY * token,
                           .floor = s->floor + 4 * (q % s->seqs.n),
                           .gravity = s->gravity + 3 * (q % s->seqs.n),
                           .world = s->world + s->worlds * (q % s->seqs.n)};
        if (q == s->seqs.n) part.seqs = (Packed){.n = 0, .start = none};
        real *dsaid = test_normal(3 * s->seqs.start[s->seqs.n], 2);
        c.kind->embed(c.in, &part, shape);
        c.kind->readout_backward(c.dout, dsaid + 3 * token, &part, shape);
        m->more = q < s->seqs.n;
        step(&c, (Tensors){0}, c.in, c.out, c.dout, &part.seqs);
        EXPECT(c.side.blocks == (m->more ? 0 : m->table.blocks), "%s: piece %d reports %d blocks", c.kind->name, q,
               c.side.blocks);
        mem_free(dsaid);
    }
    double off = apart(whole_case->side.model, m);
    EXPECT(off < rounding(), "%s: gradients of pieces are off by %g", c.kind->name, off);
    case_free(&c);
}

static void recomputed(Case *kept, ModelShape shape) {
    shape.recompute = true;
    Case again = case_new(kept->kind, &shape, kept->scenes, kept->side.model->tp);
    const Model *a = kept->side.model, *b = again.side.model;
    steps(&again);
    EXPECT(!memcmp(a->grad, b->grad, (size_t)a->table.local * sizeof(real)), "%s: gradients of what is recomputed",
           kept->kind->name);
    EXPECT(b->token_bytes < a->token_bytes, "%s: recomputing saves no memory", kept->kind->name);
    case_free(&again);
}

static void kind(const ModelKind *kind, const TrainData *data) {
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    Pass pass;
    pass_init(&pass, kind, &job.shape, 7, SAMPLES, data, &alone);
    batch_fill(&pass.batch, data, &samples, 0, SAMPLES);
    const SceneBatch *scenes = &pass.batch.scenes;
    Case one = case_new(kind, &job.shape, scenes, comm_self());
    steps(&one);
    if (fixture_splits(&job, comm_size(comm_world()))) {
        Case many = case_new(kind, &job.shape, scenes, comm_world());
        steps(&many);
        double off = apart(one.side.model, many.side.model);
        EXPECT(off < rounding(), "%s: gradients on %d ranks of tp are off by %g", kind->name, comm_size(comm_world()),
               off);
        int64_t n = elements(one.side.model, &scenes->seqs, false, false);
        EXPECT(test_error_real(many.out.s, one.out.s, n) < rounding(), "%s: outputs on %d ranks of tp", kind->name,
               comm_size(comm_world()));
        pieces(&many, &job.shape);
        if (kind->recomputes) recomputed(&many, job.shape);
        if (in_double()) by_scenes(&many);
        if (in_double()) by_parameters(&many);
        case_free(&many);
    }
    case_free(&one);
    pass_free(&pass);
    procgrid_free(&alone);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    members();
    for (int k = 0; k < n_model_kinds; k++) {
        if (model_kind_lacks(model_kinds[k])) continue;
        keys(model_kinds[k]);
        kind(model_kinds[k], &data);
    }
    dataset_close(dataset);
    return test_end();
}
