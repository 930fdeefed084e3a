/** Sums over rows of numbers: gradients of biases. Private to nn. Not collective. Errors: none. */
#pragma once

#include "base/real.h"

#include <stdint.h>

/** db[i] += the sum over rows of y[row*ldy + i], i < n. slope: y is multiplied with it first, in place, and stands as y does;
 *  NULL: y is only read. Sums stay in registers; where rows of a part of a vector stand one behind the other, some of them
 *  are taken at a time. */
void column_sums(real *db, real *y, const real *slope, int64_t ldy, int64_t rows, int64_t n);
