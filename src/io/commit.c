#include "io/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

Err commit_error(const char *path, const char *what) {
    Err err = err_user("%s: %s: %s", path, what, strerror(errno));
    err.code = EXIT_RESUME;
    return err;
}

Err commit_name(char temp[COMMIT_PATH], const char *path) {
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    int n = snprintf(temp, COMMIT_PATH, "%s.tmp.%s.%ld", path, host, (long)getpid());
    return n < COMMIT_PATH - 32 ? ERR_NONE : err_user("%.80s...: want a shorter path", path);
}

static Err fail(int fd, const char *path, const char *what) {
    Err err = commit_error(path, what);
    if (fd >= 0) close(fd);
    return err;
}

Err commit_write(const char *temp, const void *data, size_t bytes) {
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return fail(fd, temp, "cannot be created");
    for (size_t at = 0; at < bytes;) {
        ssize_t n = write(fd, (const char *)data + at, bytes - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail(fd, temp, "cannot be written");
        at += (size_t)n;
    }
    if (fsync(fd)) return fail(fd, temp, "cannot be synced");
    return close(fd) ? fail(-1, temp, "cannot be closed") : ERR_NONE;
}

static void folder_of(char folder[COMMIT_PATH], const char *path) {
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 0;
    snprintf(folder, COMMIT_PATH, "%.*s", n ? n : 1, n ? path : slash ? "/" : ".");
}

static Err sync_path(const char *path, int flags) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) return fail(fd, path, "cannot be opened");
    /* Some file systems do not sync folders and say so with EINVAL. */
    if (fsync(fd) && errno != EINVAL) return fail(fd, path, "cannot be synced");
    close(fd);
    return ERR_NONE;
}

Err commit_rename(const char *temp, const char *path, bool replace) {
    char folder[COMMIT_PATH];
    folder_of(folder, path);
    Err err = sync_path(temp, 0);
    if (!err.code && replace && rename(temp, path)) err = commit_error(path, "cannot be renamed into place");
    if (!err.code && !replace) {
        /* link fails where the name exists; a file system without links has rename only. */
        if (link(temp, path)) {
            if (errno == EEXIST || access(path, F_OK) == 0)
                err = err_user("%s: exists already: want the name of a new file", path);
            else if (rename(temp, path))
                err = commit_error(path, "cannot be renamed into place");
        }
    }
    if (err.code || !replace) unlink(temp);
    return err.code ? err : sync_path(folder, O_DIRECTORY);
}

Err commit_reserve(const char *path, long long bytes) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return fail(fd, path, "cannot be opened");
    struct rlimit limit;
    struct stat st;
    struct statvfs vfs;
    bool allowed = getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur >= (rlim_t)bytes;
    int rc = allowed ? fallocate(fd, 0, 0, bytes) : -1;
    if (!allowed) errno = EFBIG;
    if (rc && errno == EOPNOTSUPP && !fstat(fd, &st) && !fstatvfs(fd, &vfs)) {
        rc = 0;
        if ((double)vfs.f_bavail * (double)vfs.f_frsize < (double)(bytes - st.st_size))
            rc = -1, errno = ENOSPC;
        else if (st.st_size < bytes)
            rc = ftruncate(fd, bytes);
    }
    char what[64];
    snprintf(what, sizeof what, "no room for %lld bytes", bytes);
    if (rc) return fail(fd, path, what);
    close(fd);
    return ERR_NONE;
}

Err commit_folder(const char *path) {
    char folder[COMMIT_PATH];
    folder_of(folder, path);
    for (char *c = folder + 1;; c++) {
        if (*c && *c != '/') continue;
        char end = *c;
        *c = 0;
        struct stat st;
        if (mkdir(folder, 0777) && errno != EEXIST) return commit_error(folder, "cannot be made");
        if (!stat(folder, &st) && !S_ISDIR(st.st_mode))
            return err_user("%s: not a folder: want one for %s", folder, path);
        *c = end;
        if (!end) return ERR_NONE;
    }
}
