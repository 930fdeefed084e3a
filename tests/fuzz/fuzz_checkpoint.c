/* A checkpoint. As it is, its digest refuses it; under a digest made right again, HDF5 gets to see it, as from somebody who
 * writes such files on purpose. */
#include "fuzz_h5.h"

#include "base/arena.h"
#include "io/checkpoint.h"

/* What training takes of a checkpoint, with one of its tensors. */
Err fuzz_read(const char *path) {
    enum { NUMBERS = 2 };
    const TensorShape shape = {.name = "blocks.0.attention.out_linear.bias", .axes = 1, .size = {NUMBERS}};
    Checkpoint file;
    Results one = {0};
    TrainingPoint at;
    double *learned = NULL;
    real value[NUMBERS];
    TRY(checkpoint_open(&file, path, CHECKPOINT_TRAINING));
    Err err = checkpoint_take_record(&file, &one);
    if (!err.code) results_free(&one);
    if (!err.code) err = checkpoint_take_training(&file, &at, &learned);
    if (!err.code) mem_free(learned);
    if (!err.code) err = checkpoint_take_tensor(&file, PART_PARAMETERS, &shape, value);
    checkpoint_close(&file);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    fuzz_answer(fuzz_read(fuzz_file(data, bytes)));
    uint8_t *sealed = mem_alloc(bytes + 1);
    memcpy(sealed, data, bytes);
    if (bytes >= H5_SEAL_BYTES) h5_seal(sealed, bytes);
    const char *path = fuzz_file(sealed, bytes);
    mem_free(sealed);
    fuzz_answer(fuzz_child(path));
    return 0;
}
