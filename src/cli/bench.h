/** What the two benchmarks share: options, and the matrix-product peak measured beside them. */
#pragma once

#include "base/err.h"
#include "base/real.h"
#include "par/comm.h"
#include "par/options.h"

#include <stdio.h>

typedef struct BenchOptions {
    WordList model;
    int64_t width, width_s, depth, heads, samples, tokens, tp, repeat;
    char json[OPTION_TEXT];
} BenchOptions;

Err bench_step(const BenchOptions *options);
Err bench_kernels(const BenchOptions *options);

/** Seconds since start on the rank that took longest. Collective on the world. */
double bench_slowest(double start);

/** GFLOP/s of one rank in a 2048^3 product while all ranks run one. Collective on the world. */
typedef struct Peak {
    real *a;
} Peak;
Peak peak_new(void);
void peak_free(Peak *peak);
double peak_measure(Peak *peak);

/** The file for the rows on the root, NULL elsewhere or when none is wanted. */
FILE *bench_json(const BenchOptions *options);
