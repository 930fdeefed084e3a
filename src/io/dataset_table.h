/** The schema of dataset files, shared by their reader (dataset.c) and writer (dataset_create.c): a set of columns at
 *  three levels. The bodies of trajectory 0 come first, then those of 1, and so on; likewise vertices. */
#pragma once

#include "io/h5.h"

#define DATASET_FORMAT "equiscale-dataset-1"

enum { TRAJECTORY, BODY, VERTEX, LEVELS };
enum {
    BODIES,
    VERTICES,
    FLOOR_NORMAL,
    FLOOR_OFFSET,
    FLOOR_FRICTION,
    FLOOR_RESTITUTION,
    GRAVITY,
    ROTATION,
    SHIFT,
    MASS,
    FRICTION,
    RESTITUTION,
    POSITION,
    QUATERNION,
    VERTEX_POSITION,
    VERTEX_BODY,
    COLUMNS
};
enum { FRAMES = -1 }; /* stands for the number of frames in a shape */

typedef struct Spec {
    int level;
    double lo, hi; /* what is accepted */
    H5Column column;
} Spec;

extern const Spec dataset_schema[COLUMNS];

/** The columns of one file. */
typedef struct Table {
    H5File file;
    H5Column column[COLUMNS];
    H5Data data[COLUMNS];
} Table;

/** Fills in the columns for that many frames. */
void table_shape(Table *table, int frames);

/** Closes the columns, not the file. */
void table_close(Table *table);

/** FNV-1a over the bytes, continuing from h. */
uint64_t table_hash(uint64_t h, const void *data, size_t bytes);
static const uint64_t TABLE_HASH_START = 14695981039346656037u;
