#include "attention_narrow.h"

#include "la/flops.h"
#include "la/vmath.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Channels of a head at most; vectors of queries or keys at a time, of which the registers hold a head's channels. */
enum { CHANNELS = 12, GROUP = SIMD_REGISTERS == 32 ? 2 : 1 };

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
    bool beside = out.head == s->dq && q.head == s->dq && k.head == s->dq && v.head == s->dq && v.token == k.token &&
                  q.token == k.token;
    return beside && known_width(s->dq) && s->dq == s->dv && s->kv_heads == s->heads;
}

/* Features of all heads by channel: what is read and three gradients, or one result; and weights by query. */
int64_t attention_narrow_work(const AttentionShape *shape, int64_t length) {
    int64_t ld = vec_padded(length);
    return (4 * (int64_t)shape->heads * shape->dq + ld + 1) * ld;
}

/* One head: rows of tokens. */
typedef struct Narrow {
    const real *q, *k, *v, *dout; /* (T, row), dout (T, dout_row) */
    int64_t row, dout_row, length, ld;
    real scale;
} Narrow;

/* What attention_narrow.h calls e (keys, queries), and outputs (channels, queries), of `vecs` vectors of queries. */
INLINE void forward_group(real *e, real *out, const real *q, const Narrow *x, const int d, const int vecs) {
    const real binary = x->scale * LOG2_E;
    Vec qs[CHANNELS][GROUP], o[CHANNELS][GROUP], top[GROUP], sum[GROUP];
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) qs[c][l] =
        binary * vec_load(q + c * x->ld + l * LANES);
    UNROLL for (int l = 0; l < vecs; l++) top[l] = vec_set((real)-1e30);
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) s[l] = (Vec){0};
        UNROLL for (int c = 0; c < d; c++) {
            Vec key = vec_set(x->k[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) s[l] = vec_fma(key, qs[c][l], s[l]);
        }
        UNROLL for (int l = 0; l < vecs; l++) {
            vec_store(e + j * x->ld + l * LANES, s[l]);
            top[l] = vec_max(s[l], top[l]);
        }
    }
    UNROLL for (int l = 0; l < vecs; l++) sum[l] = (Vec){0};
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] = (Vec){0};
    for (int64_t j = 0; j < x->length; j++) {
        Vec w[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) {
            w[l] = vec_exp2(vec_load(e + j * x->ld + l * LANES) - top[l]);
            vec_store(e + j * x->ld + l * LANES, w[l]);
            sum[l] += w[l];
        }
        UNROLL for (int c = 0; c < d; c++) {
            Vec value = vec_set(x->v[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) o[c][l] = vec_fma(value, w[l], o[c][l]);
        }
    }
    UNROLL for (int l = 0; l < vecs; l++) sum[l] = 1 / sum[l];
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++)
        vec_store(out + c * x->ld + l * LANES, o[c][l] * sum[l]);
}

INLINE void forward_head(real *e, real *out, const real *q, const Narrow *x, const int d) {
    int64_t at = 0;
    for (; at + GROUP * LANES <= x->ld; at += GROUP * LANES) forward_group(e + at, out + at, q + at, x, d, GROUP);
    if (at < x->ld) forward_group(e + at, out + at, q + at, x, d, 1);
}

/* Gradients of logits, ds (keys, queries), and of queries, dq (channels, queries); and what e is to be multiplied with to be
 * the weights, `each` (queries). */
INLINE void backward_group(real *ds, real *dq, real *each, const real *dout, const real *e, const Narrow *x,
                           const int d, const int vecs) {
    Vec o[CHANNELS][GROUP], along[GROUP], sum[GROUP], factor[GROUP];
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] =
        vec_load(dout + c * x->ld + l * LANES);
    UNROLL for (int l = 0; l < vecs; l++) {
        along[l] = (Vec){0};
        sum[l] = (Vec){0};
    }
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) s[l] = (Vec){0};
        UNROLL for (int c = 0; c < d; c++) {
            Vec value = vec_set(x->v[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) s[l] = vec_fma(value, o[c][l], s[l]);
        }
        UNROLL for (int l = 0; l < vecs; l++) {
            Vec w = vec_load(e + j * x->ld + l * LANES);
            vec_store(ds + j * x->ld + l * LANES, s[l]);
            along[l] = vec_fma(s[l], w, along[l]);
            sum[l] += w;
        }
    }
    UNROLL for (int l = 0; l < vecs; l++) {
        sum[l] = 1 / sum[l];
        along[l] *= sum[l];
        factor[l] = x->scale * sum[l];
        vec_store(each + l * LANES, sum[l]);
    }
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] = (Vec){0};
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) {
            int64_t i = j * x->ld + l * LANES;
            s[l] = factor[l] * vec_load(e + i) * (vec_load(ds + i) - along[l]);
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

/* out (channels, keys) = the sum over queries of their rows of channels times each times p (queries, keys), where `each` is
 * not NULL; of `vecs` vectors of keys. */
INLINE void key_group(real *out, const real *rows, int64_t row, const real *each, const real *p, const Narrow *x,
                      const int d, const int vecs) {
    Vec o[CHANNELS][GROUP];
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] = (Vec){0};
    for (int64_t t = 0; t < x->length; t++) {
        Vec w[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) {
            w[l] = vec_load(p + t * x->ld + l * LANES);
            if (each) w[l] *= each[t];
        }
        UNROLL for (int c = 0; c < d; c++) {
            Vec feature = vec_set(rows[t * row + c]);
            UNROLL for (int l = 0; l < vecs; l++) o[c][l] = vec_fma(feature, w[l], o[c][l]);
        }
    }
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++)
        vec_store(out + c * x->ld + l * LANES, o[c][l]);
}

/* The same for all keys, p given as (keys, queries); turned is scratch. */
INLINE void key_side(real *out, const real *rows, int64_t row, const real *each, const real *p, real *turned,
                     const Narrow *x, const int d) {
    int64_t at = 0;
    vec_turn_whole(turned, p, x->length, x->ld);
    for (; at + GROUP * LANES <= x->ld; at += GROUP * LANES)
        key_group(out + at, rows, row, each, turned + at, x, d, GROUP);
    if (at < x->ld) key_group(out + at, rows, row, each, turned + at, x, d, 1);
}

/* What backward takes and makes of one head by channel; and scratch. */
typedef struct HeadGradient {
    const real *dout;
    real *dq, *dk, *dv;
    real *each, *turned;
} HeadGradient;

INLINE void backward_head(real *ds, const HeadGradient *g, const real *e, const Narrow *x, const int d) {
    int64_t at = 0;
    for (; at + GROUP * LANES <= x->ld; at += GROUP * LANES)
        backward_group(ds + at, g->dq + at, g->each + at, g->dout + at, e + at, x, d, GROUP);
    if (at < x->ld) backward_group(ds + at, g->dq + at, g->each + at, g->dout + at, e + at, x, d, 1);
    key_side(g->dv, x->dout, x->dout_row, g->each, e, g->turned, x, d);
    key_side(g->dk, x->q, x->row, NULL, ds, g->turned, x, d);
}

static const real *head_at(HeadView view, int64_t token, int head) {
    return view.at + token * view.token + head * view.head;
}

void attention_narrow_forward(HeadView out, HeadView q, HeadView k, HeadView v, int64_t first, int64_t length,
                              const AttentionShape *shape, real *e, real *work) {
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
        real *eh = e + h * length * ld, *o = result + h * d * ld;
        const real *queries = turned + h * d * ld;
        switch (d) {
#define FORWARD(width)                                                                                                 \
    case width: forward_head(eh, o, queries, &x, width); break;
            EACH_WIDTH(FORWARD)
        }
    }
    vec_turn(out.at + first * out.token, out.token, result, ld, all, length, false);
    flops_add(4 * length * length * all);
}

void attention_narrow_backward(HeadView dq, HeadView dk, HeadView dv, HeadView dout, HeadView q, HeadView k, HeadView v,
                               int64_t first, int64_t length, const AttentionShape *shape, const real *e, real *ds,
                               real *work) {
    int64_t ld = vec_padded(length), d = shape->dq, all = shape->heads * d;
    real *read = work, *made = read + all * ld, *each = made + 3 * all * ld, *turned = each + ld;
    vec_turn(read, ld, head_at(dout, first, 0), dout.token, length, all, true);
    for (int h = 0; h < shape->heads; h++) {
        Narrow x = {.q = head_at(q, first, h),
                    .k = head_at(k, first, h),
                    .v = head_at(v, first, h),
                    .dout = head_at(dout, first, h),
                    .row = k.token,
                    .dout_row = dout.token,
                    .length = length,
                    .ld = ld,
                    .scale = shape->scale};
        const real *eh = e + h * length * ld;
        real *gradient = made + h * d * ld;
        HeadGradient g = {.dout = read + h * d * ld,
                          .dq = gradient,
                          .dk = gradient + all * ld,
                          .dv = gradient + 2 * all * ld,
                          .each = each,
                          .turned = turned};
        switch (d) {
#define BACKWARD(width)                                                                                                \
    case width: backward_head(ds, &g, eh, &x, width); break;
            EACH_WIDTH(BACKWARD)
        }
    }
    HeadView to[] = {dq, dk, dv};
    for (int i = 0; i < 3; i++)
        vec_turn(to[i].at + first * to[i].token, to[i].token, made + i * all * ld, ld, all, length, false);
    flops_add(8 * length * length * all);
}
