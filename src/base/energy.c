#include "base/energy.h"

#include "base/timer.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *energy_folder = "/sys/class/powercap";

/* A counter of 2^32 microjoules, the smallest there is, takes 4 s at 1 kW. */
#define POLL_SECONDS 1.0

/* The first word of energy_folder/zone/file. */
static bool read_word(char word[64], const char *zone, const char *file) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", energy_folder, zone, file);
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool read = fscanf(f, "%63s", word) == 1;
    fclose(f);
    return read;
}

/* In microjoules there. */
static bool read_joules(double *joules, const char *zone, const char *file) {
    char word[64];
    if (!read_word(word, zone, file) || sscanf(word, "%lf", joules) != 1) return false;
    *joules *= 1e-6;
    return true;
}

static void give_up(Energy *e) {
    e->zones = 0;
    e->joules = NAN;
}

Energy energy_open(void) {
    Energy e = {0};
    DIR *folder = opendir(energy_folder);
    struct dirent *entry;
    bool all = true;
    while (folder && (entry = readdir(folder))) {
        char name[64];
        if (strncmp(entry->d_name, "intel-rapl:", 11) || !read_word(name, entry->d_name, "name")) continue;
        /* Cores and graphics are parts of their package, psys is the sum of them. */
        if (strncmp(name, "package", 7) && strcmp(name, "dram")) continue;
        all = all && e.zones < ENERGY_ZONES && strlen(entry->d_name) < sizeof e.zone[0];
        if (!all) break;
        memcpy(e.zone[e.zones], entry->d_name, strlen(entry->d_name) + 1);
        all = read_joules(&e.range[e.zones], entry->d_name, "max_energy_range_uj");
        e.zones++;
    }
    if (folder) closedir(folder);
    if (!all || !e.zones) give_up(&e);
    return e;
}

/* Reads every counter, and adds what it has grown by if `add`. */
static void take(Energy *e, bool add) {
    for (int z = 0; z < e->zones; z++) {
        double now;
        if (!read_joules(&now, e->zone[z], "energy_uj")) {
            give_up(e);
            return;
        }
        double grown = now - e->last[z];
        if (grown < 0) grown += e->range[z];
        if (add) e->joules += grown;
        e->last[z] = now;
    }
    e->read_at = timer_now();
}

void energy_start(Energy *e) {
    take(e, false);
    e->counting = true;
}

void energy_stop(Energy *e) {
    if (e->counting) take(e, true);
    e->counting = false;
}

void energy_poll(Energy *e) {
    if (e->counting && timer_now() - e->read_at > POLL_SECONDS) take(e, true);
}
