#include "base/arena.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

/* In front of each allocation, in an aligned slot of its own. */
typedef struct Header {
    char *block;  /* of the C library */
    size_t bytes; /* asked for */
    size_t room;  /* there are; zero beyond those asked for */
} Header;
_Static_assert(sizeof(Header) <= ALIGN, "it fits into its slot");

static size_t live;

static size_t round_up(size_t n) {
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static Header *header_of(void *ptr) {
    return (Header *)((char *)ptr - ALIGN);
}

/* By calloc, which does not touch what comes from the system, where pages are zero: room that is never used costs nothing. */
static void *take(size_t bytes, size_t room) {
    room = round_up(room);
    char *block = calloc(1, room + 2 * ALIGN);
    CHECK(block, "out of memory: %zu bytes asked for, %zu held", room, live);
    char *slot = block + (ALIGN - (uintptr_t)block % ALIGN) % ALIGN;
    *(Header *)slot = (Header){block, bytes, room};
    live += bytes;
    return slot + ALIGN;
}

void *mem_alloc(size_t bytes) {
    return take(bytes, bytes);
}

void mem_free(void *ptr) {
    if (!ptr) return;
    live -= header_of(ptr)->bytes;
    free(header_of(ptr)->block);
}

void *mem_grow(void *ptr, size_t bytes) {
    if (!ptr) return mem_alloc(bytes);
    Header *h = header_of(ptr);
    size_t old = h->bytes;
    if (bytes >= old && bytes <= h->room) {
        live += bytes - old;
        h->bytes = bytes;
        return ptr;
    }
    void *longer = take(bytes, bytes > old ? bytes + bytes / 2 : bytes);
    memcpy(longer, ptr, old < bytes ? old : bytes);
    mem_free(ptr);
    return longer;
}

size_t mem_live(void) {
    return live;
}

Arena arena_count(void) {
    return (Arena){0};
}

Arena arena_new(size_t bytes) {
    return (Arena){.base = mem_alloc(bytes ? bytes : 1), .size = bytes};
}

void arena_free(Arena *arena) {
    mem_free(arena->base);
    *arena = (Arena){0};
}

void *arena_take(Arena *arena, size_t bytes) {
    size_t at = arena->used;
    arena->used += round_up(bytes);
    if (arena->used > arena->peak) arena->peak = arena->used;
    if (!arena->base) return NULL;
    CHECK(at + bytes <= arena->size, "arena of %zu bytes is full: %zu used, %zu more wanted", arena->size, at, bytes);
#ifndef NDEBUG
    memset(arena->base + at, 0xff, bytes);
#endif
    return arena->base + at;
}

size_t arena_mark(const Arena *arena) {
    return arena->used;
}

void arena_reset(Arena *arena, size_t mark) {
    ASSERT(mark <= arena->used);
#ifndef NDEBUG
    if (arena->base) {
        size_t end = arena->used < arena->size ? arena->used : arena->size;
        if (end > mark) memset(arena->base + mark, 0xff, end - mark);
    }
#endif
    arena->used = mark;
}
