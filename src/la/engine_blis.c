#include "engine.h"

#include <blis.h>
#include <stdlib.h>

#ifdef EQ_DOUBLE
#define BLI_GEMM bli_dgemm
#else
#define BLI_GEMM bli_sgemm
#endif

/* BLIS 0.9 takes AVX2 kernels on a virtual machine whose CPU name it does not know. Its first call reads the variable,
 * and that may be one of PETSc or ScaLAPACK: hence before main. */
__attribute__((constructor)) static void choose_kernels(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) setenv("BLIS_ARCH_TYPE", "skx", 0);
#endif
}

const char *blis_version(void) {
    return bli_info_get_version_str();
}

void blis_run(real *c, int64_t ldc, Operand a, Operand b, int64_t m, int64_t n, int64_t k, real beta) {
    real one = 1;
    BLI_GEMM(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, (real *)a.at, a.row, a.col, (real *)b.at, b.row,
             b.col, &beta, c, ldc, 1);
}
