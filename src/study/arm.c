#include "study/arm.h"

#include <string.h>

const Arm arms[] = {
    {"transformer", &transformer_kind, &procedure_plain, false, "2.7e-3", "0.52", "866", "0.43"},
    {"transformer_augmented", &transformer_kind, &procedure_augmented, false, "2.9e-3", "0.49", "866", "0.44"},
    /* A random rotation and the least one that makes gravity vertical again: a random one about the vertical. */
    {"transformer_canonical", &transformer_kind, &procedure_augmented, true, "3.3e-3", "0.41", "866", "0.23"},
    {"transformer_remul", &transformer_kind, &procedure_remul, false, "2.7e-3", "0.52", "866", "0.43"},
    {"gatr", &gatr_kind, &procedure_plain, false, "4e-3", "0.4", "2000", "0"},
};
const int n_arms = sizeof arms / sizeof *arms;

const Arm *arm_find(const char *name) {
    for (int i = 0; i < n_arms; i++)
        if (!strcmp(arms[i].name, name)) return &arms[i];
    return NULL;
}
