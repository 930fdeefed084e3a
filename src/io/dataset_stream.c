#include "dataset_stream.h"

#include "base/arena.h"
#include "io/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

Stream stream_open(const Table *table, const char *path) {
    Stream s = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    for (int c = 0; c < COLUMNS; c++)
        if (!table->lacks[c]) h5_pieces(&s.pieces[c], &table->data[c]);
    return s;
}

void stream_close(Stream *s) {
    for (int c = 0; c < COLUMNS; c++) mem_free(s->pieces[c].at);
    if (s->fd >= 0) close(s->fd);
    *s = (Stream){.fd = -1};
}

/* Bytes of a file. */
typedef struct Range {
    int64_t at, bytes;
} Range;

/* Where the first of these rows stand, as many as are in one piece; returns how many. */
static int64_t next_range(Range *range, const Stream *s, const Table *table, int column, int64_t first, int64_t rows) {
    const H5Pieces *p = &s->pieces[column];
    int64_t row = (int64_t)h5_row_bytes(&table->column[column]), inside = first % p->rows, left = p->rows - inside;
    int64_t n = rows < left ? rows : left;
    *range = (Range){p->at[first / p->rows] + inside * row, n * row};
    return n;
}

static Err read_range(const Table *table, int column, int fd, Range range, char *to) {
    while (range.bytes > 0) {
        ssize_t n = pread(fd, to, (size_t)range.bytes, range.at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return commit_error(table->file.path, "cannot be read");
        if (n == 0)
            return err_user("%s: %s: ends early: want the whole file", table->file.path, table->column[column].name);
        to += n;
        range.at += n;
        range.bytes -= n;
    }
    return ERR_NONE;
}

Err stream_read(const Stream *s, Table *table, int column, void *to, int64_t first, int64_t rows) {
    if (s->fd < 0 || !s->pieces[column].at) return h5_read(&table->data[column], to, first, rows);
    Range range;
    for (char *byte = to; rows > 0; byte += range.bytes) {
        int64_t n = next_range(&range, s, table, column, first, rows);
        TRY(read_range(table, column, s->fd, range, byte));
        first += n;
        rows -= n;
    }
    return ERR_NONE;
}

void stream_expect(const Stream *s, const Table *table, int column, int64_t first, int64_t rows) {
    if (s->fd < 0 || !s->pieces[column].at) return;
    while (rows > 0) {
        Range range;
        int64_t n = next_range(&range, s, table, column, first, rows);
        posix_fadvise(s->fd, range.at, range.bytes, POSIX_FADV_WILLNEED);
        first += n;
        rows -= n;
    }
}
