#include "base/copy.h"

#include <string.h>

#ifdef __SSE2__ /* all of x86-64 */
#include <emmintrin.h>

void copy_past_cache(real *to, const real *from, int64_t n) {
    enum { LINE = 64 / (int)sizeof(real), QUARTER = LINE / 4 };
    int64_t whole = n / LINE * LINE;
    for (int64_t i = 0; i < whole; i += QUARTER)
        _mm_stream_si128((__m128i *)(to + i), _mm_loadu_si128((const __m128i *)(from + i)));
    memcpy(to + whole, from + whole, (size_t)(n - whole) * sizeof *to);
    _mm_sfence(); /* later stores, such as a flag, come after them */
}
#else
void copy_past_cache(real *to, const real *from, int64_t n) {
    memcpy(to, from, (size_t)n * sizeof *to);
}
#endif
