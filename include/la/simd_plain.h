/** la/simd.h by the compiler's vector extension alone, in vectors of 16 bytes: SSE2 on x86-64, and whatever else there
 *  is on other processors. A mask is a number of lanes. Not collective. Errors: none. */
#pragma once

#ifndef SIMD_NAME
#define SIMD_NAME "plain C"
#define SIMD_REGISTERS 16
#endif
#define SIMD_BYTES 16
#include "la/simd_vec.h"

typedef int Mask;

static inline Vec vec_fma(Vec a, Vec b, Vec c) {
    return a * b + c;
}
static inline Vec vec_fnma(Vec a, Vec b, Vec c) {
    return c - a * b;
}

static inline Vec vec_max(Vec a, Vec b) {
    return vec_select(a > b, a, b);
}
static inline real vec_top(Vec v) {
    real top = v[0];
    for (int i = 1; i < LANES; i++) top = v[i] > top ? v[i] : top;
    return top;
}
static inline real vec_total(Vec v) {
    real sum = v[0];
    for (int i = 1; i < LANES; i++) sum += v[i];
    return sum;
}

static inline Mask vec_mask(int64_t n) {
    return (Mask)(n < LANES ? n : LANES);
}
static inline void vec_store_masked(real *p, Vec v, Mask mask) {
    if (mask == LANES)
        vec_store(p, v);
    else
        for (int i = 0; i < mask; i++) p[i] = v[i];
}
static inline Vec vec_load_masked(const real *p, Mask mask) {
    if (mask == LANES) return vec_load(p);
    Vec v = {0};
    for (int i = 0; i < mask; i++) v[i] = p[i];
    return v;
}

static inline void vec_keep(Vec *v) {
    (void)v;
}
