/* Sizes fall into classes up to 32, 128, 512 and above; each class of (form, m, n, k) is decided by timing one product
 * in it with both engines. The decisions are kept (base/kept.h), committed whole; a file of other library versions is
 * measured again. Where nothing can be kept, the fixed rule stays, and of processes that measure at the same time all take the
 * decisions of the first, so that a run and its continuation take the same engines. */
#include "crossover.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/kept.h"
#include "base/timer.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLASSES = 4, FORMS = 3, ENTRIES = FORMS * CLASSES * CLASSES * CLASSES };
static const int64_t limit[CLASSES] = {32, 128, 512, INT64_MAX}, sample[CLASSES] = {24, 96, 320, 1024};

static char table[ENTRIES + 1]; /* 'x' or 'b'; empty before gemm_start */

static int class_of(int64_t size) {
    int c = 0;
    while (size > limit[c]) c++;
    return c;
}

static int entry(int form, int m, int n, int k) {
    return ((form * CLASSES + m) * CLASSES + n) * CLASSES + k;
}

bool crossover_xsmm(bool a_transposed, bool b_transposed, int64_t m, int64_t n, int64_t k) {
    if (!xsmm_start()) return false;
    if (!*table) return m <= 512 || n <= 512 || k <= 512;
    int form = a_transposed ? 2 : b_transposed ? 1 : 0;
    return table[entry(form, class_of(m), class_of(n), class_of(k))] == 'x';
}

/* Seconds of one product, the best of some; small ones are repeated to be measurable. */
static double measure(EngineRun *run, int form, const real *a, const real *b, real *c, int64_t m, int64_t n,
                      int64_t k) {
    Operand x = form == 2 ? (Operand){a, 1, m} : (Operand){a, k, 1};
    Operand y = form == 1 ? (Operand){b, 1, k} : (Operand){b, n, 1};
    int calls = 1 + (int)(2e6 / (double)(m * n * k));
    double best = 1e30;
    run(c, n, x, y, m, n, k, 0);
    for (int i = 0; i < 4; i++) {
        double start = timer_now();
        for (int j = 0; j < calls; j++) run(c, n, x, y, m, n, k, 0);
        double t = (timer_now() - start) / calls;
        best = t < best ? t : best;
    }
    return best;
}

static void measure_all(void) {
    int64_t most = sample[CLASSES - 1] * sample[CLASSES - 1];
    real *a = MEM_NEW(real, 3 * most), *b = a + most, *c = b + most;
    for (int64_t i = 0; i < 2 * most; i++) a[i] = (real)((double)(i % 1009) / 1009 - 0.5);
    for (int form = 0; form < FORMS; form++)
        for (int i = 0; i < CLASSES * CLASSES * CLASSES; i++) {
            int64_t m = sample[i / CLASSES / CLASSES], n = sample[i / CLASSES % CLASSES], k = sample[i % CLASSES];
            double x = measure(xsmm_run, form, a, b, c, m, n, k), y = measure(blis_run, form, a, b, c, m, n, k);
            table[entry(form, i / CLASSES / CLASSES, i / CLASSES % CLASSES, i % CLASSES)] = x < y ? 'x' : 'b';
        }
    mem_free(a);
}

/* ---- The file. ---- */

static void versions(char *text, size_t size) {
    snprintf(text, size, "equiscale-gemm-1 blis %s libxsmm %s", blis_version(), xsmm_version());
}

static bool load(const char *path) {
    char want[256], line[256], decisions[ENTRIES + 2];
    versions(want, sizeof want);
    FILE *f = file_own(path);
    if (!f) return false;
    bool good = fgets(line, sizeof line, f) && !strncmp(line, want, strlen(want)) && line[strlen(want)] == '\n' &&
                fgets(decisions, sizeof decisions, f) && strspn(decisions, "xb") == ENTRIES;
    fclose(f);
    if (good) memcpy(table, decisions, ENTRIES);
    return good;
}

/* Under its name unless another process was first: then its decisions are taken. A file of other versions is replaced, as all
 * are where there are no links. */
static bool give_name(const char *temporary, const char *path) {
    return !link(temporary, path) || load(path) || !rename(temporary, path);
}

static bool save(const char *path) {
    char temporary[4400], text[256];
    struct stat about;
    if (!stat(path, &about) && !S_ISREG(about.st_mode)) return false;
    versions(text, sizeof text);
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *f = fopen(temporary, "w");
    if (!f) return false;
    bool good = fprintf(f, "%s\n%s\n", text, table) > 0 && !fflush(f) && !fsync(fileno(f));
    good = !fclose(f) && good && give_name(temporary, path);
    unlink(temporary);
    return good;
}

void gemm_start(const Comm *comm) {
    char path[4300];
    if (comm_rank(comm) == 0 && xsmm_start() && kept_path(path, sizeof path, "gemm") && !load(path)) {
        measure_all();
        if (!save(path)) memset(table, 0, sizeof table);
    }
    comm_bcast(comm, table, sizeof table, 0);
}
