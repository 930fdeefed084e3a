#include "nn/model.h"

#include "base/cache.h"
#include "base/subnormal.h"

#include <stdio.h>
#include <string.h>

const ModelKind *const model_kinds[] = {&transformer_kind, &gatr_kind, &gatr_fixed_kind, &clofnet_kind};
const int n_model_kinds = sizeof model_kinds / sizeof *model_kinds;

const ModelKind *model_kind(const char *name) {
    for (int i = 0; i < n_model_kinds; i++)
        if (!strcmp(model_kinds[i]->name, name)) return model_kinds[i];
    return NULL;
}

bool model_has_key(const ModelKind *kind, const char *key) {
    bool found = false;
    for (int i = 0; i < kind->n_size_keys; i++) found |= !strcmp(kind->size_keys[i].key, key);
    return found;
}

ModelShape model_shape(const ModelSizes *s, int size) {
    return (ModelShape){.width = (int)s->width.at[size],
                        .width_s = s->scalars.n ? (int)s->scalars.at[size] : 2 * (int)s->width.at[size],
                        .depth = (int)s->depth.at[size],
                        .heads = (int)s->heads.at[size],
                        .multi_query = s->multi_query,
                        .increase = (int)s->increase,
                        .fixed = s->fixed.n ? (int)s->fixed.at[size] : 0,
                        .fixed_kind = s->fixed_kind,
                        .fixed_place = s->fixed_place,
                        .fixed_scalars = (int)s->fixed_scalars,
                        .neighbours = (int)s->neighbours,
                        .frames = s->frames};
}

const char *model_kind_lacks(const ModelKind *k) {
    if (!k->name) return "name";
    if (!k->size_keys) return "size_keys";
    if (!k->check) return "check";
    if (!k->params) return "params";
    if (!k->work) return "work";
    if (!k->layout) return "layout";
    if (!k->forward) return "forward";
    if (!k->backward) return "backward";
    if (!k->taps) return "taps";
    if (!k->scene_shape) return "scene_shape";
    if (!k->embed) return "embed";
    if (!k->readout) return "readout";
    return k->readout_backward ? NULL : "readout_backward";
}

static void add_lengths(PackedLengths *lengths, const Packed *seqs) {
    lengths->sequences += seqs->n;
    lengths->tokens += (double)seqs->start[seqs->n];
    for (int i = 0; i < seqs->n; i++) {
        double length = (double)(seqs->start[i + 1] - seqs->start[i]);
        lengths->squares += length * length;
    }
}

void packed_lengths_add(PackedLengths *lengths, const ModelKind *kind, const ModelShape *shape, const int32_t *body,
                        const Packed *seqs) {
    add_lengths(lengths, seqs);
    if (kind->pairs) lengths->pairs += kind->pairs(shape, body, seqs);
}

ModelFlops model_flops_of(const ModelWork *work, PackedLengths lengths) {
    const ModelFlops *of[] = {&work->sequence, &work->token, &work->square, &work->pair};
    const double times[] = {lengths.sequences, lengths.tokens, lengths.squares, lengths.pairs};
    ModelFlops sum = {0};
    for (int i = 0; i < 4; i++) {
        sum.nominal += of[i]->nominal * times[i];
        sum.executed += of[i]->executed * times[i];
        sum.attention += of[i]->attention * times[i];
    }
    return sum;
}

ModelFlops model_flops(const ModelWork *work, const Packed *seqs) {
    PackedLengths lengths = {0};
    CHECK(work->pair.executed == 0, "work by pairs of tokens");
    add_lengths(&lengths, seqs);
    return model_flops_of(work, lengths);
}

int model_block_taps(Tap *tap, int depth, int mv, int s) {
    for (int i = 0; tap && i <= depth; i++) {
        tap[i] = (Tap){.name = "linear_in", .mv = mv, .s = s, .acts = mv > 0};
        if (i) snprintf(tap[i].name, sizeof tap[i].name, "blocks.%d", i - 1);
    }
    return depth + 1;
}

static void layout(Model *model, Arena *arena) {
    model->theta = ARENA_TAKE(arena, real, model->table.local);
    model->grad = ARENA_TAKE(arena, real, model->table.local);
    model->kind->layout(model, arena);
}

static Model describe(const ModelKind *kind, const ModelShape *shape, int tp, int tp_rank, int64_t max_tokens,
                      int max_sequences, int64_t max_length) {
    Err err = kind->check(shape, tp);
    CHECK(!err.code, "%s", err.text);
    Model m = {.kind = kind,
               .shape = *shape,
               .table = param_table_new(tp, tp_rank),
               .max_tokens = max_tokens,
               .max_length = max_length,
               .max_sequences = max_sequences};
    kind->params(&m.table, shape);
    return m;
}

Model *model_new(const ModelKind *kind, const ModelShape *shape, const Comm *tp, int64_t max_tokens, int max_sequences,
                 int64_t max_length) {
    Model *m = MEM_NEW(Model, 1);
    *m = describe(kind, shape, comm_size(tp), comm_rank(tp), max_tokens, max_sequences, max_length);
    m->tp = tp;
    const char *twice = param_twice(&m->table);
    CHECK(!twice, "%s: two tensors are %s", kind->name, twice);
    Arena count = arena_count();
    layout(m, &count);
    m->arena = arena_new(count.peak);
    m->token_bytes =
        ((int64_t)count.peak - 2 * m->table.local * (int64_t)sizeof(real)) / (max_tokens > 0 ? max_tokens : 1);
    m->cache_bytes = cache_bytes();
    comm_max_i64(tp, &m->cache_bytes, 1);
    layout(m, &m->arena);
    memset(m->theta, 0, (size_t)m->table.local * sizeof *m->theta);
    memset(m->grad, 0, (size_t)m->table.local * sizeof *m->grad);
    return m;
}

void model_free(Model *model) {
    if (!model) return;
    arena_free(&model->arena);
    param_table_free(&model->table);
    mem_free(model);
}

int64_t model_bytes(const ModelKind *kind, const ModelShape *shape, int tp, int64_t max_tokens, int max_sequences,
                    int64_t max_length) {
    Model m = describe(kind, shape, tp, 0, max_tokens, max_sequences, max_length);
    Arena count = arena_count();
    layout(&m, &count);
    int64_t bytes = (int64_t)(sizeof m + count.peak + (size_t)m.table.capacity * sizeof *m.table.at);
    param_table_free(&m.table);
    return bytes;
}

int model_piece(const Model *model, const Packed *batch, int first) {
    const int64_t *start = batch->start, piece = model->kind->piece;
    int n = 1;
    if (!piece || model->tap || start[batch->n] * model->token_bytes <= model->cache_bytes) return batch->n - first;
    while (first + n < batch->n && start[first + n + 1] - start[first] <= piece) n++;
    return n;
}

Packed packed_part(int64_t *start, const Packed *batch, int first, int n) {
    for (int i = 0; i <= n; i++) start[i] = batch->start[first + i] - batch->start[first];
    return (Packed){.n = n, .start = start};
}

static void check_batch(const Model *model, const Packed *seqs) {
    CHECK(seqs->n <= model->max_sequences && seqs->start[seqs->n] <= model->max_tokens,
          "a batch of %d sequences and %lld tokens; the model has room for %d and %lld", seqs->n,
          (long long)seqs->start[seqs->n], model->max_sequences, (long long)model->max_tokens);
    for (int i = 0; i < seqs->n; i++)
        CHECK(seqs->start[i + 1] - seqs->start[i] <= model->max_length, "sequence %d is longer than %lld", i,
              (long long)model->max_length);
}

void model_forward(Model *model, Tensors out, Tensors in, const Packed *seqs) {
    check_batch(model, seqs);
    Subnormals before = subnormals_as_zeros();
    model->kind->forward(model, out, in, seqs);
    subnormals_back(before);
}

void model_backward(Model *model, Tensors din, Tensors dout, const Packed *seqs) {
    check_batch(model, seqs);
    Subnormals before = subnormals_as_zeros();
    model->kind->backward(model, din, dout, seqs);
    subnormals_back(before);
}
