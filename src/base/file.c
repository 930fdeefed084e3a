#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static Err refuse(const char *path, const char *what, const char *want) {
    return err_user("%s: %s: want %s", path, what, want);
}

static Err look(struct stat *about, const char *path, const char *want) {
    if (stat(path, about) || access(path, R_OK)) return refuse(path, strerror(errno), want);
    return S_ISDIR(about->st_mode) ? refuse(path, "a folder", want) : ERR_NONE;
}

Err file_check(const char *path, const char *want) {
    struct stat about;
    TRY(look(&about, path, want));
    return S_ISREG(about.st_mode) ? ERR_NONE : refuse(path, "a pipe or a device", want);
}

/* Opened without waiting, a pipe is asked for its first byte, and then read as files are. */
Err file_open(int *descriptor, const char *path, const char *want) {
    struct stat about;
    TRY(look(&about, path, want));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return refuse(path, strerror(errno), want);
    struct pollfd first = {.fd = fd, .events = POLLIN};
    bool silent = S_ISFIFO(about.st_mode) && poll(&first, 1, 1000 * FILE_PATIENCE) == 0;
    if (silent || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK)) {
        close(fd);
        return refuse(path, silent ? "a pipe that nobody writes to" : strerror(errno), want);
    }
    *descriptor = fd;
    return ERR_NONE;
}

FILE *file_own(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && !fstat(fd, &about) && S_ISREG(about.st_mode)) return fdopen(fd, "r");
    if (fd >= 0) close(fd);
    return NULL;
}
