#include "io/h5.h"

#include "base/arena.h"
#include "base/file.h"
#include "h5_calls.h"
#include "h5_rehearse.h"
#include "io/commit.h"
#include "par/comm_mpi.h"
#include "par/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(hid_t) == sizeof(int64_t), "identifiers of HDF5 1.10 and later");

/* Bytes by which a file in memory grows; and that are reserved beyond what its columns take. */
enum { GROWTH = 1 << 15, RESERVE_MARGIN = 1 << 16 };

/* ---- Failures. ---- */

char h5_reason[H5_REASON];

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *text) {
    (void)n;
    snprintf(text, H5_REASON, "%s", e->desc);
    return 1;
}

int64_t h5_tried(int64_t rc) {
    if (rc >= 0) return rc;
    snprintf(h5_reason, sizeof h5_reason, "no reason given");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, h5_reason);
    return rc;
}

int64_t h5_checked(int64_t rc, int line, const char *call) {
    if (h5_tried(rc) < 0) err_abort(__FILE__, line, __func__, call, "%s", h5_reason);
    return rc;
}

Err h5_unreadable(const H5File *file, const char *object) {
    return err_user("%s: %s: damaged or not of the format: %s", file->path, object, h5_reason);
}

Err h5_written(H5File *file, const char *object, int64_t rc) {
    Err err = ERR_NONE;
    if (rc < 0) {
        err = err_user("%s: %s: cannot be written: %s", file->path, object, h5_reason);
        err.code = EXIT_RESUME;
    }
    if (!file->comm) return err;
    err = comm_agree(file->comm, err);
    if (!err.code) return err;
    if (comm_rank(file->comm) == 0) {
        unlink(file->path);
        fprintf(stderr, "%s\n", err.text);
    }
    watch_stop();
    comm_barrier(file->comm);
    _exit(EXIT_RESUME);
}

/* Where closing what was only read fails, HDF5 keeps half of the file, and crashes in its exit handler. */
_Noreturn static void not_closed(const H5File *file) {
    fprintf(stderr, "%s: cannot be closed: %s\n", file->path, h5_reason);
    watch_stop();
    _exit(EXIT_RESUME);
}

/* ---- Files. ---- */

static void quiet(void) {
    H5_CALL(H5Eset_auto2(H5E_DEFAULT, NULL, NULL));
}

/* Access through which no name leads into another file: a link out of this one would open whatever it names. */
static herr_t no_other_file(const char *parent, const char *group, const char *file, const char *object,
                            unsigned *flags, hid_t access, void *data) {
    (void)parent, (void)group, (void)file, (void)object, (void)flags, (void)access, (void)data;
    return -1;
}

hid_t h5_inside(hid_t class) {
    hid_t plist = (hid_t)H5_CALL(H5Pcreate(class));
    H5_CALL(H5Pset_elink_cb(plist, no_other_file, NULL));
    return plist;
}

hid_t h5_plain(hid_t class) {
    hid_t plist = (hid_t)H5_CALL(H5Pcreate(class));
    H5_CALL(H5Pset_obj_track_times(plist, false));
    H5_CALL(H5Pset_attr_phase_change(plist, UINT16_MAX, 0));
    if (class != H5P_DATASET_CREATE) H5_CALL(H5Pset_link_phase_change(plist, UINT16_MAX, 0));
    return plist;
}

/* The memory of a serial file. HDF5 1.10 hands out an image of an open file with a wrong checksum, so the memory itself
 * is kept when HDF5 gives it back on closing, complete by then. */
static void *kept;

static void *image_new(size_t bytes, H5FD_file_image_op_t op, void *data) {
    (void)op, (void)data;
    return mem_alloc(bytes);
}

static void *image_grow(void *image, size_t bytes, H5FD_file_image_op_t op, void *data) {
    (void)op, (void)data;
    return mem_grow(image, bytes);
}

static herr_t image_keep(void *image, H5FD_file_image_op_t op, void *data) {
    (void)data;
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE)
        kept = image;
    else
        mem_free(image);
    return 0;
}

static Err create(H5File *file, const char *path, const Comm *comm, bool sealed) {
    quiet();
    *file = (H5File){.comm = comm, .path = path, .writing = true, .sealed = sealed};
    hid_t access = H5_CALL(H5Pcreate(H5P_FILE_ACCESS)), create = h5_plain(H5P_FILE_CREATE);
    if (sealed) H5_CALL(H5Pset_userblock(create, H5_SEAL_BYTES));
    H5_CALL(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110));
    if (comm) {
        H5_CALL(H5Pset_fapl_mpio(access, comm_mpi(comm), MPI_INFO_NULL));
        H5_CALL(H5Pset_coll_metadata_write(access, true));
        H5_CALL(H5Pset_all_coll_metadata_ops(access, true));
    } else {
        H5FD_file_image_callbacks_t hold = {
            .image_malloc = image_new, .image_realloc = image_grow, .image_free = image_keep};
        H5_CALL(H5Pset_fapl_core(access, GROWTH, false));
        H5_CALL(H5Pset_file_image_callbacks(access, &hold));
    }
    file->id = h5_tried(H5Fcreate(path, H5F_ACC_TRUNC, create, access));
    H5_CALL(H5Pclose(access));
    H5_CALL(H5Pclose(create));
    Err err = ERR_NONE;
    if (file->id < 0) {
        err = err_user("%s: cannot be created: %s", path, h5_reason);
        err.code = EXIT_RESUME;
    }
    return comm ? comm_agree(comm, err) : err;
}

Err h5_create(H5File *file, const char *path, const Comm *comm) {
    return create(file, path, comm, false);
}

Err h5_create_sealed(H5File *file, const char *path) {
    return create(file, path, NULL, true);
}

Err h5_open_sealed(H5File *file, const char *path) {
    bool sealed;
    *file = (H5File){.path = path};
    TRY(h5_check_seal(&sealed, path));
    return sealed ? h5_open(file, path) : err_user("%s: damaged, or of another maker: it has no digest", path);
}

/* The error of a lock on the file; 0: it can be locked, or not be opened. */
static int lock_error(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    int why = flock(fd, LOCK_SH | LOCK_NB) ? errno : 0;
    close(fd);
    return why;
}

/* Before HDF5 1.10.7 only the environment can do without locks. */
#define UNLOCKS H5_VERSION_GE(1, 10, 7)

/* Opens what a file system without locks refuses to HDF5: what this program reads was put in place whole. */
static int64_t open_unlocked(const char *path) {
    int64_t access = H5_CALL(H5Pcreate(H5P_FILE_ACCESS));
#if UNLOCKS
    H5_CALL(H5Pset_file_locking(access, false, true));
#endif
    int64_t id = h5_tried(H5Fopen(path, H5F_ACC_RDONLY, access));
    H5_CALL(H5Pclose(access));
    return id;
}

Err h5_open(H5File *file, const char *path) {
    quiet();
    *file = (H5File){.path = path};
    TRY(file_check(path, "an HDF5 file"));
    struct stat st = {0};
    stat(path, &st);
    file->bytes = st.st_size;
    rehearse_note(path, st.st_size);
    file->id = h5_tried(H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT));
    int why = file->id < 0 ? lock_error(path) : 0;
    if (why == EWOULDBLOCK)
        return err_user("%s: locked by a program that has it open for writing: want it closed there", path);
    if (why) file->id = open_unlocked(path);
    if (why && !UNLOCKS && file->id < 0)
        return err_user("%s: cannot be locked: %s: want HDF5_USE_FILE_LOCKING=FALSE in the environment", path,
                        strerror(why));
    return file->id < 0 ? err_user("%s: not an HDF5 file, or a damaged one: %s", path, h5_reason) : ERR_NONE;
}

Err h5_close(H5File *file) {
    if (file->id <= 0) return ERR_NONE;
    int64_t flushed = file->writing ? h5_tried(H5Fflush(file->id, H5F_SCOPE_GLOBAL)) : 0;
    if (file->comm) TRY(h5_written(file, "/", flushed));
    /* Closing may leave less of the image in use than this, never more. */
    int64_t bytes = file->writing && !file->comm ? H5_CALL(H5Fget_file_image(file->id, NULL, 0)) : 0;
    int64_t closed = h5_tried(H5Fclose(file->id));
    file->id = 0;
    if (!file->writing && closed < 0) not_closed(file);
    if (!file->writing) return ERR_NONE;
    if (file->comm) return h5_written(file, "/", closed);
    CHECK(flushed >= 0 && closed >= 0 && kept, "%s: %s", file->path, h5_reason);
    if (file->sealed) {
        bytes += H5_SEAL_BYTES;
        h5_seal(kept, (size_t)bytes);
    }
    Err err = commit_write(file->path, kept, (size_t)bytes);
    mem_free(kept);
    kept = NULL;
    return err;
}

Err h5_reserve(H5File *file, int64_t bytes) {
    Err err = ERR_NONE;
    file->reserved += bytes;
    if (comm_rank(file->comm) == 0) err = commit_reserve(file->path, file->reserved + RESERVE_MARGIN);
    return comm_agree(file->comm, err);
}

Err h5_group(H5File *file, const char *name) {
    hid_t create = h5_plain(H5P_GROUP_CREATE);
    int64_t id = h5_tried(H5Gcreate2(file->id, name, H5P_DEFAULT, create, H5P_DEFAULT));
    H5_CALL(H5Pclose(create));
    if (id > 0) H5_CALL(H5Gclose(id));
    return h5_written(file, name, id);
}

Err h5_exists(bool *there, H5File *file, const char *path) {
    int64_t found = h5_tried(H5Lexists(file->id, path, H5P_DEFAULT));
    *there = found > 0;
    return found < 0 ? h5_unreadable(file, path) : ERR_NONE;
}
