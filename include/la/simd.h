/** One vector register of `real`: as wide as the processor has, by the compiler's vector extension, so that kernels are
 *  written once for both precisions and every width. Used where a loop needs its accumulators in registers; ordinary
 *  loops are left to the compiler. */
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

/** The first n lanes (n > 0; all of them where n >= LANES); memory behind them is not touched. */
static inline void vec_store_first(real *p, Vec v, int64_t n) {
    unsigned first = n < LANES ? (1u << n) - 1 : (1u << LANES) - 1;
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    _mm512_mask_storeu_pd(p, (__mmask8)first, (__m512d)v);
#elif defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)first, (__m512)v);
#else
    memcpy(p, &v, (size_t)__builtin_popcount(first) * sizeof(real));
#endif
}

/** n lanes from memory and zeros behind them. */
static inline Vec vec_load_first(const real *p, int64_t n) {
    unsigned first = n < LANES ? (1u << n) - 1 : (1u << LANES) - 1;
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    return (Vec)_mm512_maskz_loadu_pd((__mmask8)first, p);
#elif defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps((__mmask16)first, p);
#else
    Vec v = {0};
    memcpy(&v, p, (size_t)__builtin_popcount(first) * sizeof(real));
    return v;
#endif
}

/** v in a register from here on: stops the compiler from loading it anew for every use. */
static inline void vec_keep(Vec *v) {
#if defined(__GNUC__) && defined(__AVX512F__)
    __asm__("" : "+v"(*v));
#else
    (void)v;
#endif
}

static inline real vec_sum(Vec v) {
    real sum = 0;
    for (int i = 0; i < LANES; i++) sum += v[i];
    return sum;
}
