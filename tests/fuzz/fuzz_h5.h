/** Mutations of HDF5 files: as libFuzzer has them, which checksums catch, and half of the time a byte of an object header under
 *  a checksum made right again, which they do not. */
#pragma once

#include "../damage.h"
#include "fuzz.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned seed) {
    if (seed % 2 && damage_repaired(data, bytes, seed)) return bytes;
    return LLVMFuzzerMutate(data, bytes, most);
}
