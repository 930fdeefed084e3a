/* Each sample once, under a new uniform element of O(3) each time; a shift has no effect on a centred scene. */
#include "train/procedure.h"

#include "base/rng.h"

static Motion drawn(const SampleStream *stream, int64_t position) {
    enum { ROTATION = 0, MIRROR = 4 }; /* elements of the stream: a rotation takes four */
    uint64_t of = rng_stream("augment", (uint64_t)position);
    Motion motion = motion_haar(stream->seed, of, ROTATION);
    return rng_uniform(stream->seed, of, MIRROR) < 0.5 ? motion_mirrored(&motion) : motion;
}

static void fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    for (int i = 0; i < n; i++) {
        Motion view = drawn(&run->stream, first + i);
        batch_add(batch, run->data, &run->stream, first + i, &view, 1);
    }
}

const Procedure procedure_augmented = {.name = "augmented", .fill = fill};
