#include "base/memory.h"

#include <stdio.h>
#include <unistd.h>

/* The limit that a file of the control group states; 0: none. */
static double group_limit(const char *path) {
    FILE *f = fopen(path, "r");
    double bytes = 0;
    if (!f) return 0;
    if (fscanf(f, "%lf", &bytes) != 1) bytes = 0; /* "max" */
    fclose(f);
    return bytes;
}

int64_t memory_bytes(void) {
    double built_in = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), least = built_in;
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (int i = 0; i < 2; i++) {
        double allowed = group_limit(limits[i]);
        if (allowed > 0 && allowed < least) least = allowed;
    }
    return (int64_t)least;
}
