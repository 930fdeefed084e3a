/** Arms: an arm of a study is a model plus a training procedure. A new arm is one line in arms[]; a new model is one
 *  ModelKind and its line in the list of nn/model.c, a new procedure one Procedure and its line in the list of
 *  train/procedure.c. Not collective. Errors: none. */
#pragma once

#include "train/procedure.h"

typedef struct Arm {
    const char *name;
    const ModelKind *kind;
    const Procedure *procedure;
    bool upright; /* the model sees scenes turned so that gravity is along -z */
    /* Defaults of the learning-rate rule, as docs/learning-rates.md found them. */
    const char *lr, *lr_exponent, *lr_steps, *lr_steps_exponent;
} Arm;

extern const Arm arms[];
extern const int n_arms;
const Arm *arm_find(const char *name); /* NULL when there is none of that name */

/** The motions under which its answers turn exactly, beside shifts: "rotations", "tilts" (of gravity), "none". */
const char *arm_exact(const Arm *arm);
