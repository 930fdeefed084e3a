/** Energy that this node has used, from the counters that the kernel keeps in its powercap folder (RAPL: Intel and AMD
 *  processors): the sum over packages and memory. They count all that the node does, whoever does it, and are often
 *  readable for root only. Not collective. Errors: where a counter is absent or not readable, `joules` is NaN. */
#pragma once

#include <stdbool.h>

enum { ENERGY_ZONES = 64 }; /* most counters of a node: packages and their memory; more count as unreadable */

typedef struct Energy {
    double joules; /* used while counting, up to the last call */
    bool counting;
    int zones;
    char zone[ENERGY_ZONES][32]; /* folder of each counter */
    double range[ENERGY_ZONES];  /* J at which it starts again from 0 */
    double last[ENERGY_ZONES];   /* J, when it was last read */
    double read_at;              /* s, timer_now() of that */
} Energy;

/** /sys/class/powercap; tests set another. */
extern const char *energy_folder;

/** Finds the counters; nothing is counted yet. */
Energy energy_open(void);

/** From here, up to here. Cost: one small file per counter. */
void energy_start(Energy *energy);
void energy_stop(Energy *energy);

/** Call it often in between: a counter starts again from 0 after minutes, and is therefore read every few seconds. */
void energy_poll(Energy *energy);
