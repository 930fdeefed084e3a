#include "nn/attention.h"

#include "base/err.h"
#include "la/gemm.h"
#include "la/vmath.h"

#include <math.h>

void attention_layout(AttentionState *state, const AttentionShape *shape, int64_t max_tokens, int64_t max_length,
                      Arena *arena) {
    state->weight = ARENA_TAKE(arena, real, shape->heads * max_tokens * max_length);
    state->work = ARENA_TAKE(arena, real, shape->heads * max_length * max_length);
}

/* softmax(scale s) of each row, in place. */
static void softmax(real *s, int64_t rows, int64_t n, real scale) {
    for (int64_t r = 0; r < rows; r++) {
        real *x = s + r * n;
        Vec top = vec_set(x[0]), sum = {0};
        for (int64_t i = 0; i < n; i += LANES) {
            Vec v = vec_get(x + i, n - i);
            top = vec_max(top, vec_first(v, top, n - i));
        }
        top = vec_set(vec_top(top));
        for (int64_t i = 0; i < n; i += LANES) {
            Vec e = vec_exp(scale * (vec_get(x + i, n - i) - top));
            vec_put(x + i, e, n - i);
            sum += vec_first(e, (Vec){0}, n - i);
        }
        Vec inverse = vec_set(1 / vec_total(sum));
        for (int64_t i = 0; i < n; i += LANES) vec_put(x + i, inverse * vec_get(x + i, n - i), n - i);
    }
}

/* dw becomes the gradient of the logits before scaling: scale w (dw - sum_j w_j dw_j). */
static void softmax_backward(real *dw, const real *w, int64_t rows, int64_t n, real scale) {
    for (int64_t r = 0; r < rows; r++) {
        real *d = dw + r * n;
        const real *p = w + r * n;
        Vec along = {0};
        for (int64_t i = 0; i < n; i += LANES) along += vec_get(p + i, n - i) * vec_get(d + i, n - i);
        along = vec_set(vec_total(along));
        for (int64_t i = 0; i < n; i += LANES)
            vec_put(d + i, scale * vec_get(p + i, n - i) * (vec_get(d + i, n - i) - along), n - i);
    }
}

static real *at(HeadView view, int64_t token, int head) {
    return view.at + token * view.token + head * view.head;
}

void attention_forward(HeadView out, HeadView q, HeadView k, HeadView v, const Packed *seqs,
                       const AttentionShape *shape, AttentionState *state) {
    CHECK(shape->kv_heads == 1 || shape->kv_heads == shape->heads, "%d heads of keys", shape->kv_heads);
    real *w = state->weight;
    for (int i = 0; i < seqs->n; i++) {
        int64_t first = seqs->start[i], T = seqs->start[i + 1] - first;
        for (int h = 0; h < shape->heads; h++) {
            int g = shape->kv_heads == 1 ? 0 : h;
            gemm_nt(w, T, at(q, first, h), q.token, at(k, first, g), k.token, T, T, shape->dq, 0);
            softmax(w, T, T, shape->scale);
            gemm_nn(at(out, first, h), out.token, w, T, at(v, first, g), v.token, T, shape->dv, T, 0);
            w += T * T;
        }
    }
}

void attention_backward(HeadView dq, HeadView dk, HeadView dv, HeadView dout, HeadView out, HeadView q, HeadView k,
                        HeadView v, const Packed *seqs, const AttentionShape *shape, AttentionState *state) {
    (void)out;
    const real *w = state->weight;
    real *dw = state->work;
    for (int i = 0; i < seqs->n; i++) {
        int64_t first = seqs->start[i], T = seqs->start[i + 1] - first;
        for (int h = 0; h < shape->heads; h++) {
            int g = shape->kv_heads == 1 ? 0 : h;
            real beta = g == h ? 0 : 1; /* shared keys and values gather the gradients of all heads */
            gemm_nt(dw, T, at(dout, first, h), dout.token, at(v, first, g), v.token, T, T, shape->dv, 0);
            gemm_tn(at(dv, first, g), dv.token, w, T, at(dout, first, h), dout.token, T, shape->dv, T, beta);
            softmax_backward(dw, w, T, T, shape->scale);
            gemm_nn(at(dq, first, h), dq.token, dw, T, at(k, first, g), k.token, T, shape->dq, T, 0);
            gemm_tn(at(dk, first, g), dk.token, dw, T, at(q, first, h), q.token, T, shape->dq, T, beta);
            w += T * T;
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
