#include "base/arena.h"
#include "base/file.h"
#include "io/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define SEAL "equiscale: HDF5 from byte 512 on, of which XXH3 is %016llx\n"
enum { SEAL_WORD = 10 }; /* letters of it that tell a seal from the start of any other file */

static void seal_text(char text[H5_SEAL_BYTES], uint64_t digest) {
    memset(text, 0, H5_SEAL_BYTES);
    snprintf(text, H5_SEAL_BYTES, SEAL, (unsigned long long)digest);
}

void h5_seal(void *image, size_t bytes) {
    seal_text(image, XXH3_64bits((char *)image + H5_SEAL_BYTES, bytes - H5_SEAL_BYTES));
}

bool h5_seal_holds(const void *image, size_t bytes) {
    char want[H5_SEAL_BYTES];
    if (bytes < H5_SEAL_BYTES) return false;
    seal_text(want, XXH3_64bits((const char *)image + H5_SEAL_BYTES, bytes - H5_SEAL_BYTES));
    return !memcmp(want, image, H5_SEAL_BYTES);
}

/* XXH3 of what follows in an open file; -1: it cannot be read. */
static int digest_rest(uint64_t *digest, int fd) {
    enum { PIECE = 1 << 16 };
    XXH3_state_t *state = XXH3_createState();
    char *piece = mem_alloc(PIECE);
    ssize_t n;
    XXH3_64bits_reset(state);
    while ((n = read(fd, piece, PIECE)) > 0) XXH3_64bits_update(state, piece, (size_t)n);
    *digest = XXH3_64bits_digest(state);
    mem_free(piece);
    XXH3_freeState(state);
    return n < 0 ? -1 : 0;
}

/* Whether HDF5 begins where it does behind a seal; from there on an open file is read. */
static bool follows_seal(int fd) {
    static const char signature[] = "\211HDF\r\n\032\n";
    char start[sizeof signature - 1];
    return read(fd, start, sizeof start) == sizeof start && !memcmp(start, signature, sizeof start);
}

Err h5_check_seal(bool *sealed, const char *path) {
    char want[H5_SEAL_BYTES], found[H5_SEAL_BYTES];
    uint64_t digest = 0;
    TRY(file_check(path, "an HDF5 file"));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_user("%s: cannot be opened: %s", path, strerror(errno));
    *sealed = read(fd, found, H5_SEAL_BYTES) == H5_SEAL_BYTES && !memcmp(found, SEAL, SEAL_WORD);
    int rc = *sealed ? digest_rest(&digest, fd) : 0;
    bool lost = !*sealed && follows_seal(fd);
    close(fd);
    if (lost) return err_user("%s: damaged: its seal is gone", path);
    if (!*sealed) return ERR_NONE;
    seal_text(want, digest);
    if (!rc && !memcmp(want, found, H5_SEAL_BYTES)) return ERR_NONE;
    return err_user("%s: damaged: its digest is not that of what it holds", path);
}
