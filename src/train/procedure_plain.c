/* Each sample once, as it is. */
#include "train/procedure.h"

static void fill(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    const Motion as_it_is = motion_identity();
    for (int i = 0; i < n; i++) batch_add(batch, run->data, &run->stream, first + i, &as_it_is, 1);
}

const Procedure procedure_plain = {.name = "plain", .fill = fill};
