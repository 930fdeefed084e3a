#include "gatr_scene.h"

#include "la/pga.h"

#include <string.h>

enum { POSITION, VELOCITY, FLOOR, GRAVITY, SCENE_MV };

void gatr_scene_shape(ModelShape *shape, int slots, int worlds) {
    shape->in_mv = SCENE_MV;
    shape->in_s = SCENE_BODY + worlds + slots;
    shape->out_mv = 1;
    shape->out_s = 0;
    shape->slots = slots;
    shape->first_slot = shape->in_s - slots;
}

static void put(Tensors in, int64_t tokens, int64_t t, int channel, const double *x) {
    for (int p = 0; p < PGA; p++) in.mv[(p * tokens + t) * SCENE_MV + channel] = (real)x[p];
}

static void widen(double *to, const real *from) {
    for (int i = 0; i < 3; i++) to[i] = (double)from[i];
}

void gatr_embed(Tensors in, const SceneBatch *batch, const ModelShape *shape) {
    int64_t tokens = batch->seqs.start[batch->seqs.n];
    for (int i = 0; i < batch->seqs.n; i++) {
        double floor[PGA], gravity[PGA], x[PGA], xyz[3], foot[3];
        const real *plane = batch->floor + 4 * i;
        widen(xyz, plane);
        for (int j = 0; j < 3; j++) foot[j] = -(double)plane[3] * xyz[j]; /* the origin, let down onto the floor */
        pga_plane(floor, xyz, foot);
        widen(xyz, batch->gravity + 3 * i);
        pga_direction(gravity, xyz);
        for (int64_t t = batch->seqs.start[i]; t < batch->seqs.start[i + 1]; t++) {
            widen(xyz, batch->position + 3 * t);
            pga_point(x, xyz);
            put(in, tokens, t, POSITION, x);
            widen(xyz, batch->velocity + 3 * t);
            pga_direction(x, xyz);
            put(in, tokens, t, VELOCITY, x);
            put(in, tokens, t, FLOOR, floor);
            put(in, tokens, t, GRAVITY, gravity);
            real *s = in.s + t * shape->in_s;
            memcpy(s, batch->body + SCENE_BODY * t, SCENE_BODY * sizeof *s);
            s += SCENE_BODY;
            for (int j = 0; j < batch->worlds; j++) *s++ = batch->world[batch->worlds * i + j];
            memset(s, 0, (size_t)batch->slots * sizeof *s);
            s[batch->slot[t]] = 1;
        }
    }
}

/* Component and sign of each coordinate in a trivector. */
static const int coordinate[3] = {13, 12, 11};
static const real sign[3] = {-1, 1, -1};

void gatr_readout(real *displacement, Tensors out, const SceneBatch *batch, const ModelShape *shape) {
    (void)shape;
    int64_t tokens = batch->seqs.start[batch->seqs.n];
    for (int64_t t = 0; t < tokens; t++)
        for (int i = 0; i < 3; i++)
            displacement[3 * t + i] =
                sign[i] * out.mv[coordinate[i] * tokens + t] - out.mv[14 * tokens + t] * batch->position[3 * t + i];
}

void gatr_readout_backward(Tensors dout, const real *ddisplacement, const SceneBatch *batch, const ModelShape *shape) {
    (void)shape;
    int64_t tokens = batch->seqs.start[batch->seqs.n];
    memset(dout.mv, 0, (size_t)(PGA * tokens) * sizeof(real));
    for (int64_t t = 0; t < tokens; t++)
        for (int i = 0; i < 3; i++) {
            dout.mv[coordinate[i] * tokens + t] = sign[i] * ddisplacement[3 * t + i];
            dout.mv[14 * tokens + t] -= ddisplacement[3 * t + i] * batch->position[3 * t + i];
        }
}
