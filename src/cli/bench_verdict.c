#include "bench.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>

static bool all_passed(const BenchMerit *m) {
    bool passed = isfinite(m->gflops) && m->gflops > 0;
    for (int i = 0; i < m->checks; i++) passed = passed && m->check[i].passed;
    return passed;
}

static void put_merit(Json *json, const BenchMerit *m, bool passed) {
    json_open_object(json, "figure_of_merit");
    json_put_text(json, "what", m->what);
    json_put_int(json, "ranks", comm_size(comm_world()));
    json_put_number(json, "gflops", m->gflops);
    json_put_number(json, "peak_gflops", m->peak);
    json_put_number(json, "share_of_peak", m->gflops / m->peak);
    json_put_number(json, "joules", m->joules);
    json_close(json);
    json_open_array(json, "checks");
    for (int i = 0; i < m->checks; i++) {
        json_open_object(json, NULL);
        json_put_text(json, "what", m->check[i].what);
        json_put_bool(json, "passed", m->check[i].passed);
        json_close(json);
    }
    json_close(json);
    json_put_text(json, "verdict", passed ? "PASSED" : "FAILED");
}

Err bench_end(Json *json, const BenchOptions *o, const BenchMerit *m, int *code) {
    bool passed = all_passed(m);
    char energy[64] = "";
    for (int i = 0; i < m->checks; i++)
        log_text("check: %s: %s", m->check[i].what, m->check[i].passed ? "PASSED" : "FAILED");
    if (json) {
        json_close(json);
        put_merit(json, m, passed);
    }
    TRY(bench_json_commit(json, o));
    if (isfinite(m->joules)) snprintf(energy, sizeof energy, " J=%.4g", m->joules);
    log_text("equiscale: %s %s ranks=%d share=%.3f%s GFLOP/s=%.4g", passed ? "VALID" : "INVALID", m->what,
             comm_size(comm_world()), m->gflops / m->peak, energy, m->gflops);
    if (!passed) *code = BENCH_INVALID;
    return ERR_NONE;
}
