#include "la/brgemm.h"

#include "la/flops.h"
#include "la/simd.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Register tile of brgemm: ROWS x VECS accumulators, VECS vectors of B and one broadcast fit in 32 registers. */
enum { ROWS = 8, VECS = SIMD_BYTES == 64 ? 3 : 1 };
/* Of brgemm_nt: SIDE^2 accumulators. */
enum { SIDE = 4 };
typedef real Side __attribute__((vector_size(4 * sizeof(real))));

/* `last`: lanes of the last vector that are stored. */
INLINE void tile(int rows, int vecs, real *c, int64_t ldc, int64_t last, const BrTerm *terms, int n_terms, int64_t i0,
                 int64_t j0, const real *bias, real beta) {
    Vec acc[ROWS][VECS];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = (Vec){0};
    real scale = 1;
    for (int t = 0; t < n_terms; t++) {
        const BrTerm *x = &terms[t];
        if (x->scale != scale) { /* acc is in units of the scale of the latest term */
            real ratio = scale / x->scale;
            if (t) UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) acc[i][j] *= ratio;
            scale = x->scale;
        }
        const real *a = x->a + i0 * x->row, *b = x->b + j0;
        int64_t row = x->row, col = x->col, ldb = x->ldb;
        for (int64_t k = 0; k < x->k; k++, a += col, b += ldb) {
            Vec v[VECS];
            UNROLL for (int j = 0; j < vecs; j++) v[j] = vec_load(b + j * LANES);
            UNROLL for (int i = 0; i < rows; i++) {
                Vec w = vec_set(a[i * row]);
                UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = vec_fma(w, v[j], acc[i][j]);
            }
        }
    }
    Mask mask = vec_mask(last), all = vec_mask(LANES);
    if (bias || beta != 0) {
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) {
            acc[i][j] = acc[i][j] * scale + (bias ? bias[i0 + i] : 0);
            if (beta != 0) acc[i][j] += vec_load_masked(c + i * ldc + j * LANES, j < vecs - 1 ? all : mask);
        }
        scale = 1;
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++)
        vec_store_masked(c + i * ldc + j * LANES, acc[i][j] * scale, j < vecs - 1 ? all : mask);
}

#define TILE(rows, vecs)                                                                                               \
    static __attribute__((noinline)) void tile_##rows##_##vecs(real *c, int64_t ldc, int64_t last,                     \
                                                               const BrTerm *terms, int n_terms, int64_t i0,           \
                                                               int64_t j0, const real *bias, real beta) {              \
        tile(rows, vecs, c, ldc, last, terms, n_terms, i0, j0, bias, beta);                                            \
    }
#define TILES(vecs) TILE(8, vecs) TILE(4, vecs) TILE(2, vecs) TILE(1, vecs)
TILES(1)
typedef void Tile(real *, int64_t, int64_t, const BrTerm *, int, int64_t, int64_t, const real *, real);
#if SIMD_BYTES == 64
TILES(2)
TILES(3)
static Tile *const tiles[4][3] = {{tile_1_1, tile_1_2, tile_1_3},
                                  {tile_2_1, tile_2_2, tile_2_3},
                                  {tile_4_1, tile_4_2, tile_4_3},
                                  {tile_8_1, tile_8_2, tile_8_3}};
#else
static Tile *const tiles[4][1] = {{tile_1_1}, {tile_2_1}, {tile_4_1}, {tile_8_1}};
#endif

void brgemm(real *c, int64_t ldc, int64_t m, int64_t n, const BrTerm *terms, int n_terms, const real *bias, real beta) {
    int64_t vectors = (n + LANES - 1) / LANES;
    for (int64_t j = 0, vecs; j < vectors; j += vecs) {
        vecs = vectors - j < VECS ? vectors - j : VECS;
        if (vectors - j == VECS + 1 && VECS > 2) vecs = VECS - 1; /* 4 = 2 + 2 */
        int64_t end = (j + vecs) * LANES, last = end > n ? n - (end - LANES) : LANES;
        int64_t i = 0;
        for (int size = 3, rows = ROWS; size >= 0; size--, rows /= 2)
            for (; i + rows <= m; i += rows)
                tiles[size][vecs - 1](c + i * ldc + j * LANES, ldc, last, terms, n_terms, i, j * LANES, bias, beta);
    }
    for (int t = 0; t < n_terms; t++) flops_add(2 * m * n * terms[t].k);
}

/* Lane l of the result is the sum over the lanes of v[l]; v is destroyed. A step keeps u where bit `half` of the lane
 * is 0 and w where it is 1, and adds the lanes that differ in that bit. */
INLINE Vec lane_sums(Vec *v) {
    UNROLL for (int half = LANES / 2; half; half /= 2) {
        Lanes from_w = (lane_numbers & half) != 0, straight = lane_numbers + (from_w & LANES),
              crossed = (lane_numbers ^ half) + (from_w & LANES);
        UNROLL for (int i = 0; i < half; i++) {
            Vec u = v[i], w = v[i + half];
            v[i] = __builtin_shuffle(u, w, straight) + __builtin_shuffle(u, w, crossed);
        }
    }
    return v[0];
}

/* ahead: fetch the next rows of B, which come from far when they are met for the first time. */
INLINE void nt_tile(int rows, int cols, real *c, int64_t ldc, int64_t n, real scale, const real *a, int64_t lda,
                    int64_t stride_a, const real *b, int64_t ldb, int64_t stride_b, int planes, bool ahead) {
    Vec acc[SIDE * SIDE];
    UNROLL for (int i = 0; i < SIDE * SIDE; i++) acc[i] = (Vec){0};
    for (int p = 0; p < planes; p++, a += stride_a, b += stride_b)
        for (int64_t t = 0; t < n; t += LANES) {
            Mask mask = vec_mask(n - t);
            Vec v[SIDE];
            UNROLL for (int j = 0; j < cols; j++) v[j] = vec_load_masked(b + j * ldb + t, mask);
            if (ahead) UNROLL for (int j = 0; j < cols; j++) __builtin_prefetch(b + (j + SIDE) * ldb + t);
            UNROLL for (int i = 0; i < rows; i++) {
                Vec w = vec_load_masked(a + i * lda + t, mask);
                UNROLL for (int j = 0; j < cols; j++) acc[i * SIDE + j] = vec_fma(w, v[j], acc[i * SIDE + j]);
            }
        }
    Vec parts[SIDE * SIDE]; /* a copy, so that acc stays in registers */
    real sums[SIDE * SIDE];
    UNROLL for (int i = 0; i < SIDE * SIDE; i++) parts[i] = acc[i];
    for (int i = 0; i < SIDE * SIDE; i += LANES) vec_store(sums + i, scale * lane_sums(parts + i));
    UNROLL for (int i = 0; i < rows; i++) {
        Side row, add;
        memcpy(&add, sums + i * SIDE, sizeof add);
        if (cols < SIDE) {
            UNROLL for (int j = 0; j < cols; j++) c[i * ldc + j] += add[j];
            continue;
        }
        memcpy(&row, c + i * ldc, sizeof row);
        row += add;
        memcpy(c + i * ldc, &row, sizeof row);
    }
}

void brgemm_nt(real *c, int64_t ldc, int64_t m, int64_t k, int64_t n, real scale, const real *a, int64_t lda,
               int64_t stride_a, const real *b, int64_t ldb, int64_t stride_b, int planes) {
    for (int64_t i = 0, rows; i < m; i += rows) {
        rows = m - i < SIDE ? 1 : SIDE;
        for (int64_t j = 0, cols; j < k; j += cols) {
            cols = k - j < SIDE ? 1 : SIDE;
            const real *ai = a + i * lda, *bj = b + j * ldb;
            real *cij = c + i * ldc + j;
            if (rows == SIDE && cols == SIDE && i == 0)
                nt_tile(SIDE, SIDE, cij, ldc, n, scale, ai, lda, stride_a, bj, ldb, stride_b, planes, true);
            else if (rows == SIDE && cols == SIDE)
                nt_tile(SIDE, SIDE, cij, ldc, n, scale, ai, lda, stride_a, bj, ldb, stride_b, planes, false);
            else if (rows == SIDE)
                nt_tile(SIDE, 1, cij, ldc, n, scale, ai, lda, stride_a, bj, ldb, stride_b, planes, false);
            else if (cols == SIDE)
                nt_tile(1, SIDE, cij, ldc, n, scale, ai, lda, stride_a, bj, ldb, stride_b, planes, false);
            else
                nt_tile(1, 1, cij, ldc, n, scale, ai, lda, stride_a, bj, ldb, stride_b, planes, false);
        }
    }
    flops_add(2 * m * k * n * planes);
}

void brgemm_ref(real *c, int64_t ldc, int64_t m, int64_t n, const BrTerm *terms, int n_terms, const real *bias,
                real beta) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = (bias ? (double)bias[i] : 0) + (beta != 0 ? (double)c[i * ldc + j] : 0);
            for (const BrTerm *x = terms; x < terms + n_terms; x++)
                for (int64_t k = 0; k < x->k; k++)
                    sum += (double)x->scale * (double)x->a[i * x->row + k * x->col] * (double)x->b[k * x->ldb + j];
            c[i * ldc + j] = (real)sum;
        }
}

void brgemm_nt_ref(real *c, int64_t ldc, int64_t m, int64_t k, int64_t n, real scale, const real *a, int64_t lda,
                   int64_t stride_a, const real *b, int64_t ldb, int64_t stride_b, int planes) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < k; j++) {
            double sum = 0;
            for (int p = 0; p < planes; p++)
                for (int64_t t = 0; t < n; t++)
                    sum += (double)a[p * stride_a + i * lda + t] * (double)b[p * stride_b + j * ldb + t];
            c[i * ldc + j] += scale * (real)sum;
        }
}
