// TEST n=2
/* Products against plain loops, all forms, odd sizes, beta 0 and 1, rows with a distance; NaN in C is not read. */
#include "../src/la/crossover.h"
#include "base/rng.h"
#include "check.h"
#include "la/flops.h"
#include "la/gemm.h"

#include <glob.h>
#include <sys/stat.h>

typedef void Gemm(real *, int64_t, const real *, int64_t, const real *, int64_t, int64_t, int64_t, int64_t, real);

static void fill(real *x, int64_t n, uint64_t stream) {
    for (int64_t i = 0; i < n; i++) x[i] = (real)(2 * rng_uniform(1, stream, (uint64_t)i) - 1);
}

/* One product in every row of a table of forms; pad is added to each row distance. */
static void compare(int64_t m, int64_t n, int64_t k, int pad) {
    static const struct {
        const char *name;
        Gemm *fast, *ref;
        bool ta, tb;
    } form[] = {{"nn", gemm_nn, gemm_nn_ref, false, false},
                {"nt", gemm_nt, gemm_nt_ref, false, true},
                {"tn", gemm_tn, gemm_tn_ref, true, false}};
    for (int f = 0; f < 3; f++)
        for (int beta = 0; beta < 2; beta++) {
            int64_t lda = (form[f].ta ? m : k) + pad, ldb = (form[f].tb ? k : n) + 2 * pad, ldc = n + 3 * pad;
            int64_t na = (form[f].ta ? k : m) * lda, nb = (form[f].tb ? n : k) * ldb, nc = m * ldc;
            real *a = MEM_NEW(real, na), *b = MEM_NEW(real, nb), *c = MEM_NEW(real, nc), *r = MEM_NEW(real, nc);
            fill(a, na, 1);
            fill(b, nb, 2);
            fill(c, nc, 3);
            memcpy(r, c, (size_t)nc * sizeof *r);
            if (!beta)
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < n; j++) c[i * ldc + j] = (real)NAN;
            int64_t before = flops_counted();
            form[f].fast(c, ldc, a, lda, b, ldb, m, n, k, (real)beta);
            EXPECT(flops_counted() - before == 2 * m * n * k, "counted");
            form[f].ref(r, ldc, a, lda, b, ldb, m, n, k, (real)beta);
            double worst = 0;
            for (int64_t i = 0; i < nc; i++) {
                double d = fabs((double)c[i] - (double)r[i]);
                if (!(d <= worst)) worst = d;
            }
            EXPECT(worst <= (double)REAL_EPSILON * (double)(k + 4), "%s %lld x %lld x %lld pad %d beta %d: %g",
                   form[f].name, (long long)m, (long long)n, (long long)k, pad, beta, worst);
            mem_free(a), mem_free(b), mem_free(c), mem_free(r);
        }
}

/* The measured crossover: kept once in the cache, read again, and products stay right under it. */
static void crossover(void) {
    test_folder_new();
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1); /* no place: the fixed rule */
    gemm_start(comm_world());
    compare(65, 65, 65, 1);
    setenv("XDG_CACHE_HOME", test_folder, 1);
    long size = 0;
    for (int pass = 0; pass < 2; pass++) {
        gemm_start(comm_world());
        compare(65, 17, 300, 1);
        if (pass) compare(130, 515, 515, 0);
        glob_t found;
        if (comm_rank(comm_world()) || glob(test_file("equiscale/*"), 0, NULL, &found))
            continue; /* none where libxsmm is not built in */
        EXPECT(found.gl_pathc == 1, "%zu files in the cache", found.gl_pathc);
        struct stat s;
        EXPECT(!stat(found.gl_pathv[0], &s) && (pass == 0 || s.st_mtim.tv_nsec == size), "written once");
        size = s.st_mtim.tv_nsec;
        globfree(&found);
    }
}

/* Jobs that start at the same time on a machine that nobody has measured yet take the same decisions. */
static void first_of_two(void) {
    static const int64_t size[] = {24, 96, 320, 1024};
    enum { SIZES = sizeof size / sizeof *size };
    bool xsmm[3][SIZES][SIZES][SIZES];
    char folder[128];
    snprintf(folder, sizeof folder, "%s", test_file("new"));
    if (comm_rank(comm_world()) == 0) EXPECT(!mkdir(folder, 0777), "%s", folder);
    comm_barrier(comm_world());
    setenv("XDG_CACHE_HOME", folder, 1);
    gemm_start(comm_self());
    for (int form = 0; form < 3; form++)
        for (int i = 0; i < SIZES * SIZES * SIZES; i++) {
            int m = i / SIZES / SIZES, n = i / SIZES % SIZES, k = i % SIZES;
            xsmm[form][m][n][k] = crossover_xsmm(form == 2, form == 1, size[m], size[n], size[k]);
        }
    EXPECT(comm_same(comm_world(), xsmm, sizeof xsmm), "two jobs at once take other engines");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    static const int64_t size[] = {1, 3, 17, 65};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int l = 0; l < 4; l++) compare(size[i], size[j], size[l], (i + j + l) % 3);
    compare(41, 41, 16, 0);
    compare(41, 16, 41, 48);
    compare(656, 192, 64, 0);
    compare(64, 128, 656, 0);
    compare(1312, 8, 300, 1);
    compare(300, 1024, 70, 5);
    compare(0, 5, 3, 0);
    compare(5, 7, 0, 1);
    crossover();
    first_of_two();
    return test_end();
}
