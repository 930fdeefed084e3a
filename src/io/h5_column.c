/* Columns of a file: datasets whose first dimension is their rows. */
#include "base/arena.h"
#include "h5_calls.h"
#include "par/comm.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 15 };

hid_t h5_text_type(size_t bytes) {
    hid_t type = (hid_t)H5_CALL(H5Tcopy(H5T_C_S1));
    H5_CALL(H5Tset_size(type, bytes));
    H5_CALL(H5Tset_strpad(type, H5T_STR_NULLPAD));
    H5_CALL(H5Tset_cset(type, H5T_CSET_UTF8));
    return type;
}

/* In the file (little-endian on every machine) or in memory. */
static hid_t type_of(const H5Column *c, bool in_file) {
    switch (c->type) {
    case H5_U8: return (hid_t)H5_CALL(H5Tcopy(in_file ? H5T_STD_U8LE : H5T_NATIVE_UINT8));
    case H5_I32: return (hid_t)H5_CALL(H5Tcopy(in_file ? H5T_STD_I32LE : H5T_NATIVE_INT32));
    case H5_I64: return (hid_t)H5_CALL(H5Tcopy(in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64));
    case H5_F32: return (hid_t)H5_CALL(H5Tcopy(in_file ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT));
    case H5_F64: return (hid_t)H5_CALL(H5Tcopy(in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE));
    case H5_TEXT: break;
    }
    return h5_text_type(c->text);
}

static int dims_of(hsize_t dims[3], const H5Column *c, int64_t rows) {
    int rank = 1;
    dims[0] = (hsize_t)rows;
    for (int i = 0; i < 2 && c->shape[i]; i++) dims[rank++] = (hsize_t)c->shape[i];
    return rank;
}

static size_t entry_bytes(const H5Column *c) {
    static const size_t size[] = {[H5_U8] = 1, [H5_I32] = 4, [H5_I64] = 8, [H5_F32] = 4, [H5_F64] = 8};
    return c->type == H5_TEXT ? c->text : size[c->type];
}

size_t h5_row_bytes(const H5Column *c) {
    size_t bytes = entry_bytes(c);
    for (int i = 0; i < 2 && c->shape[i]; i++) bytes *= (size_t)c->shape[i];
    return bytes;
}

/* Chunks with checksums, the first dimension without end where there are no rows yet. */
static void chunked(hid_t create, hsize_t most[3], const H5Column *column, int64_t rows) {
    hsize_t chunk[3], fit = CHUNK_BYTES / h5_row_bytes(column);
    int rank = dims_of(chunk, column, rows);
    if (!rows) most[0] = H5S_UNLIMITED;
    if (!rows || chunk[0] > fit) chunk[0] = fit ? fit : 1;
    H5_CALL(H5Pset_chunk(create, rank, chunk));
    H5_CALL(H5Pset_fletcher32(create));
}

/* What a column says of itself to people and their tools. */
static Err describe_column(H5File *file, const H5Column *column) {
    TRY(h5_set_text(file, column->name, "unit", column->unit));
    TRY(h5_set_text(file, column->name, "units", column->unit)); /* the name that xarray and the CF conventions know */
    if (column->type == H5_TEXT) TRY(h5_set_text(file, column->name, "_Encoding", "utf-8"));
    return h5_set_text(file, column->name, "description", column->description);
}

Err h5_column_create(H5Data *data, H5File *file, const H5Column *column, int64_t rows) {
    hsize_t dims[3], most[3];
    int rank = dims_of(dims, column, rows);
    memcpy(most, dims, sizeof dims);
    hid_t create = h5_plain(H5P_DATASET_CREATE), type = type_of(column, true);
    if (!file->sealed) chunked(create, most, column, rows);
    hid_t space = (hid_t)H5_CALL(H5Screate_simple(rank, dims, most));
    *data = (H5Data){.file = file, .column = column, .rows = rows};
    data->id = h5_tried(H5Dcreate2(file->id, column->name, type, space, H5P_DEFAULT, create, H5P_DEFAULT));
    H5_CALL(H5Sclose(space));
    H5_CALL(H5Tclose(type));
    H5_CALL(H5Pclose(create));
    TRY(h5_written(file, column->name, data->id));
    return file->sealed ? ERR_NONE : describe_column(file, column);
}

/* Where the values are and how they are packed, before anything is read: HDF5 follows virtual datasets without end. */
static Err check_layout(const H5Data *data) {
    const char *path = data->file->path, *name = data->column->name;
    int64_t id = h5_tried(H5Dget_create_plist(data->id));
    if (id < 0) return h5_unreadable(data->file, name);
    hid_t create = (hid_t)id;
    Err err = ERR_NONE;
    if (H5Pget_layout(create) == H5D_VIRTUAL)
        err = err_user("%s: %s: a virtual dataset: want contiguous or chunked", path, name);
    else if (H5Pget_external_count(create) > 0)
        err = err_user("%s: %s: an external dataset: want contiguous or chunked", path, name);
    int filters = H5Pget_nfilters(create);
    for (int i = 0; i < filters && !err.code; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(create, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter < 0 || H5Zfilter_avail(filter) <= 0)
            err = err_user("%s: %s: packed by filter %d, which is not here: want none, deflate or Fletcher32", path,
                           name, (int)filter);
    }
    H5_CALL(H5Pclose(create));
    return err;
}

/* Deflate makes at most 1032 bytes of one, and HDF5 packs many small things beside the values. */
enum { UNPACKED = 2048 };

/* What the shape asks for, against what the file can hold: no memory is taken on the word of a header alone. */
static Err check_size(const H5Data *data, const hsize_t dims[], int rank) {
    hsize_t bytes = entry_bytes(data->column);
    bool over = false;
    for (int i = 0; i < rank; i++) over |= __builtin_mul_overflow(bytes, dims[i], &bytes);
    if (!over && bytes / UNPACKED <= (hsize_t)data->file->bytes) return ERR_NONE;
    return err_user("%s: %s: more values than %lld bytes can hold: want the shape that was written", data->file->path,
                    data->column->name, (long long)data->file->bytes);
}

/* Chunks that the shape takes; 1 for a dataset in one piece. */
static hsize_t chunks_wanted(bool *in_chunks, hid_t create, const hsize_t dims[], int rank) {
    hsize_t chunk[H5S_MAX_RANK], chunks = 1;
    *in_chunks = H5Pget_layout(create) == H5D_CHUNKED;
    if (*in_chunks && H5Pget_chunk(create, rank, chunk) == rank)
        for (int i = 0; i < rank; i++) chunks *= dims[i] / chunk[i] + (dims[i] % chunk[i] > 0);
    return chunks;
}

/* HDF5 gives fill values for what nobody wrote: those are no data. */
static Err check_written(const H5Data *data, hid_t space, const hsize_t dims[], int rank) {
    if (!data->rows) return ERR_NONE;
    hid_t create = (hid_t)H5_CALL(H5Dget_create_plist(data->id));
    bool in_chunks;
    hsize_t want = chunks_wanted(&in_chunks, create, dims, rank), found = 0;
    H5_CALL(H5Pclose(create));
    int64_t rc = 0;
    if (in_chunks)
        rc = h5_tried(H5Dget_num_chunks(data->id, space, &found));
    else
        found = H5Dget_storage_size(data->id) > 0;
    if (rc < 0) return h5_unreadable(data->file, data->column->name);
    if (found >= want) return check_size(data, dims, rank);
    return err_user("%s: %s: holds values never written: %llu of %llu pieces are there", data->file->path,
                    data->column->name, (unsigned long long)found, (unsigned long long)want);
}

static Err check_column(H5Data *data) {
    TRY(check_layout(data));
    const H5Column *c = data->column;
    hid_t type = (hid_t)H5_CALL(H5Dget_type(data->id)), space = (hid_t)H5_CALL(H5Dget_space(data->id));
    H5T_class_t class = H5Tget_class(type);
    bool integer = c->type == H5_U8 || c->type == H5_I32 || c->type == H5_I64, fits = H5Tget_size(type) <= 8;
    const char *want = c->type == H5_TEXT ? "fixed-length text" : integer ? "whole numbers" : "numbers";
    if (c->type == H5_TEXT)
        fits = class == H5T_STRING && H5Tis_variable_str(type) == 0 && H5Tget_size(type) <= c->text;
    else if (integer)
        fits = fits && class == H5T_INTEGER;
    else
        fits = fits && (class == H5T_FLOAT || class == H5T_INTEGER);

    hsize_t dims[H5S_MAX_RANK] = {0}, expected[3];
    int rank = dims_of(expected, c, 0);
    bool shaped = H5Sget_simple_extent_ndims(space) == rank && H5Sget_simple_extent_dims(space, dims, NULL) == rank;
    for (int i = 1; i < rank && shaped; i++) shaped = dims[i] == expected[i];
    data->rows = (int64_t)dims[0];
    Err written = fits && shaped && data->rows >= 0 ? check_written(data, space, dims, rank) : ERR_NONE;
    H5_CALL(H5Sclose(space));
    H5_CALL(H5Tclose(type));
    if (!fits) return err_user("%s: %s: want %s (%s)", data->file->path, c->name, want, c->description);
    if (shaped && data->rows >= 0) return written;
    char shape[64] = "rows";
    for (int i = 0; i < 2 && c->shape[i]; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), ", %lld", (long long)c->shape[i]);
    return err_user("%s: %s: want the shape (%s)", data->file->path, c->name, shape);
}

/* Whether values are of the type in the file that they have in memory. */
static bool as_in_memory(const H5Data *data) {
    hid_t stored = (hid_t)H5_CALL(H5Dget_type(data->id));
    hid_t native = type_of(data->column, false), ours = type_of(data->column, true);
    bool same = H5Tequal(stored, ours) > 0 && H5Tequal(ours, native) > 0;
    H5_CALL(H5Tclose(ours));
    H5_CALL(H5Tclose(native));
    H5_CALL(H5Tclose(stored));
    return same;
}

bool h5_place(int64_t *place, const H5Data *data) {
    hid_t create = (hid_t)H5_CALL(H5Dget_create_plist(data->id));
    bool same = as_in_memory(data) && H5Pget_layout(create) == H5D_CONTIGUOUS;
    haddr_t at = same ? H5Dget_offset(data->id) : HADDR_UNDEF;
    hsize_t bytes = (hsize_t)data->rows * h5_row_bytes(data->column);
    H5_CALL(H5Pclose(create));
    *place = data->rows ? (int64_t)at : 0;
    if (!data->rows) return same;
    return at != HADDR_UNDEF && H5Dget_storage_size(data->id) == bytes;
}

/* Bytes that a filter adds behind the values of a chunk, which stand in it as they are; -1: it packs them. */
static int64_t behind_values(hid_t create) {
    enum { CHECKSUM = 4 };
    int filters = H5Pget_nfilters(create);
    if (filters == 0) return 0;
    unsigned flags;
    size_t values = 0;
    H5Z_filter_t filter = H5Pget_filter2(create, 0, &flags, &values, NULL, 0, NULL, NULL);
    return filters == 1 && filter == H5Z_FILTER_FLETCHER32 ? CHECKSUM : -1;
}

/* Of a column in chunks: rows of one, which has whole rows; 0: it has not. */
static int64_t chunk_rows(const H5Data *data, hid_t create) {
    hsize_t chunk[H5S_MAX_RANK], dims[3];
    int rank = dims_of(dims, data->column, 0);
    if (H5Pget_layout(create) != H5D_CHUNKED || H5Pget_chunk(create, H5S_MAX_RANK, chunk) != rank) return 0;
    for (int i = 1; i < rank; i++)
        if (chunk[i] != dims[i]) return 0;
    return (int64_t)chunk[0];
}

/* Whether addresses count from the start of the file. */
static bool from_start(const H5File *file) {
    hid_t create = (hid_t)H5_CALL(H5Fget_create_plist(file->id));
    hsize_t block = 1;
    H5_CALL(H5Pget_userblock(create, &block));
    H5_CALL(H5Pclose(create));
    return block == 0;
}

bool h5_pieces(H5Pieces *pieces, const H5Data *data) {
    int64_t whole;
    *pieces = (H5Pieces){0};
    if (!data->rows || !as_in_memory(data) || !from_start(data->file)) return false;
    if (h5_place(&whole, data)) {
        *pieces = (H5Pieces){data->rows, MEM_NEW(int64_t, 1)};
        pieces->at[0] = whole;
        return true;
    }
    hid_t create = (hid_t)H5_CALL(H5Dget_create_plist(data->id));
    int64_t rows = chunk_rows(data, create), n = rows ? (data->rows + rows - 1) / rows : 0,
            more = behind_values(create);
    H5_CALL(H5Pclose(create));
    bool found = n > 0 && more >= 0;
    *pieces = (H5Pieces){rows, MEM_NEW(int64_t, n + 1)};
    for (int64_t k = 0; k < n && found; k++) {
        const hsize_t first[3] = {(hsize_t)(k * rows)};
        haddr_t at = HADDR_UNDEF;
        hsize_t bytes = 0;
        found = h5_tried(H5Dget_chunk_info_by_coord(data->id, first, NULL, &at, &bytes)) >= 0 && at != HADDR_UNDEF &&
                bytes == (hsize_t)rows * h5_row_bytes(data->column) + (hsize_t)more;
        pieces->at[k] = (int64_t)at;
    }
    if (found) return true;
    mem_free(pieces->at);
    *pieces = (H5Pieces){0};
    return false;
}

Err h5_missing(const H5File *file, const H5Column *column) {
    return err_user("%s: %s: no such dataset, or a damaged one: want %s", file->path, column->name,
                    column->description);
}

Err h5_column_open(H5Data *data, H5File *file, const H5Column *column) {
    *data = (H5Data){.file = file, .column = column};
    hid_t access = h5_inside(H5P_DATASET_ACCESS);
    data->id = H5Dopen2(file->id, column->name, access);
    H5_CALL(H5Pclose(access));
    if (data->id < 0) {
        data->id = 0;
        return h5_missing(file, column);
    }
    Err err = check_column(data);
    if (err.code) h5_column_close(data);
    return err;
}

void h5_column_close(H5Data *data) {
    if (data->id > 0) H5Dclose(data->id);
    data->id = 0;
}

Err h5_extend(H5Data *data, int64_t rows) {
    hsize_t dims[3];
    dims_of(dims, data->column, rows);
    data->rows = rows;
    return h5_written(data->file, data->column->name, h5_tried(H5Dset_extent(data->id, dims)));
}

/* Selects rows in the file and returns the matching space in memory. */
static hid_t select_rows(hid_t *file_space, const H5Data *data, int64_t first, int64_t rows) {
    hsize_t count[3], start[3] = {(hsize_t)first, 0, 0};
    int rank = dims_of(count, data->column, rows);
    hid_t memory = (hid_t)H5_CALL(H5Screate_simple(rank, count, NULL));
    *file_space = (hid_t)H5_CALL(H5Dget_space(data->id));
    if (rows) {
        H5_CALL(H5Sselect_hyperslab(*file_space, H5S_SELECT_SET, start, NULL, count, NULL));
    } else {
        H5_CALL(H5Sselect_none(*file_space));
        H5_CALL(H5Sselect_none(memory));
    }
    return memory;
}

/* HDF5 does not convert between character sets: memory has that of the file, which was ASCII in older ones. */
static void take_charset(hid_t type, const H5Data *data) {
    if (data->column->type != H5_TEXT) return;
    hid_t stored = (hid_t)H5_CALL(H5Dget_type(data->id));
    H5_CALL(H5Tset_cset(type, H5Tget_cset(stored)));
    H5_CALL(H5Tclose(stored));
}

static int64_t transfer(H5Data *data, void *to, const void *from, int64_t first, int64_t rows) {
    hid_t file_space, memory = select_rows(&file_space, data, first, rows), type = type_of(data->column, false);
    take_charset(type, data);
    hid_t how = (hid_t)H5_CALL(H5Pcreate(H5P_DATASET_XFER));
    if (data->file->comm) H5_CALL(H5Pset_dxpl_mpio(how, H5FD_MPIO_COLLECTIVE));
    char none[8] = "";
    int64_t rc = h5_tried(from || !to ? H5Dwrite(data->id, type, memory, file_space, how, from ? from : none)
                                      : H5Dread(data->id, type, memory, file_space, how, to));
    H5_CALL(H5Pclose(how));
    H5_CALL(H5Tclose(type));
    H5_CALL(H5Sclose(memory));
    H5_CALL(H5Sclose(file_space));
    return rc;
}

Err h5_write(H5Data *data, const void *from, int64_t first, int64_t rows) {
    CHECK(first >= 0 && rows >= 0 && first + rows <= data->rows, "rows %lld+%lld of %lld", (long long)first,
          (long long)rows, (long long)data->rows);
    return h5_written(data->file, data->column->name, transfer(data, NULL, from, first, rows));
}

Err h5_read(H5Data *data, void *to, int64_t first, int64_t rows) {
    CHECK(first >= 0 && rows >= 0 && first + rows <= data->rows, "rows %lld+%lld of %lld", (long long)first,
          (long long)rows, (long long)data->rows);
    if (!rows) return ERR_NONE;
    return transfer(data, to, NULL, first, rows) < 0 ? h5_unreadable(data->file, data->column->name) : ERR_NONE;
}

/* ---- Dimensions. ---- */

/* Its numbers are written by every rank in equal shares, as columns are. */
Err h5_scale_create(H5Data *scale, H5File *file, const H5Column *name, int64_t rows) {
    int rank = file->comm ? comm_rank(file->comm) : 0, size = file->comm ? comm_size(file->comm) : 1;
    int64_t first = rows * rank / size, mine = rows * (rank + 1) / size - first;
    TRY(h5_column_create(scale, file, name, rows));
    int64_t *numbers = mem_alloc((size_t)mine * sizeof *numbers + 1);
    for (int64_t i = 0; i < mine; i++) numbers[i] = first + i;
    Err err = h5_write(scale, numbers, first, mine);
    mem_free(numbers);
    const char *word = strrchr(name->name, '/') + 1;
    if (!err.code) err = h5_written(file, name->name, h5_tried(H5DSset_scale(scale->id, word)));
    if (err.code) h5_column_close(scale);
    return err;
}

Err h5_on_scale(H5Data *column, H5Data *scale, int axis) {
    int64_t rc = h5_tried(H5DSattach_scale(column->id, scale->id, (unsigned)axis));
    return h5_written(column->file, column->column->name, rc);
}
