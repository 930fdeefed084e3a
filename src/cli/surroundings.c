#include "surroundings.h"

#include "io/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void surroundings_fill(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDONLY) < 0) _exit(EXIT_USER);
}

/* The stack grows up to the limit of the moment. The deepest calls take half of this: options of a study are a quarter
 * of a megabyte, and blocks of attention another. */
enum { STACK_KIB = 2048 };

static Err check_stack(void) {
    struct rlimit stack;
    const rlim_t least = (rlim_t)STACK_KIB << 10;
    if (getrlimit(RLIMIT_STACK, &stack) || stack.rlim_cur >= least) return ERR_NONE;
    stack.rlim_cur = least;
    if (stack.rlim_max >= least && !setrlimit(RLIMIT_STACK, &stack)) return ERR_NONE;
    return err_user("equiscale: the stack may take %lld KiB: want at least %d (ulimit -s)",
                    (long long)(stack.rlim_max >> 10), STACK_KIB);
}

/* Open MPI keeps files there while it runs, and ends in pages of its own words where it cannot. One that is not there
 * it makes. */
enum { TEMPORARY_BYTES = 1 << 20 };

static Err check_temporary(void) {
    const char *named = getenv("TMPDIR"), *folder = named && *named ? named : "/tmp";
    char own[COMMIT_PATH];
    struct stat about;
    if (stat(folder, &about)) return ERR_NONE;
    if (snprintf(own, sizeof own, "%s/equiscale.XXXXXX", folder) >= (int)sizeof own || !mkdtemp(own))
        return err_user("TMPDIR = %s: %s: want a folder that can be written", folder, strerror(errno));
    rmdir(own);
    return commit_room(folder, TEMPORARY_BYTES, "MPI");
}

/* Open MPI's own process dies of smaller files, and this one would wait for it: at 4 MiB it does, at 15.6 it does not. */
enum { FILE_BYTES = 15 << 20 };

static Err check_file_size(void) {
    struct rlimit size;
    if (getrlimit(RLIMIT_FSIZE, &size) || size.rlim_cur >= FILE_BYTES) return ERR_NONE;
    Err err = err_user(
        "equiscale: a file may have %lld bytes (ulimit -f), MPI needs %d: want more; the same command then goes on",
        (long long)size.rlim_cur, FILE_BYTES);
    err.code = EXIT_RESUME;
    return err;
}

/* Open MPI ends in pages of its own words, or waits, where it gets fewer: a rank alone has done with 28. */
enum { DESCRIPTORS = 64 };

static Err check_descriptors(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= DESCRIPTORS) return ERR_NONE;
    files.rlim_cur = DESCRIPTORS;
    if (files.rlim_max >= DESCRIPTORS && !setrlimit(RLIMIT_NOFILE, &files)) return ERR_NONE;
    return err_user("equiscale: %lld files may be open (ulimit -n), MPI needs %d: want more", (long long)files.rlim_max,
                    DESCRIPTORS);
}

/* HDF5 and Open MPI end in faults of their own where they get no memory. Of the smallest study a rank has done with 350
 * MiB of addresses, most of them libraries. Who limits memory means it: that limit is not raised. */
enum { ADDRESS_MIB = 512 };

static Err check_addresses(void) {
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) || space.rlim_cur >= (rlim_t)ADDRESS_MIB << 20) return ERR_NONE;
    return err_user("equiscale: a process may have %lld MiB of memory (ulimit -v): want at least %d",
                    (long long)(space.rlim_cur >> 20), ADDRESS_MIB);
}

Err surroundings_check(bool mpi, bool writes) {
    Err err = check_stack();
    if (!err.code && mpi) err = check_temporary();
    if (!err.code && mpi) err = check_file_size();
    if (!err.code && mpi) err = check_descriptors();
    if (!err.code && writes) err = check_addresses();
    return err;
}
