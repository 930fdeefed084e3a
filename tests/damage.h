/** Damage that HDF5's checksums do not see: a byte of an object header is changed and the checksum made right again, as a
 *  hostile writer would. HDF5 1.10 crashes on some of them. */
#pragma once

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t damage_turn(uint32_t x, int bits) {
    return x << bits | x >> (32 - bits);
}

/* Jenkins' lookup3, the checksum of HDF5's metadata. */
static inline uint32_t damage_checksum(const unsigned char *k, size_t n) {
    uint32_t s[3], add[3];
    static const int mix[6] = {4, 6, 8, 16, 19, 4}, last[7] = {14, 11, 25, 16, 4, 14, 24};
    for (int i = 0; i < 3; i++) s[i] = 0xdeadbeef + (uint32_t)n;
    for (; n > 12; n -= 12, k += 12) {
        memcpy(add, k, 12);
        for (int i = 0; i < 3; i++) s[i] += add[i];
        for (int i = 0; i < 6; i++) {
            uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];
            *a = (*a - *c) ^ damage_turn(*c, mix[i]);
            *c += *b;
        }
    }
    if (!n) return s[2];
    memset(add, 0, sizeof add);
    memcpy(add, k, n);
    for (int i = 0; i < 3; i++) s[i] += add[i];
    for (int i = 0; i < 7; i++) {
        uint32_t *to = &s[(i + 2) % 3], from = s[(i + 1) % 3];
        *to = (*to ^ from) - damage_turn(from, last[i]);
    }
    return s[2];
}

/* Start, first byte that may be changed, and end of the object header at or after `at`; false: there is none. */
static inline bool damage_header(size_t header[3], const unsigned char *file, size_t bytes, size_t at) {
    for (; at + 40 < bytes; at++) {
        if (memcmp(file + at, "OHDR", 4)) continue;
        unsigned flags = file[at + 5];
        size_t p = at + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0), width = (size_t)1 << (flags & 3),
               size = 0;
        memcpy(&size, file + p, width);
        uint32_t stored;
        if (p + width + size + 4 > bytes) continue;
        memcpy(&stored, file + p + width + size, 4);
        if (stored != damage_checksum(file + at, p + width + size - at)) continue;
        header[0] = at;
        header[1] = p + width;
        header[2] = p + width + size;
        return true;
    }
    return false;
}

/** Changes one byte of a random object header, reproducibly; returns the number of headers found. */
static inline int damage_repaired(unsigned char *file, size_t bytes, uint64_t stream) {
    size_t header[3];
    int n = 0;
    for (size_t at = 0; damage_header(header, file, bytes, at); at = header[2]) n++;
    if (!n) return 0;
    int64_t chosen = rng_below(1, stream, 0, n);
    size_t at = 0;
    for (int64_t i = 0; i <= chosen; i++, at = header[2]) damage_header(header, file, bytes, at);
    size_t byte = header[1] + (size_t)rng_below(1, stream, 1, (int64_t)(header[2] - header[1]));
    file[byte] ^= (unsigned char)(1 + rng_below(1, stream, 2, 255));
    uint32_t right = damage_checksum(file + header[0], header[2] - header[0]);
    memcpy(file + header[2], &right, 4);
    return n;
}
