#include "study/arm.h"

#include <string.h>

const Arm arms[] = {
    {"transformer", &transformer_kind, &procedure_plain, "4e-3", "0.4"},
    {"transformer_augmented", &transformer_kind, &procedure_augmented, "4e-3", "0.4"},
    {"gatr", &gatr_kind, &procedure_plain, "6e-3", "0.5"},
};
const int n_arms = sizeof arms / sizeof *arms;

const Arm *arm_find(const char *name) {
    for (int i = 0; i < n_arms; i++)
        if (!strcmp(arms[i].name, name)) return &arms[i];
    return NULL;
}
