#include "study/arm.h"

#include <string.h>

const Arm arms[] = {
    {"transformer", &transformer_kind, false, "2e-3", "0.25"},
    {"transformer_augmented", &transformer_kind, true, "2e-3", "0.25"},
    {"gatr", &gatr_kind, false, "2e-3", "0.25"},
};
const int n_arms = sizeof arms / sizeof *arms;

const Arm *arm_find(const char *name) {
    for (int i = 0; i < n_arms; i++)
        if (!strcmp(arms[i].name, name)) return &arms[i];
    return NULL;
}
