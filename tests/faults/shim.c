/* For LD_PRELOAD: the n-th call that touches a file of one folder goes wrong.
 *
 *   FAULT_FOLDER=DIR   calls on paths that contain this are counted, from 1 in each process: open, fopen, write, pwrite,
 *                      pwritev, fallocate, fsync, fdatasync, syncfs, close, fclose, rename, link, mkdir
 *   FAULT_AT=N         the call that goes wrong
 *   FAULT_HOW=EIO      it fails with that error; likewise ENOSPC
 *             FULL     it and all later ones fail with ENOSPC, but for close: a disk that stays full
 *             SHORT    a write takes half of its bytes and succeeds; other calls pass
 *             KILL     the process ends just before it, as by kill -9
 *   FAULT_LOCKS=NUMBER files cannot be locked, as on some file systems of clusters: that error each time
 *   FAULT_ROOM=NUMBER  no room can be reserved, likewise
 *   FAULT_FREE=BYTES   that much is free on the disk, whatever is
 *   FAULT_LOG=FILE     receives the name of the call and its path, so that a run that was left untouched is known */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

typedef enum How { HOW_EIO, HOW_ENOSPC, HOW_FULL, HOW_SHORT, HOW_KILL, HOWS } How;
static const char *const how_name[HOWS] = {"EIO", "ENOSPC", "FULL", "SHORT", "KILL"};

static const char *folder;
static long at, calls;
static How how;

/* The function of that name which this library stands in front of. */
#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
    const char *word = getenv("FAULT_HOW"), *n = getenv("FAULT_AT");
    for (int i = 0; word && i < HOWS; i++)
        if (!strcmp(word, how_name[i])) how = (How)i;
    at = n ? atol(n) : 0;
    folder = getenv("FAULT_FOLDER");
}

/* Written without any of the calls above. */
static void note(const char *call, const char *path) {
    char line[4200];
    int bytes = snprintf(line, sizeof line, "%ld %s %s\n", calls, call, path);
    int fd = REAL(int, open, const char *, int, ...)(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || REAL(ssize_t, write, int, const void *, size_t)(fd, line, (size_t)bytes) < 0) abort();
    REAL(int, close, int)(fd);
}

/* Whether this call is to go wrong. */
static bool due(const char *call, const char *path) {
    if (!folder || !path || !strstr(path, folder)) return false;
    calls++;
    bool now = calls == at || (how == HOW_FULL && at && calls > at);
    if (calls == at) note(call, path);
    if (now && how == HOW_KILL) kill(getpid(), SIGKILL);
    return now;
}

/* False where it has none, or nobody asked for faults. */
static bool path_of(char path[4096], int fd) {
    char link[64];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = folder ? readlink(link, path, 4095) : -1;
    errno = kept;
    if (bytes < 0) return false;
    path[bytes] = 0;
    return true;
}

static bool due_at(const char *call, int fd) {
    char path[4096];
    return path_of(path, fd) && due(call, path);
}

static int fail(void) {
    errno = how == HOW_EIO ? EIO : ENOSPC;
    return -1;
}

/* ---- The calls. ---- */

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list ap;                                                                                                    \
        va_start(ap, flags);                                                                                           \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;                                          \
        va_end(ap);                                                                                                    \
        if (due(#name, path) && how != HOW_SHORT) return fail();                                                       \
        return REAL(int, name, const char *, int, ...)(path, flags, mode);                                             \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                                    \
    FILE *name(const char *path, const char *mode) {                                                                   \
        if (due(#name, path) && how != HOW_SHORT) return fail(), NULL;                                                 \
        return REAL(FILE *, name, const char *, const char *)(path, mode);                                             \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int fd, const void *data, size_t bytes) {
    bool now = due_at("write", fd);
    if (now && how != HOW_SHORT) return fail();
    return REAL(ssize_t, write, int, const void *, size_t)(fd, data, now && bytes > 1 ? bytes / 2 : bytes);
}

#define PWRITE(name)                                                                                                   \
    ssize_t name(int fd, const void *data, size_t bytes, off_t to) {                                                   \
        bool now = due_at(#name, fd);                                                                                  \
        if (now && how != HOW_SHORT) return fail();                                                                    \
        return REAL(ssize_t, name, int, const void *, size_t, off_t)(fd, data, now && bytes > 1 ? bytes / 2 : bytes,   \
                                                                     to);                                              \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PWRITEV(name)                                                                                                  \
    ssize_t name(int fd, const struct iovec *piece, int n, off_t to) {                                                 \
        bool now = due_at(#name, fd);                                                                                  \
        if (now && how != HOW_SHORT) return fail();                                                                    \
        return REAL(ssize_t, name, int, const struct iovec *, int, off_t)(fd, piece, now && n > 1 ? n / 2 : n, to);    \
    }
PWRITEV(pwritev)
PWRITEV(pwritev64)

#define ON_FD(name)                                                                                                    \
    int name(int fd) {                                                                                                 \
        if (due_at(#name, fd) && how != HOW_SHORT) return fail();                                                      \
        return REAL(int, name, int)(fd);                                                                               \
    }
ON_FD(fsync)
ON_FD(syncfs)
ON_FD(fdatasync)

/* The descriptor is gone whatever close says. */
int close(int fd) {
    bool now = due_at("close", fd) && how != HOW_SHORT && how != HOW_FULL;
    int rc = REAL(int, close, int)(fd);
    return now ? fail() : rc;
}

int fclose(FILE *file) {
    bool now = due_at("fclose", fileno(file)) && how != HOW_SHORT;
    int rc = REAL(int, fclose, FILE *)(file);
    return now ? fail() : rc;
}

/* Whether the file system cannot do that. */
static bool lacks(const char *variable, int fd) {
    const char *error = getenv(variable);
    char path[4096];
    if (!error || !path_of(path, fd) || !strstr(path, folder)) return false;
    errno = atoi(error);
    return true;
}

int flock(int fd, int how_to) {
    return lacks("FAULT_LOCKS", fd) ? -1 : REAL(int, flock, int, int)(fd, how_to);
}

#define FALLOCATE(name)                                                                                                \
    int name(int fd, int mode, off_t from, off_t bytes) {                                                              \
        if (lacks("FAULT_ROOM", fd)) return -1;                                                                        \
        if (due_at(#name, fd) && how != HOW_SHORT) return fail();                                                      \
        return REAL(int, name, int, int, off_t, off_t)(fd, mode, from, bytes);                                         \
    }
FALLOCATE(fallocate)
FALLOCATE(fallocate64)

#define ON_PATHS(name)                                                                                                 \
    int name(const char *from, const char *to) {                                                                       \
        if (due(#name, to) && how != HOW_SHORT) return fail();                                                         \
        return REAL(int, name, const char *, const char *)(from, to);                                                  \
    }
ON_PATHS(rename)
ON_PATHS(link)

int mkdir(const char *path, mode_t mode) {
    if (due("mkdir", path) && how != HOW_SHORT) return fail();
    return REAL(int, mkdir, const char *, mode_t)(path, mode);
}

int statvfs(const char *path, struct statvfs *about) {
    int rc = REAL(int, statvfs, const char *, struct statvfs *)(path, about);
    const char *bytes = getenv("FAULT_FREE");
    if (rc || !bytes || !folder || !strstr(path, folder)) return rc;
    about->f_frsize = 1;
    about->f_bavail = (fsblkcnt_t)atoll(bytes);
    return 0;
}
