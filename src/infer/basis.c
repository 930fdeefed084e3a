#include "basis.h"

#include "base/arena.h"
#include "fit/noise.h"

#include <math.h>

static const double clip = 2.5;         /* standard deviations; of normal noise 1 % lie beyond */
static const double independent = 1e-4; /* of its length: what a term must have that others before it have not */

double basis_dot(const double *x, const double *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void subtract(double *x, double factor, const double *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] -= factor * y[i];
}

/* Takes the column at column[count] into the basis, unless the rows do not tell it from those before it. */
static void take(Basis *b) {
    double *new = b->column + b->count * b->n;
    double before = sqrt(basis_dot(new, new, b->n));
    for (int twice = 0; twice < 2; twice++) /* once more for what rounding leaves */
        for (int k = 0; k < b->count; k++)
            subtract(new, basis_dot(new, b->column + k * b->n, b->n), b->column + k * b->n, b->n);
    double length = sqrt(basis_dot(new, new, b->n));
    if (!(length > independent * before)) return;
    for (int64_t i = 0; i < b->n; i++) new[i] /= length;
    subtract(b->left, basis_dot(b->left, new, b->n), new, b->n);
    b->count++;
}

/* Where each of x lies between the least and the largest, from -1 to 1. */
static void place_between(double *place, const double *x, int64_t n) {
    double lo = INFINITY;
    double hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = fmin(lo, x[i]);
        hi = fmax(hi, x[i]);
    }
    for (int64_t i = 0; i < n; i++) place[i] = hi > lo ? 2 * (x[i] - lo) / (hi - lo) - 1 : 0;
}

/* The derivatives of log S to the coefficients that are free. */
static void take_law(Basis *b, const LawProblem *p, const Law *law, int arm) {
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        if (p->slot[arm][c] < 0) continue;
        for (int64_t i = 0; i < b->n; i++) {
            double d[LAW_COEFFICIENTS];
            double s = law_rows_loss(d, b->rows, law, i);
            b->column[b->count * b->n + i] = b->unit[i] * d[c] / s;
        }
        take(b);
    }
}

void basis_take_degree(Basis *b, int degree, bool both) {
    for (int k = 0; k <= (both ? degree : 0); k++) {
        for (int64_t i = 0; i < b->n; i++)
            b->column[b->count * b->n + i] = b->unit[i] * pow(b->place[i], degree - k) * pow(b->place[b->n + i], k);
        take(b);
    }
}

Basis basis_new(const LawProblem *p, const LawFit *fit, int arm, bool uneven) {
    const LawRows *rows = p->source[arm];
    int64_t n = rows->n;
    Noise noise = noise_of(p, fit, arm, uneven);
    Basis b = {.rows = rows, .n = n};
    b.unit = MEM_NEW(double, n *(LAW_COEFFICIENTS + BASIS_TERMS + 4) + 1);
    b.place = b.unit + n;
    b.left = b.place + 2 * n;
    b.column = b.left + n;
    double bound = clip * sqrt(basis_dot(noise.unit, noise.unit, n) / (double)n);
    for (int64_t i = 0; i < n; i++) {
        b.unit[i] = sqrt(rows->k.w[i]) / noise.scale[i];
        b.left[i] = fmin(fmax(noise.unit[i], -bound), bound);
    }
    noise_free(&noise);
    place_between(b.place, rows->k.x, n);
    place_between(b.place + n, rows->k.y, n);
    take_law(&b, p, &fit->law[arm], arm);
    return b;
}

void basis_free(Basis *b) {
    mem_free(b->unit);
    *b = (Basis){0};
}
