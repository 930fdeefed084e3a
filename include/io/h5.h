/** HDF5, narrowed to what our files need: one dataset a column (attributes unit, units, description), text and numbers
 *  as attributes, no compound types. `units` says the same as `unit`, under the name that readers of netCDF know. Columns
 *  are chunked with Fletcher32 checksums in the file format of HDF5 1.10, or the file is sealed as a whole, so that damage
 *  is an error and never a wrong number; times are not recorded, so that equal content is an equal file.
 *
 *  A file is written in one of two ways. Parallel: collectively, every call on all ranks of the communicator, and every
 *  return value is agreed on before the next call. Serial: built in memory and handed to the disk by h5_close, so that
 *  HDF5 never sees a write fail. A file is read by each rank for itself.
 *
 *  Errors are one line `FILE: DATASET: what HDF5 said`: code EXIT_USER when reading, EXIT_RESUME when writing. A write
 *  that fails on a parallel file ends the program with EXIT_RESUME, since HDF5 then hangs or crashes in any later call;
 *  h5_reserve before writing makes a full disk an ordinary error instead. A file that was read and cannot be closed ends it
 *  too. */
#pragma once

#include "base/err.h"
#include "par/comm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum H5Type { H5_U8, H5_I32, H5_I64, H5_F32, H5_F64, H5_TEXT } H5Type;

typedef struct H5Column {
    const char *name; /* path of the dataset, /group/name */
    H5Type type;
    int64_t shape[2]; /* of one row; 0: no such dimension */
    const char *unit, *description;
    size_t text; /* bytes of an H5_TEXT entry, padded with zeros */
} H5Column;

typedef struct H5File {
    int64_t id;
    const Comm *comm; /* NULL: serial */
    const char *path; /* the caller's string, which must outlive the file */
    bool writing, sealed;
    int64_t reserved; /* bytes, while writing */
    int64_t bytes;    /* of the file, when reading */
} H5File;

/** An open column of an open file. */
typedef struct H5Data {
    int64_t id, rows;
    H5File *file;
    const H5Column *column;
} H5Data;

/** A new file at `path`, collectively on `comm`, or in memory when comm is NULL. */
Err h5_create(H5File *file, const char *path, const Comm *comm);
/** An existing file, to be read. Not collective. Errors: not a file, not HDF5. */
Err h5_open(H5File *file, const char *path);
/** A serial file with a seal: its first 512 bytes (HDF5's user block) are a line of text with the digest (XXH3) of all
 *  that follows. Other readers of HDF5 pass over it. It is the program's own: columns in one piece, without checksums,
 *  which the seal makes needless, and without attributes. h5_check_seal tells whether a file has a seal, and refuses one
 *  that is not that of what follows, and a file that has lost its seal; h5_open_sealed hands nothing to HDF5 that has none.
 *  Cost: one reading. Not collective. */
Err h5_create_sealed(H5File *file, const char *path);
Err h5_check_seal(bool *sealed, const char *path);
Err h5_open_sealed(H5File *file, const char *path);
/** The same of the whole file in memory: h5_seal writes the line into its first bytes, h5_seal_holds tells whether they
 *  are that of what follows. */
enum { H5_SEAL_BYTES = 512 }; /* the smallest user block that HDF5 knows */
void h5_seal(void *image, size_t bytes);
bool h5_seal_holds(const void *image, size_t bytes);
/** HDF5 crashes or hangs on some damaged files. A file is therefore read in a child process first: this runs `read`
 *  there, which may open any number of files, and gives an error where the child did not end by itself, naming the file
 *  that it had opened last; whatever `read` returned is left to be found again by the caller. Code EXIT_RESUME where the
 *  child was killed from outside, which says nothing about the file. Not collective. */
Err h5_rehearse(Err (*read)(void *context), void *context);
/** A file being written reaches the disk here (not yet synced when parallel). */
Err h5_close(H5File *file);

/** Room on the disk for `bytes` more than reserved so far, which closing gives back where it was not needed. Parallel
 *  files only, and before the first column: MPI-IO writes across gaps by reading them, and past the end of a file that
 *  read leaves what was in memory; now it finds zeros, the same in every run. */
Err h5_reserve(H5File *file, int64_t bytes);

/** A new group. */
Err h5_group(H5File *file, const char *name);

/** Whether the file holds a group or dataset of that path, whose parent exists. */
Err h5_exists(bool *there, H5File *file, const char *path);

/** A new column of `rows` rows; with rows == 0 it grows by h5_extend, but in a sealed file. */
Err h5_column_create(H5Data *data, H5File *file, const H5Column *column, int64_t rows);
/** Opens a column and checks that its values are in the file itself (neither virtual nor external), in a form that this
 *  HDF5 can read, that they are numbers (text) of that shape, and that all were written; rows is what the file has. */
Err h5_column_open(H5Data *data, H5File *file, const H5Column *column);
/** Where in a file that was read the values of a column stand, as they would in memory, all rows one after the other; false:
 *  they do not, being in chunks or of another type than the column's own. */
bool h5_place(int64_t *place, const H5Data *data);
/** The same of a column in chunks that no filter packs, with or without checksums, which HDF5 alone looks at: piece k has rows
 *  k * rows and on, with room for more of them than the column has. A column in one piece has one. false: HDF5 is needed to
 *  read it. mem_free `at`. */
typedef struct H5Pieces {
    int64_t rows; /* of a piece */
    int64_t *at;  /* (pieces) byte of the file */
} H5Pieces;
bool h5_pieces(H5Pieces *pieces, const H5Data *data);
/** The error of a file without that column. */
Err h5_missing(const H5File *file, const H5Column *column);
void h5_column_close(H5Data *data);
Err h5_extend(H5Data *data, int64_t rows);

/** A new dataset of the numbers 0 .. rows-1, which readers of HDF5 and netCDF know as a dimension. h5_on_scale makes it
 *  dimension `axis` of a column: 0 its rows, 1 what is in a row. Close it as a column. */
Err h5_scale_create(H5Data *scale, H5File *file, const H5Column *name, int64_t rows);
Err h5_on_scale(H5Data *column, H5Data *scale, int axis);

/** Rows first .. first+rows-1, in memory as the column's type; any number type in a file is converted. */
Err h5_write(H5Data *data, const void *from, int64_t first, int64_t rows);
Err h5_read(H5Data *data, void *to, int64_t first, int64_t rows);
/** Bytes of one row in memory. */
size_t h5_row_bytes(const H5Column *column);

/** Attributes of a group or dataset ("/" is the file's own). */
Err h5_set_text(H5File *file, const char *object, const char *name, const char *text);
Err h5_set_i64(H5File *file, const char *object, const char *name, int64_t value);
Err h5_set_f64(H5File *file, const char *object, const char *name, double value);
/** An attribute of several numbers. */
Err h5_set_list(H5File *file, const char *object, const char *name, const int64_t *values, int n);
bool h5_has(H5File *file, const char *object, const char *name);
/** All text attributes of an object as lines `name = value`, in the order of their names; mem_free them. */
Err h5_get_lines(char **lines, H5File *file, const char *object);
/** mem_free the text. */
Err h5_get_text(char **text, H5File *file, const char *object, const char *name);
Err h5_get_i64(int64_t *value, H5File *file, const char *object, const char *name);
Err h5_get_f64(double *value, H5File *file, const char *object, const char *name);
