/** What the caches of this machine hold. Not collective. Errors: none. */
#pragma once

#include <stdint.h>

/** Bytes of the second-level cache of a core, as the C library knows it; 1 MiB where it does not. */
int64_t cache_bytes(void);
