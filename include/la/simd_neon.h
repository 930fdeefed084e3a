/** la/simd.h on AArch64: what the compiler makes of vectors of 16 bytes is NEON, multiply-adds included (with
 *  -ffp-contract=fast), so that only the number of registers differs. Not collective. Errors: none. */
#pragma once

#define SIMD_NAME "NEON"
#define SIMD_REGISTERS 32
#include "la/simd_plain.h"
