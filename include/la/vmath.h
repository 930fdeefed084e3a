/** exp, exp2 and the tail of the normal distribution on whole vectors (la/simd.h), without branches or calls.
 *
 *  exp2: of arguments at most 0, by a polynomial of the fraction; 1e-7 relative in float, 3e-16 in double; below -126 (-1022)
 *  less than the smallest normal number, below -127 (-1023) 0. Of a power of e it is the cheaper one where log2(e) can be a
 *  part of a factor that is there anyway. exp2_near: the same without looking for such ends, of arguments between -126 and 127
 *  (-1022 and 1023); 2e-7 relative in float.
 *  exp: argument reduction by ln 2 and a polynomial; 1e-7 relative in float, 3e-16 in double. Arguments are at most 0
 *  (softmax, densities); below -87 (-708) the result is 0.
 *  tail: Phi(-z) = exp(-z^2/2) g(t), t = 1/(1 + p z), g/t a Chebyshev interpolant in powers of 2t - 1; 1e-6 relative
 *  where the tail counts in float, 1e-13 in double. Not collective. Errors: none. */
#pragma once

#include "la/simd.h"

/** The first `left` of LANES elements, all where there are as many; zeros behind them. */
static inline Vec vec_get(const real *x, int64_t left) {
    return left >= LANES ? vec_load(x) : vec_load_first(x, left);
}
static inline void vec_put(real *x, Vec v, int64_t left) {
    if (left >= LANES)
        vec_store(x, v);
    else
        vec_store_first(x, v, left);
}

/** |x|, and |x| with the sign of s where x >= 0. */
static inline Vec vec_abs(Vec x) {
    Lanes sign = (Lanes)vec_set((real)-0.0);
    return (Vec)((Lanes)x & ~sign);
}
static inline Vec vec_copysign(Vec x, Vec s) {
    Lanes sign = (Lanes)vec_set((real)-0.0);
    return (Vec)((Lanes)x ^ ((Lanes)s & sign));
}

/** a where its lane is below n, otherwise b. */
static inline Vec vec_first(Vec a, Vec b, int64_t n) {
    if (n >= LANES) return a;
    return vec_select(lane_numbers < (Lanes){0} + (Lane)n, a, b);
}

#define LOG2_E ((real)1.4426950408889634)

#ifdef EQ_DOUBLE
static inline Vec vec_exp2_near(Vec x) {
    Vec shifted = x + 0x1.8p52, r = x - (shifted - 0x1.8p52);
    Vec p = r * 1.3691488853904129e-12 + 2.5678435993488206e-11;
    p = p * r + 4.4455382718708115e-10;
    p = p * r + 7.0549116208011233e-09;
    p = p * r + 1.0178086009239700e-07;
    p = p * r + 1.3215486790144309e-06;
    p = p * r + 1.5252733804059841e-05;
    p = p * r + 1.5403530393381609e-04;
    p = p * r + 1.3333558146428443e-03;
    p = p * r + 9.6181291076284772e-03;
    p = p * r + 5.5504108664821580e-02;
    p = p * r + 2.4022650695910072e-01;
    p = p * r + 6.9314718055994531e-01;
    p = p * r + 1;
    return (Vec)((Lanes)p + ((Lanes)shifted << 52));
}

static inline Vec vec_exp2(Vec x) {
    return vec_exp2_near(vec_max(vec_set(-1023), x)); /* the exponent of 0, and a number that is none stays so */
}

static inline Vec vec_exp(Vec x) {
    Lanes vanishes = x < vec_set(-708);
    x = (Vec)(~vanishes & (Lanes)x);
    Vec shifted = x * 1.4426950408889634 + 0x1.8p52, n = shifted - 0x1.8p52;
    Vec r = x - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
    Vec p = r * (1.0 / 6227020800) + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    return (Vec)(~vanishes & ((Lanes)p + ((Lanes)shifted << 52)));
}

/** Phi(-z) for z >= 0, given e = exp(-z*z/2). */
static inline Vec vec_tail(Vec z, Vec e) {
    Vec t = 1 / (1 + z * (0.25 * 0.70710678118654752440)), u = 2 * t - 1;
    Vec p = u * 1.5895987228650557e-8 + 1.7142964334454535e-8;
    p = p * u - 1.8268528087494308e-7;
    p = p * u - 3.5195737443447796e-7;
    p = p * u + 1.1417028000399041e-6;
    p = p * u + 4.7103703875547243e-6;
    p = p * u - 8.8700691338899417e-7;
    p = p * u - 4.4199897647535356e-5;
    p = p * u - 0.00011377249509140845;
    p = p * u + 7.023837663218135e-5;
    p = p * u + 0.0015280163618888436;
    p = p * u + 0.0065925136508769671;
    p = p * u + 0.019095378356359991;
    p = p * u + 0.043502734269899128;
    p = p * u + 0.082712896998146665;
    p = p * u + 0.13521345783061269;
    p = p * u + 0.19330217556544937;
    p = p * u + 0.24413718227018176;
    p = p * u + 0.27399891525012705;
    return 0.5 * e * t * p;
}
#else
static inline Vec vec_exp2(Vec x) {
    x = vec_max(vec_set(-127), x); /* the exponent of 0, and a number that is none stays so */
    Vec shifted = x + 0x1.8p23f, r = x - (shifted - 0x1.8p23f);
    Vec p = r * 1.535336188319500e-4f + 1.339887440266574e-3f;
    p = p * r + 9.618437357674640e-3f;
    p = p * r + 5.550332471162809e-2f;
    p = p * r + 2.402264791363012e-1f;
    p = p * r + 6.931472028550421e-1f;
    p = p * r + 1;
    return (Vec)((Lanes)p + ((Lanes)shifted << 23));
}

static inline Vec vec_exp2_near(Vec x) {
    Vec shifted = x + 0x1.8p23f, r = x - (shifted - 0x1.8p23f);
    Vec p = r * 1.326472204816117e-3f + 9.671512997100331e-3f;
    p = p * r + 5.550733760386620e-2f;
    p = p * r + 2.402224207758249e-1f;
    p = p * r + 6.931469775872124e-1f;
    p = p * r + 1;
    return (Vec)((Lanes)p + ((Lanes)shifted << 23));
}

static inline Vec vec_exp(Vec x) {
    Lanes vanishes = x < vec_set(-87);
    x = (Vec)(~vanishes & (Lanes)x);
    Vec shifted = x * 1.44269504f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
    Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + (r + 1);
    return (Vec)(~vanishes & ((Lanes)p + ((Lanes)shifted << 23)));
}

/** Phi(-z) for z >= 0, given e = exp(-z*z/2). */
static inline Vec vec_tail(Vec z, Vec e) {
    Vec t = 1 / (1 + z * (0.375f * 0.70710678f)), u = 2 * t - 1;
    Vec p = u * 0.0001737935445340531f - 0.00024788474808405717f;
    p = p * u - 0.0021620166923305678f;
    p = p * u - 0.00038312274875313908f;
    p = p * u + 0.020844234841948416f;
    p = p * u + 0.081968591789522464f;
    p = p * u + 0.18878435571197666f;
    p = p * u + 0.31287669422372678f;
    p = p * u + 0.39814521910487318f;
    return 0.5f * e * t * p;
}
#endif
