#include "la/dist.h"

#include "base/arena.h"
#include "base/err.h"
#include "par/comm_mpi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* BLACS and ScaLAPACK come without C headers. */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int cols);
void Cblacs_gridinfo(int context, int *rows, int *cols, int *row, int *col);
void Cblacs_gridexit(int context);
int numroc_(const int *n, const int *block, const int *rank, const int *first, const int *size);
void descinit_(int *desc, const int *m, const int *n, const int *mb, const int *nb, const int *first_row,
               const int *first_col, const int *context, const int *ld, int *info);
void pdpotrf_(const char *uplo, const int *n, double *a, const int *ia, const int *ja, const int *desc, int *info,
              size_t uplo_len);
void pdpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *ia, const int *ja,
              const int *desca, double *b, const int *ib, const int *jb, const int *descb, int *info, size_t uplo_len);
void pdpotri_(const char *uplo, const int *n, double *a, const int *ia, const int *ja, const int *desc, int *info,
              size_t uplo_len);
void pdtrsm_(const char *side, const char *uplo, const char *trans, const char *diag, const int *m, const int *n,
             const double *alpha, const double *a, const int *ia, const int *ja, const int *desca, double *b,
             const int *ib, const int *jb, const int *descb, size_t, size_t, size_t, size_t);
void pdgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k, const double *alpha,
             const double *a, const int *ia, const int *ja, const int *desca, const double *b, const int *ib,
             const int *jb, const int *descb, const double *beta, double *c, const int *ic, const int *jc,
             const int *descc, size_t, size_t);

struct DistGrid {
    const Comm *comm;
    int system, context;
    int rows, cols, row, col;
};

static const int zero = 0, one = 1;
static const double unit = 1, none = 0;

DistGrid *dist_grid_new(const Comm *comm) {
    DistGrid *g = MEM_NEW(DistGrid, 1);
    int size = comm_size(comm);
    g->comm = comm;
    for (g->rows = (int)sqrt((double)size); size % g->rows; g->rows--) {
    }
    g->cols = size / g->rows;
    g->system = g->context = Csys2blacs_handle(comm_mpi(comm));
    Cblacs_gridinit(&g->context, "Row", g->rows, g->cols);
    Cblacs_gridinfo(g->context, &g->rows, &g->cols, &g->row, &g->col);
    return g;
}

void dist_grid_free(DistGrid *g) {
    if (!g) return;
    Cblacs_gridexit(g->context);
    Cfree_blacs_system_handle(g->system);
    mem_free(g);
}

static int narrow(int64_t n) {
    CHECK(n >= 0 && n <= INT_MAX, "%lld is too large for ScaLAPACK", (long long)n);
    return (int)n;
}

DistMatrix dist_new(const DistGrid *g, int64_t rows, int64_t cols, int64_t block) {
    DistMatrix m = {.grid = g, .rows = rows, .cols = cols, .block = block};
    int r = narrow(rows), c = narrow(cols), b = narrow(block), info;
    m.local_rows = numroc_(&r, &b, &g->row, &zero, &g->rows);
    m.local_cols = numroc_(&c, &b, &g->col, &zero, &g->cols);
    int ld = m.local_rows > 0 ? narrow(m.local_rows) : 1;
    descinit_(m.desc, &r, &c, &b, &b, &zero, &zero, &g->context, &ld, &info);
    CHECK(info == 0, "descinit: %d", info);
    m.a = MEM_NEW(double, ld *(m.local_cols > 0 ? m.local_cols : 1));
    return m;
}

void dist_free(DistMatrix *m) {
    mem_free(m->a);
    *m = (DistMatrix){0};
}

int64_t dist_row(const DistMatrix *m, int64_t i) {
    return (i / m->block * m->grid->rows + m->grid->row) * m->block + i % m->block;
}

int64_t dist_col(const DistMatrix *m, int64_t j) {
    return (j / m->block * m->grid->cols + m->grid->col) * m->block + j % m->block;
}

bool dist_cholesky(DistMatrix *a) {
    int n = narrow(a->rows), info;
    pdpotrf_("L", &n, a->a, &one, &one, a->desc, &info, 1);
    CHECK(info >= 0, "pdpotrf: argument %d", -info);
    return comm_all(a->grid->comm, info == 0);
}

double dist_log_det(const DistMatrix *l) {
    double sum = 0;
    int64_t i = 0; /* rows and columns ascend together */
    for (int64_t j = 0; j < l->local_cols; j++) {
        while (i < l->local_rows && dist_row(l, i) < dist_col(l, j)) i++;
        if (i < l->local_rows && dist_row(l, i) == dist_col(l, j)) sum += 2 * log(l->a[j * l->local_rows + i]);
    }
    comm_sum_f64(l->grid->comm, &sum, 1);
    return sum;
}

void dist_solve(DistMatrix *b, const DistMatrix *l) {
    int n = narrow(l->rows), m = narrow(b->cols), info;
    pdpotrs_("L", &n, &m, l->a, &one, &one, l->desc, b->a, &one, &one, b->desc, &info, 1);
    CHECK(info == 0, "pdpotrs: %d", info);
}

void dist_solve_lower(DistMatrix *b, const DistMatrix *l) {
    int n = narrow(l->rows), m = narrow(b->cols);
    pdtrsm_("L", "L", "N", "N", &n, &m, &unit, l->a, &one, &one, l->desc, b->a, &one, &one, b->desc, 1, 1, 1, 1);
}

void dist_invert(DistMatrix *l) {
    int n = narrow(l->rows), info;
    pdpotri_("L", &n, l->a, &one, &one, l->desc, &info, 1);
    CHECK(info == 0, "pdpotri: %d", info);
}

void dist_multiply_tn(DistMatrix *c, const DistMatrix *a, const DistMatrix *b) {
    int m = narrow(a->cols), n = narrow(b->cols), k = narrow(a->rows);
    pdgemm_("T", "N", &m, &n, &k, &unit, a->a, &one, &one, a->desc, b->a, &one, &one, b->desc, &none, c->a, &one, &one,
            c->desc, 1, 1);
}

void dist_put(DistMatrix *m, const double *full) {
    for (int64_t j = 0; j < m->local_cols; j++)
        for (int64_t i = 0; i < m->local_rows; i++)
            m->a[j * m->local_rows + i] = full[dist_row(m, i) * m->cols + dist_col(m, j)];
}

void dist_get(double *full, const DistMatrix *m) {
    memset(full, 0, (size_t)(m->rows * m->cols) * sizeof *full);
    for (int64_t j = 0; j < m->local_cols; j++)
        for (int64_t i = 0; i < m->local_rows; i++)
            full[dist_row(m, i) * m->cols + dist_col(m, j)] = m->a[j * m->local_rows + i];
    comm_sum_f64(m->grid->comm, full, m->rows * m->cols);
}
