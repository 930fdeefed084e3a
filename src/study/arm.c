#include "study/arm.h"

#include <string.h>

const Arm arms[] = {
    {"transformer", &transformer_kind, &procedure_plain, false, "2.7e-3", "0.52", "866", "0.43"},
    {"transformer_augmented", &transformer_kind, &procedure_augmented, false, "2.9e-3", "0.49", "866", "0.44"},
    /* A random rotation and the least one that makes gravity vertical again: a random one about the vertical. */
    {"transformer_canonical", &transformer_kind, &procedure_augmented, true, "3.3e-3", "0.41", "866", "0.23"},
    /* Related systems have the rule of the arm that they change, and clofnet the transformer's: none of their own was sought. */
    {"transformer_remul", &transformer_kind, &procedure_remul, false, "2.7e-3", "0.52", "866", "0.43"},
    {"transformer_augerino", &transformer_kind, &procedure_augerino, false, "2.7e-3", "0.52", "866", "0.43"},
    {"transformer_shared", &transformer_kind, &procedure_shared, false, "2.7e-3", "0.52", "866", "0.43"},
    {"clofnet", &clofnet_kind, &procedure_plain, false, "2.7e-3", "0.52", "866", "0.43"},
    {"gatr_approximate", &gatr_fixed_kind, &procedure_gated, false, "7.9e-3", "0.50", "500", "0.26"},
    {"gatr", &gatr_kind, &procedure_plain, false, "7.9e-3", "0.50", "500", "0.26"},
};
const int n_arms = sizeof arms / sizeof *arms;

const Arm *arm_find(const char *name) {
    for (int i = 0; i < n_arms; i++)
        if (!strcmp(arms[i].name, name)) return &arms[i];
    return NULL;
}

const char *arm_exact(const Arm *arm) {
    if (arm->kind->rotations) return "rotations";
    return arm->upright ? "tilts" : "none";
}
