/** One vector register of `real`: as wide as the processor has, by the compiler's vector extension, so that kernels are
 *  written once for both precisions and every width. Used where a loop needs its accumulators in registers; ordinary
 *  loops are left to the compiler. Not collective. Errors: none. */
#pragma once

#include "base/real.h"

#include <stdint.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define SIMD_BYTES 64
#elif defined(__AVX__)
#define SIMD_BYTES 32
#else
#define SIMD_BYTES 16
#endif

#ifdef EQ_DOUBLE
#define SIMD_LANES (SIMD_BYTES / 8)
#else
#define SIMD_LANES (SIMD_BYTES / 4)
#endif

typedef real Vec __attribute__((vector_size(SIMD_BYTES)));
enum { LANES = SIMD_LANES };

/** n rounded up to whole vectors: a row that may be read and written by vectors alone. */
static inline int64_t vec_padded(int64_t n) {
    return (n + LANES - 1) / LANES * LANES;
}

/** Integers as wide as the lanes, for shuffles and masks. */
#ifdef EQ_DOUBLE
typedef int64_t Lane;
#else
typedef int32_t Lane;
#endif
typedef Lane Lanes __attribute__((vector_size(SIMD_BYTES)));
static const Lanes lane_numbers = {0,  1,
#if SIMD_LANES >= 4
                                   2,  3,
#endif
#if SIMD_LANES >= 8
                                   4,  5,  6,  7,
#endif
#if SIMD_LANES >= 16
                                   8,  9,  10, 11, 12,
                                   13, 14, 15
#endif
};

static inline Vec vec_load(const real *p) {
    Vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec_store(real *p, Vec v) {
    memcpy(p, &v, sizeof v);
}

static inline Vec vec_set(real x) {
    return x - (Vec){0};
}

/** a b + c and c - a b. Written out, since compilers that tune for some processors split multiply-adds in sums. */
static inline Vec vec_fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    return (Vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX512F__)
    return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return a * b + c;
#endif
}

static inline Vec vec_fnma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    return (Vec)_mm512_fnmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX512F__)
    return (Vec)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return c - a * b;
#endif
}

/** The first n lanes, n > 0; all of them where n >= LANES. */
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
typedef __mmask8 Mask;
#elif defined(__AVX512F__)
typedef __mmask16 Mask;
#else
typedef int Mask; /* how many */
#endif
static inline Mask vec_mask(int64_t n) {
#if defined(__AVX512F__)
    return (Mask)(n < LANES ? (1u << n) - 1 : (1u << LANES) - 1);
#else
    return (Mask)(n < LANES ? n : LANES);
#endif
}

/** Stores those lanes; the memory of the others is not touched. */
static inline void vec_store_masked(real *p, Vec v, Mask mask) {
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    _mm512_mask_storeu_pd(p, mask, (__m512d)v);
#elif defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, mask, (__m512)v);
#else
    memcpy(p, &v, (size_t)mask * sizeof(real));
#endif
}

/** Those lanes from memory and zeros in the others. */
static inline Vec vec_load_masked(const real *p, Mask mask) {
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    return (Vec)_mm512_maskz_loadu_pd(mask, p);
#elif defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps(mask, p);
#else
    Vec v = {0};
    memcpy(&v, p, (size_t)mask * sizeof(real));
    return v;
#endif
}

/** The first n lanes: vec_mask for one access. */
static inline void vec_store_first(real *p, Vec v, int64_t n) {
    vec_store_masked(p, v, vec_mask(n));
}
static inline Vec vec_load_first(const real *p, int64_t n) {
    return vec_load_masked(p, vec_mask(n));
}

/** v in a register from here on: stops the compiler from loading it anew for every use. */
static inline void vec_keep(Vec *v) {
#if defined(__GNUC__) && defined(__AVX512F__)
    __asm__("" : "+v"(*v));
#else
    (void)v;
#endif
}

/** Sum over the lanes, first to last. */
static inline real vec_sum(Vec v) {
    real sum = 0;
    for (int i = 0; i < LANES; i++) sum += v[i];
    return sum;
}

/** Transposes a square of registers in place: step s exchanges lanes and rows whose numbers differ in bit s. */
static inline void vec_transpose(Vec v[LANES]) {
#pragma GCC unroll 4
    for (int s = 1; s < LANES; s *= 2) {
        Lanes from_b = ((lane_numbers & s) != 0) & LANES;
        Lanes low = (lane_numbers & ~s) + from_b, high = (lane_numbers | s) + from_b;
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++)
            if (!(r & s)) {
                Vec a = v[r], b = v[r + s];
                v[r] = __builtin_shuffle(a, b, low);
                v[r + s] = __builtin_shuffle(a, b, high);
            }
    }
}
