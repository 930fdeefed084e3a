/* Whether the numbers of a dataset are what its schema says. Errors name file, column and row. Not collective. */
#pragma once

#include "dataset_table.h"

/* Rows of a column, from row `first` of the file on, are in the range of the schema. */
Err dataset_check_range(const Table *table, int column, const void *data, int64_t first, int64_t rows);

/* n vectors of `width` numbers have unit length, of which a row of the column has per_row. */
Err dataset_check_unit(const Table *table, int column, const float *data, int64_t first, int64_t n, int width,
                       int64_t per_row);

/* Of all trajectories: rotations (size, 3, 3) are orthogonal, gravity (size, 3) has a direction, normals (size, 3) of floors
 * have unit length. */
Err dataset_check_frames(const Table *table, const double *rotation, const float *gravity, const float *normal,
                         int64_t size);

/* The vertices of trajectory i belong to its bodies in ascending order, at least one to each. */
Err dataset_check_owners(const Table *table, int64_t i, const int32_t *owner, int64_t vertices, int64_t bodies);
