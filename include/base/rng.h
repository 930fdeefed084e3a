/** Random numbers by counter: a draw is a function of (seed, stream, element) and of nothing else, so that results do
 *  not depend on ranks, layouts or the order of calls. Philox-4x32-10, Salmon et al. 2011, through Random123.
 *
 *  `stream` says what the numbers are for: rng_stream("purpose", index). `element` is the position within it.
 *  Not collective. Errors: none. Cost: one Philox block of 128 bits a draw. */
#pragma once

#include <stdint.h>

/** A stream number from a name and an index (FNV-1a). */
uint64_t rng_stream(const char *purpose, uint64_t index);

/** Uniform in the open interval (0, 1), 53 bits. */
double rng_uniform(uint64_t seed, uint64_t stream, uint64_t element);

/** Standard normal (Box and Muller 1958). */
double rng_normal(uint64_t seed, uint64_t stream, uint64_t element);

/** Uniform integer in [0, n), n >= 1. */
int64_t rng_below(uint64_t seed, uint64_t stream, uint64_t element, int64_t n);

/** The blocks of elements element .. element + n - 1, in halves of 64 bits: many at once, which vectorises. rng_unit makes of
 *  the first what rng_uniform gives, rng_scaled what rng_below gives. */
void rng_blocks(uint64_t *restrict first, uint64_t *restrict second, int64_t n, uint64_t seed, uint64_t stream,
                uint64_t element);

/** 64 random bits as a number of the open interval (0, 1). */
static inline double rng_unit(uint64_t bits) {
    return ((double)(bits >> 11) + 0.5) * 0x1p-53;
}

/** 64 random bits as an integer in [0, n). */
static inline int64_t rng_scaled(uint64_t bits, int64_t n) {
    return (int64_t)((unsigned __int128)bits * (uint64_t)n >> 64);
}

/** Uniform rotation matrix (row-major 3x3), from a uniform unit quaternion; uses elements 4*element .. 4*element+3. */
void rng_rotation(double r[9], uint64_t seed, uint64_t stream, uint64_t element);

/** Where a random permutation of 0 .. n-1 sends i: a Feistel network on the smallest even number of bits, walked until
 *  it lands below n (Black and Rogaway 2002). Nothing is stored; about 1 to 4 walks a call. */
int64_t rng_permuted(int64_t i, int64_t n, uint64_t seed, uint64_t stream);

/** out[i] = rng_permuted(first + i, n, seed, stream) for every i < count <= RNG_RUN: several walk side by side, which takes a
 *  quarter of the time a number. */
enum { RNG_RUN = 64 };
void rng_permuted_run(int64_t *out, int64_t first, int count, int64_t n, uint64_t seed, uint64_t stream);

/** out[i] = rng_permuted(i, n, seed, stream) for every i < count <= n, n at most RNG_PERMUTED_TOGETHER: the few draws that
 *  all of them share are made once. */
enum { RNG_PERMUTED_TOGETHER = 256 };
void rng_permute(int32_t *out, int count, int n, uint64_t seed, uint64_t stream);
