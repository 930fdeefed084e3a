#include "attention_narrow.h"

#include "la/flops.h"
#include "la/vmath.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Channels of a head at most; vectors of queries or keys at a time, of which the registers hold a head's channels. */
enum { CHANNELS = 12, GROUP = SIMD_REGISTERS == 32 ? 2 : 1 };

/* Logits, as powers of 2, of which none is larger than this need no shift by the largest before their exponentials are taken:
 * these, their sums over any number of keys and what gradients are divided by are far from both ends of `real`. */
static const real NEAR = 60;

/* Channels of a head up to which gradients of keys and values are summed across lanes, key after key; weights are turned for
 * more, which takes the same for any number of channels. */
enum { SUMMED = LANES / 2 < 4 ? LANES / 2 : 4 };

/* Channels of a head up to which the registers hold them twice, so that one loop over keys can do for two. */
enum { TOGETHER = 4 };

/* A case for each width, so that a head's channels are in registers. */
#define EACH_WIDTH(DO) DO(2) DO(3) DO(4) DO(5) DO(6) DO(8) DO(10) DO(12)

static bool known_width(int channels) {
#define KNOWN(width) case width:
    switch (channels) {
        EACH_WIDTH(KNOWN) return true;
    default: return false;
    }
}

static bool narrow(const AttentionShape *s) {
    return known_width(s->dq) && s->dq == s->dv && s->kv_heads == s->heads;
}

bool attention_narrow(const AttentionShape *s, HeadView out, HeadView q, HeadView k, HeadView v) {
    bool beside = out.head == s->dq && q.head == s->dq && k.head == s->dq && v.head == s->dq && v.token == k.token &&
                  q.token == k.token;
    return beside && narrow(s);
}

/* Queries and outputs by channel are kept where both are wanted again: of more channels they would take as much of the caches
 * as weights do. */
static bool summed(const AttentionShape *s) {
    return s->dq <= SUMMED;
}

int64_t attention_narrow_rows(const AttentionShape *s) {
    if (!narrow(s)) return 0;
    return s->heads * (1 + (summed(s) ? 2 * (int64_t)s->dq : 0));
}

int64_t attention_narrow_weights(const AttentionShape *shape, int64_t length) {
    return (shape->heads * length + attention_narrow_rows(shape)) * vec_padded(length);
}

/* By channel of all heads: gradients of outputs, queries, keys and values; weights by query. Or queries, outputs and largest
 * magnitudes. */
int64_t attention_narrow_work(const AttentionShape *shape, int64_t length) {
    int64_t ld = vec_padded(length), all = (int64_t)shape->heads * shape->dq;
    return (4 * all + ld + 1) * ld + 2 * vec_padded(all);
}

/* One head: rows of tokens. */
typedef struct Narrow {
    const real *q, *k, *v, *dout; /* (T, row), dout (T, dout_row) */
    int64_t row, dout_row, length, ld;
    real scale;
} Narrow;

/* ---- Forward. ---- */

/* Largest magnitude of each channel over the rows of a sequence, rounded up to whole vectors; of numbers alone. */
static __attribute__((noinline)) void largest(real *top, const real *rows, int64_t row, int64_t length,
                                              int64_t channels) {
    for (int64_t c = 0; c < channels; c += LANES) {
        Mask mask = vec_mask(channels - c);
        Vec most = {0};
        for (int64_t t = 0; t < length; t++) most = vec_max(vec_abs(vec_load_masked(rows + t * row + c, mask)), most);
        vec_store(top + c, most);
    }
}

/* Whether no logit of a head can be far from 0. */
static bool logits_near(const real *q_top, const real *k_top, int d, real binary) {
    real bound = 0;
    for (int c = 0; c < d; c++) bound += q_top[c] * k_top[c];
    return bound * (binary < 0 ? -binary : binary) <= NEAR;
}

/* The largest logit of each query, of `vecs` vectors of them. */
INLINE void top_group(Vec *top, Vec q[][GROUP], const Narrow *x, const int d, const int vecs) {
    UNROLL for (int l = 0; l < vecs; l++) top[l] = vec_set((real)-1e30);
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) s[l] = (Vec){0};
        UNROLL for (int c = 0; c < d; c++) {
            Vec key = vec_set(x->k[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) s[l] = vec_fma(key, q[c][l], s[l]);
        }
        UNROLL for (int l = 0; l < vecs; l++) top[l] = vec_max(s[l], top[l]);
    }
}

/* o (channels, queries) += a row of channels times numbers of the queries. */
INLINE void add_row(Vec o[][GROUP], const real *row, const Vec *w, const int d, const int vecs) {
    UNROLL for (int c = 0; c < d; c++) {
        Vec feature = vec_set(row[c]);
        UNROLL for (int l = 0; l < vecs; l++) o[c][l] = vec_fma(feature, w[l], o[c][l]);
    }
}

/* What attention_narrow.h calls e (keys, queries) and what is behind it, and outputs (channels, queries), of `vecs` vectors of
 * queries. */
INLINE void forward_group(real *e, real *out, const real *q, const Narrow *x, const int d, const int vecs,
                          const bool near) {
    const real binary = x->scale * LOG2_E;
    Vec qs[CHANNELS][GROUP], o[CHANNELS][GROUP], top[GROUP], sum[GROUP];
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) {
        qs[c][l] = binary * vec_load(q + c * x->ld + l * LANES);
        o[c][l] = (Vec){0};
    }
    if (!near) top_group(top, qs, x, d, vecs);
    UNROLL for (int l = 0; l < vecs; l++) sum[l] = (Vec){0};
    for (int64_t j = 0; j < x->length; j++) {
        Vec w[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) w[l] = (Vec){0};
        UNROLL for (int c = 0; c < d; c++) {
            Vec key = vec_set(x->k[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) w[l] = vec_fma(key, qs[c][l], w[l]);
        }
        UNROLL for (int l = 0; l < vecs; l++) {
            w[l] = near ? vec_exp2_near(w[l]) : vec_exp2(w[l] - top[l]);
            vec_store(e + j * x->ld + l * LANES, w[l]);
            sum[l] += w[l];
        }
        if (d <= TOGETHER) add_row(o, x->v + j * x->row, w, d, vecs);
    }
    for (int64_t j = 0; d > TOGETHER && j < x->length; j++) {
        Vec w[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) w[l] = vec_load(e + j * x->ld + l * LANES);
        add_row(o, x->v + j * x->row, w, d, vecs);
    }
    UNROLL for (int l = 0; l < vecs; l++) {
        sum[l] = 1 / sum[l];
        vec_store(e + x->length * x->ld + l * LANES, sum[l]);
    }
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++)
        vec_store(out + c * x->ld + l * LANES, o[c][l] * sum[l]);
}

INLINE void forward_head(real *e, real *out, const real *q, const Narrow *x, const int d, const bool near) {
    int64_t at = 0;
    for (; at + GROUP * LANES <= x->ld; at += GROUP * LANES) forward_group(e + at, out + at, q + at, x, d, GROUP, near);
    if (at < x->ld) forward_group(e + at, out + at, q + at, x, d, 1, near);
}

/* ---- Backward. ---- */

/* What backward takes and makes of one head, by channel (d, ld). Where gradients are summed across lanes: q, out; dout, which
 * becomes that over the sum of a query's e; `along` (ld), minus the sum over keys of weights and their gradients, which is that
 * over channels of out and dout; dq before it is scaled; dk and dv as rows of tokens. Where weights are turned: dout, dq, dk, dv. */
typedef struct HeadGradient {
    const real *e, *q, *out;
    real *dout, *along;
    real *dq, *dk, *dv;
    int64_t dk_row, dv_row;
    real *ds, *turned; /* scratch */
} HeadGradient;

/* Of dout as it is. */
INLINE void prepare(const HeadGradient *g, const Narrow *x, const int d) {
    for (int64_t t = 0; t < x->ld; t += LANES) {
        Vec each = vec_load(g->e + x->length * x->ld + t), along = {0};
        UNROLL for (int c = 0; c < d; c++) {
            int64_t i = c * x->ld + t;
            Vec dout = each * vec_load(g->dout + i);
            along = vec_fnma(dout, vec_load(g->out + i), along);
            vec_store(g->dout + i, dout);
            vec_store(g->dq + i, (Vec){0});
        }
        vec_store(g->along + t, along);
    }
}

/* The least power of two that n is not above. */
INLINE int power_above(const int n) {
    if (n <= 4) return 4;
    return n <= 8 ? 8 : 16;
}

/* What `keys` keys from j on take part in: their own gradients, and what they add to those of queries. */
INLINE void summed_keys(const HeadGradient *g, const Narrow *x, int64_t j, const int keys, const int d) {
    const int sums = 2 * keys * d;
    const real *k[LANES], *v[LANES], *e[LANES];
    Vec sum[2 * LANES], part[2 * LANES];
    real made[LANES];
    UNROLL for (int i = 0; i < LANES; i++) sum[i] = (Vec){0};
    UNROLL for (int i = 0; i < keys; i++) {
        k[i] = x->k + (j + i) * x->row;
        v[i] = x->v + (j + i) * x->row;
        e[i] = g->e + (j + i) * x->ld;
    }
    for (int64_t t = 0; t < x->ld; t += LANES) {
        Vec q[SUMMED], dout[SUMMED], dq[SUMMED], along = vec_load(g->along + t);
        vec_keep(&along);
        UNROLL for (int c = 0; c < d; c++) {
            q[c] = vec_load(g->q + c * x->ld + t);
            dout[c] = vec_load(g->dout + c * x->ld + t);
            dq[c] = vec_load(g->dq + c * x->ld + t);
            vec_keep(&q[c]);
            vec_keep(&dout[c]);
        }
        UNROLL for (int i = 0; i < keys; i++) {
            Vec w = vec_load(e[i] + t), s = along;
            vec_keep(&w);
            UNROLL for (int c = 0; c < d; c++) s = vec_fma(vec_set(v[i][c]), dout[c], s);
            s *= w;
            UNROLL for (int c = 0; c < d; c++) {
                dq[c] = vec_fma(vec_set(k[i][c]), s, dq[c]);
                sum[i * d + c] = vec_fma(q[c], s, sum[i * d + c]);
                sum[(keys + i) * d + c] = vec_fma(dout[c], w, sum[(keys + i) * d + c]);
            }
        }
        UNROLL for (int c = 0; c < d; c++) vec_store(g->dq + c * x->ld + t, dq[c]);
    }
    UNROLL for (int i = 0; i < LANES; i++) part[i] = sum[i]; /* a copy, so that sums stay in registers */
    Vec total = vec_lane_sums(part, power_above(sums) < LANES ? power_above(sums) : LANES);
    vec_store(made, total * vec_first(vec_set(x->scale), vec_set(1), keys * d));
    UNROLL for (int i = 0; i < keys; i++) {
        memcpy(g->dk + (j + i) * g->dk_row, made + i * d, (size_t)d * sizeof *made);
        memcpy(g->dv + (j + i) * g->dv_row, made + (keys + i) * d, (size_t)d * sizeof *made);
    }
}

INLINE void summed_head(const HeadGradient *g, const Narrow *x, const int d) {
    const int keys = LANES / (2 * d);
    int64_t j = 0;
    prepare(g, x, d);
    for (; j + keys <= x->length; j += keys) summed_keys(g, x, j, keys, d);
    for (; j < x->length; j++) summed_keys(g, x, j, 1, d);
}

/* Gradients of logits, ds (keys, queries), and of queries, of `vecs` vectors of queries from `at` on; dout is as it came. */
INLINE void query_group(const HeadGradient *g, const Narrow *x, int64_t at, const int d, const int vecs) {
    Vec o[CHANNELS][GROUP], along[GROUP], factor[GROUP];
    UNROLL for (int l = 0; l < vecs; l++) along[l] = (Vec){0};
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] =
        vec_load(g->dout + c * x->ld + at + l * LANES);
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) s[l] = (Vec){0};
        UNROLL for (int c = 0; c < d; c++) {
            Vec value = vec_set(x->v[j * x->row + c]);
            UNROLL for (int l = 0; l < vecs; l++) s[l] = vec_fma(value, o[c][l], s[l]);
        }
        UNROLL for (int l = 0; l < vecs; l++) {
            int64_t i = j * x->ld + at + l * LANES;
            vec_store(g->ds + i, s[l]);
            along[l] = vec_fma(s[l], vec_load(g->e + i), along[l]);
        }
    }
    UNROLL for (int l = 0; l < vecs; l++) {
        Vec each = vec_load(g->e + x->length * x->ld + at + l * LANES);
        along[l] *= each;
        factor[l] = x->scale * each;
    }
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++) o[c][l] = (Vec){0};
    for (int64_t j = 0; j < x->length; j++) {
        Vec s[GROUP];
        UNROLL for (int l = 0; l < vecs; l++) {
            int64_t i = j * x->ld + at + l * LANES;
            s[l] = factor[l] * vec_load(g->e + i) * (vec_load(g->ds + i) - along[l]);
            vec_store(g->ds + i, s[l]);
        }
        add_row(o, x->k + j * x->row, s, d, vecs);
    }
    UNROLL for (int c = 0; c < d; c++) UNROLL for (int l = 0; l < vecs; l++)
        vec_store(g->dq + c * x->ld + at + l * LANES, o[c][l]);
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
        add_row(o, rows + t * row, w, d, vecs);
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

INLINE void turned_head(const HeadGradient *g, const Narrow *x, const int d) {
    int64_t at = 0;
    for (; at + GROUP * LANES <= x->ld; at += GROUP * LANES) query_group(g, x, at, d, GROUP);
    if (at < x->ld) query_group(g, x, at, d, 1);
    key_side(g->dv, x->dout, x->dout_row, g->e + x->length * x->ld, g->e, g->turned, x, d);
    key_side(g->dk, x->q, x->row, NULL, g->ds, g->turned, x, d);
}

INLINE void backward_head(const HeadGradient *g, const Narrow *x, const int d) {
    if (d <= SUMMED)
        summed_head(g, x, d);
    else
        turned_head(g, x, d);
}

/* ---- Sequences. ---- */

/* With copies of what is pointed to, so that stores of numbers cannot be taken to change it. */
#define HEAD(width)                                                                                                    \
    static __attribute__((noinline)) void forward_##width(real *e, real *out, const real *q, const Narrow *head,       \
                                                          bool near) {                                                 \
        const Narrow x = *head;                                                                                        \
        if (near)                                                                                                      \
            forward_head(e, out, q, &x, width, true);                                                                  \
        else                                                                                                           \
            forward_head(e, out, q, &x, width, false);                                                                 \
    }                                                                                                                  \
    static __attribute__((noinline)) void backward_##width(const HeadGradient *gradient, const Narrow *head) {         \
        const HeadGradient g = *gradient;                                                                              \
        const Narrow x = *head;                                                                                        \
        backward_head(&g, &x, width);                                                                                  \
    }
EACH_WIDTH(HEAD)
#define FORWARD(width) [width] = forward_##width,
#define BACKWARD(width) [width] = backward_##width,
typedef void Forward(real *, real *, const real *, const Narrow *, bool);
typedef void Backward(const HeadGradient *, const Narrow *);
static Forward *const forward[CHANNELS + 1] = {EACH_WIDTH(FORWARD)};
static Backward *const backward[CHANNELS + 1] = {EACH_WIDTH(BACKWARD)};

/* Two rows of half a vector, side by side. */
INLINE Vec halves(const real *low, const real *high) {
    Vec v;
    memcpy(&v, low, sizeof v / 2);
    memcpy((char *)&v + sizeof v / 2, high, sizeof v / 2);
    return v;
}

/* By channel (channels, ld) from rows of tokens, and back. Rows of half a vector are taken two at a time. */
static __attribute__((noinline)) void turn_in(real *out, const real *rows, int64_t row, int64_t length,
                                              int64_t channels) {
    enum { HALF = LANES / 2 };
    int64_t ld = vec_padded(length), t = 0;
    for (; channels == HALF && t + 2 * LANES <= length; t += 2 * LANES) {
        Vec v[LANES];
        UNROLL for (int r = 0; r < LANES; r++) v[r] = halves(rows + (t + r) * row, rows + (t + LANES + r) * row);
        vec_transpose(v);
        UNROLL for (int r = 0; r < LANES; r++) vec_store(out + r % HALF * ld + t + r / HALF * LANES, v[r]);
    }
    vec_turn(out + t, ld, rows + t * row, row, length - t, channels, true);
}

static __attribute__((noinline)) void turn_out(real *rows, int64_t row, const real *in, int64_t length,
                                               int64_t channels) {
    enum { HALF = LANES / 2 };
    int64_t ld = vec_padded(length), t = 0;
    for (; channels == HALF && t + 2 * LANES <= length; t += 2 * LANES) {
        Vec v[LANES];
        UNROLL for (int r = 0; r < LANES; r++) v[r] = vec_load(in + r % HALF * ld + t + r / HALF * LANES);
        vec_transpose(v);
        UNROLL for (int r = 0; r < LANES; r++) {
            memcpy(rows + (t + r) * row, &v[r], sizeof v[r] / 2);
            memcpy(rows + (t + LANES + r) * row, (char *)&v[r] + sizeof v[r] / 2, sizeof v[r] / 2);
        }
    }
    vec_turn(rows + t * row, row, in + t, ld, channels, length - t, false);
}

static real *head_at(HeadView view, int64_t token, int head) {
    return view.at + token * view.token + head * view.head;
}

void attention_narrow_forward(HeadView out, HeadView q, HeadView k, HeadView v, int64_t first, int64_t length,
                              const AttentionShape *shape, real *e, real *work) {
    int64_t ld = vec_padded(length), d = shape->dq, all = shape->heads * d;
    real *q_top = work, *k_top = q_top + vec_padded(all), *behind = k_top + vec_padded(all);
    real *turned = summed(shape) ? e + shape->heads * (length + 1) * ld : behind, *result = turned + all * ld;
    turn_in(turned, head_at(q, first, 0), q.token, length, all);
    largest(q_top, head_at(q, first, 0), q.token, length, all);
    largest(k_top, head_at(k, first, 0), k.token, length, all);
    for (int h = 0; h < shape->heads; h++) {
        Narrow x = {.k = head_at(k, first, h),
                    .v = head_at(v, first, h),
                    .row = k.token,
                    .length = length,
                    .ld = ld,
                    .scale = shape->scale};
        real *eh = e + h * (length + 1) * ld, *o = result + h * d * ld;
        const real *queries = turned + h * d * ld;
        bool near = logits_near(q_top + h * d, k_top + h * d, (int)d, shape->scale * LOG2_E);
        forward[d](eh, o, queries, &x, near);
    }
    turn_out(head_at(out, first, 0), out.token, result, length, all);
    flops_add(4 * length * length * all);
}

void attention_narrow_backward(HeadView dq, HeadView dk, HeadView dv, HeadView dout, HeadView q, HeadView k, HeadView v,
                               int64_t first, int64_t length, const AttentionShape *shape, const real *e, real *ds,
                               real *work) {
    int64_t ld = vec_padded(length), d = shape->dq, all = shape->heads * d;
    const bool kept = summed(shape);
    const real *queries = e + shape->heads * (length + 1) * ld;
    real *read = work, *made = read + all * ld, *along = made + 3 * all * ld, *turned = along + ld;
    const real *outputs = queries + all * ld;
    turn_in(read, head_at(dout, first, 0), dout.token, length, all);
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
        real *gradient = made + h * d * ld;
        HeadGradient g = {.e = e + h * (length + 1) * ld,
                          .q = queries + h * d * ld,
                          .out = outputs + h * d * ld,
                          .dout = read + h * d * ld,
                          .along = along,
                          .dq = gradient,
                          .dk = kept ? head_at(dk, first, h) : gradient + all * ld,
                          .dv = kept ? head_at(dv, first, h) : gradient + 2 * all * ld,
                          .dk_row = dk.token,
                          .dv_row = dv.token,
                          .ds = ds,
                          .turned = turned};
        backward[d](&g, &x);
    }
    for (int64_t i = 0; kept && i < all * ld; i += LANES) vec_store(made + i, shape->scale * vec_load(made + i));
    HeadView to[] = {dq, dk, dv};
    for (int i = 0; i < (kept ? 1 : 3); i++)
        turn_out(head_at(to[i], first, 0), to[i].token, made + i * all * ld, length, all);
    flops_add(8 * length * length * all);
}
