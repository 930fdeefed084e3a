// TEST n=1 args=tests/golden/*.h5
// TEST n=3 args=tests/golden/*.h5
// TEST n=2 args=-tp 2 tests/golden/*.h5
// TEST n=4 args=-tp 4 tests/golden/*.h5
// TEST n=4 args=-tp 2 tests/golden/*.h5
/* Reference numbers of the two models (and, primitives.h5, of the algebra), any files of that format:
 *     test_golden [-tp K] FILE ...
 * on any number of ranks: the samples of a file are divided over ranks/K replicas of K tensor-parallel ranks each.
 * A file whose sizes K does not divide is skipped with the refusal; at least one file must run.
 * Weights also go through a file of weights (io/checkpoint.h) and keep their bits.
 * Prints the largest relative error of each quantity, and last `worst ERROR in FILE QUANTITY`. */
#include "golden.h"
#include "golden_primitives.h"
#include "nn/model.h"
#include "train/state.h"

/* The tensors of a batch in one order: multivectors, then scalars; names in the file. */
typedef struct Sides {
    int n;
    const char *name[2];
    int channels[2], width[2]; /* width: 16 components or 1 */
} Sides;

typedef struct Run {
    Golden *g;
    const char *group;
    const ModelKind *kind;
    ModelShape shape;
    Sides in, out;
    int batch, tokens;
    ProcGrid grid;
    Model *model;
    int first, count;      /* samples of this replica */
    const double *mask;    /* (batch, tokens) or NULL */
    int64_t *start, *from; /* packed sequences; (packed tokens) row in the file */
    Packed seqs;
    int64_t packed;
    Tensors input, output, dinput, doutput;
} Run;

static Sides sides(bool mv, int channels_mv, int channels_s) {
    if (!mv) return (Sides){.n = 1, .name = {"x"}, .channels = {channels_s}, .width = {1}};
    return (Sides){.n = 2, .name = {"mv", "s"}, .channels = {channels_mv, channels_s}, .width = {16, 1}};
}

static void describe(Run *r) {
    Golden *g = r->g;
    const char *name = r->group;
    bool mv = !strcmp(name, "gatr");
    ModelShape *s = &r->shape;
    *s = (ModelShape){.in_mv = mv ? golden_int(g, name, "in_mv") : 0,
                      .in_s = golden_int(g, name, mv ? "in_s" : "in_channels"),
                      .out_mv = mv ? golden_int(g, name, "out_mv") : 0,
                      .out_s = golden_int(g, name, mv ? "out_s" : "out_channels"),
                      .width = golden_int(g, name, mv ? "hidden_mv" : "hidden_channels"),
                      .width_s = mv ? golden_int(g, name, "hidden_s") : 0,
                      .depth = golden_int(g, name, "blocks"),
                      .heads = golden_int(g, name, "heads"),
                      .multi_query = golden_int(g, name, "multi_query"),
                      .increase = golden_int(g, name, "increase_hidden_channels")};
    double reinsert[MODEL_REINSERT];
    s->n_reinsert = golden_attribute(g, reinsert, MODEL_REINSERT, name, "reinsert_mv_channels");
    for (int i = 0; i < s->n_reinsert; i++) s->reinsert[i] = (int)reinsert[i];
    r->in = sides(mv, s->in_mv, s->in_s);
    r->out = sides(mv, s->out_mv, s->out_s);
    r->batch = golden_int(g, name, "batch");
    r->tokens = golden_int(g, name, "tokens");
}

/* ---- Packing: padded tokens do not exist here; multivectors are turned to component planes and back. ---- */

static void pack(Run *r) {
    int dp = comm_size(r->grid.dp), me = comm_rank(r->grid.dp);
    r->first = r->batch * me / dp;
    r->count = r->batch * (me + 1) / dp - r->first;
    r->start = MEM_NEW(int64_t, r->count + 1);
    r->from = MEM_NEW(int64_t, r->count * r->tokens);
    for (int i = 0; i < r->count; i++) {
        for (int64_t t = 0; t < r->tokens; t++) {
            int64_t row = (int64_t)(r->first + i) * r->tokens + t;
            if (!r->mask || r->mask[row] != 0) r->from[r->packed++] = row;
        }
        r->start[i + 1] = r->packed;
    }
    r->seqs = (Packed){.n = r->count, .start = r->start};
}

static real *side_of(Tensors t, const Sides *s, int i) {
    return s->n == 2 && i == 0 ? t.mv : t.s;
}

static Tensors tensors_new(const Run *r, const Sides *s) {
    Tensors t = {.s = MEM_NEW(real, r->packed * s->channels[s->n - 1])};
    if (s->n == 2) t.mv = MEM_NEW(real, 16 * r->packed * s->channels[0]);
    return t;
}

static void tensors_free(Tensors t) {
    mem_free(t.mv);
    mem_free(t.s);
}

static int64_t at(const Run *r, const Sides *s, int i, int64_t t, int c, int component) {
    return ((int64_t)component * r->packed + t) * s->channels[i] + c;
}

static void from_file(const Run *r, Tensors to, const Sides *s, const char *folder) {
    for (int i = 0; i < s->n; i++) {
        double *x = golden_read(r->g, NULL, "%s/%s/%s", r->group, folder, s->name[i]);
        int row = s->channels[i] * s->width[i];
        for (int64_t t = 0; t < r->packed; t++)
            for (int j = 0; j < row; j++)
                side_of(to, s, i)[at(r, s, i, t, j / s->width[i], j % s->width[i])] = (real)x[r->from[t] * row + j];
        mem_free(x);
    }
}

/* The rows of all replicas in the layout of the file; padded rows keep what `all` holds on entry. */
static void to_file(const Run *r, double *all, Tensors from, const Sides *s, int i) {
    int row = s->channels[i] * s->width[i];
    int64_t n = (int64_t)r->batch * r->tokens * row;
    double *mine = MEM_NEW(double, n);
    for (int64_t t = 0; t < r->packed; t++)
        for (int j = 0; j < row; j++)
            mine[r->from[t] * row + j] = (double)side_of(from, s, i)[at(r, s, i, t, j / s->width[i], j % s->width[i])];
    comm_sum_f64(r->grid.dp, mine, n);
    for (int64_t j = 0; j < n; j++)
        if (!r->mask || r->mask[j / row] != 0) all[j] = mine[j];
    mem_free(mine);
}

/* ---- One pass and its comparison. ---- */

static double largest_gradient(const Run *r) {
    double scale = 0;
    int64_t n;
    for (int i = 0; i < r->model->table.n + r->in.n; i++) {
        int p = i - r->in.n;
        double *x = p < 0 ? golden_read(r->g, &n, "%s/grad/input/%s", r->group, r->in.name[i])
                          : golden_read(r->g, &n, "%s/grad/param/%s", r->group, r->model->table.at[p].name);
        scale = fmax(scale, golden_scale(x, n));
        mem_free(x);
    }
    return scale;
}

static void compare_tensors(Run *r, Tensors x, const Sides *s, const char *folder, double scale) {
    for (int i = 0; i < s->n; i++) {
        char quantity[64];
        int64_t n;
        snprintf(quantity, sizeof quantity, "%s/%s", folder, s->name[i]);
        double *want = golden_read(r->g, &n, "%s/%s", r->group, quantity), *all = MEM_NEW(double, n);
        memcpy(all, want, (size_t)n * sizeof *all);
        to_file(r, all, x, s, i);
        golden_compare(r->g, all, NULL, want, n, scale > 0 ? scale : golden_scale(want, n), r->g->bound, quantity);
        mem_free(want), mem_free(all);
    }
}

static double *gathered(const Run *r, const Param *p, const real *vector) {
    double *full = MEM_NEW(double, param_size(p));
    param_give(full, &r->model->table, p, vector);
    comm_sum_f64(r->grid.tp, full, param_size(p));
    return full;
}

static void compare_params(Run *r, const real *vector, real *const slack, const char *folder, double scale,
                           double bound) {
    const ParamTable *table = &r->model->table;
    for (int p = 0; p < table->n; p++) {
        char quantity[PARAM_NAME + 32];
        int64_t n;
        snprintf(quantity, sizeof quantity, "%s/%s", folder, table->at[p].name);
        double *want = golden_read(r->g, &n, "%s/%s", r->group, quantity);
        CHECK(n == param_size(&table->at[p]), "%s: %s has %lld entries", r->g->path, quantity, (long long)n);
        double *got = gathered(r, &table->at[p], vector), *less = slack ? gathered(r, &table->at[p], slack) : NULL;
        golden_compare(r->g, got, less, want, n, scale > 0 ? scale : golden_scale(want, n), bound, quantity);
        mem_free(want), mem_free(got), mem_free(less);
    }
}

static void load_params(Run *r) {
    int64_t n, total = 0;
    for (int p = 0; p < r->model->table.n; p++) {
        double *x = golden_read(r->g, &n, "%s/param/%s", r->group, r->model->table.at[p].name);
        CHECK(n == param_size(&r->model->table.at[p]), "%s: %s has %lld entries", r->g->path,
              r->model->table.at[p].name, (long long)n);
        param_take(r->model->theta, &r->model->table, &r->model->table.at[p], x);
        total += n;
        mem_free(x);
    }
    EXPECT(total == r->model->table.global, "%lld trainable", (long long)total);
}

/* With a mask: padded tokens still act as queries in the reference, so its gradients hold terms that do not exist here
 * unless their cotangents vanish. */
static bool gradients_exist(const Run *r) {
    for (int i = 0; r->mask && i < r->out.n; i++) {
        int64_t n, row = r->out.channels[i] * r->out.width[i];
        double *x = golden_read(r->g, &n, "%s/cotangent/%s", r->group, r->out.name[i]), sum = 0;
        for (int64_t j = 0; j < n; j++) sum += r->mask[j / row] == 0 ? fabs(x[j]) : 0;
        mem_free(x);
        if (sum > 0) return false;
    }
    return true;
}

static void one_pass(Run *r) {
    model_forward(r->model, r->output, r->input, &r->seqs);
    compare_tensors(r, r->output, &r->out, "output", 0);
    if (!gradients_exist(r)) return;
    double scale = largest_gradient(r);
    from_file(r, r->doutput, &r->out, "cotangent");
    model_backward(r->model, r->dinput, r->doutput, &r->seqs);
    comm_sum_real(r->grid.dp, r->model->grad, r->model->table.local);
    compare_tensors(r, r->dinput, &r->in, "grad/input", scale);
    compare_params(r, r->model->grad, NULL, "grad/param", scale, r->g->bound);
}

/* ---- Training. ---- */

/* dout = gradient of sum over tensors of mean((out - target)^2) over the whole batch; returns that loss. */
static double loss_and_cotangent(const Run *r, Tensors target) {
    double loss = 0;
    for (int i = 0; i < r->out.n; i++) {
        int64_t row = r->out.channels[i] * r->out.width[i], all = (int64_t)r->batch * r->tokens * row;
        real *d = side_of(r->doutput, &r->out, i), *o = side_of(r->output, &r->out, i);
        for (int64_t j = 0; j < r->packed * row; j++) {
            double e = (double)o[j] - (double)side_of(target, &r->out, i)[j];
            loss += e * e / (double)all;
            d[j] = (real)(2 * e / (double)all);
        }
    }
    comm_sum_f64(r->grid.dp, &loss, 1);
    return loss;
}

/* AdamW divides a gradient by its own size: entries that are nothing but rounding (biases of keys) move by up to lr,
 * whatever they are. A gradient known to bound * largest is known relative to itself to that over |g|, and so is the
 * step of lr; `slack` gathers lr times it. */
static void add_slack(const Run *r, real *slack, double lr, double bound) {
    double top = 0;
    const Model *m = r->model;
    for (int64_t i = 0; i < m->table.local; i++) top = fmax(top, fabs((double)m->grad[i]));
    comm_max_f64(r->grid.tp, &top, 1);
    for (int64_t i = 0; i < m->table.local; i++)
        slack[i] += (real)(2 * lr * fmin(1, bound * top / fmax(fabs((double)m->grad[i]), 1e-300)));
}

static void train(Run *r) {
    Golden *g = r->g;
    int steps = golden_int(g, r->group, "steps");
    OptimSettings settings = {.beta1 = golden_number(g, r->group, "beta1"),
                              .beta2 = golden_number(g, r->group, "beta2"),
                              .epsilon = golden_number(g, r->group, "adam_eps"),
                              .weight_decay = golden_number(g, r->group, "weight_decay"),
                              .max_grad_norm = golden_number(g, r->group, "max_grad_norm")};
    double lr = golden_number(g, r->group, "lr");
    Model *m = r->model;
    Optim *optim = optim_new(&m->table, &r->grid, false);
    Tensors target = tensors_new(r, &r->out);
    double *loss = MEM_NEW(double, steps), *norm = MEM_NEW(double, steps);
    real *slack = MEM_NEW(real, m->table.local);
    from_file(r, target, &r->out, "target");
    for (int i = 0; i < steps; i++) {
        memset(m->grad, 0, (size_t)m->table.local * sizeof *m->grad);
        model_forward(m, r->output, r->input, &r->seqs);
        loss[i] = loss_and_cotangent(r, target);
        model_backward(m, (Tensors){0}, r->doutput, &r->seqs);
        comm_sum_real(r->grid.dp, m->grad, m->table.local);
        add_slack(r, slack, lr, g->bound / 10);
        norm[i] = optim_step(optim, m->theta, m->grad, lr, &settings);
    }
    double *want = golden_read(g, NULL, "%s/train/loss", r->group);
    golden_compare(g, loss, NULL, want, steps, golden_scale(want, steps), g->bound_trained, "train/loss");
    mem_free(want);
    want = golden_read(g, NULL, "%s/train/grad_norm", r->group);
    golden_compare(g, norm, NULL, want, steps, golden_scale(want, steps), g->bound_trained, "train/grad_norm");
    mem_free(want);
    compare_params(r, m->theta, slack, "param_after", 0, g->bound_trained);
    mem_free(loss), mem_free(norm), mem_free(slack);
    tensors_free(target);
    optim_free(optim);
}

/* ---- A file. ---- */

/* e123 of the mean over all tokens, padded ones too, and channels: what the reference takes as join reference. */
static real *join_reference(const Run *r) {
    double *x = golden_read(r->g, NULL, "%s/input/mv", r->group);
    real *mean = MEM_NEW(real, r->count);
    int64_t n = (int64_t)r->tokens * r->shape.in_mv;
    for (int i = 0; i < r->count; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) sum += x[((int64_t)(r->first + i) * n + j) * 16 + 14];
        mean[i] = (real)(sum / (double)n);
    }
    mem_free(x);
    return mean;
}

/* The reference's weights go into a file of weights and come out of it with the bits that they had, whatever the layout. */
static void weights_survive(Run *r) {
    const ParamTable *table = &r->model->table;
    Pass pass = {.model = r->model, .grid = &r->grid};
    CellRecord record = {.parameters = table->global};
    TrainState state = {.pass = &pass, .so_far = {.cells = 1, .cell = &record}};
    Err err = state_save_weights(&state, test_file("weights.h5"), "");
    CHECK(!err.code, "%s", err.text);
    if (comm_rank(comm_world()) != 0) return;
    Checkpoint file;
    err = checkpoint_open(&file, test_file("weights.h5"), CHECKPOINT_WEIGHTS);
    CHECK(!err.code, "%s", err.text);
    for (int p = 0; p < table->n; p++) {
        const Param *param = &table->at[p];
        TensorShape shape = {.name = param->name, .axes = param->axes};
        for (int a = 0; a < param->axes; a++) shape.size[a] = axis_size(&param->axis[a], 1);
        int64_t n;
        double *want = golden_read(r->g, &n, "%s/param/%s", r->group, param->name);
        real *got = MEM_NEW(real, n);
        err = checkpoint_take_tensor(&file, PART_PARAMETERS, &shape, got);
        EXPECT(!err.code, "%s", err.text);
        int64_t same = 0;
        for (int64_t i = 0; i < n; i++) same += got[i] == (real)want[i];
        EXPECT(same == n, "%s: %lld of %lld numbers of %s are what they were", r->g->path, (long long)same,
               (long long)n, param->name);
        mem_free(got);
        mem_free(want);
    }
    checkpoint_close(&file);
}

static void run_model(Run *r) {
    double *mask = r->kind != &transformer_kind && golden_int(r->g, r->group, "has_mask")
                       ? golden_read(r->g, NULL, "%s/input/mask", r->group)
                       : NULL;
    r->mask = mask;
    pack(r);
    r->model = model_new(r->kind, &r->shape, r->grid.tp, (int64_t)r->batch * r->tokens, r->batch, r->tokens);
    real *reference = mask ? join_reference(r) : NULL;
    r->model->join_reference = reference;
    r->input = tensors_new(r, &r->in), r->dinput = tensors_new(r, &r->in);
    r->output = tensors_new(r, &r->out), r->doutput = tensors_new(r, &r->out);
    load_params(r);
    weights_survive(r);
    from_file(r, r->input, &r->in, "input");
    one_pass(r);
    if (golden_has(r->g, "%s/train/loss", r->group)) train(r);
    tensors_free(r->input), tensors_free(r->dinput), tensors_free(r->output), tensors_free(r->doutput);
    model_free(r->model);
    mem_free(r->start), mem_free(r->from), mem_free(mask), mem_free(reference);
}

/* Whether the file was run. */
static bool run_file(const char *path, int tp) {
    Golden g;
    EXPECT(golden_open(&g, path), "%s: want a readable HDF5 file", path);
    if (g.file < 0) return false;
    static const char *names[] = {"transformer", "gatr"};
    bool ran = false;
    for (int i = 0; i < 2; i++) {
        if (!golden_has(&g, "%s/output", names[i])) continue;
        Run r = {.g = &g, .group = names[i], .kind = model_kind(names[i])};
        if (!r.kind) continue; /* not built in */
        describe(&r);
        Err err = r.kind->check(&r.shape, tp);
        if (err.code) {
            log_text("skipped %s: %s", path, err.text);
            continue;
        }
        r.grid = procgrid_new(comm_world(), comm_size(comm_world()) / tp, tp);
        run_model(&r);
        procgrid_free(&r.grid);
        ran = true;
    }
    if (golden_has(&g, "geometric_product/x")) {
        golden_primitives(&g);
        ran = true;
    }
    EXPECT(!g.failed, "%s: errors above %g (after training %g)", path, g.bound, g.bound_trained);
    golden_close(&g);
    return ran;
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    int tp = 1, files = 0, size = comm_size(comm_world());
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-tp") && i + 1 < argc) {
            tp = atoi(argv[++i]);
            CHECK(tp >= 1 && size % tp == 0, "-tp %s: want a divisor of the %d ranks", argv[i], size);
        } else {
            files += run_file(argv[i], tp);
        }
    }
    EXPECT(files, "no file was run: want FILE ... of reference numbers");
    log_text("worst %.3g in %s %s", golden_worst.error, golden_worst.file, golden_worst.quantity);
    return test_end();
}
