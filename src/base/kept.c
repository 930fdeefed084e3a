#include "base/kept.h"

#include "base/real.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Name, family and model of the processor, in characters that suit a file name. */
static void processor(char *name, size_t size) {
    static const char *keys[] = {"model name", "cpu family", "model\t"};
    char line[512];
    size_t used = 0;
    FILE *f = fopen("/proc/cpuinfo", "r");
    for (int found = 0; f && found < 3 && fgets(line, sizeof line, f);)
        for (int i = 0; i < 3; i++) {
            const char *value = strchr(line, ':');
            if (!value || strncmp(line, keys[i], strlen(keys[i]))) continue;
            found++;
            for (value += 2; *value && *value != '\n' && used + 2 < size; value++)
                name[used++] = isalnum((unsigned char)*value) ? *value : '_';
            name[used++] = '-';
        }
    if (f) fclose(f);
    name[used ? used - 1 : 0] = 0;
}

bool kept_path(char *path, size_t size, const char *what) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char folder[3072], cpu[256] = "";
    if (cache && *cache == '/')
        snprintf(folder, sizeof folder, "%s", cache);
    else if (home && *home == '/')
        snprintf(folder, sizeof folder, "%s/.cache", home);
    else
        return false;
    if (mkdir(folder, 0777) && errno != EEXIST) return false;
    strncat(folder, "/equiscale", sizeof folder - strlen(folder) - 1);
    if (mkdir(folder, 0777) && errno != EEXIST) return false;
    processor(cpu, sizeof cpu);
    return snprintf(path, size, "%s/%s-%s-%s", folder, what, *cpu ? cpu : "unknown", REAL_NAME) < (int)size;
}
