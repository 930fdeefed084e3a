/** What the benchmarks share: options, and the matrix-product peak measured beside them. */
#pragma once

#include "base/err.h"
#include "base/real.h"
#include "io/json.h"
#include "par/comm.h"
#include "par/options.h"

#include <stdbool.h>

typedef struct BenchOptions {
    WordList model;
    int64_t width, width_s, depth, heads, batch, tokens, tp, repeat;
    bool cpu; /* processor time instead of wall time */
    char json[OPTION_TEXT];
} BenchOptions;

extern const KeySpec bench_keys[];
extern const int n_bench_keys;

Err bench_step(const BenchOptions *options);
Err bench_kernels(const BenchOptions *options);
/** argv[1] is the study file, the rest keys of a study, and json. */
Err bench_study(int argc, char **argv);

/** The clock of the options, in seconds (not collective), and the time since `start` on the rank that took longest
 *  (collective on the world). */
double bench_now(const BenchOptions *options);
double bench_slowest(const BenchOptions *options, double start);

/** GFLOP/s of one rank in a 2048^3 product while all ranks run one. Collective on the world. */
typedef struct Peak {
    real *a;
} Peak;
Peak peak_new(void);
void peak_free(Peak *peak);
double peak_measure(Peak *peak, const BenchOptions *options);

/** Whether that file can be written; the error of the root on every rank. Collective on the world. */
Err bench_json_check(const BenchOptions *options);

/** The document for the rows on the root: what they were measured with and on, and the array `rows`, which is open; each
 *  row is an object in it. NULL elsewhere or when none is wanted. Not collective. */
Json *bench_json_new(const BenchOptions *options);
/** What every row ends with: GFLOP/s, those of the peak, their ratio. Closes the row. Not collective. */
void bench_json_rate(Json *json, double rate, double peak);
/** Writes the file, whole or not at all, and frees the document. Collective on the world. */
Err bench_json_commit(Json *json, const BenchOptions *options);
