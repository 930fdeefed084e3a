/** A model that maps the position of each token by a known function and nothing else, so that what measurements must find
 *  is known; and a measurement on any model. */
#pragma once

#include "fixture.h"

typedef void TokenMap(double out[3], const double x[3]);
static TokenMap *token_map; /* what the model says of a position; set it first */

/* Its stream, unless NULL: token_width features of token t at a position, in the call with this number. */
typedef void TokenStream(real *features, int64_t t, const double x[3], int64_t call);
static TokenStream *token_stream;
static int token_width;
static int64_t token_calls;

static const double token_weight[9] = {0.9, -0.4, 0.2, 1.1, -0.3, 0.7, 0.5, 0.6, 0.1};

/* W x. */
static inline void token_linear(double out[3], const double x[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = token_weight[3 * i] * x[0] + token_weight[3 * i + 1] * x[1] + token_weight[3 * i + 2] * x[2];
}

/* -x / (1 + |x|), equivariant under O(3). */
static inline void token_radial(double out[3], const double x[3]) {
    double size = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
    for (int i = 0; i < 3; i++) out[i] = -x[i] / (1 + size);
}

static Err token_check(const ModelShape *shape, int tp) {
    (void)shape;
    (void)tp;
    return ERR_NONE;
}
static void token_params(ParamTable *table, const ModelShape *shape) {
    (void)shape;
    param_add(table, 0, (Axis[]){axis_plain(1)}, 1, NULL, false, param_uniform(1), "unused");
}
static void token_layout(Model *model, Arena *arena) {
    (void)model;
    (void)arena;
}
static void token_scene_shape(ModelShape *shape, int slots, int worlds) {
    (void)slots;
    (void)worlds;
    shape->in_s = shape->out_s = 3;
}
static void token_embed(Tensors in, const SceneBatch *batch, const ModelShape *shape) {
    (void)shape;
    memcpy(in.s, batch->position, (size_t)(3 * batch->seqs.start[batch->seqs.n]) * sizeof *in.s);
}
static void token_forward(Model *model, Tensors out, Tensors in, const Packed *seqs) {
    for (int64_t t = 0; t < seqs->start[seqs->n]; t++) {
        double x[3], y[3];
        for (int i = 0; i < 3; i++) x[i] = (double)in.s[3 * t + i];
        token_map(y, x);
        for (int i = 0; i < 3; i++) out.s[3 * t + i] = (real)y[i];
        if (model->tap) token_stream(model->tap[0].s + t * token_width, t, x, token_calls);
    }
    token_calls++;
}
static int token_taps(Tap *tap, const ModelShape *shape) {
    (void)shape;
    if (tap) *tap = (Tap){.name = "stream", .s = token_width};
    return token_stream ? 1 : 0;
}
static void token_readout(real *displacement, Tensors out, const SceneBatch *batch, const ModelShape *shape) {
    (void)shape;
    memcpy(displacement, out.s, (size_t)(3 * batch->seqs.start[batch->seqs.n]) * sizeof *displacement);
}
static const ModelKind token_kind = {.name = "token",
                                     .check = token_check,
                                     .params = token_params,
                                     .layout = token_layout,
                                     .forward = token_forward,
                                     .taps = token_taps,
                                     .scene_shape = token_scene_shape,
                                     .embed = token_embed,
                                     .readout = token_readout};

static int measured_depth = 2; /* blocks */

static inline ModelShape measured_shape(const ModelKind *kind, const TrainData *data) {
    ModelShape shape = fixture_job(kind, &procedure_plain, data, 1e-2).shape;
    shape.depth = measured_depth;
    return shape;
}

/* What one measurement finds on a model as it is initialised; mem_free its rows. Collective on the grid. */
static inline MeasureSink measured(const Measure *measure, const ModelKind *kind, int64_t samples, int64_t motions,
                                   const TrainData *data, const ProcGrid *grid) {
    MeasureChoice choice = {.n = 1, .at = {{measure, NULL}}, .common = {.samples = samples, .motions = motions}};
    ModelShape shape = measured_shape(kind, data);
    Pass pass;
    MeasureBench bench;
    MeasureSink found = {0};
    pass_init(&pass, kind, &shape, 5, 4, data, grid);
    measure_start(&bench, &choice, &pass, INFINITY);
    measure_run(&found, &bench, 1);
    measure_end(&bench);
    pass_free(&pass);
    return found;
}

/* The row of a layer and element; NULL: there is none. */
static inline const MeasureRow *row_of(const MeasureSink *found, int64_t layer, const char *element) {
    for (int64_t i = 0; i < found->n; i++)
        if (found->row[i].layer == layer && !strcmp(found->row[i].element, element)) return &found->row[i];
    return NULL;
}
