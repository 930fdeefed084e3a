#include "column_sums.h"

#include "la/vmath.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Vectors of a row that sums are kept of. */
enum { MOST = 8 };
#define EACH_SIZE(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)

/* sum (vecs vectors) += rows, `stride` apart. */
INLINE void add_rows(real *sum, real *y, const real *slope, int64_t stride, int64_t rows, const int vecs) {
    Vec s[MOST];
    UNROLL for (int i = 0; i < vecs; i++) s[i] = vec_load(sum + i * LANES);
    for (int64_t r = 0; r < rows; r++) UNROLL for (int i = 0; i < vecs; i++) {
            int64_t at = r * stride + i * LANES;
            Vec v = vec_load(y + at);
            if (slope) {
                v *= vec_load(slope + at);
                vec_store(y + at, v);
            }
            s[i] += v;
        }
    UNROLL for (int i = 0; i < vecs; i++) vec_store(sum + i * LANES, s[i]);
}

static void add_vectors(real *sum, real *y, const real *slope, int64_t stride, int64_t rows, int64_t vecs) {
#define SIZE(size)                                                                                                     \
    case size:                                                                                                         \
        if (slope)                                                                                                     \
            add_rows(sum, y, slope, stride, rows, size);                                                               \
        else                                                                                                           \
            add_rows(sum, y, NULL, stride, rows, size);                                                                \
        break;
    switch (vecs) {
        EACH_SIZE(SIZE)
    default: break;
    }
}

static void add_numbers(real *db, real *y, const real *slope, int64_t ldy, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++) {
            real v = y[r * ldy + i];
            if (slope) y[r * ldy + i] = v *= slope[r * ldy + i];
            db[i] += v;
        }
}

/* Rows one behind the other, so many at a time that they fill `period` numbers, whole vectors. */
static void add_periods(real *db, real *y, const real *slope, int64_t rows, int64_t n, int64_t period) {
    real sum[MOST * LANES];
    int64_t together = period / n, whole = rows / together;
    for (int64_t i = 0; i < period; i++) sum[i] = i < n ? db[i] : 0;
    add_vectors(sum, y, slope, period, whole, period / LANES);
    for (int64_t i = 0; i < n; i++) db[i] = sum[i];
    for (int64_t first = n; first < period; first += n)
        for (int64_t i = 0; i < n; i++) db[i] += sum[first + i];
    int64_t done = whole * period;
    add_numbers(db, y + done, slope ? slope + done : NULL, n, rows - whole * together, n);
}

void column_sums(real *db, real *y, const real *slope, int64_t ldy, int64_t rows, int64_t n) {
    int64_t period = n, i = 0;
    while (period % LANES) period += n;
    if (ldy == n && period <= MOST * LANES) {
        add_periods(db, y, slope, rows, n, period);
        return;
    }
    for (int64_t vecs; i + LANES <= n; i += vecs * LANES) {
        vecs = (n - i) / LANES;
        if (vecs > MOST) vecs = MOST;
        add_vectors(db + i, y + i, slope ? slope + i : NULL, ldy, rows, vecs);
    }
    if (i < n) add_numbers(db + i, y + i, slope ? slope + i : NULL, ldy, rows, n - i);
}
