/** la/simd.h by AVX-512: masks are registers of their own. Not collective. Errors: none. */
#pragma once

#define SIMD_NAME "AVX-512"
#define SIMD_BYTES 64
#define SIMD_REGISTERS 32
#include "la/simd_vec.h"

#include <immintrin.h>

#ifdef EQ_DOUBLE
typedef __m512d SimdRegister;
typedef __mmask8 Mask;
#define SIMD(name) _mm512_##name##_pd
#else
typedef __m512 SimdRegister;
typedef __mmask16 Mask;
#define SIMD(name) _mm512_##name##_ps
#endif

static inline Vec vec_fma(Vec a, Vec b, Vec c) {
    return (Vec)SIMD(fmadd)((SimdRegister)a, (SimdRegister)b, (SimdRegister)c);
}
static inline Vec vec_fnma(Vec a, Vec b, Vec c) {
    return (Vec)SIMD(fnmadd)((SimdRegister)a, (SimdRegister)b, (SimdRegister)c);
}

static inline Vec vec_max(Vec a, Vec b) {
    return (Vec)SIMD(max)((SimdRegister)a, (SimdRegister)b);
}
static inline real vec_top(Vec v) {
    return SIMD(reduce_max)((SimdRegister)v);
}
static inline real vec_total(Vec v) {
    return SIMD(reduce_add)((SimdRegister)v);
}

static inline Mask vec_mask(int64_t n) {
    return (Mask)(n < LANES ? (1u << n) - 1 : (1u << LANES) - 1);
}
static inline void vec_store_masked(real *p, Vec v, Mask mask) {
    SIMD(mask_storeu)(p, mask, (SimdRegister)v);
}
static inline Vec vec_load_masked(const real *p, Mask mask) {
    return (Vec)SIMD(maskz_loadu)(mask, p);
}

static inline void vec_keep(Vec *v) {
    __asm__("" : "+v"(*v));
}
