/** Memory: the only place that calls malloc. Two ways to have some.
 *
 *  mem_new/mem_free: a single object with a life of its own.
 *  Arena: one block handed out front to back. A layout function takes an Arena and calls ARENA_TAKE for each buffer;
 *  run on a counting arena (arena_count) it only adds up, run on a real one (arena_new) it places, so that size and
 *  layout cannot differ. mark and reset make it a scratch stack.
 *
 *      Arena count = arena_count();  layout(&bufs, &count);
 *      Arena arena = arena_new(count.peak);  layout(&bufs, &arena);  ...  arena_free(&arena);
 *
 *  Every buffer starts on a 64-byte boundary. mem_live() is 0 when all is given back. Not collective. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Arena {
    char *base;  /* NULL in a counting arena */
    size_t size; /* bytes at base */
    size_t used; /* bytes handed out */
    size_t peak; /* largest `used` so far */
} Arena;

/** An arena that only counts, and one of `bytes`, zero-filled (aborts when there is no memory). */
Arena arena_count(void);
Arena arena_new(size_t bytes);
void arena_free(Arena *arena);

/** `bytes` of memory, not initialised (NaN in debug builds); NULL in a counting arena. Running out is a bug. */
void *arena_take(Arena *arena, size_t bytes);
#define ARENA_TAKE(arena, type, n) ((type *)arena_take((arena), (size_t)(n) * sizeof(type)))

/** Scratch: everything taken after the mark is given back by reset. */
size_t arena_mark(const Arena *arena);
void arena_reset(Arena *arena, size_t mark);

/** Zero-filled memory, 64-byte aligned; aborts when there is none. mem_free(NULL) does nothing. */
void *mem_alloc(size_t bytes);
void mem_free(void *ptr);
#define MEM_NEW(type, n) ((type *)mem_alloc((size_t)(n) * sizeof(type)))

/** A MEM_NEW array of another length; the added tail is zero and the old pointer is dead. Growing one by one costs what growing at
 *  once does, but for a factor: there is room for half as much again. */
void *mem_grow(void *ptr, size_t bytes);

/** Bytes currently held through mem_alloc and arena_new. */
size_t mem_live(void);
