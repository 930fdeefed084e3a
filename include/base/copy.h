/** Copies for other cores. Not collective. Errors: none. */
#pragma once

#include "base/real.h"

#include <stdint.h>

/** Copies n numbers past the caches where the processor can: nothing is fetched for it, what caches hold of `to` is dropped,
 *  and another core finds the numbers in memory, all of them once this returns. `to` stands on 64 bytes. The ranges do not overlap. */
void copy_past_cache(real *to, const real *from, int64_t n);
