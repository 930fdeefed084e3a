#include "base/cache.h"

#include <unistd.h>

int64_t cache_bytes(void) {
    const int64_t usual = 1 << 20;
#ifdef _SC_LEVEL2_CACHE_SIZE
    int64_t bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? bytes : usual;
#else
    return usual;
#endif
}
