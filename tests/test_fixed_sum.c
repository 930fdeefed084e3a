// TEST double n=1,2,3,4,5,7
// TEST single n=1,3,4
/* Sums whose bits do not depend on ranks: for any numbers of units, elements and ranks those of the definition. */
#include "check.h"

#include "par/fixed_sum.h"

/* Element i of node (level, index) by the definition. */
static real node_ref(int level, int64_t index, int64_t units, uint64_t stream, int64_t i) {
    if (level == 0) return (real)rng_normal(3, stream, (uint64_t)(i * units + index));
    real left = node_ref(level - 1, 2 * index, units, stream, i);
    bool lacks_right = (2 * index + 1) << (level - 1) >= units;
    return lacks_right ? left : left + node_ref(level - 1, 2 * index + 1, units, stream, i);
}

static real sum_ref(int64_t units, uint64_t stream, int64_t i) {
    int top = 0;
    while ((int64_t)1 << top < units) top++;
    return node_ref(top, 0, units, stream, i);
}

/* Twice, since a sum may be used again. */
static void check(const Comm *comm, int64_t units, int64_t length) {
    size_t before = mem_live();
    FixedSum *sum = fixed_sum_new(comm, units, length);
    double took = (double)(mem_live() - before), said = (double)fixed_sum_bytes(units, length, comm_size(comm));
    EXPECT(took > 0 && took <= said + 4096 + 1024.0 * (double)comm_size(comm), "%lld units of %lld: %g bytes, said %g",
           (long long)units, (long long)length, took, said);
    real *x = MEM_NEW(real, length), *out = MEM_NEW(real, length);
    int64_t first = fixed_sum_first(units, comm_rank(comm), comm_size(comm));
    int64_t end = fixed_sum_first(units, comm_rank(comm) + 1, comm_size(comm)), differ = 0;
    for (uint64_t stream = 0; stream < 2; stream++) {
        for (int64_t u = first; u < end; u++) {
            for (int64_t i = 0; i < length; i++) x[i] = (real)rng_normal(3, stream, (uint64_t)(i * units + u));
            EXPECT(fixed_sum_add(sum, x) == u, "unit %lld", (long long)u);
        }
        fixed_sum_end(sum, out);
        for (int64_t i = 0; i < length; i++) differ += out[i] != sum_ref(units, stream, i);
    }
    EXPECT(differ == 0, "%lld units on %d ranks: %lld of %lld elements differ", (long long)units, comm_size(comm),
           (long long)differ, (long long)(2 * length));
    mem_free(x);
    mem_free(out);
    fixed_sum_free(sum);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    static const int64_t units[] = {1, 2, 3, 5, 8, 12, 17, 32}, length[] = {1, 3, 65, 1000};
    for (int u = 0; u < 8; u++)
        for (int l = 0; l < 4; l++) {
            check(comm_world(), units[u], length[l]);
            check(comm_self(), units[u], length[l]);
        }
    return test_end();
}
