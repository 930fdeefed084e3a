/** Multivector and scalar features of a tile of tokens, as the equivariant layers see them.
 *
 *  A tile holds whole sequences. Its rows (channels) run along tokens: component p of multivector channel c at token t
 *  is mv[p*plane + c*ld + t], scalar channel c is s[c*ld + t]. Kernels vectorise over tokens, so that any number of
 *  channels fills the registers; ld is a multiple of LANES (la/simd.h), n <= ld columns are tokens, and what stands in
 *  the others is never used. Components are numbered as in la/pga.h. */
#pragma once

#include "base/real.h"
#include "la/pga.h"

#include <stdint.h>

typedef struct Field {
    real *mv;
    int64_t plane; /* elements between components */
    real *s;
} Field;

typedef struct Columns {
    int64_t ld, n;
} Columns;

/** Rows of a tile that holds multivectors and scalars in one run. Each plane ends with a row that nobody uses: planes a
 *  multiple of 4096 bytes apart would share one set of the first-level cache. */
static inline int64_t field_rows(int mv, int s) {
    return (int64_t)PGA * (mv ? mv + 1 : 0) + s;
}

static inline Field field_at(real *rows, int mv, int64_t ld) {
    return (Field){.mv = rows, .plane = (mv + 1) * ld, .s = rows + field_rows(mv, 0) * ld};
}
