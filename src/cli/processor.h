/** Instructions that this program was compiled for beyond the baseline of its architecture. Private to cli. */
#pragma once

typedef struct ProcessorNeed {
    int feature;      /* PROCESSOR_..., in the order of processor.c */
    const char *name; /* as compilers spell it */
} ProcessorNeed;

/** Ends with an entry whose name is NULL. Data only: whoever asks may run on any processor. */
extern const ProcessorNeed processor_needs[];

enum {
    PROCESSOR_SSE3,
    PROCESSOR_SSSE3,
    PROCESSOR_SSE41,
    PROCESSOR_SSE42,
    PROCESSOR_POPCNT,
    PROCESSOR_AVX,
    PROCESSOR_AVX2,
    PROCESSOR_FMA,
    PROCESSOR_BMI,
    PROCESSOR_BMI2,
    PROCESSOR_AVX512F,
    PROCESSOR_AVX512CD,
    PROCESSOR_AVX512BW,
    PROCESSOR_AVX512DQ,
    PROCESSOR_AVX512VL,
    PROCESSOR_AVX512VBMI,
    PROCESSOR_AVX512VNNI,
    PROCESSOR_GFNI,
    PROCESSOR_SVE,
};
