/* The collectives that training waits for, on all ranks of the job: the sum of gradients over dp and the sums within
 * tensor-parallel layers, by messages and as a cell makes them (par/comm.h, comm_near), and the bcast of a cell. GB/s: bytes
 * of one rank over the time. */
#include "bench.h"

#include "base/arena.h"
#include "base/log.h"
#include "math/stats.h"

#include <math.h>

enum { SMALLEST = 8, LARGEST = 1 << 24, STEP = 8 }; /* bytes; each size is STEP times the one before */

typedef void Collective(real *x, int64_t n);

static Comm *near; /* the world as the ranks of a cell are */

static void near_sum(real *x, int64_t n) {
    comm_sum_real(near, x, n);
}

static void sum(real *x, int64_t n) {
    comm_sum_real(comm_world(), x, n);
}

static void bcast(real *x, int64_t n) {
    comm_bcast(comm_world(), x, (size_t)n * sizeof *x, 0);
}

/* Seconds of one call on the rank that took longest: median over rounds of as many calls as the clock needs. */
static double time_one(const BenchOptions *o, Collective *call, real *x, int64_t n) {
    const double round = 2e-3;
    comm_barrier(comm_world());
    double start = bench_now(o);
    call(x, n);
    int calls = 1 + (int)(round / bench_slowest(o, comm_world(), start));
    double *seconds = MEM_NEW(double, o->repeat);
    for (int r = 0; r < o->repeat; r++) {
        comm_barrier(comm_world());
        start = bench_now(o);
        for (int k = 0; k < calls; k++) call(x, n);
        seconds[r] = bench_slowest(o, comm_world(), start) / calls;
    }
    double median = stats_median(seconds, o->repeat);
    mem_free(seconds);
    return median;
}

static void row(Json *json, const char *name, int64_t bytes, double seconds) {
    double rate = 1e-9 * (double)bytes / seconds;
    log_text("%-10s%12lld%12.2f%12.3f", name, (long long)bytes, seconds * 1e6, rate);
    if (!json) return;
    json_open_object(json, NULL);
    json_put_text(json, "collective", name);
    json_put_int(json, "bytes", bytes);
    json_put_number(json, "us", seconds * 1e6);
    json_put_number(json, "gbytes", rate);
    json_close(json);
}

/* Whether a sum of ones is the number of ranks everywhere. */
static bool sums(Collective *call, real *x, int64_t n) {
    bool right = true;
    for (int64_t i = 0; i < n; i++) x[i] = 1;
    call(x, n);
    for (int64_t i = 0; i < n; i++) right = right && x[i] == (real)comm_size(comm_world());
    return comm_all(comm_world(), right);
}

Err bench_messages(const BenchOptions *o, int *code) {
    static const struct {
        const char *name;
        Collective *call;
    } kind[] = {{"sum", sum}, {"near sum", near_sum}, {"bcast", bcast}};
    real *x = MEM_NEW(real, LARGEST / sizeof(real));
    near = comm_split(comm_world(), 0);
    comm_near(near);
    Peak peak = peak_new();
    double top = 0, ranks = comm_size(comm_world());
    for (int i = 0; i < o->repeat; i++) top = fmax(top, peak_measure(&peak, o));
    Json *json = bench_json_new(o);
    log_text("%d rank%s, %d on this node; microseconds of one call", comm_size(comm_world()),
             plural(comm_size(comm_world())), comm_node_ranks());
    log_text("%-10s%12s%12s%12s", "collective", "bytes", "us", "GB/s");
    for (int k = 0; k < (int)(sizeof kind / sizeof *kind); k++)
        for (int64_t bytes = SMALLEST; bytes <= LARGEST; bytes *= STEP)
            row(json, kind[k].name, bytes, time_one(o, kind[k].call, x, bytes / (int64_t)sizeof *x));
    const BenchCheck check = {"a sum of ones is the number of ranks",
                              sums(sum, x, LARGEST / sizeof *x) && sums(near_sum, x, LARGEST / sizeof *x)};
    const BenchMerit merit = {
        .what = "messages", .gflops = ranks * top, .peak = ranks * top, .joules = NAN, .checks = 1, .check = &check};
    peak_free(&peak);
    comm_free(near);
    mem_free(x);
    return bench_end(json, o, &merit, code);
}
