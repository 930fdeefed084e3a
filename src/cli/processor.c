/* Before anything else runs: does this processor have what the program was compiled for? Compiled for the baseline of the
 * architecture (Makefile), so that the answer is a line and not an illegal instruction. */
#include "processor.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

enum { EXIT_REFUSED = 2 }; /* EXIT_USER of base/err.h */
#define FIRST_OF_ALL 101   /* the earliest priority that a program may take */

static bool has(int feature) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    switch (feature) {
    case PROCESSOR_SSE3: return __builtin_cpu_supports("sse3");
    case PROCESSOR_SSSE3: return __builtin_cpu_supports("ssse3");
    case PROCESSOR_SSE41: return __builtin_cpu_supports("sse4.1");
    case PROCESSOR_SSE42: return __builtin_cpu_supports("sse4.2");
    case PROCESSOR_POPCNT: return __builtin_cpu_supports("popcnt");
    case PROCESSOR_AVX: return __builtin_cpu_supports("avx");
    case PROCESSOR_AVX2: return __builtin_cpu_supports("avx2");
    case PROCESSOR_FMA: return __builtin_cpu_supports("fma");
    case PROCESSOR_BMI: return __builtin_cpu_supports("bmi");
    case PROCESSOR_BMI2: return __builtin_cpu_supports("bmi2");
    case PROCESSOR_AVX512F: return __builtin_cpu_supports("avx512f");
    case PROCESSOR_AVX512CD: return __builtin_cpu_supports("avx512cd");
    case PROCESSOR_AVX512BW: return __builtin_cpu_supports("avx512bw");
    case PROCESSOR_AVX512DQ: return __builtin_cpu_supports("avx512dq");
    case PROCESSOR_AVX512VL: return __builtin_cpu_supports("avx512vl");
    case PROCESSOR_AVX512VBMI: return __builtin_cpu_supports("avx512vbmi");
    case PROCESSOR_AVX512VNNI: return __builtin_cpu_supports("avx512vnni");
    case PROCESSOR_GFNI: return __builtin_cpu_supports("gfni");
    default: return true;
    }
#elif defined(__aarch64__)
    return feature != PROCESSOR_SVE || (getauxval(AT_HWCAP) & HWCAP_SVE);
#else
    (void)feature;
    return true;
#endif
}

/* Of the ranks of a node, the one that tells: all have the same processor. */
static bool tells(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank && *rank) return !strcmp(rank, "0");
    }
    return true;
}

__attribute__((constructor(FIRST_OF_ALL))) static void check_processor(void) {
    for (const ProcessorNeed *need = processor_needs; need->name; need++) {
        if (has(need->feature)) continue;
        char host[128] = "";
        gethostname(host, sizeof host - 1);
        if (tells())
            fprintf(stderr,
                    "equiscale: the processor of %s has no %s, which this program was compiled for: want it built with "
                    "another ARCH, such as make ARCH=-march=x86-64-v3\n",
                    host, need->name);
        _exit(EXIT_REFUSED);
    }
}
