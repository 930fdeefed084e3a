// TEST n=1
/* Attention against plain loops; adjoint and central differences of its backward pass; shared and own keys; both
 * layouts; heads of every width up to 16. */
#include "base/rng.h"
#include "check.h"
#include "la/flops.h"
#include "nn/attention.h"

enum { HEADS = 3, PARTS = 4 };
static const int64_t start[] = {0, 1, 4, 21, 86};
static const Packed seqs = {.n = 4, .start = start};

typedef struct Case {
    AttentionShape shape;
    bool head_major;
    real *buf[PARTS]; /* out, q, k, v */
    int64_t n[PARTS];
    HeadView view[PARTS];
} Case;

static Case case_new(int kv_heads, int dq, int dv, bool head_major, uint64_t stream) {
    Case c = {.shape = {.heads = HEADS, .kv_heads = kv_heads, .dq = dq, .dv = dv, .scale = (real)0.7},
              .head_major = head_major};
    int64_t tokens = start[seqs.n];
    for (int i = 0; i < PARTS; i++) {
        int heads = i < 2 ? HEADS : kv_heads, width = i == 1 || i == 2 ? dq : dv;
        c.n[i] = tokens * heads * width;
        c.buf[i] = MEM_NEW(real, c.n[i]);
        for (int64_t j = 0; j < c.n[i]; j++) c.buf[i][j] = (real)rng_normal(3, stream + (uint64_t)i, (uint64_t)j);
        c.view[i] =
            head_major ? (HeadView){c.buf[i], width, tokens * width} : (HeadView){c.buf[i], heads * width, width};
    }
    return c;
}

static void case_free(Case *c) {
    for (int i = 0; i < PARTS; i++) mem_free(c->buf[i]);
}

static double dot(const real *a, const real *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void check(int kv_heads, int dq, int dv, bool head_major) {
    Case x = case_new(kv_heads, dq, dv, head_major, 10), g = case_new(kv_heads, dq, dv, head_major, 20),
         move = case_new(kv_heads, dq, dv, head_major, 30);
    AttentionState state;
    Arena arena = arena_new(1 << 20);
    attention_layout(&state, &x.shape, start[seqs.n], 65, &arena);

    real *cotangent = g.buf[0], *ref = move.buf[0];
    int64_t before = flops_counted();
    attention_forward(x.view[0], x.view[1], x.view[2], x.view[3], &seqs, &x.shape, &state);
    attention_ref(move.view[0], x.view[1], x.view[2], x.view[3], &seqs, &x.shape);
    double worst = 0;
    for (int64_t i = 0; i < x.n[0]; i++) worst = fmax(worst, fabs((double)x.buf[0][i] - (double)ref[i]));
    EXPECT(worst < 200 * (double)REAL_EPSILON, "kv_heads %d, %d and %d features: forward %g", kv_heads, dq, dv, worst);
    attention_backward(g.view[1], g.view[2], g.view[3], g.view[0], x.view[0], x.view[1], x.view[2], x.view[3], &seqs,
                       &x.shape, &state);
    EXPECT(flops_counted() - before == attention_flops(&seqs, &x.shape), "%lld counted",
           (long long)(flops_counted() - before));

    /* <cotangent, J move> by a central difference = <J^T cotangent, move>; in float the difference is of the reference.
     */
    double h = sizeof(real) == 4 ? 1e-2 : 1e-5, slope = 0, adjoint = 0;
    for (int sign = -1; sign <= 1; sign += 2) {
        Case y = case_new(kv_heads, dq, dv, head_major, 10);
        for (int i = 1; i < PARTS; i++)
            for (int64_t j = 0; j < y.n[i]; j++) y.buf[i][j] += (real)(sign * h) * move.buf[i][j];
        attention_ref(y.view[0], y.view[1], y.view[2], y.view[3], &seqs, &y.shape);
        slope += sign * dot(cotangent, y.buf[0], y.n[0]) / (2 * h);
        case_free(&y);
    }
    for (int i = 1; i < PARTS; i++) adjoint += dot(g.buf[i], move.buf[i], x.n[i]);
    double bound = sizeof(real) == 4 ? 5e-3 : 1e-7;
    EXPECT(fabs(slope - adjoint) < bound * (fabs(slope) + 1), "kv_heads %d, %d and %d features: %g against %g",
           kv_heads, dq, dv, adjoint, slope);
    arena_free(&arena);
    case_free(&x), case_free(&g), case_free(&move);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    for (int layout = 0; layout < 2; layout++) {
        check(HEADS, 5, 7, layout);
        check(1, 5, 7, layout);
    }
    for (int width = 1; width <= 16; width++) check(HEADS, width, width, false); /* narrow ones and others */
    return test_end();
}
