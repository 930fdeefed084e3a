#include "io/commit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define TEMP_MARK ".tmp." /* host, process and its space of process numbers follow */

Err commit_error(const char *path, const char *what) {
    bool users = errno == EACCES || errno == EPERM || errno == EROFS || errno == ENOENT || errno == ENOTDIR ||
                 errno == EISDIR || errno == ELOOP || errno == ENAMETOOLONG;
    Err err = err_user("%s: %s: %s", path, what, strerror(errno));
    if (!users) err.code = EXIT_RESUME;
    return err;
}

Err commit_exists(bool *there, const char *path) {
    *there = access(path, F_OK) == 0;
    return *there || errno == ENOENT ? ERR_NONE : commit_error(path, "cannot be looked at");
}

/* The space that numbers of processes are of: containers on one host have their own. 0: the system does not say. */
static unsigned long pid_space(void) {
    struct stat st;
    return stat("/proc/self/ns/pid", &st) ? 0 : (unsigned long)st.st_ino;
}

/* Whether the process that a temporary name tells of has ended; what hosts and containers do not tell each other, a day does. */
static bool left_over(const char *path, const char *tag) {
    enum { DAY = 86400 };
    char here[64] = "", *end;
    struct stat st;
    gethostname(here, sizeof here - 1);
    size_t n = strlen(here);
    bool ours = !strncmp(tag, here, n) && tag[n] == '.';
    long pid = ours ? strtol(tag + n + 1, &end, 10) : 0;
    if (ours && *end == '.') ours = strtoul(end + 1, NULL, 10) == pid_space();
    if (!ours) return !stat(path, &st) && time(NULL) - st.st_mtime > DAY;
    return pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
}

int commit_sweep(const char *folder, const char *name) {
    DIR *all = opendir(folder);
    struct dirent *entry;
    int swept = 0;
    while (all && (entry = readdir(all))) {
        char path[COMMIT_PATH];
        const char *mark = strstr(entry->d_name, TEMP_MARK);
        if (!mark || (name && (strncmp(entry->d_name, name, strlen(name)) || mark != entry->d_name + strlen(name))))
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length >= (int)sizeof path || !left_over(path, mark + strlen(TEMP_MARK))) continue;
        swept += unlink(path) == 0;
    }
    if (all) closedir(all);
    return swept;
}

Err commit_name(char temp[COMMIT_PATH], const char *path) {
    char host[64] = "";
    struct stat st;
    if (!stat(path, &st) && !S_ISREG(st.st_mode))
        return err_user("%s: exists and is not a file: want the name of one", path);
    gethostname(host, sizeof host - 1);
    int n = snprintf(temp, COMMIT_PATH, "%s" TEMP_MARK "%s.%ld.%lu", path, host, (long)getpid(), pid_space());
    return n < COMMIT_PATH - 32 ? ERR_NONE : err_user("%.80s...: want a shorter path", path);
}

static Err fail(int fd, const char *path, const char *what) {
    Err err = commit_error(path, what);
    if (fd >= 0) close(fd);
    return err;
}

Err commit_check(const char *path) {
    char temp[COMMIT_PATH];
    TRY(commit_name(temp, path));
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        Err err = err_user("%s: %s: want a path that can be written", path, strerror(errno));
        err.code = commit_error(path, "").code;
        return err;
    }
    close(fd);
    unlink(temp);
    return ERR_NONE;
}

static Err write_all(int fd, const char *temp, const void *data, size_t bytes, bool sync) {
    char what[64];
    snprintf(what, sizeof what, "%zu bytes cannot be written", bytes);
    for (size_t at = 0; at < bytes;) {
        ssize_t n = write(fd, (const char *)data + at, bytes - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail(fd, temp, what);
        at += (size_t)n;
    }
    if (sync && fsync(fd)) return fail(fd, temp, what);
    return close(fd) ? fail(-1, temp, what) : ERR_NONE;
}

static Err write_new(const char *temp, const void *data, size_t bytes, bool sync) {
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return fail(fd, temp, "cannot be created");
    Err err = write_all(fd, temp, data, bytes, sync);
    if (err.code) unlink(temp);
    return err;
}

Err commit_write(const char *temp, const void *data, size_t bytes) {
    return write_new(temp, data, bytes, true);
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

/* Names what could be synced; err: whether it could. The folder is not synced. */
static Err give_name(Err err, const char *temp, const char *path, bool replace) {
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
    return err;
}

static Err sync_folder_of(const char *path) {
    char folder[COMMIT_PATH];
    folder_of(folder, path);
    return sync_path(folder, O_DIRECTORY);
}

Err commit_rename(const char *temp, const char *path, bool replace) {
    TRY(give_name(sync_path(temp, 0), temp, path, replace));
    return sync_folder_of(path);
}

Err commit_place(const char *temp, const char *path) {
    TRY(give_name(ERR_NONE, temp, path, true));
    return sync_folder_of(path);
}

Err commit_text(const char *path, const char *text, bool replace) {
    char temp[COMMIT_PATH];
    TRY(commit_name(temp, path));
    Err err = commit_write(temp, text, strlen(text));
    if (err.code == EXIT_USER) return err_user("%s: %s: want a path that can be written", path, strerror(errno));
    TRY(err);
    TRY(give_name(ERR_NONE, temp, path, replace));
    return sync_folder_of(path);
}

Err commit_leave(const char *temp, const char *path, const void *data, size_t bytes) {
    TRY(write_new(temp, data, bytes, false));
    return give_name(ERR_NONE, temp, path, true);
}

Err commit_flush(const char *folder) {
    int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0) return fail(fd, folder, "cannot be opened");
    if (syncfs(fd)) return fail(fd, folder, "its file system cannot be synced");
    close(fd);
    return ERR_NONE;
}

/* By what file systems say that they reserve nothing. The kernel's own ENOTSUPP, which has no name here, comes from servers of NFS. */
static bool not_known(int error) {
    const int kernel_enotsupp = 524;
    return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL || error == kernel_enotsupp;
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
    if (rc && not_known(errno) && !fstat(fd, &st) && !fstatvfs(fd, &vfs)) {
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

Err commit_room(const char *path, long long bytes, const char *what) {
    struct statvfs disk;
    if (statvfs(path, &disk)) return commit_error(path, "its free space cannot be looked at");
    double left = (double)disk.f_bavail * (double)disk.f_frsize;
    if (left >= (double)bytes) return ERR_NONE;
    Err err = err_user("%s: %.0f bytes are free, %s needs %lld: want more; the same command then goes on", path, left,
                       what, bytes);
    err.code = EXIT_RESUME;
    return err;
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
