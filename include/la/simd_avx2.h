/** la/simd.h by AVX2 and FMA: 16 registers, masks are vectors of sign bits. Not collective. Errors: none. */
#pragma once

#define SIMD_NAME "AVX2"
#define SIMD_BYTES 32
#define SIMD_REGISTERS 16
#include "la/simd_vec.h"

#include <immintrin.h>

#ifdef EQ_DOUBLE
typedef __m256d SimdRegister;
#define SIMD(name) _mm256_##name##_pd
#else
typedef __m256 SimdRegister;
#define SIMD(name) _mm256_##name##_ps
#endif
typedef Lanes Mask;

static inline Vec vec_fma(Vec a, Vec b, Vec c) {
    return (Vec)SIMD(fmadd)((SimdRegister)a, (SimdRegister)b, (SimdRegister)c);
}
static inline Vec vec_fnma(Vec a, Vec b, Vec c) {
    return (Vec)SIMD(fnmadd)((SimdRegister)a, (SimdRegister)b, (SimdRegister)c);
}

static inline Vec vec_max(Vec a, Vec b) {
    return (Vec)SIMD(max)((SimdRegister)a, (SimdRegister)b);
}

/* Lanes that are `half` apart meet, then those half as far. */
static inline real vec_top(Vec v) {
#pragma GCC unroll 4
    for (int half = LANES / 2; half; half /= 2) v = vec_max(v, vec_shuffle(v, v, lane_numbers ^ half));
    return v[0];
}
static inline real vec_total(Vec v) {
#pragma GCC unroll 4
    for (int half = LANES / 2; half; half /= 2) v += vec_shuffle(v, v, lane_numbers ^ half);
    return v[0];
}

static inline Mask vec_mask(int64_t n) {
    return lane_numbers < (Lanes){0} + (Lane)(n < LANES ? n : LANES);
}
static inline void vec_store_masked(real *p, Vec v, Mask mask) {
    SIMD(maskstore)(p, (__m256i)mask, (SimdRegister)v);
}
static inline Vec vec_load_masked(const real *p, Mask mask) {
    return (Vec)SIMD(maskload)(p, (__m256i)mask);
}

static inline void vec_keep(Vec *v) {
    __asm__("" : "+x"(*v));
}
