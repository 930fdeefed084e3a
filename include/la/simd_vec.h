/** What every instruction set gets from the compiler's vector extension: la/simd.h includes it through the file of the
 *  set, which has defined SIMD_BYTES. Not collective. Errors: none. */
#pragma once

#include "base/real.h"

#include <stdint.h>
#include <string.h>

#ifndef SIMD_BYTES
#define SIMD_BYTES 16
#endif
#ifdef EQ_DOUBLE
#define SIMD_LANES (SIMD_BYTES / 8)
#else
#define SIMD_LANES (SIMD_BYTES / 4)
#endif

typedef real Vec __attribute__((vector_size(SIMD_BYTES)));
enum { LANES = SIMD_LANES };

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

/** A vector from another of the same size, lane by lane from a where `which` has all bits, from b where it has none. */
static inline Vec vec_select(Lanes which, Vec a, Vec b) {
    return (Vec)((which & (Lanes)a) | (~which & (Lanes)b));
}

/** Lanes of the 2 LANES of a and b by their numbers, which are constants once the loop around is unrolled. */
static inline __attribute__((always_inline)) Vec vec_shuffle(Vec a, Vec b, Lanes from) {
#ifdef __clang__
    /* clang's own shuffle wants the numbers as literals; it makes the same instruction of this. */
    Vec out = a;
#pragma clang loop unroll(full)
    for (int i = 0; i < LANES; i++) out[i] = from[i] < LANES ? a[from[i]] : b[from[i] - LANES];
    return out;
#else
    return __builtin_shuffle(a, b, from);
#endif
}
