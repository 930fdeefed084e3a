/** One vector register of `real`, so that kernels are written once for both precisions and every width. Used where a loop
 *  needs its accumulators in registers; ordinary loops are left to the compiler. Not collective. Errors: none.
 *
 *  What the compiler may use (ARCH in the Makefile) decides the instruction set; each has a file that defines
 *      SIMD_NAME, SIMD_BYTES, SIMD_REGISTERS   its name, bytes of a register, number of registers
 *      vec_fma, vec_fnma                       a b + c and c - a b, as one instruction where there is one: compilers
 *                                              that tune for some processors split multiply-adds in sums
 *      vec_max                                 b where a or b is not a number
 *      vec_top, vec_total                      largest and sum of the lanes, in a fixed order
 *      Mask, vec_mask(n)                       the first n lanes, n > 0; all of them where n >= LANES
 *      vec_store_masked, vec_load_masked       those lanes: other memory is not touched, other lanes become 0
 *      vec_keep                                a vector in a register from here on: stops the compiler from loading it
 *                                              anew for every use */
#pragma once

#include <stdbool.h>

#if defined(__AVX512F__)
#include "la/simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "la/simd_avx2.h"
#elif defined(__aarch64__)
#include "la/simd_neon.h"
#else
#include "la/simd_plain.h"
#endif

/** n rounded up to whole vectors: a row that may be read and written by vectors alone. */
static inline int64_t vec_padded(int64_t n) {
    return (n + LANES - 1) / LANES * LANES;
}

/** The first n lanes, n > 0: vec_mask for one access. */
static inline void vec_store_first(real *p, Vec v, int64_t n) {
    vec_store_masked(p, v, vec_mask(n));
}
static inline Vec vec_load_first(const real *p, int64_t n) {
    return vec_load_masked(p, vec_mask(n));
}

/** Sums over the lanes of `count` vectors, a constant power of two up to LANES: lane l of the result is that of v[l % count];
 *  v is destroyed. A step adds lanes that differ in bit `half`; where there is a vector w `half` behind u, it keeps u's
 *  where that bit of the lane is 0 and w's where it is 1. */
static inline __attribute__((always_inline)) Vec vec_lane_sums(Vec *v, const int count) {
#pragma GCC unroll 4
    for (int half = LANES / 2; half; half /= 2) {
        Lanes from_w = (lane_numbers & half) != 0, straight = lane_numbers + (from_w & LANES),
              crossed = (lane_numbers ^ half) + (from_w & LANES);
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++)
            if (half < count && i < half)
                v[i] = vec_shuffle(v[i], v[i + half], straight) + vec_shuffle(v[i], v[i + half], crossed);
            else if (half >= count && i < count)
                v[i] += vec_shuffle(v[i], v[i], lane_numbers ^ half);
    }
    return v[0];
}

/** Lanes of two vectors, for vec_shuffle: of each run of `span` lanes, units of `unit` lanes with even (odd) numbers, first
 *  a's, then b's. Within 16 bytes, or of units of 16 bytes, that is one instruction everywhere. */
static inline Lanes vec_units(int unit, int span, bool odd) {
    Lanes from_b = ((lane_numbers & span / 2) != 0) & LANES;
    Lanes chosen = 2 * (lane_numbers & (span / 2 - 1) & ~(unit - 1)) + (odd ? unit : 0);
    return (lane_numbers & ~(span - 1)) + chosen + (lane_numbers & (unit - 1)) + from_b;
}

/** Transposes a square of registers in place: step s brings together rows whose numbers differ in bit s and parts lanes by
 *  that bit, first of lanes within 16 bytes, then of 16 bytes. */
static inline void vec_transpose(Vec v[LANES]) {
    enum { PART = 16 / sizeof(real) };
#pragma GCC unroll 4
    for (int s = 1; s < LANES; s *= 2) {
        int unit = s < PART ? 1 : PART, span = s < PART ? PART : LANES;
        Lanes even = vec_units(unit, span, false), odd = vec_units(unit, span, true);
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++)
            if (!(r & s)) {
                Vec a = v[r], b = v[r + s];
                v[r] = vec_shuffle(a, b, even);
                v[r + s] = vec_shuffle(a, b, odd);
            }
    }
}

/** out (k, n) = in (n, k) transposed. whole: a row of out takes whole vectors, and ends in zeros. */
static inline void vec_turn(real *restrict out, int64_t ldo, const real *restrict in, int64_t ldi, int64_t n, int64_t k,
                            bool whole) {
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t p = 0; p < k; p += LANES) {
            int64_t rows = n - i < LANES ? n - i : LANES, cols = k - p < LANES ? k - p : LANES;
            Vec v[LANES];
            for (int r = 0; r < LANES; r++) v[r] = r < rows ? vec_load_first(in + (i + r) * ldi + p, cols) : (Vec){0};
            vec_transpose(v);
            for (int r = 0; r < cols; r++)
                if (whole)
                    vec_store(out + (p + r) * ldo + i, v[r]);
                else
                    vec_store_first(out + (p + r) * ldo + i, v[r], rows);
        }
}

/** out (ld, ld) = in (n, ld) transposed, ld being n rounded up to whole vectors; in columns behind n of out stands anything. */
static inline void vec_turn_whole(real *restrict out, const real *restrict in, int64_t n, int64_t ld) {
    for (int64_t j = 0; j < ld; j += LANES)
        for (int64_t t = 0; t < ld; t += LANES) {
            Vec v[LANES];
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++) v[r] = vec_load(in + (j + r < n ? j + r : n - 1) * ld + t);
            vec_transpose(v);
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++) vec_store(out + (t + r) * ld + j, v[r]);
        }
}
