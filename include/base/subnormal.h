/** Subnormal numbers, those below the smallest number of full precision (1.2e-38 in float32), as zeros. Softmax weights of
 *  tokens far apart are such numbers, and some processors, Intel's among them, leave their fast path for each operation that
 *  meets one: training GATr took three to five times as long. Work on `real` is done between these two:
 *
 *      Subnormals before = subnormals_as_zeros();
 *      ...
 *      subnormals_back(before);
 *
 *  The setting is that of the calling thread; compilers do not know of it, so the work between is a call. Where the
 *  processor has no such setting nothing changes. Cost: some 10 ns. Not collective. Errors: none.
 *  Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 10.2.3 (MXCSR: FTZ, DAZ); Arm
 *  Architecture Reference Manual for A-profile, FPCR.FZ. */
#pragma once

#include <stdint.h>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

/** What the thread did before. */
typedef uint64_t Subnormals;

/** From here on results that are subnormal become zero, and so do such operands. */
static inline Subnormals subnormals_as_zeros(void) {
#if defined(__SSE2__)
    const unsigned flush_results = 1u << 15, flush_operands = 1u << 6;
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | flush_results | flush_operands);
    return before;
#elif defined(__aarch64__)
    const uint64_t flush = 1u << 24;
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | flush));
    return before;
#else
    return 0;
#endif
}

/** As it was before; exceptions that were raised in between are forgotten. */
static inline void subnormals_back(Subnormals before) {
#if defined(__SSE2__)
    _mm_setcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}
