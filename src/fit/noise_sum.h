/** Many standard normal numbers at once, for draws of noise: in a file of its own, which vectorises. */
#pragma once

#include <stdint.h>

/** out[i] is what rng_normal makes of a block whose halves are first[i] and second[i], to rounding (Box and Muller 1958). */
void noise_normals(double *restrict out, const uint64_t *first, const uint64_t *second, int64_t n);
