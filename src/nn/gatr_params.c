#include "gatr_params.h"

#include <stdio.h>

EquiAttention gatr_heads(const ModelShape *s) {
    int mv = s->increase * s->width / s->heads, scalars = s->increase * s->width_s / s->heads;
    return (EquiAttention){.heads = s->heads,
                           .kv_heads = s->multi_query ? 1 : s->heads,
                           .mv = mv > 1 ? mv : 1,
                           .s = scalars > 4 ? scalars : 4};
}

Err gatr_check(const ModelShape *s, int tp) {
    if (s->in_mv < 1 || s->in_s < 1 || s->out_mv < 1 || s->out_s < 0)
        return err_user("gatr: inputs %d + %d, outputs %d + %d: want multivectors and scalars in, multivectors out",
                        s->in_mv, s->in_s, s->out_mv, s->out_s);
    if (s->width < 1 || s->width_s < 1 || s->depth < 1 || s->heads < 1 || s->increase < 1)
        return err_user("gatr: width %d + %d, depth %d, heads %d, increase %d: want at least 1 of each", s->width,
                        s->width_s, s->depth, s->heads, s->increase);
    for (int i = 0; i < s->n_reinsert; i++)
        if (s->reinsert[i] < 0 || s->reinsert[i] >= s->in_mv)
            return err_user("gatr: reinserted channel %d: want 0 to %d", s->reinsert[i], s->in_mv - 1);
    EquiAttention head = gatr_heads(s);
    if (PGA * (int64_t)head.mv + head.s > EQUI_HEAD_ROWS)
        return err_user(
            "gatr: %d heads of %d multivectors and %d scalars: want more heads, of at most %d numbers together",
            s->heads, head.mv, head.s, EQUI_HEAD_ROWS);
    char list[256] = "";
    for (int t = 1, used = 0; t <= s->heads && used < 240; t++) {
        if (s->heads % t || s->width % t || 2 * s->width_s % t) continue;
        if (t == tp) return ERR_NONE;
        used += snprintf(list + used, sizeof list - (size_t)used, "%s%d", used ? ", " : "", t);
    }
    return err_user(
        "gatr: tp = %d does not divide %d heads, %d multivector and %d scalar hidden channels: want one of %s", tp,
        s->heads, s->width, 2 * s->width_s, list);
}

static EquiAxes axes(Axis in_mv, Axis in_s, Axis out_mv, Axis out_s) {
    return (EquiAxes){in_mv, in_s, out_mv, out_s, .scalar_out_mv = out_mv, .scalar_out_s = out_s};
}

/* Queries and keys need some components only, and may see more inputs than values. */
static void attention_params(GatrMaps *map, ParamTable *table, int block, const ModelShape *s, const char *prefix) {
    EquiAttention a = gatr_heads(s);
    EquiInit init = {1, 0};
    char name[PARAM_NAME];
    Axis raw = axis_plain(s->width), more = axis_plain(s->width + s->n_reinsert), in_s = axis_plain(s->width_s);
    int parts = s->multi_query ? 1 : 3, heads = a.heads / table->tp;
    EquiAxes q =
        axes(more, in_s, axis_heads(parts, a.heads, a.mv, true, true), axis_heads(parts, a.heads, a.s, true, true));
    snprintf(name, sizeof name, "%sattention.qkv_module.%s", prefix, s->multi_query ? "q_linear" : "in_linear");
    map->q = equi_linear_params(table, block, &q, init, name);
    map->kv = table->local;
    if (s->multi_query) {
        EquiAxes k = axes(more, in_s, axis_plain(a.mv), axis_plain(a.s)), v = k;
        v.in_mv = raw;
        k.partial = v.partial = true;
        snprintf(name, sizeof name, "%sattention.qkv_module.k_linear", prefix);
        map->k = equi_linear_params(table, block, &k, init, name);
        snprintf(name, sizeof name, "%sattention.qkv_module.v_linear", prefix);
        map->v = equi_linear_params(table, block, &v, init, name);
    } else {
        EquiLinear all = map->q;
        int mv = heads * a.mv, scalars = heads * a.s;
        map->q = equi_linear_rows(&all, 0, mv, 0, scalars);
        map->k = equi_linear_rows(&all, mv, mv, scalars, scalars);
        map->v = equi_linear_rows(&all, 2 * mv, mv, 2 * scalars, scalars);
    }
    map->q.planes = map->k.planes = EQUI_QUERY_PLANES;
    map->kv_count = table->local - map->kv;
    EquiAxes out = axes(axis_heads(1, a.heads, a.mv, false, true), axis_heads(1, a.heads, a.s, false, true), raw, in_s);
    snprintf(name, sizeof name, "%sattention.out_linear", prefix);
    map->out = equi_linear_params(table, block, &out, (EquiInit){0.1, 0}, name);
    map->log_weights = param_add(table, block, (Axis[]){axis_split(a.heads), axis_plain(a.mv)}, 2, NULL, false,
                                 param_uniform(0), "%sattention.attention.log_weights", prefix);
}

static void mlp_params(GatrMaps *map, ParamTable *table, int block, const ModelShape *s, const char *prefix) {
    static const char *factor[4] = {"left", "right", "join_left", "join_right"};
    char name[PARAM_NAME];
    Axis mv = axis_plain(s->width), scalars = axis_plain(s->width_s);
    EquiAxes one = axes(mv, scalars, axis_split(s->width), axis_plain(0));
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%smlp.layers.0.linear_%s", prefix, factor[i]);
        map->bilinear[i] = equi_linear_params(table, block, &one, i == 1 ? (EquiInit){0.5, 1} : (EquiInit){1, 0}, name);
    }
    EquiAxes mix =
        axes(axis_heads(2, s->width, 1, false, true), scalars, axis_plain(2 * s->width), axis_plain(2 * s->width_s));
    mix.scalar_out_mv = axis_split(2 * s->width);
    mix.scalar_out_s = axis_split(2 * s->width_s);
    snprintf(name, sizeof name, "%smlp.layers.0.linear_out", prefix);
    map->mix = equi_linear_params(table, block, &mix, (EquiInit){1, 0}, name);
    EquiAxes last = axes(axis_split(2 * s->width), axis_split(2 * s->width_s), mv, scalars);
    snprintf(name, sizeof name, "%smlp.layers.2", prefix);
    map->last = equi_linear_params(table, block, &last, (EquiInit){1, 0}, name);
}

GatrMaps gatr_block_maps(ParamTable *table, const ModelShape *s, int b) {
    GatrMaps map;
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blocks.%d.", b);
    attention_params(&map, table, b + 1, s, prefix);
    mlp_params(&map, table, b + 1, s, prefix);
    return map;
}

EquiLinear gatr_in_map(ParamTable *table, const ModelShape *s) {
    EquiAxes a = axes(axis_plain(s->in_mv), axis_plain(s->in_s), axis_plain(s->width), axis_plain(s->width_s));
    return equi_linear_params(table, 0, &a, (EquiInit){1, 0}, "linear_in");
}

EquiLinear gatr_out_map(ParamTable *table, const ModelShape *s) {
    EquiAxes a = axes(axis_plain(s->width), axis_plain(s->width_s), axis_plain(s->out_mv), axis_plain(s->out_s));
    return equi_linear_params(table, s->depth + 1, &a, (EquiInit){1, 0}, "linear_out");
}

void gatr_params(ParamTable *table, const ModelShape *s) {
    gatr_in_map(table, s);
    for (int b = 0; b < s->depth; b++) gatr_block_maps(table, s, b);
    gatr_out_map(table, s);
}

/* Of a token, forward. */
static int64_t maps_flops(const GatrMaps *map) {
    int64_t sum = equi_linear_flops(&map->q) + equi_linear_flops(&map->k) + equi_linear_flops(&map->v) +
                  equi_linear_flops(&map->out) + equi_linear_flops(&map->mix) + equi_linear_flops(&map->last);
    for (int i = 0; i < 4; i++) sum += equi_linear_flops(&map->bilinear[i]);
    return sum;
}

ModelWork gatr_work(const ModelShape *shape, int tp, bool input_gradient) {
    ParamTable table = param_table_new(tp, 0);
    EquiLinear in = gatr_in_map(&table, shape);
    GatrMaps map;
    for (int b = 0; b < shape->depth; b++) map = gatr_block_maps(&table, shape, b);
    EquiLinear out = gatr_out_map(&table, shape);
    param_table_free(&table);
    /* This rank's part of linear_out adds the scalars' share of its own outputs, and all parts what its products add.
     */
    map.mix.s2mv = map.mix.s2s = -1;
    double scalars = 2.0 * shape->width_s * (2 * shape->width + 2 * shape->width_s) / tp;
    double maps = (double)maps_flops(&map) + scalars, last = (double)equi_linear_flops(&map.last);
    double split = shape->width / tp; /* channels of products */
    double per_token = 3 * maps + split * (3.0 * PGA_GEOMETRIC_FLOPS + (3.0 + input_gradient) * PGA_JOIN_FLOPS);
    if (shape->recompute) per_token += maps - last + split * (PGA_GEOMETRIC_FLOPS + PGA_JOIN_FLOPS);
    double ends = 3.0 * (double)equi_linear_flops(&out) + (2.0 + input_gradient) * (double)equi_linear_flops(&in);
    EquiAttention a = gatr_heads(shape);
    int w = shape->width, z = shape->width_s, q = a.heads * a.mv, q_s = a.heads * a.s, kv = a.kv_heads * a.mv,
        kv_s = a.kv_heads * a.s, more = w + shape->n_reinsert;
    double nominal = equi_linear_nominal(more, z, q, q_s) + equi_linear_nominal(more, z, kv, kv_s) +
                     equi_linear_nominal(shape->multi_query ? w : more, z, kv, kv_s) +
                     equi_linear_nominal(q, q_s, w, z) + 4 * equi_linear_nominal(w, z, w, 0) +
                     equi_linear_nominal(2 * w, z, 2 * w, 2 * z) + equi_linear_nominal(2 * w, 2 * z, w, z);
    nominal = shape->depth * nominal + equi_linear_nominal(shape->in_mv, shape->in_s, w, z) +
              equi_linear_nominal(w, z, shape->out_mv, shape->out_s);
    a.heads /= tp;
    double attention = tp * shape->depth * (double)equi_attention_flops(&a, 1);
    if (shape->recompute) attention += attention / 3; /* the forward part */
    return (ModelWork){.token = {.nominal = nominal, .executed = tp * (ends + shape->depth * per_token)},
                       .square = {.executed = attention, .attention = attention}};
}
