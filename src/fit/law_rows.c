#include "fit/law_rows.h"

#include "base/arena.h"

#include <math.h>

/* Numbers the configurations in the order of their first rows. */
static void find_configs(LawRows *r, const Table *table) {
    r->config = MEM_NEW(int64_t, r->n + 1);
    for (int64_t k = 0; k < r->n; k++) {
        const Point *p = &table->at[r->point[k]];
        r->config[k] = -1;
        for (int64_t j = 0; j < k && r->config[k] < 0; j++) {
            const Point *q = &table->at[r->point[j]];
            bool same = p->n == q->n && p->d == q->d && p->dataset == q->dataset;
            if (same && p->seed != q->seed) r->config[k] = r->config[j];
        }
        if (r->config[k] < 0) r->config[k] = r->configs++;
    }
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

/* Numbers the groups in the order of their first rows. */
static void find_groups(LawRows *r, const Table *table) {
    r->group = MEM_NEW(int64_t, r->n + 1);
    int64_t *known = MEM_NEW(int64_t, r->n + 1); /* as the table has them; 0: of one row */
    for (int64_t k = 0; k < r->n; k++) {
        int64_t name = table->at[r->point[k]].group;
        int64_t g = name ? 0 : r->groups;
        while (g < r->groups && known[g] != name) g++;
        r->group[k] = g;
        if (g < r->groups) continue;
        known[g] = name;
        r->groups++;
    }
    mem_free(known);
}

LawRows law_rows(const Table *table, int arm) {
    LawRows r = {0};
    for (int64_t i = 0; i < table->n; i++) r.n += table_final(table, i, arm);
    int64_t n = (r.n + LAW_PAD - 1) / LAW_PAD * LAW_PAD;
    r.store = MEM_NEW(double, 5 * n + 1);
    r.point = MEM_NEW(int64_t, r.n + 1);
    double *x = r.store;
    double *y = x + n;
    double *z = y + n;
    double *loss = z + n;
    double *w = loss + n;
    int64_t k = 0;
    for (int64_t i = 0; i < table->n; i++) {
        if (!table_final(table, i, arm)) continue;
        const Point *p = &table->at[i];
        r.point[k] = i;
        x[k] = log(p->n);
        y[k] = log(p->d);
        z[k] = log(p->loss);
        loss[k] = p->loss;
        w[k] = p->weight;
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
    list_members(&r);
    return r;
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
