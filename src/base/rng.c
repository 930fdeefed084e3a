#include "base/rng.h"

#include <Random123/philox.h>
#include <math.h>
#include <string.h>

uint64_t rng_stream(const char *purpose, uint64_t index) {
    uint64_t h = 14695981039346656037u;
    for (const char *c = purpose; *c; c++) h = (h ^ (uint8_t)*c) * 1099511628211u;
    for (int i = 0; i < 8; i++) h = (h ^ ((index >> 8 * i) & 0xff)) * 1099511628211u;
    return h;
}

static void draw(uint64_t out[2], uint64_t seed, uint64_t stream, uint64_t element) {
    philox4x32_ctr_t c = {{(uint32_t)element, (uint32_t)(element >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t r = philox4x32(c, k);
    out[0] = (uint64_t)r.v[1] << 32 | r.v[0];
    out[1] = (uint64_t)r.v[3] << 32 | r.v[2];
}

/* The same of some elements side by side: Philox-4x32-10 with numbers of 32 bits in lanes of 64. */
typedef uint64_t Words __attribute__((vector_size(64)));
enum { WORDS = sizeof(Words) / sizeof(uint64_t), PHILOX_ROUNDS = 10 };

static inline void draw_words(Words *first, Words *second, uint64_t seed, uint64_t stream, Words element) {
    const uint64_t low = 0xffffffffu, multiplier[2] = {PHILOX_M4x32_0, PHILOX_M4x32_1};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    Words c0 = element & low, c1 = element >> 32, c2 = (Words){0} + (stream & low), c3 = (Words){0} + (stream >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        Words p = c0 * multiplier[0], q = c2 * multiplier[1];
        c0 = (q >> 32) ^ c1 ^ key[0];
        c1 = q & low;
        c2 = (p >> 32) ^ c3 ^ key[1];
        c3 = p & low;
        key[0] += PHILOX_W32_0;
        key[1] += PHILOX_W32_1;
    }
    *first = c1 << 32 | c0;
    *second = c3 << 32 | c2;
}

double rng_uniform(uint64_t seed, uint64_t stream, uint64_t element) {
    uint64_t r[2];
    draw(r, seed, stream, element);
    return rng_unit(r[0]);
}

double rng_normal(uint64_t seed, uint64_t stream, uint64_t element) {
    uint64_t r[2];
    draw(r, seed, stream, element);
    return sqrt(-2 * log(rng_unit(r[0]))) * cos(2 * M_PI * rng_unit(r[1]));
}

void rng_blocks(uint64_t *restrict first, uint64_t *restrict second, int64_t n, uint64_t seed, uint64_t stream,
                uint64_t element) {
    int64_t i = 0;
    for (; i + WORDS <= n; i += WORDS) {
        const Words numbers = {0, 1, 2, 3, 4, 5, 6, 7};
        Words a, b;
        draw_words(&a, &b, seed, stream, numbers + (element + (uint64_t)i));
        memcpy(first + i, &a, sizeof a);
        memcpy(second + i, &b, sizeof b);
    }
    for (; i < n; i++) {
        uint64_t r[2];
        draw(r, seed, stream, element + (uint64_t)i);
        first[i] = r[0];
        second[i] = r[1];
    }
}

int64_t rng_below(uint64_t seed, uint64_t stream, uint64_t element, int64_t n) {
    uint64_t r[2];
    draw(r, seed, stream, element);
    return rng_scaled(r[0], n);
}

void rng_rotation(double r[9], uint64_t seed, uint64_t stream, uint64_t element) {
    double q[4], norm = 0;
    for (int i = 0; i < 4; i++) {
        q[i] = rng_normal(seed, stream, 4 * element + (uint64_t)i);
        norm += q[i] * q[i];
    }
    for (int i = 0; i < 4; i++) q[i] /= sqrt(norm);
    double w = q[0], x = q[1], y = q[2], z = q[3];
    double m[9] = {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                   2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                   2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
    for (int i = 0; i < 9; i++) r[i] = m[i];
}

enum { FEISTEL_ROUNDS = 6 };

/* Bits of half a number, of the least even number of bits that holds 0 .. n-1. */
static int half_bits(int64_t n) {
    int half = 1;
    while (half < 31 && (int64_t)1 << 2 * half < n) half++;
    return half;
}

/* The element of the stream that a round draws for a right half, of ROUND_BITS bits for the round. */
enum { ROUND_BITS = 3 };

static uint64_t round_draw(uint64_t right, uint64_t round, uint64_t seed, uint64_t stream) {
    uint64_t r[2];
    draw(r, seed, stream, right << ROUND_BITS | round);
    return r[0];
}

int64_t rng_permuted(int64_t i, int64_t n, uint64_t seed, uint64_t stream) {
    int half = half_bits(n);
    uint64_t mask = ((uint64_t)1 << half) - 1, x = (uint64_t)i;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
            uint64_t next = left ^ (round_draw(right, round, seed, stream) & mask);
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= (uint64_t)n);
    return (int64_t)x;
}

/* One walk of several numbers through the network. */
static inline Words walk(Words x, int half, uint64_t seed, uint64_t stream) {
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    Words left = x >> (uint64_t)half, right = x & mask;
    for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
        Words drawn, unused;
        draw_words(&drawn, &unused, seed, stream, right << ROUND_BITS | round);
        Words next = left ^ (drawn & mask);
        left = right;
        right = next;
    }
    return left << (uint64_t)half | right;
}

void rng_permuted_run(int64_t *out, int64_t first, int count, int64_t n, uint64_t seed, uint64_t stream) {
    uint64_t x[RNG_RUN + WORDS] = {0}; /* those that walk on, and whose they are */
    int whose[RNG_RUN], left = count, half = half_bits(n);
    for (int i = 0; i < count; i++) {
        x[i] = (uint64_t)(first + i);
        whose[i] = i;
    }
    while (left > 0) {
        int on = 0;
        for (int i = 0; i < left; i += WORDS) {
            Words some;
            memcpy(&some, x + i, sizeof some);
            some = walk(some, half, seed, stream);
            memcpy(x + i, &some, sizeof some);
        }
        for (int i = 0; i < left; i++) {
            if (x[i] < (uint64_t)n) {
                out[whose[i]] = (int64_t)x[i];
                continue;
            }
            x[on] = x[i];
            whose[on++] = whose[i];
        }
        left = on;
    }
}

void rng_permute(int32_t *out, int count, int n, uint64_t seed, uint64_t stream) {
    enum { MOST_HALVES = 16 }; /* 2^half for n = RNG_PERMUTED_TOGETHER */
    uint64_t drawn[MOST_HALVES << ROUND_BITS], unused[MOST_HALVES << ROUND_BITS];
    int half = half_bits(n);
    uint32_t mask = (1u << half) - 1;
    rng_blocks(drawn, unused, (int64_t)1 << (half + ROUND_BITS), seed, stream, 0);
    for (int i = 0; i < count; i++) {
        uint32_t x = (uint32_t)i;
        do {
            uint32_t left = x >> half, right = x & mask;
            for (uint32_t round = 0; round < FEISTEL_ROUNDS; round++) {
                uint32_t next = left ^ ((uint32_t)drawn[right << ROUND_BITS | round] & mask);
                left = right;
                right = next;
            }
            x = left << half | right;
        } while (x >= (uint32_t)n);
        out[i] = (int32_t)x;
    }
}
