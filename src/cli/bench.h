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
    double loss_max;
} BenchOptions;

extern const KeySpec bench_keys[];
extern const int n_bench_keys;

/** Whether -model names it. */
bool bench_has(const BenchOptions *options, const char *model);

/** An error where the command line gives one of these keys, which are no part of a benchmark; the last is NULL. */
Err bench_refuse(const char *const *idle);

/** An error where a rank would hold more than its part of its node's memory: of a benchmark that takes `bytes` for the
 *  batch of the options. Collective on the world. */
Err bench_fits(const BenchOptions *options, double bytes);

/** Exit code of a benchmark whose own checks failed: its figures mean nothing. */
enum { BENCH_INVALID = 1 };

/** Each ends with a verdict (bench_end); code as there. */
Err bench_step(const BenchOptions *options, int *code);
Err bench_kernels(const BenchOptions *options, int *code);
Err bench_messages(const BenchOptions *options, int *code);
Err bench_scaling(const BenchOptions *options, int *code);
Err bench_io(const BenchOptions *options, int *code);
/** argv[1] is the study file, the rest keys of a study, json, and loss_max. */
Err bench_study(int argc, char **argv, int *code);

/** The clock of the options, in seconds (not collective), and the time since `start` on the rank that took longest
 *  (collective). */
double bench_now(const BenchOptions *options);
double bench_slowest(const BenchOptions *options, const Comm *comm, double start);

/** GFLOP/s of one rank in a 2048^3 product while all ranks run one. Collective on the world. */
typedef struct Peak {
    real *a;
} Peak;
Peak peak_new(void);
void peak_free(Peak *peak);
double peak_measure(Peak *peak, const BenchOptions *options);

/** The document for the rows on the root: what they were measured with and on, and the array `rows`, which is open; each
 *  row is an object in it. NULL elsewhere or when none is wanted. Not collective. */
Json *bench_json_new(const BenchOptions *options);
/** What every row ends with: GFLOP/s, those of the peak, their ratio. Closes the row. Not collective. */
void bench_json_rate(Json *json, double rate, double peak);
/** Writes the file, whole or not at all, and frees the document. Collective on the world. */
Err bench_json_commit(Json *json, const BenchOptions *options);

/** A condition without which figures mean nothing. */
typedef struct BenchCheck {
    const char *what;
    bool passed;
} BenchCheck;

/** What a machine is judged by. */
typedef struct BenchMerit {
    const char *what;    /* the benchmark */
    double gflops, peak; /* of all ranks together */
    double joules;       /* of all nodes; NaN where it cannot be read */
    int checks;
    const BenchCheck *check;
} BenchMerit;

/** Ends a benchmark: one line for each check, the document with figure of merit, checks and verdict, and the last line
 *  `equiscale: VALID WHAT ranks=N share=X [J=X] GFLOP/s=X`, INVALID where a check failed; then *code is BENCH_INVALID.
 *  Closes the rows. Collective on the world. */
Err bench_end(Json *json, const BenchOptions *options, const BenchMerit *merit, int *code);
