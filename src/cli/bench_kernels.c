#include "bench.h"

#include "base/arena.h"
#include "base/log.h"
#include "math/stats.h"
#include "la/brgemm.h"
#include "la/gemm.h"
#include "la/pga.h"
#include "la/simd.h"
#include "nn/activation.h"
#include "nn/attention.h"
#include "nn/layernorm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One kernel at one size. Work in products is counted exactly; for the others FLOP is 0 and only bytes count: each
 * operand read once, each result written once. */
typedef struct Kernel {
    char name[24], size[40];
    double flop, bytes;
    void (*run)(const struct Kernel *);
    int64_t m, n, k;
    real *x, *y, *z; /* operands, each large enough; shared by all kernels */
    const Packed *seqs;
    AttentionShape shape;
    AttentionState *state;
} Kernel;

static void run_nn(const Kernel *k) {
    gemm_nn(k->z, k->n, k->x, k->k, k->y, k->n, k->m, k->n, k->k, 0);
}
static void run_nt(const Kernel *k) {
    gemm_nt(k->z, k->n, k->x, k->k, k->y, k->k, k->m, k->n, k->k, 0);
}
static void run_tn(const Kernel *k) {
    gemm_tn(k->z, k->n, k->x, k->m, k->y, k->n, k->m, k->n, k->k, 1);
}
static void run_gelu(const Kernel *k) {
    gelu_bias(k->z, k->x, k->x, k->y, k->m, k->n);
}
static void run_gelu_tanh(const Kernel *k) {
    gelu_tanh(k->z, k->x, k->x, k->m * k->n);
}
static void run_norm(const Kernel *k) {
    layernorm_add(k->z, k->y, k->x, NULL, k->y, k->m, k->n);
}
static void run_norm_backward(const Kernel *k) {
    layernorm_backward(k->z, NULL, k->x, k->x, k->y, k->m, k->n);
}

/* q, k, v as slices of one row in x; results in z. */
static HeadView slice(const Kernel *k, real *at, int part) {
    int row = 3 * k->shape.heads * k->shape.dq;
    return (HeadView){at + part * k->shape.heads * k->shape.dq, row, k->shape.dq};
}
static HeadView whole(const Kernel *k) {
    return (HeadView){k->y, k->shape.heads * k->shape.dv, k->shape.dv};
}
static void run_attention(const Kernel *k) {
    attention_forward(whole(k), slice(k, k->x, 0), slice(k, k->x, 1), slice(k, k->x, 2), k->seqs, &k->shape, k->state);
}
static void run_attention_backward(const Kernel *k) {
    attention_backward(slice(k, k->z, 0), slice(k, k->z, 1), slice(k, k->z, 2), whole(k), whole(k), slice(k, k->x, 0),
                       slice(k, k->x, 1), slice(k, k->x, 2), k->seqs, &k->shape, k->state);
}

/* Multivectors by component plane, channels m, tokens n: x and y give z. */
static void run_geometric(const Kernel *k) {
    int64_t ld = vec_padded(k->n);
    pga_geometric(k->z, k->m * ld, k->x, k->y, k->m * ld, k->m, ld, k->n);
}
static void run_geometric_backward(const Kernel *k) {
    int64_t ld = vec_padded(k->n), plane = k->m * ld;
    pga_geometric_backward(k->z, k->z + PGA * plane, k->y, plane, k->x, k->y, plane, k->m, ld, k->n);
}
static void run_join(const Kernel *k) {
    int64_t ld = vec_padded(k->n);
    pga_join(k->z, k->m * ld, k->x, k->y, k->m * ld, k->x, k->m, ld, k->n);
}
static void run_join_backward(const Kernel *k) {
    int64_t ld = vec_padded(k->n), plane = k->m * ld;
    pga_join_backward(k->z, k->z + PGA * plane, NULL, k->y, plane, k->x, k->y, plane, k->x, k->m, ld, k->n);
}
/* One plane of an equivariant map: its own grade and e0 times another. */
static void run_brgemm(const Kernel *k) {
    int64_t ld = vec_padded(k->n);
    BrTerm terms[2] = {{1, k->y, k->m, 1, k->x, ld, k->m, 0}, {1, k->y, k->m, 1, k->x + k->m * ld, ld, k->m, 0}};
    brgemm(k->z, ld, 0, 1, k->m, k->n, terms, 2, NULL, 0);
}

enum { MOST = 96 };
typedef struct List {
    Kernel at[MOST];
    int n;
    Kernel base;
    const Packed *one; /* a single sequence */
} List;

static void add(List *list, const char *name, void (*run)(const Kernel *), int64_t m, int64_t n, int64_t k, double flop,
                double elements) {
    Kernel *x = &list->at[list->n++];
    *x = list->base;
    x->run = run, x->m = m, x->n = n, x->k = k, x->flop = flop, x->bytes = elements * sizeof(real);
    snprintf(x->name, sizeof x->name, "%s", name);
    snprintf(x->size, sizeof x->size, k ? "%lld x %lld x %lld" : "%lld x %lld", (long long)m, (long long)n,
             (long long)k);
}

static void add_product(List *list, const char *name, void (*run)(const Kernel *), int64_t m, int64_t n, int64_t k) {
    add(list, name, run, m, n, k, 2.0 * (double)m * (double)n * (double)k, (double)(m * k + k * n + m * n));
}

/* Attention on `width` channels. */
static AttentionShape attention_of(const BenchOptions *o, int64_t width) {
    int heads = (int)o->heads, head = (int)(width / heads);
    return (AttentionShape){.heads = heads, .kv_heads = heads, .dq = head, .dv = head, .scale = (real)0.1};
}

/* The kernels of one transformer layer, forward and backward; the state of its attention. */
static void add_layer(List *list, const BenchOptions *o, int64_t width, AttentionState *state) {
    int64_t t = o->batch * o->tokens, wide[] = {3 * width, 2 * width};
    for (int i = 0; i < 2; i++) {
        add_product(list, "gemm nn", run_nn, t, wide[i], width);
        add_product(list, "gemm nt", run_nt, t, width, wide[i]);
        add_product(list, "gemm tn", run_tn, width, wide[i], t);
    }
    double e = (double)(t * width);
    add(list, "gelu+bias", run_gelu, t, 2 * width, 0, 0, 3 * 2 * e);
    add(list, "gelu tanh", run_gelu_tanh, t, 2 * width, 0, 0, 3 * 2 * e);
    add(list, "layer norm", run_norm, t, width, 0, 0, 3 * e);
    add(list, "layer norm backward", run_norm_backward, t, width, 0, 0, 4 * e);
    list->base.shape = attention_of(o, width);
    list->base.state = state;
    double square = (double)(o->heads * o->batch * o->tokens * o->tokens);
    double flop = (double)attention_flops(list->base.seqs, &list->base.shape);
    add(list, "attention", run_attention, t, width, 0, flop / 3, 4 * e + square);
    add(list, "attention backward", run_attention_backward, t, width, 0, flop * 2 / 3, 7 * e + square);
    /* One sequence again and again: the ceiling, with operands in the first caches. */
    double one = 1 / (double)o->batch;
    add(list, "attention, ceiling", run_attention, o->tokens, width, 0, flop / 3 * one, (4 * e + square) * one);
    list->at[list->n - 1].seqs = list->one;
    add(list, "backward, ceiling", run_attention_backward, o->tokens, width, 0, flop * 2 / 3 * one,
        (7 * e + square) * one);
    list->at[list->n - 1].seqs = list->one;
}

static void add_brgemm(List *list, const char *name, int64_t channels, int64_t tokens) {
    double pairs = (double)(tokens * channels);
    add(list, name, run_brgemm, channels, tokens, channels, 4 * (double)channels * pairs, 3 * pairs);
}

/* GATr's kernels on `width` multivector channels. */
static void add_algebra(List *list, const BenchOptions *o, int64_t width) {
    int64_t t = o->batch * o->tokens;
    double pairs = (double)(t * width), e = PGA * pairs;
    add(list, "geometric", run_geometric, width, t, 0, PGA_GEOMETRIC_FLOPS * pairs, 3 * e);
    add(list, "geometric backward", run_geometric_backward, width, t, 0, 2 * PGA_GEOMETRIC_FLOPS * pairs, 5 * e);
    add(list, "join", run_join, width, t, 0, PGA_JOIN_FLOPS * pairs, 3 * e);
    add(list, "join backward", run_join_backward, width, t, 0, 2 * PGA_JOIN_FLOPS * pairs, 5 * e);
    add_brgemm(list, "brgemm, 2 terms", width, t);
}

/* Products of few channels, as small models of GATr have them: over all tokens of the batch, and the ceiling, over as
 * many as leave all operands in the first-level cache: fewer would show what a call costs. */
static void add_narrow(List *list, const BenchOptions *o) {
    enum { CACHED = 1 << 14 }; /* bytes: half of the smallest such cache */
    static const int64_t channels[] = {2, 3, 4, 5, 8, 10, 16};
    int64_t tokens = o->batch * o->tokens;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        add_brgemm(list, "brgemm, batch", channels[i], tokens);
        int64_t cached = CACHED / (3 * channels[i] * (int64_t)sizeof(real)) / LANES * LANES;
        add_brgemm(list, "brgemm, ceiling", channels[i], cached < tokens ? cached : tokens);
    }
}

/* GB/s of x = y + a z over 3 n numbers, the best of some passes. */
static double bandwidth(const BenchOptions *o, real *x, int64_t n, int calls) {
    real *y = x + n, *z = y + n;
    double best = 0;
    for (int i = 0; i < 5; i++) {
        double start = bench_now(o);
        for (int c = 0; c < calls; c++)
#pragma omp simd
            for (int64_t j = 0; j < n; j++) x[j] = y[j] + (real)0.5 * z[j];
        best = fmax(best, 3e-9 * (double)n * calls * sizeof(real) / bench_slowest(o, comm_world(), start));
    }
    return best;
}

/* Median seconds of one call: calls are repeated until they take 5 ms, that `repeat` times. */
static double time_kernel(const BenchOptions *o, const Kernel *k) {
    int repeat = (int)o->repeat;
    double *t = MEM_NEW(double, repeat), start = bench_now(o);
    k->run(k);
    int64_t calls = 1;
    for (start = bench_now(o); bench_now(o) - start < 5e-3; calls++) k->run(k);
    comm_max_i64(comm_world(), &calls, 1);
    for (int i = 0; i < repeat; i++) {
        comm_barrier(comm_world());
        start = bench_now(o);
        for (int64_t c = 0; c < calls; c++) k->run(k);
        t[i] = bench_slowest(o, comm_world(), start) / (double)calls;
    }
    double median = stats_median(t, repeat);
    mem_free(t);
    return median;
}

static void print(Json *json, const Kernel *k, double seconds, double peak, double stream, double cache) {
    double rate = k->flop / seconds * 1e-9, bytes = k->bytes / seconds * 1e-9;
    double roof = k->flop > 0 ? fmin(peak, k->flop / k->bytes * stream) : 0;
    log_text("%-20s%-20s%11.2f%10.1f%8.2f%10.1f%10.1f%10.1f", k->name, k->size, seconds * 1e6, rate, rate / peak,
             k->bytes * 1e-3, bytes, roof);
    if (!json) return;
    json_open_object(json, NULL);
    json_put_text(json, "kernel", k->name);
    json_put_text(json, "size", k->size);
    json_put_number(json, "ms", seconds * 1e3);
    json_put_number(json, "flop", k->flop);
    json_put_number(json, "bytes", k->bytes);
    json_put_number(json, "memory_gbytes", stream);
    json_put_number(json, "cache_gbytes", cache);
    bench_json_rate(json, rate, peak);
}

Err bench_kernels(const BenchOptions *o, int *code) {
    enum { LAYERS = 3 };
    const int64_t widths[LAYERS] = {o->model.n ? o->width : 64, 128, 256};
    int n_widths = o->model.n ? 1 : LAYERS;
    int64_t t = o->batch * o->tokens, widest = widths[n_widths - 1],
            n = 2 * PGA * (t + LANES) * (o->model.n ? widest : 16); /* two multivectors a channel */
    if (n < 4 * t * widest) n = 4 * t * widest;
    int64_t stream_n = 1 << 24, most = n > 3 * stream_n ? n : 3 * stream_n;
    bool algebra = !o->model.n || bench_has(o, "gatr"), layers = !o->model.n || bench_has(o, "transformer");
    for (int i = 0; i < o->model.n; i++)
        if (strcmp(o->model.at[i], "gatr") && strcmp(o->model.at[i], "transformer"))
            return err_user("command line: model = %s: want transformer or gatr, whose kernels these are",
                            o->model.at[i]);
    if (!layers) TRY(options_refuse("heads", "want -model transformer beside it"));
    if (layers && widest % o->heads)
        return err_user("command line: heads = %d: want a divisor of the width", (int)o->heads);
    double held = 3.0 * (double)n * sizeof(real);
    TRY(bench_fits(o, held)); /* before anything is counted that might not be a number of bytes at all */
    AttentionState state[LAYERS];
    AttentionShape shape[LAYERS];
    Arena count = arena_count();
    for (int i = 0; i < n_widths && layers; i++) {
        shape[i] = attention_of(o, widths[i]);
        attention_layout(&state[i], &shape[i], t, (int)o->batch, o->tokens, &count);
    }
    TRY(bench_fits(o, held + (double)count.peak));
    real *memory = MEM_NEW(real, 3 * n > most ? 3 * n : most);
    for (int64_t i = 0; i < 3 * n; i++) memory[i] = (real)((double)(i % 1009) / 1009 - 0.5);
    int64_t *start = MEM_NEW(int64_t, o->batch + 1);
    for (int64_t i = 0; i <= o->batch; i++) start[i] = i * o->tokens;
    Packed one = {.n = 1, .start = start};
    Packed seqs = {.n = (int)o->batch, .start = start};
    Arena arena = arena_new(count.peak);
    for (int i = 0; i < n_widths && layers; i++)
        attention_layout(&state[i], &shape[i], t, (int)o->batch, o->tokens, &arena);

    List list = {.one = &one, .base = {.x = memory, .y = memory + n, .z = memory + 2 * n, .seqs = &seqs}};
    for (int i = 0; i < n_widths && layers; i++) add_layer(&list, o, widths[i], &state[i]);
    for (int i = 0; i < (o->model.n ? 1 : 2) && algebra; i++) add_algebra(&list, o, o->model.n ? o->width : 8 << i);
    if (!o->model.n) add_narrow(&list, o);
    Peak peak = peak_new();
    peak_measure(&peak, o);
    double top = 0, *seconds = MEM_NEW(double, list.n);
    for (int i = 0; i < o->repeat; i++) top = fmax(top, peak_measure(&peak, o));
    for (int i = 0; i < list.n; i++) seconds[i] = time_kernel(o, &list.at[i]);
    double stream = bandwidth(o, memory, stream_n, 1), cache = bandwidth(o, memory, 1 << 14, 1000);
    log_text("%d rank%s at once, %s: a rank's product 2048^3 %.1f GFLOP/s, memory %.1f GB/s, cache %.1f GB/s",
             comm_size(comm_world()), plural(comm_size(comm_world())), REAL_NAME, top, stream, cache);
    log_text("%-20s%-20s%11s%10s%8s%10s%10s%10s", "kernel", "rows x columns x k", "us", "GFLOP/s", "share", "kB",
             "GB/s", "roof");
    Json *json = bench_json_new(o);
    for (int i = 0; i < list.n; i++) print(json, &list.at[i], seconds[i], top, stream, cache);
    bool finite = true;
    for (int i = 0; i < list.n; i++) finite = finite && isfinite(seconds[i]) && seconds[i] > 0;
    const BenchCheck check = {"every kernel was timed", finite};
    double ranks = comm_size(comm_world());
    const BenchMerit merit = {
        .what = "kernels", .gflops = ranks * top, .peak = ranks * top, .joules = NAN, .checks = 1, .check = &check};
    peak_free(&peak);
    arena_free(&arena);
    mem_free(memory);
    mem_free(start);
    mem_free(seconds);
    return bench_end(json, o, &merit, code);
}
