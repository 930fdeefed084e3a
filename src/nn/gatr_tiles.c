#include "gatr_tiles.h"

#include "la/simd.h"

void tiles_layout(Tiles *tiles, int max_sequences, Arena *arena) {
    tiles->at = ARENA_TAKE(arena, Tile, max_sequences);
    tiles->column = ARENA_TAKE(arena, int64_t, 2 * max_sequences);
}

int64_t tiles_max_columns(int64_t max_tokens, int max_sequences) {
    return vec_padded(max_tokens + (int64_t)max_sequences * (LANES - 1));
}

int64_t tile_max_columns(int64_t max_length) {
    return vec_padded(max_length > TILE ? max_length : TILE);
}

void tiles_cut(Tiles *tiles, const Packed *seqs, const EquiAttention *heads) {
    int64_t first = 0, weights = 0;
    tiles->n = 0;
    for (int i = 0; i < seqs->n;) {
        int64_t token = seqs->start[i], *column = tiles->column + i + tiles->n;
        Tile *t = &tiles->at[tiles->n++];
        *t = (Tile){.first = first, .token = token, .sequence = i, .seqs = {.start = column}, .weights = weights};
        do {
            column[t->seqs.n++] = seqs->start[i] - token;
            weights += equi_attention_weights(heads, seqs->start[i + 1] - seqs->start[i]);
            i++;
        } while (i < seqs->n && seqs->start[i + 1] - token <= TILE);
        t->at.n = column[t->seqs.n] = seqs->start[i] - token;
        t->at.ld = vec_padded(t->at.n);
        first += t->at.ld;
    }
}

int64_t tiles_columns(const Tiles *tiles) {
    if (!tiles->n) return 0;
    const Tile *last = &tiles->at[tiles->n - 1];
    return last->first + last->at.ld;
}

/* Channels by token, as tensors have them, to tokens by channel, and back: a few channels, many tokens. */
static void turn_in(real *x, const real *tensor, int channels, const Columns *at) {
    for (int c = 0; c < channels; c++, x += at->ld)
        for (int64_t i = 0; i < at->n; i++) x[i] = tensor[i * channels + c];
}

static void turn_out(real *tensor, const real *x, int channels, const Columns *at) {
    for (int c = 0; c < channels; c++, x += at->ld)
        for (int64_t i = 0; i < at->n; i++) tensor[i * channels + c] = x[i];
}

void tile_from_tensors(Field x, Tensors from, int mv, int s, const Tile *t, int64_t tokens) {
    for (int p = 0; p < PGA; p++) turn_in(x.mv + p * x.plane, from.mv + (p * tokens + t->token) * mv, mv, &t->at);
    turn_in(x.s, from.s + t->token * s, s, &t->at);
}

void tile_to_tensors(Tensors to, Field x, int mv, int s, const Tile *t, int64_t tokens) {
    for (int p = 0; to.mv && p < PGA; p++)
        turn_out(to.mv + (p * tokens + t->token) * mv, x.mv + p * x.plane, mv, &t->at);
    if (to.s) turn_out(to.s + t->token * s, x.s, s, &t->at);
}
