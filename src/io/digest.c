#include "io/digest.h"

#include "base/arena.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { PIECE = 1 << 16 }; /* bytes read at a time */

Err digest_file(uint64_t *digest, int64_t *bytes, const char *path) {
    struct stat about;
    *digest = 0;
    *bytes = 0;
    if (stat(path, &about)) return err_user("%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return ERR_NONE;
    FILE *file = fopen(path, "rb");
    if (!file) return err_user("%s: %s", path, strerror(errno));
    char *piece = MEM_NEW(char, PIECE);
    XXH3_state_t *state = XXH3_createState();
    CHECK(state, "XXH3: no state");
    XXH3_64bits_reset(state);
    for (size_t n = fread(piece, 1, PIECE, file); n; n = fread(piece, 1, PIECE, file)) {
        XXH3_64bits_update(state, piece, n);
        *bytes += (int64_t)n;
    }
    *digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    fclose(file);
    mem_free(piece);
    return ERR_NONE;
}
