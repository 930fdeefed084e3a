/** Which engine a product takes: a table over forms and sizes, measured once on a machine. Private to la. */
#pragma once

#include "engine.h"
#include "la/gemm.h"

/** False: BLIS; true: libxsmm. Before gemm_start a fixed rule. */
bool crossover_xsmm(bool a_transposed, bool b_transposed, int64_t m, int64_t n, int64_t k);
