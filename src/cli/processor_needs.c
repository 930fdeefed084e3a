/* Compiled like all other files, so that the compiler says here what it may use there. */
#include "processor.h"

#include <stddef.h>

const ProcessorNeed processor_needs[] = {
#ifdef __SSE3__
    {PROCESSOR_SSE3, "sse3"},
#endif
#ifdef __SSSE3__
    {PROCESSOR_SSSE3, "ssse3"},
#endif
#ifdef __SSE4_1__
    {PROCESSOR_SSE41, "sse4.1"},
#endif
#ifdef __SSE4_2__
    {PROCESSOR_SSE42, "sse4.2"},
#endif
#ifdef __POPCNT__
    {PROCESSOR_POPCNT, "popcnt"},
#endif
#ifdef __AVX__
    {PROCESSOR_AVX, "avx"},
#endif
#ifdef __AVX2__
    {PROCESSOR_AVX2, "avx2"},
#endif
#ifdef __FMA__
    {PROCESSOR_FMA, "fma"},
#endif
#ifdef __BMI__
    {PROCESSOR_BMI, "bmi"},
#endif
#ifdef __BMI2__
    {PROCESSOR_BMI2, "bmi2"},
#endif
#ifdef __AVX512F__
    {PROCESSOR_AVX512F, "avx512f"},
#endif
#ifdef __AVX512CD__
    {PROCESSOR_AVX512CD, "avx512cd"},
#endif
#ifdef __AVX512BW__
    {PROCESSOR_AVX512BW, "avx512bw"},
#endif
#ifdef __AVX512DQ__
    {PROCESSOR_AVX512DQ, "avx512dq"},
#endif
#ifdef __AVX512VL__
    {PROCESSOR_AVX512VL, "avx512vl"},
#endif
#ifdef __AVX512VBMI__
    {PROCESSOR_AVX512VBMI, "avx512vbmi"},
#endif
#ifdef __AVX512VNNI__
    {PROCESSOR_AVX512VNNI, "avx512vnni"},
#endif
#ifdef __GFNI__
    {PROCESSOR_GFNI, "gfni"},
#endif
#ifdef __ARM_FEATURE_SVE
    {PROCESSOR_SVE, "sve"},
#endif
    {0, NULL},
};
