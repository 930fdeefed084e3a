/* Attributes of files, groups and columns. */
#include "h5_calls.h"

#include "base/arena.h"
#include "base/text.h"

#include <string.h>

/* n values; 0: a scalar. */
static Err set(H5File *file, const char *object, const char *name, hid_t type, hid_t memory, const void *value, int n) {
    hsize_t count = (hsize_t)n;
    hid_t space = (hid_t)H5_CALL(n ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR));
    hid_t id = H5Acreate_by_name(file->id, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int64_t rc = h5_tried(id < 0 ? id : H5Awrite(id, memory, value));
    if (id > 0) H5_CALL(H5Aclose(id));
    H5_CALL(H5Sclose(space));
    return h5_written(file, object, rc);
}

Err h5_set_text(H5File *file, const char *object, const char *name, const char *text) {
    hid_t type = h5_text_type(strlen(text) + 1);
    H5_CALL(H5Tset_strpad(type, H5T_STR_NULLTERM));
    Err err = set(file, object, name, type, type, text, 0);
    H5_CALL(H5Tclose(type));
    return err;
}

Err h5_set_i64(H5File *file, const char *object, const char *name, int64_t value) {
    return set(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, 0);
}

Err h5_set_list(H5File *file, const char *object, const char *name, const int64_t *values, int n) {
    return set(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, values, n);
}

Err h5_set_f64(H5File *file, const char *object, const char *name, double value) {
    return set(file, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, 0);
}

bool h5_has(H5File *file, const char *object, const char *name) {
    return H5Aexists_by_name(file->id, object, name, H5P_DEFAULT) > 0;
}

/* The type of an open attribute, which must have one element. */
static Err type_of(hid_t *type, hid_t id, const H5File *file, const char *object, const char *name, const char *want) {
    hid_t space = (hid_t)H5_CALL(H5Aget_space(id));
    hssize_t points = H5Sget_simple_extent_npoints(space);
    H5_CALL(H5Sclose(space));
    if (points != 1) return err_user("%s: %s: attribute %s: want one value, %s", file->path, object, name, want);
    *type = (hid_t)H5_CALL(H5Aget_type(id));
    return ERR_NONE;
}

/* Opens a one-element attribute. */
static Err attribute(hid_t *id, hid_t *type, H5File *file, const char *object, const char *name, const char *want) {
    *id = h5_has(file, object, name) ? H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, H5P_DEFAULT) : -1;
    if (*id < 0) return err_user("%s: %s: no readable attribute %s: want %s", file->path, object, name, want);
    Err err = type_of(type, *id, file, object, name, want);
    if (err.code) H5_CALL(H5Aclose(*id));
    return err;
}

static Err get_number(void *value, hid_t memory, bool integer, H5File *file, const char *object, const char *name) {
    const char *want = integer ? "a whole number" : "a number";
    hid_t id, type = -1;
    TRY(attribute(&id, &type, file, object, name, want));
    H5T_class_t class = H5Tget_class(type);
    Err err = ERR_NONE;
    if (class != H5T_INTEGER && (integer || class != H5T_FLOAT))
        err = err_user("%s: %s: attribute %s: want %s", file->path, object, name, want);
    else if (h5_tried(H5Aread(id, memory, value)) < 0)
        err = h5_unreadable(file, object);
    H5_CALL(H5Tclose(type));
    H5_CALL(H5Aclose(id));
    return err;
}

Err h5_get_i64(int64_t *value, H5File *file, const char *object, const char *name) {
    return get_number(value, H5T_NATIVE_INT64, true, file, object, name);
}

Err h5_get_f64(double *value, H5File *file, const char *object, const char *name) {
    return get_number(value, H5T_NATIVE_DOUBLE, false, file, object, name);
}

static Err read_text(char **text, hid_t id, hid_t type, const H5File *file, const char *object, const char *name) {
    *text = NULL;
    if (H5Tget_class(type) != H5T_STRING) return err_user("%s: %s: attribute %s: want text", file->path, object, name);
    if (H5Tis_variable_str(type) > 0) {
        char *held = NULL;
        if (h5_tried(H5Aread(id, type, &held)) < 0 || !held) return h5_unreadable(file, object);
        *text = mem_alloc(strlen(held) + 1);
        memcpy(*text, held, strlen(held));
        H5_CALL(H5free_memory(held));
        return ERR_NONE;
    }
    *text = mem_alloc(H5Tget_size(type) + 1);
    if (h5_tried(H5Aread(id, type, *text)) >= 0) return ERR_NONE;
    mem_free(*text);
    *text = NULL;
    return h5_unreadable(file, object);
}

Err h5_get_text(char **text, H5File *file, const char *object, const char *name) {
    hid_t id, type = -1;
    TRY(attribute(&id, &type, file, object, name, "text"));
    Err err = read_text(text, id, type, file, object, name);
    H5_CALL(H5Tclose(type));
    H5_CALL(H5Aclose(id));
    return err;
}

/* Lines of an object so far. */
typedef struct Lines {
    const H5File *file;
    const char *object;
    Text text;
    Err err;
} Lines;

/* Appends `name = value` and ends the line; a value of several lines is cut to its first. */
static void append_line(Lines *lines, const char *name, char *value) {
    value[strcspn(value, "\n")] = 0;
    text_add(&lines->text, "%s = %s\n", name, value);
}

static herr_t add_line(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    Lines *lines = context;
    char *value;
    hid_t id = H5Aopen(object, name, H5P_DEFAULT), type = -1;
    (void)info;
    if (id < 0) return -1;
    lines->err = type_of(&type, id, lines->file, lines->object, name, "text");
    if (!lines->err.code) {
        lines->err = read_text(&value, id, type, lines->file, lines->object, name);
        H5_CALL(H5Tclose(type));
    }
    H5_CALL(H5Aclose(id));
    if (lines->err.code) return -1;
    append_line(lines, name, value);
    mem_free(value);
    return 0;
}

/* In one walk: asked for one by one, HDF5 sorts all names each time. */
Err h5_get_lines(char **lines, H5File *file, const char *object) {
    Lines all = {.file = file, .object = object};
    text_put(&all.text, "", 0);
    int64_t rc =
        h5_tried(H5Aiterate_by_name(file->id, object, H5_INDEX_NAME, H5_ITER_INC, NULL, add_line, &all, H5P_DEFAULT));
    *lines = all.text.at;
    if (all.err.code) return all.err;
    return rc < 0 ? h5_unreadable(file, object) : ERR_NONE;
}
