/** Sizes of a model as a study file lists them: entry i of every list belongs to size i. Each ModelKind says which members
 *  are keys of its own; the others stay empty, false or 0. Not collective. Errors: none. */
#pragma once

#include "par/options.h"

/** What a fixed input of gatr_fixed is. */
typedef enum FixedKind { FIXED_FREE, FIXED_DIRECTION, FIXED_PLANE } FixedKind;

/** Where it stands: in channels of every token, or as tokens of its own. */
typedef enum FixedPlace { FIXED_CHANNELS, FIXED_TOKENS } FixedPlace;

/** Positions whose frames each layer of clofnet uses: those of the scene, or its own. */
typedef enum EdgeFrames { FRAMES_FIRST, FRAMES_EVERY } EdgeFrames;

typedef struct ModelSizes {
    IntList width;   /* hidden channels */
    IntList scalars; /* hidden scalar channels beside multivectors; empty: twice the width */
    IntList depth;   /* blocks */
    IntList heads;   /* attention heads */
    bool multi_query;
    int64_t increase; /* factor on the channels inside the attention */
    IntList fixed;    /* fixed inputs; empty: none */
    int fixed_kind;   /* FixedKind */
    int fixed_place;  /* FixedPlace */
    int64_t fixed_scalars;
    int frames;         /* EdgeFrames */
    int64_t neighbours; /* of a vertex among those of other bodies; 0: all */
} ModelSizes;

/* Keys that mean the same in every model with multivectors, and in every one with attention; `<model>.` goes before the name. */
#define MODEL_SIZE_MULTIVECTORS                                                                                        \
    {"width", KEY_INTS,   offsetof(ModelSizes, width),                                                                 \
     "",      1,          1 << 20,                                                                                     \
     NULL,    "channels", "hidden multivector channels of each model size",                                            \
     NULL},                                                                                                            \
    {                                                                                                                  \
        "scalars", KEY_INTS, offsetof(ModelSizes, scalars), "", 1, 1 << 20, NULL, "channels",                          \
            "hidden scalar channels of each model size; empty: twice the width", NULL                                  \
    }

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
