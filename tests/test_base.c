// TEST n=1,2,3,5
/* Arena, random numbers, communicators, queue, files. */
#include "base/copy.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/subnormal.h"
#include "base/text.h"
#include "check.h"

#include <float.h>
#include <sys/stat.h>
#include <unistd.h>

static void arena(void) {
    Arena count = arena_count();
    EXPECT(!ARENA_TAKE(&count, double, 3), "counting arenas hand out nothing");
    ARENA_TAKE(&count, char, 1);
    Arena a = arena_new(count.peak);
    double *x = ARENA_TAKE(&a, double, 3);
    size_t mark = arena_mark(&a);
    char *y = ARENA_TAKE(&a, char, 1);
    EXPECT((uintptr_t)x % 64 == 0 && (uintptr_t)y % 64 == 0, "aligned");
    EXPECT(a.used == count.peak, "%zu != %zu", a.used, count.peak);
    arena_reset(&a, mark);
    EXPECT(ARENA_TAKE(&a, char, 1) == y, "scratch is reused");
    arena_free(&a);
}

static void rng(void) {
    enum { N = 20000 };
    double mean = 0, var = 0, low = 1;
    for (int i = 0; i < N; i++) {
        double u = rng_uniform(7, 1, (uint64_t)i), g = rng_normal(7, 2, (uint64_t)i);
        low = fmin(low, u);
        mean += u / N;
        var += g * g / N;
    }
    EXPECT(fabs(mean - 0.5) < 0.01 && fabs(var - 1) < 0.04 && low > 0, "mean %g variance %g", mean, var);
    EXPECT(rng_uniform(1, 2, 3) == rng_uniform(1, 2, 3) && rng_uniform(1, 2, 3) != rng_uniform(2, 2, 3), "keyed");
    enum { MANY = 37 };
    const uint64_t at = (1ull << 32) - 5; /* elements that outgrow 32 bits on the way */
    uint64_t first[MANY], second[MANY];
    int wrong = 0;
    rng_blocks(first, second, MANY, 7, 2, at);
    for (uint64_t i = 0; i < MANY; i++) {
        bool same = rng_unit(first[i]) == rng_uniform(7, 2, at + i);
        double normal = sqrt(-2 * log(rng_unit(first[i]))) * cos(2 * M_PI * rng_unit(second[i]));
        same &= rng_scaled(first[i], 1000) == rng_below(7, 2, at + i, 1000);
        wrong += !same || fabs(normal - rng_normal(7, 2, at + i)) > 1e-12;
    }
    EXPECT(wrong == 0, "%d of %d blocks differ from those drawn one by one", wrong, MANY);
    double r[9];
    rng_rotation(r, 1, 1, 5);
    double det =
        r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6]) + r[2] * (r[3] * r[7] - r[4] * r[6]);
    EXPECT(fabs(det - 1) < 1e-12, "determinant %g", det);
    int64_t sizes[] = {1, 2, 50, 64};
    for (int k = 0; k < 4; k++) {
        uint64_t seen = 0, fixed = 0;
        for (int64_t i = 0; i < sizes[k]; i++) {
            int64_t to = rng_permuted(i, sizes[k], 3, 4);
            seen |= 1ull << to;
            fixed += to == i;
        }
        EXPECT(seen == ~0ull >> (64 - sizes[k]), "a permutation of %lld", (long long)sizes[k]);
        EXPECT(sizes[k] < 50 || fixed < 8, "%llu fixed points", (unsigned long long)fixed);
    }
    const int64_t of[] = {1, 3, 63, 64, 100, 4097, (int64_t)1 << 40};
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        int64_t n = of[k], run[RNG_RUN], begin = n > 1000 ? n / 3 : 0;
        int count = n - begin < RNG_RUN ? (int)(n - begin) : RNG_RUN, elsewhere = 0;
        for (int length = count > 9 ? 9 : count; length <= count; length += count > 9 ? count - 9 : 1) {
            rng_permuted_run(run, begin, length, n, 3, 4);
            for (int i = 0; i < length; i++) elsewhere += run[i] != rng_permuted(begin + i, n, 3, 4);
        }
        EXPECT(elsewhere == 0, "%d of a run of %lld land elsewhere", elsewhere, (long long)n);
    }
    int together[] = {1, 2, 4, 5, 16, 17, 64, 65, RNG_PERMUTED_TOGETHER};
    int32_t to[RNG_PERMUTED_TOGETHER];
    for (size_t k = 0; k < sizeof together / sizeof *together; k++) {
        int n = together[k], elsewhere = 0;
        rng_permute(to, n, n, 3, 4);
        for (int i = 0; i < n; i++) elsewhere += to[i] != rng_permuted(i, n, 3, 4);
        EXPECT(elsewhere == 0, "%d of %d numbers permuted together land elsewhere", elsewhere, n);
    }
}

/* Arrays that grow one by one keep what they hold, get zeros, and are moved rarely; shorter ones too. */
static void grow(void) {
    enum { N = 5000 };
    size_t before = mem_live();
    int64_t *x = NULL, moves = 0, wrong = 0;
    for (int64_t n = 1; n <= N; n++) {
        int64_t *old = x;
        x = mem_grow(x, (size_t)n * sizeof *x);
        moves += x != old;
        wrong += x[n - 1] != 0;
        x[n - 1] = n;
    }
    for (int64_t i = 0; i < N; i++) wrong += x[i] != i + 1;
    EXPECT(wrong == 0 && moves < 30, "%lld wrong, %lld moves", (long long)wrong, (long long)moves);
    EXPECT(mem_live() - before == N * sizeof *x, "%zu bytes", mem_live() - before);
    x = mem_grow(x, 3 * sizeof *x);
    x = mem_grow(x, 5 * sizeof *x);
    EXPECT(x[2] == 3 && x[3] == 0 && x[4] == 0, "%lld after being shorter", (long long)x[3]);
    mem_free(x);
    EXPECT(mem_live() == before, "%zu bytes not given back", mem_live() - before);
}

/* Pieces that fill the room to the last byte, as they are printed and as bytes. */
static void texts(void) {
    enum { N = 300, LONGEST = 40 };
    char want[N * (LONGEST + 8)] = "";
    size_t before = mem_live(), n = 0;
    Text text = {0};
    for (int i = 0; i < N; i++) {
        n += (size_t)sprintf(want + n, "%d:%*s\n", i, i % LONGEST, "");
        text_add(&text, "%d:%*s", i, i % LONGEST, "");
        text_put(&text, "\n\n", 1);
        EXPECT(text.n == n && text.room > n && !strcmp(text.at, want), "%zu of %zu bytes after piece %d", text.n, n, i);
    }
    mem_free(text.at);
    EXPECT(mem_live() == before, "%zu bytes not given back", mem_live() - before);
}

static void ranks(void) {
    const Comm *w = comm_world();
    int n = comm_size(w), me = comm_rank(w);
    real x[2] = {1, (real)me};
    comm_sum_real(w, x, 2);
    EXPECT((int)x[0] == n && (int)x[1] == n * (n - 1) / 2, "sum %g %g", (double)x[0], (double)x[1]);
    real y = 2;
    CommRequest q = comm_sum_real_start(w, &y, 1);
    comm_wait(&q);
    EXPECT((int)y == 2 * n, "started sum %g", (double)y);
    char all[64];
    size_t counts[8], total = comm_allgather(w, all, counts, "abcdefgh", (size_t)me + 1);
    EXPECT(total == (size_t)n * ((size_t)n + 1) / 2 && counts[me] == (size_t)me + 1 && all[0] == 'a', "gather");
    static char bytes[200000];
    EXPECT(comm_same(w, bytes, sizeof bytes), "equal bytes");
    bytes[150000] = me == n - 1;
    EXPECT(comm_same(w, bytes, sizeof bytes) == (n == 1), "one byte of one rank");
    Err e = comm_agree(w, me == n - 1 ? err_user("rank %d", me) : ERR_NONE);
    EXPECT(e.code == EXIT_USER && atoi(e.text + 5) == n - 1, "%s", e.text);
    Comm *odd = comm_split(w, me % 2 ? 1 : -1);
    EXPECT(!odd == !(me % 2), "split");
    comm_free(odd);

    Counters *queue = counters_new(w, 2);
    int64_t taken = 0, item;
    while ((item = counter_add(queue, 1, 1)) < 100) taken += item;
    comm_sum_i64(w, &taken, 1);
    EXPECT(taken == 4950, "each item once: sum %lld", (long long)taken);
    counters_free(queue);
}

/* Number i of rank r: whole, so that sums are exact in any order. */
static real number(int r, int64_t i) {
    return (real)((i * 7 + r * 13) % 1000);
}

/* What ranks of one node sum and gather through memory that they share, of all lengths around its pieces, while a sum in flight
 * waits for its turn. */
static void near_ranks(void) {
    enum { MOST = 300000 };
    Comm *near = comm_split(comm_world(), 0);
    comm_near(near);
    int n = comm_size(near), me = comm_rank(near);
    real *x = MEM_NEW(real, MOST), *all = MEM_NEW(real, (int64_t)n * MOST), *flying = MEM_NEW(real, MOST);
    const int64_t lengths[] = {0, 1, 1000, 16384, 32768, 65535, 65536, 65537, MOST};
    int64_t wrong[4] = {0};
    for (int k = 0; k < (int)(sizeof lengths / sizeof *lengths); k++) {
        int64_t length = lengths[k], counts[8] = {0};
        for (int64_t i = 0; i < length; i++) x[i] = flying[i] = number(me, i);
        CommRequest request = comm_sum_real_start(near, flying, length);
        comm_gather_real(near, all, x, length);
        for (int r = 0; r < n; r++)
            for (int64_t i = 0; i < length; i++) wrong[0] += all[r * length + i] != number(r, i);
        comm_sum_real(near, x, length);
        comm_wait(&request);
        for (int64_t i = 0; i < length; i++) {
            real sum = 0;
            for (int r = 0; r < n; r++) sum += number(r, i);
            wrong[1] += x[i] != sum;
            wrong[2] += flying[i] != sum;
        }
        int64_t first = 0, total = 0;
        for (int r = 0; r < n; r++) { /* parts of unequal length, the first one empty */
            counts[r] = length * r / n;
            if (r < me) first += counts[r];
            total += counts[r];
        }
        for (int64_t i = 0; i < total; i++) all[i] = number(me, i);
        comm_reduce_scatter_real(near, x, all, counts);
        for (int64_t i = 0; i < counts[me]; i++) {
            real sum = 0;
            for (int r = 0; r < n; r++) sum += number(r, first + i);
            wrong[3] += x[i] != sum;
        }
    }
    EXPECT(!wrong[0] && !wrong[1] && !wrong[2] && !wrong[3],
           "%lld gathered, %lld summed, %lld in flight, %lld scattered wrong", (long long)wrong[0], (long long)wrong[1],
           (long long)wrong[2], (long long)wrong[3]);
    mem_free(x);
    mem_free(all);
    mem_free(flying);
    comm_free(near);
}

/* A copy past the caches: all of it, and nothing beside. */
static void copied(void) {
    enum { MOST = 200, ROOM = MOST + 64 };
    _Alignas(64) real to[ROOM];
    real from[MOST + 1];
    int wrong = 0;
    for (int i = 0; i <= MOST; i++) from[i] = (real)(i + 1);
    for (int n = 0; n <= MOST; n++) {
        for (int i = 0; i < ROOM; i++) to[i] = -1;
        copy_past_cache(to, from + n % 2, n); /* what is read may stand anywhere */
        for (int i = 0; i < ROOM; i++) wrong += to[i] != (i < n ? from[n % 2 + i] : -1);
    }
    EXPECT(!wrong, "%d numbers are not as they were", wrong);
}

/* What stands where a file of the program's own is looked for. */
static void own_files(void) {
    if (comm_rank(comm_world()) != 0) return;
    test_write(test_file("file"), "x\n", 2);
    EXPECT(mkfifo(test_file("pipe"), 0666) == 0 && mkdir(test_file("folder"), 0777) == 0 &&
               symlink("loop", test_file("loop")) == 0 && symlink("nowhere", test_file("dangling")) == 0,
           "%s", test_file(""));
    static const char *const none[] = {"pipe", "folder", "loop", "dangling", "absent"};
    for (int i = 0; i < 5; i++) EXPECT(!file_own(test_file(none[i])), "%s is a file", none[i]);
    FILE *file = file_own(test_file("file"));
    EXPECT(file && fgetc(file) == 'x', "a file is none");
    if (file) fclose(file);
    EXPECT(!file_own("/dev/null"), "a device is a file");
}

/* Columns that a terminal gives UTF-8: composed letters, an accent of its own, three and four bytes, none. */
static void letters(void) {
    EXPECT(log_width("größte Möwe") == 11, "%d letters", log_width("größte Möwe"));
    EXPECT(log_width("u\xcc\x88") == 1 && log_width("o\xcd\xaf") == 1, "an accent takes a column");
    EXPECT(log_width("β→𝛼") == 3 && log_width("") == 0, "%d letters", log_width("β→𝛼"));
    EXPECT(log_width("模型 w8") == 7 && log_width("\xff\xfe") == 2, "%d columns", log_width("模型 w8"));
    EXPECT(log_field("ä", 5) == 6 && log_field("a", 5) == 5, "a field of %d bytes", log_field("ä", 5));
}

/* Compilers do not know of the setting, so what is worked out between is volatile. */
static void subnormal(void) {
    const real least = sizeof(real) == sizeof(float) ? (real)FLT_MIN : (real)DBL_MIN;
    volatile real small = least;
    volatile real half = small / 2, other_half = half;
    EXPECT(half > 0, "subnormal numbers are kept by default");
    Subnormals before = subnormals_as_zeros();
#if defined(__SSE2__) || defined(__aarch64__)
    EXPECT(small / 2 == 0, "a result is %g", (double)(small / 2));
    EXPECT(half + other_half == 0, "of operands comes %g", (double)(half + other_half));
#endif
    EXPECT(small * 2 == 2 * least, "other numbers are as they were");
    subnormals_back(before);
    EXPECT(small / 2 == half && half + other_half == small, "kept again");
}

static void write_text(const char *path, const char *text) {
    test_write(path, text, strlen(text));
}

/* A limit of a group that this process's own is in, such as that of a job, counts as its own would. */
static void memory_of_groups(void) {
    static const char *const folders[] = {"groups", "groups/job", "groups/job/step", "groups/memory",
                                          "groups/memory/job"};
    char root[256], list[256];
    if (comm_rank(comm_world()) != 0) return;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        EXPECT(!mkdir(test_file(folders[i]), 0777), "%s", folders[i]);
    snprintf(root, sizeof root, "%s", test_file("groups"));
    snprintf(list, sizeof list, "%s", test_file("list"));
    EXPECT(memory_group_limit(7e9, list, root) == 7e9, "no groups");
    write_text(list, "4:cpu:/elsewhere\n0::/job/step\n");
    EXPECT(memory_group_limit(7e9, list, root) == 7e9, "no limits");
    write_text(test_file("groups/job/step/memory.max"), "max\n");
    write_text(test_file("groups/job/memory.max"), "3000000000\n");
    EXPECT(memory_group_limit(7e9, list, root) == 3e9, "the job's: %g", memory_group_limit(7e9, list, root));
    EXPECT(memory_group_limit(2e9, list, root) == 2e9, "there is less");
    write_text(list, "4:memory:/job\n0::/\n");
    write_text(test_file("groups/memory/memory.limit_in_bytes"), "9223372036854771712\n");
    write_text(test_file("groups/memory/job/memory.limit_in_bytes"), "1000000000\n");
    EXPECT(memory_group_limit(7e9, list, root) == 1e9, "version 1: %g", memory_group_limit(7e9, list, root));
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    arena();
    grow();
    texts();
    rng();
    copied();
    subnormal();
    letters();
    ranks();
    near_ranks();
    test_folder_new();
    own_files();
    memory_of_groups();
    return test_end();
}
