#include "results_template.h"

#include "base/arena.h"
#include "io/h5.h"
#include "results_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Columns of all tables, more than there are. */
enum { COLUMNS = 128 };

typedef struct Template {
    size_t bytes;
    char *image;            /* (bytes) the file, zeros in place of seal and values; owned */
    int64_t place[COLUMNS]; /* of each column of each table */
    int64_t rows[RESULTS_TABLES];
    char study[RESULTS_NAME];
    char *provenance, *written; /* as it is read, as it was written; owned, or NULL */
} Template;

/* A study has a few kinds, one for each number of points of a curve and of measured rows; the oldest makes way. */
enum { KEPT = 16 };
static Template kept[KEPT];
static int n_kept, oldest;

/* What is done with a column of an image; `back`: into the records. */
static void copy_columns(const Template *t, char *image, const Results *r, bool back) {
    for (int k = 0, c = 0; k < RESULTS_TABLES; k++)
        for (int f = 0; f < results_table[k].n_fields; f++, c++)
            results_copy_column(image + t->place[c], results_records(r, k), &results_table[k].fields[f],
                                results_table[k].record, t->rows[k], back);
}

/* Leaves of a file what its template has. */
static void clear_values(const Template *t, char *image) {
    memset(image, 0, H5_SEAL_BYTES);
    for (int k = 0, c = 0; k < RESULTS_TABLES; k++)
        for (int f = 0; f < results_table[k].n_fields; f++, c++)
            memset(image + t->place[c], 0, (size_t)t->rows[k] * h5_row_bytes(&results_table[k].fields[f].column));
}

static char *copy_text(const char *text) {
    if (!text) return NULL;
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}

/* ---- Writing. ---- */

static const Template *template_of(const Results *one, const char *provenance) {
    for (int i = 0; i < n_kept; i++) {
        const Template *t = &kept[i];
        bool same = t->written && !strcmp(t->study, one->study) && !strcmp(t->written, provenance);
        for (int k = 0; k < RESULTS_TABLES; k++) same = same && t->rows[k] == results_rows(one, k);
        if (same) return t;
    }
    return NULL;
}

char *template_image(size_t *bytes, const Results *one, const char *provenance) {
    const Template *t = template_of(one, provenance);
    if (!t) return NULL;
    char *image = mem_alloc(t->bytes);
    memcpy(image, t->image, t->bytes);
    copy_columns(t, image, one, false);
    h5_seal(image, t->bytes);
    *bytes = t->bytes;
    return image;
}

/* ---- Reading. ---- */

/* The whole of a file, to be given back; NULL: it cannot be read, or has another length. */
static char *read_image(const char *path, size_t bytes) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return NULL;
    char *image = mem_alloc(bytes + 1), more;
    size_t at = 0;
    for (ssize_t n = 1; at < bytes && n > 0; at += n > 0 ? (size_t)n : 0) n = read(fd, image + at, bytes - at);
    bool whole = at == bytes && read(fd, &more, 1) == 0;
    close(fd);
    if (whole) return image;
    mem_free(image);
    return NULL;
}

static void take(Results *out, const Template *t, char *image) {
    *out = (Results){.provenance = copy_text(t->provenance)};
    memcpy(out->study, t->study, sizeof out->study);
    for (int k = 0; k < RESULTS_TABLES; k++)
        results_set(out, k, mem_alloc((size_t)t->rows[k] * results_table[k].record + 1), t->rows[k]);
    copy_columns(t, image, out, true);
}

/* Whether the file is of the template's kind, whole: then what it holds. */
static bool read_as(Results *out, const Template *t, const char *path) {
    char *image = read_image(path, t->bytes);
    if (!image) return false;
    bool same = h5_seal_holds(image, t->bytes);
    if (same) {
        char *rest = memcpy(mem_alloc(t->bytes), image, t->bytes);
        clear_values(t, rest);
        same = !memcmp(rest, t->image, t->bytes);
        mem_free(rest);
    }
    if (same) take(out, t, image);
    mem_free(image);
    return same;
}

bool template_read(Results *out, const char *path) {
    struct stat st;
    if (!n_kept || stat(path, &st) || !S_ISREG(st.st_mode)) return false;
    for (int i = 0; i < n_kept; i++)
        if (kept[i].bytes == (size_t)st.st_size && read_as(out, &kept[i], path)) return true;
    return false;
}

/* ---- Learning. ---- */

static void forget(Template *t) {
    mem_free(t->image);
    mem_free(t->provenance);
    mem_free(t->written);
    *t = (Template){0};
}

/* Where every column of the file stands, inside it; false: HDF5 is needed for some. */
static bool find_places(Template *t, H5File *file) {
    int c = 0;
    for (int k = 0; k < RESULTS_TABLES; k++)
        for (int f = 0; f < results_table[k].n_fields; f++, c++) {
            CHECK(c < COLUMNS, "more than %d columns", COLUMNS);
            const H5Column *column = &results_table[k].fields[f].column;
            H5Data data;
            Err err = h5_column_open(&data, file, column);
            if (err.code) return false;
            bool found = data.rows == t->rows[k] && h5_place(&t->place[c], &data);
            h5_column_close(&data);
            size_t bytes = (size_t)t->rows[k] * h5_row_bytes(column);
            if (!found || (bytes && t->place[c] < H5_SEAL_BYTES) || (size_t)t->place[c] + bytes > t->bytes)
                return false;
        }
    return true;
}

void template_learn(const char *path, const Results *read, const char *written) {
    struct stat st;
    H5File file;
    Template t = {0};
    if (stat(path, &st)) return;
    t.bytes = (size_t)st.st_size;
    for (int k = 0; k < RESULTS_TABLES; k++) t.rows[k] = results_rows(read, k);
    memcpy(t.study, read->study, sizeof t.study);
    bool found = !h5_open(&file, path).code && find_places(&t, &file);
    h5_close(&file);
    if (found) t.image = read_image(path, t.bytes);
    if (!t.image) return;
    clear_values(&t, t.image);
    t.provenance = copy_text(read->provenance);
    t.written = copy_text(written);
    forget(&kept[oldest]);
    kept[oldest] = t;
    oldest = (oldest + 1) % KEPT;
    if (n_kept < KEPT) n_kept++;
}

void template_forget(void) {
    for (int i = 0; i < n_kept; i++) forget(&kept[i]);
    n_kept = oldest = 0;
}
