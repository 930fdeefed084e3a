// TEST n=1
/* Attention against plain loops; adjoint and central differences of its backward pass; shared and own keys; both
 * layouts; heads of every width up to 16, narrow ones against products too. */
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
    attention_layout(&state, &x.shape, start[seqs.n], seqs.n, 65, &arena);

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

/* Narrow heads against the same heads by products, which is what the other layout is given: outputs and every gradient. Logits are
 * near 0, far from it, or so far that their exponentials have no room. */
static void compare(int width, double size) {
    Case narrow = case_new(HEADS, width, width, false, 10), plain = case_new(HEADS, width, width, true, 10);
    Case dnarrow = case_new(HEADS, width, width, false, 20), dplain = case_new(HEADS, width, width, true, 20);
    Case *pair[2][2] = {{&narrow, &plain}, {&dnarrow, &dplain}};
    AttentionState state;
    Arena arena = arena_new(1 << 20);
    attention_layout(&state, &narrow.shape, start[seqs.n], seqs.n, 65, &arena);
    for (int64_t j = 0; j < narrow.n[1]; j++) narrow.buf[1][j] *= (real)size;
    for (int side = 0; side < 2; side++) /* the same numbers, head by head */
        for (int i = 0; i < PARTS; i++)
            for (int64_t j = 0; j < narrow.n[i]; j++) {
                HeadView from = pair[side][0]->view[i], to = pair[side][1]->view[i];
                int64_t t = j / (HEADS * width), h = j / width % HEADS, c = j % width;
                to.at[t * to.token + h * to.head + c] = from.at[t * from.token + h * from.head + c];
            }
    for (int layout = 0; layout < 2; layout++) {
        HeadView *x = pair[0][layout]->view, *d = pair[1][layout]->view;
        attention_forward(x[0], x[1], x[2], x[3], &seqs, &narrow.shape, &state);
        attention_backward(d[1], d[2], d[3], d[0], x[0], x[1], x[2], x[3], &seqs, &narrow.shape, &state);
    }
    for (int i = 0; i < PARTS; i++) {
        double worst = 0, largest = 0;
        for (int64_t j = 0; j < narrow.n[i]; j++) {
            HeadView a = i ? dnarrow.view[i] : narrow.view[i], b = i ? dplain.view[i] : plain.view[i];
            int64_t t = j / (HEADS * width), h = j / width % HEADS, c = j % width;
            double x = (double)a.at[t * a.token + h * a.head + c], y = (double)b.at[t * b.token + h * b.head + c];
            worst = fmax(worst, isfinite(x) ? fabs(x - y) : INFINITY);
            largest = fmax(largest, fabs(y));
        }
        /* An error of a logit, which grows with it, is one of its weight. */
        EXPECT(worst < 100 * (1 + size) * (double)REAL_EPSILON * (1 + largest),
               "%d features, size %g, part %d: %g of %g", width, size, i, worst, largest);
    }
    arena_free(&arena);
    case_free(&narrow), case_free(&plain), case_free(&dnarrow), case_free(&dplain);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    for (int layout = 0; layout < 2; layout++) {
        check(HEADS, 5, 7, layout);
        check(1, 5, 7, layout);
    }
    for (int width = 1; width <= 16; width++) {
        check(HEADS, width, width, false); /* narrow ones and others */
        for (double size = 1e-3; size < 1e5; size *= 100) compare(width, size);
    }
    return test_end();
}
