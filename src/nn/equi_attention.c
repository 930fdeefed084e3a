#include "nn/equi_attention.h"

#include "base/arena.h"
#include "la/brgemm.h"
#include "la/vmath.h"

#include <math.h>

enum { DIRECT = 7 };
static const int direct[DIRECT] = {0, 2, 3, 4, 8, 9, 10};
static const real normalizer_eps = (real)0.001;

int64_t equi_attention_weights(const EquiAttention *shape, int64_t length) {
    return shape->heads * length * vec_padded(length);
}

int64_t equi_attention_work(const EquiAttention *shape, int64_t max_length, int64_t ld) {
    int64_t row = vec_padded(max_length);
    return (max_length + row) * row + (shape->heads + shape->kv_heads) * EQUI_DISTANCES * shape->mv * ld;
}

int64_t equi_attention_flops(const EquiAttention *shape, int64_t length) {
    return 6 * shape->heads * length * length * (28 * shape->mv + 2 * shape->s);
}

static real softmax_scale(const EquiAttention *shape) {
    return 1 / (real)sqrt(12 * shape->mv + shape->s);
}

/* Distance features of one channel from its trivector (components 11 to 14, `plane` apart). With w = x[14], f = w/(w^2
 * + eps), d = f w and a_j = f x[11+j]: a query has weight*(|a|^2, d^2, d a_j), a key (-d^2, -|a|^2, 2 d a_j). */
static void distances(real *out, int64_t stride, const real *x, int64_t plane, bool query, real weight, int64_t n) {
    int square = query ? 0 : 1, unit = query ? 1 : 0;
    real sign = query ? weight : -1, cross = query ? weight : 2;
#pragma omp simd
    for (int64_t t = 0; t < n; t++) {
        real w = x[3 * plane + t], f = w / (w * w + normalizer_eps), d = f * w;
        real a0 = f * x[t], a1 = f * x[plane + t], a2 = f * x[2 * plane + t];
        out[square * stride + t] = sign * (a0 * a0 + a1 * a1 + a2 * a2);
        out[unit * stride + t] = sign * d * d;
        out[2 * stride + t] = cross * d * a0;
        out[3 * stride + t] = cross * d * a1;
        out[4 * stride + t] = cross * d * a2;
    }
}

static void distances_backward(real *dx, const real *dout, int64_t stride, const real *x, int64_t plane, int64_t dplane,
                               bool query, real weight, int64_t n) {
    int square = query ? 0 : 1, unit = query ? 1 : 0;
    real sign = query ? weight : -1, cross = query ? weight : 2;
#pragma omp simd
    for (int64_t t = 0; t < n; t++) {
        real w = x[3 * plane + t], q = 1 / (w * w + normalizer_eps), f = w * q, d = f * w;
        real a0 = f * x[t], a1 = f * x[plane + t], a2 = f * x[2 * plane + t];
        real dsquare = 2 * sign * dout[square * stride + t], dunit = 2 * sign * dout[unit * stride + t];
        real c0 = cross * dout[2 * stride + t], c1 = cross * dout[3 * stride + t], c2 = cross * dout[4 * stride + t];
        real d0 = dsquare * a0 + d * c0, d1 = dsquare * a1 + d * c1, d2 = dsquare * a2 + d * c2;
        real dd = dunit * d + a0 * c0 + a1 * c1 + a2 * c2;
        real df = d0 * x[t] + d1 * x[plane + t] + d2 * x[2 * plane + t] + dd * w;
        dx[t] = f * d0;
        dx[dplane + t] = f * d1;
        dx[2 * dplane + t] = f * d2;
        dx[3 * dplane + t] = dd * f + df * (normalizer_eps - w * w) * q * q;
    }
}

/* Column-wise softmax of s (keys, ld), in place, for the first n columns. */
static void softmax(real *s, int64_t keys, int64_t ld, int64_t n, real scale) {
    const real binary = scale * LOG2_E;
    for (real *top = s; top < s + n; top += LANES) {
        real *end = top + keys * ld;
        Vec most = vec_load(top), sum = {0};
        for (real *x = top + ld; x < end; x += ld) most = vec_max(vec_load(x), most);
        for (real *x = top; x < end; x += ld) {
            Vec e = vec_exp2(binary * (vec_load(x) - most));
            vec_store(x, e);
            sum += e;
        }
        sum = 1 / sum;
        for (real *x = top; x < end; x += ld) vec_store(x, sum * vec_load(x));
    }
}

/* ds = scale p (ds - sum over keys of p ds), in place. */
static void softmax_backward(real *ds, const real *p, int64_t keys, int64_t ld, int64_t n, real scale) {
    for (int64_t t0 = 0; t0 < n; t0 += LANES) {
        Vec sum = {0};
        for (int64_t i = t0; i < keys * ld; i += ld) sum += vec_load(p + i) * vec_load(ds + i);
        for (int64_t i = t0; i < keys * ld; i += ld)
            vec_store(ds + i, scale * vec_load(p + i) * (vec_load(ds + i) - sum));
    }
}

/* The rows of a tile that one head takes part in, of queries and keys or of values: products go over all of them at once. */
typedef struct HeadRows {
    int n;
    real *at[EQUI_HEAD_ROWS];
} HeadRows;

static void take_rows(HeadRows *rows, real *first, int n, int64_t ld) {
    for (int r = 0; r < n; r++) rows->at[rows->n++] = first + r * ld;
}

static void query_rows(HeadRows *rows, Field x, real *distances, int h, const EquiAttention *shape, int64_t ld) {
    rows->n = 0;
    for (int i = 0; i < DIRECT; i++) take_rows(rows, x.mv + direct[i] * x.plane + h * shape->mv * ld, shape->mv, ld);
    take_rows(rows, distances + h * EQUI_DISTANCES * shape->mv * ld, EQUI_DISTANCES * shape->mv, ld);
    take_rows(rows, x.s + h * shape->s * ld, shape->s, ld);
}

static void value_rows(HeadRows *rows, Field x, int h, const EquiAttention *shape, int64_t ld) {
    rows->n = 0;
    for (int p = 0; p < PGA; p++) take_rows(rows, x.mv + p * x.plane + h * shape->mv * ld, shape->mv, ld);
    take_rows(rows, x.s + h * shape->s * ld, shape->s, ld);
}

/* The softmax weights of a head over sequence i: those of a sequence stand together, and rows are whole vectors. */
static real *weights_of(real *all, const EquiAttention *shape, const Sequences *seqs, int i, int h) {
    for (int j = 0; j < i; j++) all += equi_attention_weights(shape, seqs->start[j + 1] - seqs->start[j]);
    int64_t length = seqs->start[i + 1] - seqs->start[i];
    return all + h * length * vec_padded(length);
}

void equi_attention_forward(Field out, EquiAttentionState *state, Field q, Field k, Field v, const real *log_weights,
                            const EquiAttention *shape, const Sequences *seqs, int64_t ld) {
    int mv = shape->mv;
    for (int c = 0; c < shape->heads * mv; c++)
        distances(state->query_distances + (c / mv * EQUI_DISTANCES * mv + c % mv) * ld, mv * ld,
                  q.mv + 11 * q.plane + c * ld, q.plane, true, (real)exp((double)log_weights[c]), ld);
    for (int c = 0; c < shape->kv_heads * mv; c++)
        distances(state->key_distances + (c / mv * EQUI_DISTANCES * mv + c % mv) * ld, mv * ld,
                  k.mv + 11 * k.plane + c * ld, k.plane, false, 1, ld);
    real scale = softmax_scale(shape);
    for (int h = 0; h < shape->heads; h++) {
        int kv = shape->kv_heads == 1 ? 0 : h;
        HeadRows rq, rk, rv, ro;
        query_rows(&rq, q, state->query_distances, h, shape, ld);
        query_rows(&rk, k, state->key_distances, kv, shape, ld);
        value_rows(&rv, v, kv, shape, ld);
        value_rows(&ro, out, h, shape, ld);
        for (int i = 0; i < seqs->n; i++) {
            int64_t first = seqs->start[i], length = seqs->start[i + 1] - first, ldp = vec_padded(length);
            real *p = weights_of(state->weights, shape, seqs, i, h);
            brgemm_outer(p, ldp, length, length, rk.at, rq.at, first, rq.n);
            softmax(p, length, ldp, length, scale);
            brgemm_rows(ro.at, rv.at, rv.n, first, p, ldp, length, length, 0);
        }
    }
}

void equi_attention_backward(Field dq, Field dk, Field dv, real *dlog_weights, Field dout,
                             const EquiAttentionState *state, Field q, Field k, Field v, const real *log_weights,
                             const EquiAttention *shape, const Sequences *seqs, int64_t ld, real *work) {
    int mv = shape->mv;
    real *dquery = work, *dkey = dquery + shape->heads * EQUI_DISTANCES * mv * ld,
         *square = dkey + shape->kv_heads * EQUI_DISTANCES * mv * ld;
    real scale = softmax_scale(shape);
    for (int h = 0; h < shape->heads; h++) {
        int kv = shape->kv_heads == 1 ? 0 : h;
        real beta = kv == h ? 0 : 1; /* later heads add to the keys and values that they share */
        HeadRows rq, rk, rv, rdq, rdk, rdv, rdo;
        query_rows(&rq, q, state->query_distances, h, shape, ld);
        query_rows(&rk, k, state->key_distances, kv, shape, ld);
        value_rows(&rv, v, kv, shape, ld);
        query_rows(&rdq, dq, dquery, h, shape, ld);
        query_rows(&rdk, dk, dkey, kv, shape, ld);
        value_rows(&rdv, dv, kv, shape, ld);
        value_rows(&rdo, dout, h, shape, ld);
        for (int i = 0; i < seqs->n; i++) {
            int64_t first = seqs->start[i], length = seqs->start[i + 1] - first, ldp = vec_padded(length);
            const real *p = weights_of(state->weights, shape, seqs, i, h);
            real *ds = square, *turned = ds + length * ldp;
            vec_turn_whole(turned, p, length, ldp);
            brgemm_rows(rdv.at, rdo.at, rdv.n, first, turned, ldp, length, length, beta);
            brgemm_outer(ds, ldp, length, length, rv.at, rdo.at, first, rv.n);
            softmax_backward(ds, p, length, ldp, length, scale);
            brgemm_rows(rdq.at, rk.at, rk.n, first, ds, ldp, length, length, 0);
            vec_turn_whole(turned, ds, length, ldp);
            brgemm_rows(rdk.at, rq.at, rq.n, first, turned, ldp, length, length, beta);
        }
    }
    for (int c = 0; c < shape->heads * mv; c++) {
        int64_t at = (c / mv * EQUI_DISTANCES * mv + c % mv) * ld;
        const real *value = state->query_distances + at, *gradient = dquery + at;
        distances_backward(dq.mv + 11 * dq.plane + c * ld, gradient, mv * ld, q.mv + 11 * q.plane + c * ld, q.plane,
                           dq.plane, true, (real)exp((double)log_weights[c]), ld);
        real sum = 0;
        for (int j = 0; j < EQUI_DISTANCES; j++)
#pragma omp simd reduction(+ : sum)
            for (int64_t t = seqs->start[0]; t < seqs->start[seqs->n]; t++)
                sum += value[j * mv * ld + t] * gradient[j * mv * ld + t];
        dlog_weights[c] += sum;
    }
    for (int c = 0; c < shape->kv_heads * mv; c++)
        distances_backward(dk.mv + 11 * dk.plane + c * ld, dkey + (c / mv * EQUI_DISTANCES * mv + c % mv) * ld, mv * ld,
                           k.mv + 11 * k.plane + c * ld, k.plane, dk.plane, false, 1, ld);
}

/* Features of one token and head, without the scaling of the softmax. */
static void features_ref(double *f, const double *x_mv, const double *x_s, const double *log_weights, bool query,
                         const EquiAttention *shape) {
    for (int c = 0; c < shape->mv; c++, x_mv += PGA) {
        double w = x_mv[14], g = w / (w * w + 0.001), d = g * w, square = 0, weight = query ? exp(log_weights[c]) : 1;
        for (int i = 0; i < DIRECT; i++) *f++ = x_mv[direct[i]];
        for (int j = 0; j < 3; j++) square += g * x_mv[11 + j] * g * x_mv[11 + j];
        *f++ = query ? weight * square : -d * d;
        *f++ = query ? weight * d * d : -square;
        for (int j = 0; j < 3; j++) *f++ = (query ? weight : 2) * d * g * x_mv[11 + j];
    }
    for (int c = 0; c < shape->s; c++) *f++ = x_s[c];
}

void equi_attention_ref(double *out_mv, double *out_s, const double *q_mv, const double *q_s, const double *k_mv,
                        const double *k_s, const double *v_mv, const double *v_s, const double *log_weights,
                        const EquiAttention *shape, int64_t length) {
    int mv = shape->mv * PGA, s = shape->s, n = 12 * shape->mv + s;
    double *query = MEM_NEW(double, n), *key = MEM_NEW(double, n), *p = MEM_NEW(double, length);
    for (int h = 0; h < shape->heads; h++)
        for (int64_t i = 0; i < length; i++) {
            int64_t first = (shape->kv_heads == 1 ? 0 : h) * length, at = h * length + i;
            double most = -INFINITY, sum = 0;
            features_ref(query, q_mv + at * mv, q_s + at * s, log_weights + h * shape->mv, true, shape);
            for (int64_t j = 0; j < length; j++) {
                features_ref(key, k_mv + (first + j) * mv, k_s + (first + j) * s, log_weights, false, shape);
                p[j] = 0;
                for (int f = 0; f < n; f++) p[j] += query[f] * key[f] / sqrt(n);
                most = fmax(most, p[j]);
            }
            for (int64_t j = 0; j < length; j++) sum += p[j] = exp(p[j] - most);
            for (int c = 0; c < mv; c++) out_mv[at * mv + c] = 0;
            for (int c = 0; c < s; c++) out_s[at * s + c] = 0;
            for (int64_t j = 0; j < length; j++) {
                for (int c = 0; c < mv; c++) out_mv[at * mv + c] += p[j] / sum * v_mv[(first + j) * mv + c];
                for (int c = 0; c < s; c++) out_s[at * s + c] += p[j] / sum * v_s[(first + j) * s + c];
            }
        }
    mem_free(query);
    mem_free(key);
    mem_free(p);
}
