/** Sizes of a model as a study file lists them: entry i of every list belongs to size i. Each ModelKind says which members
 *  are keys of its own; the others stay empty, false or 0. Not collective. Errors: none. */
#pragma once

#include "par/options.h"

typedef struct ModelSizes {
    IntList width;   /* hidden channels */
    IntList scalars; /* hidden scalar channels beside multivectors; empty: twice the width */
    IntList depth;   /* blocks */
    IntList heads;   /* attention heads */
    bool multi_query;
    int64_t increase; /* factor on the channels inside the attention */
} ModelSizes;

/* Keys that mean the same in every model with attention; `<model>.` goes before the name. */
#define MODEL_SIZE_ATTENTION                                                                                           \
    {"depth", KEY_INTS, offsetof(ModelSizes, depth), "", 1, 1000, NULL, "blocks", "blocks of each model size", NULL},  \
        {"heads", KEY_INTS, offsetof(ModelSizes, heads),          "",  1, 1000,                                        \
         NULL,    "heads",  "attention heads of each model size", NULL},                                               \
        {"multi_query", KEY_BOOL, offsetof(ModelSizes, multi_query),                                                   \
         "false",       0,        0,                                                                                   \
         NULL,          "1",      "all query heads share one key and value head",                                      \
         NULL},                                                                                                        \
    {                                                                                                                  \
        "increase", KEY_INT, offsetof(ModelSizes, increase), "1", 1, 64, NULL, "1",                                    \
            "factor on the channels inside the attention", NULL                                                        \
    }
