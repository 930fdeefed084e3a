/** A counter of floating-point operations: every matrix product and bilinear kernel of `la` adds what it executes, so
 *  that analytic counts can be checked exactly. Multiply and add count as two. Not collective;
 *  one counter a rank, since the start. */
#pragma once

#include <stdint.h>

void flops_add(int64_t n);
int64_t flops_counted(void);
