#include "attention_narrow.h"

#include "la/flops.h"
#include "la/vmath.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Channels of a head at most; vectors of queries at a time, of which the registers hold a head's channels; keys of which
 * rows are summed at a time. */
enum { CHANNELS = 12, GROUP = SIMD_REGISTERS == 32 ? 2 : 1, KEYS = 8 };

/* A case for each width, so that a head's channels are in registers. */
#define EACH_WIDTH(DO) DO(2) DO(3) DO(4) DO(5) DO(6) DO(8) DO(10) DO(12)

static bool known_width(int channels) {
#define KNOWN(width) case width:
    switch (channels) {
        EACH_WIDTH(KNOWN) return true;
    default: return false;
    }
}

bool attention_narrow(const AttentionShape *s, HeadView out, HeadView q, HeadView k, HeadView v) {
    bool beside = out.head == s->dq && q.head == s->dq && k.head == s->dq && v.head == s->dq && v.token == k.token;
    return beside && known_width(s->dq) && s->dq == s->dv && s->kv_heads == s->heads;
}

/* Features of all heads by channel: what is read, and what is written. */
int64_t attention_narrow_work(const AttentionShape *shape, int64_t length) {
    return 2 * (int64_t)shape->heads * shape->dq * vec_padded(length);
}

/* One head: rows of tokens, and of channels for the queries' side. */
typedef struct Narrow {
    const real *q, *k, *v; /* (T, row) */
    int64_t row, length, ld;
    real scale;
} Narrow;

/* Weights (keys, queries) and outputs (channels, queries) of `vecs` vectors of queries. */
INLINE void forward_group(real *w, real *out, const real *q, const Narrow *x, const int d, const int vecs) {
    Vec qs[CHANNELS][GROUP], o[CHANNELS][GROUP], top[GROUP], sum[GROUP];
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) qs[c][l] =
        x->scale * vec_load(q + c * x->ld + l * LANES);
    UNROLL for (int l = 0; l < vecs; l++) top[l] = vec_set((real)-1e30);
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) s[l] = (Vec){0};
        UNROLL for (int c = 0; c < d; c++) {
            Vec key = vec_set(x->k[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) s[l] = vec_fma(key, qs[c][l], s[l]);
        }
        UNROLL for (int l = 0; l < vecs; l++) {
            vec_store(w + j * x->ld + l * LANES, s[l]);
            top[l] = vec_max(s[l], top[l]);
        }
    }
    UNROLL for (int l = 0; l < vecs; l++) sum[l] = (Vec){0};
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] = (Vec){0};
    for (int64_t j = 0; j < x->length; j++) {
        Vec e[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) {
            e[l] = vec_exp(vec_load(w + j * x->ld + l * LANES) - top[l]);
            vec_store(w + j * x->ld + l * LANES, e[l]);
            sum[l] += e[l];
        }
        UNROLL for (int c = 0; c < d; c++) {
            Vec value = vec_set(x->v[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) o[c][l] = vec_fma(value, e[l], o[c][l]);
        }
    }
    UNROLL for (int l = 0; l < vecs; l++) {
        sum[l] = 1 / sum[l];
        for (int64_t j = 0; j < x->length; j++) {
            real *p = w + j * x->ld + l * LANES;
            vec_store(p, sum[l] * vec_load(p));
        }
        UNROLL for (int c = 0; c < d; c++) vec_store(out + c * x->ld + l * LANES, o[c][l] * sum[l]);
    }
}

INLINE void forward_head(real *w, real *out, const real *q, const Narrow *x, const int d) {
    int64_t at = 0;
    for (; at + GROUP * LANES <= x->ld; at += GROUP * LANES) forward_group(w + at, out + at, q + at, x, d, GROUP);
    if (at < x->ld) forward_group(w + at, out + at, q + at, x, d, 1);
}

/* Gradients of logits, ds (keys, queries), and of queries, dq (channels, queries). */
INLINE void backward_group(real *ds, real *dq, const real *dout, const real *w, const Narrow *x, const int d,
                           const int vecs) {
    Vec o[CHANNELS][GROUP], along[GROUP];
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] =
        vec_load(dout + c * x->ld + l * LANES);
    UNROLL for (int l = 0; l < vecs; l++) along[l] = (Vec){0};
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) s[l] = (Vec){0};
        UNROLL for (int c = 0; c < d; c++) {
            Vec value = vec_set(x->v[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) s[l] = vec_fma(value, o[c][l], s[l]);
        }
        UNROLL for (int l = 0; l < vecs; l++) {
            vec_store(ds + j * x->ld + l * LANES, s[l]);
            along[l] = vec_fma(s[l], vec_load(w + j * x->ld + l * LANES), along[l]);
        }
    }
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] = (Vec){0};
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) {
            int64_t i = j * x->ld + l * LANES;
            s[l] = x->scale * vec_load(w + i) * (vec_load(ds + i) - along[l]);
            vec_store(ds + i, s[l]);
        }
        UNROLL for (int c = 0; c < d; c++) {
            Vec key = vec_set(x->k[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) o[c][l] = vec_fma(key, s[l], o[c][l]);
        }
    }
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++)
        vec_store(dq + c * x->ld + l * LANES, o[c][l]);
}

/* Rows of `keys` keys: out (keys, d) = p (keys, queries) times x (queries, d). A row of channels takes vecs vectors. */
INLINE void rows_of_keys(real *out, int64_t out_row, const real *x, int64_t row, const real *p, int64_t ld,
                         int64_t length, const int d, const int keys) {
    enum { MOST = (CHANNELS + LANES - 1) / LANES };
    const int vecs = (d + LANES - 1) / LANES;
    Vec acc[KEYS][MOST];
    Mask mask = vec_mask(d - (vecs - 1) * LANES), all = vec_mask(LANES);
    UNROLL for (int r = 0; r < keys; r++) UNROLL for (int i = 0; i < vecs; i++) acc[r][i] = (Vec){0};
    for (int64_t t = 0; t < length; t++) UNROLL for (int i = 0; i < vecs; i++) {
            Vec y = vec_load_masked(x + t * row + i * LANES, i < vecs - 1 ? all : mask);
            UNROLL for (int r = 0; r < keys; r++) acc[r][i] = vec_fma(vec_set(p[r * ld + t]), y, acc[r][i]);
        }
    UNROLL for (int r = 0; r < keys; r++) UNROLL for (int i = 0; i < vecs; i++)
        vec_store_masked(out + r * out_row + i * LANES, acc[r][i], i < vecs - 1 ? all : mask);
}

INLINE void key_rows(real *out, int64_t out_row, const real *x, int64_t row, const real *p, int64_t ld, int64_t length,
                     const int d) {
    int64_t j = 0;
    for (; j + KEYS <= length; j += KEYS)
        rows_of_keys(out + j * out_row, out_row, x, row, p + j * ld, ld, length, d, KEYS);
    for (; j + KEYS / 2 <= length; j += KEYS / 2)
        rows_of_keys(out + j * out_row, out_row, x, row, p + j * ld, ld, length, d, KEYS / 2);
    for (; j < length; j++) rows_of_keys(out + j * out_row, out_row, x, row, p + j * ld, ld, length, d, 1);
}

INLINE void backward_head(real *ds, real *dq, const real *dout, const real *w, const Narrow *x, const int d) {
    int64_t at = 0;
    for (; at + GROUP * LANES <= x->ld; at += GROUP * LANES)
        backward_group(ds + at, dq + at, dout + at, w + at, x, d, GROUP);
    if (at < x->ld) backward_group(ds + at, dq + at, dout + at, w + at, x, d, 1);
}

static const real *head_at(HeadView view, int64_t token, int head) {
    return view.at + token * view.token + head * view.head;
}

void attention_narrow_forward(HeadView out, HeadView q, HeadView k, HeadView v, int64_t first, int64_t length,
                              const AttentionShape *shape, real *weight, real *work) {
    int64_t ld = vec_padded(length), d = shape->dq, all = shape->heads * d;
    real *turned = work, *result = work + all * ld;
    vec_turn(turned, ld, head_at(q, first, 0), q.token, length, all, true);
    for (int h = 0; h < shape->heads; h++) {
        Narrow x = {.k = head_at(k, first, h),
                    .v = head_at(v, first, h),
                    .row = k.token,
                    .length = length,
                    .ld = ld,
                    .scale = shape->scale};
        real *w = weight + h * length * ld, *o = result + h * d * ld;
        const real *queries = turned + h * d * ld;
        switch (d) {
#define FORWARD(width)                                                                                                 \
    case width: forward_head(w, o, queries, &x, width); break;
            EACH_WIDTH(FORWARD)
        }
    }
    vec_turn(out.at + first * out.token, out.token, result, ld, all, length, false);
    flops_add(4 * length * length * all);
}

void attention_narrow_backward(HeadView dq, HeadView dk, HeadView dv, HeadView dout, HeadView q, HeadView k, HeadView v,
                               int64_t first, int64_t length, const AttentionShape *shape, const real *weight, real *ds,
                               real *work) {
    int64_t ld = vec_padded(length), d = shape->dq, all = shape->heads * d;
    real *turned = work, *result = work + all * ld;
    vec_turn(turned, ld, head_at(dout, first, 0), dout.token, length, all, true);
    for (int h = 0; h < shape->heads; h++) {
        Narrow x = {.q = head_at(q, first, h),
                    .k = head_at(k, first, h),
                    .v = head_at(v, first, h),
                    .row = k.token,
                    .length = length,
                    .ld = ld,
                    .scale = shape->scale};
        const real *w = weight + h * length * ld, *o = turned + h * d * ld, *rows = head_at(dout, first, h);
        real *dqueries = result + h * d * ld, *dkeys = dk.at + first * dk.token + h * dk.head,
             *dvalues = dv.at + first * dv.token + h * dv.head;
        switch (d) {
#define BACKWARD(width)                                                                                                \
    case width:                                                                                                        \
        backward_head(ds, dqueries, o, w, &x, width);                                                                  \
        key_rows(dvalues, dv.token, rows, dout.token, w, ld, length, width);                                           \
        key_rows(dkeys, dk.token, x.q, q.token, ds, ld, length, width);                                                \
        break;
            EACH_WIDTH(BACKWARD)
        }
    }
    vec_turn(dq.at + first * dq.token, dq.token, result, ld, all, length, false);
    flops_add(8 * length * length * all);
}
