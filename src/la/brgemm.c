#include "la/brgemm.h"

#include "la/flops.h"
#include "la/simd.h"

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Register tiles of brgemm: up to ROWS rows, of as many vectors that the accumulators, the vectors of B and one broadcast
 * fill the registers; few rows take more vectors, so that multiply-adds in flight do not wait for each other. */
#if SIMD_REGISTERS == 32
enum { ROWS = 8, VECS = 8 };
static const int widest[ROWS] = {8, 8, 4, 4, 4, 4, 3, 3};
#else
enum { ROWS = 4, VECS = 6 };
static const int widest[ROWS] = {6, 4, 3, 3};
#endif
/* Of brgemm_nt: up to SIDE x ACROSS accumulators. */
typedef real Side __attribute__((vector_size(4 * sizeof(real))));
enum { SIDE = 4, ACROSS = SIMD_REGISTERS == 32 ? 4 : 3 };

/* The fewest pieces of at most `most` into which n is cut: of `size`, the first `longer` of them one more. Products are short
 * enough for divisions to count: there is one for each direction, of 32 bits. */
typedef struct Cut {
    int64_t size, longer;
} Cut;

static inline Cut cut_evenly(int64_t n, int most) {
    uint32_t length = (uint32_t)n, pieces = n > most ? (length + (uint32_t)most - 1) / (uint32_t)most : 1;
    if (pieces == 1) return (Cut){.size = n};
    return (Cut){.size = length / pieces, .longer = length % pieces};
}

static inline int64_t next_piece(Cut *cut) {
    return cut->size + (cut->longer-- > 0);
}

/* The register tiles of a product of m rows and n columns, one after the other. */
typedef struct Walk {
    int64_t i, rows, j, vecs,
        last; /* of this tile: first row, rows; first column, vectors, columns in the last vector */
    int64_t m, n;
    Cut down, along;
} Walk;

static inline Walk walk_over(int64_t m, int64_t n) {
    return (Walk){.m = n > 0 ? m : 0, .n = n, .j = n, .down = cut_evenly(m, ROWS)};
}

static inline bool next_tile(Walk *w) {
    w->j += w->vecs * LANES;
    if (w->j >= w->n) {
        w->i += w->rows;
        if (w->i == w->m) return false;
        w->rows = next_piece(&w->down);
        w->along = cut_evenly((w->n + LANES - 1) / LANES, widest[w->rows - 1]);
        w->j = 0;
    }
    w->vecs = next_piece(&w->along);
    int64_t left = w->n - w->j - (w->vecs - 1) * LANES;
    w->last = left < LANES ? left : LANES;
    return true;
}

/* The vectors of a row of a tile; of the last one the lanes of `mask`. Whole vectors are stored whole: the next product may
 * load them while they are on their way to the cache, which it may not where there is a mask. */
INLINE void store_row(real *c, const Vec *v, int vecs, Mask mask) {
    UNROLL for (int j = 0; j < vecs; j++) {
        if (j < vecs - 1)
            vec_store(c + j * LANES, v[j]);
        else
            vec_store_masked(c + j * LANES, v[j], mask);
    }
}

/* A vector for several uses: the compiler would load it anew for each. */
INLINE Vec kept(Vec v) {
    vec_keep(&v);
    return v;
}

INLINE Vec load_column(const real *c, int j, int vecs, Mask mask) {
    return j < vecs - 1 ? vec_load(c + j * LANES) : vec_load_masked(c + j * LANES, mask);
}

/* One plane. `last`: lanes of the last vector that are stored. */
INLINE void tile(int rows, int vecs, real *c, int64_t ldc, int64_t last, int plane, const BrTerm *terms, int n_terms,
                 int64_t i0, int64_t j0, const real *bias, real beta) {
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
        const real *a = x->a + i0 * x->row, *b = x->b + plane * x->stride + j0;
        int64_t row = x->row, col = x->col, ldb = x->ldb;
        for (int64_t k = 0; k < x->k; k++, a += col, b += ldb) {
            Vec v[VECS];
            UNROLL for (int j = 0; j < vecs; j++) v[j] = kept(vec_load(b + j * LANES));
            UNROLL for (int i = 0; i < rows; i++) {
                Vec w = vec_set(a[i * row]);
                UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = vec_fma(w, v[j], acc[i][j]);
            }
        }
    }
    Mask mask = vec_mask(last);
    if (bias || beta != 0) {
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) {
            acc[i][j] = acc[i][j] * scale + (bias ? bias[i0 + i] : 0);
            if (beta != 0) acc[i][j] += load_column(c + i * ldc, j, vecs, mask);
        }
        scale = 1;
    }
    if (scale != 1) UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) acc[i][j] *= scale;
    UNROLL for (int i = 0; i < rows; i++) store_row(c + i * ldc, acc[i], vecs, mask);
}

#define TILE(rows, vecs)                                                                                               \
    static __attribute__((noinline)) void tile_##rows##_##vecs(real *c, int64_t ldc, int64_t stride_c, int planes,     \
                                                               int64_t last, const BrTerm *terms, int n_terms,         \
                                                               int64_t i0, int64_t j0, const real *bias, real beta) {  \
        for (int p = 0; p < planes; p++, c += stride_c)                                                                \
            tile(rows, vecs, c, ldc, last, p, terms, n_terms, i0, j0, bias, beta);                                     \
    }
typedef void Tile(real *, int64_t, int64_t, int, int64_t, const BrTerm *, int, int64_t, int64_t, const real *, real);

/* FOR(rows, vecs) for all tiles: as in `widest`. */
#define UP_TO_3(FOR, rows) FOR(rows, 1) FOR(rows, 2) FOR(rows, 3)
#define UP_TO_4(FOR, rows) UP_TO_3(FOR, rows) FOR(rows, 4)
#define UP_TO_6(FOR, rows) UP_TO_4(FOR, rows) FOR(rows, 5) FOR(rows, 6)
#define UP_TO_8(FOR, rows) UP_TO_6(FOR, rows) FOR(rows, 7) FOR(rows, 8)
#if SIMD_REGISTERS == 32
#define EACH_TILE(FOR)                                                                                                 \
    UP_TO_8(FOR, 1)                                                                                                    \
    UP_TO_8(FOR, 2)                                                                                                    \
    UP_TO_4(FOR, 3)                                                                                                    \
    UP_TO_4(FOR, 4)                                                                                                    \
    UP_TO_4(FOR, 5)                                                                                                    \
    UP_TO_4(FOR, 6)                                                                                                    \
    UP_TO_3(FOR, 7)                                                                                                    \
    UP_TO_3(FOR, 8)
#else
#define EACH_TILE(FOR)                                                                                                 \
    UP_TO_6(FOR, 1)                                                                                                    \
    UP_TO_4(FOR, 2)                                                                                                    \
    UP_TO_3(FOR, 3)                                                                                                    \
    UP_TO_3(FOR, 4)
#endif
EACH_TILE(TILE)
#define ENTRY(rows, vecs) [rows - 1][vecs - 1] = tile_##rows##_##vecs,
    static Tile *const tiles[ROWS][VECS] = {EACH_TILE(ENTRY)};

void brgemm(real *c, int64_t ldc, int64_t stride_c, int planes, int64_t m, int64_t n, const BrTerm *terms, int n_terms,
            const real *bias, real beta) {
    int64_t k = 0;
    for (Walk w = walk_over(m, n); next_tile(&w);)
        tiles[w.rows - 1][w.vecs - 1](c + w.i * ldc + w.j, ldc, stride_c, planes, w.last, terms, n_terms, w.i, w.j,
                                      bias, beta);
    for (int t = 0; t < n_terms; t++) k += terms[t].k;
    flops_add(2 * m * n * k * planes);
}

/* The products of a vector of columns, whole or of the lanes of `mask`. ahead: fetch the next rows of B, which come from far
 * when they are met for the first time. */
INLINE void nt_step(int rows, int cols, Vec *acc, const real *a, int64_t lda, const real *b, int64_t ldb, bool whole,
                    Mask mask, bool ahead) {
    Vec v[SIDE];
    UNROLL for (int j = 0; j < cols; j++) v[j] =
        kept(whole ? vec_load(b + j * ldb) : vec_load_masked(b + j * ldb, mask));
    if (ahead) UNROLL for (int j = 0; j < cols; j++) __builtin_prefetch(b + (j + SIDE) * ldb);
    UNROLL for (int i = 0; i < rows; i++) {
        Vec w = kept(whole ? vec_load(a + i * lda) : vec_load_masked(a + i * lda, mask));
        UNROLL for (int j = 0; j < cols; j++) acc[i * SIDE + j] = vec_fma(w, v[j], acc[i * SIDE + j]);
    }
}

INLINE void nt_tile(int rows, int cols, real *c, int64_t ldc, int64_t n, real scale, const real *a, int64_t lda,
                    int64_t stride_a, const real *b, int64_t ldb, int64_t stride_b, int planes, bool ahead) {
    Vec acc[SIDE * SIDE];
    UNROLL for (int i = 0; i < SIDE * SIDE; i++) acc[i] = (Vec){0};
    int64_t last = (n - 1) / LANES * LANES;
    Mask mask = vec_mask(n - last);
    for (int p = 0; p < planes; p++, a += stride_a, b += stride_b) {
        for (int64_t t = 0; t < last; t += LANES) nt_step(rows, cols, acc, a + t, lda, b + t, ldb, true, mask, ahead);
        nt_step(rows, cols, acc, a + last, lda, b + last, ldb, false, mask, ahead);
    }
    Vec parts[SIDE * SIDE]; /* a copy, so that acc stays in registers */
    real sums[SIDE * SIDE];
    UNROLL for (int i = 0; i < SIDE * SIDE; i++) parts[i] = acc[i];
    for (int i = 0; i < SIDE * SIDE; i += LANES) vec_store(sums + i, scale * vec_lane_sums(parts + i, LANES));
    UNROLL for (int i = 0; i < rows; i++) {
        if (cols < SIDE) {
            UNROLL for (int j = 0; j < cols; j++) c[i * ldc + j] += sums[i * SIDE + j];
            continue;
        }
        Side row, add;
        memcpy(&add, sums + i * SIDE, sizeof add);
        memcpy(&row, c + i * ldc, sizeof row);
        row += add;
        memcpy(c + i * ldc, &row, sizeof row);
    }
}

#define NT_TILE(rows, cols)                                                                                            \
    static __attribute__((noinline)) void nt_tile_##rows##_##cols(                                                     \
        real *c, int64_t ldc, int64_t n, real scale, const real *a, int64_t lda, int64_t stride_a, const real *b,      \
        int64_t ldb, int64_t stride_b, int planes, bool ahead) {                                                       \
        if (ahead)                                                                                                     \
            nt_tile(rows, cols, c, ldc, n, scale, a, lda, stride_a, b, ldb, stride_b, planes, true);                   \
        else                                                                                                           \
            nt_tile(rows, cols, c, ldc, n, scale, a, lda, stride_a, b, ldb, stride_b, planes, false);                  \
    }
typedef void NtTile(real *, int64_t, int64_t, real, const real *, int64_t, int64_t, const real *, int64_t, int64_t, int,
                    bool);
#if SIMD_REGISTERS == 32
#define EACH_NT_TILE(FOR) UP_TO_4(FOR, 1) UP_TO_4(FOR, 2) UP_TO_4(FOR, 3) UP_TO_4(FOR, 4)
#else
#define EACH_NT_TILE(FOR) UP_TO_3(FOR, 1) UP_TO_3(FOR, 2) UP_TO_3(FOR, 3) UP_TO_3(FOR, 4)
#endif
EACH_NT_TILE(NT_TILE)
#define NT_ENTRY(rows, cols) [rows - 1][cols - 1] = nt_tile_##rows##_##cols,
static NtTile *const nt_tiles[SIDE][ACROSS] = {EACH_NT_TILE(NT_ENTRY)};

void brgemm_nt(real *c, int64_t ldc, int64_t m, int64_t k, int64_t n, real scale, const real *a, int64_t lda,
               int64_t stride_a, const real *b, int64_t ldb, int64_t stride_b, int planes) {
    Cut down = cut_evenly(m, SIDE);
    for (int64_t i = 0, rows; i < m; i += rows) {
        rows = next_piece(&down);
        Cut along = cut_evenly(k, ACROSS);
        for (int64_t j = 0, cols; j < k; j += cols) {
            cols = next_piece(&along);
            nt_tiles[rows - 1][cols - 1](c + i * ldc + j, ldc, n, scale, a + i * lda, lda, stride_a, b + j * ldb, ldb,
                                         stride_b, planes, i == 0);
        }
    }
    flops_add(2 * m * k * n * planes);
}

INLINE void rows_tile(int rows, int vecs, real *const *c, real *const *a, int64_t first, int64_t column, int64_t last,
                      const real *b, int64_t ldb, int64_t k, real beta) {
    Vec acc[ROWS][VECS];
    const real *x[ROWS];
    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = a[i] + first;
        UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = (Vec){0};
    }
    for (int64_t p = 0; p < k; p++, b += ldb) {
        Vec v[VECS];
        UNROLL for (int j = 0; j < vecs; j++) v[j] = kept(vec_load(b + j * LANES));
        UNROLL for (int i = 0; i < rows; i++) {
            Vec w = vec_set(x[i][p]);
            UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = vec_fma(w, v[j], acc[i][j]);
        }
    }
    Mask mask = vec_mask(last);
    UNROLL for (int i = 0; i < rows; i++) {
        real *y = c[i] + first + column;
        if (beta != 0) UNROLL for (int j = 0; j < vecs; j++) acc[i][j] += load_column(y, j, vecs, mask);
        store_row(y, acc[i], vecs, mask);
    }
}

#define ROWS_TILE(rows, vecs)                                                                                          \
    static __attribute__((noinline)) void rows_tile_##rows##_##vecs(real *const *c, real *const *a, int64_t first,     \
                                                                    int64_t column, int64_t last, const real *b,       \
                                                                    int64_t ldb, int64_t k, real beta) {               \
        rows_tile(rows, vecs, c, a, first, column, last, b, ldb, k, beta);                                             \
    }
typedef void RowsTile(real *const *, real *const *, int64_t, int64_t, int64_t, const real *, int64_t, int64_t, real);
EACH_TILE(ROWS_TILE)
#define ROWS_ENTRY(rows, vecs) [rows - 1][vecs - 1] = rows_tile_##rows##_##vecs,
    static RowsTile *const rows_tiles[ROWS][VECS] = {EACH_TILE(ROWS_ENTRY)};

void brgemm_rows(real *const *c, real *const *a, int64_t m, int64_t first, const real *b, int64_t ldb, int64_t n,
                 int64_t k, real beta) {
    for (Walk w = walk_over(m, n); next_tile(&w);)
        rows_tiles[w.rows - 1][w.vecs - 1](c + w.i, a + w.i, first, w.j, w.last, b + w.j, ldb, k, beta);
    flops_add(2 * m * n * k);
}

INLINE void outer_tile(int rows, int vecs, real *c, int64_t ldc, int64_t last, real *const *a, int64_t i0,
                       real *const *b, int64_t j0, int64_t k) {
    Vec acc[ROWS][VECS];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = (Vec){0};
    for (int64_t p = 0; p < k; p++) {
        const real *x = a[p] + i0, *y = b[p] + j0;
        Vec v[VECS];
        UNROLL for (int j = 0; j < vecs; j++) v[j] = kept(vec_load(y + j * LANES));
        UNROLL for (int i = 0; i < rows; i++) {
            Vec w = vec_set(x[i]);
            UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = vec_fma(w, v[j], acc[i][j]);
        }
    }
    Mask mask = vec_mask(last);
    UNROLL for (int i = 0; i < rows; i++) store_row(c + i * ldc, acc[i], vecs, mask);
}

#define OUTER_TILE(rows, vecs)                                                                                         \
    static __attribute__((noinline)) void outer_tile_##rows##_##vecs(                                                  \
        real *c, int64_t ldc, int64_t last, real *const *a, int64_t i0, real *const *b, int64_t j0, int64_t k) {       \
        outer_tile(rows, vecs, c, ldc, last, a, i0, b, j0, k);                                                         \
    }
typedef void OuterTile(real *, int64_t, int64_t, real *const *, int64_t, real *const *, int64_t, int64_t);
EACH_TILE(OUTER_TILE)
#define OUTER_ENTRY(rows, vecs) [rows - 1][vecs - 1] = outer_tile_##rows##_##vecs,
    static OuterTile *const outer_tiles[ROWS][VECS] = {EACH_TILE(OUTER_ENTRY)};

void brgemm_outer(real *c, int64_t ldc, int64_t m, int64_t n, real *const *a, real *const *b, int64_t first,
                  int64_t k) {
    for (Walk w = walk_over(m, n); next_tile(&w);)
        outer_tiles[w.rows - 1][w.vecs - 1](c + w.i * ldc + w.j, ldc, w.last, a, first + w.i, b, first + w.j, k);
    flops_add(2 * m * n * k);
}

void brgemm_ref(real *c, int64_t ldc, int64_t stride_c, int planes, int64_t m, int64_t n, const BrTerm *terms,
                int n_terms, const real *bias, real beta) {
    for (int p = 0; p < planes; p++, c += stride_c)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = (bias ? (double)bias[i] : 0) + (beta != 0 ? (double)c[i * ldc + j] : 0);
                for (const BrTerm *x = terms; x < terms + n_terms; x++)
                    for (int64_t k = 0; k < x->k; k++)
                        sum += (double)x->scale * (double)x->a[i * x->row + k * x->col] *
                               (double)x->b[p * x->stride + k * x->ldb + j];
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

void brgemm_rows_ref(real *const *c, real *const *a, int64_t m, int64_t first, const real *b, int64_t ldb, int64_t n,
                     int64_t k, real beta) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            real *y = c[i] + first + j;
            double sum = beta != 0 ? (double)*y : 0;
            for (int64_t p = 0; p < k; p++) sum += (double)a[i][first + p] * (double)b[p * ldb + j];
            *y = (real)sum;
        }
}

void brgemm_outer_ref(real *c, int64_t ldc, int64_t m, int64_t n, real *const *a, real *const *b, int64_t first,
                      int64_t k) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < k; p++) sum += (double)a[p][first + i] * (double)b[p][first + j];
            c[i * ldc + j] = (real)sum;
        }
}
