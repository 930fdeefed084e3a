/** exp of one number without branches or library calls, so that loops over it vectorise: argument reduction by ln 2 and
 *  a polynomial. For whole vectors see la/vmath.h. Not collective. */
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
#endif
