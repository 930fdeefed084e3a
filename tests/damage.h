/** Damage to files, reproducibly: that of failing disks and interrupted copies, damage_medium, and that which HDF5's checksums do
 *  not see, damage_repaired. */
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
        if (size > bytes || p + width + size + 4 > bytes) continue;
        memcpy(&stored, file + p + width + size, 4);
        if (stored != damage_checksum(file + at, p + width + size - at)) continue;
        header[0] = at;
        header[1] = p + width;
        header[2] = p + width + size;
        return true;
    }
    return false;
}

/** Changes one byte of a random object header and makes its checksum right again, as a hostile writer would: HDF5 1.10 crashes on
 *  some. Returns the number of headers found. */
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

enum { DAMAGE_PAGE = 512, DAMAGE_FRONT = 16384 };

/* Swaps two pages, or with `zero` clears one; whether that made a difference. */
static inline bool damage_pages(unsigned char *file, size_t bytes, uint64_t stream, bool zero) {
    unsigned char nothing[DAMAGE_PAGE] = {0}, kept[DAMAGE_PAGE];
    int64_t pages = (int64_t)(bytes / DAMAGE_PAGE);
    unsigned char *page = file + DAMAGE_PAGE * rng_below(1, stream, 0, pages),
                  *other = zero ? nothing : file + DAMAGE_PAGE * rng_below(1, stream, 1, pages);
    bool differ = memcmp(page, other, DAMAGE_PAGE) != 0;
    memcpy(kept, page, DAMAGE_PAGE);
    memcpy(page, other, DAMAGE_PAGE);
    memcpy(other, kept, DAMAGE_PAGE);
    return differ;
}

/** Damages a file of several pages: bits, bytes, pages of zeros, pages that changed places, an end that is missing, one kind after
 *  the other with i; each second round at the front, where HDF5 keeps what it knows of the rest. Returns the bytes that are left;
 *  some differ in any case. */
static inline size_t damage_medium(unsigned char *file, size_t bytes, int i) {
    enum { BIT, BYTES, ZEROS, SWAPPED, CUT, KINDS, SOME = 20 };
    uint64_t s = rng_stream("damage", (uint64_t)i);
    size_t range = i / KINDS % 2 && bytes > DAMAGE_FRONT ? DAMAGE_FRONT : bytes;
    int kind = i % KINDS;
    if (kind == CUT) return (size_t)rng_below(1, s, 0, (int64_t)bytes);
    /* Pages that are alike make no difference: then a bit does. */
    if ((kind == ZEROS || kind == SWAPPED) && damage_pages(file, range, s, kind == ZEROS)) return bytes;
    uint64_t changes = kind == BYTES ? SOME : 1;
    for (uint64_t k = 1; k <= changes; k++)
        file[rng_below(1, s, 2 * k, (int64_t)range)] ^= (unsigned char)(1 << rng_below(1, s, 2 * k + 1, 8));
    return bytes;
}
