#include "bench.h"

#include "base/arena.h"
#include "base/timer.h"
#include "la/gemm.h"
#include "study/provenance.h"

#include <stdio.h>
#include <string.h>

double bench_now(const BenchOptions *o) {
    return o->cpu ? timer_cpu() : timer_now();
}

double bench_slowest(const BenchOptions *o, const Comm *comm, double start) {
    double t = bench_now(o) - start;
    comm_max_f64(comm, &t, 1);
    return t;
}

enum { PEAK = 2048 };

Peak peak_new(void) {
    Peak p = {.a = MEM_NEW(real, 3 * PEAK * PEAK)};
    for (int64_t i = 0; i < 2 * PEAK * PEAK; i++) p.a[i] = (real)((double)(i % 1009) / 1009 - 0.5);
    return p;
}

void peak_free(Peak *peak) {
    mem_free(peak->a);
}

double peak_measure(Peak *peak, const BenchOptions *o) {
    real *a = peak->a, *b = a + PEAK * PEAK, *c = b + PEAK * PEAK;
    comm_barrier(comm_world());
    double start = bench_now(o);
    gemm_nn(c, PEAK, a, PEAK, b, PEAK, PEAK, PEAK, PEAK, 0);
    return 2e-9 * PEAK * PEAK * PEAK / bench_slowest(o, comm_world(), start);
}

Json *bench_json_new(const BenchOptions *o) {
    if (!*o->json || comm_rank(comm_world())) return NULL;
    Json *json = json_new();
    char program[PROVENANCE_PROGRAM], *rest = program, *line;
    provenance_program(program, comm_world());
    while ((line = strsep(&rest, "\n")) && *line) {
        char *value = strstr(line, " = ");
        CHECK(value, "provenance: %s", line);
        *value = 0;
        json_put_text(json, line, value + 3);
    }
    json_open_array(json, "rows");
    return json;
}

void bench_json_rate(Json *json, double rate, double peak) {
    json_put_number(json, "gflops", rate);
    json_put_number(json, "peak_gflops", peak);
    json_put_number(json, "share_of_peak", rate / peak);
    json_close(json);
}

Err bench_json_commit(Json *json, const BenchOptions *o) {
    Err err = ERR_NONE;
    if (json) {
        err = json_commit(json, o->json);
        json_free(json);
    }
    return comm_agree(comm_world(), err);
}
