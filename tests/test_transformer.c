// TEST n=1,2,3,4
/* The whole transformer on packed sequences of different length, each rank one tensor-parallel part: equal to one
 * rank's outputs and gradients; an adjoint and a central difference; executed work equal to what was counted; no memory
 * taken by a step; blocks reported in order; impossible sizes refused. */
#include "base/rng.h"
#include "check.h"
#include "la/flops.h"
#include "nn/model.h"

#include <float.h>

static const int64_t start[] = {0, 1, 8, 8, 31};
static const Packed seqs = {.n = 4, .start = start};
static const double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-4;

static int next_block;
static void listen(void *context, int block) {
    EXPECT(block == next_block && context == &next_block, "block %d, not %d", block, next_block);
    next_block--;
}

typedef struct Side {
    Model *model;
    real *out, *din;
} Side;

static Side run(const ModelShape *shape, const Comm *tp, real *x, real *dout) {
    int64_t n = start[seqs.n];
    size_t before = mem_live();
    Side s = {.model = model_new(&transformer_kind, shape, tp, n, seqs.n, 23)};
    EXPECT(model_bytes(&transformer_kind, shape, comm_size(tp), n, seqs.n, 23) == (int64_t)(mem_live() - before),
           "model_bytes is what model_new takes");
    s.out = MEM_NEW(real, n * shape->out_s);
    s.din = MEM_NEW(real, n * shape->in_s);
    param_init(s.model->theta, &s.model->table, 9);
    s.model->block_ready = listen;
    s.model->block_context = &next_block;
    size_t live = mem_live();
    for (int step = 0; step < 2; step++) {
        memset(s.model->grad, 0, (size_t)s.model->table.local * sizeof *s.model->grad);
        next_block = s.model->table.blocks - 1;
        int64_t counted = -flops_counted();
        model_forward(s.model, (Tensors){.s = s.out}, (Tensors){.s = x}, &seqs);
        model_backward(s.model, (Tensors){.s = s.din}, (Tensors){.s = dout}, &seqs);
        counted += flops_counted();
        comm_sum_i64(tp, &counted, 1);
        ModelWork work = transformer_kind.work(shape, comm_size(tp), true);
        double want = model_flops(&work, &seqs).executed;
        EXPECT((double)counted == want, "%lld FLOP counted, %.0f expected", (long long)counted, want);
        EXPECT(next_block == -1, "all blocks reported");
    }
    EXPECT(mem_live() == live, "a step takes no memory");
    return s;
}

static void side_free(Side *s) {
    model_free(s->model);
    mem_free(s->out);
    mem_free(s->din);
}

/* Passes take subnormal gradients for zeros where the processor can, and leave it as it was. */
static void subnormal(const ModelShape *shape, Side *side, real *x) {
#if defined(__SSE2__) || defined(__aarch64__)
    volatile real small = sizeof(real) == sizeof(float) ? (real)FLT_MIN : (real)DBL_MIN;
    int64_t n = start[seqs.n], kept = 0;
    real *dout = MEM_NEW(real, n * shape->out_s);
    for (int64_t i = 0; i < n * shape->out_s; i++) dout[i] = small / 2;
    next_block = side->model->table.blocks - 1;
    model_forward(side->model, (Tensors){.s = side->out}, (Tensors){.s = x}, &seqs);
    model_backward(side->model, (Tensors){.s = side->din}, (Tensors){.s = dout}, &seqs);
    for (int64_t i = 0; i < n * shape->in_s; i++) kept += side->din[i] != 0;
    EXPECT(kept == 0, "%lld gradients of inputs come of subnormal ones of outputs", (long long)kept);
    EXPECT(small / 2 != 0, "they are kept outside");
    mem_free(dout);
#else
    (void)shape;
    (void)side;
    (void)x;
#endif
}

/* Output moves along (v in x, w in theta) by a central difference, against the gradients along them. */
static void derivative(const ModelShape *shape, Side *one, const real *x, const real *dout) {
    Model *m = one->model;
    int64_t n = start[seqs.n] * shape->in_s, n_out = start[seqs.n] * shape->out_s;
    real *v = test_normal(n, 20), *w = test_normal(m->table.local, 21), *y = MEM_NEW(real, n),
         *out = MEM_NEW(real, n_out);
    real *theta = MEM_NEW(real, m->table.local);
    memcpy(theta, m->theta, (size_t)m->table.local * sizeof *theta);
    double h = sizeof(real) == 8 ? 1e-5 : 4e-3, slope = 0, gradient = 0, size = 0;
    for (int sign = -1; sign <= 1; sign += 2) {
        for (int64_t i = 0; i < n; i++) y[i] = x[i] + (real)(sign * h) * v[i];
        for (int64_t i = 0; i < m->table.local; i++) m->theta[i] = theta[i] + (real)(0.1 * sign * h) * w[i];
        model_forward(m, (Tensors){.s = out}, (Tensors){.s = y}, &seqs);
        for (int64_t i = 0; i < n_out; i++) slope += sign * (double)out[i] * (double)dout[i] / (2 * h);
    }
    for (int64_t i = 0; i < n; i++) gradient += (double)one->din[i] * (double)v[i];
    for (int t = 0; t < m->table.n; t++)
        for (int64_t i = m->table.at[t].offset; i < m->table.at[t].offset + m->table.at[t].count; i++)
            gradient += 0.1 * (double)m->grad[i] * (double)w[i];
    size = fabs(slope) + 1;
    EXPECT(fabs(slope - gradient) < (sizeof(real) == 8 ? 1e-7 : 2e-2) * size, "derivative %g, gradient %g", slope,
           gradient);
    mem_free(v), mem_free(w), mem_free(y), mem_free(out), mem_free(theta);
}

/* Activations that are worked out anew are those that were kept, in less memory. */
static void recomputed(const ModelShape *shape, const Side *many, real *x, real *dout) {
    ModelShape less = *shape;
    less.recompute = true;
    Side again = run(&less, comm_world(), x, dout);
    EXPECT(!memcmp(again.model->grad, many->model->grad, (size_t)many->model->table.local * sizeof(real)),
           "gradients of recomputed activations");
    EXPECT(!memcmp(again.din, many->din, (size_t)(start[seqs.n] * shape->in_s) * sizeof(real)), "of inputs");
    EXPECT(again.model->token_bytes < many->model->token_bytes, "%lld bytes a token, %lld where they are kept",
           (long long)again.model->token_bytes, (long long)many->model->token_bytes);
    side_free(&again);
}

static void compare(const ModelShape *shape) {
    int64_t n = start[seqs.n];
    real *x = test_normal(n * shape->in_s, 1), *dout = test_normal(n * shape->out_s, 2);
    Side one = run(shape, comm_self(), x, dout), many = run(shape, comm_world(), x, dout);
    EXPECT(test_error_real(many.out, one.out, n * shape->out_s) < tolerance, "outputs");
    EXPECT(test_error_real(many.din, one.din, n * shape->in_s) < tolerance, "input gradients");
    for (int t = 0; t < one.model->table.n; t++) {
        const Param *p = &one.model->table.at[t], *q = &many.model->table.at[t];
        int64_t count = param_size(p);
        double *a = MEM_NEW(double, count), *b = MEM_NEW(double, count);
        param_give(a, &one.model->table, p, one.model->grad);
        param_give(b, &many.model->table, q, many.model->grad);
        comm_sum_f64(comm_world(), b, count);
        double worst = 0, scale = 1;
        for (int64_t i = 0; i < count; i++) worst = fmax(worst, fabs(a[i] - b[i])), scale = fmax(scale, fabs(a[i]));
        EXPECT(worst / scale < tolerance, "%s: gradient differs by %g", p->name, worst / scale);
        mem_free(a), mem_free(b);
    }
    derivative(shape, &one, x, dout);
    subnormal(shape, &one, x);
    recomputed(shape, &many, x, dout);
    side_free(&one), side_free(&many);
    mem_free(x), mem_free(dout);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    /* 12 heads and 36 or 24 channels divide by 1 to 4. */
    ModelShape own = {.in_s = 5, .out_s = 3, .width = 36, .depth = 2, .heads = 12, .increase = 1};
    ModelShape shared = {
        .in_s = 17, .out_s = 1, .width = 30, .depth = 3, .heads = 12, .increase = 3, .multi_query = true};
    compare(&own);
    compare(&shared);
    Err err = transformer_kind.check(&own, 5);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "want one of 1, 2, 3, 4, 6, 12"), "%s", err.text);
    own.heads = 40;
    EXPECT(transformer_kind.check(&own, 1).code == EXIT_USER, "more heads than channels");
    return test_end();
}
