/* Each sample once, under a new uniform element of O(3) each time; a shift has no effect on a centred scene. */
#include "train/procedure.h"

#include "base/rng.h"

static void fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    for (int i = 0; i < n; i++) {
        uint64_t stream = rng_stream("augment", (uint64_t)(first + i));
        Motion view = motion_orthogonal(run->stream.seed, stream, 0);
        batch_add(batch, run->data, &run->stream, first + i, &view, 1);
    }
}

const Procedure procedure_augmented = {.name = "augmented", .fill = fill};
