// TEST n=1,2,3,4
/* The parameter table: shards of every tp hold the same tensors; blocks are runs; layouts permute as they say. */
#include "check.h"
#include "nn/param.h"

static void fill_table(ParamTable *t) {
    Axis heads = axis_heads(3, 12, 5, true, true), out = axis_heads(1, 12, 5, false, true), width = axis_plain(7);
    ParamInit basis = {.centre = 2, .half = {1, 2, 3, 4, 5, 6, 7, 8, 9}};
    param_add(t, 0, (Axis[]){heads, width}, 2, (int[]){1, 0}, false, param_uniform(0.5), "block.%d.qkv", 0);
    param_add(t, 0, &heads, 1, NULL, false, param_uniform(0), "block.%d.bias", 0);
    param_add(t, 1, (Axis[]){axis_plain(4), out, axis_plain(9)}, 3, (int[]){2, 1, 0}, false, basis, "block.1.mv");
    param_add(t, 1, &width, 1, NULL, true, param_uniform(1), "block.1.whole");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    const Comm *w = comm_world();
    ParamTable one = param_table_new(1, 0), mine = param_table_new(comm_size(w), comm_rank(w));
    fill_table(&one);
    fill_table(&mine);
    EXPECT(one.global == mine.global && one.blocks == 2, "%lld trainable", (long long)one.global);
    real *whole = MEM_NEW(real, one.local), *part = MEM_NEW(real, mine.local), *back = MEM_NEW(real, mine.local);
    param_init(whole, &one, 5);
    param_init(part, &mine, 5);
    for (int i = 0; i < one.n; i++) {
        const Param *p = &one.at[i], *q = &mine.at[i];
        int64_t n = param_size(p);
        EXPECT(n == param_size(q) && param_find(&mine, p->name) == q, "%s", p->name);
        double *a = MEM_NEW(double, n), *b = MEM_NEW(double, n);
        param_give(a, &one, p, whole);
        param_give(b, &mine, q, part);
        comm_sum_f64(w, b, n);
        EXPECT(test_error(b, a, n) == 0, "%s differs between tp 1 and %d", p->name, mine.tp);
        double low = a[0], high = a[0];
        for (int64_t j = 0; j < n; j++) low = fmin(low, a[j]), high = fmax(high, a[j]);
        if (i == 2) EXPECT(low < -6 && low > -7 && high > 10 && high < 11, "range %g %g", low, high);
        param_take(back, &mine, q, a);
        EXPECT(!memcmp(back + q->offset, part + q->offset, (size_t)q->count * sizeof *back), "%s taken", p->name);
        mem_free(a), mem_free(b);
    }
    int64_t offset, count = param_block(&mine, 1, &offset), first;
    EXPECT(param_block(&mine, 0, &first) == offset && first == 0 && offset + count == mine.local, "blocks are runs");

    /* Reference (part, inner, group) to local (part, group, inner), stored inner axis first. */
    EXPECT(param_global(&one, &one.at[1], 5 * 3 + 2) == 2 * 12 + 3, "group fastest");
    EXPECT(param_global(&one, &one.at[0], 60 * 3 + 1) == 12 * 7 + 1, "%lld",
           (long long)param_global(&one, &one.at[0], 60 * 3 + 1));

    EXPECT(!param_twice(&one), "%s is there once", param_twice(&one));
    param_add(&one, 1, (Axis[]){axis_plain(3)}, 1, NULL, false, param_uniform(1), "block.%d.qkv", 0);
    EXPECT(param_twice(&one) && !strcmp(param_twice(&one), "block.0.qkv"), "a name twice");
    mem_free(whole), mem_free(part), mem_free(back);
    param_table_free(&one);
    param_table_free(&mine);
    return test_end();
}
