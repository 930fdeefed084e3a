#include "study/weights.h"

#include "base/log.h"
#include "io/commit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void weights_path(char *path, size_t size, const StudyOptions *options, const char *file) {
    snprintf(path, size, "%s/%s/weights/%s.h5", options->folder, options->name, file);
}

static bool finished(const CellRecord *r) {
    return r->outcome == OUTCOME_DONE && isfinite(r->validation_loss);
}

/* Whether no other cell of the arm has a lower validation loss; of equal ones the first is the best. */
static bool is_best(const Results *all, int64_t i) {
    const CellRecord *r = &all->cell[i];
    for (int64_t k = 0; k < all->cells; k++) {
        const CellRecord *other = &all->cell[k];
        if (k == i || !finished(other) || strcmp(other->arm, r->arm) != 0) continue;
        if (other->validation_loss < r->validation_loss) return false;
        if (other->validation_loss == r->validation_loss && k < i) return false;
    }
    return true;
}

/* Whether there are weights under that name; what is there and is no file is said, since nothing can read it. */
static bool kept(const char *path) {
    struct stat st;
    if (stat(path, &st)) return false;
    if (!S_ISREG(st.st_mode))
        log_line("%s: not a file: want the weights of a finished cell, or nothing of that name", path);
    return S_ISREG(st.st_mode);
}

void weights_keep(const Results *all, const WeightsName *file, const StudyOptions *options) {
    char path[COMMIT_PATH];
    int missing = 0;
    for (int64_t i = 0; options->keep_weights && i < all->cells; i++) {
        if (!finished(&all->cell[i])) continue;
        weights_path(path, sizeof path, options, file[i]);
        if (options->keep_weights == KEEP_BEST && !is_best(all, i))
            unlink(path);
        else
            missing += !kept(path);
    }
    if (missing)
        log_line("%d cells were finished before weights were kept, or have lost them: they have none", missing);
}
