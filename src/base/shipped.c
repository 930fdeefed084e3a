#include "base/shipped.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool shipped_find(char *path, size_t size, const char *name) {
    static const char *const beside[] = {"../share/equiscale", "../.."};
    char folder[1024];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length < 0) return false;
    folder[length] = 0;
    char *slash = strrchr(folder, '/');
    if (!slash) return false;
    *slash = 0;
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        char candidate[2048], whole[PATH_MAX];
        int used = snprintf(candidate, sizeof candidate, "%s/%s/%s", folder, beside[i], name);
        if (used >= (int)sizeof candidate || access(candidate, R_OK) || !realpath(candidate, whole)) continue;
        if (strlen(whole) >= size) continue;
        memcpy(path, whole, strlen(whole) + 1);
        return true;
    }
    return false;
}
