#include "nn/param.h"

#include "base/err.h"
#include "base/rng.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAD = 16 };

Axis axis_plain(int n) {
    return (Axis){.parts = 1, .groups = 1, .inner = n};
}

Axis axis_split(int n) {
    return (Axis){.parts = 1, .groups = n, .inner = 1, .split = true};
}

Axis axis_heads(int parts, int heads, int inner, bool group_fastest, bool split) {
    return (Axis){.parts = parts, .groups = heads, .inner = inner, .group_fastest = group_fastest, .split = split};
}

int axis_size(const Axis *axis, int tp) {
    CHECK(!axis->split || axis->groups % tp == 0, "%d groups over %d ranks", axis->groups, tp);
    return axis->parts * (axis->split ? axis->groups / tp : axis->groups) * axis->inner;
}

/* Reference index of element `i` of the local axis. */
static int64_t axis_global(const Axis *x, int64_t i, int tp, int tp_rank) {
    int64_t groups = x->split ? x->groups / tp : x->groups;
    int64_t inner = i % x->inner, group = i / x->inner % groups, part = i / x->inner / groups;
    if (x->split) group += groups * tp_rank;
    int64_t within = x->group_fastest ? inner * x->groups + group : group * x->inner + inner;
    return part * x->groups * x->inner + within;
}

ParamTable param_table_new(int tp, int tp_rank) {
    return (ParamTable){.tp = tp, .tp_rank = tp_rank};
}

void param_table_free(ParamTable *table) {
    mem_free(table->at);
    *table = (ParamTable){0};
}

ParamInit param_uniform(double half) {
    ParamInit init = {.centre = 0};
    for (int i = 0; i < PARAM_BASIS; i++) init.half[i] = half;
    return init;
}

int64_t param_add(ParamTable *table, int block, const Axis *axis, int axes, const int *order, bool partial,
                  ParamInit init, const char *name, ...) {
    CHECK(axes >= 1 && axes <= PARAM_AXES, "%d axes", axes);
    CHECK(!table->n || block == table->at[table->n - 1].block || block == table->blocks, "block %d out of turn", block);
    if (table->n == table->capacity) {
        table->capacity = 2 * table->capacity + 16;
        table->at = mem_grow(table->at, (size_t)table->capacity * sizeof *table->at);
    }
    Param *p = &table->at[table->n++];
    *p = (Param){.axes = axes, .block = block, .partial = partial, .centre = init.centre, .offset = table->local};
    memcpy(p->half, init.half, sizeof p->half);
    p->count = 1;
    for (int a = 0; a < axes; a++) {
        p->axis[a] = axis[a];
        p->order[a] = order ? order[a] : a;
        p->count *= axis_size(&axis[a], table->tp);
    }
    va_list ap;
    va_start(ap, name);
    int length = vsnprintf(p->name, sizeof p->name, name, ap);
    va_end(ap);
    CHECK(length < PARAM_NAME, "name %s is too long", p->name);
    CHECK(p->count > 0, "tensor %s has no elements", p->name);
    table->local += (p->count + PAD - 1) / PAD * PAD;
    table->global += param_size(p);
    table->blocks = block + 1;
    return p->offset;
}

int64_t param_block(const ParamTable *table, int block, int64_t *offset) {
    int64_t first = -1, end = 0;
    for (int i = 0; i < table->n; i++) {
        if (table->at[i].block != block) continue;
        if (first < 0) first = table->at[i].offset;
        end = i + 1 < table->n ? table->at[i + 1].offset : table->local;
    }
    *offset = first < 0 ? 0 : first;
    return first < 0 ? 0 : end - first;
}

const Param *param_find(const ParamTable *table, const char *name) {
    for (int i = 0; i < table->n; i++)
        if (!strcmp(table->at[i].name, name)) return &table->at[i];
    return NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const Param *const *)a)->name, (*(const Param *const *)b)->name);
}

const char *param_twice(const ParamTable *table) {
    const char *twice = NULL;
    const Param **sorted = MEM_NEW(const Param *, table->n + 1);
    for (int i = 0; i < table->n; i++) sorted[i] = &table->at[i];
    qsort(sorted, (size_t)table->n, sizeof *sorted, by_name);
    for (int i = 1; i < table->n && !twice; i++)
        if (!by_name(&sorted[i - 1], &sorted[i])) twice = sorted[i]->name;
    mem_free(sorted);
    return twice;
}

int64_t param_size(const Param *param) {
    int64_t n = 1;
    for (int a = 0; a < param->axes; a++) n *= axis_size(&param->axis[a], 1);
    return n;
}

bool param_split(const Param *param) {
    for (int a = 0; a < param->axes; a++)
        if (param->axis[a].split) return true;
    return false;
}

int64_t param_global(const ParamTable *table, const Param *param, int64_t i) {
    int64_t index[PARAM_AXES] = {0}, global = 0;
    for (int slot = param->axes - 1; slot >= 0; slot--) {
        int a = param->order[slot], n = axis_size(&param->axis[a], table->tp);
        index[a] = axis_global(&param->axis[a], i % n, table->tp, table->tp_rank);
        i /= n;
    }
    for (int a = 0; a < param->axes; a++) global = global * axis_size(&param->axis[a], 1) + index[a];
    return global;
}

void param_init(real *theta, const ParamTable *table, uint64_t seed) {
    memset(theta, 0, (size_t)table->local * sizeof *theta);
    for (int t = 0; t < table->n; t++) {
        const Param *p = &table->at[t];
        uint64_t stream = rng_stream(p->name, 0);
        int last = p->axes == 3 ? axis_size(&p->axis[2], 1) : 1;
        for (int64_t i = 0; i < p->count; i++) {
            int64_t g = param_global(table, p, i);
            double u = rng_uniform(seed, stream, (uint64_t)g);
            theta[p->offset + i] = (real)(p->centre + p->half[g % last] * (2 * u - 1));
        }
    }
}

/* The elements from .. to-1 of a tensor that are among first .. first+count-1 of the local vector. */
static void overlap(int64_t *from, int64_t *to, const Param *p, int64_t first, int64_t count) {
    int64_t end = first + count - p->offset;
    *from = first > p->offset ? first - p->offset : 0;
    *to = end < p->count ? end : p->count;
}

void param_take_run(ParamRun to, const ParamTable *table, const Param *param, const double *full) {
    int64_t i, end, at = param->offset - to.first;
    overlap(&i, &end, param, to.first, to.count);
    for (; i < end; i++) to.run[at + i] = (real)full[param_global(table, param, i)];
}

static void give(double *full, const ParamTable *table, const Param *param, const real *run, int64_t first,
                 int64_t count) {
    int64_t i, end, at = param->offset - first;
    if (!param_split(param) && table->tp_rank) return;
    overlap(&i, &end, param, first, count);
    for (; i < end; i++) full[param_global(table, param, i)] += (double)run[at + i];
}

void param_give_run(double *full, const ParamTable *table, const Param *param, ParamRun from) {
    give(full, table, param, from.run, from.first, from.count);
}

void param_take(real *theta, const ParamTable *table, const Param *param, const double *full) {
    param_take_run((ParamRun){.count = table->local, .run = theta}, table, param, full);
}

void param_give(double *full, const ParamTable *table, const Param *param, const real *theta) {
    give(full, table, param, theta, 0, table->local);
}
