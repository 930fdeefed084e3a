/* Columns of a dataset that stay on the disk: read without HDF5, whose every call takes as long as what is read, and ahead of
 * use. What the system fetches ahead it keeps in the memory that no program uses, where all ranks of the node find it.
 *
 * Columns that are packed, or of another type than memory's, are left to HDF5, and are not fetched ahead. */
#pragma once

#include "dataset_table.h"

typedef struct Stream {
    int fd;                   /* -1: there is none, and all columns are HDF5's */
    H5Pieces pieces[COLUMNS]; /* where rows stand; none: HDF5 reads them; owned */
} Stream;

/* Of the open columns of a table, which it reads as long as the stream is open. A file that cannot be opened again is left
 * to HDF5. */
Stream stream_open(const Table *table, const char *path);
void stream_close(Stream *stream);

/* Rows of a column as they are in memory. Errors: the file cannot be read. */
Err stream_read(const Stream *stream, Table *table, int column, void *to, int64_t first, int64_t rows);

/* Says that these rows will be read soon. Waits for nothing. */
void stream_expect(const Stream *stream, const Table *table, int column, int64_t first, int64_t rows);
