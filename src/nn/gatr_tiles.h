/** GATr's tiles: runs of whole sequences, small enough that what a stage computes of one stays in the cache. Private to
 *  nn. All features of a tile run along tokens (nn/equi.h), and its tokens start on a whole vector: that is the padded
 *  order of columns. Not collective. Errors: none. */
#pragma once

#include "nn/equi_attention.h"
#include "nn/model.h"

enum { TILE = 128 }; /* tokens of a tile, unless one sequence is longer */

typedef struct Tile {
    int64_t first, token; /* first column in padded and in packed token order */
    Columns at;
    int sequence;    /* the first one */
    Sequences seqs;  /* by column of the tile */
    int64_t weights; /* first of its softmax weights */
} Tile;

typedef struct Tiles {
    int n;
    Tile *at;
    int64_t *column; /* first columns of sequences, one more entry for each tile */
} Tiles;

#define EACH_TILE(t, tiles) for (const Tile *t = (tiles)->at; t < (tiles)->at + (tiles)->n; t++)

/** Room for the tiles of the largest batch, and columns of it and of one tile at most. */
void tiles_layout(Tiles *tiles, int max_sequences, Arena *arena);
int64_t tiles_max_columns(int64_t max_tokens, int max_sequences);
int64_t tile_max_columns(int64_t max_length);

/** Cuts a batch into tiles. */
void tiles_cut(Tiles *tiles, const Packed *seqs, const EquiAttention *heads);
/** Columns of all tiles together. */
int64_t tiles_columns(const Tiles *tiles);

/** Features of all tokens, tile after tile, or of one tile: (16 mv + s) rows of columns each. */
typedef struct Rows {
    real *at;
    int mv, s;
} Rows;

static inline Rows rows_take(Arena *arena, int mv, int s, int64_t columns) {
    return (Rows){.at = ARENA_TAKE(arena, real, field_rows(mv, s) * columns), .mv = mv, .s = s};
}

/** The rows of a tile, of a whole batch's or of one tile's buffer. */
static inline real *rows_of(Rows r, const Tile *t) {
    return r.at + field_rows(r.mv, r.s) * t->first;
}
static inline Field view(Rows r, const Tile *t) {
    return field_at(rows_of(r, t), r.mv, t->at.ld);
}
static inline Field scratch(Rows r, const Tile *t) {
    return field_at(r.at, r.mv, t->at.ld);
}
static inline Field channels_from(Field x, int channel, const Tile *t) {
    x.mv += channel * t->at.ld;
    return x;
}

/** Between a model's tensors, mv (16, tokens, mv) and s (tokens, s), and a tile. Null tensors are left out on the way
 *  back. */
void tile_from_tensors(Field x, Tensors from, int mv, int s, const Tile *t, int64_t tokens);
void tile_to_tensors(Tensors to, Field x, int mv, int s, const Tile *t, int64_t tokens);
