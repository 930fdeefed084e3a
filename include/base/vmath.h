/** exp and the tail of the normal distribution without branches or library calls, so that loops over them vectorise.
 *  exp: argument reduction by ln 2 and a polynomial. tail: Phi(-z) = exp(-z^2/2) g(t), t = 1/(1 + p z), g/t a Chebyshev
 *  interpolant written in powers of 2t - 1; relative error below 1e-6 in float (where the tail matters) and 1e-13 in
 *  double. Not collective. */
#pragma once

#include "base/real.h"

#include <stdint.h>
#include <string.h>

#ifdef EQ_DOUBLE
/** exp(x), 0 below -708, exp(709) above. Relative error 2e-16 or so. */
static inline double vm_exp(double x) {
    double clamped = x < -708 ? -708 : x > 709 ? 709 : x;
    double shifted = clamped * 1.4426950408889634 + 0x1.8p52, n = shifted - 0x1.8p52;
    double r = clamped - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
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
    uint64_t bits, power;
    memcpy(&power, &shifted, sizeof power);
    memcpy(&bits, &p, sizeof bits);
    bits += power << 52;
    memcpy(&p, &bits, sizeof p);
    return x < -708 ? 0 : p;
}

/** Phi(-z) for z >= 0, given e = exp(-z*z/2). */
static inline double vm_tail(double z, double e) {
    double t = 1 / (1 + 0.25 * 0.70710678118654752440 * z), u = 2 * t - 1;
    double p = 1.5895987228650557e-8;
    p = p * u + 1.7142964334454535e-8;
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
/** exp(x), 0 below -87, exp(88) above. Relative error 1e-7 or so. */
static inline float vm_exp(float x) {
    float clamped = x < -87 ? -87 : x > 88 ? 88 : x;
    float shifted = clamped * 1.44269504f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    float r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + (r + 1);
    uint32_t bits, power;
    memcpy(&power, &shifted, sizeof power);
    memcpy(&bits, &p, sizeof bits);
    bits += power << 23;
    memcpy(&p, &bits, sizeof p);
    return x < -87 ? 0 : p;
}

/** Phi(-z) for z >= 0, given e = exp(-z*z/2). */
static inline float vm_tail(float z, float e) {
    float t = 1 / (1 + 0.375f * 0.70710678f * z), u = 2 * t - 1;
    float p = 0.0001737935445340531f;
    p = p * u - 0.00024788474808405717f;
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
