/* Each sample once, as it is, with the fixed inputs of the model switched off for some: approximately equivariant neural
 * processes, Ashman et al. 2024, arXiv 2406.13488 (nn/gatr_fixed.c). What the network learns while they are off it learns
 * as an equivariant one. Held-out samples are seen with them on. */
#include "train/procedure.h"

#include "base/rng.h"

typedef struct Options {
    double off;
} Options;

static const KeySpec keys[] = {
    {"gated.off", KEY_REAL, offsetof(Options, off), "0.5", 0, 1, NULL, "1",
     "probability that a training sample is shown without fixed inputs"},
};

static void fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    const Options *o = run->options;
    const Motion as_it_is = motion_identity();
    batch->scenes.gate = batch->gate;
    for (int i = 0; i < n; i++) {
        bool off = rng_uniform(run->stream.seed, rng_stream("fixed", (uint64_t)(first + i)), 0) < o->off;
        batch_add(batch, run->data, &run->stream, first + i, &as_it_is, 1);
        batch->gate[i] = off ? 0 : 1;
    }
}

const Procedure procedure_gated = {.name = "gated", .keys = keys, .n_keys = sizeof keys / sizeof *keys, .fill = fill};
