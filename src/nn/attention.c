#include "attention_narrow.h"

#include "base/err.h"
#include "la/gemm.h"
#include "la/vmath.h"

#include <math.h>

enum { MAX_VECS = 6 }; /* vectors of a row of logits kept in registers */

/* Rows of weights are padded to whole vectors: a store of part of a vector would hold up loads of the row behind it. */
void attention_layout(AttentionState *state, const AttentionShape *shape, int64_t max_tokens, int max_sequences,
                      int64_t max_length, Arena *arena) {
    int64_t columns = max_tokens + (int64_t)max_sequences * (LANES - 1), row = vec_padded(max_length);
    int64_t weights = shape->heads * max_tokens * row + attention_narrow_rows(shape) * columns;
    state->weight = ARENA_TAKE(arena, real, weights);
    state->work = ARENA_TAKE(arena, real, max_length * row);
    state->turned = ARENA_TAKE(arena, real, attention_narrow_work(shape, max_length));
}

/* softmax(scale s) of each row of up to vecs*LANES numbers, in place; a row stays in registers. */
static inline __attribute__((always_inline)) void softmax_short(real *s, int64_t rows, int64_t n, real scale,
                                                                const int vecs) {
    const int64_t left = n - (vecs - 1) * LANES;
    const real binary = scale * LOG2_E;
    const Vec lowest = vec_set((real)-1e30); /* behind the row: a logit that vec_exp2 makes 0 */
    for (real *x = s; x < s + rows * vecs * LANES; x += vecs * LANES) {
        Vec v[MAX_VECS], sum = {0};
        for (int i = 0; i < vecs; i++) v[i] = vec_load(x + i * LANES);
        v[vecs - 1] = vec_first(v[vecs - 1], lowest, left);
        Vec top = v[0];
        for (int i = 1; i < vecs; i++) top = vec_max(top, v[i]);
        top = vec_set(vec_top(top));
        for (int i = 0; i < vecs; i++) sum += v[i] = vec_exp2(binary * (v[i] - top));
        sum = vec_set(1 / vec_total(sum));
        for (int i = 0; i < vecs; i++) vec_store(x + i * LANES, v[i] * sum);
    }
}

static void softmax_long(real *s, int64_t rows, int64_t n, real scale) {
    int64_t ld = vec_padded(n);
    const real binary = scale * LOG2_E;
    for (real *x = s; x < s + rows * ld; x += ld) {
        Vec top = vec_set(x[0]), sum = {0};
        for (int64_t i = 0; i < n; i += LANES) top = vec_max(top, vec_first(vec_load(x + i), top, n - i));
        top = vec_set(vec_top(top));
        for (int64_t i = 0; i < n; i += LANES) {
            Vec e = vec_first(vec_exp2(binary * (vec_load(x + i) - top)), (Vec){0}, n - i);
            vec_store(x + i, e);
            sum += e;
        }
        sum = vec_set(1 / vec_total(sum));
        for (int64_t i = 0; i < n; i += LANES) vec_store(x + i, sum * vec_load(x + i));
    }
}

static void softmax(real *s, int64_t rows, int64_t n, real scale) {
    switch (vec_padded(n) / LANES) {
    case 1: softmax_short(s, rows, n, scale, 1); break;
    case 2: softmax_short(s, rows, n, scale, 2); break;
    case 3: softmax_short(s, rows, n, scale, 3); break;
    case 4: softmax_short(s, rows, n, scale, 4); break;
    case 5: softmax_short(s, rows, n, scale, 5); break;
    case 6: softmax_short(s, rows, n, scale, MAX_VECS); break;
    default: softmax_long(s, rows, n, scale);
    }
}

/* dw becomes the gradient of the logits before scaling: scale w (dw - sum_j w_j dw_j). Behind the row w is 0. */
static void softmax_backward(real *dw, const real *w, int64_t rows, int64_t n, real scale) {
    int64_t ld = vec_padded(n);
    for (int64_t r = 0; r < rows; r++) {
        real *d = dw + r * ld;
        const real *p = w + r * ld;
        Vec along = {0};
        for (int64_t i = 0; i < n; i += LANES) along += vec_load(p + i) * vec_first(vec_load(d + i), (Vec){0}, n - i);
        along = vec_set(vec_total(along));
        for (int64_t i = 0; i < n; i += LANES) vec_store(d + i, scale * vec_load(p + i) * (vec_load(d + i) - along));
    }
}

static real *at(HeadView view, int64_t token, int head) {
    return view.at + token * view.token + head * view.head;
}

void attention_forward(HeadView out, HeadView q, HeadView k, HeadView v, const Packed *seqs,
                       const AttentionShape *shape, AttentionState *state) {
    CHECK(shape->kv_heads == 1 || shape->kv_heads == shape->heads, "%d heads of keys", shape->kv_heads);
    real *w = state->weight;
    bool narrow = attention_narrow(shape, out, q, k, v);
    for (int i = 0; i < seqs->n; i++) {
        int64_t first = seqs->start[i], T = seqs->start[i + 1] - first, ld = vec_padded(T);
        if (narrow) {
            attention_narrow_forward(out, q, k, v, first, T, shape, w, state->turned);
            w += attention_narrow_weights(shape, T);
            continue;
        }
        for (int h = 0; h < shape->heads; h++) {
            int g = shape->kv_heads == 1 ? 0 : h;
            gemm_nt(w, ld, at(q, first, h), q.token, at(k, first, g), k.token, T, T, shape->dq, 0);
            softmax(w, T, T, shape->scale);
            gemm_nn(at(out, first, h), out.token, w, ld, at(v, first, g), v.token, T, shape->dv, T, 0);
            w += T * ld;
        }
    }
}

void attention_backward(HeadView dq, HeadView dk, HeadView dv, HeadView dout, HeadView out, HeadView q, HeadView k,
                        HeadView v, const Packed *seqs, const AttentionShape *shape, AttentionState *state) {
    (void)out;
    const real *w = state->weight;
    real *dw = state->work;
    bool narrow = attention_narrow(shape, out, q, k, v);
    for (int i = 0; i < seqs->n; i++) {
        int64_t first = seqs->start[i], T = seqs->start[i + 1] - first, ld = vec_padded(T);
        if (narrow) {
            attention_narrow_backward(dq, dk, dv, dout, q, k, v, first, T, shape, w, dw, state->turned);
            w += attention_narrow_weights(shape, T);
            continue;
        }
        for (int h = 0; h < shape->heads; h++) {
            int g = shape->kv_heads == 1 ? 0 : h;
            real beta = g == h ? 0 : 1; /* shared keys and values gather the gradients of all heads */
            gemm_nt(dw, ld, at(dout, first, h), dout.token, at(v, first, g), v.token, T, T, shape->dv, 0);
            gemm_tn(at(dv, first, g), dv.token, w, ld, at(dout, first, h), dout.token, T, shape->dv, T, beta);
            softmax_backward(dw, w, T, T, shape->scale);
            gemm_nn(at(dq, first, h), dq.token, dw, ld, at(k, first, g), k.token, T, shape->dq, T, 0);
            gemm_tn(at(dk, first, g), dk.token, dw, ld, at(q, first, h), q.token, T, shape->dq, T, beta);
            w += T * ld;
        }
    }
}

int64_t attention_flops(const Packed *seqs, const AttentionShape *shape) {
    int64_t squares = 0;
    for (int i = 0; i < seqs->n; i++) {
        int64_t T = seqs->start[i + 1] - seqs->start[i];
        squares += T * T;
    }
    return 6 * squares * shape->heads * (shape->dq + shape->dv);
}

void attention_ref(HeadView out, HeadView q, HeadView k, HeadView v, const Packed *seqs, const AttentionShape *shape) {
    for (int i = 0; i < seqs->n; i++)
        for (int h = 0; h < shape->heads; h++)
            for (int64_t t = seqs->start[i]; t < seqs->start[i + 1]; t++) {
                int g = shape->kv_heads == 1 ? 0 : h;
                double top = -INFINITY, sum = 0;
                for (int pass = 0; pass < 3; pass++)
                    for (int64_t u = seqs->start[i]; u < seqs->start[i + 1]; u++) {
                        double logit = 0;
                        for (int c = 0; c < shape->dq; c++) logit += (double)at(q, t, h)[c] * (double)at(k, u, g)[c];
                        logit *= (double)shape->scale;
                        if (pass == 0) top = fmax(top, logit);
                        if (pass == 1) sum += exp(logit - top);
                        if (pass < 2) continue;
                        for (int c = 0; c < shape->dv; c++)
                            at(out, t, h)[c] = (u == seqs->start[i] ? 0 : at(out, t, h)[c]) +
                                               (real)(exp(logit - top) / sum * (double)at(v, u, g)[c]);
                    }
            }
}
