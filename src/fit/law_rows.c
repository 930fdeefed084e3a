#include "fit/law_rows.h"

#include "base/arena.h"

#include <math.h>
#include <stdlib.h>

/* A row with what tells its configuration or its group. */
typedef struct Labelled {
    double x, n, d; /* 0: unknown */
    int64_t label;  /* dataset or group */
    int64_t row;
} Labelled;

static int compare(const void *one, const void *other) {
    const Labelled *p = one;
    const Labelled *q = other;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    if (p->n != q->n) return p->n < q->n ? -1 : 1;
    if (p->d != q->d) return p->d < q->d ? -1 : 1;
    if (p->label != q->label) return p->label < q->label ? -1 : 1;
    return p->row < q->row ? -1 : 1;
}

static bool alike(const Labelled *p, const Labelled *q) {
    return p->x == q->x && p->n == q->n && p->d == q->d && p->label == q->label;
}

static double or_zero(double x) {
    return isfinite(x) ? x : 0;
}

/* Numbers the configurations in the order of their first rows: a row belongs to that of the first row before it of the same
 * size, length and dataset that has another seed. */
static void find_configs(LawRows *r, const Table *table) {
    Labelled *sorted = MEM_NEW(Labelled, r->n + 1);
    int64_t *twin = MEM_NEW(int64_t, r->n + 1); /* that row; -1: none */
    r->config = MEM_NEW(int64_t, r->n + 1);
    for (int64_t k = 0; k < r->n; k++) {
        const Point *p = &table->at[r->point[k]];
        sorted[k] = (Labelled){r->k.x[k], or_zero(p->n), or_zero(p->d), p->dataset, k};
    }
    qsort(sorted, (size_t)r->n, sizeof *sorted, compare);
    int64_t leader = 0; /* the first row that is alike */
    int64_t other = -1; /* the first of them with another seed than the leader */
    for (int64_t i = 0; i < r->n; i++) {
        int64_t row = sorted[i].row;
        bool first = i == 0 || !alike(&sorted[i - 1], &sorted[i]);
        if (first) {
            leader = row;
            other = -1;
        }
        bool same_seed = table->at[r->point[row]].seed == table->at[r->point[leader]].seed;
        twin[row] = same_seed ? other : leader;
        if (!same_seed && other < 0) other = row;
    }
    for (int64_t k = 0; k < r->n; k++) r->config[k] = twin[k] < 0 ? r->configs++ : r->config[twin[k]];
    mem_free(twin);
    mem_free(sorted);
}

/* Lists the rows of each configuration: a counting sort. first[k + 1] is where the next row of config k goes. */
static void list_members(LawRows *r) {
    r->first = MEM_NEW(int64_t, r->configs + 2);
    r->member = MEM_NEW(int64_t, r->n + 1);
    for (int64_t k = 0; k < r->n; k++) r->first[r->config[k] + 2]++;
    for (int64_t k = 0; k < r->configs; k++) r->first[k + 2] += r->first[k + 1];
    for (int64_t k = 0; k < r->n; k++) {
        int64_t *next = &r->first[r->config[k] + 1];
        r->member[*next] = k;
        ++*next;
    }
}

/* Numbers the groups in the order of their first rows; a row whose group is 0 is one of its own. */
static void find_groups(LawRows *r, const Table *table) {
    Labelled *sorted = MEM_NEW(Labelled, r->n + 1);
    int64_t *first = MEM_NEW(int64_t, r->n + 1); /* row of the group */
    r->group = MEM_NEW(int64_t, r->n + 1);
    for (int64_t k = 0; k < r->n; k++) sorted[k] = (Labelled){.label = table->at[r->point[k]].group, .row = k};
    qsort(sorted, (size_t)r->n, sizeof *sorted, compare);
    for (int64_t i = 0; i < r->n; i++) {
        bool joins = i > 0 && sorted[i].label != 0 && sorted[i].label == sorted[i - 1].label;
        first[sorted[i].row] = joins ? first[sorted[i - 1].row] : sorted[i].row;
    }
    for (int64_t k = 0; k < r->n; k++) r->group[k] = first[k] == k ? r->groups++ : r->group[first[k]];
    mem_free(first);
    mem_free(sorted);
}

/* The logarithm of what a law of these axes has first. */
static double first_axis(const Point *p, LawAxes axes) {
    switch (axes) {
    case LAW_OF_N_AND_D:
    case LAW_OF_N: return log(p->n);
    case LAW_OF_D: return log(p->d);
    case LAW_OF_C: break;
    }
    return log(p->c[CURRENCY_NOMINAL]);
}

typedef struct Placed {
    double first, second;
    int64_t row;
} Placed;

static int by_place(const void *one, const void *other) {
    const Placed *p = one;
    const Placed *q = other;
    if (p->first != q->first) return p->first < q->first ? -1 : 1;
    if (p->second != q->second) return p->second < q->second ? -1 : 1;
    return p->row < q->row ? -1 : 1;
}

int64_t *law_rows_order(const double *first, const double *second, int64_t n) {
    Placed *sorted = MEM_NEW(Placed, n + 1);
    int64_t *order = MEM_NEW(int64_t, n + 1);
    for (int64_t i = 0; i < n; i++) sorted[i] = (Placed){first[i], second ? second[i] : 0, i};
    qsort(sorted, (size_t)n, sizeof *sorted, by_place);
    for (int64_t i = 0; i < n; i++) order[i] = sorted[i].row;
    mem_free(sorted);
    return order;
}

/* Numbers the budgets from 1, in the order of C. */
static void find_budgets(LawRows *r, const Table *table) {
    const double near = 0.03, widest = 0.1; /* of log C, between neighbours and in all */
    double *c = MEM_NEW(double, r->n + 1);
    bool known = true;
    for (int64_t k = 0; k < r->n; k++) {
        c[k] = log(table->at[r->point[k]].c[CURRENCY_NOMINAL]);
        known &= isfinite(c[k]);
    }
    int64_t *order = law_rows_order(c, NULL, known ? r->n : 0);
    double least = -INFINITY, before = -INFINITY;
    int64_t budgets = 0;
    for (int64_t i = 0; i < r->n && known; i++) {
        double own = c[order[i]];
        if (own - before > near || own - least > widest) {
            budgets++;
            least = own;
        }
        before = own;
        r->budget[order[i]] = (double)budgets;
    }
    mem_free(order);
    mem_free(c);
}

LawRows law_rows(const Table *table, int arm, LawAxes axes) {
    LawRows r = {.axes = axes};
    for (int64_t i = 0; i < table->n; i++) r.n += table_final(table, i, arm);
    int64_t n = (r.n + LAW_PAD - 1) / LAW_PAD * LAW_PAD;
    r.store = MEM_NEW(double, 9 * n + 1);
    r.point = MEM_NEW(int64_t, r.n + 1);
    double *x = r.store;
    double *y = x + n;
    double *z = y + n;
    double *loss = z + n;
    double *w = loss + n;
    r.size = w + n;
    r.length = r.size + n;
    r.seed = r.length + n;
    r.budget = r.seed + n;
    int64_t k = 0;
    for (int64_t i = 0; i < table->n; i++) {
        if (!table_final(table, i, arm)) continue;
        const Point *p = &table->at[i];
        r.point[k] = i;
        x[k] = first_axis(p, axes);
        y[k] = axes == LAW_OF_N_AND_D ? log(p->d) : 0;
        z[k] = log(p->loss);
        loss[k] = p->loss;
        w[k] = p->weight;
        r.size[k] = or_zero(p->n);
        r.length[k] = isfinite(p->d) ? p->d : exp(x[k]);
        r.seed[k] = (double)p->seed;
        r.x0 += x[k] / (double)r.n;
        r.y0 += y[k] / (double)r.n;
        k++;
    }
    for (k = 0; k < r.n; k++) {
        x[k] -= r.x0;
        y[k] -= r.y0;
    }
    for (; k < n; k++) loss[k] = 1;
    r.k = (LawColumns){.n = n, .x = x, .y = y, .z = z, .loss = loss, .w = w};
    find_configs(&r, table);
    find_groups(&r, table);
    find_budgets(&r, table);
    list_members(&r);
    return r;
}

double law_rows_loss(double *d, const LawRows *rows, const Law *law, int64_t i) {
    double p[LAW_COEFFICIENTS];
    law_centred(p, law, rows->x0, rows->y0);
    return law->kind->loss(d, p, rows->k.x[i], rows->k.y[i]);
}

void law_rows_free(LawRows *rows) {
    mem_free(rows->store);
    mem_free(rows->point);
    mem_free(rows->config);
    mem_free(rows->group);
    mem_free(rows->first);
    mem_free(rows->member);
    *rows = (LawRows){0};
}
