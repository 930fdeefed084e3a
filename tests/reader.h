/** Reads file after file in one child process, in the state of a rehearsal (io/h5.h), for tests that read many bad ones: HDF5
 *  crashes on some, and a child for each would cost more than all the rest. The child is made anew when HDF5 has ended it by a
 *  signal that the program answers with one line. A report of a sanitizer, or values that do not hold, end the program. */
#pragma once

#include "../src/io/h5_rehearse.c"

#include <hdf5.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

/* In memory that parent and child see. */
typedef struct ReaderShared {
    char noted[COMMIT_PATH]; /* the file that was opened last */
    Err err;
    char complaint[512]; /* what did not hold; empty: nothing */
    uint8_t more[];
} ReaderShared;

/** One at a time. Zeros, but for what it does. */
typedef struct Reader {
    Err (*read)(const char *path); /* in the child: reads the file and looks at what it got */
    size_t more;                   /* bytes that it hands back in reader_shared->more */
    pid_t child;                   /* 0: there is none */
    int line, inputs;              /* to the child; that it has had */
} Reader;

static ReaderShared *reader_shared;

/** In the child: what must hold of what was read. */
static inline void reader_want(bool holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void reader_want(bool holds, const char *fmt, ...) {
    va_list ap;
    CHECK(holds || reader_shared, "outside of a reader: %s", fmt);
    if (holds) return;
    va_start(ap, fmt);
    vsnprintf(reader_shared->complaint, sizeof reader_shared->complaint, fmt, ap);
    va_end(ap);
}

/* A child that has read so many inputs is made anew: HDF5 keeps some memory of each that it refuses. */
enum { READER_INPUTS = 2000 };

typedef struct ReaderTask {
    const Reader *reader;
    const char *path;
} ReaderTask;

/* Reads the file each time the parent says so. HDF5 keeps the half megabyte that each open file takes: to give it back and ask
 * for it again takes longer than to read an input. */
static Err reader_serve(void *context) {
    const ReaderTask *task = context;
    const Reader *reader = task->reader;
    char word;
    H5set_free_list_limits(-1, -1, -1, -1, -1, -1);
    while (read(reader->line, &word, 1) == 1) {
        reader_shared->err = reader->read(task->path);
        if (write(reader->line, &word, 1) != 1) break;
    }
    return ERR_NONE;
}

static inline void reader_start(Reader *r, const char *path) {
    int ends[2];
    size_t bytes = sizeof *reader_shared + r->more;
    if (!reader_shared) reader_shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(reader_shared != MAP_FAILED && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
          "no line to a child");
    /* What every child needs is made ready once. Small files are read at once, or without end. */
    CHECK(H5open() >= 0, "no HDF5");
    rehearsal_seconds = 1;
    memset(reader_shared, 0, bytes);
    fflush(NULL);
    r->child = fork();
    CHECK(r->child >= 0, "no child process");
    r->line = ends[r->child == 0];
    close(ends[r->child != 0]);
    ReaderTask task = {r, path};
    if (r->child == 0) in_child(reader_serve, &task, reader_shared->noted);
    r->inputs = 0;
}

/* Waits for the end of a child that nobody speaks to any more, and says what it says of the file. */
static inline Err reader_end(Reader *r) {
    int status = 0;
    if (!r->child) return ERR_NONE;
    close(r->line);
    while (waitpid(r->child, &status, 0) < 0 && errno == EINTR) continue;
    r->child = 0;
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) == 0, "exit code %d of a child: a report of a sanitizer",
          WEXITSTATUS(status));
    return ending(status, reader_shared->noted);
}

/** The answer of the program to the file at `path`, the same string for every call. */
static inline Err reader_ask(Reader *r, const char *path) {
    char word = 0;
    if (r->inputs == READER_INPUTS) reader_end(r);
    if (!r->child) reader_start(r, path);
    r->inputs++;
    CHECK(write(r->line, &word, 1) == 1, "no child");
    ssize_t got;
    do got = read(r->line, &word, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1) return reader_end(r);
    CHECK(!reader_shared->complaint[0], "%s", reader_shared->complaint);
    return reader_shared->err;
}
