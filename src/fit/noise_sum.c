#include "noise_sum.h"

#include "base/rng.h"

#include <math.h>

void noise_normals(double *restrict out, const uint64_t *first, const uint64_t *second, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double length = sqrt(-2 * log(rng_unit(first[i])));
        out[i] = length * cos(2 * M_PI * rng_unit(second[i]));
    }
}
