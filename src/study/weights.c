#include "study/weights.h"

#include "io/commit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void weights_path(char *path, size_t size, const StudyOptions *options, const char *id) {
    snprintf(path, size, "%s/%s/weights/%s.h5", options->folder, options->name, id);
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

int weights_keep(const Results *all, const StudyOptions *options) {
    char path[COMMIT_PATH];
    int missing = 0;
    for (int64_t i = 0; options->keep_weights && i < all->cells; i++) {
        if (!finished(&all->cell[i])) continue;
        weights_path(path, sizeof path, options, all->cell[i].id);
        if (options->keep_weights == KEEP_BEST && !is_best(all, i))
            unlink(path);
        else
            missing += access(path, F_OK) != 0;
    }
    return missing;
}
