#include "study/arm.h"

#include <string.h>

const Arm arms[] = {
    {"transformer", &transformer_kind, &procedure_plain, false, "4e-3", "0.5", "700", "0.55"},
    {"transformer_augmented", &transformer_kind, &procedure_augmented, false, "4e-3", "0.5", "700", "0.55"},
    /* A random rotation and the least one that makes gravity vertical again: a random one about the vertical. */
    {"transformer_canonical", &transformer_kind, &procedure_augmented, true, "4e-3", "0.5", "700", "0.55"},
    {"transformer_remul", &transformer_kind, &procedure_remul, false, "4e-3", "0.5", "700", "0.55"},
    {"gatr", &gatr_kind, &procedure_plain, false, "4e-3", "0.4", "2000", "0"},
};
const int n_arms = sizeof arms / sizeof *arms;

const Arm *arm_find(const char *name) {
    for (int i = 0; i < n_arms; i++)
        if (!strcmp(arms[i].name, name)) return &arms[i];
    return NULL;
}
