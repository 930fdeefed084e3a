#include "base/memory.h"

#include <stdio.h>
#include <string.h>
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

static double lesser(double least, double limit) {
    return limit > 0 && limit < least ? limit : least;
}

/* The least of all limits from a group up to the root of its hierarchy: that of a job is not that of its last process. */
static double least_upwards(double least, const char *root, char *group, const char *name) {
    char path[1024];
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", root, group, name);
        least = lesser(least, group_limit(path));
        char *slash = strrchr(group, '/');
        if (!slash) return least;
        *slash = 0;
    }
}

/* Lines `0::/group` for control groups of version 2, `n:memory:/group` for those of version 1. */
double memory_group_limit(double least, const char *list, const char *root) {
    FILE *f = fopen(list, "r");
    char line[512], memory[256];
    if (!f) return least;
    snprintf(memory, sizeof memory, "%s/memory", root);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        if (!strcmp(names, ":")) least = least_upwards(least, root, group, "memory.max");
        if (!strcmp(names, ":memory")) least = least_upwards(least, memory, group, "memory.limit_in_bytes");
    }
    fclose(f);
    return least;
}

int64_t memory_bytes(void) {
    double built_in = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return (int64_t)memory_group_limit(built_in, "/proc/self/cgroup", "/sys/fs/cgroup");
}
