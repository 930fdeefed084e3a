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

/** The first n lanes (0 < n <= LANES); memory behind them is not touched. */
static inline void vec_store_first(real *p, Vec v, int64_t n) {
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    memcpy(p, &v, (size_t)n * sizeof(real));
#endif
}

/** n lanes from memory and zeros behind them. */
static inline Vec vec_load_first(const real *p, int64_t n) {
#if defined(__AVX512F__) && defined(EQ_DOUBLE)
    return (Vec)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    Vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof(real));
    return v;
#endif
}

static inline real vec_sum(Vec v) {
    real sum = 0;
    for (int i = 0; i < LANES; i++) sum += v[i];
    return sum;
}
