#include "serial.h"

#include "base/arena.h"
#include "math/stats.h"

#include <math.h>

/* Pairs of neighbours, and rows beyond the columns of the basis, without which nothing is said. */
enum { LEAST_PAIRS = 8, LEAST_LEFT = 5 };

/* Rows of one (N, D) in the order of N, then D. */
typedef struct Levels {
    int64_t n;
    int64_t *of;     /* (rows) whose level it is; owned, as all arrays */
    double *root;    /* (n) of the number of its rows */
    bool *continues; /* (n) is the level before it one of the same N? */
} Levels;

static Levels levels_of(const LawRows *rows) {
    Levels l = {.of = MEM_NEW(int64_t, rows->n + 1)};
    l.root = MEM_NEW(double, rows->n + 1);
    l.continues = MEM_NEW(bool, rows->n + 1);
    int64_t *order = law_rows_order(rows->size, rows->length, rows->n);
    bool of_data = rows->axes == LAW_OF_D; /* whatever their N is, which nobody need know */
    for (int64_t i = 0; i < rows->n; i++) {
        int64_t row = order[i];
        int64_t before = i > 0 ? order[i - 1] : row;
        bool known = rows->size[row] > 0;
        bool same_size = i > 0 && (known || of_data) && rows->size[row] == rows->size[before];
        if (!same_size || rows->length[row] != rows->length[before]) l.continues[l.n++] = same_size;
        l.of[row] = l.n - 1;
        l.root[l.n - 1] += 1;
    }
    for (int64_t k = 0; k < l.n; k++) l.root[k] = sqrt(l.root[k]);
    mem_free(order);
    return l;
}

static void levels_free(Levels *l) {
    mem_free(l->of);
    mem_free(l->root);
    mem_free(l->continues);
}

/* What a column of rows (basis.n) is of levels. */
static void gather(double *level, const Levels *l, const double *row, int64_t n) {
    for (int64_t k = 0; k < l->n; k++) level[k] = 0;
    for (int64_t i = 0; i < n; i++) level[l->of[i]] += row[i] / l->root[l->of[i]];
}

/* A u: half of the neighbours on both sides. */
static void neighbours(double *out, const Levels *l, const double *u) {
    for (int64_t k = 0; k < l->n; k++) {
        double before = l->continues[k] ? u[k - 1] : 0;
        double after = k + 1 < l->n && l->continues[k + 1] ? u[k + 1] : 0;
        out[k] = 0.5 * (before + after);
    }
}

/* What the columns of a basis do to the sum of products of neighbours' errors of variance 1: its mean is less by `taken`, and its
 * variance is `normal` where errors are normal. With A the neighbours, Q the columns and M = I - QQ': tr(A M) = -tr(Q'AQ), and
 * 2 tr(A M A M) less what is known of it from the residuals' variance. */
typedef struct Expected {
    double taken, normal;
} Expected;

static Expected expected(const Basis *b, const Levels *l, double pairs, double left) {
    double *q = MEM_NEW(double, 2 * b->count * l->n + 1); /* Q (count, levels), then A Q */
    double *aq = q + b->count * l->n;
    Expected e = {.normal = pairs};
    for (int c = 0; c < b->count; c++) {
        gather(q + c * l->n, l, b->column + c * b->n, b->n);
        neighbours(aq + c * l->n, l, q + c * l->n);
        e.taken += basis_dot(q + c * l->n, aq + c * l->n, l->n);
        e.normal -= 4 * basis_dot(aq + c * l->n, aq + c * l->n, l->n);
    }
    for (int c = 0; c < b->count; c++)
        for (int d = 0; d < b->count; d++) e.normal += 2 * pow(basis_dot(q + c * l->n, aq + d * l->n, l->n), 2);
    e.normal -= 2 * e.taken * e.taken / left;
    mem_free(q);
    return e;
}

double serial_test(const Basis *b) {
    Levels l = levels_of(b->rows);
    double pairs = 0;
    double left = (double)(b->n - b->count);
    double value = NAN;
    for (int64_t k = 0; k < l.n; k++) pairs += l.continues[k];
    if (pairs >= LEAST_PAIRS && left >= LEAST_LEFT) {
        double *u = MEM_NEW(double, l.n + 1);
        double variance = basis_dot(b->left, b->left, b->n) / left;
        double sum = 0;
        double signs = 0; /* the variance of the sum where only signs are by chance */
        gather(u, &l, b->left, b->n);
        for (int64_t k = 1; k < l.n; k++) {
            double product = l.continues[k] ? u[k - 1] * u[k] : 0;
            sum += product;
            signs += product * product;
        }
        Expected e = expected(b, &l, pairs, left);
        double spread = sqrt(fmax(variance * variance * e.normal, signs));
        if (spread > 0) value = stats_normal_cdf(-(sum + variance * e.taken) / spread);
        mem_free(u);
    }
    levels_free(&l);
    return value;
}
