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
    VELOCITY,
    SPIN,
    CONTACT,
    VERTEX_POSITION,
    VERTEX_BODY,
    COLUMNS
};
enum { FRAMES = -1 }; /* stands for the number of frames in a shape */

typedef struct Spec {
    int level;
    double lo, hi; /* what is accepted */
    H5Column column;
    bool optional; /* a file may lack it; it then has neither of VELOCITY and SPIN, or both */
} Spec;

extern const Spec dataset_schema[COLUMNS];

/** The columns of one file. */
typedef struct Table {
    H5File file;
    H5Column column[COLUMNS];
    H5Data data[COLUMNS];
    bool lacks[COLUMNS]; /* of the optional ones */
} Table;

/** Fills in the columns for that many frames; motion: the optional ones too. */
void table_shape(Table *table, int frames, bool motion);

/** Whether an open file says that it is a dataset. */
Err table_check_format(H5File *file);

/** Closes the columns, not the file. */
void table_close(Table *table);

/** XXH3 (xxhash.com) of all that the columns hold of one trajectory, as it is in memory: row[c] points at the first of
 *  its rows in column c, of which there are rows[level]. So the same numbers in a file of another maker, of another type
 *  or in other chunks, have the same digest. */
uint64_t table_digest(const Table *table, const void *const row[COLUMNS], const int64_t rows[LEVELS]);

/** The same of the first n trajectories of a file, from the digests of each. */
uint64_t table_combine(const uint64_t *digest, int64_t n, int64_t frames, double frame_time);
